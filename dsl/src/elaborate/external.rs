//! `extern layer`: a layer that Rust implements.

use super::expr::Scope;
use super::model::Elaborator;
use super::value::Value;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Definition, External, Step};
use cnn_ir::ops::ExternSpec;
use cnn_ir::{Builder, ValueId};

impl<'a, 's> Elaborator<'a, 's> {
    /// Applies an extern layer, its parameters bound in `scope`, to the current value.
    pub fn external(
        &mut self,
        definition: &'a Definition<'s>,
        external: &'a External<'s>,
        scope: &Scope<'s>,
        step: &Step<'s>,
        name: &str,
    ) -> Option<ValueId> {
        let mut arguments = Vec::with_capacity(definition.params.len());
        for param in &definition.params {
            let value = scope.bindings.get(param.name.text)?.as_ref()?;
            let Some(literal) = literal(value) else {
                let message = format!("`{}` is a layer, which an extern layer cannot take", param.name.text);
                let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message)
                    .at(param.span, "numbers, booleans, lists and tuples can be passed to Rust");
                return self.cx.fail(diagnostic);
            };
            arguments.push((param.name.text.to_owned(), literal));
        }
        let value = scope.value(&external.shape, &[], &mut self.cx)?;
        let output = self.sizes_of(&value, &external.shape)?;
        let flow = self.current?;
        let input = flow.value?;
        let shape = self.net.shape(input)?.clone();
        let spec = ExternSpec {
            name: definition.name.text.to_owned(),
            arguments,
            input: shape.to_vec(),
            output,
            path: external.path.text.to_owned(),
            layer: None,
        };
        self.net.set_place(step.span, step.label.is_some());
        match self.net.layer(name, spec, &[&input]) {
            Ok(value) => {
                self.note_named(&[flow]);
                Some(value)
            }
            Err(error) => {
                let mut diagnostic = Diagnostic::error(error.fault.code, error.fault.message);
                diagnostic = diagnostic.at(external.shape.span, format!("this is {value}")).see(step.span, "used here");
                for figure in error.fault.figures {
                    diagnostic = diagnostic.note(figure);
                }
                self.cx.fail(diagnostic)
            }
        }
    }
}

/// A value as Rust writes it; a layer cannot be written.
fn literal(value: &Value) -> Option<String> {
    let all = |items: &[Value]| Some(items.iter().map(literal).collect::<Option<Vec<_>>>()?.join(", "));
    Some(match value {
        Value::Int(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Bool(value) => value.to_string(),
        Value::Word(word) => format!("{word:?}"),
        Value::Tuple(items) => format!("({})", all(items)?),
        Value::List(items) => format!("vec![{}]", all(items)?),
        Value::Layer(_) => return None,
    })
}
