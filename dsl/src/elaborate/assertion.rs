//! `assert`: what must hold of the value at its place, or of the whole network.

use super::context::Context;
use super::expr::Scope;
use super::model::Elaborator;
use super::value::Value;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Expr, ExprKind};
use cnn_ir::{Network, Span};

/// Names of what is known of the whole network only at its end.
const BUDGETS: &[&str] = &["params", "macs"];

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
        let mut added = None;
        if names.contains(&"shape") && is_free(&"shape") {
            let shape = self.current.and_then(|flow| self.shape_of(flow));
            let sizes = shape.map(|shape| Value::List(shape.iter().map(|&size| Value::Int(size as i64)).collect()));
            added = Some(());
            self.frame().scope.bindings.insert("shape", sizes);
        }
        let last = self.frames.len() - 1;
        check(condition, &self.frames[last].scope, &mut self.cx);
        if added.is_some() {
            self.frame().scope.bindings.remove("shape");
        }
    }
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
    let cost = network.cost();
    for (name, figure) in [("params", cost.params), ("macs", cost.macs)] {
        let figure = Value::Int(i64::try_from(figure).unwrap_or(i64::MAX));
        scope.bindings.entry(name).or_insert(Some(figure));
    }
    let failed = budgets.iter().filter(|condition| !check(condition, &scope, cx));
    failed.count() == 0
}

/// Whether a condition holds; if not, it is reported with its figures.
fn check(condition: &Expr<'_>, scope: &Scope<'_>, cx: &mut Context<'_, '_>) -> bool {
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
    cx.report.push(diagnostic);
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
    let digits = number.unsigned_abs().to_string();
    let mut text = if *number < 0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
