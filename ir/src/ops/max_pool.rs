//! Maximum over windows.

use super::axes::{by_axes, check_pool_padding, spatial_input, spatial_shape};
use crate::spec::spec;
use crate::window::Window;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};

spec! {
    /// The largest element of each window over D axes, as `torch.nn.MaxPool1d`, `2d` and `3d`: padding counts as −∞.
    /// S = 2·D.
    ///
    /// `[C, H, W]` → `[C, H', W']`, and likewise over one axis and over three.
    MaxPoolSpec<D, S> {
        /// Sizes of the window, as (depth, height, width).
        kernel_size: [usize; D],
        /// Step between windows.
        stride: [usize; D],
        ;
        /// Padding before and after each axis: top, bottom, left, right; each at most half of the kernel.
        padding: [usize; S] = [0; S],
        /// Distance between the window's elements; 1 = none.
        dilation: [usize; D] = [1; D],
        /// Round the output size up instead of down.
        ceil_mode: bool = false,
    }
}

/// A maximum over windows of a sequence.
pub type MaxPool1dSpec = MaxPoolSpec<1, 2>;
/// A maximum over windows of a map.
pub type MaxPool2dSpec = MaxPoolSpec<2, 4>;
/// A maximum over windows of a volume.
pub type MaxPool3dSpec = MaxPoolSpec<3, 6>;

impl<const D: usize, const S: usize> MaxPoolSpec<D, S> {
    fn window(&self) -> Window<D, S> {
        let Self { kernel_size, stride, padding, dilation, ceil_mode } = *self;
        Window { kernel_size, stride, padding, dilation, ceil_mode }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        let (_, sizes) = spatial_input::<D>("max_pool", inputs)?;
        let kernel = args.axes("kernel")?;
        let mut spec = Self::new(kernel, args.axes_or("stride", kernel)?);
        spec.dilation = args.axes_or("dilation", spec.dilation)?;
        spec.ceil_mode = args.bool_or("ceil_mode", spec.ceil_mode);
        spec.padding = spec.window().resolve_padding(args.padding("padding")?, sizes)?;
        Ok(spec.into())
    }
}

impl<const D: usize, const S: usize> OpSpec for MaxPoolSpec<D, S>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["MaxPool1d", "MaxPool2d", "MaxPool3d"][D - 1];
    const ALIASES: &'static [&'static str] = &["maxpooling"];
    const DEF: OpDef = OpDef {
        name: "max_pool",
        doc: "maximum over windows",
        params: &[
            Param::required("kernel", Kind::Axes, "sizes of the window"),
            Param::optional("stride", Kind::Axes, "the kernel", "step between windows"),
            Param::optional("padding", Kind::Padding, "0", "padding that never wins"),
            Param::optional("dilation", Kind::Axes, "1", "distance between the window's elements"),
            Param::optional("ceil_mode", Kind::Bool, "false", "round the output size up"),
        ],
        from_call: |args, inputs| by_axes!("max_pool", args, inputs, MaxPool1dSpec, MaxPool2dSpec, MaxPool3dSpec),
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, sizes) = spatial_input("max_pool", inputs)?;
        check_pool_padding(self.kernel_size, self.padding)?;
        spatial_shape(channels, self.window().output_size(sizes)?)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows(self.kernel_size, self.stride, self.dilation)
    }
}
