//! The command line.

mod train;

pub use train::{DataArgs, Eval, LrFind, Setting, Split, Train};

use crate::terminal;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};
use cnn::{Algorithm, CompileOptions, Tuning, WeightDtype};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

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
  cnn predict models/lenet.cnn --weights models/weights/lenet.safetensors shoe.png

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

/// How the engine runs a network.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// Threads that work on one run; all cores when left out. Results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// Compute convolutions as they are defined, without Winograd's algorithm
    #[arg(long)]
    pub exact: bool,

    /// Run this kernel wherever it can run a layer: plain, blocked, depthwise, winograd2, winograd4, …
    #[arg(long, value_name = "NAME")]
    pub algorithm: Option<Algorithm>,

    /// Choose kernels by the times in this file, which `cnn tune` has made
    #[arg(long, value_name = "FILE")]
    pub tuning: Option<PathBuf>,

    /// How much memory packed weights may take: `low` chooses kernels for which it is hardly more than the file's, and
    /// slower ones
    #[arg(long, value_name = "USE", default_value = "full")]
    pub memory: MemoryUse,

    /// How the weights of dense layers are stored: f32, f16 or bf16. 16 bits take half the memory and round each weight, by
    /// up to 2⁻¹¹ (f16) or 2⁻⁸ (bf16) of itself. Sums are of f32, with `--exact`, too
    #[arg(long, value_name = "TYPE", default_value_t)]
    pub weight_dtype: WeightDtype,

    /// Keep packed weights in this file, so that the next start is faster; it is written when it does not fit
    #[arg(long, value_name = "FILE")]
    pub packed: Option<PathBuf>,
}

/// How much memory packed weights may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MemoryUse {
    /// What the fastest kernels need
    Full,
    /// Hardly more than the weights
    Low,
}

impl EngineArgs {
    /// The options to compile with.
    pub fn options(&self) -> Result<CompileOptions, cnn::Error> {
        let Self { threads, exact, algorithm, weight_dtype, .. } = *self;
        let tuning = self.tuning.as_ref().map(Tuning::open).transpose()?.map(Arc::new);
        let (low_memory, packed) = (self.memory == MemoryUse::Low, self.packed.clone());
        Ok(CompileOptions {
            threads,
            exact,
            algorithm,
            tuning,
            low_memory,
            weight_dtype,
            packed,
            ..CompileOptions::default()
        })
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cnn check models/lenet.cnn --set classes=100 --message-format json")]
pub struct Check {
    #[command(flatten)]
    pub model: ModelArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The project is a Cargo package: a small network in a `.cnn` file, and a program that runs it.

Examples:
  cnn new flowers
  cnn new flowers --path ../cnn")]
pub struct New {
    /// The folder to make; its name is the project's
    #[arg(value_name = "NAME")]
    pub folder: PathBuf,

    /// Take the crate `cnn` from this folder, of a checkout, and not from crates.io
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Columns: `params` trainable scalars; `MACs` multiply-accumulates of convolutions and dense layers; `memory` what the layer
makes, in f32; `field` the receptive field, the part of the input that one element depends on, as rows and columns.
`arena` is what one run in the CPU engine takes besides weights and inputs, on this machine with all threads.

Examples:
  cnn show models/lenet.cnn --batch 32
  cnn show models/torchvision/resnet.cnn --model ResNet50 --depth 1
  cnn show models/lenet.cnn --json | jq .totals.memory_bytes")]
pub struct Show {
    #[command(flatten)]
    pub model: ModelArgs,

    /// Show shapes, arithmetic and activations for a batch of this size
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,

    /// Open blocks down to this depth; 1 is the model's own steps. Without it, as deep as the table stays short
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub depth: Option<u32>,

    /// The most characters of a line; the terminal's, when left out
    #[arg(long, value_name = "N")]
    pub width: Option<u16>,

    /// Print one JSON object per model, with every layer unless there is a --depth
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What a file means and its comments stay. A file with syntax errors stays as it is.

Examples:
  cnn fmt models
  cnn fmt --check models/*.cnn
  cnn fmt - < net.cnn")]
pub struct Fmt {
    /// Files, folders whose `.cnn` files are meant, or `-` for the standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Change nothing; print what would change, and fail if anything would
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cnn emit models/lenet.cnn -o src/lenet.rs")]
pub struct Emit {
    #[command(flatten)]
    pub model: ModelArgs,

    /// Write to this file instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without a format, the graph is printed as text. DOT is for Graphviz; Mermaid is shown by many sites in their Markdown.

Examples:
  cnn graph models/lenet.cnn --primitives
  cnn graph models/torchvision/resnet.cnn --model ResNet50 --svg -o resnet50.svg
  cnn graph models/unet.cnn --dot | dot -Tpdf -o unet.pdf
  cnn graph models/googlenet.cnn --mermaid --depth 1")]
pub struct Graph {
    #[command(flatten)]
    pub model: ModelArgs,

    /// Draw the network as an SVG picture
    #[arg(long, group = "picture")]
    pub svg: bool,

    /// Draw it in Graphviz's language
    #[arg(long, group = "picture")]
    pub dot: bool,

    /// Draw it as a Mermaid flowchart
    #[arg(long, group = "picture")]
    pub mermaid: bool,

    /// Open blocks down to this depth; 1 is the model's own steps. Without it, as deep as the picture stays readable
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "picture")]
    pub depth: Option<u32>,

    /// Write to this file instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Also print the graph as Luminal's primitives, the meaning of every layer
    #[arg(long, conflicts_with = "picture")]
    pub primitives: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Pictures are PNG or JPEG files. Weights that `cnn train` has made say how pictures are prepared, and what the classes are
called; without options about it, that is done. Otherwise each picture is scaled to the model's input, turned to grey or RGB
after its channels, divided by 255, and then normalised: (value - mean) / std. ImageNet's usual --mean is 0.485,0.456,0.406,
--std 0.229,0.224,0.225.

Examples:
  cnn predict models/lenet.cnn --weights models/weights/lenet.safetensors shoe.png bag.jpg
  cnn predict models/lenet.cnn --weights runs/lenet/best.safetensors shoe.png
  cnn predict net.cnn -w net.safetensors --classes names.txt --top 3 --json photo.jpg
  cnn predict net.cnn -w net.safetensors --fit crop --keep 0.875 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 cat.jpg
  cnn predict models/efficientnet_lite0.cnn -w lite0.safetensors --fit crop --scale 1 --mean 127 --std 128 cat.jpg")]
pub struct Predict {
    #[command(flatten)]
    pub model: ModelArgs,

    /// The weights, a safetensors file
    #[arg(short, long, value_name = "FILE")]
    pub weights: PathBuf,

    /// The pictures
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,

    /// How many classes to print
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub top: u32,

    /// A text file with one class name per line; the names stored with the weights when left out
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,

    /// The output to read, of a model with several
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,

    #[command(flatten)]
    pub engine: EngineArgs,

    /// How pictures become numbers.
    #[command(flatten)]
    pub picture: PictureArgs,

    /// Print one JSON object per picture
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
One GFLOP is 10⁹ multiplications and additions of convolutions and dense layers. Runs go on, up to three times as long,
until the second half of them is as fast as the first.
The limit is the least time on this machine, the sum over the layers of the longer of two: the multiplications of the best
algorithm at the measured peak of the threads, and the weights, inputs and outputs at the measured rate for so many bytes.

Examples:
  cnn bench models/lenet.cnn
  cnn bench models/torchvision/resnet.cnn --model ResNet18 --layers
  CNN_ISA=avx2 cnn bench net.cnn -w net.safetensors --batch 8 --json | jq .seconds.median")]
pub struct Bench {
    #[command(flatten)]
    pub model: ModelArgs,

    /// The weights, a safetensors file; random ones when left out
    #[arg(short, long, value_name = "FILE")]
    pub weights: Option<PathBuf>,

    /// Examples in one run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,

    /// Measure at least this long
    #[arg(long, value_name = "T", default_value_t = 2.0)]
    pub seconds: f64,

    /// And at least so many runs
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,

    #[command(flatten)]
    pub engine: EngineArgs,

    /// Also measure every step of the compiled program
    #[arg(long)]
    pub layers: bool,

    /// Run on the tensors of this safetensors file, named as the inputs are, batch first; random ones when left out
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    pub inputs: Option<PathBuf>,

    /// Write what the network makes of them into this safetensors file
    #[arg(long, value_name = "FILE")]
    pub outputs: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each layer that several kernels can run is measured with each of them, alone. `--tuning FILE` of `cnn bench` and `cnn predict`
chooses by these times, and so does every program when `CNN_TUNING` names the file. Times of other machines, instruction
sets and numbers of threads in the file are kept, and so are those of layers all of whose kernels are known. A layer with a
kernel that was not measured is chosen by the cost model alone.

Example:
  cnn tune models/lenet.cnn -o cnn-tuning.json && cnn bench models/lenet.cnn --tuning cnn-tuning.json --layers")]
pub struct Tune {
    #[command(flatten)]
    pub model: ModelArgs,

    /// The weights, a safetensors file; random ones when left out
    #[arg(short, long, value_name = "FILE")]
    pub weights: Option<PathBuf>,

    /// Threads that work on one run; all cores when left out
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// The file with the times, which is added to when it exists
    #[arg(short, long, value_name = "FILE", default_value = "cnn-tuning.json")]
    pub output: PathBuf,
}

/// How pictures become numbers.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct PictureArgs {
    /// How a picture of another format is made to fit
    #[arg(long, value_enum, default_value_t)]
    pub fit: Fit,

    /// The share of the shorter side that `--fit crop` keeps; 0.875 is torchvision's Resize(256), CenterCrop(224)
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    pub keep: f64,

    /// Swap black and white first
    #[arg(long)]
    pub invert: bool,

    /// Values from 0 to 255 are divided by this
    #[arg(long, value_name = "N", default_value_t = 255.0)]
    pub scale: f32,

    /// Then subtracted from each channel: one number, or one per channel
    #[arg(long, value_name = "M,…", value_delimiter = ',', allow_negative_numbers = true, default_value = "0")]
    pub mean: Vec<f32>,

    /// Then each channel is divided by this: one number, or one per channel
    #[arg(long, value_name = "S,…", value_delimiter = ',', default_value = "1")]
    pub std: Vec<f32>,
}

impl PictureArgs {
    /// Whether nothing was asked for: all is as it is without options.
    pub fn is_default(&self) -> bool {
        let default =
            Self { fit: Fit::Stretch, keep: 1.0, invert: false, scale: 255.0, mean: vec![0.0], std: vec![1.0] };
        *self == default
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
A PyTorch file is read without running anything in it, whether it is of the zip format or of the legacy one. Floats
become F32; counters and other integers are left out. The prefix `module.`, which DataParallel adds, is taken off.

Examples:
  cnn import resnet50.pth -o resnet50.safetensors
  cnn import resnet50.pth -o resnet50.safetensors --check models/torchvision/resnet.cnn --model ResNet50
  cnn import checkpoint.pt -o ema.safetensors --key model_ema --drop aux_head
  cnn import densenet121.pth -o densenet121.safetensors --rename norm.1=norm1 --rename norm.2=norm2")]
pub struct Import {
    /// The weights: a PyTorch file (.pth, .pt, .bin) or a safetensors file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The safetensors file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// The entry of a nested file that has the weights; `state_dict` and the like are found without
    #[arg(long, value_name = "NAME")]
    pub key: Option<String>,

    /// Leave out the tensors of this name and those under it
    #[arg(long, value_name = "NAME")]
    pub drop: Vec<String>,

    /// Change parts of all names, from dot to dot
    #[arg(long, value_name = "OLD=NEW")]
    pub rename: Vec<String>,

    /// Compare names and shapes with a model of this `.cnn` file, and write only what fits
    #[arg(long, value_name = "FILE.cnn")]
    pub check: Option<PathBuf>,

    /// The model of that file
    #[arg(long, value_name = "NAME", requires = "check")]
    pub model: Option<String>,

    /// Give a parameter of that model a value
    #[arg(long, value_name = "NAME=VALUE", requires = "check")]
    pub set: Vec<String>,
}

/// How a picture of another format is made to fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Fit {
    /// Scale both sides on their own
    #[default]
    Stretch,
    /// Scale the shorter side and cut the rest off around the centre
    Crop,
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
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
