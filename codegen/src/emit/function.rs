//! One function for every block, whatever numbers its instances have.
//!
//! Instances of a block that make the same calls and differ in numbers alone share a function; the numbers that differ
//! become its arguments. So the code grows with what was written, not with how often it is repeated.

use super::names::Locals;
use super::spec::Slots;
use cnn_ir::{Block, BlockId, Layer, Member, Network};
use proc_macro2::Ident;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The functions that a network's blocks become.
pub(super) struct Functions {
    /// Inner blocks before those that contain them.
    pub list: Vec<Function>,
    /// For every block instance its call; `None` where the block's calls are made in place.
    pub calls: Vec<Option<Call>>,
}

/// A function.
pub(super) struct Function {
    pub name: Ident,
    /// The instance that it is written from.
    pub example: BlockId,
    /// For every number of the block the argument that it is, if it is one.
    pub arguments: Vec<Option<usize>>,
    /// The arguments' names.
    pub names: Vec<Ident>,
}

/// The call that makes an instance.
#[derive(Clone)]
pub(super) struct Call {
    pub function: usize,
    pub numbers: Vec<usize>,
    /// The values of other blocks that it takes, by their position among the network's values.
    pub takes: Vec<usize>,
    /// The value that others take from it.
    pub gives: Option<usize>,
}

impl Functions {
    pub fn of(network: &Network) -> Self {
        let exports = exports(network);
        let mut functions = Self { list: Vec::new(), calls: vec![None; network.blocks.len()] };
        let mut names = Locals::new();
        for blocks in by_height(network, &exports) {
            let mut alike: BTreeMap<String, Vec<(BlockId, Slots, Call)>> = BTreeMap::new();
            let mut order = Vec::new();
            for block in blocks {
                let mut outline = Outline::new(network, &functions);
                outline.block(block);
                let gives = exports[block.index()].first().copied();
                let key = outline.finish(gives, &network.blocks[block.index()].definition);
                let Outline { slots, takes, .. } = outline;
                let call = Call { function: 0, numbers: Vec::new(), takes, gives };
                if !alike.contains_key(&key) {
                    order.push(key.clone());
                }
                alike.entry(key).or_default().push((block, slots, call));
            }
            for instances in order.iter().filter_map(|key| alike.remove(key)) {
                functions.add(network, instances, &mut names);
            }
        }
        functions
    }

    fn add(&mut self, network: &Network, instances: Vec<(BlockId, Slots, Call)>, names: &mut Locals) {
        let Some((example, first, _)) = instances.first() else { return };
        let mut function = Function {
            name: names.fresh(&network.blocks[example.index()].definition),
            example: *example,
            arguments: Vec::new(),
            names: Vec::new(),
        };
        let mut locals = Locals::new();
        // Numbers that are the same in every instance stay; those that always change together are one argument.
        let mut known: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        for (slot, (field, value)) in first.iter().enumerate() {
            let values: Vec<usize> = instances.iter().map(|(_, slots, _)| slots[slot].1).collect();
            let argument = values.iter().any(|other| other != value).then(|| {
                *known.entry(values).or_insert_with(|| {
                    function.names.push(locals.fresh(field));
                    function.names.len() - 1
                })
            });
            function.arguments.push(argument);
        }
        let places: Vec<usize> = (0..function.names.len())
            .filter_map(|argument| function.arguments.iter().position(|found| *found == Some(argument)))
            .collect();
        for (block, slots, call) in instances {
            let numbers = places.iter().map(|place| slots[*place].1).collect();
            self.calls[block.index()] = Some(Call { function: self.list.len(), numbers, ..call });
        }
        self.list.push(function);
    }
}

/// For every block instance the values made in it that something outside of it takes.
fn exports(network: &Network) -> Vec<BTreeSet<usize>> {
    let mut exports = vec![BTreeSet::new(); network.blocks.len()];
    let mut export = |value: usize, user: Option<BlockId>| {
        let Some(maker) = value.checked_sub(network.inputs.len()) else { return };
        let around: BTreeSet<BlockId> = user.into_iter().flat_map(|block| ancestors(network, block)).collect();
        let left = ancestors(network, network.layers[maker].block).take_while(|block| !around.contains(block));
        for block in left {
            exports[block.index()].insert(value);
        }
    };
    for layer in &network.layers {
        layer.inputs.iter().for_each(|value| export(value.index(), Some(layer.block)));
    }
    network.outputs.iter().for_each(|output| export(output.value.index(), None));
    exports
}

fn ancestors(network: &Network, block: BlockId) -> impl Iterator<Item = BlockId> + '_ {
    std::iter::successors(Some(block), |block| network.blocks[block.index()].parent)
}

/// The instances that become functions, those without any in them first, then those that contain only such, and so on.
fn by_height(network: &Network, exports: &[BTreeSet<usize>]) -> Vec<Vec<BlockId>> {
    let mut heights = vec![0usize; network.blocks.len()];
    let mut levels: Vec<Vec<BlockId>> = Vec::new();
    let mut inner: Vec<BlockId> = network.blocks.iter().flat_map(Block::inner).collect();
    inner.sort_unstable();
    // Blocks come after the ones around them.
    for id in inner.into_iter().rev() {
        let index = id.index();
        let Block { parent, members, .. } = &network.blocks[index];
        let is_function = network.blocks[index].definition != Block::GROUP && exports[index].len() <= 1;
        if let Some(parent) = parent {
            let height = heights[index] + usize::from(is_function);
            heights[parent.index()] = heights[parent.index()].max(height);
        }
        if is_function && !members.is_empty() {
            let height = heights[index];
            levels.resize(levels.len().max(height + 1), Vec::new());
            levels[height].push(id);
        }
    }
    levels.iter_mut().for_each(|level| level.reverse());
    levels
}

/// What a block does, without its numbers: two instances with the same outline can share a function.
struct Outline<'a> {
    network: &'a Network,
    functions: &'a Functions,
    text: String,
    slots: Slots,
    /// What a value is called here.
    values: BTreeMap<usize, String>,
    takes: Vec<usize>,
    made: usize,
}

impl<'a> Outline<'a> {
    fn new(network: &'a Network, functions: &'a Functions) -> Self {
        let (text, slots, values, takes) = Default::default();
        Self { network, functions, text, slots, values, takes, made: 0 }
    }

    fn finish(&mut self, gives: Option<usize>, definition: &str) -> String {
        let gives = gives.map(|value| self.value(value)).unwrap_or_default();
        format!("{definition}{} -> {gives}", std::mem::take(&mut self.text))
    }

    fn block(&mut self, block: BlockId) {
        let network = self.network;
        let Block { members, train_only, .. } = &network.blocks[block.index()];
        for member in members {
            let training = network.is_train_only(*member) && !train_only;
            match *member {
                Member::Layer(index) => {
                    let Layer { name, op, inputs, labelled, .. } = &network.layers[index];
                    let of = network.shared_layer(index);
                    let shape = super::spec::outline(op, &mut self.slots);
                    let inputs: Vec<String> = inputs.iter().map(|value| self.value(value.index())).collect();
                    // Writing to a string cannot fail.
                    let _ = write!(self.text, ";{training} {labelled} {name:?} {of:?} {shape} {inputs:?}");
                    self.make(network.value_of(index).index());
                }
                Member::Block(inner) => {
                    let Block { name, definition, .. } = &network.blocks[inner.index()];
                    let of = network.shared_block(inner);
                    let _ = write!(self.text, ";{training} {name:?} {of:?} {definition}");
                    match &self.functions.calls[inner.index()] {
                        Some(call) => {
                            let names = self.functions.list[call.function].names.iter().map(ToString::to_string);
                            self.slots.extend(names.zip(call.numbers.iter().copied()));
                            let takes: Vec<String> = call.takes.iter().map(|value| self.value(*value)).collect();
                            let _ = write!(self.text, " #{} {takes:?}", call.function);
                            call.gives.into_iter().for_each(|value| self.make(value));
                        }
                        None => {
                            self.text.push('{');
                            self.block(inner);
                            self.text.push('}');
                        }
                    }
                }
            }
        }
    }

    fn make(&mut self, value: usize) {
        self.values.insert(value, format!("%{}", self.made));
        self.made += 1;
    }

    fn value(&mut self, value: usize) -> String {
        if !self.values.contains_key(&value) {
            self.values.insert(value, format!("^{}", self.takes.len()));
            self.takes.push(value);
        }
        self.values.get(&value).cloned().unwrap_or_default()
    }
}
