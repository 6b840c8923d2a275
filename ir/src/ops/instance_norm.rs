//! Normalisation of every channel by itself.

use super::check_eps;
use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, TensorSpec, codes};

spec! {
    /// (x − μ) / √(σ² + ε) · γ + β, with the mean μ and the biased variance σ² of each channel of one example, as
    /// `torch.nn.InstanceNorm1d`, `2d` and `3d` without running statistics (Ulyanov et al., "Instance Normalization",
    /// 2016).
    ///
    /// `[C, …]` → the same. A channel has more than one element.
    InstanceNormSpec {
        /// Channels.
        num_features: usize,
        ;
        /// ε, at least 0.
        eps: f64 = 1e-5,
        /// Whether there are a `weight` γ and a `bias` β, one of each per channel.
        affine: bool = false,
    }
}

impl InstanceNormSpec {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let mut spec = Self::new(single_input("instance_norm", inputs)?[0]);
        spec.eps = args.float_or("eps", spec.eps);
        spec.affine = args.bool_or("affine", spec.affine);
        Ok(spec.into())
    }
}

impl OpSpec for InstanceNormSpec {
    const NAME: &'static str = "InstanceNorm";
    const DEF: OpDef = OpDef {
        name: "instance_norm",
        doc: "normalisation of every channel by itself",
        params: &[
            Param::optional("eps", Kind::Float, "1e-5", "added to the variance"),
            Param::optional("affine", Kind::Bool, "false", "scale and shift each channel"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("instance_norm", inputs)?;
        check_eps(self.eps)?;
        if shape[0] != self.num_features {
            let message = format!("made for {} channels, given {}", self.num_features, shape[0]);
            return Err(Fault::new(&codes::SHAPE_MISMATCH, message));
        }
        if shape.elements() == shape[0] {
            let message = format!("`instance_norm` needs more than one element per channel, but the value is {shape}");
            return Err(Fault::new(&codes::BAD_RANK, message)
                .advice("with one element the mean is the element itself and nothing is left of it"));
        }
        Ok(shape.clone())
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let names: &[_] = if self.affine { &["weight", "bias"] } else { &[] };
        names.iter().map(|name| TensorSpec::new(name, &[self.num_features])).collect()
    }
}
