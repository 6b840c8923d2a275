//! Statements: steps and their names, groups, loops and conditions.
//!
//! How a step is named decides the names of parameters, which follow PyTorch's `state_dict`:
//!
//! - A model, a block instance and a group `{ … }` is a sequence of its own. In it a step has its label for a name, or its
//!   position, counted from 0 with labelled steps included, as in `nn.Sequential`.
//! - Loops, conditions and branches are no sequences: their steps count on in the sequence around them, as if they were
//!   written out one after the other. The join of branches is counted after all of their steps, as it is computed.
//! - `train_only { … }` is no sequence either: its steps count on, and after it the current value is the one before it.
//! - A label is known from its step to the end of the sequence it is in, and in the groups within that.

use super::check_name;
use super::context::{BLOCK, STEP};
use super::model::{Declared, Elaborator, Flow, Made, Sequence};
use crate::diagnostic::Diagnostic;
use crate::syntax::{Action, If, Label, Name, Statement, Step};
use crate::{codes, suggest};
use cnn_ir::{Block, Builder, Span};

/// The deepest nesting of blocks, groups, branches, loops and conditions, after expansion.
const MAX_DEPTH: usize = 128;

impl<'a, 's> Elaborator<'a, 's> {
    pub fn statements(&mut self, statements: &'a [Statement<'s>]) {
        for statement in statements {
            if self.is_stopped() {
                self.failed = true;
                return;
            }
            match statement {
                Statement::Input { name, shape, span } => self.input(*name, shape, *span),
                Statement::Output { name, value, span } => self.output(*name, *value, *span),
                Statement::Assert { condition, span } => self.assert(condition, *span),
                Statement::Step(step) => self.step(step),
                Statement::Loop(inner) => self.repeat(inner),
                Statement::If(inner) => self.choose(inner),
                Statement::TrainOnly { body, span } => self.train_only(body, *span),
                Statement::Train { settings, span } => self.train(settings, *span),
                Statement::Broken { name } => self.broken(*name),
            }
        }
    }

    /// Does something one level deeper, if there may be one.
    pub fn deeper(&mut self, span: Span, inner: impl FnOnce(&mut Self)) {
        if self.depth >= MAX_DEPTH {
            let message = format!("blocks, groups and loops nest more than {MAX_DEPTH} deep");
            self.cx.report.push(Diagnostic::error(&codes::TOO_DEEP, message).at(span, "one too many"));
            // Whatever else there is at this depth is likely many times more.
            self.given_up = true;
            self.poison(span);
            return;
        }
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }

    fn step(&mut self, step: &'a Step<'s>) {
        self.cx.spend(STEP, step.span);
        self.first_step = self.first_step.or(Some(step.span));
        let label = step.label.as_ref().map(|label| (label, self.label_name(label)));
        if let Some((label, _)) = &label {
            check_name(label.name, self.cx.report);
        }
        // A label whose index is unknown was reported; the step is still checked.
        let name = label.as_ref().and_then(|(_, name)| name.clone());
        let (from, members) = (self.current.and_then(|flow| flow.value), self.net.members().len());
        let place = match &step.action {
            Action::Call(call) if self.is_value(call, step) => {
                let flow = self.labelled(call.name.text, call.span);
                self.current = flow.or(Some(Flow::made(None, call.span)));
                return self.declare_label(label, self.current, None);
            }
            Action::Call(call) => {
                let name = name.unwrap_or_else(|| self.position());
                self.call(call, step, &name);
                call.span
            }
            Action::Group(body) => {
                let name = name.unwrap_or_else(|| self.position());
                self.group(body, step, &name);
                step.span
            }
            Action::Join(call, branches) => {
                self.join(call, branches, step, name);
                call.span
            }
            Action::Share(shared) => {
                let name = name.unwrap_or_else(|| self.position());
                self.share(shared, step, &name);
                shared.span
            }
        };
        self.frame_sequence().steps += 1;
        let made = self.current.map(|flow| Flow::made(flow.value, place));
        // What a group or block makes is what its last step makes.
        self.current = if matches!(step.action, Action::Group(_)) { self.current } else { made };
        self.failed |= made.is_none_or(|flow| flow.value.is_none());
        let to = self.current.and_then(|flow| flow.value);
        let level = self.level();
        let made = match self.net.members().get(members..) {
            Some([member]) => from.zip(to).map(|(from, to)| Made { member: *member, from, to, level }),
            _ => None,
        };
        self.declare_label(label, self.current, made);
    }

    /// `train_only { … }`: a side branch.
    fn train_only(&mut self, body: &'a [Statement<'s>], span: Span) {
        let before = self.current;
        self.train_only += 1;
        self.net.begin_train_only();
        self.deeper(span, |this| this.statements(body));
        self.net.end_train_only();
        self.train_only -= 1;
        self.current = before;
    }

    /// The value for a step that failed.
    pub fn poison(&mut self, place: Span) {
        self.failed = true;
        self.first_step = self.first_step.or(Some(place));
        self.current = Some(Flow::made(None, place));
    }

    fn group(&mut self, body: &'a [Statement<'s>], step: &'a Step<'s>, name: &str) {
        self.cx.spend(BLOCK, step.span);
        self.net.set_place(step.span, step.label.is_some());
        self.net.begin_block(name, Block::GROUP);
        self.frame().sequences.push(Sequence::default());
        if let Some(label) = &step.label {
            self.cx.report.enter(label.span, format!("in `{name}`"));
        }
        self.deeper(step.span, |this| this.statements(body));
        if step.label.is_some() {
            self.cx.report.leave();
        }
        self.frame().sequences.pop();
        self.net.end_block();
    }

    /// `if … { … } else { … }`
    fn choose(&mut self, choice: &'a If<'s>) {
        for (condition, body) in &choice.arms {
            let last = self.frames.len() - 1;
            match self.frames[last].scope.boolean(condition, "`if`", &mut self.cx) {
                Some(true) => return self.deeper(condition.span, |this| this.statements(body)),
                Some(false) => {}
                None => return self.try_all(choice),
            }
        }
        if let Some((condition, _)) = choice.arms.last() {
            self.deeper(condition.span, |this| this.statements(&choice.otherwise));
        }
    }

    /// Looks for errors in every arm of an `if` whose condition is unknown.
    fn try_all(&mut self, choice: &'a If<'s>) {
        let outer = std::mem::replace(&mut self.uncertain, true);
        let bodies = choice.arms.iter().map(|(_, body)| body).chain([&choice.otherwise]);
        let Some(place) = choice.arms.first().map(|(condition, _)| condition.span) else { return };
        for body in bodies {
            self.poison(place);
            self.deeper(place, |this| this.statements(body));
        }
        self.poison(place);
        self.uncertain = outer;
    }

    fn broken(&mut self, name: Option<Name<'s>>) {
        let place = name.map_or(self.frame().definition.head, |name| name.span);
        self.frame_sequence().steps += 1;
        self.poison(place);
        if let Some(name) = name {
            let declared = Declared { what: "label", span: name.span, flow: self.current, made: None };
            self.frame_sequence().names.entry(name.text.to_owned()).or_insert(declared);
        }
    }

    /// The sequence that steps are counted in.
    pub fn frame_sequence(&mut self) -> &mut Sequence {
        let frame = self.frame();
        let last = frame.sequences.len() - 1;
        &mut frame.sequences[last]
    }

    /// The next step's position, as a name.
    pub fn position(&mut self) -> String {
        self.frame_sequence().steps.to_string()
    }

    /// A label with its index.
    fn label_name(&mut self, label: &Label<'s>) -> Option<String> {
        match &label.index {
            None => Some(label.name.text.to_owned()),
            Some(index) => self.indexed_name(label.name, index),
        }
    }

    /// `layer{i + 1}` as `layer3`
    pub fn indexed_name(&mut self, name: Name<'s>, index: &crate::syntax::Expr<'s>) -> Option<String> {
        let last = self.frames.len() - 1;
        let value = self.frames[last].scope.integer(index, "the index of a label", &mut self.cx)?;
        if value < 0 {
            let message = format!("the index of a label is {value}");
            return self.cx.fail(Diagnostic::error(&codes::BAD_NAME, message).at(index.span, "it counts from 0"));
        }
        Some(format!("{}{value}", name.text))
    }

    fn declare_label(
        &mut self,
        label: Option<(&'a Label<'s>, Option<String>)>,
        flow: Option<Flow>,
        made: Option<Made>,
    ) {
        match label {
            Some((label, Some(name))) => {
                if self.declare(&name, label.span, "label", flow)
                    && let Some(declared) = self.frame_sequence().names.get_mut(&name)
                {
                    declared.made = made;
                }
            }
            // Any label of this name may be the one.
            Some((_, None)) => self.frame().scope.incomplete = true,
            None => {}
        }
    }

    /// Makes a name known; parameters, variables, inputs and labels share one list. Whether it was new.
    pub fn declare(&mut self, name: &str, span: Span, what: &'static str, flow: Option<Flow>) -> bool {
        let sequences = &self.frame().sequences;
        let in_sequence = sequences.last().and_then(|sequence| sequence.names.get(name));
        // A label may repeat one of a sequence around its own, but neither a parameter nor a variable.
        let mut around = sequences.iter().filter_map(|sequence| sequence.names.get(name));
        let Some(first) = in_sequence.or_else(|| around.find(|first| first.flow.is_none())).copied() else {
            self.frame_sequence().names.insert(name.to_owned(), Declared { what, span, flow, made: None });
            return true;
        };
        if self.uncertain {
            return false;
        }
        let message = format!("the name `{name}` is given twice");
        let diagnostic = Diagnostic::error(&codes::DUPLICATE_NAME, message);
        self.cx.report.push(match first.span == span {
            true => diagnostic
                .at(span, "given in every round of the loop")
                .help(format!("number it: `for i in 0..n {{ {name}{{i}}: … }}`")),
            false => diagnostic.at(span, format!("this {what}")).see(first.span, format!("and this {}", first.what)),
        });
        self.failed = true;
        false
    }

    /// What a label or input is known as, from the innermost sequence outwards.
    pub fn find_name(&self, name: &str) -> Option<Declared> {
        let frame = self.frames.last()?;
        frame.sequences.iter().rev().find_map(|sequence| sequence.names.get(name)).copied()
    }

    /// The value that a name stands for.
    pub fn labelled(&mut self, name: &str, span: Span) -> Option<Flow> {
        let known = self.find_name(name);
        if let Some((declared, flow)) = known.and_then(|declared| Some((declared, declared.flow?))) {
            let is_train_only = flow.value.is_some_and(|value| self.net.is_train_only(value));
            if is_train_only && self.train_only == 0 {
                let message = format!("`{name}` exists in training only");
                let diagnostic = Diagnostic::error(&codes::TRAIN_ONLY_VALUE, message)
                    .at(span, "used outside of `train_only`")
                    .see(declared.span, "made within `train_only`");
                return self.cx.fail(diagnostic);
            }
            return Some(Flow { named: Some(self.level()), ..flow });
        }
        let definition = self.frame().definition;
        if definition.broken_body || definition.lost_names || self.frame().scope.incomplete {
            return None;
        }
        let later = later_label(&definition.body, name);
        let frame = self.frame();
        let values = frame.sequences.iter().flat_map(|sequence| &sequence.names);
        let values: Vec<&str> =
            values.filter(|(_, declared)| declared.flow.is_some()).map(|(name, _)| name.as_str()).collect();
        let meant = suggest::nearest(name, values).map(str::to_owned);
        let diagnostic =
            Diagnostic::error(&codes::UNKNOWN_NAME, format!("no label or input named `{name}` is known here"));
        let diagnostic = diagnostic.at(span, "");
        self.cx.fail(match (known, later, meant) {
            (Some(other), _, _) => diagnostic.see(other.span, format!("this is a {}, not a value", other.what)),
            (_, Some((later, true)), _) => {
                diagnostic.see(later, "known only within its group").help("label the group, and use that")
            }
            (_, Some((later, false)), _) if later.start > span.start => diagnostic.see(later, "declared later"),
            (_, _, Some(meant)) => diagnostic.edit(format!("did you mean `{meant}`?"), span, meant),
            _ => diagnostic.help(format!("label the step that makes it: `{name}: …`")),
        })
    }

    /// Whether a call is no call but the name of a value: `skip -> conv(8, 3)`.
    fn is_value(&self, call: &crate::syntax::Call<'s>, _step: &Step<'s>) -> bool {
        let name = call.name.text;
        call.parenthesis.is_none()
            && super::expr::find_target(name, call.span, &self.cx).is_none()
            && self.find_name(name).is_some_and(|declared| declared.flow.is_some())
    }
}

/// Where a label is declared in the statements or within them, and whether that is in a group.
fn later_label(statements: &[Statement<'_>], name: &str) -> Option<(Span, bool)> {
    statements.iter().find_map(|statement| {
        if let Statement::Step(Step { label: Some(label), .. }) = statement
            && label.name.text == name
            && label.index.is_none()
        {
            return Some((label.span, false));
        }
        let is_group = matches!(statement, Statement::Step(Step { action: Action::Group(_), .. }));
        let inner = statement.inner().into_iter().find_map(|body| later_label(body, name));
        inner.map(|(span, in_group)| (span, in_group || is_group))
    })
}
