//! Mean over windows of a volume.

use super::AvgPool2dSpec;
use super::axes::{about_depth, volume_input, without_edit};
use crate::spec::spec;
use crate::window::Window;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};

spec! {
    /// The mean of each window, as `torch.nn.AvgPool3d`.
    ///
    /// `[C, D, H, W]` → `[C, D', H', W']`.
    AvgPool3dSpec {
        /// Depth, height and width of the window.
        kernel_size: [usize; 3],
        /// Step between windows.
        stride: [usize; 3],
        ;
        /// Zeros around the input: front, back, top, bottom, left, right; each at most half of the kernel.
        padding: [usize; 6] = [0, 0, 0, 0, 0, 0],
        /// Round the output size up instead of down. What a last window covers beyond the padding never counts.
        ceil_mode: bool = false,
        /// Whether padding counts as elements of the mean.
        count_include_pad: bool = true,
        /// Divide by this number instead of the number of elements.
        divisor_override: Option<usize> = None,
    }
}

impl AvgPool3dSpec {
    /// The same in two steps: over the depth alone, on maps `[C, D, H·W]`; then over the rows and columns of each slice,
    /// on maps `[C·D', H, W]`.
    pub fn steps(&self) -> [AvgPool2dSpec; 2] {
        let ([kd, kh, kw], [sd, sh, sw]) = (self.kernel_size, self.stride);
        let [front, back, top, bottom, left, right] = self.padding;
        let depth = AvgPool2dSpec {
            padding: [front, back, 0, 0],
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
            divisor_override: self.divisor_override,
            ..AvgPool2dSpec::new([kd, 1], [sd, 1])
        };
        let slices = AvgPool2dSpec {
            padding: [top, bottom, left, right],
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
            // The depth has divided already.
            divisor_override: self.divisor_override.map(|_| 1),
            ..AvgPool2dSpec::new([kh, kw], [sh, sw])
        };
        [depth, slices]
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [_, depth, height, width] = volume_input("avg_pool3d", inputs)?;
        let kernel = args.triple("kernel")?;
        let mut spec = Self::new(kernel, args.triple_or("stride", kernel)?);
        spec.ceil_mode = args.bool_or("ceil_mode", spec.ceil_mode);
        spec.count_include_pad = args.bool_or("count_include_pad", spec.count_include_pad);
        if args.has("divisor_override") {
            spec.divisor_override = Some(args.size("divisor_override")?);
        }
        let [depths, slices] = spec.steps().map(|step| {
            let AvgPool2dSpec { kernel_size, stride, padding, ceil_mode, .. } = step;
            Window { kernel_size, stride, padding, dilation: [1, 1], ceil_mode }
        });
        let [along_depth, along_slice] = args.faces("padding")?;
        let [front, back, ..] = depths.resolve_padding(along_depth, [depth, 1]).map_err(without_edit)?;
        let [top, bottom, left, right] = slices.resolve_padding(along_slice, [height, width]).map_err(without_edit)?;
        spec.padding = [front, back, top, bottom, left, right];
        Ok(spec.into())
    }
}

impl OpSpec for AvgPool3dSpec {
    const NAME: &'static str = "AvgPool3d";
    const DEF: OpDef = OpDef {
        name: "avg_pool3d",
        doc: "mean over windows of a volume",
        params: &[
            Param::required("kernel", Kind::Triple, "depth, height and width of the window"),
            Param::optional("stride", Kind::Triple, "the kernel", "step between windows"),
            Param::optional("padding", Kind::Faces, "0", "zeros around the input"),
            Param::optional("ceil_mode", Kind::Bool, "false", "round the output size up"),
            Param::optional("count_include_pad", Kind::Bool, "true", "padding counts in the mean"),
            Param::optional("divisor_override", Kind::Size, "the window's size", "divide by this instead"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, depth, height, width] = volume_input("avg_pool3d", inputs)?;
        let [depths, slices] = self.steps();
        let deep = depths.output_shape(&[&Shape::new(&[channels, depth, height * width])?]).map_err(about_depth)?;
        let flat = Shape::new(&[channels * deep[1], height, width])?;
        let flat = slices.output_shape(&[&flat]).map_err(without_edit)?;
        Shape::new(&[channels, deep[1], flat[1], flat[2]])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows(self.kernel_size, self.stride, [1, 1, 1])
    }
}
