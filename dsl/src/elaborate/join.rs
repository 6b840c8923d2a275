//! Several values become one: `add { | … | … }` and `concat(name, …)`.

use super::arguments;
use super::model::{Elaborator, Flow};
use super::value::{Given, Target};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Branch, Call, ExprKind, Step};
use cnn_ir::{OpDef, ValueId};

impl<'a, 's> Elaborator<'a, 's> {
    /// Branches that begin with the current value; a branch without steps is the identity.
    pub fn join(&mut self, call: &'a Call<'s>, branches: &'a [Branch<'s>], step: &'a Step<'s>, name: Option<String>) {
        let errors = self.cx.report.errors();
        let start = self.current;
        let mut ends = Vec::new();
        for branch in branches {
            self.current = start;
            self.deeper(call.span, |this| this.statements(&branch.body));
            ends.extend(self.current);
        }
        // What goes wrong in a branch is no mistake of the join.
        let errors_before = self.cx.report.errors();
        let target = self.target(call);
        let Some((target, mut givens)) = target else { return self.poison(call.span) };
        let def = match target {
            Target::Op(def) if def.joins() => def,
            _ => {
                let message = format!("`{}` does not take branches", call.name.text);
                let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message)
                    .at(call.span, "")
                    .help("branches are joined by `add`, `concat` or `mul`");
                self.cx.report.push(diagnostic);
                return self.poison(call.span);
            }
        };
        if branches.len() < 2 {
            let message = format!("`{}` joins two branches or more", call.name.text);
            let diagnostic = Diagnostic::error(&codes::TOO_FEW_BRANCHES, message)
                .at(call.span, if branches.is_empty() { "has none" } else { "has one" })
                .help("each branch begins with `|`; one without steps is the value as it is");
            self.cx.report.push(diagnostic);
            return self.poison(call.span);
        }
        let last = self.frames.len() - 1;
        let own = arguments::evaluate(call, target.op(), &givens, &self.frames[last].scope, &mut self.cx);
        givens.extend(own);
        let name = name.unwrap_or_else(|| self.position());
        let value = self.apply(call, def, &givens, &ends, errors_before, step, &name);
        self.set_current(value, call.span);
        self.failed |= self.cx.report.errors() > errors;
    }

    /// The current value joined with values by their names.
    pub fn join_named(
        &mut self,
        call: &'a Call<'s>,
        def: &'static OpDef,
        bound: Vec<Given>,
        step: &'a Step<'s>,
        name: &str,
    ) -> Option<ValueId> {
        let errors = self.cx.report.errors();
        let mut inputs: Vec<Flow> = vec![self.current?];
        let mut unknown = false;
        for argument in call.arguments.iter().filter(|argument| argument.name.is_none()) {
            let flow = match &argument.value.kind {
                ExprKind::Name(label) => self.labelled(label, argument.value.span),
                ExprKind::Indexed(label, index) => {
                    let name = self.indexed_name(*label, index);
                    name.and_then(|name| self.labelled(&name, argument.value.span))
                }
                _ => {
                    let message = format!("`{}` takes names of values", call.name.text);
                    let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message)
                        .at(argument.value.span, "not a label")
                        .help("label the step that makes the value, and give its label");
                    self.cx.fail(diagnostic)
                }
            };
            unknown |= flow.is_none();
            // Named within the step, not before it.
            inputs.extend(flow.map(|flow| Flow { named: Some(self.level() + 1), ..flow }));
        }
        let mut givens = bound;
        let last = self.frames.len() - 1;
        let own = arguments::evaluate_named(call, def, &self.frames[last].scope, &mut self.cx);
        givens.extend(own);
        if unknown {
            return None;
        }
        self.apply(call, def, &givens, &inputs, errors, step, name)
    }
}
