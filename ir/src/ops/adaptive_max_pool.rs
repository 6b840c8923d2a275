//! Maximum over as many windows as asked for.

use super::axes::{by_axes, spatial_input, spatial_shape};
use crate::spec::spec;
use crate::window::adaptive_windows;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};
use std::ops::Range;

spec! {
    /// The largest element of each window over D axes, as `torch.nn.AdaptiveMaxPool`1d, 2d and 3d: the windows are as many
    /// as asked for and cover the input.
    ///
    /// `[C, H, W]` → `[C, H', W']`; window i of H' reaches from row ⌊i·H/H'⌋ to before row ⌈(i+1)·H/H'⌉. Likewise
    /// over one axis and over three.
    AdaptiveMaxPoolSpec<D> {
        /// Sizes of the output, as (depth, height, width).
        output_size: [usize; D],
        ;
    }
}

/// Over one axis.
pub type AdaptiveMaxPool1dSpec = AdaptiveMaxPoolSpec<1>;
/// Over height and width.
pub type AdaptiveMaxPool2dSpec = AdaptiveMaxPoolSpec<2>;
/// Over depth, height and width.
pub type AdaptiveMaxPool3dSpec = AdaptiveMaxPoolSpec<3>;

impl<const D: usize> AdaptiveMaxPoolSpec<D> {
    /// The windows along an axis (from 0) that has `n` elements in the input.
    pub fn windows(&self, axis: usize, n: usize) -> impl Iterator<Item = Range<usize>> + Clone + use<D> {
        adaptive_windows(n, self.output_size[axis])
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        let (_, sizes) = spatial_input::<D>("adaptive_max_pool", inputs)?;
        Ok(Self::new(args.axes_or_same("size", sizes)?).into())
    }
}

impl<const D: usize> OpSpec for AdaptiveMaxPoolSpec<D>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"][D - 1];
    const DEF: OpDef = OpDef {
        name: "adaptive_max_pool",
        doc: "maximum over as many windows as asked for",
        params: &[Param::required("size", Kind::AxesOrNone, "sizes of the output; `none` keeps the input's")],
        from_call: |args, inputs| {
            by_axes!(
                "adaptive_max_pool",
                args,
                inputs,
                AdaptiveMaxPool1dSpec,
                AdaptiveMaxPool2dSpec,
                AdaptiveMaxPool3dSpec
            )
        },
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, _) = spatial_input::<D>("adaptive_max_pool", inputs)?;
        spatial_shape(channels, self.output_size)
    }

    fn reach(&self, input: &Shape, output: &Shape) -> Reach {
        Reach::adaptive(input, output)
    }
}
