//! What is likely not meant: names without a use, steps that are never reached, shapes of another layout.
//!
//! These warnings look at the text alone, so that a setting from outside cannot make them wrong.

use super::context::{Blocks, Context};
use super::expr::{Scope, find_target};
use crate::codes;
use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{
    Action, Call, Definition, Expr, ExprKind, File, If, Label, Loop, Name, Pattern, Rounds, Statement, Step,
};
use cnn_ir::{OpDef, Span};
use std::collections::BTreeSet;

/// Warns of what has no use in a file without errors.
pub(super) fn warn_unused(file: &File<'_>, blocks: &Blocks<'_, '_>, report: &mut Report) {
    warn_definitions(file, blocks, report);
    for definition in file.models.iter().chain(&file.blocks) {
        let mut labels = Labels::default();
        for statement in &definition.body {
            visit(statement, &mut |statement| {
                warn_statement(statement, report);
                labels.see(statement, definition, blocks);
            });
        }
        labels.warn(report);
    }
}

/// Calls `see` with a statement and all within it.
fn visit<'t, 's>(statement: &'t Statement<'s>, see: &mut impl FnMut(&'t Statement<'s>)) {
    see(statement);
    statement.inner().into_iter().flatten().for_each(|inner| visit(inner, see));
}

fn warn_statement(statement: &Statement<'_>, report: &mut Report) {
    match statement {
        Statement::If(choice) => warn_unreachable_arms(choice, report),
        Statement::Loop(inner) => {
            warn_loop_without_rounds(inner, report);
            warn_variables(inner, statement, report);
        }
        _ => {}
    }
}

/// Warns of the arms of an `if` that are never taken whatever the parameters are.
fn warn_unreachable_arms(choice: &If<'_>, report: &mut Report) {
    for (index, (condition, body)) in choice.arms.iter().enumerate() {
        match constant(condition, |scope, cx| scope.boolean(condition, "`if`", cx)) {
            Some(false) if !body.is_empty() => {
                let message = "these steps are never reached";
                let diagnostic = Diagnostic::warning(&codes::UNREACHABLE, message).at(condition.span, "always false");
                report.push(diagnostic.help("remove them, or make the condition depend on a parameter"));
            }
            Some(true) => {
                let rest = choice.arms.get(index + 1);
                if rest.is_none() && choice.otherwise.is_empty() {
                    return;
                }
                let message = match rest {
                    Some(_) => "the conditions after this one are never looked at",
                    None => "the steps of `else` are never reached",
                };
                let diagnostic = Diagnostic::warning(&codes::UNREACHABLE, message).at(condition.span, "always true");
                report.push(diagnostic.help("remove them, or make the condition depend on a parameter"));
                return;
            }
            _ => {}
        }
    }
}

fn warn_loop_without_rounds(inner: &Loop<'_>, report: &mut Report) {
    let integer = |expr: &Expr<'_>| constant(expr, |scope, cx| scope.integer(expr, "a number of rounds", cx));
    let never_runs = match &inner.rounds {
        Rounds::Count(count) => integer(count) == Some(0),
        Rounds::Range(_, first, end) => integer(first).zip(integer(end)).is_some_and(|(first, end)| end <= first),
        Rounds::Items(_, list) => matches!(&list.kind, ExprKind::List(items) if items.is_empty()),
    };
    if never_runs && !inner.body.is_empty() {
        let diagnostic = Diagnostic::warning(&codes::UNREACHABLE, "these steps are never reached");
        report.push(diagnostic.at(inner.span, "the loop has no rounds"));
    }
}

/// The value of an expression that uses no names.
fn constant<T>(expr: &Expr<'_>, value: impl FnOnce(&Scope<'_>, &mut Context<'_, '_>) -> Option<T>) -> Option<T> {
    let mut is_constant = true;
    expr.each_name(&mut |_| is_constant = false);
    // What goes wrong was said when it was expanded; `in` is nothing here.
    let mut report = Report::default();
    value(&Scope::default(), &mut Context { blocks: &Blocks::none(), report: &mut report }).filter(|_| is_constant)
}

/// Warns of the variables of a loop that its body does not use.
fn warn_variables(inner: &Loop<'_>, statement: &Statement<'_>, report: &mut Report) {
    let (Rounds::Range(pattern, ..) | Rounds::Items(pattern, _)) = &inner.rounds else { return };
    let mut used = BTreeSet::new();
    statement.each_name(&mut |name| {
        used.insert(name.text);
    });
    let counts = matches!((&inner.rounds, pattern), (Rounds::Range(..), Pattern::Name(_)));
    pattern.each(&mut |name| {
        if used.contains(name.text) || name.text.starts_with('_') {
            return;
        }
        let message = format!("the variable `{}` is never used", name.text);
        let mut diagnostic = Diagnostic::warning(&codes::UNUSED_VARIABLE, message).at(name.span, "");
        if counts {
            diagnostic = diagnostic.note("`repeat n { … }` is a loop without a variable");
        }
        let fix = "if that is meant, let its name begin with `_`";
        report.push(diagnostic.edit(fix, name.span, format!("_{}", name.text)));
    });
}

/// The labels of a definition that are there to be used by name, and the names that are used.
///
/// The label of a layer, block, group or `share` also names its parameters, and its row in tables; that of a join, of
/// `identity` and of a value is for reference alone.
#[derive(Default)]
struct Labels<'t, 's> {
    given: Vec<&'t Label<'s>>,
    used: BTreeSet<&'s str>,
}

impl<'t, 's> Labels<'t, 's> {
    fn see(&mut self, statement: &'t Statement<'s>, definition: &Definition<'s>, blocks: &Blocks<'_, 's>) {
        if let Statement::Output { value: Some(value), .. } = statement {
            self.used.insert(value.text);
        }
        let Statement::Step(Step { label, action, .. }) = statement else { return };
        let is_reference = match action {
            Action::Call(call) => {
                self.see_call(call);
                let name = call.name.text;
                is_value(call, definition, blocks) || name == "identity" || OpDef::find(name).is_some_and(OpDef::joins)
            }
            Action::Join(call, _) => {
                self.see_call(call);
                true
            }
            Action::Share(shared) => {
                self.used.insert(shared.name.text);
                false
            }
            Action::Group(_) => false,
        };
        self.given.extend(label.as_ref().filter(|_| is_reference));
    }

    fn see_call(&mut self, call: &Call<'s>) {
        call.each_name(&mut |name| {
            self.used.insert(name.text);
        });
        for argument in &call.arguments {
            if let ExprKind::Indexed(name, _) = &argument.value.kind {
                self.used.insert(name.text);
            }
        }
    }

    fn warn(self, report: &mut Report) {
        for label in self.given.iter().filter(|label| !label.name.text.starts_with('_')) {
            let name = label.name.text;
            // `skip{i}` may be `skip2`, and the other way round.
            let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
            let is_indexed = |used: &&str| used.trim_end_matches(|c: char| c.is_ascii_digit()) == stem;
            if self.used.contains(name)
                || self.used.contains(stem)
                || label.index.is_some() && self.used.iter().any(is_indexed)
            {
                continue;
            }
            let message = format!("the label `{name}` is never used");
            report.push(Diagnostic::warning(&codes::UNUSED_LABEL, message).at(label.span, ""));
        }
    }
}

/// Whether a call is the name of a value.
fn is_value(call: &Call<'_>, definition: &Definition<'_>, blocks: &Blocks<'_, '_>) -> bool {
    let name = call.name.text;
    let cx = Context { blocks, report: &mut Report::default() };
    call.parenthesis.is_none()
        && find_target(name, call.span, &cx).is_none()
        && !definition.params.iter().any(|param| param.name.text == name)
}

/// Warns of an input that has its channels last, as TensorFlow has them: three sizes, of which the last could be no width.
pub(super) fn warn_channels_last(shape: &Expr<'_>, sizes: &[usize], report: &mut Report) {
    const SMALLEST_MAP: usize = 8;
    let &[height, width, channels] = sizes else { return };
    let is_map = height >= SMALLEST_MAP && width >= SMALLEST_MAP;
    // One column may be a sequence, unless the other two make a square picture.
    if !is_map || !(channels == 3 || channels == 1 && height == width) {
        return;
    }
    let columns = if channels == 1 { "column" } else { "columns" };
    let message = format!("this input has {height} channels, {width} rows and {channels} {columns}");
    let diagnostic =
        Diagnostic::warning(&codes::CHANNELS_LAST, message).at(shape.span, "").note("shapes are channels first");
    let advice = format!(
        "for pictures of {height}×{width} with {}, begin with the channels",
        match channels {
            1 => "one channel".to_owned(),
            _ => format!("{channels} channels"),
        }
    );
    let is_literal =
        matches!(&shape.kind, ExprKind::List(items) if items.iter().all(|item| matches!(item.kind, ExprKind::Int(_))));
    report.push(match is_literal {
        true => diagnostic.edit(advice, shape.span, format!("[{channels}, {height}, {width}]")),
        false => diagnostic.help(advice),
    });
}

/// The step that follows a call with one blank between: what should have been a label and its step.
pub(super) fn follows_closely(statements: &[Statement<'_>], call: Span) -> bool {
    let start = |statement: &Statement<'_>| match statement {
        Statement::Step(step) => Some(step.span.start),
        _ => None,
    };
    let is_here = |pair: &[Statement<'_>]| match pair {
        [Statement::Step(Step { label: None, action: Action::Call(first), .. }), next] => {
            first.span == call && start(next) == Some(call.end + 1)
        }
        _ => false,
    };
    statements.windows(2).any(is_here)
        || statements.iter().flat_map(Statement::inner).any(|inner| follows_closely(inner, call))
}

/// Warns of parameters that are never used, and of blocks that nothing calls.
fn warn_definitions(file: &File<'_>, blocks: &Blocks<'_, '_>, report: &mut Report) {
    let mut named = BTreeSet::new();
    for definition in file.models.iter().chain(&file.blocks) {
        let mut used = BTreeSet::new();
        let mut see = |name: Name<'_>| {
            used.insert(name.text.to_owned());
        };
        definition.body.iter().for_each(|statement| statement.each_name(&mut see));
        for param in &definition.params {
            param.default.iter().for_each(|default| default.each_name(&mut see));
        }
        definition.preset.iter().for_each(|preset| preset.each_name(&mut see));
        // Those of an extern layer go to Rust.
        let own = definition.params.iter().filter(|_| definition.external.is_none());
        for param in own.filter(|param| !used.contains(param.name.text)) {
            let message = format!("the parameter `{}` is never used", param.name.text);
            report.push(Diagnostic::warning(&codes::UNUSED_PARAMETER, message).at(param.name.span, ""));
        }
        used.remove(definition.name.text);
        named.extend(used);
    }
    // A file of blocks alone is there to be used by others.
    if file.models.is_empty() {
        return;
    }
    let unused = blocks.list.iter().filter(|block| {
        let Definition { head, name, .. } = block.definition;
        head.source == 0 && !named.contains(name.text)
    });
    for Definition { name, .. } in unused.map(|block| block.definition) {
        let message = format!("the block `{}` is never used", name.text);
        report.push(Diagnostic::warning(&codes::UNUSED_BLOCK, message).at(name.span, ""));
    }
}
