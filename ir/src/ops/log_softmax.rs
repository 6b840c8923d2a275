//! Logarithms of probabilities along an axis.

use super::normalize_dim;
use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, codes};

spec! {
    /// x − ln Σ eˣ along one axis, computed from x − max x, as `torch.nn.LogSoftmax`.
    LogSoftmaxSpec {
        ;
        /// The axis, the batch being 0.
        dim: usize = 1,
    }
}

impl LogSoftmaxSpec {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let rank = single_input("log_softmax", inputs)?.len();
        Ok(Self { dim: normalize_dim("dim", args.int_or("dim", 1), rank)? }.into())
    }
}

impl OpSpec for LogSoftmaxSpec {
    const NAME: &'static str = "LogSoftmax";
    const DEF: OpDef = OpDef {
        name: "log_softmax",
        doc: "logarithms of probabilities along an axis",
        params: &[Param::optional("dim", Kind::Int, "1", "the axis; the batch is axis 0, channels are axis 1")],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("log_softmax", inputs)?;
        if self.dim == 0 || self.dim > shape.len() {
            let message = format!("axis {} of a value with axes 1 to {}", self.dim, shape.len());
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("dim"));
        }
        super::same_shape("log_softmax", inputs)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        if self.dim == 1 { Reach::Point } else { Reach::Whole }
    }
}
