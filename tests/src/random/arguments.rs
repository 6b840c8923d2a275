//! Random expressions, and arguments by the kinds that the ops declare.

use super::{Generator, Scope};
use cnn_ir::{Kind, OpDef, Param};

impl Generator {
    /// A whole number of at least 0, mostly small.
    pub(super) fn int(&mut self, scope: &Scope, depth: usize) -> String {
        let known = scope.named("int");
        match self.rng.below(if depth == 0 { 14 } else { 20 }) {
            0..6 => self.rng.between(1, 3).to_string(),
            6..9 => self.rng.between(1, 8).to_string(),
            9..13 if !known.is_empty() => self.pick_name(&known),
            9..13 => self.rng.pick(&["1", "2", "4"]).to_owned(),
            13 => self.rng.pick(&["in.channels", "in.channels / 2", "in.shape.0", "2 * in.channels"]).to_owned(),
            14 => format!("{} {} {}", self.int(scope, 0), self.rng.pick(&["+", "*", "/", "%"]), self.int(scope, 0)),
            15 => format!("({} + {}) / 2", self.int(scope, 0), self.int(scope, 0)),
            16 => format!(
                "{}({}, {})",
                self.rng.pick(&["min", "max", "ceil_div"]),
                self.int(scope, 0),
                self.int(scope, 0)
            ),
            17 => match self.pick_list(scope) {
                Some(list) => format!("len({list})"),
                None => "len([1, 2])".to_owned(),
            },
            18 => match self.pick_list(scope) {
                Some(list) => format!("{list}.0.{}", self.rng.below(2)),
                None => "(1, 3).1".to_owned(),
            },
            _ => format!(
                "if {} {{ {} }} else {{ {} }}",
                self.condition(scope, 0),
                self.int(scope, 0),
                self.int(scope, 0)
            ),
        }
    }

    pub(super) fn condition(&mut self, scope: &Scope, depth: usize) -> String {
        let known = scope.named("bool");
        match self.rng.below(if depth == 0 { 5 } else { 8 }) {
            0 | 1 if !known.is_empty() => self.pick_name(&known),
            0..3 => {
                format!("{} {} {}", self.int(scope, 0), self.rng.pick(&["<", "<=", "==", "!="]), self.int(scope, 0))
            }
            3 => format!("in.channels {} {}", self.rng.pick(&[">", "!=", ">="]), self.int(scope, 0)),
            4 => self.rng.pick(&["true", "false"]).to_owned(),
            5 => format!("not {}", self.condition(scope, 0)),
            _ => format!("{} {} {}", self.condition(scope, 0), self.rng.pick(&["and", "or"]), self.condition(scope, 0)),
        }
    }

    /// Away from what makes a network ill-conditioned: nothing near 0, nothing large.
    pub(super) fn float(&mut self, scope: &Scope) -> String {
        let known = scope.named("float");
        match self.rng.below(8) {
            0 | 1 if !known.is_empty() => self.pick_name(&known),
            0 => format!("{} / 4.0", self.rng.between(1, 6)),
            1 => "1".to_owned(),
            _ => self.rng.pick(&["0.5", "0.25", "0.75", "1.5", "1.0", "2e-1", "0.875"]).to_owned(),
        }
    }

    fn pick_name(&mut self, names: &[&str]) -> String {
        self.rng.pick(names).to_owned()
    }

    /// A parameter of type `[(int, int)]`.
    fn pick_list(&mut self, scope: &Scope) -> Option<String> {
        let known = scope.named("[(int, int)]");
        if known.is_empty() { None } else { Some(self.pick_name(&known)) }
    }

    /// A call of an op with arguments that may be valid.
    pub(super) fn call(&mut self, scope: &Scope, shape: &[usize], def: &OpDef) -> String {
        let mut arguments = Vec::new();
        let mut is_by_position = true;
        for param in def.params {
            // What has no value of its own is there for another argument's sake: the size of an output, say.
            // With the default eps, norms of almost nothing make much of rounding errors.
            let percent = match param.default {
                Some("none") => 50,
                Some(_) if param.name != "eps" => 25,
                _ => 100,
            };
            if !self.rng.chance(percent) {
                is_by_position = false;
                continue;
            }
            is_by_position &= self.rng.chance(80);
            let value = self.argument(scope, shape, param);
            arguments.push(if is_by_position { value } else { format!("{} = {value}", param.name) });
        }
        self.with_arguments(def.name, &arguments)
    }

    /// `name`, `name()`, `name(a, b)` or `name(a, b,)`.
    pub(super) fn with_arguments(&mut self, name: &str, arguments: &[String]) -> String {
        match (arguments.is_empty(), self.rng.below(6)) {
            (true, 0) => format!("{name}()"),
            (true, _) => name.to_owned(),
            (false, 0) => format!("{name}({},)", arguments.join(",")),
            (false, _) => format!("{name}({})", arguments.join(", ")),
        }
    }

    fn argument(&mut self, scope: &Scope, shape: &[usize], param: &Param) -> String {
        let axes = shape.len() - 1;
        match param.kind {
            Kind::Size | Kind::Int if matches!(param.name, "groups" | "num_parameters") && self.rng.chance(50) => {
                shape[0].to_string()
            }
            Kind::Size => self.int(scope, 1),
            Kind::Int if self.rng.chance(40) => format!("-{}", self.int(scope, 0)),
            Kind::Int => self.int(scope, 1),
            Kind::Float => self.float(scope),
            Kind::Bool => self.condition(scope, 0),
            Kind::Axes => self.per_axis(axes, |own| own.int(scope, 1)),
            Kind::AxesOrNone => {
                self.per_axis(axes, |own| if own.rng.chance(25) { "none".to_owned() } else { own.int(scope, 0) })
            }
            Kind::Padding if self.rng.chance(40) => self.rng.pick(&["same", "same", "same_tf", "valid"]).to_owned(),
            Kind::Padding | Kind::Sides => {
                let sides = if self.rng.chance(50) { axes } else { 2 * axes };
                self.per_axis(sides, |own| own.rng.below(3).to_string())
            }
            Kind::Scale if param.name == "output_ratio" => self.rng.pick(&["0.5", "0.75", "(0.5, 0.625)"]).to_owned(),
            Kind::Scale => self.per_axis(axes, |own| own.rng.pick(&["1", "2", "1.5", "0.5"]).to_owned()),
            Kind::Sizes => self.factors(shape),
            Kind::Word(words) => self.rng.pick(words).to_owned(),
            Kind::Initialiser => {
                self.rng.pick(&["pytorch", "constant(0)", "kaiming_normal(mode = fan_out)"]).to_owned()
            }
        }
    }

    /// One for all axes, or one for each.
    fn per_axis(&mut self, axes: usize, mut size: impl FnMut(&mut Self) -> String) -> String {
        if axes < 2 || self.rng.chance(60) {
            return size(self);
        }
        let sizes: Vec<String> = (0..axes).map(|_| size(self)).collect();
        format!("({})", sizes.join(", "))
    }

    /// Another shape of the same elements, one size perhaps as -1.
    fn factors(&mut self, shape: &[usize]) -> String {
        let mut rest: usize = shape.iter().product();
        let mut sizes = Vec::new();
        for _ in 0..self.rng.between(1, 3) {
            let divisors: Vec<usize> = (1..=rest.min(9)).filter(|size| rest.is_multiple_of(*size)).collect();
            let size = divisors[self.rng.below(divisors.len())];
            sizes.push(size.to_string());
            rest /= size;
        }
        let at = self.rng.below(sizes.len() + 1);
        sizes.insert(at, if self.rng.chance(30) { "-1".to_owned() } else { rest.to_string() });
        format!("[{}]", sizes.join(", "))
    }
}
