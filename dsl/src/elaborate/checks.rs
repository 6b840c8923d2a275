//! What can be said of a file before, and after, its models are expanded: names, recursion and sizes.

use super::context::Blocks;
use super::expr::FUNCTIONS;
use crate::codes;
use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{Action, Definition, ExprKind, File, Loop, Name, Rounds, Statement, Step};
use cnn_ir::{NetworkBuilder, OpDef, Span};
use std::collections::{BTreeMap, BTreeSet};

/// Names of models must differ in more than case, since each becomes a type and a module; names of blocks must differ
/// from those of layers.
pub(super) fn check_names(file: &File<'_>, report: &mut Report) {
    let mut seen: BTreeMap<String, Name<'_>> = BTreeMap::new();
    for name in file.models.iter().map(|model| model.name) {
        if report.is_full() {
            return;
        }
        check_name(name, report);
        if is_reserved_model_name(name.text) {
            let message = format!("a model cannot be called `{}`", name.text);
            let diagnostic = Diagnostic::error(&codes::BAD_NAME, message)
                .at(name.span, "")
                .note("the Rust code that a model becomes uses this name itself");
            report.push(diagnostic);
        }
        match seen.get(&name.text.to_lowercase()) {
            Some(first) => {
                let message = if first.text == name.text {
                    format!("two models are named `{}`", name.text)
                } else {
                    format!("the models `{}` and `{}` differ only in case", first.text, name.text)
                };
                report.push(twice(message, name, *first));
            }
            None => {
                seen.insert(name.text.to_lowercase(), name);
            }
        }
    }
    let mut seen: BTreeMap<&str, Name<'_>> = BTreeMap::new();
    for name in file.blocks.iter().map(|block| block.name) {
        if report.is_full() {
            return;
        }
        check_name(name, report);
        if OpDef::find(name.text).is_some() || FUNCTIONS.contains(&name.text) {
            let message = format!("the block `{}` has the name of a built-in layer or function", name.text);
            report.push(Diagnostic::error(&codes::DUPLICATE_NAME, message).at(name.span, ""));
        }
        match seen.get(name.text) {
            Some(first) => report.push(twice(format!("two blocks are named `{}`", name.text), name, *first)),
            None => {
                seen.insert(name.text, name);
            }
        }
    }
}

fn twice(message: String, name: Name<'_>, first: Name<'_>) -> Diagnostic {
    Diagnostic::error(&codes::DUPLICATE_NAME, message).at(name.span, "again").see(first.span, "first here")
}

/// Whether generated code uses a name itself, so that no model can be called so.
///
/// ```
/// assert!(cnn_dsl::is_reserved_model_name("Tensor"));
/// assert!(!cnn_dsl::is_reserved_model_name("LeNet"));
/// ```
pub fn is_reserved_model_name(name: &str) -> bool {
    const IMPORTED: &[&str] =
        &["BuildError", "Builder", "CompileOptions", "Error", "Session", "Tensor", "TensorView", "Weights"];
    const OTHERS: &[&str] = &["Ok", "Outputs", "Result", "str", "u64", "usize"];
    IMPORTED.contains(&name) || OTHERS.contains(&name) || name.ends_with("Spec")
}

/// Generated code escapes keywords as `r#name`; these few it cannot.
pub(super) fn check_name(name: Name<'_>, report: &mut Report) {
    if matches!(name.text, "self" | "Self" | "super" | "crate" | "_") {
        let diagnostic = Diagnostic::error(&codes::BAD_NAME, format!("`{}` cannot be a name", name.text))
            .at(name.span, "")
            .note("names become names in Rust code, where this one has a meaning of its own");
        report.push(diagnostic);
    }
}

/// A block on the way of the search.
struct Visit<'s> {
    block: usize,
    /// The blocks it names, and how many of those have been gone into.
    uses: Vec<(usize, Name<'s>)>,
    next: usize,
    /// The first block of the way that it reaches again.
    reaches: usize,
}

/// Reports blocks that contain themselves, and counts the layers of the others, callees first.
pub(super) fn find_recursion(blocks: &mut Blocks<'_, '_>, report: &mut Report) {
    let mut done = vec![false; blocks.list.len()];
    let mut place_on_path = vec![None; blocks.list.len()];
    for start in 0..blocks.list.len() {
        let mut path: Vec<Visit<'_>> = Vec::new();
        let mut entering = (!done[start]).then_some(start);
        loop {
            if let Some(block) = entering.take() {
                place_on_path[block] = Some(path.len());
                let uses = uses(blocks.list[block].definition, blocks);
                path.push(Visit { block, uses, next: 0, reaches: usize::MAX });
            }
            let Some(visit) = path.last_mut() else { break };
            if let Some(&(used, _)) = visit.uses.get(visit.next) {
                visit.next += 1;
                if let Some(place) = place_on_path[used] {
                    visit.reaches = visit.reaches.min(place);
                    report_cycle(&path[place..], blocks, report);
                } else if !done[used] {
                    entering = Some(used);
                }
                continue;
            }
            let Visit { block, reaches, .. } = *visit;
            path.pop();
            (place_on_path[block], done[block]) = (None, true);
            let definition = blocks.list[block].definition;
            blocks.list[block].is_recursive = reaches <= path.len();
            blocks.list[block].least_layers = least_layers(&definition.body, definition, blocks);
            if let Some(caller) = path.last_mut() {
                caller.reaches = caller.reaches.min(reaches);
            }
        }
    }
}

/// The blocks that a definition names.
fn uses<'s>(definition: &Definition<'s>, blocks: &Blocks<'_, 's>) -> Vec<(usize, Name<'s>)> {
    let mut seen = BTreeSet::new();
    let mut uses = Vec::new();
    let params: BTreeSet<&str> = definition.params.iter().map(|param| param.name.text).collect();
    let mut see = |name: Name<'s>| {
        if let Some(used) = blocks.find(name.text, name.span.source).filter(|_| !params.contains(name.text))
            && seen.insert(used)
        {
            uses.push((used, name));
        }
    };
    definition.body.iter().for_each(|statement| statement.each_name(&mut see));
    definition.params.iter().filter_map(|param| param.default.as_ref()).for_each(|default| default.each_name(&mut see));
    uses
}

fn report_cycle(cycle: &[Visit<'_>], blocks: &Blocks<'_, '_>, report: &mut Report) {
    const LONGEST: usize = 8;
    if report.is_full() {
        return;
    }
    let name = |block: usize| blocks.list[block].definition.name;
    let Some(first) = cycle.first().map(|visit| name(visit.block)) else { return };
    let mut diagnostic = Diagnostic::error(&codes::RECURSION, format!("the block `{}` contains itself", first.text));
    diagnostic = diagnostic.at(first.span, "");
    // The name that was gone into last is the one before `next`.
    let calls = cycle.iter().filter_map(|visit| visit.uses.get(visit.next.checked_sub(1)?));
    for (_, call) in calls.take(LONGEST) {
        diagnostic = diagnostic.see(call.span, format!("calls `{}`", call.text));
    }
    let path: Vec<&str> = cycle.iter().map(|visit| name(visit.block).text).take(LONGEST).collect();
    let more = if cycle.len() > LONGEST { " → …" } else { "" };
    report.push(diagnostic.note(format!("{}{more} → {}", path.join(" → "), first.text)));
}

/// The fewest layers that statements expand to, as far as numbers are written out; no call counts as nothing.
fn least_layers(statements: &[Statement<'_>], definition: &Definition<'_>, blocks: &Blocks<'_, '_>) -> u64 {
    statements.iter().map(|statement| least(statement, definition, blocks)).fold(0, u64::saturating_add)
}

fn least(statement: &Statement<'_>, definition: &Definition<'_>, blocks: &Blocks<'_, '_>) -> u64 {
    let inner = || {
        let bodies = statement.inner().into_iter();
        bodies.map(|body| least_layers(body, definition, blocks)).fold(0, u64::saturating_add)
    };
    match statement {
        Statement::Step(Step { action: Action::Call(call), .. }) => {
            let is_param = definition.params.iter().any(|param| param.name.text == call.name.text);
            match blocks.find(call.name.text, call.span.source) {
                Some(block) if !is_param => blocks.list[block].least_layers.max(1),
                // Without parentheses it may be the name of a value.
                _ => u64::from(OpDef::find(call.name.text).is_some()),
            }
        }
        Statement::Step(Step { action: Action::Join(..), .. }) => inner().saturating_add(1),
        Statement::Step(Step { action: Action::Share(_), .. }) => 1,
        Statement::Step(_) | Statement::TrainOnly { .. } => inner(),
        Statement::Loop(Loop { rounds, .. }) => {
            written_rounds(rounds).map_or(0, |rounds| rounds.saturating_mul(inner()))
        }
        _ => 0,
    }
}

/// The number of rounds, if it is written out.
fn written_rounds(rounds: &Rounds<'_>) -> Option<u64> {
    match rounds {
        Rounds::Count(count) => match count.kind {
            ExprKind::Int(count) => u64::try_from(count).ok(),
            _ => None,
        },
        Rounds::Range(_, first, end) => match (&first.kind, &end.kind) {
            (ExprKind::Int(first), ExprKind::Int(end)) => u64::try_from(end.saturating_sub(*first)).ok(),
            _ => None,
        },
        Rounds::Items(_, list) => match &list.kind {
            ExprKind::List(items) => Some(items.len() as u64),
            _ => None,
        },
    }
}

/// Whether a definition would have too many layers; then that is reported, and it need not be expanded to know.
pub(super) fn is_too_large(definition: &Definition<'_>, blocks: &Blocks<'_, '_>, report: &mut Report) -> bool {
    const MOST: u64 = NetworkBuilder::MAX_LAYERS as u64;
    let total = least_layers(&definition.body, definition, blocks);
    if total <= MOST {
        return false;
    }
    // The innermost statement that is too large by itself, or the one that goes over.
    let mut place = definition.head;
    let mut bodies: Vec<&[Statement<'_>]> = vec![&definition.body];
    while let Some(body) = bodies.pop() {
        let mut sum = 0u64;
        for statement in body {
            let layers = least(statement, definition, blocks);
            sum = sum.saturating_add(layers);
            if sum > MOST {
                place = span(statement).unwrap_or(place);
                let inner = statement.inner().into_iter();
                bodies = inner.filter(|body| least_layers(body, definition, blocks) > MOST).take(1).collect();
                break;
            }
        }
    }
    let name = definition.name.text;
    let count = if total == u64::MAX { "18 446 744 073 709 551 615".into() } else { total.to_string() };
    let diagnostic = Diagnostic::error(&codes::TOO_LARGE, format!("`{name}` would have at least {count} layers"))
        .at(place, "too many")
        .note(format!("a network may have {MOST} layers"));
    report.push(diagnostic);
    true
}

fn span(statement: &Statement<'_>) -> Option<Span> {
    match statement {
        Statement::Step(step) => Some(step.span),
        Statement::Loop(inner) => Some(inner.span),
        _ => None,
    }
}
