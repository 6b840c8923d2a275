//! Sum of values.

use super::inputs::{at_least, mismatch};
use crate::spec::spec;
use crate::{Fault, Field, OpDef, OpSpec, Shape};

spec! {
    /// The sum of two or more values of one shape, element by element: the join of a residual block (He et al., "Deep
    /// Residual Learning for Image Recognition", 2015).
    AddSpec { ; }
}

impl OpSpec for AddSpec {
    const NAME: &'static str = "Add";
    const JOINS: bool = true;
    const ALIASES: &'static [&'static str] = &["sum"];
    const DEF: OpDef =
        OpDef { name: "add", doc: "sum of values of one shape", params: &[], from_call: |_, _| Ok(Self::new().into()) };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        at_least("add", 2, inputs)?;
        match inputs.iter().position(|shape| *shape != inputs[0]) {
            None => Ok(inputs[0].clone()),
            Some(other) => Err(mismatch("add", inputs, [0, other], None).advice(shortcut(inputs[0], inputs[other]))),
        }
    }
}

/// What makes one branch fit the other.
fn shortcut(a: &Shape, b: &Shape) -> String {
    let (Some(a), Some(b)) = (a.as_map(), b.as_map()) else { return "give all values one shape".into() };
    let (larger, smaller) = if a[1] >= b[1] { (a, b) } else { (b, a) };
    if larger[1..] == smaller[1..] {
        return format!("a `conv({}, 1)` on the other branch gives it as many channels", a[0]);
    }
    let stride = larger[1].div_ceil(smaller[1]);
    let fits = (1..3).all(|axis| larger[axis].div_ceil(stride) == smaller[axis]);
    match fits {
        true => format!("a `conv({}, 1, stride = {stride})` on the larger branch makes it fit", smaller[0]),
        false => "use the same strides and padding in all branches".into(),
    }
}
