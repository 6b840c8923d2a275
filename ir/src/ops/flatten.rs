//! Axes into one.

use super::normalize_dim;
use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, codes};

spec! {
    /// The axes from `start_dim` to `end_dim` as one, as `torch.nn.Flatten`. Axis 0 is the batch, which stays.
    ///
    /// `[C, H, W]` → `[C·H·W]` by default.
    FlattenSpec {
        ;
        /// First axis, the batch being 0.
        start_dim: usize = 1,
        /// Last axis, inclusive; `None` is the last there is.
        end_dim: Option<usize> = None,
    }
}

impl FlattenSpec {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let rank = single_input("flatten", inputs)?.len();
        let mut spec = Self::new();
        spec.start_dim = normalize_dim("start_dim", args.int_or("start_dim", 1), rank)?;
        let end_dim = normalize_dim("end_dim", args.int_or("end_dim", -1), rank)?;
        spec.end_dim = (end_dim != rank).then_some(end_dim);
        Ok(spec.into())
    }
}

impl OpSpec for FlattenSpec {
    const NAME: &'static str = "Flatten";
    const DEF: OpDef = OpDef {
        name: "flatten",
        doc: "several axes as one",
        params: &[
            Param::optional("start_dim", Kind::Int, "1", "first axis; the batch is axis 0"),
            Param::optional("end_dim", Kind::Int, "-1", "last axis, inclusive"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("flatten", inputs)?;
        let (start, end) = (self.start_dim, self.end_dim.unwrap_or(shape.len()));
        if start == 0 || start > end || end > shape.len() {
            return Err(Fault::new(
                &codes::BAD_ARGUMENT,
                format!("cannot flatten axes {start} to {end} of a value with axes 1 to {}", shape.len()),
            )
            .about("start_dim"));
        }
        let mut sizes = shape[..start - 1].to_vec();
        sizes.push(shape[start - 1..end].iter().product());
        sizes.extend_from_slice(&shape[end..]);
        Shape::new(&sizes)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::Whole
    }
}
