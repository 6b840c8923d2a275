//! The arguments of `cnn predict`.

use super::{EngineArgs, TrainedArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Pictures are PNG or JPEG files. Weights that `cnn train` has made say how pictures are prepared, and what the classes are
called; without options about it, that is done. Otherwise each picture is scaled to the model's input, turned to grey or RGB
after its channels, divided by 255, and then normalised: (value - mean) / std. ImageNet's usual --mean is 0.485,0.456,0.406,
--std 0.229,0.224,0.225.

Examples:
  cnn predict models/lenet.cnn --weights models/weights/lenet.safetensors shoe.png bag.jpg
  cnn predict runs/lenet shoe.png
  cnn predict net.cnn -w net.safetensors --classes names.txt --top 3 --json photo.jpg
  cnn predict net.cnn -w net.safetensors --fit crop --keep 0.875 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 cat.jpg
  cnn predict models/efficientnet_lite0.cnn -w lite0.safetensors --fit crop --scale 1 --mean 127 --std 128 cat.jpg")]
pub struct Predict {
    #[command(flatten)]
    pub trained: TrainedArgs,

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

/// How a picture of another format is made to fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Fit {
    /// Scale both sides on their own
    #[default]
    Stretch,
    /// Scale the shorter side and cut the rest off around the centre
    Crop,
}
