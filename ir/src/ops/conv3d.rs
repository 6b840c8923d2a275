//! Three-dimensional convolution.

use super::Conv2dSpec;
use super::axes::{about_depth, volume_input, without_edit};
use crate::spec::spec;
use crate::window::Window;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, TensorSpec, codes};

spec! {
    /// Three-dimensional cross-correlation, as `torch.nn.Conv3d` with zero padding.
    ///
    /// `[in_channels, D, H, W]` → `[out_channels, D', H', W']` with D' = ⌊(D + front + back − d(k−1) − 1)/s⌋ + 1.
    Conv3dSpec {
        /// Channels of the input; a multiple of `groups`.
        in_channels: usize,
        /// Channels of the output; a multiple of `groups`.
        out_channels: usize,
        /// Depth, height and width of the kernel.
        kernel_size: [usize; 3],
        ;
        /// Step between outputs (depth, height, width).
        stride: [usize; 3] = [1, 1, 1],
        /// Zeros around the input: front, back, top, bottom, left, right.
        padding: [usize; 6] = [0, 0, 0, 0, 0, 0],
        /// Distance between the kernel's taps; 1 = none.
        dilation: [usize; 3] = [1, 1, 1],
        /// Independent groups of channels.
        groups: usize = 1,
        /// Whether a bias is added to each output channel.
        bias: bool = true,
    }
}

impl Conv3dSpec {
    /// The same over one slice of the output: a convolution of a map with the slices under the kernel as channels, those
    /// of one channel side by side. The weight is the same, element by element.
    pub fn slice(&self) -> Conv2dSpec {
        let ([kd, kh, kw], [_, _, top, bottom, left, right]) = (self.kernel_size, self.padding);
        Conv2dSpec {
            stride: [self.stride[1], self.stride[2]],
            padding: [top, bottom, left, right],
            dilation: [self.dilation[1], self.dilation[2]],
            groups: self.groups,
            bias: self.bias,
            ..Conv2dSpec::new(self.in_channels.saturating_mul(kd), self.out_channels, [kh, kw])
        }
    }

    /// The windows over the depth, as over rows of one column, and over rows and columns.
    fn windows(&self) -> [Window; 2] {
        let [front, back, ..] = self.padding;
        let Conv2dSpec { kernel_size, stride, padding, dilation, .. } = self.slice();
        let depth = Window {
            kernel_size: [self.kernel_size[0], 1],
            stride: [self.stride[0], 1],
            padding: [front, back, 0, 0],
            dilation: [self.dilation[0], 1],
            ceil_mode: false,
        };
        [depth, Window { kernel_size, stride, padding, dilation, ceil_mode: false }]
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [in_channels, depth, height, width] = volume_input("conv3d", inputs)?;
        let mut spec = Self::new(in_channels, args.size("channels")?, args.triple("kernel")?);
        spec.stride = args.triple_or("stride", spec.stride)?;
        spec.dilation = args.triple_or("dilation", spec.dilation)?;
        let ([along_depth, along_map], [depths, map]) = (args.faces("padding")?, spec.windows());
        let [front, back, ..] = depths.resolve_padding(along_depth, [depth, 1]).map_err(without_edit)?;
        let [top, bottom, left, right] = map.resolve_padding(along_map, [height, width]).map_err(without_edit)?;
        spec.padding = [front, back, top, bottom, left, right];
        spec.groups = args.size_or("groups", spec.groups)?;
        spec.bias = args.bool_or("bias", spec.bias);
        Ok(spec.into())
    }
}

impl OpSpec for Conv3dSpec {
    const NAME: &'static str = "Conv3d";
    const DEF: OpDef = OpDef {
        name: "conv3d",
        doc: "convolution over depth, rows and columns",
        params: &[
            Param::required("channels", Kind::Size, "channels of the output"),
            Param::required("kernel", Kind::Triple, "depth, height and width of the kernel"),
            Param::optional("stride", Kind::Triple, "1", "step between outputs"),
            Param::optional("padding", Kind::Faces, "0", "zeros around the input"),
            Param::optional("dilation", Kind::Triple, "1", "distance between the kernel's taps"),
            Param::optional("groups", Kind::Size, "1", "independent groups of channels"),
            Param::optional("bias", Kind::Bool, "true", "add a bias to each output channel"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, depth, height, width] = volume_input("conv3d", inputs)?;
        if channels != self.in_channels {
            let message = format!("made for {} input channels, given {channels}", self.in_channels);
            return Err(Fault::new(&codes::SHAPE_MISMATCH, message));
        }
        super::check_groups(self.groups, channels, self.out_channels)?;
        Shape::new(&self.parameters()[0].shape)?;
        let [depths, map] = self.windows();
        let [out_depth, _] = depths.output_size([depth, 1]).map_err(about_depth)?;
        let [out_height, out_width] = map.output_size([height, width]).map_err(without_edit)?;
        // What one slice of the output is made of.
        Shape::new(&[channels, self.kernel_size[0], height, width])?;
        Shape::new(&[self.out_channels, out_depth, out_height, out_width])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows(self.kernel_size, self.stride, self.dilation)
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let [depth, height, width] = self.kernel_size;
        let in_group = self.in_channels.checked_div(self.groups).unwrap_or(0);
        let mut tensors = vec![TensorSpec::new("weight", &[self.out_channels, in_group, depth, height, width])];
        if self.bias {
            tensors.push(TensorSpec::new("bias", &[self.out_channels]));
        }
        tensors
    }

    fn macs(&self, output: &Shape) -> u64 {
        self.slice().macs(output)
    }
}
