//! A layer that the language declares and Rust implements.

use crate::window::single_input;
use crate::{Fault, Field, OpDef, OpSpec, Reach, Shape, codes};
use std::sync::Arc;

/// What `extern layer` names: a layer implemented in Rust.
///
/// The type's fields are the parameters of the declaration, by name: an `int` is any integer type, a `float` `f32` or
/// `f64`, a list a `Vec`. Emitted code makes it as `path::To::Type { factor: 2.0 }`.
///
/// ```
/// use cnn_ir::{Builder, NetworkBuilder, ops::{ExternLayer, ExternSpec}};
///
/// /// `extern layer scale(factor: float) -> in.shape = crate::Scale`
/// struct Scale { factor: f32 }
///
/// impl ExternLayer for Scale {
///     fn forward(&self, _shape: &[usize], input: &[f32], output: &mut [f32]) {
///         for (y, x) in output.iter_mut().zip(input) {
///             *y = self.factor * x;
///         }
///     }
/// }
///
/// # fn main() -> Result<(), cnn_ir::BuildError> {
/// let mut net = NetworkBuilder::new("Scaled");
/// let x = net.input("x", &[4])?;
/// let spec = ExternSpec::new("scale", &[("factor", "2.0")], [4], [4], Scale { factor: 2.0 });
/// net.layer("0", spec, &[&x])?;
/// # Ok(())
/// # }
/// ```
pub trait ExternLayer: Send + Sync {
    /// Computes one example: `input` is row-major and has this shape, `output` has the declared one and holds garbage.
    ///
    /// The result must depend on nothing else; training computes examples on several threads at once. A panic ends the run
    /// that called it.
    fn forward(&self, shape: &[usize], input: &[f32], output: &mut [f32]);

    /// What computes the layer's gradient, which training needs when something before the layer is trained. `Some(self)`
    /// where the type implements [`ExternGradient`]; by default there is none.
    fn gradient(&self) -> Option<&dyn ExternGradient> {
        None
    }
}

/// The gradient of an [`ExternLayer`]: how a loss depends on the layer's input.
///
/// ```
/// use cnn_ir::ops::{ExternGradient, ExternLayer};
///
/// /// y = x².
/// struct Square;
///
/// impl ExternLayer for Square {
///     fn forward(&self, _shape: &[usize], input: &[f32], output: &mut [f32]) {
///         output.iter_mut().zip(input).for_each(|(y, x)| *y = x * x);
///     }
///
///     fn gradient(&self) -> Option<&dyn ExternGradient> {
///         Some(self)
///     }
/// }
///
/// impl ExternGradient for Square {
///     fn backward(&self, _shape: &[usize], input: &[f32], output_gradient: &[f32], input_gradient: &mut [f32]) {
///         for ((dx, dy), x) in input_gradient.iter_mut().zip(output_gradient).zip(input) {
///             *dx = 2.0 * x * dy;
///         }
///     }
/// }
///
/// let mut gradient = [0.0];
/// Square.backward(&[1], &[3.0], &[0.5], &mut gradient);
/// assert_eq!(gradient, [3.0]);
/// ```
pub trait ExternGradient: Send + Sync {
    /// Computes the gradient of a loss with respect to one example's `input`, of this shape, from that with respect to its
    /// output: `input_gradient[i] = Σ output_gradient[j] · ∂output[j]/∂input[i]`. `input_gradient` holds garbage before.
    ///
    /// Examples are computed on several threads at once. A panic ends the step that called it.
    fn backward(&self, shape: &[usize], input: &[f32], output_gradient: &[f32], input_gradient: &mut [f32]);
}

/// A layer that `extern layer` declares: what is known of it without the Rust code that computes it.
#[derive(Clone)]
pub struct ExternSpec {
    /// The name in the language.
    pub name: String,
    /// The parameters' names and values as Rust writes them.
    pub arguments: Vec<(String, String)>,
    /// The input's shape for one example.
    pub input: Vec<usize>,
    /// The output's shape for one example.
    pub output: Vec<usize>,
    /// The path of the Rust type, where only the declaration is known.
    pub path: String,
    /// What computes it; `None` where only the declaration is known.
    pub layer: Option<Arc<dyn ExternLayer>>,
}

impl ExternSpec {
    /// A layer with what computes it.
    pub fn new(
        name: &str,
        arguments: &[(&str, &str)],
        input: impl Into<Vec<usize>>,
        output: impl Into<Vec<usize>>,
        layer: impl ExternLayer + 'static,
    ) -> Self {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let layer: Arc<dyn ExternLayer> = Arc::new(layer);
        let (input, output) = (input.into(), output.into());
        Self { name: name.to_owned(), arguments, input, output, path: String::new(), layer: Some(layer) }
    }

    /// The layer as a table shows it: `scale factor 2.0`.
    pub(crate) fn summary(&self) -> String {
        let arguments: Vec<String> = self.arguments.iter().map(|(name, value)| format!("{name} {value}")).collect();
        format!("{} {}", self.name, arguments.join(", ")).trim_end().to_owned()
    }
}

/// Two are the same layer when their declarations are.
impl PartialEq for ExternSpec {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, arguments, input, output, .. } = other;
        (&self.name, &self.arguments, &self.input, &self.output) == (name, arguments, input, output)
    }
}

impl std::fmt::Debug for ExternSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExternSpec {{ {}: {:?} -> {:?} }}", self.summary(), self.input, self.output)
    }
}

impl OpSpec for ExternSpec {
    const NAME: &'static str = "Extern";
    const DEF: OpDef = OpDef {
        name: "extern",
        doc: "a layer implemented in Rust",
        params: &[],
        from_call: |_, _| Err(Fault::new(&codes::BAD_ARGUMENT, "an extern layer is called by the name it declares")),
    };

    fn fields(&self) -> Vec<Field> {
        let field = |name, value: String, ty| Field { name, value, ty, required: true, default: false };
        vec![
            field("name", format!("{:?}", self.name), "String"),
            field("arguments", format!("{:?}", self.arguments), "Vec<(String, String)>"),
            field("input", format!("{:?}", self.input), "Vec<usize>"),
            field("output", format!("{:?}", self.output), "Vec<usize>"),
        ]
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let input = single_input(&self.name, inputs)?;
        if **input != *self.input {
            let made_for = Shape::new(&self.input)?;
            return Err(Fault::new(&codes::SHAPE_MISMATCH, format!("made for {made_for}, given {input}")));
        }
        Shape::new(&self.output)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::Whole
    }
}
