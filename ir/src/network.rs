//! The network: layers in data-flow order and the tree of block instances they belong to.

use crate::{BuildError, Builder, Cost, Op, Shape, Training};

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
    /// Whether it exists in training only.
    pub train_only: bool,
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
    /// The earlier layer that is applied again here, with its parameters.
    pub shares: Option<usize>,
    /// Whether it exists in training only.
    pub train_only: bool,
    /// The operation.
    pub op: Op,
    /// How its weights start when they are trained, if it says so; see [`Network::initialiser`].
    pub initialiser: Option<String>,
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
    /// The definition's documentation, lines joined by newlines.
    pub doc: String,
    /// The instance around it; `None` for the model.
    pub parent: Option<BlockId>,
    /// The earlier instance that is applied again here, with its parameters.
    pub shares: Option<BlockId>,
    /// Whether it exists in training only.
    pub train_only: bool,
    /// What it contains, in data-flow order.
    pub members: Vec<Member>,
    /// Where it was called.
    pub span: Span,
}

impl Block {
    /// The definition of a group of steps, which has none of its own.
    pub const GROUP: &str = "sequence";

    /// The block instances among the members.
    pub fn inner(&self) -> impl Iterator<Item = BlockId> + '_ {
        self.members.iter().filter_map(|member| match member {
            Member::Block(inner) => Some(*inner),
            Member::Layer(_) => None,
        })
    }
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
    /// The inputs.
    pub inputs: Vec<Input>,
    /// The layers in data-flow order.
    pub layers: Vec<Layer>,
    /// The outputs.
    pub outputs: Vec<Output>,
    /// The block instances; the first is the model.
    pub blocks: Vec<Block>,
    /// What the model says about its training; no part of what it computes.
    pub training: Option<Training>,
}

impl Network {
    /// The model's documentation, lines joined by newlines.
    pub fn doc(&self) -> &str {
        self.blocks.first().map_or("", |root| &root.doc)
    }

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

    /// Whether a member exists in training only.
    pub fn is_train_only(&self, member: Member) -> bool {
        match member {
            Member::Layer(layer) => self.layers[layer].train_only,
            Member::Block(block) => self.blocks[block.index()].train_only,
        }
    }

    /// The first output that inference has; the first of all where there is none.
    pub fn main_output(&self) -> Option<&Output> {
        self.outputs.iter().find(|output| !output.train_only).or(self.outputs.first())
    }

    /// How many layers a member is made of.
    pub fn layers_in(&self, member: Member) -> usize {
        match member {
            Member::Layer(_) => 1,
            Member::Block(block) => {
                self.blocks[block.index()].members.iter().map(|member| self.layers_in(*member)).sum()
            }
        }
    }

    /// The layer whose parameters a layer has: itself, unless it applies an earlier one again.
    pub fn owner(&self, mut layer: usize) -> usize {
        while let Some(earlier) = self.layers[layer].shares {
            layer = earlier;
        }
        layer
    }

    /// Every parameter and buffer, layer by layer, in PyTorch's order; shared ones once.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        let owners = self.layers.iter().enumerate().filter(|(_, layer)| layer.shares.is_none());
        for (layer, Layer { op, .. }) in owners {
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

    /// The cost of a layer for one example. One that shares its parameters has none of its own.
    pub fn layer_cost(&self, layer: usize) -> Cost {
        let layer = &self.layers[layer];
        let cost = layer.op.cost(&layer.shape);
        if layer.shares.is_some() { Cost { params: 0, ..cost } } else { cost }
    }

    /// The cost of the whole network for one example, without what exists in training only.
    pub fn cost(&self) -> Cost {
        let layers = (0..self.layers.len()).filter(|layer| !self.layers[*layer].train_only);
        layers.map(|layer| self.layer_cost(layer)).sum()
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
            let value = &values[output.value.index()];
            if output.train_only {
                builder.train_only(|builder| builder.output(&output.name, value))?;
            } else {
                builder.output(&output.name, value)?;
            }
        }
        Ok(())
    }

    fn replay_block<B: Builder>(
        &self,
        block: BlockId,
        builder: &mut B,
        values: &mut Vec<B::Value>,
    ) -> Result<(), BuildError> {
        let Block { members, train_only, .. } = &self.blocks[block.index()];
        for run in members.chunk_by(|a, b| self.is_train_only(*a) == self.is_train_only(*b)) {
            if run.first().is_some_and(|member| self.is_train_only(*member)) && !train_only {
                builder.train_only(|builder| self.replay_members(run, builder, values))?;
            } else {
                self.replay_members(run, builder, values)?;
            }
        }
        Ok(())
    }

    fn replay_members<B: Builder>(
        &self,
        members: &[Member],
        builder: &mut B,
        values: &mut Vec<B::Value>,
    ) -> Result<(), BuildError> {
        for member in members {
            match *member {
                Member::Layer(layer) => {
                    let Layer { name, op, inputs, .. } = &self.layers[layer];
                    let inputs: Vec<&B::Value> = inputs.iter().map(|value| &values[value.index()]).collect();
                    let value = match self.shared_layer(layer) {
                        Some(of) => builder.share_layer(name, of, op.clone(), &inputs)?,
                        None => builder.layer(name, op.clone(), &inputs)?,
                    };
                    values.push(value);
                }
                Member::Block(inner) => {
                    let Block { name, definition, .. } = &self.blocks[inner.index()];
                    match self.shared_block(inner) {
                        Some(of) => builder.begin_shared_block(name, of, definition)?,
                        None => builder.begin_block(name, definition),
                    }
                    self.replay_block(inner, builder, values)?;
                    builder.end_block();
                }
            }
        }
        Ok(())
    }

    /// The name of the layer that a step says to apply again; `None` for a layer that only belongs to such an instance.
    pub fn shared_layer(&self, layer: usize) -> Option<&str> {
        let Layer { shares, block, .. } = &self.layers[layer];
        match self.blocks[block.index()].shares {
            Some(_) => shares.and_then(|counterpart| self.shared_layer(counterpart)),
            None => shares.map(|of| self.layers[of].name.as_str()),
        }
    }

    /// The name of the instance that a step says to apply again; `None` for one that only belongs to such an instance.
    pub fn shared_block(&self, block: BlockId) -> Option<&str> {
        let Block { shares, parent, .. } = &self.blocks[block.index()];
        match parent.and_then(|parent| self.blocks[parent.index()].shares) {
            Some(_) => shares.and_then(|counterpart| self.shared_block(counterpart)),
            None => shares.map(|of| self.blocks[of.index()].name.as_str()),
        }
    }
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
