//! `cnn tune`

use crate::args::{MessageFormat, Tune};
use crate::bench::random_weights;
use crate::failure::Failure;
use crate::model::load_one;
use crate::output::write_file;
use crate::terminal::say;
use cnn::{CompileOptions, Tuning, Weights};
use std::io::{Write, stdout};

/// Measures the kernels of every layer and writes their times.
pub fn run(args: &Tune, format: MessageFormat) -> Result<(), Failure> {
    let network = load_one(&args.model, format)?;
    let mut tuning = if args.output.exists() { Tuning::open(&args.output)? } else { Tuning::default() };
    let weights = match &args.weights {
        Some(file) => Weights::open(file)?,
        None => random_weights(&network)?,
    };
    let options = CompileOptions { threads: args.threads, ..CompileOptions::default() };
    let write = |tuning: &Tuning| write_file(&args.output, tuning.to_json().as_bytes());
    // Measuring takes long: what cannot be written is said before, and what is known is not lost.
    write(&tuning)?;
    let mut written = Ok(());
    let observe = |tuning: &Tuning, name: &str, done: usize, total: usize| {
        if done > 0 && written.is_ok() {
            written = write(tuning);
        }
        say(format_args!("{:>4} of {total}  {name}", done + 1));
    };
    let layers = cnn::tune(&network, &weights, &options, &mut tuning, observe)?;
    written?;
    write(&tuning)?;
    writeln!(stdout(), "{}: times of {layers} different layers on this machine", args.output.display())?;
    Ok(())
}
