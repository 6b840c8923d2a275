//! Normalisation of whole examples.

use super::check_eps;
use crate::window::single_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, TensorSpec, codes};

/// (x − μ) / √(σ² + ε) · γ + β, with the mean μ and the biased variance σ² over the last axes of one example, as
/// `torch.nn.LayerNorm` (Ba et al., "Layer Normalization", 2016).
///
/// `[…]` → the same. In the language it normalises all axes of an example, or its last `axes`.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNormSpec {
    /// The sizes of the axes that are normalised together: the last ones of the input.
    pub normalized_shape: Vec<usize>,
    /// ε, at least 0.
    pub eps: f64,
    /// Whether there is a `weight` γ, one for each element of `normalized_shape`.
    pub elementwise_affine: bool,
    /// Whether there is a `bias` β too; not without a weight.
    pub bias: bool,
}

const EPS: f64 = 1e-5;

impl LayerNormSpec {
    /// The spec with PyTorch's defaults for all other fields.
    pub fn new(normalized_shape: impl Into<Vec<usize>>) -> Self {
        Self { normalized_shape: normalized_shape.into(), eps: EPS, elementwise_affine: true, bias: true }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let shape = single_input("layer_norm", inputs)?;
        let axes = args.size_or("axes", shape.len())?;
        let Some(first) = shape.len().checked_sub(axes) else {
            let message = format!("`axes` is {axes}, but the value has {}", shape.len());
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("axes").advice("leave it out to take all"));
        };
        let mut spec = Self::new(&shape[first..]);
        spec.eps = args.float_or("eps", spec.eps);
        spec.elementwise_affine = args.bool_or("affine", spec.elementwise_affine);
        spec.bias = args.bool_or("bias", spec.bias);
        Ok(spec.into())
    }
}

impl OpSpec for LayerNormSpec {
    const NAME: &'static str = "LayerNorm";
    const ALIASES: &'static [&'static str] = &["layernormalization"];
    const DEF: OpDef = OpDef {
        name: "layer_norm",
        doc: "normalisation of whole examples",
        params: &[
            Param::optional("axes", Kind::Size, "all", "how many of the last axes are normalised together"),
            Param::optional("eps", Kind::Float, "1e-5", "added to the variance"),
            Param::optional("affine", Kind::Bool, "true", "scale and shift each element"),
            Param::optional("bias", Kind::Bool, "true", "shift too, when `affine`"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        let optional = |name, value, ty, default| Field { name, value, ty, required: false, default };
        vec![
            Field {
                name: "normalized_shape",
                value: format!("{:?}", self.normalized_shape),
                ty: "Vec<usize>",
                required: true,
                default: false,
            },
            optional("eps", format!("{:?}", self.eps), "f64", self.eps == EPS),
            optional("elementwise_affine", self.elementwise_affine.to_string(), "bool", self.elementwise_affine),
            optional("bias", self.bias.to_string(), "bool", self.bias),
        ]
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("layer_norm", inputs)?;
        check_eps(self.eps)?;
        if self.normalized_shape.is_empty() || !shape.ends_with(&self.normalized_shape) {
            let message = format!("made for values that end in {:?}, given {shape}", self.normalized_shape);
            return Err(Fault::new(&codes::SHAPE_MISMATCH, message));
        }
        Ok(shape.clone())
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let names: &[_] = match (self.elementwise_affine, self.bias) {
            (false, _) => &[],
            (true, false) => &["weight"],
            (true, true) => &["weight", "bias"],
        };
        names.iter().map(|name| TensorSpec::new(name, &self.normalized_shape)).collect()
    }
}
