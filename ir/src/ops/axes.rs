//! Layers over one axis and over three, in terms of those over two.

use crate::window::single_input;
use crate::{Fault, Fix, Shape, codes};

/// Channels and length of the single input of a layer that works on sequences.
pub(super) fn sequence_input(layer: &str, inputs: &[&Shape]) -> Result<[usize; 2], Fault> {
    let shape = single_input(layer, inputs)?;
    <[usize; 2]>::try_from(&**shape).map_err(|_| {
        let message = format!("`{layer}` takes a sequence (channels, length), but the value here is {shape}");
        Fault::new(&codes::BAD_RANK, message).advice("give the input two sizes, channels first")
    })
}

/// Channels, depth, height and width of the single input of a layer that works on volumes.
pub(super) fn volume_input(layer: &str, inputs: &[&Shape]) -> Result<[usize; 4], Fault> {
    let shape = single_input(layer, inputs)?;
    <[usize; 4]>::try_from(&**shape).map_err(|_| {
        let message =
            format!("`{layer}` takes a volume (channels, depth, height, width), but the value here is {shape}");
        Fault::new(&codes::BAD_RANK, message).advice("give the input four sizes, channels first")
    })
}

/// A sequence as a map of one row.
pub(super) fn as_map(shape: &Shape) -> Result<Shape, Fault> {
    let mut sizes = shape.to_vec();
    sizes.insert(1, 1);
    Shape::new(&sizes)
}

/// A map of one row as a sequence.
pub(super) fn as_sequence(shape: &Shape) -> Result<Shape, Fault> {
    let mut sizes = shape.to_vec();
    sizes.remove(1);
    Shape::new(&sizes)
}

/// A fault of the rule for maps, about the one row of a sequence.
pub(super) fn about_length(fault: Fault) -> Fault {
    let mut fault = reworded(fault, "width", "length");
    if let Some(Fix::SetArgument { value, .. }) = fault.fix.as_deref_mut()
        && let Some(columns) = value.strip_prefix("(1, ").and_then(|rest| rest.strip_suffix(')'))
    {
        *value = columns.to_owned();
    }
    fault
}

/// A fault of the rule for maps, about the depth of a volume, which stood for the rows.
pub(super) fn about_depth(fault: Fault) -> Fault {
    without_edit(reworded(fault, "height", "depth"))
}

/// The same fault with its fix in words: a pair is no triple.
pub(super) fn without_edit(mut fault: Fault) -> Fault {
    fault.fix = fault.fix.map(|fix| Box::new(Fix::Advice(fix.advice().to_owned())));
    fault
}

fn reworded(mut fault: Fault, from: &str, to: &str) -> Fault {
    fault.message = fault.message.replace(from, to);
    for figure in &mut fault.figures {
        *figure = figure.replace(from, to);
    }
    match fault.fix.as_deref_mut() {
        Some(Fix::Advice(advice) | Fix::SetArgument { advice, .. } | Fix::InsertBefore { advice, .. }) => {
            *advice = advice.replace(from, to);
        }
        None => {}
    }
    fault
}
