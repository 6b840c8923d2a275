//! Random zeros while training.

use crate::spec::spec;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, codes};

spec! {
    /// Zeroes elements with probability `p` and scales the rest by 1/(1−p) while training; the identity at inference.
    /// As `torch.nn.Dropout` (Srivastava et al., 2014).
    DropoutSpec {
        ;
        /// Probability of zeroing an element, from 0 to 1.
        p: f64 = 0.5,
    }
}

impl DropoutSpec {
    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        Ok(Self { p: args.float_or("p", 0.5) }.into())
    }
}

impl OpSpec for DropoutSpec {
    const NAME: &'static str = "Dropout";
    const DEF: OpDef = OpDef {
        name: "dropout",
        doc: "random zeros while training, the identity at inference",
        params: &[Param::optional("p", Kind::Float, "0.5", "probability of zeroing an element")],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        if !(0.0..=1.0).contains(&self.p) {
            let message = format!("`p` is a probability from 0 to 1, not {}", self.p);
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("p"));
        }
        super::same_shape("dropout", inputs)
    }
}
