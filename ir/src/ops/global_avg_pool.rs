//! Mean over all places.

use super::axes::{by_axes, spatial_input, spatial_shape};
use crate::spec::spec;
use crate::{Args, Fault, Field, Op, OpDef, OpSpec, Reach, Shape};

spec! {
    /// The mean of each channel over D axes, as `torch.nn.AdaptiveAvgPool`1d, 2d and 3d to size 1 (Lin et al., "Network in
    /// Network", 2013).
    ///
    /// `[C, H, W]` → `[C, 1, 1]`, and likewise over one axis and over three.
    GlobalAvgPoolSpec<D> { ; }
}

/// Over one axis.
pub type GlobalAvgPool1dSpec = GlobalAvgPoolSpec<1>;
/// Over height and width.
pub type GlobalAvgPool2dSpec = GlobalAvgPoolSpec<2>;
/// Over depth, height and width.
pub type GlobalAvgPool3dSpec = GlobalAvgPoolSpec<3>;

impl<const D: usize> GlobalAvgPoolSpec<D> {
    fn from_call(_args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        Ok(Self::new().into())
    }
}

impl<const D: usize> OpSpec for GlobalAvgPoolSpec<D>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["GlobalAvgPool1d", "GlobalAvgPool2d", "GlobalAvgPool3d"][D - 1];
    const ALIASES: &'static [&'static str] = &["gap", "globalaveragepool", "globalaveragepooling"];
    const DEF: OpDef = OpDef {
        name: "global_avg_pool",
        doc: "mean over all places of each channel",
        params: &[],
        from_call: |args, inputs| {
            by_axes!("global_avg_pool", args, inputs, GlobalAvgPool1dSpec, GlobalAvgPool2dSpec, GlobalAvgPool3dSpec)
        },
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, _) = spatial_input::<D>("global_avg_pool", inputs)?;
        spatial_shape(channels, [1; D])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::Whole
    }
}
