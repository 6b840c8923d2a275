//! An op's refusal, with its place and the change of the text that would mend it.

use super::expr::Scope;
use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{Argument, Call, Expr, ExprKind};
use cnn_ir::{Fault, Fix, OpDef, Span, Subject};

/// Says what a fault means for a call; `step` is the step with its label.
pub(super) fn describe(fault: Fault, call: &Call<'_>, def: &OpDef, step: Span, scope: &Scope<'_>) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(fault.code, fault.message);
    let argument = match fault.subject {
        Subject::Argument(name) => find(call, def, name),
        Subject::Call => None,
    };
    diagnostic = match argument {
        Some(argument) => diagnostic.at(argument.value.span, shown_value(&argument.value, def, scope)),
        None => diagnostic.at(call.span, ""),
    };
    for figure in fault.figures {
        diagnostic = diagnostic.note(figure);
    }
    match fault.fix {
        None => diagnostic,
        Some(Fix::Advice(advice)) => diagnostic.help(advice),
        Some(Fix::SetArgument { advice, name, value }) => {
            let (span, text) = set_argument(call, def, name, &value);
            diagnostic.edit(advice, span, text)
        }
        Some(Fix::InsertBefore { advice, step: inserted }) => {
            diagnostic.edit(advice, Span { end: step.start, ..step }, format!("{inserted} -> "))
        }
    }
}

/// The argument for a parameter, by name or position.
fn find<'a, 's>(call: &'a Call<'s>, def: &OpDef, name: &str) -> Option<&'a Argument<'s>> {
    let by_name = call.arguments.iter().find(|argument| argument.name.is_some_and(|given| given.text == name));
    by_name.or_else(|| {
        let position = def.params.iter().position(|param| param.name == name)?;
        call.arguments.get(position).filter(|argument| argument.name.is_none())
    })
}

/// What an expression amounts to, when it does not say so itself.
fn shown_value(expr: &Expr<'_>, def: &OpDef, scope: &Scope<'_>) -> String {
    let calculated = match &expr.kind {
        ExprKind::Name(name) => scope.bindings.contains_key(name),
        ExprKind::Chain(..) => true,
        ExprKind::Tuple(items) => items.iter().any(|item| matches!(item.kind, ExprKind::Name(_) | ExprKind::Chain(..))),
        _ => false,
    };
    let words = def.params.iter().flat_map(|param| param.kind.words()).copied().collect::<Vec<_>>();
    match scope.value(expr, &words, &mut Report::default()) {
        Some(value) if calculated => format!("this is {}", super::brief(&value)),
        _ => String::new(),
    }
}

/// The change that gives an argument a value: in its place, or added at the end.
fn set_argument(call: &Call<'_>, def: &OpDef, name: &str, value: &str) -> (Span, String) {
    if let Some(argument) = find(call, def, name) {
        return (argument.value.span, value.to_owned());
    }
    match (call.arguments.last(), call.parenthesis) {
        (Some(last), _) => (Span { start: last.span.end, ..last.span }, format!(", {name} = {value}")),
        (None, Some(parenthesis)) => (parenthesis, format!("({name} = {value})")),
        (None, None) => (Span { start: call.span.end, ..call.span }, format!("({name} = {value})")),
    }
}
