//! Maximum over windows of a volume.

use super::MaxPool2dSpec;
use super::axes::{about_depth, volume_input, without_edit};
use crate::spec::spec;
use crate::window::Window;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};

spec! {
    /// The largest element of each window, as `torch.nn.MaxPool3d`: padding counts as −∞.
    ///
    /// `[C, D, H, W]` → `[C, D', H', W']`.
    MaxPool3dSpec {
        /// Depth, height and width of the window.
        kernel_size: [usize; 3],
        /// Step between windows.
        stride: [usize; 3],
        ;
        /// Padding: front, back, top, bottom, left, right; each at most half of the kernel.
        padding: [usize; 6] = [0, 0, 0, 0, 0, 0],
        /// Distance between the window's elements; 1 = none.
        dilation: [usize; 3] = [1, 1, 1],
        /// Round the output size up instead of down.
        ceil_mode: bool = false,
    }
}

impl MaxPool3dSpec {
    /// The same in two steps: over the depth alone, on maps `[C, D, H·W]`; then over the rows and columns of each slice,
    /// on maps `[C·D', H, W]`.
    pub fn steps(&self) -> [MaxPool2dSpec; 2] {
        let ([kd, kh, kw], [sd, sh, sw]) = (self.kernel_size, self.stride);
        let [front, back, top, bottom, left, right] = self.padding;
        let depth = MaxPool2dSpec {
            padding: [front, back, 0, 0],
            dilation: [self.dilation[0], 1],
            ceil_mode: self.ceil_mode,
            ..MaxPool2dSpec::new([kd, 1], [sd, 1])
        };
        let slices = MaxPool2dSpec {
            padding: [top, bottom, left, right],
            dilation: [self.dilation[1], self.dilation[2]],
            ceil_mode: self.ceil_mode,
            ..MaxPool2dSpec::new([kh, kw], [sh, sw])
        };
        [depth, slices]
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [_, depth, height, width] = volume_input("max_pool3d", inputs)?;
        let kernel = args.triple("kernel")?;
        let mut spec = Self::new(kernel, args.triple_or("stride", kernel)?);
        spec.dilation = args.triple_or("dilation", spec.dilation)?;
        spec.ceil_mode = args.bool_or("ceil_mode", spec.ceil_mode);
        let [depths, slices] = spec.steps().map(|step| {
            let MaxPool2dSpec { kernel_size, stride, padding, dilation, ceil_mode } = step;
            Window { kernel_size, stride, padding, dilation, ceil_mode }
        });
        let [along_depth, along_slice] = args.faces("padding")?;
        let [front, back, ..] = depths.resolve_padding(along_depth, [depth, 1]).map_err(without_edit)?;
        let [top, bottom, left, right] = slices.resolve_padding(along_slice, [height, width]).map_err(without_edit)?;
        spec.padding = [front, back, top, bottom, left, right];
        Ok(spec.into())
    }
}

impl OpSpec for MaxPool3dSpec {
    const NAME: &'static str = "MaxPool3d";
    const DEF: OpDef = OpDef {
        name: "max_pool3d",
        doc: "maximum over windows of a volume",
        params: &[
            Param::required("kernel", Kind::Triple, "depth, height and width of the window"),
            Param::optional("stride", Kind::Triple, "the kernel", "step between windows"),
            Param::optional("padding", Kind::Faces, "0", "padding that never wins"),
            Param::optional("dilation", Kind::Triple, "1", "distance between the window's elements"),
            Param::optional("ceil_mode", Kind::Bool, "false", "round the output size up"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, depth, height, width] = volume_input("max_pool3d", inputs)?;
        let [depths, slices] = self.steps();
        let deep = depths.output_shape(&[&Shape::new(&[channels, depth, height * width])?]).map_err(about_depth)?;
        let flat = Shape::new(&[channels * deep[1], height, width])?;
        let flat = slices.output_shape(&[&flat]).map_err(without_edit)?;
        Shape::new(&[channels, deep[1], flat[1], flat[2]])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows(self.kernel_size, self.stride, self.dilation)
    }
}
