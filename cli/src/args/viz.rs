//! The arguments of `cnn viz`.

use super::{DataArgs, TrainedArgs, picture_file};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
A picture is an SVG or a PNG file, by the ending of its name. `cnn train` makes RUN, a folder such as runs/lenet.

Examples:
  cnn viz curves runs/lenet runs/lenet-2 -o both.png
  cnn viz confusion runs/lenet
  cnn viz filters models/lenet.cnn --weights models/weights/lenet.safetensors
  cnn viz features runs/lenet --image shoe.png --layer c1 --layer c2
  cnn viz tsne runs/lenet --count 2000")]
pub struct Viz {
    /// What to draw
    #[command(subcommand)]
    pub picture: Picture,
}

#[derive(Debug, Subcommand)]
pub enum Picture {
    /// Loss and accuracy of one or several runs
    Curves(Curves),
    /// Which classes are taken for which
    Confusion(Confusion),
    /// The filters of a convolution
    Filters(Filters),
    /// What layers make of a picture
    Features(Features),
    /// Examples on a plane, such that what is alike for the network is near (t-SNE)
    Tsne(Tsne),
}

/// Labelled pictures: those that are named, or the run's; the test part, where there is one.
#[derive(Debug, Args)]
pub struct ExamplesArgs {
    #[command(flatten)]
    pub data: DataArgs,

    /// What happens to the pictures, joined by ->; what is stored with the weights when left out
    #[arg(long, value_name = "TRANSFORMS")]
    pub transforms: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Of several runs, what is validated has a full line and training a dashed one.

Example:
  cnn viz curves runs/plain runs/batch-norm --title 'With and without batch norm' -o norm.svg")]
pub struct Curves {
    /// The folders of the runs
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,

    /// The picture to write
    #[arg(short = 'o', value_name = "FILE", default_value = "curves.svg", value_parser = picture_file())]
    pub file: PathBuf,

    /// What stands above the curves
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub title: String,

    /// Put steps on the horizontal axis, in place of epochs
    #[arg(long)]
    pub steps: bool,

    /// Give the loss a logarithmic axis
    #[arg(long)]
    pub log: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cnn viz confusion runs/lenet
  cnn viz confusion models/lenet.cnn -w models/weights/lenet.safetensors --data fashion-mnist -o lenet.png")]
pub struct Confusion {
    #[command(flatten)]
    pub trained: TrainedArgs,

    #[command(flatten)]
    pub examples: ExamplesArgs,

    /// The output to read, of a model with several
    #[arg(long = "output", value_name = "NAME")]
    pub scores: Option<String>,

    /// The picture to write
    #[arg(short = 'o', value_name = "FILE", default_value = "confusion.svg", value_parser = picture_file())]
    pub file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each filter has its own scale, from its smallest value (black) to its largest (white).

Example:
  cnn viz filters models/torchvision/resnet.cnn --model ResNet18 -w resnet18.safetensors --layer conv1 -o conv1.png")]
pub struct Filters {
    #[command(flatten)]
    pub trained: TrainedArgs,

    /// The convolution; the first when left out
    #[arg(long, value_name = "NAME")]
    pub layer: Option<String>,

    /// The picture to write
    #[arg(short = 'o', value_name = "FILE", default_value = "filters.svg", value_parser = picture_file())]
    pub file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The picture is prepared as the weights' own file says, or as --transforms does, and is then scaled to the model's input if
it still has another size.

Example:
  cnn viz features models/lenet.cnn -w models/weights/lenet.safetensors --image shoe.png --layer c1 --layer c2")]
pub struct Features {
    #[command(flatten)]
    pub trained: TrainedArgs,

    /// The picture that the network sees, a PNG or JPEG file
    #[arg(long, value_name = "PICTURE")]
    pub image: PathBuf,

    /// A layer or block, may be given several times; the first convolution when left out
    #[arg(long = "layer", value_name = "NAME")]
    pub layers: Vec<String>,

    /// What happens to the picture, joined by ->; what is stored with the weights when left out
    #[arg(long, value_name = "TRANSFORMS")]
    pub transforms: Option<String>,

    /// The picture to write
    #[arg(short = 'o', value_name = "FILE", default_value = "features.svg", value_parser = picture_file())]
    pub file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Laurens van der Maaten, Geoffrey Hinton, \"Visualizing Data using t-SNE\", 2008. Distances between groups, and their sizes,
mean nothing. The same seed gives the same picture.

Example:
  cnn viz tsne models/lenet.cnn -w models/weights/lenet.safetensors --data fashion-mnist --count 2000")]
pub struct Tsne {
    #[command(flatten)]
    pub trained: TrainedArgs,

    #[command(flatten)]
    pub examples: ExamplesArgs,

    /// The layer or block whose values are compared; the input of the last dense layer when left out
    #[arg(long, value_name = "NAME")]
    pub layer: Option<String>,

    /// How many examples, chosen at random
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub count: u32,

    /// How many neighbours count, about
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 30.0)]
    pub perplexity: f32,

    /// What the choice of examples and the first places follow from
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0)]
    pub seed: u64,

    /// The picture to write
    #[arg(short = 'o', value_name = "FILE", default_value = "tsne.svg", value_parser = picture_file())]
    pub file: PathBuf,
}
