//! `cnn viz`: pictures of runs and networks, one file for each.

mod confusion;
mod curves;
mod features;
mod filters;
mod tsne;
mod values;

use crate::args::viz::Picture;
use crate::args::{MessageFormat, Viz};
use crate::failure::Failure;
use crate::output::write_picture;
use std::io::{Write, stdout};
use std::path::Path;

/// Draws what is asked for.
pub fn run(args: &Viz, format: MessageFormat) -> Result<(), Failure> {
    match &args.picture {
        Picture::Curves(args) => curves::run(args),
        Picture::Confusion(args) => confusion::run(args, format),
        Picture::Filters(args) => filters::run(args, format),
        Picture::Features(args) => features::run(args, format),
        Picture::Tsne(args) => tsne::run(args, format),
    }
}

/// Examples that run through a network at once.
const BATCH: usize = 64;

/// Writes a picture in the format that the file's name says, and says what it shows.
fn save(path: &Path, picture: &cnn_train::plot::Picture, what: &str) -> Result<(), Failure> {
    write_picture(path, picture)?;
    Ok(writeln!(stdout(), "{}: {what}", path.display())?)
}
