//! Mean over windows.

use super::axes::{by_axes, check_pool_padding, spatial_input, spatial_shape};
use crate::spec::spec;
use crate::window::Window;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};

spec! {
    /// The mean of each window over D axes, as `torch.nn.AvgPool1d`, `2d` and `3d`. S = 2·D.
    ///
    /// `[C, H, W]` → `[C, H', W']`, and likewise over one axis and over three.
    AvgPoolSpec<D, S> {
        /// Sizes of the window, as (depth, height, width).
        kernel_size: [usize; D],
        /// Step between windows.
        stride: [usize; D],
        ;
        /// Zeros before and after each axis: top, bottom, left, right; each at most half of the kernel.
        padding: [usize; S] = [0; S],
        /// Round the output size up instead of down. What a last window covers beyond the padding never counts.
        ceil_mode: bool = false,
        /// Whether padding counts as elements of the mean.
        count_include_pad: bool = true,
        /// Divide by this number instead of the number of elements.
        divisor_override: Option<usize> = None,
    }
}

/// The mean over windows of a sequence.
pub type AvgPool1dSpec = AvgPoolSpec<1, 2>;
/// The mean over windows of a map.
pub type AvgPool2dSpec = AvgPoolSpec<2, 4>;
/// The mean over windows of a volume.
pub type AvgPool3dSpec = AvgPoolSpec<3, 6>;

impl<const D: usize, const S: usize> AvgPoolSpec<D, S> {
    fn window(&self) -> Window<D, S> {
        let Self { kernel_size, stride, padding, ceil_mode, .. } = *self;
        Window { kernel_size, stride, padding, dilation: [1; D], ceil_mode }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        let (_, sizes) = spatial_input::<D>("avg_pool", inputs)?;
        let kernel = args.axes("kernel")?;
        let mut spec = Self::new(kernel, args.axes_or("stride", kernel)?);
        spec.ceil_mode = args.bool_or("ceil_mode", spec.ceil_mode);
        spec.count_include_pad = args.bool_or("count_include_pad", spec.count_include_pad);
        if args.has("divisor_override") {
            spec.divisor_override = Some(args.size("divisor_override")?);
        }
        spec.padding = spec.window().resolve_padding(args.padding("padding")?, sizes)?;
        Ok(spec.into())
    }
}

impl<const D: usize, const S: usize> OpSpec for AvgPoolSpec<D, S>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["AvgPool1d", "AvgPool2d", "AvgPool3d"][D - 1];
    const ALIASES: &'static [&'static str] = &["averagepool", "averagepooling"];
    const DEF: OpDef = OpDef {
        name: "avg_pool",
        doc: "mean over windows",
        params: &[
            Param::required("kernel", Kind::Axes, "sizes of the window"),
            Param::optional("stride", Kind::Axes, "the kernel", "step between windows"),
            Param::optional("padding", Kind::Padding, "0", "zeros around the input"),
            Param::optional("ceil_mode", Kind::Bool, "false", "round the output size up"),
            Param::optional("count_include_pad", Kind::Bool, "true", "padding counts in the mean"),
            Param::optional("divisor_override", Kind::Size, "the window's size", "divide by this instead"),
        ],
        from_call: |args, inputs| by_axes!("avg_pool", args, inputs, AvgPool1dSpec, AvgPool2dSpec, AvgPool3dSpec),
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, sizes) = spatial_input("avg_pool", inputs)?;
        check_pool_padding(self.kernel_size, self.padding)?;
        if self.divisor_override == Some(0) {
            return Err(Fault::new(&crate::codes::BAD_ARGUMENT, "`divisor_override` must be at least 1, not 0")
                .about("divisor_override"));
        }
        spatial_shape(channels, self.window().output_size(sizes)?)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows(self.kernel_size, self.stride, [1; D])
    }
}
