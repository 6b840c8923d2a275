//! `cnn show`

use crate::args::{MessageFormat, Show};
use crate::failure::Failure;
use crate::model::load_all;
use crate::report::Report;
use crate::table::{self, Options};
use crate::terminal;
use cnn::{Arena, CompileOptions, Error, LayerGraph};
use std::io::{IsTerminal, Write, stdout};

/// Prints the table of each model.
pub fn run(args: &Show, format: MessageFormat) -> Result<(), Failure> {
    let mut out = stdout().lock();
    // What goes into a file or a pipe is whole.
    let width = out.is_terminal().then(terminal::width);
    let options = Options { batch: args.batch, depth: args.depth, width: args.width.map(usize::from).or(width) };
    for (index, network) in load_all(&args.model, format)?.iter().enumerate() {
        let batch = args.batch.map_or(1, |batch| batch as usize);
        let graph = LayerGraph::from_network(network);
        let arena = graph.map_err(Error::from).and_then(|graph| Arena::plan(graph, &CompileOptions::default(), batch));
        if args.json {
            let report = Report::new(network, args.batch, args.depth, arena.ok());
            let report = serde_json::to_string(&report).map_err(Failure::new)?;
            writeln!(out, "{report}")?;
            continue;
        }
        let gap = if index > 0 { "\n" } else { "" };
        write!(out, "{gap}{}\n\n{}", network.name, table::layers(network, options, Some(&arena)))?;
    }
    Ok(())
}
