//! Mean over as many windows as asked for.

use super::axes::{by_axes, spatial_input, spatial_shape};
use crate::spec::spec;
use crate::window::adaptive_windows;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};
use std::ops::Range;

spec! {
    /// The mean of each window over D axes, as `torch.nn.AdaptiveAvgPool`1d, 2d and 3d: the windows are as many
    /// as asked for and cover the input.
    ///
    /// `[C, H, W]` → `[C, H', W']`; window i of H' reaches from row ⌊i·H/H'⌋ to before row ⌈(i+1)·H/H'⌉. Likewise
    /// over one axis and over three.
    AdaptiveAvgPoolSpec<D> {
        /// Sizes of the output, as (depth, height, width).
        output_size: [usize; D],
        ;
    }
}

/// Over one axis.
pub type AdaptiveAvgPool1dSpec = AdaptiveAvgPoolSpec<1>;
/// Over height and width.
pub type AdaptiveAvgPool2dSpec = AdaptiveAvgPoolSpec<2>;
/// Over depth, height and width.
pub type AdaptiveAvgPool3dSpec = AdaptiveAvgPoolSpec<3>;

impl<const D: usize> AdaptiveAvgPoolSpec<D> {
    /// The windows along an axis (from 0) that has `n` elements in the input.
    pub fn windows(&self, axis: usize, n: usize) -> impl Iterator<Item = Range<usize>> + Clone + use<D> {
        adaptive_windows(n, self.output_size[axis])
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        let (_, sizes) = spatial_input::<D>("adaptive_avg_pool", inputs)?;
        Ok(Self::new(args.axes_or_same("size", sizes)?).into())
    }
}

impl<const D: usize> OpSpec for AdaptiveAvgPoolSpec<D>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"][D - 1];
    const ALIASES: &'static [&'static str] = &["adaptiveaveragepool"];
    const DEF: OpDef = OpDef {
        name: "adaptive_avg_pool",
        doc: "mean over as many windows as asked for",
        params: &[Param::required("size", Kind::AxesOrNone, "sizes of the output; `none` keeps the input's")],
        from_call: |args, inputs| {
            by_axes!(
                "adaptive_avg_pool",
                args,
                inputs,
                AdaptiveAvgPool1dSpec,
                AdaptiveAvgPool2dSpec,
                AdaptiveAvgPool3dSpec
            )
        },
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, _) = spatial_input::<D>("adaptive_avg_pool", inputs)?;
        spatial_shape(channels, self.output_size)
    }

    fn reach(&self, input: &Shape, output: &Shape) -> Reach {
        Reach::adaptive(input, output)
    }
}
