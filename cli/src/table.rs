//! The table of a network: layers and blocks with their shapes and costs, and the totals.

use crate::number::{grouped, size};
use cnn::{Arena, Error, Network, ReceptiveField, Row, RowKind, Shape};

/// How a table is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Shapes start with this batch, and arithmetic and activations are for all of it.
    pub batch: Option<u32>,
    /// How deep blocks are open; as deep as the table stays short, when left out.
    pub depth: Option<u32>,
    /// The most characters of a line, as far as that can be.
    pub width: Option<usize>,
}

/// Without `--depth`, blocks are opened while there are no more rows than this.
const MOST_ROWS: usize = 50;

const HEADER: [&str; COLUMNS] = ["layer", "op", "input", "output", "params", "MACs", "memory", "field"];
const COLUMNS: usize = 8;
const OP: usize = 1;
const INPUT: usize = 2;
/// The columns of words and shapes, which begin at the left; numbers end at the right.
const WORDS: usize = 4;

/// The rows of a network, its totals, and what memory it takes; also in the CPU engine, where that was planned.
pub fn layers(network: &Network, options: Options, arena: Option<&Result<Arena, Error>>) -> String {
    let rows = match options.depth {
        Some(depth) => network.rows(depth as usize),
        None => network.rows_within(MOST_ROWS),
    };
    let batch = u128::from(options.batch.unwrap_or(1));
    let mut cells = vec![HEADER.map(str::to_owned)];
    cells.extend(rows.chunk_by(is_same).map(|run| row_cells(run, options.batch)));
    let cost = network.cost();
    let mut total = <[String; COLUMNS]>::default();
    total[0] = "total".into();
    total[WORDS] = grouped(cost.params.into());
    total[WORDS + 1] = grouped(u128::from(cost.macs) * batch);
    cells.push(total);
    format!("{}\n{}", align(cells, options.width), memory(network, options.batch, arena))
}

/// Whether two rows in a row say the same, so that one stands for both.
fn is_same(a: &Row, b: &Row) -> bool {
    let is_folded = |row: &Row| matches!(row.kind, RowKind::Folded(_));
    let figures = |row: &Row| (row.depth, row.cost, row.activation_bytes, row.train_only);
    is_folded(a)
        && is_folded(b)
        && figures(a) == figures(b)
        && (&a.op, &a.inputs, &a.output) == (&b.op, &b.inputs, &b.output)
}

/// The cells for rows that say the same; most often one.
fn row_cells(run: &[Row], batch: Option<u32>) -> [String; COLUMNS] {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Default::default() };
    let indent = "  ".repeat(first.depth);
    let times = |value: u64| u128::from(value) * run.len() as u128;
    let (name, op) = match run.len() {
        1 => (first.name.clone(), first.op.clone()),
        n => (format!("{} … {}", first.name, last.name), format!("{} ×{n}", first.op)),
    };
    let count = |value: u128| if value == 0 { "–".into() } else { grouped(value) };
    let batched = u128::from(batch.unwrap_or(1));
    let mut cells = [
        format!("{indent}{name}"),
        if first.train_only { format!("{op} (training)") } else { op },
        inputs(&first.inputs, batch),
        shape(&last.output, batch),
        count(times(first.cost.params)),
        count(times(first.cost.macs) * batched),
        size(times(first.activation_bytes) * batched),
        field(&last.receptive_field),
    ];
    // The members' rows have the figures.
    if matches!(first.kind, RowKind::Open(_)) {
        cells[WORDS..].fill(String::new());
    }
    cells
}

fn shape(shape: &Shape, batch: Option<u32>) -> String {
    match batch {
        Some(batch) => format!("{batch}×{shape}"),
        None => shape.to_string(),
    }
}

/// `64×56×56`, or `64×56×56 +1` for several.
fn inputs(shapes: &[Shape], batch: Option<u32>) -> String {
    match shapes {
        [] => String::new(),
        [only] => shape(only, batch),
        [first, others @ ..] => format!("{} +{}", shape(first, batch), others.len()),
    }
}

/// `7`, `7×11`, or `all`.
fn field(field: &ReceptiveField) -> String {
    let size = field.size();
    match size.split_first() {
        _ if field.whole => "all".into(),
        None => "–".into(),
        Some((first, rest)) if rest.iter().all(|size| size == first) => first.to_string(),
        _ => size.iter().map(u64::to_string).collect::<Vec<_>>().join("×"),
    }
}

/// What the memory is made of.
fn memory(network: &Network, batch: Option<u32>, arena: Option<&Result<Arena, Error>>) -> String {
    let memory = network.memory();
    let batched = |bytes: u64| u128::from(bytes) * u128::from(batch.unwrap_or(1));
    let tensors = network.parameters();
    let buffers: usize = tensors.iter().filter(|t| !t.trainable).map(|t| t.shape.iter().product::<usize>()).sum();
    let held = match buffers {
        0 => "parameters".to_owned(),
        _ => format!("parameters and {} values in buffers", grouped(buffers as u128)),
    };
    let most = match memory.peak_layer {
        Some(layer) => {
            let (path, op) = (network.path(layer), network.layers[layer].op.def().name);
            format!("at once, when `{path}` ({op}) runs; {} all together", size(batched(memory.activations)))
        }
        None => "the input".to_owned(),
    };
    let examples = batch.map_or("one example".to_owned(), |batch| format!("a batch of {batch}"));
    let arena = arena.map(|arena| match arena {
        Ok(Arena { isa, threads, bytes, value_bytes }) => {
            let threads = if *threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
            let apart = size(*value_bytes as u128);
            let note =
                format!("values and scratch of the CPU engine ({isa}, {threads}); its values apart take {apart}");
            ("arena", size(*bytes as u128), note)
        }
        Err(error) => ("arena", "–".to_owned(), error.to_string()),
    });
    let mut rows = vec![
        ("weights", size(memory.weights.into()), held),
        ("activations", size(batched(memory.peak)), most),
        ("memory", size(u128::from(memory.weights) + batched(memory.peak)), format!("both, for {examples}, in f32")),
    ];
    rows.extend(arena);
    let widest = rows.iter().map(|(_, size, _)| size.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, size, note)| format!("{name:11}  {size:>widest$}  {note}\n")).collect()
}

/// Columns as wide as their widest cell, rules around the body. Where the width is not enough, ops are cut; before they
/// become too short the inputs go, which the outputs before tell as well.
fn align(mut rows: Vec<[String; COLUMNS]>, width: Option<usize>) -> String {
    const GAP: usize = 2;
    const READABLE: usize = 20;
    const SHORTEST: usize = 10;
    let mut widths: [usize; COLUMNS] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |widths: &[usize; COLUMNS]| {
        let columns = widths.iter().filter(|width| **width > 0);
        columns.clone().sum::<usize>() + GAP * columns.count().saturating_sub(1)
    };
    if let Some(width) = width {
        if line(&widths).saturating_sub(width) > widths[OP].saturating_sub(READABLE) {
            widths[INPUT] = 0;
        }
        let excess = line(&widths).saturating_sub(width);
        widths[OP] = widths[OP].saturating_sub(excess).max(widths[OP].min(SHORTEST));
    }
    rows.iter_mut().for_each(|row| cut(&mut row[OP], widths[OP]));
    let rule = "─".repeat(line(&widths));
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        if index == 1 || index + 1 == rows.len() {
            text.push_str(&rule);
            text.push('\n');
        }
        let cells = row.iter().zip(widths).enumerate().filter(|(_, (_, width))| *width > 0);
        let cells = cells.map(|(column, (cell, width))| match column {
            0..WORDS => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Cuts a cell to this many characters.
fn cut(cell: &mut String, width: usize) {
    if cell.chars().count() > width {
        let kept: String = cell.chars().take(width.saturating_sub(1)).collect();
        *cell = format!("{}…", kept.trim_end_matches([' ', ',']));
    }
}
