//! The network: layers in data-flow order and the tree of block instances they belong to.

use crate::{BuildError, Builder, Cost, Op, Shape};

/// Bytes `start..end` of source file number `source`; files are numbered by whoever read them, the main one being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The file's number.
    pub source: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value: an input, or the output of a layer. Inputs come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub(crate) u32);

impl ValueId {
    /// The position among all values, inputs first.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A block instance; the model itself is [`BlockId::ROOT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub(crate) u32);

impl BlockId {
    /// The model itself.
    pub const ROOT: Self = Self(0);

    /// The position in [`Network::blocks`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An input of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The name.
    pub name: String,
    /// The shape of one example.
    pub shape: Shape,
    /// Where it was written.
    pub span: Span,
}

/// An output of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The name.
    pub name: String,
    /// The value.
    pub value: ValueId,
    /// Where it was written.
    pub span: Span,
}

/// A layer: one op applied to values.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// The label, or the position in the enclosing sequence, as in `nn.Sequential`.
    pub name: String,
    /// Whether `name` is a label that someone wrote.
    pub labelled: bool,
    /// The block instance the layer belongs to.
    pub block: BlockId,
    /// The operation.
    pub op: Op,
    /// What it is applied to.
    pub inputs: Vec<ValueId>,
    /// The output's shape for one example.
    pub shape: Shape,
    /// Where it was written.
    pub span: Span,
}

/// An instance of a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The label or position; empty for the model.
    pub name: String,
    /// The name of the definition it is an instance of.
    pub definition: String,
    /// The instance around it; `None` for the model.
    pub parent: Option<BlockId>,
    /// What it contains, in data-flow order.
    pub members: Vec<Member>,
    /// Where it was called.
    pub span: Span,
}

/// A member of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// A layer, by its position in [`Network::layers`].
    Layer(usize),
    /// A block instance.
    Block(BlockId),
}

/// A tensor of the network: trained, or a buffer such as a running mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The full name, as in PyTorch's state dict: `layer1.0.conv1.weight`.
    pub name: String,
    /// The shape.
    pub shape: Vec<usize>,
    /// Whether it is trained; if not, it is a buffer.
    pub trainable: bool,
    /// The layer that owns it.
    pub layer: usize,
}

/// A validated network.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The model's name.
    pub name: String,
    /// The model's documentation, lines joined by newlines.
    pub doc: String,
    /// The inputs.
    pub inputs: Vec<Input>,
    /// The layers in data-flow order.
    pub layers: Vec<Layer>,
    /// The outputs.
    pub outputs: Vec<Output>,
    /// The block instances; the first is the model.
    pub blocks: Vec<Block>,
}

impl Network {
    /// The shape of a value, without the batch.
    pub fn shape(&self, value: ValueId) -> &Shape {
        match self.inputs.get(value.index()) {
            Some(input) => &input.shape,
            None => &self.layers[value.index() - self.inputs.len()].shape,
        }
    }

    /// The layer that makes a value; `None` for an input.
    pub fn producer(&self, value: ValueId) -> Option<usize> {
        value.index().checked_sub(self.inputs.len())
    }

    /// The value that a layer makes.
    pub fn value_of(&self, layer: usize) -> ValueId {
        ValueId((self.inputs.len() + layer) as u32)
    }

    /// The full name of a layer: block names and its own, joined by dots.
    pub fn path(&self, layer: usize) -> String {
        let layer = &self.layers[layer];
        join(&self.block_path(layer.block), &layer.name)
    }

    /// The full name of a block instance; empty for the model.
    pub fn block_path(&self, block: BlockId) -> String {
        let block = &self.blocks[block.index()];
        match block.parent {
            None => String::new(),
            Some(parent) => join(&self.block_path(parent), &block.name),
        }
    }

    /// Every parameter and buffer, layer by layer, in PyTorch's order.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        for (layer, Layer { op, .. }) in self.layers.iter().enumerate() {
            let tensors = op.parameters();
            if tensors.is_empty() {
                continue;
            }
            let path = self.path(layer);
            parameters.extend(tensors.into_iter().map(|tensor| Parameter {
                name: join(&path, tensor.name),
                shape: tensor.shape,
                trainable: tensor.trainable,
                layer,
            }));
        }
        parameters
    }

    /// The cost of a layer for one example.
    pub fn layer_cost(&self, layer: usize) -> Cost {
        let layer = &self.layers[layer];
        layer.op.cost(&layer.shape)
    }

    /// The cost of the whole network for one example.
    pub fn cost(&self) -> Cost {
        (0..self.layers.len()).map(|layer| self.layer_cost(layer)).sum()
    }

    /// Makes this network's calls on a builder. This is the interpreter: generated code makes the same calls.
    ///
    /// # Errors
    /// What the builder refuses.
    pub fn replay<B: Builder>(&self, builder: &mut B) -> Result<(), BuildError> {
        let mut values = Vec::with_capacity(self.inputs.len() + self.layers.len());
        for input in &self.inputs {
            values.push(builder.input(&input.name, &input.shape)?);
        }
        self.replay_block(BlockId::ROOT, builder, &mut values)?;
        for output in &self.outputs {
            builder.output(&output.name, &values[output.value.index()])?;
        }
        Ok(())
    }

    fn replay_block<B: Builder>(
        &self,
        block: BlockId,
        builder: &mut B,
        values: &mut Vec<B::Value>,
    ) -> Result<(), BuildError> {
        for member in &self.blocks[block.index()].members {
            match *member {
                Member::Layer(layer) => {
                    let Layer { name, op, inputs, .. } = &self.layers[layer];
                    let inputs: Vec<&B::Value> = inputs.iter().map(|value| &values[value.index()]).collect();
                    let value = builder.layer(name, op.clone(), &inputs)?;
                    values.push(value);
                }
                Member::Block(inner) => {
                    let Block { name, definition, .. } = &self.blocks[inner.index()];
                    builder.begin_block(name, definition);
                    self.replay_block(inner, builder, values)?;
                    builder.end_block();
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
