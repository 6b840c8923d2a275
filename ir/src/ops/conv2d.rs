//! Two-dimensional convolution.

use crate::spec::spec;
use crate::window::{Window, map_input};
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, TensorSpec, codes};

spec! {
    /// Two-dimensional cross-correlation, as `torch.nn.Conv2d` with zero padding.
    ///
    /// `[in_channels, H, W]` → `[out_channels, H', W']` with H' = ⌊(H + top + bottom − d(k−1) − 1)/s⌋ + 1.
    Conv2dSpec {
        /// Channels of the input; a multiple of `groups`.
        in_channels: usize,
        /// Channels of the output; a multiple of `groups`.
        out_channels: usize,
        /// Height and width of the kernel.
        kernel_size: [usize; 2],
        ;
        /// Step between outputs (height, width).
        stride: [usize; 2] = [1, 1],
        /// Zeros around the input: top, bottom, left, right.
        padding: [usize; 4] = [0, 0, 0, 0],
        /// Distance between the kernel's taps; 1 = none.
        dilation: [usize; 2] = [1, 1],
        /// Independent groups of channels.
        groups: usize = 1,
        /// Whether a bias is added to each output channel.
        bias: bool = true,
    }
}

impl Conv2dSpec {
    fn window(&self) -> Window {
        let Self { kernel_size, stride, padding, dilation, .. } = *self;
        Window { kernel_size, stride, padding, dilation, ceil_mode: false }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [in_channels, height, width] = map_input("conv", inputs)?;
        let mut spec = Self::new(in_channels, args.size("channels")?, args.pair("kernel")?);
        spec.stride = args.pair_or("stride", spec.stride)?;
        spec.dilation = args.pair_or("dilation", spec.dilation)?;
        spec.padding = spec.window().resolve_padding(args.padding("padding")?, [height, width])?;
        spec.groups = args.size_or("groups", spec.groups)?;
        spec.bias = args.bool_or("bias", spec.bias);
        Ok(spec.into())
    }
}

impl OpSpec for Conv2dSpec {
    const NAME: &'static str = "Conv2d";
    const ALIASES: &'static [&'static str] = &["convolution"];
    const DEF: OpDef = OpDef {
        name: "conv",
        doc: "convolution over rows and columns",
        params: &[
            Param::required("channels", Kind::Size, "channels of the output"),
            Param::required("kernel", Kind::Pair, "height and width of the kernel"),
            Param::optional("stride", Kind::Pair, "1", "step between outputs"),
            Param::optional("padding", Kind::Padding, "0", "zeros around the input"),
            Param::optional("dilation", Kind::Pair, "1", "distance between the kernel's taps"),
            Param::optional("groups", Kind::Size, "1", "independent groups of channels"),
            Param::optional("bias", Kind::Bool, "true", "add a bias to each output channel"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, height, width] = map_input("conv", inputs)?;
        if channels != self.in_channels {
            return Err(Fault::new(
                &codes::SHAPE_MISMATCH,
                format!("made for {} input channels, given {channels}", self.in_channels),
            ));
        }
        super::check_groups(self.groups, channels, self.out_channels)?;
        Shape::new(&self.parameters()[0].shape)?;
        let [out_height, out_width] = self.window().output_size([height, width])?;
        Shape::new(&[self.out_channels, out_height, out_width])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows(self.kernel_size, self.stride, self.dilation)
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let [height, width] = self.kernel_size;
        let in_group = self.in_channels.checked_div(self.groups).unwrap_or(0);
        let mut tensors = vec![TensorSpec::new("weight", &[self.out_channels, in_group, height, width])];
        if self.bias {
            tensors.push(TensorSpec::new("bias", &[self.out_channels]));
        }
        tensors
    }

    fn macs(&self, output: &Shape) -> u64 {
        let fan_in: u64 = self.parameters()[0].shape[1..].iter().fold(1, |n, &d| n.saturating_mul(d as u64));
        fan_in.saturating_mul(output.elements() as u64)
    }
}
