//! The calls as text.

use crate::{BuildError, Builder, Fault, Op, Shape, codes};
use std::fmt::Write;

/// Writes the calls down, one per line: what the interpreter and generated code must agree on.
#[derive(Debug, Clone, Default)]
pub struct TraceBuilder {
    text: String,
    depth: usize,
    shapes: Vec<Shape>,
}

impl TraceBuilder {
    /// An empty trace.
    pub fn new() -> Self {
        Self::default()
    }

    /// The calls so far, one per line.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{:indent$}{text}", "", indent = 2 * self.depth);
    }

    fn value(&mut self, shape: Shape) -> usize {
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    fn add_layer(&mut self, name: &str, how: &str, op: Op, inputs: &[&usize]) -> Result<usize, BuildError> {
        let error = |fault| BuildError { path: name.to_owned(), fault };
        let shapes: Option<Vec<&Shape>> = inputs.iter().map(|&&value| self.shapes.get(value)).collect();
        let Some(shapes) = shapes else {
            return Err(error(Fault::new(&codes::SHAPE_MISMATCH, "an input is a value of another network")));
        };
        let shape = op.output_shape(&shapes).map_err(error)?;
        let inputs: Vec<String> = inputs.iter().map(|value| format!("%{value}")).collect();
        self.line(format_args!("%{} = {name}: {how}{op} ({}) -> {shape}", self.shapes.len(), inputs.join(", ")));
        Ok(self.value(shape))
    }
}

impl Builder for TraceBuilder {
    type Value = usize;

    fn input(&mut self, name: &str, shape: &[usize]) -> Result<usize, BuildError> {
        let shape = Shape::new(shape).map_err(|fault| BuildError { path: name.to_owned(), fault })?;
        self.line(format_args!("%{} = input {name}: {shape}", self.shapes.len()));
        Ok(self.value(shape))
    }

    fn layer(&mut self, name: &str, op: impl Into<Op>, inputs: &[&usize]) -> Result<usize, BuildError> {
        self.add_layer(name, "", op.into(), inputs)
    }

    fn share_layer(&mut self, name: &str, of: &str, op: impl Into<Op>, inputs: &[&usize]) -> Result<usize, BuildError> {
        self.add_layer(name, &format!("share {of}: "), op.into(), inputs)
    }

    fn begin_block(&mut self, name: &str, definition: &str) {
        self.line(format_args!("{name}: {definition} {{"));
        self.depth += 1;
    }

    fn begin_shared_block(&mut self, name: &str, of: &str, definition: &str) -> Result<(), BuildError> {
        self.line(format_args!("{name}: share {of}: {definition} {{"));
        self.depth += 1;
        Ok(())
    }

    fn begin_train_only(&mut self) {
        self.line(format_args!("train_only {{"));
        self.depth += 1;
    }

    fn end_train_only(&mut self) {
        self.end_block();
    }

    fn end_block(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.line(format_args!("}}"));
    }

    fn output(&mut self, name: &str, value: &usize) -> Result<(), BuildError> {
        self.line(format_args!("output {name} = %{value}"));
        Ok(())
    }
}
