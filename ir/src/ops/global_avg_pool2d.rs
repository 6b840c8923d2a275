//! Mean over all rows and columns.

use crate::spec::spec;
use crate::window::map_input;
use crate::{Fault, Field, OpDef, OpSpec, Reach, Shape};

spec! {
    /// The mean of each channel, as `torch.nn.AdaptiveAvgPool2d(1)` (Lin et al., "Network in Network", 2013).
    ///
    /// `[C, H, W]` → `[C, 1, 1]`.
    GlobalAvgPool2dSpec { ; }
}

impl OpSpec for GlobalAvgPool2dSpec {
    const NAME: &'static str = "GlobalAvgPool2d";
    const ALIASES: &'static [&'static str] = &["gap", "globalaveragepool", "globalaveragepooling"];
    const DEF: OpDef = OpDef {
        name: "global_avg_pool",
        doc: "mean over all rows and columns",
        params: &[],
        from_call: |_, _| Ok(Self::new().into()),
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, _, _] = map_input("global_avg_pool", inputs)?;
        Shape::new(&[channels, 1, 1])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::Whole
    }
}
