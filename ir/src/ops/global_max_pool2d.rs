//! Maximum over all rows and columns.

use crate::spec::spec;
use crate::window::map_input;
use crate::{Fault, Field, OpDef, OpSpec, Reach, Shape};

spec! {
    /// The largest element of each channel, as `torch.nn.AdaptiveMaxPool2d(1)`.
    ///
    /// `[C, H, W]` → `[C, 1, 1]`.
    GlobalMaxPool2dSpec { ; }
}

impl OpSpec for GlobalMaxPool2dSpec {
    const NAME: &'static str = "GlobalMaxPool2d";
    const ALIASES: &'static [&'static str] = &["globalmaxpooling"];
    const DEF: OpDef = OpDef {
        name: "global_max_pool",
        doc: "maximum over all rows and columns",
        params: &[],
        from_call: |_, _| Ok(Self::new().into()),
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, _, _] = map_input("global_max_pool", inputs)?;
        Shape::new(&[channels, 1, 1])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::Whole
    }
}
