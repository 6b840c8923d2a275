//! Maximum over all places.

use super::axes::{by_axes, spatial_input, spatial_shape};
use crate::spec::spec;
use crate::{Args, Fault, Field, Op, OpDef, OpSpec, Reach, Shape};

spec! {
    /// The largest element of each channel over D axes, as `torch.nn.AdaptiveMaxPool`1d, 2d and 3d to size 1.
    ///
    /// `[C, H, W]` → `[C, 1, 1]`, and likewise over one axis and over three.
    GlobalMaxPoolSpec<D> { ; }
}

/// Over one axis.
pub type GlobalMaxPool1dSpec = GlobalMaxPoolSpec<1>;
/// Over height and width.
pub type GlobalMaxPool2dSpec = GlobalMaxPoolSpec<2>;
/// Over depth, height and width.
pub type GlobalMaxPool3dSpec = GlobalMaxPoolSpec<3>;

impl<const D: usize> GlobalMaxPoolSpec<D> {
    fn from_call(_args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        Ok(Self::new().into())
    }
}

impl<const D: usize> OpSpec for GlobalMaxPoolSpec<D>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["GlobalMaxPool1d", "GlobalMaxPool2d", "GlobalMaxPool3d"][D - 1];
    const ALIASES: &'static [&'static str] = &["globalmaxpooling"];
    const DEF: OpDef = OpDef {
        name: "global_max_pool",
        doc: "maximum over all places of each channel",
        params: &[],
        from_call: |args, inputs| {
            by_axes!("global_max_pool", args, inputs, GlobalMaxPool1dSpec, GlobalMaxPool2dSpec, GlobalMaxPool3dSpec)
        },
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, _) = spatial_input::<D>("global_max_pool", inputs)?;
        spatial_shape(channels, [1; D])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::Whole
    }
}
