//! Product of values.

use super::inputs::{at_least, mismatch};
use crate::spec::spec;
use crate::{Fault, Field, OpDef, OpSpec, Shape};

spec! {
    /// The product of two or more values, element by element.
    ///
    /// All have one shape, or some are `[C, 1, 1]` beside maps `[C, H, W]`: then each channel of the map is multiplied
    /// by one number (Hu et al., "Squeeze-and-Excitation Networks", 2017).
    MulSpec { ; }
}

impl OpSpec for MulSpec {
    const NAME: &'static str = "Mul";
    const JOINS: bool = true;
    const ALIASES: &'static [&'static str] = &["multiply"];
    const DEF: OpDef = OpDef {
        name: "mul",
        doc: "product of values of one shape, or of maps with one number per channel",
        params: &[],
        from_call: |_, _| Ok(Self::new().into()),
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        at_least("mul", 2, inputs)?;
        let mut largest = 0;
        for (index, &shape) in inputs.iter().enumerate() {
            if scales(inputs[largest], shape) {
                largest = index;
            } else if shape != inputs[largest] && !scales(shape, inputs[largest]) {
                return Err(mismatch("mul", inputs, [largest, index], None)
                    .advice("give all values one shape, or one of them C×1×1: one number per channel"));
            }
        }
        Ok(inputs[largest].clone())
    }
}

/// Whether `factors` is `[C, 1, 1]` and `map` is `[C, H, W]`.
fn scales(factors: &Shape, map: &Shape) -> bool {
    matches!((factors.as_map(), map.as_map()), (Some([c, 1, 1]), Some([channels, _, _])) if c == channels)
}
