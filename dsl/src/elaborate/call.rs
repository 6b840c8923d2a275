//! A call of a layer: finding the op, binding its arguments, and saying what is wrong with them.

use super::expr::Scope;
use super::fault::describe;
use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::Call;
use crate::{codes, suggest};
use cnn_ir::{Args, OpDef, Param, Span};
use std::collections::BTreeMap;

/// Names that other frameworks have for ops, as [`suggest::plain`] gives them.
const FOREIGN: &[(&str, &str)] =
    &[("linear", "dense"), ("fc", "dense"), ("fullyconnected", "dense"), ("adaptiveavgpool", "global_avg_pool")];

/// The op that a call names.
pub(super) fn find_op(call: &Call<'_>, report: &mut Report) -> Option<&'static OpDef> {
    let name = call.name.text;
    if let Some(def) = OpDef::find(name) {
        return Some(def);
    }
    let foreign = FOREIGN.iter().find(|(theirs, _)| suggest::plain(name) == *theirs);
    let names = cnn_ir::ops::OPS.iter().map(|def| def.name);
    let meant = foreign.map(|(_, ours)| *ours).or_else(|| suggest::nearest(name, names.clone()));
    let diagnostic = Diagnostic::error(&codes::UNKNOWN_LAYER, format!("there is no layer `{name}`"));
    report.push(match meant {
        Some(meant) => diagnostic.at(call.name.span, "unknown layer").edit(
            format!("did you mean `{meant}`?"),
            call.name.span,
            meant,
        ),
        None => {
            let known: Vec<&str> = names.collect();
            diagnostic.at(call.name.span, "unknown layer").note(format!("the layers are {}", known.join(", ")))
        }
    });
    None
}

/// Binds positional, then named arguments; reports all that is wrong, and is `None` if anything is.
pub(super) fn bind(call: &Call<'_>, def: &OpDef, scope: &Scope<'_>, report: &mut Report) -> Option<Args> {
    let errors = report.errors();
    // Whether a value is unknown for an error elsewhere.
    let mut unknown = false;
    let mut args = Args::new();
    let mut given: BTreeMap<&str, Span> = BTreeMap::new();
    let mut positions = 0;
    let mut named: Option<Span> = None;
    for argument in &call.arguments {
        let param = match argument.name {
            None => {
                positions += 1;
                if let Some(before) = named {
                    let message = "a positional argument after a named one";
                    report.push(
                        Diagnostic::error(&codes::SYNTAX, message)
                            .at(argument.span, "name it, or move it to the front")
                            .see(before, "named"),
                    );
                    continue;
                }
                match def.params.get(positions - 1) {
                    Some(param) => param,
                    None if positions - 1 == def.params.len() => {
                        report.push(too_many(call, def));
                        continue;
                    }
                    None => continue,
                }
            }
            Some(name) => {
                named = Some(argument.span);
                match def.params.iter().find(|param| param.name == name.text) {
                    Some(param) => param,
                    None => {
                        report.push(unknown_argument(name.text, name.span, def));
                        // Its value may be wrong as well.
                        scope.value(&argument.value, &["same", "same_tf", "valid"], report);
                        continue;
                    }
                }
            }
        };
        if let Some(&first) = given.get(param.name) {
            let diagnostic = Diagnostic::error(&codes::DUPLICATE_ARGUMENT, format!("`{}` is given twice", param.name))
                .at(argument.span, "given again")
                .see(first, "given first");
            report.push(diagnostic);
            continue;
        }
        given.insert(param.name, argument.span);
        match scope.value(&argument.value, param.kind.words(), report) {
            None => unknown = true,
            Some(value) => {
                if let Err(fault) = args.bind(param, value) {
                    report.push(describe(fault, call, def, call.span, scope));
                }
            }
        }
    }
    let missing: Vec<&Param> =
        def.params.iter().filter(|param| param.default.is_none() && !given.contains_key(param.name)).collect();
    // With an unknown or misplaced argument, the missing one is likely the same.
    if !missing.is_empty() && report.errors() == errors {
        report.push(missing_arguments(call, def, &missing));
    }
    (report.errors() == errors && !unknown).then_some(args)
}

fn too_many(call: &Call<'_>, def: &OpDef) -> Diagnostic {
    let extra = call.arguments.iter().filter(|argument| argument.name.is_none()).skip(def.params.len());
    let span = extra.map(|argument| argument.span).reduce(|first, last| Span { end: last.end, ..first });
    let message = match def.params.len() {
        0 => format!("`{}` takes no arguments", def.name),
        1 => format!("`{}` takes one argument", def.name),
        count => format!("`{}` takes at most {count} arguments", def.name),
    };
    let diagnostic = Diagnostic::error(&codes::TOO_MANY_ARGUMENTS, message).at(span.unwrap_or(call.span), "too many");
    match call.parenthesis.filter(|_| def.params.is_empty()) {
        Some(parenthesis) => diagnostic.edit("remove them", parenthesis, ""),
        None => diagnostic.note(signature(def)),
    }
}

fn unknown_argument(name: &str, span: Span, def: &OpDef) -> Diagnostic {
    let diagnostic = Diagnostic::error(&codes::UNKNOWN_ARGUMENT, format!("`{}` has no parameter `{name}`", def.name))
        .at(span, "unknown parameter");
    if matches!(name, "in_channels" | "in_features") {
        return diagnostic.help("leave it out: what comes in is known from the step before");
    }
    match suggest::nearest(name, def.params.iter().map(|param| param.name)) {
        Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), span, meant),
        None => diagnostic.note(signature(def)),
    }
}

fn missing_arguments(call: &Call<'_>, def: &OpDef, missing: &[&Param]) -> Diagnostic {
    let names: Vec<String> = missing.iter().map(|param| format!("`{}`", param.name)).collect();
    let message = format!("`{}` needs {}", def.name, names.join(" and "));
    let mut diagnostic = Diagnostic::error(&codes::MISSING_ARGUMENT, message)
        .at(call.span, format!("{} {} missing", names.join(" and "), if names.len() == 1 { "is" } else { "are" }));
    for param in missing {
        diagnostic = diagnostic.note(format!("`{}`: {}; {}", param.name, param.doc, param.kind.expects()));
    }
    diagnostic
}

/// `conv(channels, kernel)`, then what may be left out.
fn signature(def: &OpDef) -> String {
    let names = |optional: bool| {
        let params = def.params.iter().filter(move |param| param.default.is_some() == optional);
        params.map(|param| param.name).collect::<Vec<_>>()
    };
    let (required, optional) = (names(false), names(true));
    match (required.is_empty(), optional.is_empty()) {
        (true, true) => format!("`{}` has no parameters", def.name),
        (false, true) => format!("its parameters are {}", required.join(", ")),
        (true, false) => format!("its parameters, all optional: {}", optional.join(", ")),
        (false, false) => format!("its parameters: {}; optional: {}", required.join(", "), optional.join(", ")),
    }
}
