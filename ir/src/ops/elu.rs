//! Exponential linear unit.

use crate::spec::spec;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, codes};

spec! {
    /// x where it is at least 0, α·(eˣ − 1) elsewhere, as `torch.nn.ELU` (Clevert et al., "Fast and Accurate Deep Network
    /// Learning by Exponential Linear Units", 2015).
    EluSpec {
        ;
        /// α, the limit at −∞ with its sign turned.
        alpha: f64 = 1.0,
    }
}

impl EluSpec {
    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        Ok(Self { alpha: args.float_or("alpha", 1.0) }.into())
    }
}

impl OpSpec for EluSpec {
    const NAME: &'static str = "Elu";
    const DEF: OpDef = OpDef {
        name: "elu",
        doc: "x, below 0 alpha · (exp(x) - 1)",
        params: &[Param::optional("alpha", Kind::Float, "1.0", "minus the limit far below 0")],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        if !(self.alpha as f32).is_finite() {
            let message = format!("`alpha` must be a number that f32 holds, not {}", self.alpha);
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("alpha"));
        }
        super::same_shape("elu", inputs)
    }
}
