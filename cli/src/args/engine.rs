//! How the engine runs a network, and the arguments of the commands that measure it.

use super::ModelArgs;
use clap::{Args, ValueEnum};
use cnn::{Algorithm, CompileOptions, Tuning, WeightDtype};
use std::path::PathBuf;
use std::sync::Arc;

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
