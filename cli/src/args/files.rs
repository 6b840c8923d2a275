//! The arguments of the commands that make, check, show and change files.

use super::ModelArgs;
use clap::Args;
use std::path::PathBuf;

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
