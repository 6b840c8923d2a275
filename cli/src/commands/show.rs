//! `cnn show`

use crate::args::{MessageFormat, Show};
use crate::failure::Failure;
use crate::model::load_all;
use crate::table;
use std::io::{Write, stdout};

/// Prints the table of each model.
pub fn run(args: &Show, format: MessageFormat) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for (index, network) in load_all(&args.model, format)?.iter().enumerate() {
        let gap = if index > 0 { "\n" } else { "" };
        write!(out, "{gap}{}\n\n{}", network.name, table::layers(network, args.batch))?;
    }
    Ok(())
}
