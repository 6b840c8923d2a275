//! What a network computes, as text: a run goes on with no other network.

use cnn_ir::{Network, ValueId};

/// The inputs, layers and outputs of a network. Names of blocks' definitions and initialisers are no part of it: a run that
/// goes on does not depend on them.
pub(crate) fn lines(network: &Network) -> Vec<String> {
    let name = |value: ValueId| match network.producer(value) {
        Some(layer) => network.path(layer),
        None => network.inputs[value.index()].name.clone(),
    };
    let only = |train_only: bool| if train_only { ", in training only" } else { "" };
    let inputs = network.inputs.iter().map(|input| format!("the input {}: {}", input.name, input.shape));
    let layers = network.layers.iter().enumerate().map(|(index, layer)| {
        let read: Vec<String> = layer.inputs.iter().map(|value| name(*value)).collect();
        let shared =
            layer.shares.map_or_else(String::new, |of| format!(" with the parameters of {}", network.path(of)));
        let only = only(layer.train_only);
        format!("{}: {} ({}){shared} -> {}{only}", network.path(index), layer.op, read.join(", "), layer.shape)
    });
    let outputs = network.outputs.iter();
    let outputs =
        outputs.map(|output| format!("the output {}: {}{}", output.name, name(output.value), only(output.train_only)));
    inputs.chain(layers).chain(outputs).collect()
}

/// The first line that two lists do not have in common, of each.
pub(crate) fn difference(ours: &[String], theirs: &[String]) -> Option<(String, String)> {
    let line = |lines: &[String], at: usize| lines.get(at).map_or("no more".to_owned(), |line| format!("`{line}`"));
    let at = (0..ours.len().max(theirs.len())).find(|at| ours.get(*at) != theirs.get(*at))?;
    Some((line(ours, at), line(theirs, at)))
}
