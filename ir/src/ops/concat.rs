//! Values joined along an axis.

use super::inputs::{at_least, mismatch};
use super::normalize_dim;
use crate::spec::spec;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, codes};

spec! {
    /// Values joined along one axis, in order, as `torch.cat`. All other sizes are equal.
    ///
    /// `[C₁, H, W]`, `[C₂, H, W]`, … → `[C₁ + C₂ + …, H, W]` along axis 1.
    ConcatSpec {
        ;
        /// The axis, the batch being 0.
        dim: usize = 1,
    }
}

impl ConcatSpec {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        at_least("concat", 1, inputs)?;
        Ok(Self { dim: normalize_dim("dim", args.int_or("dim", 1), inputs[0].len())? }.into())
    }
}

impl OpSpec for ConcatSpec {
    const NAME: &'static str = "Concat";
    const JOINS: bool = true;
    const ALIASES: &'static [&'static str] = &["cat", "concatenate"];
    const DEF: OpDef = OpDef {
        name: "concat",
        doc: "values joined along an axis",
        params: &[Param::optional("dim", Kind::Int, "1", "the axis; the batch is axis 0, channels are axis 1")],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        at_least("concat", 1, inputs)?;
        let mut sizes = inputs[0].to_vec();
        let Some(axis) = self.dim.checked_sub(1).filter(|axis| *axis < sizes.len()) else {
            let message = format!("axis {} of a value with axes 1 to {}", self.dim, sizes.len());
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("dim"));
        };
        for (index, shape) in inputs.iter().enumerate().skip(1) {
            let equal = |i: usize| i == axis || shape[i] == sizes[i];
            if shape.len() != sizes.len() || !(0..sizes.len()).all(equal) {
                let fault = mismatch("concat", inputs, [0, index], Some(axis));
                return Err(fault.advice("use the same strides and padding in all branches"));
            }
            sizes[axis] = sizes[axis].saturating_add(shape[axis]);
        }
        Shape::new(&sizes)
    }
}
