//! Values of expressions, with checked arithmetic.

use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{Expr, ExprKind, Operator};
use crate::{codes, suggest};
use cnn_ir::{Span, Value};
use std::cell::Cell;
use std::collections::BTreeMap;

/// The names an expression may use.
#[derive(Debug, Default)]
pub(super) struct Scope<'s> {
    pub bindings: BTreeMap<&'s str, Binding>,
    /// Some names could not be read, so an unknown one may be none of the author's fault.
    pub incomplete: bool,
}

/// A name's value.
#[derive(Debug)]
pub(super) struct Binding {
    /// `None` after an error that was reported.
    pub value: Option<Value>,
    pub used: Cell<bool>,
}

impl Scope<'_> {
    /// The value of an expression; `None` after an error that was reported. A bare word of `words` stands for itself.
    pub fn value(&self, expr: &Expr<'_>, words: &[&str], report: &mut Report) -> Option<Value> {
        match &expr.kind {
            ExprKind::Int(value) => Some(Value::Int(*value)),
            ExprKind::Float(value) => Some(Value::Float(*value)),
            ExprKind::Bool(value) => Some(Value::Bool(*value)),
            ExprKind::Broken => None,
            ExprKind::Name(name) => self.name(name, expr.span, words, report),
            ExprKind::Tuple(items) => self.values(items, report).map(Value::Tuple),
            ExprKind::List(items) => self.values(items, report).map(Value::List),
            ExprKind::Negate(inner) => match self.value(inner, &[], report)? {
                Value::Int(value) => match value.checked_neg() {
                    Some(value) => Some(Value::Int(value)),
                    None => fail(report, overflow(expr.span, format!("-({value})"))),
                },
                Value::Float(value) => Some(Value::Float(-value)),
                value => fail(report, not_a_number(&value, inner.span)),
            },
            ExprKind::Chain(first, rest) => {
                let mut value = self.value(first, &[], report);
                let mut span = first.span;
                for (operator, operand) in rest {
                    let right = self.value(operand, &[], report);
                    let place = Span { end: operand.span.end, ..span };
                    value = match (value, right) {
                        (Some(left), Some(right)) => {
                            calculate(*operator, (left, span), (right, operand.span), place, report)
                        }
                        _ => None,
                    };
                    span = place;
                }
                value
            }
        }
    }

    /// All values, so that all errors are found.
    fn values(&self, items: &[Expr<'_>], report: &mut Report) -> Option<Vec<Value>> {
        let values: Vec<Option<Value>> = items.iter().map(|item| self.value(item, &[], report)).collect();
        values.into_iter().collect()
    }

    fn name(&self, name: &str, span: Span, words: &[&str], report: &mut Report) -> Option<Value> {
        if let Some(binding) = self.bindings.get(name) {
            binding.used.set(true);
            return binding.value.clone();
        }
        if words.contains(&name) {
            return Some(Value::Word(name.to_owned()));
        }
        if self.incomplete {
            return None;
        }
        let known = self.bindings.keys().copied();
        let mut diagnostic =
            Diagnostic::error(&codes::UNKNOWN_NAME, format!("nothing named `{name}` is known here")).at(span, "");
        if let Some(meant) = suggest::nearest(name, known.clone().chain(words.iter().copied())) {
            diagnostic = diagnostic.edit(format!("did you mean `{meant}`?"), span, meant);
        } else if !(self.bindings.is_empty() && words.is_empty()) {
            let names: Vec<String> =
                words.iter().copied().chain(known).take(20).map(|name| format!("`{name}`")).collect();
            diagnostic = diagnostic.note(format!("known here: {}", names.join(", ")));
        } else {
            diagnostic = diagnostic.note("the model has no parameters");
        }
        fail(report, diagnostic)
    }
}

type Operand = (Value, Span);

fn calculate(
    operator: Operator,
    (left, left_span): Operand,
    (right, right_span): Operand,
    span: Span,
    report: &mut Report,
) -> Option<Value> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => integers(operator, a, b, right_span, span, report),
        (Value::Int(a), Value::Float(b)) => floats(operator, a as f64, b, right_span, span, report),
        (Value::Float(a), Value::Int(b)) => floats(operator, a, b as f64, right_span, span, report),
        (Value::Float(a), Value::Float(b)) => floats(operator, a, b, right_span, span, report),
        (Value::Int(_) | Value::Float(_), other) => fail(report, not_a_number(&other, right_span)),
        (other, _) => fail(report, not_a_number(&other, left_span)),
    }
}

fn integers(operator: Operator, a: i64, b: i64, right: Span, span: Span, report: &mut Report) -> Option<Value> {
    if b == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
        return fail(report, division_by_zero(right));
    }
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        // Floor division and its remainder, as in Python: ⌊a/b⌋ and a − b⌊a/b⌋.
        Operator::Divide => a.checked_div(b).map(|quotient| quotient - i64::from(a % b != 0 && (a < 0) != (b < 0))),
        Operator::Remainder => {
            a.checked_rem(b).map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
    };
    match result {
        Some(value) => Some(Value::Int(value)),
        None => fail(report, overflow(span, format!("{a} {} {b}", sign(operator)))),
    }
}

fn floats(operator: Operator, a: f64, b: f64, right: Span, span: Span, report: &mut Report) -> Option<Value> {
    if b == 0.0 && matches!(operator, Operator::Divide | Operator::Remainder) {
        return fail(report, division_by_zero(right));
    }
    let value = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Remainder => a - b * (a / b).floor(),
    };
    if value.is_finite() {
        return Some(Value::Float(value));
    }
    fail(report, overflow(span, format!("{a:?} {} {b:?}", sign(operator))))
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Remainder => "%",
    }
}

fn fail<T>(report: &mut Report, diagnostic: Diagnostic) -> Option<T> {
    report.push(diagnostic);
    None
}

fn overflow(span: Span, figures: String) -> Diagnostic {
    Diagnostic::error(&codes::OVERFLOW, "the result is too large").at(span, figures).note(format!(
        "integers go from {} to {}, floats are finite",
        i64::MIN,
        i64::MAX
    ))
}

fn division_by_zero(right: Span) -> Diagnostic {
    Diagnostic::error(&codes::DIVISION_BY_ZERO, "division by zero").at(right, "this is 0")
}

fn not_a_number(value: &Value, span: Span) -> Diagnostic {
    let message = format!("arithmetic needs numbers, not a {}", value.type_name());
    Diagnostic::error(&codes::TYPE_MISMATCH, message)
        .at(span, format!("expected a number, found {}", crate::elaborate::brief(value)))
}
