//! Gaussian error linear unit.

use crate::spec::{choice, spec};
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape};

choice! {
    /// How [`GeluSpec`] computes Φ.
    GeluApproximate {
        /// Φ itself.
        None = "none",
        /// ½·(1 + tanh(√(2/π)·(x + 0.044715·x³))), within 5e-4 of Φ.
        Tanh = "tanh",
    }
}

spec! {
    /// x · Φ(x) on every element, Φ being the normal distribution, as `torch.nn.GELU` (Hendrycks and Gimpel, "Gaussian
    /// Error Linear Units", 2016).
    GeluSpec {
        ;
        /// How Φ is computed.
        approximate: GeluApproximate = GeluApproximate::None,
    }
}

impl GeluSpec {
    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        let approximate = args.word("approximate").and_then(GeluApproximate::from_word);
        Ok(Self { approximate: approximate.unwrap_or(GeluApproximate::None) }.into())
    }
}

impl OpSpec for GeluSpec {
    const NAME: &'static str = "Gelu";
    const DEF: OpDef = OpDef {
        name: "gelu",
        doc: "x times the normal distribution at x",
        params: &[Param::optional(
            "approximate",
            Kind::Word(GeluApproximate::WORDS),
            "none",
            "`tanh` takes the distribution from tanh",
        )],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        super::same_shape("gelu", inputs)
    }
}
