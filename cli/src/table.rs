//! The table of a network's layers.

use crate::number::grouped;
use cnn::{Network, Shape};

const HEADER: [&str; 5] = ["layer", "op", "output", "params", "MACs"];

/// The layers with their output shapes, parameters and arithmetic, and the totals.
///
/// With a batch, shapes start with it and the arithmetic is for all of it.
pub fn layers(network: &Network, batch: Option<u32>) -> String {
    let shape = |shape: &Shape| match batch {
        Some(batch) => format!("{batch}×{shape}"),
        None => shape.to_string(),
    };
    let count = |value: u128| if value == 0 { "–".into() } else { grouped(value) };
    let macs = |value: u64| count(u128::from(value) * u128::from(batch.unwrap_or(1)));
    let mut rows: Vec<[String; 5]> = vec![HEADER.map(str::to_owned)];
    for input in &network.inputs {
        rows.push([input.name.clone(), "input".into(), shape(&input.shape), "–".into(), "–".into()]);
    }
    for (index, layer) in network.layers.iter().enumerate() {
        let cost = network.layer_cost(index);
        rows.push([
            network.path(index),
            layer.op.summary(),
            shape(&layer.shape),
            count(cost.params.into()),
            macs(cost.macs),
        ]);
    }
    let total = network.cost();
    rows.push(["total".into(), String::new(), String::new(), grouped(total.params.into()), macs(total.macs)]);
    align(&rows)
}

/// Columns as wide as their widest cell, numbers to the right, rules around the body.
fn align(rows: &[[String; 5]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let rule = "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1));
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        if index == 1 || index + 1 == rows.len() {
            text.push_str(&rule);
            text.push('\n');
        }
        let [a, b, c, d, e] = row;
        let [wa, wb, wc, wd, we] = widths;
        let line = format!("{a:wa$}  {b:wb$}  {c:wc$}  {d:>wd$}  {e:>we$}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
