//! The table of a network: what is in it and what it costs, block by block.

use crate::network::join;
use crate::{BlockId, Cost, Member, Network, ReceptiveField, Shape, ValueId};
use std::ops::Range;

/// One row: an input, a layer, or a block instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is.
    pub kind: RowKind,
    /// How many block instances it is in; the model itself does not count.
    pub depth: usize,
    /// The label or position within its block.
    pub name: String,
    /// The full name.
    pub path: String,
    /// The op as [`Op::summary`](crate::Op::summary) gives it, or the name of the block's definition, or what is shared.
    pub op: String,
    /// Whether it exists in training only.
    pub train_only: bool,
    /// The shapes of what comes in.
    pub inputs: Vec<Shape>,
    /// The shape of what comes out; of a block, what its last layer makes.
    pub output: Shape,
    /// For one example; of a block, all that it contains in inference, unless it exists in training only.
    pub cost: Cost,
    /// Bytes of what the layers make of one example.
    pub activation_bytes: u64,
    /// What an element of the output depends on.
    pub receptive_field: ReceptiveField,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// An input, by its position.
    Input(usize),
    /// A layer, by its position.
    Layer(usize),
    /// A block instance whose members have rows of their own, which count for it.
    Open(BlockId),
    /// A block instance that stands for its members.
    Folded(BlockId),
}

impl Network {
    /// The table of the network. Blocks are open down to this depth: at 1 there are the model's own members alone.
    ///
    /// The rows that are not [`RowKind::Open`] have each layer once.
    ///
    /// ```
    /// # use cnn_ir::{Builder, NetworkBuilder, ops::ReluSpec};
    /// # fn main() -> Result<(), cnn_ir::BuildError> {
    /// let mut net = NetworkBuilder::new("Tiny");
    /// let x = net.input("x", &[8])?;
    /// net.begin_block("head", "twice");
    /// let a = net.layer("a", ReluSpec::new(), &[&x])?;
    /// let b = net.layer("b", ReluSpec::new(), &[&a])?;
    /// net.end_block();
    /// net.output("y", &b)?;
    /// let net = net.finish()?;
    /// let paths = |depth| net.rows(depth).into_iter().map(|row| row.path).collect::<Vec<_>>();
    /// assert_eq!(paths(1), ["x", "head"]);
    /// assert_eq!(paths(2), ["x", "head", "head.a", "head.b"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn rows(&self, depth: usize) -> Vec<Row> {
        let fields = self.receptive_fields();
        let mut rows = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            rows.push(Row {
                kind: RowKind::Input(index),
                depth: 0,
                name: input.name.clone(),
                path: input.name.clone(),
                op: "input".to_owned(),
                train_only: false,
                inputs: Vec::new(),
                output: input.shape.clone(),
                cost: Cost::default(),
                activation_bytes: 4 * input.shape.elements() as u64,
                receptive_field: fields[index].clone(),
            });
        }
        let mut table = Table { network: self, fields, depth, rows };
        table.add_members(BlockId::ROOT, "", 0);
        table.rows
    }

    /// The deepest table of no more than this many rows, or the one that opens nothing.
    pub fn rows_within(&self, most: usize) -> Vec<Row> {
        let mut rows = self.rows(1);
        for depth in 2.. {
            let is_whole = !rows.iter().any(|row| matches!(row.kind, RowKind::Folded(_)));
            let deeper = if is_whole { Vec::new() } else { self.rows(depth) };
            if is_whole || deeper.len() > most {
                break;
            }
            rows = deeper;
        }
        rows
    }
}

struct Table<'n> {
    network: &'n Network,
    /// Of every value.
    fields: Vec<ReceptiveField>,
    depth: usize,
    rows: Vec<Row>,
}

impl Table<'_> {
    fn add_members(&mut self, block: BlockId, path: &str, depth: usize) {
        for member in &self.network.blocks[block.index()].members {
            match *member {
                Member::Layer(index) => {
                    let layer = &self.network.layers[index];
                    let op = match layer.shares {
                        Some(of) => format!("share {}", self.network.path(of)),
                        None => layer.op.summary(),
                    };
                    self.add(RowKind::Layer(index), depth, path, &layer.name, op, index..index + 1);
                }
                Member::Block(inner) => {
                    let block = &self.network.blocks[inner.index()];
                    let Some(layers) = self.network.layers_of(inner) else { continue };
                    let is_open = depth + 1 < self.depth;
                    let kind = if is_open { RowKind::Open(inner) } else { RowKind::Folded(inner) };
                    let op = match block.shares {
                        Some(of) => format!("share {}", self.network.block_path(of)),
                        None => block.definition.clone(),
                    };
                    self.add(kind, depth, path, &block.name, op, layers);
                    if is_open {
                        self.add_members(inner, &join(path, &block.name), depth + 1);
                    }
                }
            }
        }
    }

    fn add(&mut self, kind: RowKind, depth: usize, path: &str, name: &str, op: String, layers: Range<usize>) {
        let network = self.network;
        let layer = |index: usize| &network.layers[index];
        let train_only = layers.clone().all(|index| layer(index).train_only);
        let counted = || layers.clone().filter(|index| layer(*index).train_only == train_only);
        // What a block makes is made in inference.
        let last = network.value_of(counted().next_back().unwrap_or(layers.start));
        self.rows.push(Row {
            kind,
            depth,
            name: name.to_owned(),
            path: join(path, name),
            op,
            train_only,
            inputs: network.values_into(layers.clone()).into_iter().map(|value| network.shape(value).clone()).collect(),
            output: network.shape(last).clone(),
            cost: counted().map(|layer| network.layer_cost(layer)).sum(),
            activation_bytes: counted().map(|layer| network.activation_bytes(layer)).fold(0, u64::saturating_add),
            receptive_field: self.fields[last.index()].clone(),
        });
    }
}

impl Network {
    /// The layers of a block instance, which follow each other; `None` if it has none.
    pub fn layers_of(&self, block: BlockId) -> Option<Range<usize>> {
        let ranges = self.blocks[block.index()].members.iter().filter_map(|member| match *member {
            Member::Layer(layer) => Some(layer..layer + 1),
            Member::Block(inner) => self.layers_of(inner),
        });
        ranges.reduce(|first, last| first.start..last.end)
    }

    /// The values that these layers take from others, each once.
    pub fn values_into(&self, layers: Range<usize>) -> Vec<ValueId> {
        let first = self.value_of(layers.start);
        let mut values = Vec::new();
        for value in self.layers[layers].iter().flat_map(|layer| &layer.inputs) {
            if *value < first && !values.contains(value) {
                values.push(*value);
            }
        }
        values
    }
}
