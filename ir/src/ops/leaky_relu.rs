//! Rectified linear unit that lets a little through.

use crate::spec::spec;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, codes};

spec! {
    /// x where it is at least 0, `negative_slope`·x elsewhere, as `torch.nn.LeakyReLU` (Maas et al., "Rectifier
    /// Nonlinearities Improve Neural Network Acoustic Models", 2013).
    LeakyReluSpec {
        ;
        /// The factor below 0.
        negative_slope: f64 = 0.01,
    }
}

impl LeakyReluSpec {
    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        Ok(Self { negative_slope: args.float_or("slope", 0.01) }.into())
    }
}

impl OpSpec for LeakyReluSpec {
    const NAME: &'static str = "LeakyRelu";
    const ALIASES: &'static [&'static str] = &["lrelu"];
    const DEF: OpDef = OpDef {
        name: "leaky_relu",
        doc: "x, below 0 slope · x",
        params: &[Param::optional("slope", Kind::Float, "0.01", "the factor below 0")],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        if !(self.negative_slope as f32).is_finite() {
            let message = format!("`slope` must be a number that f32 holds, not {}", self.negative_slope);
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("slope"));
        }
        super::same_shape("leaky_relu", inputs)
    }
}
