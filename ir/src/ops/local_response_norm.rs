//! Normalisation across neighbouring channels.

use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, codes};

spec! {
    /// x / (k + α/n · Σ x²)^β, the sum over n channels around each element's own, as `torch.nn.LocalResponseNorm`: from
    /// ⌊n/2⌋ channels before to ⌊(n−1)/2⌋ behind; channels that are not there count as zero (Krizhevsky et al.,
    /// "ImageNet Classification with Deep Convolutional Neural Networks", 2012).
    ///
    /// `[C, …]` → the same, with at least one axis besides the channels.
    LocalResponseNormSpec {
        /// n, the channels that are summed over.
        size: usize,
        ;
        /// α.
        alpha: f64 = 1e-4,
        /// β.
        beta: f64 = 0.75,
        /// k.
        k: f64 = 1.0,
    }
}

impl LocalResponseNormSpec {
    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        let mut spec = Self::new(args.size("size")?);
        spec.alpha = args.float_or("alpha", spec.alpha);
        spec.beta = args.float_or("beta", spec.beta);
        spec.k = args.float_or("k", spec.k);
        Ok(spec.into())
    }
}

impl OpSpec for LocalResponseNormSpec {
    const NAME: &'static str = "LocalResponseNorm";
    const ALIASES: &'static [&'static str] = &["lrn"];
    const DEF: OpDef = OpDef {
        name: "local_response_norm",
        doc: "normalisation across neighbouring channels",
        params: &[
            Param::required("size", Kind::Size, "channels that are summed over"),
            Param::optional("alpha", Kind::Float, "1e-4", "factor of the sum of squares"),
            Param::optional("beta", Kind::Float, "0.75", "exponent"),
            Param::optional("k", Kind::Float, "1.0", "added to the sum"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("local_response_norm", inputs)?;
        if self.size == 0 {
            return Err(Fault::new(&codes::BAD_ARGUMENT, "`size` must be at least 1").about("size"));
        }
        for (name, value) in [("alpha", self.alpha), ("beta", self.beta), ("k", self.k)] {
            if !(value >= 0.0 && value.is_finite()) {
                let message = format!("`{name}` must be at least 0, not {value}");
                return Err(Fault::new(&codes::BAD_ARGUMENT, message).about(name));
            }
        }
        if shape.len() < 2 {
            let message = format!("`local_response_norm` takes maps, but the value here is {shape}");
            return Err(Fault::new(&codes::BAD_RANK, message).advice("move it before the `flatten`"));
        }
        Ok(shape.clone())
    }
}
