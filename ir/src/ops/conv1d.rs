//! One-dimensional convolution.

use super::Conv2dSpec;
use super::axes::{about_length, as_map, as_sequence, sequence_input};
use crate::spec::spec;
use crate::window::Window;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, TensorSpec};

spec! {
    /// One-dimensional cross-correlation, as `torch.nn.Conv1d` with zero padding.
    ///
    /// `[in_channels, L]` → `[out_channels, L']` with L' = ⌊(L + before + after − d(k−1) − 1)/s⌋ + 1.
    Conv1dSpec {
        /// Channels of the input; a multiple of `groups`.
        in_channels: usize,
        /// Channels of the output; a multiple of `groups`.
        out_channels: usize,
        /// Length of the kernel.
        kernel_size: usize,
        ;
        /// Step between outputs.
        stride: usize = 1,
        /// Zeros around the input: before, after.
        padding: [usize; 2] = [0, 0],
        /// Distance between the kernel's taps; 1 = none.
        dilation: usize = 1,
        /// Independent groups of channels.
        groups: usize = 1,
        /// Whether a bias is added to each output channel.
        bias: bool = true,
    }
}

impl Conv1dSpec {
    /// The same over a map of one row.
    pub fn as_2d(&self) -> Conv2dSpec {
        Conv2dSpec {
            stride: [1, self.stride],
            padding: [0, 0, self.padding[0], self.padding[1]],
            dilation: [1, self.dilation],
            groups: self.groups,
            bias: self.bias,
            ..Conv2dSpec::new(self.in_channels, self.out_channels, [1, self.kernel_size])
        }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [in_channels, length] = sequence_input("conv1d", inputs)?;
        let mut spec = Self::new(in_channels, args.size("channels")?, args.size("kernel")?);
        spec.stride = args.size_or("stride", spec.stride)?;
        spec.dilation = args.size_or("dilation", spec.dilation)?;
        let Conv2dSpec { kernel_size, stride, padding, dilation, .. } = spec.as_2d();
        let window = Window { kernel_size, stride, padding, dilation, ceil_mode: false };
        let [_, _, before, after] = window.resolve_padding(args.ends("padding")?, [1, length])?;
        spec.padding = [before, after];
        spec.groups = args.size_or("groups", spec.groups)?;
        spec.bias = args.bool_or("bias", spec.bias);
        Ok(spec.into())
    }
}

impl OpSpec for Conv1dSpec {
    const NAME: &'static str = "Conv1d";
    const DEF: OpDef = OpDef {
        name: "conv1d",
        doc: "convolution over a sequence",
        params: &[
            Param::required("channels", Kind::Size, "channels of the output"),
            Param::required("kernel", Kind::Size, "length of the kernel"),
            Param::optional("stride", Kind::Size, "1", "step between outputs"),
            Param::optional("padding", Kind::Ends, "0", "zeros around the input"),
            Param::optional("dilation", Kind::Size, "1", "distance between the kernel's taps"),
            Param::optional("groups", Kind::Size, "1", "independent groups of channels"),
            Param::optional("bias", Kind::Bool, "true", "add a bias to each output channel"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        sequence_input("conv1d", inputs)?;
        let map = self.as_2d().output_shape(&[&as_map(inputs[0])?]).map_err(about_length)?;
        as_sequence(&map)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows([self.kernel_size], [self.stride], [self.dilation])
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let mut tensors = self.as_2d().parameters();
        tensors[0].shape.remove(2);
        tensors
    }

    fn macs(&self, output: &Shape) -> u64 {
        self.as_2d().macs(output)
    }
}
