//! Normalisation by running statistics.

use super::check_eps;
use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, TensorSpec, codes};

spec! {
    /// (x − μ) / √(σ² + ε) · γ + β for every channel, as `torch.nn.BatchNorm1d`, `2d` and `3d` at inference: μ and σ² are
    /// `running_mean` and `running_var` (Ioffe and Szegedy, "Batch Normalization", 2015).
    ///
    /// `[C, …]` → the same; a vector is one element per channel.
    BatchNormSpec {
        /// Channels.
        num_features: usize,
        ;
        /// ε, at least 0.
        eps: f64 = 1e-5,
        /// The share of each batch in the running statistics while training, from 0 to 1.
        momentum: f64 = 0.1,
        /// Whether there are a `weight` γ and a `bias` β.
        affine: bool = true,
    }
}

impl BatchNormSpec {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let mut spec = Self::new(single_input("batch_norm", inputs)?[0]);
        spec.eps = args.float_or("eps", spec.eps);
        spec.momentum = args.float_or("momentum", spec.momentum);
        spec.affine = args.bool_or("affine", spec.affine);
        Ok(spec.into())
    }
}

impl OpSpec for BatchNormSpec {
    const NAME: &'static str = "BatchNorm";
    const ALIASES: &'static [&'static str] = &["batchnormalization", "bn"];
    const DEF: OpDef = OpDef {
        name: "batch_norm",
        doc: "normalisation of each channel by running statistics",
        params: &[
            Param::optional("eps", Kind::Float, "1e-5", "added to the variance"),
            Param::optional("momentum", Kind::Float, "0.1", "the share of each batch in the statistics while training"),
            Param::optional("affine", Kind::Bool, "true", "scale and shift each channel"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("batch_norm", inputs)?;
        check_eps(self.eps)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            let message = format!("`momentum` is a share from 0 to 1, not {}", self.momentum);
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("momentum"));
        }
        if shape[0] != self.num_features {
            let message = format!("made for {} channels, given {}", self.num_features, shape[0]);
            return Err(Fault::new(&codes::SHAPE_MISMATCH, message));
        }
        Ok(shape.clone())
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let size = &[self.num_features];
        let mut tensors = Vec::new();
        if self.affine {
            tensors.extend([TensorSpec::new("weight", size), TensorSpec::new("bias", size)]);
        }
        tensors.extend([TensorSpec::buffer("running_mean", size), TensorSpec::buffer("running_var", size)]);
        tensors
    }
}
