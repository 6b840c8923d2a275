//! `cnn emit`

use crate::args::{Emit, MessageFormat};
use crate::failure::Failure;
use crate::model::load_all;
use crate::output::write_file;
use std::io::{Write, stdout};

/// Prints or writes the Rust code.
pub fn run(args: &Emit, format: MessageFormat) -> Result<(), Failure> {
    let networks = load_all(&args.model, format)?;
    // Only the file's own name: the code must not depend on where the command was started.
    let origin = args.model.file.file_name().unwrap_or_default().to_string_lossy();
    let code = cnn_codegen::rustfmt(&cnn_codegen::emit(&networks, &origin).map_err(Failure::Message)?);
    match &args.output {
        Some(path) => write_file(path, code.as_bytes()),
        None => Ok(stdout().lock().write_all(code.as_bytes())?),
    }
}
