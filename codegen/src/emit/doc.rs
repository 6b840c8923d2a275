//! The documentation of a model's type.

use cnn_ir::{Cost, Network, RowKind, group_digits};
use std::fmt::Write;

/// Blocks are open while the table has no more rows than this.
const MOST_ROWS: usize = 50;

/// What the author wrote, then the table of layers and blocks.
pub(super) fn model_doc(network: &Network) -> String {
    let mut text = String::new();
    let rows = network.rows_within(MOST_ROWS).into_iter().filter(|row| !matches!(row.kind, RowKind::Input(_)));
    let rows = rows.map(|row| {
        // What an open block costs is told by the rows of its members.
        let cost = if matches!(row.kind, RowKind::Open(_)) { Cost::default() } else { row.cost };
        let op = if row.train_only { format!("{} (training)", row.op) } else { row.op };
        [row.path, op, row.output.to_string(), count(cost.params), count(cost.macs)]
    });
    let total = network.cost();
    let _ = if network.doc().is_empty() {
        writeln!(text, "The model `{}`.", network.name)
    } else {
        writeln!(text, "{}", network.doc())
    };
    let inputs: Vec<String> = network.inputs.iter().map(|input| format!("`{}` {}", input.name, input.shape)).collect();
    let _ = writeln!(text, "\nInput: {}.\n", inputs.join(", "));
    let header = ["layer", "op", "output", "parameters", "MACs"].map(str::to_owned);
    let footer = ["total".into(), String::new(), String::new(), count(total.params), count(total.macs)];
    let rows: Vec<[String; 5]> = std::iter::once(header).chain(rows).chain([footer]).collect();
    let widths: Vec<usize> = (0..5).map(|c| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0)).collect();
    for (index, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column < 3 { write!(text, "| {cell:width$} ") } else { write!(text, "| {cell:>width$} ") };
        }
        text.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let _ = write!(text, "|{}{}", "-".repeat(width + 1), if column < 3 { "-" } else { ":" });
            }
            text.push_str("|\n");
        }
    }
    text
}

fn count(value: u64) -> String {
    if value == 0 { String::new() } else { group_digits(value.into(), " ") }
}
