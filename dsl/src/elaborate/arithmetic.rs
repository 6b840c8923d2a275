//! Checked arithmetic, and the functions on numbers and lists.

use super::context::Context;
use super::value::Value;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Call, Operator};
use cnn_ir::Span;

type Operand = (Value, Span);

pub(super) fn calculate(
    operator: Operator,
    (left, left_span): Operand,
    (right, right_span): Operand,
    span: Span,
    cx: &mut Context<'_, '_>,
) -> Option<Value> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => integers(operator, a, b, right_span, span, cx),
        (Value::Int(a), Value::Float(b)) => floats(operator, a as f64, b, right_span, span, cx),
        (Value::Float(a), Value::Int(b)) => floats(operator, a, b as f64, right_span, span, cx),
        (Value::Float(a), Value::Float(b)) => floats(operator, a, b, right_span, span, cx),
        (Value::Int(_) | Value::Float(_), other) => cx.fail(not_a_number(&other, right_span)),
        (other, _) => cx.fail(not_a_number(&other, left_span)),
    }
}

pub(super) fn negate(value: Value, inner: Span, span: Span, cx: &mut Context<'_, '_>) -> Option<Value> {
    match value {
        Value::Int(value) => match value.checked_neg() {
            Some(value) => Some(Value::Int(value)),
            None => cx.fail(overflow(span, format!("-({value})"))),
        },
        Value::Float(value) => Some(Value::Float(-value)),
        value => cx.fail(not_a_number(&value, inner)),
    }
}

fn integers(operator: Operator, a: i64, b: i64, right: Span, span: Span, cx: &mut Context<'_, '_>) -> Option<Value> {
    if b == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
        return cx.fail(division_by_zero(right));
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
        None => cx.fail(overflow(span, format!("{a} {} {b}", operator.sign()))),
    }
}

fn floats(operator: Operator, a: f64, b: f64, right: Span, span: Span, cx: &mut Context<'_, '_>) -> Option<Value> {
    if b == 0.0 && matches!(operator, Operator::Divide | Operator::Remainder) {
        return cx.fail(division_by_zero(right));
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
    cx.fail(overflow(span, format!("{a:?} {} {b:?}", operator.sign())))
}

/// `min`, `max`, `ceil_div` and `len`.
pub(super) fn function(call: &Call<'_>, values: Vec<Value>, cx: &mut Context<'_, '_>) -> Option<Value> {
    let name = call.name.text;
    if let Some(named) = call.arguments.iter().find_map(|argument| argument.name) {
        let message = format!("the arguments of `{name}` have no names");
        return cx.fail(Diagnostic::error(&codes::UNKNOWN_ARGUMENT, message).at(named.span, "give the value only"));
    }
    let usage = match name {
        "len" => "len(list)",
        "ceil_div" => "ceil_div(a, b)",
        "min" => "min(a, b, …)",
        _ => "max(a, b, …)",
    };
    let spans: Vec<Span> = call.arguments.iter().map(|argument| argument.value.span).collect();
    let mut operands = values.into_iter().zip(spans);
    match (name, operands.next(), operands.next()) {
        ("len", Some((Value::List(items) | Value::Tuple(items), _)), None) => Some(Value::Int(items.len() as i64)),
        ("len", Some((other, span)), None) => {
            let message = format!("`len` counts a list, not {}", other.a_type());
            let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message);
            cx.fail(diagnostic.at(span, format!("expected a list, found {}", other.brief())))
        }
        ("ceil_div", Some(left), Some(right)) if operands.next().is_none() => ceil_div(left, right, call.span, cx),
        ("min" | "max", Some(first), Some(second)) => {
            let mut best = first;
            for next in [second].into_iter().chain(operands) {
                let is_less = smaller(&next, &best, cx)?;
                if is_less == (name == "min") {
                    best = next;
                }
            }
            Some(best.0)
        }
        _ => {
            let diagnostic = Diagnostic::error(&codes::BAD_ARGUMENT, format!("`{name}` is called as `{usage}`"));
            cx.fail(diagnostic.at(call.span, ""))
        }
    }
}

fn smaller((a, a_span): &Operand, (b, b_span): &Operand, cx: &mut Context<'_, '_>) -> Option<bool> {
    for (value, span) in [(a, a_span), (b, b_span)] {
        if !matches!(value, Value::Int(_) | Value::Float(_)) {
            return cx.fail(not_a_number(value, *span));
        }
    }
    a.compare(crate::syntax::Comparison::Less, b)
}

/// ⌈a/b⌉ of integers.
fn ceil_div(left: Operand, right: Operand, span: Span, cx: &mut Context<'_, '_>) -> Option<Value> {
    match (left, right) {
        ((Value::Int(a), _), (Value::Int(b), right)) => {
            let floor = integers(Operator::Divide, a, b, right, span, cx)?;
            match floor {
                Value::Int(floor) if a % b != 0 => Some(Value::Int(floor + 1)),
                exact => Some(exact),
            }
        }
        ((Value::Int(_), _), (other, span)) | ((other, span), _) => {
            let message = format!("`ceil_div` takes integers, not {}", other.a_type());
            let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message);
            cx.fail(diagnostic.at(span, format!("expected an int, found {}", other.brief())))
        }
    }
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
    let message = format!("arithmetic needs numbers, not {}", value.a_type());
    Diagnostic::error(&codes::TYPE_MISMATCH, message).at(span, format!("expected a number, found {}", value.brief()))
}
