//! Random steps: layers, blocks, groups, loops, conditions, branches, shared weights, what is for training only.

use super::{Definition, Generator, Parameter, Scope};
use cnn_ir::{OpDef, ops::OPS};

/// How often a step is tried before the identity takes its place.
const TRIES: usize = 12;
const FEW_ELEMENTS: usize = 24;
const MOST_DEPTH: usize = 3;
/// Labels that Rust has another use for.
const ODD_LABELS: &[&str] =
    &["type", "fn", "match", "net", "value", "loop", "b", "builder", "Ok", "vec", "Net", "Some", "self_"];

impl Generator {
    /// So many steps and the shape behind them.
    pub(super) fn body(&mut self, scope: &mut Scope, shape: &[usize], size: usize) -> (String, Vec<usize>) {
        let mut shape = shape.to_vec();
        let mut text = String::new();
        let mut was_simple = false;
        for _ in 0..size {
            let (step, is_simple, behind) = self.step(scope, &shape);
            if !text.is_empty() {
                text.push_str(self.separator(was_simple && is_simple));
            }
            text.push_str(&step);
            (shape, was_simple) = (behind, is_simple);
            if scope.is_root && self.rng.chance(12) {
                let output = self.name("y");
                text.push_str(&format!("\noutput {output}"));
                was_simple = false;
            }
            if scope.is_root && self.rng.chance(8) {
                text.push_str(&format!("\nassert shape == {shape:?} and shape.0 == {}", shape[0]));
                was_simple = false;
            }
        }
        (text, shape)
    }

    /// What stands between two steps.
    fn separator(&mut self, can_be_arrow: bool) -> &'static str {
        let lines = ["\n", "\n    ", "\n\n", " // and then\n", "\t\n  // a line\n", "\r\n"];
        match self.rng.below(10) {
            0..4 if can_be_arrow => " -> ",
            4 if can_be_arrow => "\n -> ",
            5 if can_be_arrow => "->",
            at => lines[at % lines.len()],
        }
    }

    /// A valid step, whether `->` may stand beside it, and the shape behind it.
    fn step(&mut self, scope: &mut Scope, shape: &[usize]) -> (String, bool, Vec<usize>) {
        for _ in 0..TRIES {
            let blocks = self.blocks.len();
            let (text, is_simple) = self.candidate(scope, shape);
            let mut behind = self.shape_behind(scope, shape, &text);
            if behind.as_ref().is_some_and(|behind| behind.iter().product::<usize>() < FEW_ELEMENTS) {
                // Few steps make much of little.
                behind = behind.filter(|behind| behind == shape || self.rng.chance(20));
            }
            let Some(behind) = behind else {
                self.blocks.truncate(blocks);
                continue;
            };
            if !is_simple || scope.is_loop || !self.rng.chance(30) {
                return (text, is_simple, behind);
            }
            let label = if self.rng.chance(30) { self.odd_label(scope) } else { self.name("l") };
            let labelled = format!("{label}: {text}");
            if self.shape_behind(scope, shape, &labelled).is_some() {
                scope.labels.push((label, behind.clone()));
                return (labelled, is_simple, behind);
            }
        }
        ("identity".to_owned(), true, shape.to_vec())
    }

    /// A label of Rust's, if this body has none yet; the names are used once in a sequence.
    fn odd_label(&mut self, scope: &Scope) -> String {
        let label = self.rng.pick(ODD_LABELS);
        if scope.labels.iter().any(|(taken, _)| taken == label) { self.name("type_") } else { label.to_owned() }
    }

    /// A step that may be valid, and whether `->` may stand beside it.
    fn candidate(&mut self, scope: &Scope, shape: &[usize]) -> (String, bool) {
        let layers = scope.named("layer");
        if !layers.is_empty() && self.rng.chance(15) {
            return (self.rng.pick(&layers).to_owned(), true);
        }
        let is_deep = scope.depth >= MOST_DEPTH;
        match self.rng.below(if is_deep { 62 } else { 100 }) {
            0..3 => (format!("flatten -> dense({})", self.int(scope, 1)), true),
            3..50 => (self.layer(scope, shape), true),
            50..56 => (self.join_labels(scope), true),
            56..58 if !scope.labels.is_empty() => (scope.labels[self.rng.below(scope.labels.len())].0.clone(), true),
            58..62 if !self.blocks.is_empty() => (self.call_again(scope), true),
            62..68 => (self.group(scope, shape), true),
            68..76 => (self.new_block(scope, shape), true),
            76..80 => (self.repeat(scope, shape), false),
            80..84 => (self.for_loop(scope, shape), false),
            84..88 => (self.condition_step(scope, shape), false),
            88..94 => (self.branches(scope, shape), true),
            94..97 if !scope.is_loop => (self.share(scope, shape), false),
            97..99 if !scope.is_loop => (self.train_only(scope, shape), false),
            99 if !scope.is_loop => (self.numbered(scope, shape), false),
            _ => (self.layer(scope, shape), true),
        }
    }

    fn layer(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let often =
            OpDef::find(self.rng.pick(&["conv", "conv", "conv_transpose", "dense"])).filter(|_| self.rng.chance(30));
        let def = often.unwrap_or(&OPS[self.rng.below(OPS.len())]);
        if def.joins() {
            return self.join_labels(scope);
        }
        // Ops that are seldom valid get another chance.
        let mut call = self.call(scope, shape, def);
        for _ in 0..4 {
            if self.shape_behind(scope, shape, &call).is_some() {
                break;
            }
            call = self.call(scope, shape, def);
        }
        call
    }

    /// `add(l1)`, `concat(l1, l2, dim = 2)`
    fn join_labels(&mut self, scope: &Scope) -> String {
        if scope.labels.is_empty() {
            return "identity".to_owned();
        }
        let mut names: Vec<String> =
            (0..self.rng.between(1, 2)).map(|_| scope.labels[self.rng.below(scope.labels.len())].0.clone()).collect();
        let join = self.rng.pick(&["add", "mul", "concat"]);
        if join == "concat" && self.rng.chance(30) {
            names.push(self.rng.pick(&["dim = 1", "dim = 2", "dim = -1"]).to_owned());
        }
        self.with_arguments(join, &names)
    }

    fn group(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let size = self.rng.between(1, 3);
        let mut inner = Scope { is_loop: false, ..scope.inner() };
        format!("{{ {}\n}}", self.body(&mut inner, shape, size).0)
    }

    /// Defines a block and calls it.
    fn new_block(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let parameters = self.parameters();
        let mut inner = Scope::new(parameters.clone(), shape, scope.depth + 1);
        let size = self.rng.between(1, 4);
        let (body, _) = self.body(&mut inner, shape, size);
        let name = self.name("block");
        let text = format!("/// Block {name}.\nblock {name}{} {{\n{body}\n}}\n", super::head(&parameters));
        let arguments: Vec<String> = parameters
            .iter()
            .filter(|parameter| !parameter.has_default)
            .map(|Parameter { value, .. }| value.clone())
            .collect();
        let call = self.with_arguments(&name, &arguments);
        self.blocks.push(Definition { name, parameters, text });
        call
    }

    /// Calls a block that is there, perhaps with other arguments.
    fn call_again(&mut self, scope: &Scope) -> String {
        let Definition { name, parameters, .. } = self.blocks[self.rng.below(self.blocks.len())].clone();
        let mut arguments = Vec::new();
        for parameter in parameters {
            if parameter.has_default && self.rng.chance(70) {
                continue;
            }
            let value = match parameter.kind {
                "int" => self.int(scope, 1),
                "bool" => self.condition(scope, 1),
                "float" => self.float(scope),
                "layer" => self
                    .rng
                    .pick(&["relu", "tanh", "elu(alpha = 0.5)", "conv(2, kernel = 1)", "max_pool(2, 1)"])
                    .to_owned(),
                _ => parameter.value.clone(),
            };
            arguments.push(format!("{} = {value}", parameter.name));
        }
        self.with_arguments(&name, &arguments)
    }

    fn repeat(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let size = self.rng.between(1, 3);
        let (body, _) = self.body(&mut scope.repeated(), shape, size);
        format!("repeat {} {{\n{body}\n}}", self.rng.pick(&["2", "3", "1 + 1"]))
    }

    fn for_loop(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let mut inner = scope.repeated();
        let lists = scope.named("[(int, int)]");
        let (variables, head) = match self.rng.below(3) {
            0 => {
                let first = self.rng.between(0, 2);
                let i = self.name("i");
                let head = format!("{i} in {first}..{}", first + self.rng.between(1, 3));
                (vec![(i, first.to_string())], head)
            }
            1 => {
                let i = self.name("i");
                let head = format!("{i} in [1, 2]");
                (vec![(i, "1".to_owned())], head)
            }
            _ => {
                let (a, b) = (self.name("i"), self.name("i"));
                let list = if lists.is_empty() { "[(2, 1), (4, 3)]" } else { self.rng.pick(&lists) };
                let head = format!("({a}, {b}) in {list}");
                (vec![(a, "2".to_owned()), (b, "1".to_owned())], head)
            }
        };
        let variable = |(name, value)| Parameter { name, kind: "int", value, has_default: true };
        inner.parameters.extend(variables.into_iter().map(variable));
        let size = self.rng.between(1, 3);
        let (body, _) = self.body(&mut inner, shape, size);
        format!("for {head} {{\n{body}\n}}")
    }

    fn condition_step(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let mut text = format!("if {} {{\n", self.condition(scope, 1));
        let size = self.rng.between(1, 2);
        text.push_str(&self.body(&mut scope.inner(), shape, size).0);
        match self.rng.below(3) {
            0 => text.push_str("\n}"),
            kind => {
                let other = if kind == 1 { String::new() } else { format!(" if {}", self.condition(scope, 1)) };
                let (body, _) = self.body(&mut scope.inner(), shape, 1);
                text.push_str(&format!("\n}} else{other} {{ {body}\n}}"));
            }
        }
        text
    }

    /// Branches whose shapes agree, but for the channels in a `concat`.
    fn branches(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let join = self.rng.pick(&["add", "mul", "concat"]);
        let mut text = format!("{join} {{");
        for _ in 0..self.rng.between(2, 3) {
            let mut branch = String::new();
            if !self.rng.chance(15) {
                for _ in 0..TRIES {
                    let blocks = self.blocks.len();
                    let size = self.rng.between(1, 2);
                    let (body, behind) = self.body(&mut scope.inner(), shape, size);
                    let is_gate = join == "mul" && shape.len() == 3 && behind == [shape[0], 1, 1];
                    if behind == shape
                        || is_gate
                        || (join == "concat" && behind[1..] == shape[1..] && behind.len() == shape.len())
                    {
                        branch = body;
                        break;
                    }
                    self.blocks.truncate(blocks);
                }
            }
            text.push_str(&format!("\n| {branch}"));
        }
        text.push_str("\n}");
        text
    }

    /// A step, and the same with its weights again.
    fn share(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let (kept, first, again) = (self.name("kept"), self.name("first"), self.name("again"));
        let step = match self.rng.below(3) {
            0 => self.layer(scope, shape),
            1 => self.group(scope, shape),
            _ => self.new_block(scope, shape),
        };
        let label = if self.rng.chance(50) { format!("{again}: ") } else { String::new() };
        let end = if self.rng.chance(50) { format!("\nadd({first})") } else { String::new() };
        let other = self.rng.pick(&["tanh", "relu", "identity"]);
        format!("{kept}: identity\n{first}: {step}\n{kept} -> {other} -> {label}share {first}{end}")
    }

    fn train_only(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let size = self.rng.between(1, 3);
        let mut inner = Scope { is_loop: false, ..scope.inner() };
        let (body, _) = self.body(&mut inner, shape, size);
        let output = if scope.is_root { format!("\noutput {}", self.name("aux")) } else { String::new() };
        format!("train_only {{ {body}{output}\n}}")
    }

    /// Labels with indexes, joined by them.
    fn numbered(&mut self, scope: &Scope, shape: &[usize]) -> String {
        let (i, label) = (self.name("i"), self.name("l"));
        let step = self.layer(&scope.repeated(), shape);
        let join = self.rng.pick(&["add", "concat"]);
        format!(
            "for {i} in 0..3 {{ {label}_{{{i}}}: {step} }}\nfor {i} in 0..2 {{ {join}({label}_{{1 - {i}}}) }}\n{join}({label}_0)"
        )
    }
}
