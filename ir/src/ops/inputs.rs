//! What ops with several inputs share.

use crate::{Fault, Shape, codes};

/// The inputs, when there are at least `least` of them.
pub(super) fn at_least(layer: &str, least: usize, inputs: &[&Shape]) -> Result<(), Fault> {
    if inputs.len() >= least {
        return Ok(());
    }
    let found = match inputs.len() {
        0 => "none".to_owned(),
        n => format!("{n}"),
    };
    let needed = if least == 1 { "one value" } else { "two values" };
    Err(Fault::new(&codes::SHAPE_MISMATCH, format!("`{layer}` takes at least {needed}, given {found}"))
        .advice("name the other values in the call, or give it branches"))
}

/// A fault about two inputs that do not fit together: both shapes, and every axis on which they differ.
///
/// `along` is the axis (from 0) on which they may.
pub(super) fn mismatch(layer: &str, inputs: &[&Shape], [one, other]: [usize; 2], along: Option<usize>) -> Fault {
    let (a, b) = (inputs[one], inputs[other]);
    let rule = match along {
        None => format!("`{layer}` takes values of one shape"),
        Some(axis) => format!("`{layer}` along axis {} takes values that are equal on all other axes", axis + 1),
    };
    let message = format!("{rule}, but its {} is {a} and its {} {b}", ordinal(one), ordinal(other));
    let mut fault = Fault::new(&codes::SHAPE_MISMATCH, message);
    if a.len() != b.len() {
        return fault.figure(format!("{a} has {} axes, {b} has {}", a.len(), b.len()));
    }
    for axis in (0..a.len()).filter(|&axis| along != Some(axis) && a[axis] != b[axis]) {
        fault = fault.figure(format!("{} {} ≠ {}", axis_name(axis, a.len()), a[axis], b[axis]));
    }
    fault
}

/// `second`, `third`, `4th` for positions from 0.
fn ordinal(index: usize) -> String {
    match index {
        0 => "first".to_owned(),
        1 => "second".to_owned(),
        2 => "third".to_owned(),
        _ => format!("{}th", index + 1),
    }
}

/// What an axis (from 0) of a value with this many axes is called.
fn axis_name(axis: usize, rank: usize) -> String {
    match (rank, axis) {
        (1, _) => "features".to_owned(),
        (_, 0) => "channels".to_owned(),
        (3, 1) => "height".to_owned(),
        (3, 2) => "width".to_owned(),
        _ => format!("axis {}", axis + 1),
    }
}
