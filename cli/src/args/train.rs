//! The arguments of the commands around training.

use super::{ModelArgs, TrainedArgs, picture_file};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Settings come from the `train { … }` of the model; the options here go before them. They are written as there:
  --optimizer 'sgd(momentum = 0.9, nesterov = true)'        --loss 'cross_entropy(label_smoothing = 0.1)'
  --schedule 'warmup(5) -> cosine(total = 25)'              --clip 'norm(1.0)'
  --transforms 'random_crop(32, padding = 4) -> horizontal_flip -> normalize(0.5, 0.5)'
The reference (docs/language.md, \"Training\") and the crate cnn-recipe list them all.

Data: fashion-mnist[:FOLDER], mnist:FOLDER, cifar10:FOLDER, cifar100:FOLDER, cifar100-coarse:FOLDER, or folder:PATH with a
folder for each class, or with `train` and `test` (or `val`) that have these. Without --validation, data with a test part
validate on that.

A run leaves runs/NAME/: config.json, the model's source, metrics.csv, metrics.jsonl, TensorBoard's events, curves.svg,
confusion.svg, best.safetensors and last.safetensors. Ctrl-C finishes the step and keeps the state; a second one quits at once.

Examples:
  cnn train models/lenet.cnn --data fashion-mnist
  cnn train net.cnn --data folder:photos --validation 0.2 --epochs 30 --early-stopping 5
  cnn train net.cnn --data cifar10:cifar --weights runs/net/best.safetensors --freeze stem --rate 1e-4
  cnn train --resume runs/lenet
  cnn train --resume runs/lenet --epochs 20

Exit status: 0 done, 1 the input is wrong, 2 the command line is wrong, 130 interrupted.")]
pub struct Train {
    #[command(flatten)]
    pub model: TrainedModel,

    #[command(flatten)]
    pub data: DataArgs,

    /// The run's name; the model's, with a number where that is taken, when left out
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// The folder of all runs
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    pub runs: PathBuf,

    /// Go on with an interrupted run: its folder or its last.safetensors; the latest run of the model when left out
    #[arg(long, value_name = "RUN", num_args = 0..=1, conflicts_with = "weights")]
    pub resume: Option<Option<PathBuf>>,

    /// Start from the weights of this safetensors file
    #[arg(short, long, value_name = "FILE")]
    pub weights: Option<PathBuf>,

    #[command(flatten)]
    pub length: LengthArgs,

    #[command(flatten)]
    pub recipe: RecipeArgs,
}

/// The model to train; a run that is resumed has its own.
#[derive(Debug, Args)]
pub struct TrainedModel {
    /// The `.cnn` file; may be left out with --resume
    #[arg(value_name = "FILE", required_unless_present = "resume")]
    pub file: Option<PathBuf>,

    /// Only this model of the file
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,

    /// Give a model parameter a value
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// What is trained or evaluated on.
#[derive(Debug, Clone, Default, Args)]
pub struct DataArgs {
    /// The data: fashion-mnist, mnist:FOLDER, cifar10:FOLDER, cifar100:FOLDER, folder:PATH
    #[arg(long, value_name = "DATA")]
    pub data: Option<String>,

    /// Leave out pictures of `folder:PATH` that cannot be read, and name them
    #[arg(long)]
    pub skip_bad: bool,
}

/// How long a run is, and what it validates and writes down. Texts, as the `train` section has them; one parser reads both.
#[derive(Debug, Default, Args)]
pub struct LengthArgs {
    /// Passes over the data
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with = "steps", help_heading = "Settings")]
    pub epochs: Option<String>,

    /// Updates of the parameters, in place of --epochs
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Settings")]
    pub steps: Option<String>,

    /// The learning rate
    #[arg(long, value_name = "R", allow_hyphen_values = true, help_heading = "Settings")]
    pub rate: Option<String>,

    /// The course of the learning rate: constant, step, multi_step, exponential, cosine, one_cycle, reduce_on_plateau
    #[arg(long, value_name = "SCHEDULE", help_heading = "Settings")]
    pub schedule: Option<String>,

    /// What the schedule's numbers count: epoch or step; steps for one_cycle and epochs for all others when left out
    #[arg(long, value_name = "UNIT", help_heading = "Settings")]
    pub schedule_per: Option<String>,

    /// The share of the training data that is held back for validation; 0 for none
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, help_heading = "Settings")]
    pub validation: Option<String>,

    /// What happens to pictures in evaluation; what is not random of --transforms when left out
    #[arg(long, value_name = "TRANSFORMS", help_heading = "Settings")]
    pub evaluation_transforms: Option<String>,

    /// What decides which state is the best: loss or accuracy
    #[arg(long, value_name = "METRIC", help_heading = "Settings")]
    pub best: Option<String>,

    /// End after so many epochs in a row that are no better
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Settings")]
    pub early_stopping: Option<String>,

    /// Steps between two checkpoints; one at the end of each epoch when left out
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true, help_heading = "Settings")]
    pub checkpoint_every: Option<String>,

    /// Steps whose mean is one row of metrics.csv
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true, help_heading = "Settings")]
    pub log_every: Option<String>,
}

/// How a network is trained. Texts, as the `train` section has them; one parser reads both.
#[derive(Debug, Default, Args)]
pub struct RecipeArgs {
    /// Examples of a batch
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Settings")]
    pub batch: Option<String>,

    /// sgd, adam, adamw, rmsprop or adagrad, with their arguments
    #[arg(long, value_name = "OPTIMIZER", help_heading = "Settings")]
    pub optimizer: Option<String>,

    /// cross_entropy, nll, mse, l1, smooth_l1, bce_with_logits, or a weighted sum
    #[arg(long, value_name = "LOSS", help_heading = "Settings")]
    pub loss: Option<String>,

    /// What happens to training pictures, joined by ->
    #[arg(long, value_name = "TRANSFORMS", help_heading = "Settings")]
    pub transforms: Option<String>,

    /// How weights start: pytorch, xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal, constant
    #[arg(long, value_name = "INIT", help_heading = "Settings")]
    pub init: Option<String>,

    /// How the weights shrink: a number, or weight_decay(5e-4, true) to leave out biases and what norms and PReLU train
    #[arg(long, value_name = "DECAY", allow_hyphen_values = true, help_heading = "Settings")]
    pub weight_decay: Option<String>,

    /// How gradients are clipped: norm(1.0), value(0.5) or none
    #[arg(long, value_name = "CLIP", help_heading = "Settings")]
    pub clip: Option<String>,

    /// Batches whose gradients make one update
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Settings")]
    pub accumulate: Option<String>,

    /// Leave out an epoch's last batch where it has fewer examples; batch norm learns little from a few
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Settings")]
    pub drop_last: Option<String>,

    /// What order, augmentation, initial weights and the split follow from
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Settings")]
    pub seed: Option<String>,

    /// Layers, blocks or parameters that are not trained
    #[arg(long, value_name = "NAME", help_heading = "Settings")]
    pub freeze: Vec<String>,

    /// Layers or blocks that are initialised although --weights has them
    #[arg(long, value_name = "NAME", help_heading = "Settings")]
    pub fresh: Vec<String>,

    /// Threads of the engine; all cores when left out. Results do not depend on it
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Settings")]
    pub threads: Option<String>,

    /// Threads that load data. Results do not depend on it
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Settings")]
    pub workers: Option<String>,
}

/// A setting's name and text.
pub type Setting = (&'static str, String);

impl LengthArgs {
    /// What was given.
    pub fn settings(&self) -> Vec<Setting> {
        given([
            ("epochs", &self.epochs),
            ("steps", &self.steps),
            ("rate", &self.rate),
            ("schedule", &self.schedule),
            ("schedule_per", &self.schedule_per),
            ("validation", &self.validation),
            ("evaluation_transforms", &self.evaluation_transforms),
            ("best", &self.best),
            ("early_stopping", &self.early_stopping),
            ("checkpoint_every", &self.checkpoint_every),
            ("log_every", &self.log_every),
        ])
    }
}

impl RecipeArgs {
    /// What was given.
    pub fn settings(&self) -> Vec<Setting> {
        let list = |names: &[String]| (!names.is_empty()).then(|| names.join(","));
        given([
            ("batch", &self.batch),
            ("optimizer", &self.optimizer),
            ("loss", &self.loss),
            ("transforms", &self.transforms),
            ("init", &self.init),
            ("weight_decay", &self.weight_decay),
            ("clip", &self.clip),
            ("accumulate", &self.accumulate),
            ("drop_last", &self.drop_last),
            ("seed", &self.seed),
            ("freeze", &list(&self.freeze)),
            ("fresh", &list(&self.fresh)),
            ("threads", &self.threads),
            ("workers", &self.workers),
        ])
    }
}

fn given<const N: usize>(settings: [(&'static str, &Option<String>); N]) -> Vec<Setting> {
    settings.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))).collect()
}

#[derive(Debug, Args)]
#[command(after_help = "\
Pictures are prepared as the weights' own file says (what `cnn train` stores there), or as --transforms does; where neither
says anything, pixels are divided by 255 and nothing else. A run has its weights and its data; those of a model are named,
or the data are what its `train` section says.

Examples:
  cnn eval runs/lenet
  cnn eval models/lenet.cnn --weights runs/lenet/best.safetensors --data fashion-mnist
  cnn eval net.cnn -w runs/net/best.safetensors --data folder:photos --confusion confusion.svg
  cnn eval net.cnn -w net.safetensors --data cifar10:cifar --transforms 'normalize(0.5, 0.25)' --json | jq .accuracy")]
pub struct Eval {
    #[command(flatten)]
    pub trained: TrainedArgs,

    #[command(flatten)]
    pub data: DataArgs,

    /// Which part of the data; the test part when left out; where there is none, what the run has held back, or all of it
    #[arg(long, value_enum)]
    pub split: Option<Split>,

    /// What happens to the pictures, joined by ->; what is stored with the weights when left out
    #[arg(long, value_name = "TRANSFORMS")]
    pub transforms: Option<String>,

    /// The output to read, of a model with several
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,

    /// Pictures in one run
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,

    /// Threads that work on one run; all cores when left out. Results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// Also draw the confusion matrix into this file, an SVG or a PNG picture by its name
    #[arg(long, value_name = "FILE", value_parser = picture_file())]
    pub confusion: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Which part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Split {
    /// What is held back for the test
    Test,
    /// What is trained on
    Train,
    /// Both
    All,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The learning rate rises by the same factor from step to step, and the loss says when it is too high. A third of the rate at
which the smoothed loss falls fastest is tried for as many steps, and a third of that where it does not learn; what does is
suggested. Nothing is written but the picture.
Leslie N. Smith, \"Cyclical Learning Rates for Training Neural Networks\", 2017.

Examples:
  cnn lr-find models/lenet.cnn --data fashion-mnist
  cnn lr-find net.cnn --data cifar10:cifar --optimizer 'sgd(momentum = 0.9)' --svg rates.svg")]
pub struct LrFind {
    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub data: DataArgs,

    /// The first learning rate
    #[arg(long, value_name = "R", allow_negative_numbers = true, default_value_t = 1e-6)]
    pub from: f64,

    /// The last one
    #[arg(long, value_name = "R", allow_negative_numbers = true, default_value_t = 10.0)]
    pub to: f64,

    /// Steps from the first to the last
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(10..))]
    pub steps: u32,

    /// Start from the weights of this safetensors file
    #[arg(short, long, value_name = "FILE")]
    pub weights: Option<PathBuf>,

    /// Draw the loss against the rate into this file, an SVG or a PNG picture by its name
    #[arg(long, value_name = "FILE", value_parser = picture_file())]
    pub svg: Option<PathBuf>,

    #[command(flatten)]
    pub recipe: RecipeArgs,
}
