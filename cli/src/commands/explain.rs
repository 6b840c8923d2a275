//! `cnn explain`

use crate::args::Explain;
use crate::failure::Failure;
use cnn_dsl::codes;
use std::io::{Write, stdout};

/// Prints what a code means, or the list of codes.
pub fn run(args: &Explain) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let Some(wanted) = &args.code else {
        for code in codes::all() {
            writeln!(out, "{}", code.name)?;
        }
        return Ok(());
    };
    match codes::find(wanted) {
        Some(code) => {
            let lines = code.explanation.lines().map(str::trim);
            Ok(writeln!(out, "{}\n\n{}", code.name, lines.collect::<Vec<_>>().join("\n"))?)
        }
        None => Err(Failure::Message(format!("there is no code `{wanted}`; `cnn explain` lists them"))),
    }
}
