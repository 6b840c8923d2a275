//! Values inside of a network, by name.

use crate::failure::Failure;
use cnn::{BlockId, Member, Network, Op, Output, ValueId};

/// The most names that a message lists.
const MOST_NAMES: usize = 24;

/// The value of a layer, a block or an output.
pub fn find(network: &Network, name: &str) -> Result<ValueId, Failure> {
    let mut named = Vec::new();
    collect(network, BlockId::ROOT, &mut named);
    let outputs = network.outputs.iter().filter(|output| !output.train_only);
    named.extend(outputs.map(|output| (output.name.clone(), output.value)));
    match named.iter().find(|(known, _)| known == name) {
        Some((_, value)) => Ok(*value),
        None => Err(unknown(network, "layer", name, named.iter().map(|(known, _)| known.as_str()))),
    }
}

/// What is named in a block and exists in inference, in data-flow order; a block's value is that of its last layer.
fn collect(network: &Network, block: BlockId, named: &mut Vec<(String, ValueId)>) -> Option<ValueId> {
    let mut last = None;
    for member in network.blocks[block.index()].members.iter().filter(|member| !network.is_train_only(**member)) {
        match *member {
            Member::Layer(layer) => {
                last = Some(network.value_of(layer));
                named.push((network.path(layer), network.value_of(layer)));
            }
            Member::Block(inner) => {
                let place = named.len();
                if let Some(value) = collect(network, inner, named) {
                    last = Some(value);
                    named.insert(place, (network.block_path(inner), value));
                }
            }
        }
    }
    last
}

/// The same network with these values as its only outputs: what they do not need is not computed.
pub fn with_outputs(network: &Network, values: &[(String, ValueId)]) -> Network {
    let output = |(name, value): &(String, ValueId)| Output {
        name: name.clone(),
        value: *value,
        train_only: false,
        span: Default::default(),
    };
    Network { outputs: values.iter().map(output).collect(), ..network.clone() }
}

/// The convolutions that inference has, in data-flow order.
pub fn convolutions(network: &Network) -> impl Iterator<Item = usize> {
    let is_one = |op: &Op| matches!(op, Op::Conv1d(_) | Op::Conv2d(_) | Op::Conv3d(_));
    let layers = network.layers.iter().enumerate();
    layers.filter(move |(_, layer)| is_one(&layer.op) && !layer.train_only).map(|(index, _)| index)
}

/// What is said of a name that is none, with the one that was meant.
pub fn unknown<'a>(network: &Network, what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Failure {
    let hint = match cnn_dsl::nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let mut names: Vec<&str> = known.clone().take(MOST_NAMES).collect();
            names.extend(known.clone().nth(MOST_NAMES).map(|_| "…; `cnn show` lists them all"));
            format!("there are {}", names.join(", "))
        }
    };
    Failure::Message(format!("`{}` has no {what} `{name}`; {hint}", network.name))
}
