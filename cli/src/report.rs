//! What `cnn show --json` prints. The names of the fields stay as they are; new ones may come.

use cnn::{Arena, Network, ReceptiveField, RowKind, Shape};
use serde::Serialize;

/// A network: one line for each.
#[derive(Debug, Serialize)]
pub struct Report<'n> {
    /// The model's name.
    model: &'n str,
    /// The examples that MACs and activations are for.
    batch: u32,
    inputs: Vec<Value<'n>>,
    outputs: Vec<Value<'n>>,
    rows: Vec<Row>,
    totals: Totals,
}

/// An input or output.
#[derive(Debug, Serialize)]
struct Value<'n> {
    name: &'n str,
    /// Without the batch, as all shapes here.
    shape: &'n [usize],
}

/// A layer or a block; blocks come before what they contain.
#[derive(Debug, Serialize)]
struct Row {
    /// The full name, as in the names of parameters.
    path: String,
    /// The label or position in the block around it.
    name: String,
    kind: Kind,
    /// How many blocks it is in.
    depth: usize,
    /// The op with its options, or the block's name.
    op: String,
    /// Whether it exists in training only, and so does not count in the totals.
    train_only: bool,
    inputs: Vec<Vec<usize>>,
    output: Vec<usize>,
    /// Trainable scalars; of a block, the sum over all that it contains, as in the next two.
    params: u64,
    macs: u128,
    /// What the layers make, in f32.
    activation_bytes: u128,
    receptive_field: Field,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Layer,
    /// Rows follow for what it contains.
    Block,
    /// Its members have no rows of their own, because of `--depth`.
    FoldedBlock,
}

/// What an element of the output depends on, along each axis of the input behind its channels.
#[derive(Debug, Serialize)]
struct Field {
    size: Vec<u64>,
    stride: Vec<f64>,
    /// Whether it depends on everything.
    whole: bool,
}

#[derive(Debug, Serialize)]
struct Totals {
    params: u64,
    macs: u128,
    /// Parameters and buffers.
    weight_bytes: u64,
    /// Values in memory at once, at most.
    peak_activation_bytes: u128,
    /// The layer that runs then.
    peak_layer: Option<String>,
    /// All values together, as when training keeps them.
    activation_bytes: u128,
    /// Weights and peak together: what `assert memory` compares, if the batch is 1.
    memory_bytes: u128,
    /// What a run on the CPU takes besides weights and inputs; not where the engine cannot run the network.
    arena: Option<Cpu>,
}

/// The memory of runs on the CPU.
#[derive(Debug, Serialize)]
struct Cpu {
    /// The instruction set and the threads that it was planned for.
    isa: String,
    threads: usize,
    /// Values, as far as they are needed at once, and the kernels' scratch memory.
    bytes: usize,
    /// All values, if each had memory of its own.
    value_bytes: usize,
}

impl<'n> Report<'n> {
    pub fn new(network: &'n Network, batch: Option<u32>, depth: Option<u32>, arena: Option<Arena>) -> Self {
        let batch = batch.unwrap_or(1);
        let batched = |value: u64| u128::from(value) * u128::from(batch);
        let (cost, memory) = (network.cost(), network.memory());
        let sizes = |shape: &Shape| shape.to_vec();
        let rows = network.rows(depth.map_or(usize::MAX, |depth| depth as usize)).into_iter().filter_map(|row| {
            let kind = match row.kind {
                RowKind::Input(_) => return None,
                RowKind::Layer(_) => Kind::Layer,
                RowKind::Open(_) => Kind::Block,
                RowKind::Folded(_) => Kind::FoldedBlock,
            };
            Some(Row {
                kind,
                depth: row.depth,
                inputs: row.inputs.iter().map(sizes).collect(),
                output: sizes(&row.output),
                params: row.cost.params,
                macs: batched(row.cost.macs),
                activation_bytes: batched(row.activation_bytes),
                receptive_field: Field::new(&row.receptive_field),
                path: row.path,
                name: row.name,
                op: row.op,
                train_only: row.train_only,
            })
        });
        Self {
            model: &network.name,
            batch,
            inputs: network.inputs.iter().map(|input| Value { name: &input.name, shape: &input.shape }).collect(),
            outputs: network
                .outputs
                .iter()
                .map(|output| Value { name: &output.name, shape: network.shape(output.value) })
                .collect(),
            rows: rows.collect(),
            totals: Totals {
                params: cost.params,
                macs: batched(cost.macs),
                weight_bytes: memory.weights,
                peak_activation_bytes: batched(memory.peak),
                peak_layer: memory.peak_layer.map(|layer| network.path(layer)),
                activation_bytes: batched(memory.activations),
                memory_bytes: u128::from(memory.weights) + batched(memory.peak),
                arena: arena.map(|Arena { isa, threads, bytes, value_bytes }| Cpu {
                    isa: isa.to_string(),
                    threads,
                    bytes,
                    value_bytes,
                }),
            },
        }
    }
}

impl Field {
    fn new(field: &ReceptiveField) -> Self {
        Self { size: field.size(), stride: field.stride(), whole: field.whole }
    }
}
