//! The calls that make a network, and who takes them.

use crate::network::join;
use crate::{Block, BlockId, Fault, Input, Layer, Member, Network, Op, Output, Shape, Span, ValueId, codes};
use std::fmt::Write;

/// The calls that make a network. Generated code and [`Network::replay`] make the same ones.
pub trait Builder {
    /// A value: an input, or what a layer makes.
    type Value: Clone;

    /// Declares an input of this shape, without the batch.
    ///
    /// # Errors
    /// A shape that is none.
    fn input(&mut self, name: &str, shape: &[usize]) -> Result<Self::Value, BuildError>;

    /// Applies an op to values; `name` is the label or position within the current block.
    ///
    /// # Errors
    /// Inputs the op cannot take.
    fn layer(&mut self, name: &str, op: impl Into<Op>, inputs: &[&Self::Value]) -> Result<Self::Value, BuildError>;

    /// Enters an instance of a block.
    fn begin_block(&mut self, name: &str, definition: &str);

    /// Leaves the current block instance.
    fn end_block(&mut self);

    /// Declares an output.
    ///
    /// # Errors
    /// A name already taken.
    fn output(&mut self, name: &str, value: &Self::Value) -> Result<(), BuildError>;
}

/// A builder's refusal: which layer, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{path}: {fault}")]
pub struct BuildError {
    /// The layer's full name.
    pub path: String,
    /// Why.
    pub fault: Fault,
}

/// Makes a [`Network`].
#[derive(Debug, Clone)]
pub struct NetworkBuilder {
    network: Network,
    current: BlockId,
    span: Span,
    labelled: bool,
}

impl NetworkBuilder {
    /// The most layers a network may have.
    pub const MAX_LAYERS: usize = 100_000;

    /// An empty network.
    pub fn new(name: &str) -> Self {
        let root = Block {
            name: String::new(),
            definition: name.to_owned(),
            parent: None,
            members: Vec::new(),
            span: Span::default(),
        };
        let network = Network {
            name: name.to_owned(),
            doc: String::new(),
            inputs: Vec::new(),
            layers: Vec::new(),
            outputs: Vec::new(),
            blocks: vec![root],
        };
        Self { network, current: BlockId::ROOT, span: Span::default(), labelled: false }
    }

    /// Sets the model's documentation.
    pub fn set_doc(&mut self, doc: &str) {
        doc.clone_into(&mut self.network.doc);
    }

    /// Sets where the next calls were written, and whether the next layer's name is a label.
    pub fn set_place(&mut self, span: Span, labelled: bool) {
        self.span = span;
        self.labelled = labelled;
    }

    /// The shape of a value made so far; `None` for a value of another network.
    pub fn shape(&self, value: ValueId) -> Option<&Shape> {
        let made = value < self.network.value_of(self.network.layers.len());
        made.then(|| self.network.shape(value))
    }

    /// The number of layers made so far.
    pub fn layers(&self) -> usize {
        self.network.layers.len()
    }

    /// The network, validated.
    ///
    /// # Errors
    /// What [`Network::validate`] finds.
    pub fn finish(self) -> Result<Network, BuildError> {
        self.network.validate()?;
        Ok(self.network)
    }

    fn error(&self, name: &str, fault: Fault) -> BuildError {
        BuildError { path: join(&self.network.block_path(self.current), name), fault }
    }
}

impl Builder for NetworkBuilder {
    type Value = ValueId;

    fn input(&mut self, name: &str, shape: &[usize]) -> Result<ValueId, BuildError> {
        if !self.network.layers.is_empty() {
            let fault = Fault::new(&codes::INCOMPLETE_NETWORK, "inputs come before the first layer");
            return Err(self.error(name, fault));
        }
        let shape = Shape::new(shape).map_err(|fault| self.error(name, fault))?;
        self.network.inputs.push(Input { name: name.to_owned(), shape, span: self.span });
        Ok(ValueId(self.network.inputs.len() as u32 - 1))
    }

    fn layer(&mut self, name: &str, op: impl Into<Op>, inputs: &[&ValueId]) -> Result<ValueId, BuildError> {
        let op = op.into();
        if self.network.layers.len() >= Self::MAX_LAYERS {
            let fault = Fault::new(&codes::TOO_LARGE, format!("more than {} layers", Self::MAX_LAYERS));
            return Err(self.error(name, fault));
        }
        let index = self.network.layers.len();
        if inputs.iter().any(|value| **value >= self.network.value_of(index)) {
            let fault = Fault::new(&codes::SHAPE_MISMATCH, "an input is a value of another network");
            return Err(self.error(name, fault));
        }
        let shapes: Vec<&Shape> = inputs.iter().map(|value| self.network.shape(**value)).collect();
        let shape = op.output_shape(&shapes).map_err(|fault| self.error(name, fault))?;
        self.network.layers.push(Layer {
            name: name.to_owned(),
            labelled: self.labelled,
            block: self.current,
            op,
            inputs: inputs.iter().map(|value| **value).collect(),
            shape,
            span: self.span,
        });
        self.network.blocks[self.current.index()].members.push(Member::Layer(index));
        Ok(self.network.value_of(index))
    }

    fn begin_block(&mut self, name: &str, definition: &str) {
        let id = BlockId(self.network.blocks.len() as u32);
        self.network.blocks.push(Block {
            name: name.to_owned(),
            definition: definition.to_owned(),
            parent: Some(self.current),
            members: Vec::new(),
            span: self.span,
        });
        self.network.blocks[self.current.index()].members.push(Member::Block(id));
        self.current = id;
    }

    fn end_block(&mut self) {
        let Block { parent: Some(parent), ref members, .. } = self.network.blocks[self.current.index()] else { return };
        // A block without layers is the identity. Nothing was made since it began, so it is the last.
        if members.is_empty() {
            self.network.blocks.pop();
            self.network.blocks[parent.index()].members.pop();
        }
        self.current = parent;
    }

    fn output(&mut self, name: &str, value: &ValueId) -> Result<(), BuildError> {
        self.network.outputs.push(Output { name: name.to_owned(), value: *value, span: self.span });
        Ok(())
    }
}

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
}

impl Builder for TraceBuilder {
    type Value = usize;

    fn input(&mut self, name: &str, shape: &[usize]) -> Result<usize, BuildError> {
        let shape = Shape::new(shape).map_err(|fault| BuildError { path: name.to_owned(), fault })?;
        self.line(format_args!("%{} = input {name}: {shape}", self.shapes.len()));
        Ok(self.value(shape))
    }

    fn layer(&mut self, name: &str, op: impl Into<Op>, inputs: &[&usize]) -> Result<usize, BuildError> {
        let op = op.into();
        let error = |fault| BuildError { path: name.to_owned(), fault };
        let shapes: Option<Vec<&Shape>> = inputs.iter().map(|&&value| self.shapes.get(value)).collect();
        let Some(shapes) = shapes else {
            return Err(error(Fault::new(&codes::SHAPE_MISMATCH, "an input is a value of another network")));
        };
        let shape = op.output_shape(&shapes).map_err(error)?;
        let inputs: Vec<String> = inputs.iter().map(|value| format!("%{value}")).collect();
        self.line(format_args!("%{} = {name}: {op} ({}) -> {shape}", self.shapes.len(), inputs.join(", ")));
        Ok(self.value(shape))
    }

    fn begin_block(&mut self, name: &str, definition: &str) {
        self.line(format_args!("{name}: {definition} {{"));
        self.depth += 1;
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
