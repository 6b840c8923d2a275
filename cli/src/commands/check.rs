//! `cnn check`

use crate::args::{Check, MessageFormat};
use crate::failure::Failure;
use crate::model::load_all;
use crate::number::grouped;
use std::io::{Write, stdout};

/// Looks for errors; says in a line per model that there are none.
pub fn run(args: &Check, format: MessageFormat) -> Result<(), Failure> {
    let networks = load_all(&args.model, format)?;
    if format == MessageFormat::Json {
        return Ok(());
    }
    let mut out = stdout().lock();
    for network in &networks {
        let (cost, layers) = (network.cost(), network.layers.len());
        writeln!(
            out,
            "{}: no errors ({layers} layers, {} parameters, {} MACs)",
            network.name,
            grouped(cost.params.into()),
            grouped(cost.macs.into())
        )?;
    }
    Ok(())
}
