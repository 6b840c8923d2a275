//! `share name`: a step again, with its parameters.

use super::context::STEP;
use super::model::{Elaborator, Flow};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Label, Step};
use cnn_ir::Fix;

impl<'a, 's> Elaborator<'a, 's> {
    /// Applies the layer, block or group of a label again, to the current value.
    pub fn share(&mut self, shared: &'a Label<'s>, step: &'a Step<'s>, name: &str) {
        let label = match &shared.index {
            None => Some(shared.name.text.to_owned()),
            Some(index) => self.indexed_name(shared.name, index),
        };
        let known = label.and_then(|label| self.labelled(&label, shared.span).and(self.find_name(&label)));
        let (Some(declared), Some(flow @ Flow { value: Some(current), place, .. })) = (known, self.current) else {
            return self.poison(step.span);
        };
        let Some(made) = declared.made else {
            // What has no value failed, which was reported.
            if declared.flow.is_some_and(|flow| flow.value.is_some()) {
                let message = format!("`{}` is no layer, block or group that could be applied again", shared.name.text);
                let diagnostic = Diagnostic::error(&codes::NOT_SHARED, message)
                    .at(shared.span, "")
                    .see(declared.span, "declared here")
                    .help(format!("put its steps into a group, `{}: {{ … }}`, and share that", shared.name.text));
                self.cx.report.push(diagnostic);
            }
            return self.poison(step.span);
        };
        let layers = self.net.layers();
        self.net.set_place(step.span, step.label.is_some());
        // What was named within the step stays; what came into it from the step before is what comes now.
        let (named, mut again) = (&self.named_inputs, Vec::new());
        let stays = |layer: usize, input: usize| {
            let level = named.get(&(layer, input)).copied().filter(|level| *level > made.level);
            again.push((layer, input, level));
            level.is_some()
        };
        let result = self.net.share(name, made.member, (made.from, current), made.to, stays);
        self.cx.spend(STEP * (self.net.layers() - layers), step.span);
        let (deeper, mut layer) = (self.level(), layers);
        for (index, (old, input, level)) in again.iter().enumerate() {
            layer += usize::from(index > 0 && again[index - 1].0 != *old);
            let level = level.map(|level| level - made.level + deeper).or(flow.named);
            self.named_inputs.extend(level.map(|level| ((layer, *input), level)));
        }
        let error = match result {
            Ok(value) => return self.set_current(Some(value), step.span),
            Err(error) => error,
        };
        let fault = error.fault;
        let part = error.path.rsplit_once(&format!("{name}.")).map(|(_, part)| format!(" at its layer `{part}`"));
        let what = format!("`{}` cannot be applied again{}", shared.name.text, part.unwrap_or_default());
        let mut diagnostic = Diagnostic::error(fault.code, format!("{what}: {}", fault.message));
        diagnostic = diagnostic.at(step.span, "applied again here").see(declared.span, "what is applied again");
        if let Some(shape) = self.net.shape(current).cloned() {
            diagnostic = diagnostic.see(place, format!("makes {shape}"));
        }
        for figure in fault.figures {
            diagnostic = diagnostic.note(figure);
        }
        if let Some(Fix::Advice(advice)) = fault.fix.map(|fix| *fix) {
            diagnostic = diagnostic.help(advice);
        }
        let first = self.net.shape(made.from).map(ToString::to_string).unwrap_or_default();
        let note = format!("it has the parameters of the first time, when it was applied to {first}");
        self.cx.report.push(diagnostic.note(note));
        self.poison(step.span);
    }
}
