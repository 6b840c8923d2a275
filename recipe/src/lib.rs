//! What a training run is made of: losses, optimizers, schedules, clipping and initialisers, each as PyTorch defines it.
//!
//! Everything here is a function on flat slices: it knows no graph, no threads and no files. The same calls are made by
//! the operators of a training graph and by a loop of one's own:
//!
//! ```
//! use cnn_recipe::{Loss, Optimizer, Schedule};
//!
//! # fn main() -> Result<(), cnn_recipe::Error> {
//! let loss: Loss = "cross_entropy(label_smoothing = 0.1)".parse()?;
//! let optimizer: Optimizer = "sgd(momentum = 0.9, nesterov = true)".parse()?;
//! let schedule: Schedule = "warmup(5) -> cosine(total = 30)".parse()?;
//!
//! // The simplest network: the parameters are the logits of one example of class 2.
//! let mut logits = vec![0.0; 3];
//! let mut gradient = vec![0.0; 3];
//! let mut momentum = vec![0.0; 3];
//! let mut values = Vec::new();
//! for step in 0..30 {
//!     values.push(loss.value_and_gradient(&logits, &[1, 3], &[2.0], &mut gradient)?);
//!     let rate = schedule.rate(0.1, step);
//!     optimizer.update(step, rate, 0.0, &mut logits, &gradient, &mut [&mut momentum])?;
//! }
//! assert!(values[29] < values[0]);
//! # Ok(())
//! # }
//! ```
//!
//! Every configuration is written as a call, on the command line, in the language's `train` section and in Rust:
//! `adam(betas = (0.9, 0.999), eps = 1e-8)`. What is left out has PyTorch's default; arguments without a name fill the
//! parameters in their order; `Display` writes what differs from the defaults. The same types read and write serde's
//! formats, where unknown fields and values that are not allowed are errors too.

#[macro_use]
mod call;
mod check;
mod clip;
mod error;
mod groups;
mod init;
mod loss;
mod objective;
mod optimizer;
mod plateau;
mod random;
mod schedule;

pub use clip::{CHUNK, Clip, ClipNorm, ClipValue, clip_by_norm, clip_by_value, sum_of_squares, total_norm};
pub use error::Error;
pub use groups::{Group, WeightDecay};
pub use init::{
    ConstantValue, Distribution, FanMode, Initialiser, KaimingNormal, KaimingUniform, Nonlinearity, Parameter, PyTorch,
    XavierNormal, XavierUniform, fans,
};
pub use loss::{BceWithLogits, CrossEntropy, L1, Loss, Mse, Nll, Reduction, SmoothL1};
pub use objective::{Head, Objective, Term};
pub use optimizer::{Adagrad, Adam, AdamW, Optimizer, RmsProp, Sgd, check_rate};
pub use plateau::Plateau;
pub use schedule::{
    Anneal, Constant, Cosine, Curve, Exponential, Mode, MultiStep, OneCycle, ReduceOnPlateau, Schedule, Step,
    ThresholdMode, Warmup,
};
