//! Random valid models, as text: a seed says which.
//!
//! A step is written by chance and kept if a small model around it compiles: the compiler is the one that knows the rules. So every op
//! of the list and every option takes part without a word here, and what is kept fits together.

mod arguments;
mod rng;
mod steps;

use cnn_dsl::{Settings, Sources, compile};
use rng::Rng;

/// What a value may have at most, so that the reference is quick.
const MOST_ELEMENTS: usize = 8 * 9 * 9;
/// What a step may become at most.
const MOST_LAYERS: usize = 40;

/// The text of a valid file, with a model `Net` or a preset of it, `Preset`, or both.
pub fn model(seed: u64) -> String {
    let mut generator = Generator { rng: Rng::new(seed), count: 0, blocks: Vec::new() };
    loop {
        let text = generator.file();
        // An output can still be an input as it came in.
        if !compile(&Sources::new("random.cnn", &text), &Settings::default()).has_errors() {
            return text;
        }
    }
}

struct Generator {
    rng: Rng,
    /// Names so far.
    count: usize,
    /// The blocks so far.
    blocks: Vec<Definition>,
}

/// A block.
#[derive(Clone)]
struct Definition {
    text: String,
    name: String,
    parameters: Vec<Parameter>,
}

/// A name, its type and its value.
#[derive(Clone)]
struct Parameter {
    name: String,
    kind: &'static str,
    value: String,
    has_default: bool,
}

/// What a step can name.
#[derive(Clone)]
struct Scope {
    /// Parameters, and variables of loops in their first round.
    parameters: Vec<Parameter>,
    /// The shape that `in` stands for.
    entry: Vec<usize>,
    labels: Vec<(String, Vec<usize>)>,
    depth: usize,
    /// Whether steps are repeated, so that labels need an index.
    is_loop: bool,
    /// Whether outputs can be declared.
    is_root: bool,
}

impl Scope {
    fn new(parameters: Vec<Parameter>, shape: &[usize], depth: usize) -> Self {
        Self { parameters, entry: shape.to_vec(), labels: Vec::new(), depth, is_loop: false, is_root: false }
    }

    /// The scope of a body within.
    fn inner(&self) -> Self {
        Self { depth: self.depth + 1, is_root: false, ..self.clone() }
    }

    /// The scope of a body that is repeated.
    fn repeated(&self) -> Self {
        Self { is_loop: true, ..self.inner() }
    }

    /// Parameters and variables of a type.
    fn named(&self, kind: &str) -> Vec<&str> {
        self.parameters
            .iter()
            .filter(|parameter| parameter.kind == kind)
            .map(|parameter| parameter.name.as_str())
            .collect()
    }
}

impl Generator {
    /// A new name.
    fn name(&mut self, start: &str) -> String {
        self.count += 1;
        format!("{start}{}", self.count)
    }

    /// Blocks and a model.
    fn file(&mut self) -> String {
        self.blocks.clear();
        let shapes: Vec<Vec<usize>> = (0..self.rng.between(1, 3)).map(|_| self.input_shape()).collect();
        let parameters = self.parameters();
        let mut scope = Scope { is_root: true, ..Scope::new(parameters.clone(), &shapes[0], 0) };
        let inputs: Vec<String> =
            shapes.iter().map(|shape| format!("input {}: {shape:?}", self.input(&mut scope, shape))).collect();
        let size = self.rng.between(3, 10);
        let (mut body, _) = self.body(&mut scope, &shapes[0], size);
        if self.rng.chance(50) {
            body.push_str("\noutput last");
        }
        let head = head(&parameters);
        let mut text = self.definitions();
        text.push_str(&format!("\n/// Random.\nmodel Net{head} {{\n{}\n{body}\n}}\n", inputs.join("\n")));
        if parameters.iter().any(|parameter| !parameter.has_default) || self.rng.chance(20) {
            let values: Vec<String> = parameters
                .iter()
                .filter(|parameter| !parameter.has_default || self.rng.chance(50))
                .map(|Parameter { name, value, .. }| format!("{name} = {value}"))
                .collect();
            let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
            text.push_str(&format!("model Preset = Net{values}\n"));
        }
        text
    }

    fn definitions(&self) -> String {
        self.blocks.iter().map(|block| block.text.as_str()).collect()
    }

    /// Declares an input.
    fn input(&mut self, scope: &mut Scope, shape: &[usize]) -> String {
        let name = self.name("x");
        scope.labels.push((name.clone(), shape.to_vec()));
        name
    }

    fn input_shape(&mut self) -> Vec<usize> {
        let channels = [1, 2, 3, 4, 6, 8][self.rng.below(6)];
        match self.rng.below(12) {
            0 => vec![self.rng.between(1, 32)],
            1 | 2 => vec![channels, self.rng.between(3, 24)],
            3 | 4 => vec![channels, self.rng.between(2, 4), self.rng.between(2, 5), self.rng.between(2, 5)],
            _ => vec![channels, self.rng.between(3, 9), self.rng.between(3, 9)],
        }
    }

    /// Parameters with values; those without defaults come first.
    fn parameters(&mut self) -> Vec<Parameter> {
        let required = self.rng.below(2);
        let count = self.rng.below(4).max(required);
        let parameters = (0..count).map(|i| {
            let (kind, value) = match self.rng.below(8) {
                0..3 => ("int", self.rng.between(1, 4).to_string()),
                3 => ("bool", self.rng.pick(&["true", "false"]).to_owned()),
                4 => ("float", self.rng.pick(&["0.5", "0.25", "1.5"]).to_owned()),
                5 => ("[(int, int)]", format!("[({}, 1), (2, {})]", self.rng.between(1, 4), self.rng.between(1, 3))),
                _ => (
                    "layer",
                    self.rng.pick(&["relu", "leaky_relu(0.5)", "conv(4, 1)", "silu", "batch_norm"]).to_owned(),
                ),
            };
            Parameter { name: self.name("p"), kind, value, has_default: i >= required }
        });
        parameters.collect()
    }

    /// The shape behind some steps, if they are valid and no value is large.
    fn shape_behind(&self, scope: &Scope, shape: &[usize], steps: &str) -> Option<Vec<usize>> {
        let mut text = self.definitions();
        let parameters = scope.parameters.iter().map(|parameter| Parameter { has_default: true, ..parameter.clone() });
        text.push_str(&format!("model Check{} {{\n", head(&parameters.collect::<Vec<_>>())));
        text.push_str(&format!("input in_: {:?} input now_: {shape:?}\n", scope.entry));
        for (label, shape) in &scope.labels {
            text.push_str(&format!("input {label}: {shape:?}\n"));
        }
        text.push_str(&format!("now_\n{steps}\nidentity\noutput end_\n}}"));
        let compilation = compile(&Sources::new("check.cnn", &text), &Settings::default());
        let network = compilation.models.first()?;
        let is_small = network.layers.len() <= MOST_LAYERS
            && network.layers.iter().all(|layer| layer.shape.elements() <= MOST_ELEMENTS);
        let end = network.outputs.iter().find(|output| output.name == "end_")?;
        is_small.then(|| network.shape(end.value).to_vec())
    }
}

/// `(p1: int, p2: layer = relu)`
fn head(parameters: &[Parameter]) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let parameters: Vec<String> = parameters
        .iter()
        .map(
            |Parameter { name, kind, value, has_default }| {
                if *has_default { format!("{name}: {kind} = {value}") } else { format!("{name}: {kind}") }
            },
        )
        .collect();
    format!("({})", parameters.join(", "))
}
