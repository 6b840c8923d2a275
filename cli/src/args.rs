//! The command line.

mod engine;
mod files;
mod predict;
mod train;
pub mod viz;

pub use engine::{Bench, EngineArgs, Tune};
pub use files::{Check, Emit, Fmt, Graph, Import, New, Show};
pub use predict::{Fit, PictureArgs, Predict};
pub use train::{DataArgs, Eval, LrFind, Setting, Split, Train};
pub use viz::Viz;

use crate::terminal;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A language for convolutional networks: checks, shows, compiles and runs `.cnn` files.
///
/// Without a command, a demonstration runs: LeNet on real pictures, all of it inside this program.
#[derive(Debug, Parser)]
#[command(name = "cnn", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do; the demonstration when left out
    #[command(subcommand)]
    pub command: Option<Command>,

    /// How errors and warnings are printed
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub message_format: MessageFormat,
}

const EXAMPLES: &str = "\
Examples:
  cnn                                     classify 256 pictures of clothes with LeNet
  cnn check models/lenet.cnn              look for errors
  cnn fmt models                          bring files into the one style
  cnn show models/lenet.cnn --batch 32    layers, shapes, parameters, arithmetic, memory
  cnn emit models/lenet.cnn -o lenet.rs   the Rust code
  cnn graph models/unet.cnn --svg         a picture of the network
  cnn train models/lenet.cnn --data fashion-mnist
  cnn eval runs/lenet
  cnn predict models/lenet.cnn --weights models/weights/lenet.safetensors shoe.png
  cnn viz filters models/lenet.cnn --weights models/weights/lenet.safetensors

Environment, for this command and for every program that embeds a network:
  CNN_THREADS=2         threads that work on one run
  CNN_ISA=avx2          the instruction set: portable, avx2, avx512
  CNN_ALGORITHM=plain   a kernel wherever it can run a layer, as --algorithm
  CNN_PASSES=-winograd  optimisations switched off, for bisecting; -all for all of them, +NAME on again; a name that is
                        unknown is an error that lists them
  CNN_TUNING=FILE       measured times of kernels, as --tuning
  CNN_PACKED=FILE       packed weights, as --packed

Exit status: 0 done, 1 the input is wrong, 2 the command line is wrong, 130 training was interrupted.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a project
    New(New),
    /// Look for errors in a file
    Check(Check),
    /// Bring files into the language's one style
    Fmt(Fmt),
    /// Print the table of layers and blocks: shapes, parameters, arithmetic, memory, receptive field
    Show(Show),
    /// Print the Rust code a file becomes
    Emit(Emit),
    /// Draw the network, or print the Luminal graph before and after compilation
    Graph(Graph),
    /// Train a network
    Train(Box<Train>),
    /// Say how well weights classify labelled pictures
    Eval(Eval),
    /// Look for a learning rate
    LrFind(LrFind),
    /// Classify pictures
    Predict(Predict),
    /// Draw curves of runs, filters, feature maps, the confusion matrix, examples by t-SNE
    Viz(Viz),
    /// Measure how fast a network runs, layer by layer
    Bench(Bench),
    /// Measure the kernels that could run each layer, and keep their times in a file
    Tune(Tune),
    /// Make a safetensors file from PyTorch weights
    Import(Import),
    /// Explain an error code
    Explain(Explain),
    /// Run the demonstration
    Demo(Demo),
}

/// How messages are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// With the source, for people
    #[default]
    Human,
    /// One JSON object per line, for editors
    Json,
}

/// Which model of which file.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The `.cnn` file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Only this model of the file
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,

    /// Give a model parameter a value
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// A trained network.
#[derive(Debug, Args)]
pub struct TrainedArgs {
    /// The folder of a run, or a `.cnn` file
    #[arg(value_name = "RUN|FILE")]
    pub source: PathBuf,

    /// The weights, a safetensors file; the best of the run when left out
    #[arg(short, long, value_name = "FILE")]
    pub weights: Option<PathBuf>,

    /// Only this model of the file
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,

    /// Give a model parameter a value
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cnn explain cnn::kernel_too_large")]
pub struct Explain {
    /// The code, with or without `cnn::`; all codes when left out
    pub code: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(after_help = "Example:\n  cnn demo --save lenet && cnn show lenet/lenet.cnn")]
pub struct Demo {
    /// Also write the model, its weights, the class names and some pictures into this folder
    #[arg(long, value_name = "FOLDER")]
    pub save: Option<PathBuf>,
}

/// A file whose name says of which kind of picture it is.
fn picture_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
        match extension.as_str() {
            "svg" | "png" => Ok(path),
            _ => Err("pictures are SVG or PNG files: let its name end in .svg or .png"),
        }
    })
}

/// Prints what is wrong with the command line; a file in the place of a command gets the command that was meant.
pub fn explain(error: &clap::Error) -> ExitCode {
    let word = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) => Some(word),
        _ => None,
    };
    match word.and_then(|word| Some((word, meant(word)?))) {
        Some((word, meant)) => {
            terminal::say(format_args!("error: `{word}` is a file, not a command\n\n  help: {meant}"))
        }
        // A failure to print leaves nothing else to do.
        None => drop(error.print()),
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The command line that was meant by a file's name, if it is one.
fn meant(word: &str) -> Option<String> {
    let path = Path::new(word);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "cnn" => Some(format!("to see its layers: `cnn show {word}`; to look for errors: `cnn check {word}`")),
        "safetensors" => Some(format!("to use weights: `cnn predict MODEL.cnn --weights {word} IMAGE…`")),
        "pth" | "pt" => Some(format!("to convert weights: `cnn import {word} -o weights.safetensors`")),
        "png" | "jpg" | "jpeg" => {
            Some(format!("to classify it: `cnn predict MODEL.cnn --weights WEIGHTS.safetensors {word}`"))
        }
        _ => path.is_file().then(|| "`cnn --help` lists the commands".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{Command, CommandFactory, Parser};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// The examples of a command's help and of its own commands'.
    fn examples(command: &Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        // Behind two blanks there is an explanation.
        let lines =
            help.lines().filter(|line| line.starts_with("  ")).filter_map(|line| line.trim().split("  ").next());
        let lines = lines.filter_map(|line| Some(&line[line.find("cnn ")?..]));
        let own = lines.flat_map(|line| line.split(" && ")).filter(|line| line.starts_with("cnn ")).map(str::to_owned);
        own.chain(command.get_subcommands().flat_map(examples)).collect()
    }

    /// The words of a line up to a pipe or the like.
    fn words(line: &str) -> Vec<&str> {
        let parts = line.split('\'').enumerate();
        let words = parts.flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        });
        words.take_while(|word| !["|", "<", ">"].contains(word)).collect()
    }

    #[test]
    fn the_examples_of_the_help_are_command_lines() {
        let examples = examples(&Cli::command());
        for command in
            ["train", "eval", "lr-find", "viz curves", "viz confusion", "viz filters", "viz features", "viz tsne"]
        {
            assert!(
                examples.iter().any(|line| line.starts_with(&format!("cnn {command} "))),
                "{command}: {examples:#?}"
            );
        }
        for line in &examples {
            let parsed = Cli::try_parse_from(words(line)).map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(parsed, Ok(()), "{line}");
        }
    }
}
