//! An op's refusal, with its place and the change of the text that would mend it.

use super::value::Given;
use crate::diagnostic::Diagnostic;
use crate::syntax::Call;
use cnn_ir::{Fault, Fix, OpDef, Span, Subject};

/// Says what a fault means for a call with these arguments; `step` is the step with its label.
pub(super) fn describe(fault: Fault, call: &Call<'_>, def: &OpDef, givens: &[Given], step: Span) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(fault.code, fault.message);
    let argument = match fault.subject {
        Subject::Argument(name) => find(givens, def, name),
        Subject::Call => None,
    };
    diagnostic = match argument {
        Some(given) => {
            let value = given.value.as_ref().filter(|_| given.calculated);
            let diagnostic = diagnostic
                .at(given.value_span, value.map_or_else(String::new, |value| format!("this is {}", value.brief())));
            if is_within(given.value_span, call.span) { diagnostic } else { diagnostic.see(call.span, "used here") }
        }
        None => diagnostic.at(call.span, ""),
    };
    for figure in fault.figures {
        diagnostic = diagnostic.note(figure);
    }
    match fault.fix.map(|fix| *fix) {
        None => diagnostic,
        Some(Fix::Advice(advice)) => diagnostic.help(advice),
        Some(Fix::SetArgument { advice, name, value }) => {
            let (span, text) = set_argument(call, def, givens, name, &value);
            diagnostic.edit(advice, span, text)
        }
        Some(Fix::InsertBefore { advice, step: inserted }) => {
            diagnostic.edit(advice, Span { end: step.start, ..step }, format!("{inserted} -> "))
        }
    }
}

fn is_within(inner: Span, outer: Span) -> bool {
    inner.source == outer.source && outer.start <= inner.start && inner.end <= outer.end
}

/// The argument for a parameter, by name or position.
fn find<'a>(givens: &'a [Given], def: &OpDef, name: &str) -> Option<&'a Given> {
    let by_name = givens.iter().find(|given| given.name.as_ref().is_some_and(|(given, _)| given == name));
    by_name.or_else(|| {
        let position = def.params.iter().position(|param| param.name == name)?;
        givens.iter().filter(|given| given.name.is_none()).nth(position)
    })
}

/// The change that gives an argument a value: in its place, or added at the end.
fn set_argument(call: &Call<'_>, def: &OpDef, givens: &[Given], name: &str, value: &str) -> (Span, String) {
    if let Some(given) = find(givens, def, name) {
        return (given.value_span, value.to_owned());
    }
    match (call.arguments.last(), call.parenthesis) {
        (Some(last), _) => (Span { start: last.span.end, ..last.span }, format!(", {name} = {value}")),
        (None, Some(parenthesis)) => (parenthesis, format!("({name} = {value})")),
        (None, None) => (Span { start: call.span.end, ..call.span }, format!("({name} = {value})")),
    }
}
