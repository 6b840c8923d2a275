//! `assert`: what must hold of the value at its place, or of the whole network.

use super::context::Context;
use super::expr::Scope;
use super::model::Elaborator;
use super::value::Value;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Expr, ExprKind};
use cnn_ir::{Memory, Network, ReceptiveField, Span};
use std::collections::BTreeMap;

/// Names of what is known of the whole network only at its end.
const BUDGETS: &[&str] = &["params", "macs", "memory"];

impl<'a, 's> Elaborator<'a, 's> {
    pub fn assert(&mut self, condition: &'a Expr<'s>, span: Span) {
        let names = names(condition);
        let is_free = |name: &&str| !self.frames.iter().any(|frame| frame.scope.bindings.contains_key(*name));
        if names.iter().any(|name| BUDGETS.contains(name) && is_free(name)) {
            if self.is_in_block() || self.depth > 0 {
                let message = "a budget belongs to the model as a whole";
                let diagnostic = Diagnostic::error(&codes::MISPLACED_ASSERT, message)
                    .at(span, "")
                    .help("write it in the model, outside of loops and groups");
                self.cx.report.push(diagnostic);
            } else {
                self.budgets.push(condition);
            }
            return;
        }
        let added: Vec<&'static str> =
            ["shape", "receptive_field"].into_iter().filter(|name| names.contains(name) && is_free(name)).collect();
        let mut notes = Vec::new();
        for name in &added {
            let value = if *name == "shape" { self.shape_value() } else { self.field_value(span, &mut notes) };
            self.frame().scope.bindings.insert(name, value);
        }
        let last = self.frames.len() - 1;
        let explain = |mut diagnostic: Diagnostic| {
            for note in notes {
                diagnostic = diagnostic.note(note);
            }
            diagnostic
        };
        check(condition, &self.frames[last].scope, &mut self.cx, explain);
        for name in added {
            self.frame().scope.bindings.remove(name);
        }
    }

    /// The sizes of the value at this place.
    fn shape_value(&self) -> Option<Value> {
        let shape = self.current.and_then(|flow| self.shape_of(flow))?;
        Some(Value::List(shape.iter().map(|&size| Value::Int(size as i64)).collect()))
    }

    /// The receptive field of the value at this place, along the axis where it is smallest.
    fn field_value(&mut self, span: Span, notes: &mut Vec<String>) -> Option<Value> {
        let field = self.net.receptive_field(self.current?.value?)?;
        let size = field.size();
        let Some(smallest) = size.iter().min() else {
            let diagnostic = Diagnostic::error(&codes::BAD_RANK, "there is no receptive field here")
                .at(span, "")
                .note("the model's input is a vector, which has no rows and columns");
            return self.cx.fail(diagnostic);
        };
        notes.extend(describe_field(field));
        Some(Value::Int(*smallest as i64))
    }
}

/// The field along each axis, and what would widen it.
fn describe_field(field: &ReceptiveField) -> Vec<String> {
    let (size, stride) = (field.size(), field.stride());
    let joined = |sizes: Vec<String>| sizes.join("×");
    let size = joined(size.iter().map(|&size| grouped(&Value::Int(size as i64))).collect());
    let mut notes = vec![format!("an element of this value depends on {size} of the input, padding included")];
    // An element that sees everything gains nothing from one more window.
    if let Some(&least) = stride.iter().min_by(|a, b| a.total_cmp(b)).filter(|_| !field.whole) {
        notes.push(format!(
            "neighbours are {least} apart in it, so a window of 3 would add 2 × {least} = {}",
            2.0 * least
        ));
    }
    notes
}

/// Whether the network keeps to its budgets.
pub(super) fn check_budgets<'s>(
    network: &Network,
    budgets: &[&Expr<'s>],
    mut scope: Scope<'s>,
    cx: &mut Context<'_, 's>,
) -> bool {
    if budgets.is_empty() {
        return true;
    }
    let (cost, memory) = (network.cost(), network.memory());
    for (name, figure) in [("params", cost.params), ("macs", cost.macs), ("memory", memory.total())] {
        let figure = Value::Int(i64::try_from(figure).unwrap_or(i64::MAX));
        scope.bindings.entry(name).or_insert(Some(figure));
    }
    let failed = budgets.iter().filter(|condition| {
        let names = names(condition);
        let explain = |diagnostic| explain_budgets(diagnostic, &names, network, memory);
        !check(condition, &scope, cx, explain)
    });
    failed.count() == 0
}

/// Says what the figures are made of.
fn explain_budgets(mut diagnostic: Diagnostic, names: &[&str], network: &Network, memory: Memory) -> Diagnostic {
    if names.contains(&"params") {
        diagnostic = see_most(diagnostic, network, "parameters", |layer| network.layer_cost(layer).params);
    }
    if names.contains(&"macs") {
        diagnostic = see_most(diagnostic, network, "multiply-accumulates", |layer| network.layer_cost(layer).macs);
    }
    if names.contains(&"memory") {
        let bytes = |bytes: u64| grouped(&Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX)));
        let (weights, peak) = (bytes(memory.weights), bytes(memory.peak));
        diagnostic = diagnostic.note(format!(
            "{weights} bytes of parameters and buffers + {peak} of values at once, of one example in f32"
        ));
        if let Some(layer) = memory.peak_layer {
            diagnostic = diagnostic
                .see(network.layers[layer].span, format!("while this runs, {peak} bytes of values are needed"));
        }
        // Where the weights are most of it, they are what can be changed.
        if memory.weights > memory.peak {
            diagnostic = see_most(diagnostic, network, "parameters", |layer| network.layer_cost(layer).params);
        }
    }
    diagnostic
}

/// Points at the call whose layers have the most of a figure.
fn see_most(diagnostic: Diagnostic, network: &Network, what: &str, figure: impl Fn(usize) -> u64) -> Diagnostic {
    let mut sums: BTreeMap<(u32, u32, u32), (Span, u64, usize)> = BTreeMap::new();
    let mut total = 0u64;
    for (index, layer) in network.layers.iter().enumerate().filter(|(_, layer)| !layer.train_only) {
        let Span { source, start, end } = layer.span;
        let (_, sum, layers) = sums.entry((source, start, end)).or_insert((layer.span, 0, 0));
        let own = figure(index);
        (*sum, total) = (sum.saturating_add(own), total.saturating_add(own));
        *layers += usize::from(own > 0);
    }
    let Some((span, most, layers)) =
        sums.into_values().max_by_key(|(span, most, _)| (*most, std::cmp::Reverse(span.start)))
    else {
        return diagnostic;
    };
    if most == 0 || diagnostic.labels.iter().any(|label| label.span == span) {
        return diagnostic;
    }
    let count = grouped(&Value::Int(i64::try_from(most).unwrap_or(i64::MAX)));
    let share = 100.0 * most as f64 / total as f64;
    let times = if layers > 1 { format!(" in {layers} layers") } else { String::new() };
    diagnostic.see(span, format!("{count} of the {what}{times}: {share:.0} %"))
}

/// Whether a condition holds; if not, it is reported with its figures, and with what else there is to say.
fn check(
    condition: &Expr<'_>,
    scope: &Scope<'_>,
    cx: &mut Context<'_, '_>,
    explain: impl FnOnce(Diagnostic) -> Diagnostic,
) -> bool {
    match scope.boolean(condition, "`assert`", cx) {
        Some(true) => return true,
        None => return false,
        Some(false) => {}
    }
    let mut diagnostic = Diagnostic::error(&codes::ASSERTION_FAILED, "the assertion does not hold");
    diagnostic = match &condition.kind {
        ExprKind::Compare(comparison, sides) => {
            let shown = |side: &Expr<'_>, cx: &mut Context<'_, '_>| {
                scope.value(side, &[], cx).map_or_else(String::new, |value| grouped(&value))
            };
            let figures = format!("{} {} {}", shown(&sides.0, cx), comparison.sign(), shown(&sides.1, cx));
            diagnostic.at(condition.span, format!("{figures} is false"))
        }
        _ => diagnostic.at(condition.span, "this is false"),
    };
    for name in names(condition) {
        if let Some(Some(value)) = scope.bindings.get(name) {
            diagnostic = diagnostic.note(format!("`{name}` is {}", grouped(value)));
        }
    }
    cx.report.push(explain(diagnostic));
    false
}

/// The names in a condition, each once.
fn names<'s>(condition: &Expr<'s>) -> Vec<&'s str> {
    let mut names = Vec::new();
    condition.each_name(&mut |name| {
        if !names.contains(&name.text) {
            names.push(name.text);
        }
    });
    names
}

/// A value, with large numbers in groups of three digits: `132 863 336`.
fn grouped(value: &Value) -> String {
    let Value::Int(number) = value else { return value.brief() };
    let sign = if *number < 0 { "-" } else { "" };
    format!("{sign}{}", cnn_ir::group_digits(number.unsigned_abs().into(), " "))
}
