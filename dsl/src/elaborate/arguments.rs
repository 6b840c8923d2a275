//! Arguments of a call: their values, which parameter each belongs to, and what is wrong with them.

use super::context::Context;
use super::expr::Scope;
use super::recipe::Recipe;
use super::value::{Given, Layer, Target, Value};
use crate::diagnostic::Diagnostic;
use crate::syntax::{Argument, Call, Definition, ExprKind};
use crate::{codes, suggest};
use cnn_ir::{OpDef, Span};

/// A parameter, of an op or of a block.
#[derive(Debug)]
pub(super) struct Param<'p> {
    pub name: &'p str,
    pub required: bool,
    /// What is known of an op's parameter.
    op: Option<&'static cnn_ir::Param>,
}

/// What a call must fit.
#[derive(Debug)]
pub(super) struct Signature<'p> {
    pub name: &'p str,
    pub params: Vec<Param<'p>>,
}

impl<'p> Signature<'p> {
    pub fn of_op(def: &'static OpDef) -> Self {
        let params = def.params.iter();
        let params = params.map(|param| Param { name: param.name, required: param.default.is_none(), op: Some(param) });
        Self { name: def.name, params: params.collect() }
    }

    pub fn of_definition(definition: &'p Definition<'_>) -> Self {
        let params = definition.params.iter().map(|param| Param {
            name: param.name.text,
            required: param.default.is_none(),
            op: None,
        });
        Self { name: definition.name.text, params: params.collect() }
    }

    /// What the parameters are, in one line.
    fn describe(&self) -> String {
        let names = |required: bool| {
            let params = self.params.iter().filter(move |param| param.required == required);
            params.map(|param| param.name).collect::<Vec<_>>()
        };
        let (required, optional) = (names(true), names(false));
        match (required.is_empty(), optional.is_empty()) {
            (true, true) => format!("`{}` has no parameters", self.name),
            (false, true) => format!("its parameters are {}", required.join(", ")),
            (true, false) => format!("its parameters, all optional: {}", optional.join(", ")),
            (false, false) => format!("its parameters: {}; optional: {}", required.join(", "), optional.join(", ")),
        }
    }
}

/// A layer as a value.
pub(super) fn layer_value(target: Target, name: &str, bound: Vec<Given>) -> Value {
    Value::Layer(Box::new(Layer { target, name: name.to_owned(), bound }))
}

/// The values of a call's arguments, which follow those in `bound`; `def` is the op that is called, if it is one.
pub(super) fn evaluate(
    call: &Call<'_>,
    def: Option<&'static OpDef>,
    bound: &[Given],
    scope: &Scope<'_>,
    cx: &mut Context<'_, '_>,
) -> Vec<Given> {
    let mut position = bound.iter().filter(|given| given.name.is_none()).count();
    let mut givens = Vec::with_capacity(call.arguments.len());
    for argument in &call.arguments {
        let param = match argument.name {
            Some(name) => def.and_then(|def| def.params.iter().find(|param| param.name == name.text)),
            None => def.and_then(|def| def.params.get(position)),
        };
        position += usize::from(argument.name.is_none());
        givens.push(evaluate_one(argument, def.map(|_| param), scope, cx));
    }
    givens
}

/// The values of the arguments that are named.
pub(super) fn evaluate_named(
    call: &Call<'_>,
    def: &'static OpDef,
    scope: &Scope<'_>,
    cx: &mut Context<'_, '_>,
) -> Vec<Given> {
    let named = call.arguments.iter().filter_map(|argument| Some((argument, argument.name?)));
    let find = |name: &str| def.params.iter().find(|param| param.name == name);
    named.map(|(argument, name)| evaluate_one(argument, Some(find(name.text)), scope, cx)).collect()
}

/// The value of an argument; `param` is what it is for, if it is for an op, and if the op has it.
fn evaluate_one(
    argument: &Argument<'_>,
    param: Option<Option<&'static cnn_ir::Param>>,
    scope: &Scope<'_>,
    cx: &mut Context<'_, '_>,
) -> Given {
    let words = match param {
        Some(Some(param)) => param.kind.words(),
        // A word for a parameter that there is not is no error of its own.
        Some(None) => &["same", "same_tf", "valid"],
        None => &[],
    };
    let is_initialiser = match param {
        Some(Some(param)) => param.kind == cnn_ir::Kind::Initialiser,
        Some(None) => argument.name.is_some_and(|name| name.text == cnn_ir::Param::INIT.name),
        None => false,
    };
    let is_number = |kind: &ExprKind<'_>| matches!(kind, ExprKind::Int(_) | ExprKind::Float(_));
    let value = match is_initialiser {
        true => {
            let read = Recipe::Initialiser.read(std::slice::from_ref(&argument.value), scope, cx);
            read.map(|(text, _)| Value::Word(text))
        }
        false => scope.value(&argument.value, words, cx),
    };
    let calculated = match &argument.value.kind {
        ExprKind::Name(_) => !matches!(value, Some(Value::Word(_) | Value::Layer(_))),
        ExprKind::Tuple(items) => items.iter().any(|item| !is_number(&item.kind)),
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::List(_) => false,
        ExprKind::Negate(inner) => !is_number(&inner.kind),
        _ => true,
    };
    let name = argument.name.map(|name| (name.text.to_owned(), name.span));
    Given { name, value, span: argument.span, value_span: argument.value.span, calculated }
}

/// For each parameter, which of the arguments is its own. Reports all that is wrong, and is `None` if anything is or was
/// since there were `errors` errors.
pub(super) fn assign(
    signature: &Signature<'_>,
    givens: &[Given],
    call: &Call<'_>,
    errors: usize,
    cx: &mut Context<'_, '_>,
) -> Option<Vec<Option<usize>>> {
    let mut assigned: Vec<Option<usize>> = signature.params.iter().map(|_| None).collect();
    let mut positions = 0;
    let mut named: Option<Span> = None;
    for (index, given) in givens.iter().enumerate() {
        let position = match &given.name {
            None => {
                positions += 1;
                if let Some(before) = named {
                    let message = "a positional argument after a named one";
                    cx.report.push(
                        Diagnostic::error(&codes::SYNTAX, message)
                            .at(given.span, "name it, or move it to the front")
                            .see(before, "named"),
                    );
                    continue;
                }
                if positions > signature.params.len() {
                    if positions - 1 == signature.params.len() {
                        cx.report.push(too_many(call, signature, &givens[index..]));
                    }
                    continue;
                }
                positions - 1
            }
            Some((name, span)) => {
                // An argument bound to a layer may stand before positional ones of its call.
                named = Some(given.span).filter(|_| call.arguments.iter().any(|own| own.span == given.span)).or(named);
                match signature.params.iter().position(|param| param.name == name) {
                    Some(position) => position,
                    None => {
                        cx.report.push(unknown_argument(name, *span, signature));
                        continue;
                    }
                }
            }
        };
        match assigned[position] {
            None => assigned[position] = Some(index),
            Some(first) => {
                let message = format!("`{}` is given twice", signature.params[position].name);
                let diagnostic = Diagnostic::error(&codes::DUPLICATE_ARGUMENT, message)
                    .at(given.span, "given again")
                    .see(givens[first].span, "given first");
                cx.report.push(diagnostic);
            }
        }
    }
    let missing: Vec<&Param<'_>> = signature
        .params
        .iter()
        .zip(&assigned)
        .filter(|(param, assigned)| param.required && assigned.is_none())
        .map(|(param, _)| param)
        .collect();
    // With an unknown or misplaced argument, the missing one is likely the same.
    if !missing.is_empty() && cx.report.errors() == errors {
        cx.report.push(missing_arguments(call, signature, &missing));
    }
    (cx.report.errors() == errors).then_some(assigned)
}

fn too_many(call: &Call<'_>, signature: &Signature<'_>, extra: &[Given]) -> Diagnostic {
    let extra = extra.iter().filter(|given| given.name.is_none());
    let span = extra.map(|given| given.span).reduce(|first, last| Span { end: last.end, ..first });
    let name = signature.name;
    let message = match signature.params.len() {
        0 => format!("`{name}` takes no arguments"),
        1 => format!("`{name}` takes one argument"),
        count => format!("`{name}` takes at most {count} arguments"),
    };
    let diagnostic = Diagnostic::error(&codes::TOO_MANY_ARGUMENTS, message).at(span.unwrap_or(call.span), "too many");
    match call.parenthesis.filter(|_| signature.params.is_empty()) {
        Some(parenthesis) => diagnostic.edit("remove them", parenthesis, ""),
        None => diagnostic.note(signature.describe()),
    }
}

fn unknown_argument(name: &str, span: Span, signature: &Signature<'_>) -> Diagnostic {
    let message = format!("`{}` has no parameter `{name}`", signature.name);
    let diagnostic = Diagnostic::error(&codes::UNKNOWN_ARGUMENT, message).at(span, "unknown parameter");
    if matches!(name, "in_channels" | "in_features") {
        return diagnostic.help("leave it out: what comes in is known from the step before");
    }
    match suggest::nearest(name, signature.params.iter().map(|param| param.name)) {
        Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), span, meant),
        None => diagnostic.note(signature.describe()),
    }
}

fn missing_arguments(call: &Call<'_>, signature: &Signature<'_>, missing: &[&Param<'_>]) -> Diagnostic {
    let names: Vec<String> = missing.iter().map(|param| format!("`{}`", param.name)).collect();
    let message = format!("`{}` needs {}", signature.name, names.join(" and "));
    let mut diagnostic = Diagnostic::error(&codes::MISSING_ARGUMENT, message)
        .at(call.span, format!("{} {} missing", names.join(" and "), if names.len() == 1 { "is" } else { "are" }));
    for (name, param) in missing.iter().filter_map(|param| Some((param.name, param.op?))) {
        diagnostic = diagnostic.note(format!("`{name}`: {}; {}", param.doc, param.kind.expects()));
    }
    if missing.iter().any(|param| param.op.is_none()) { diagnostic.note(signature.describe()) } else { diagnostic }
}
