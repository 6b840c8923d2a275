//! The learning rate as a function of the step.

use crate::Error;
use crate::call::{Check, Cursor, Form};
use crate::check::Parameter;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// A learning rate for every step: a curve, and where wanted a linear warm-up before it.
///
/// Steps are whatever the caller counts: epochs, or updates. The rate is a function of the step alone, so a run that is
/// resumed needs no history; the one exception is [`ReduceOnPlateau`], whose history is a [`Plateau`](crate::Plateau).
///
/// ```
/// use cnn_recipe::Schedule;
///
/// let schedule: Schedule = "warmup(4, start_factor = 0.25) -> step(10, gamma = 0.5)".parse()?;
/// assert_eq!([0, 2, 4, 13, 14].map(|step| schedule.rate(0.8, step)), [0.2, 0.5, 0.8, 0.8, 0.4]);
/// # Ok::<(), cnn_recipe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Warmup>,
    /// What follows it; its steps are counted from the end of the warm-up.
    pub curve: Curve,
}

call! {
    /// A rate that rises linearly to the curve's first one.
    ///
    /// As [`LinearLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html) before a
    /// [`SequentialLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html)'s
    /// milestone. Priya Goyal et al., "Accurate, Large Minibatch SGD", 2017.
    pub struct Warmup = "warmup" {
        /// How many steps it takes; at least 1 must be given.
        steps: u64 = 0,
        /// The share of the rate in step 0, above 0 and up to 1.
        start_factor: f64 = 1.0 / 3.0,
    }
}

calls! {
    /// The course of the rate, each as [PyTorch](https://docs.pytorch.org/docs/stable/optim.html) defines it.
    pub enum Curve("schedule") {
        /// Always the base rate.
        Constant(Constant) = "constant",
        /// Falls at equal distances.
        Step(Step) = "step",
        /// Falls at given steps.
        MultiStep(MultiStep) = "multi_step",
        /// Falls in every step.
        Exponential(Exponential) = "exponential",
        /// Half a cosine.
        Cosine(Cosine) = "cosine",
        /// Up and down once.
        OneCycle(OneCycle) = "one_cycle",
        /// Falls when a metric gets no better.
        ReduceOnPlateau(ReduceOnPlateau) = "reduce_on_plateau",
    }
}

call! {
    /// The base rate in every step.
    pub struct Constant = "constant" {}
}

call! {
    /// `base · gamma^⌊step / step_size⌋`.
    /// [`StepLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html).
    pub struct Step = "step" {
        /// The steps between two falls; at least 1 must be given.
        step_size: u64 = 0,
        /// The factor of each fall, above 0.
        gamma: f64 = 0.1,
    }
}

call! {
    /// `base · gamma^(milestones up to the step)`.
    /// [`MultiStepLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html).
    pub struct MultiStep = "multi_step" {
        /// The steps in which the rate falls, in any order.
        milestones: Vec<u64> = Vec::new(),
        /// The factor of each fall, above 0.
        gamma: f64 = 0.1,
    }
}

call! {
    /// `base · gamma^step`.
    /// [`ExponentialLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html).
    pub struct Exponential = "exponential" {
        /// The factor of each step, above 0.
        gamma: f64 = 1.0,
    }
}

call! {
    /// `min + (base − min)·(1 + cos(π·step / total)) / 2`; after `total` steps the rate rises again, as PyTorch's does.
    ///
    /// Ilya Loshchilov, Frank Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016;
    /// [`CosineAnnealingLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html).
    pub struct Cosine = "cosine" {
        /// The steps to the lowest rate; at least 1 must be given.
        total: u64 = 0,
        /// The lowest rate, 0 or more.
        min: f64 = 0.0,
    }
}

call! {
    /// From `max_rate / div_factor` up to `max_rate` and down to `max_rate / div_factor / final_div_factor`, where the rate
    /// stays. Rates only: the momentum is not cycled, as in PyTorch with `cycle_momentum = False`; two phases.
    ///
    /// Leslie N. Smith, Nicholay Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    /// Rates", 2017; [`OneCycleLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html).
    pub struct OneCycle = "one_cycle" {
        /// The steps of the cycle; at least 1 must be given.
        total: u64 = 0,
        /// The highest rate, above 0; `none` is the base rate.
        max_rate: Option<f64> = None,
        /// The share of the steps in which the rate rises, from 0 to 1.
        pct_start: f64 = 0.3,
        /// The highest rate divided by the first, above 0.
        div_factor: f64 = 25.0,
        /// The first rate divided by the last, above 0.
        final_div_factor: f64 = 1e4,
        /// How the rate goes from one to the other.
        anneal: Anneal = Anneal::Cos,
    }
}

call! {
    /// The rate falls by a factor when a metric has not become better for more than `patience` observations.
    /// [`ReduceLROnPlateau`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html).
    pub struct ReduceOnPlateau = "reduce_on_plateau" {
        /// The factor of each fall, from 0 to below 1.
        factor: f64 = 0.1,
        /// How many observations in a row may be no better.
        patience: u64 = 10,
        /// How much better counts as better, 0 or more.
        threshold: f64 = 1e-4,
        /// Whether less or more is better.
        mode: Mode = Mode::Min,
        /// Whether `threshold` is a share of the best value or a difference to it.
        threshold_mode: ThresholdMode = ThresholdMode::Rel,
        /// Observations after a fall that are not counted.
        cooldown: u64 = 0,
        /// The lowest rate, 0 or more.
        min: f64 = 0.0,
        /// A fall that is no larger than this is left out, 0 or more.
        eps: f64 = 1e-8,
    }
}

words! {
    /// The course between two rates.
    pub enum Anneal("cos or linear") {
        /// Half a cosine.
        Cos = "cos",
        /// A straight line.
        Linear = "linear",
    }
}

words! {
    /// Which metric is better.
    pub enum Mode("min or max") {
        /// The smaller one: a loss.
        Min = "min",
        /// The larger one: an accuracy.
        Max = "max",
    }
}

words! {
    /// What a threshold is compared with.
    pub enum ThresholdMode("rel or abs") {
        /// A share of the best value.
        Rel = "rel",
        /// A difference to it.
        Abs = "abs",
    }
}

impl Schedule {
    /// The learning rate of a step, counted from 0, for a base rate.
    pub fn rate(&self, base: f64, step: u64) -> f64 {
        let Some(warmup) = &self.warmup else { return self.curve.rate(base, step) };
        if step >= warmup.steps {
            return self.curve.rate(base, step - warmup.steps);
        }
        // PyTorch's warm-up ends at the base rate; here it ends at the curve's first, which differs for one-cycle alone.
        let share = step as f64 / warmup.steps as f64;
        self.curve.rate(base, 0) * (warmup.start_factor + (1.0 - warmup.start_factor) * share)
    }

    /// That all values are allowed; what is read from text or by serde has been checked.
    pub fn check(&self) -> Result<(), Error> {
        self.warmup.as_ref().map_or(Ok(()), Check::check)?;
        self.curve.check()
    }
}

impl Curve {
    /// The learning rate of a step, counted from 0, for a base rate.
    pub fn rate(&self, base: f64, step: u64) -> f64 {
        let step_f64 = step as f64;
        match self {
            Self::Constant(_) | Self::ReduceOnPlateau(_) => base,
            Self::Step(Step { step_size, gamma }) => base * gamma.powf((step / (*step_size).max(1)) as f64),
            Self::MultiStep(MultiStep { milestones, gamma }) => {
                base * gamma.powf(milestones.iter().filter(|milestone| **milestone <= step).count() as f64)
            }
            Self::Exponential(Exponential { gamma }) => base * gamma.powf(step_f64),
            Self::Cosine(Cosine { total, min }) => cosine(base, *min, step_f64 / (*total).max(1) as f64),
            Self::OneCycle(cycle) => cycle.rate(base, step_f64),
        }
    }
}

impl OneCycle {
    fn rate(&self, base: f64, step: f64) -> f64 {
        let max = self.max_rate.unwrap_or(base);
        let first = max / self.div_factor;
        let last = first / self.final_div_factor;
        let (top, end) = (self.pct_start * self.total as f64 - 1.0, self.total as f64 - 1.0);
        let (from, to, start, width) =
            if step <= top { (first, max, 0.0, top) } else { (max, last, top.max(0.0), end - top.max(0.0)) };
        // A phase without width is over when it begins.
        let share = if width > 0.0 { ((step - start) / width).min(1.0) } else { 1.0 };
        match self.anneal {
            Anneal::Cos => cosine(from, to, share),
            Anneal::Linear => from + (to - from) * share,
        }
    }
}

/// Half a cosine from one value to another.
fn cosine(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * share).cos()) / 2.0
}

impl From<Curve> for Schedule {
    fn from(curve: Curve) -> Self {
        Self { warmup: None, curve }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(warmup) = &self.warmup {
            write!(f, "{warmup} -> ")?;
        }
        write!(f, "{}", self.curve)
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut cursor = Cursor::new(text);
        let mut call = cursor.call()?;
        let mut warmup = None;
        if call.name == "warmup" {
            warmup = Some(Warmup::from_call(call)?);
            if !cursor.eat("->") {
                return Err(cursor.expected("`->` and the schedule that follows"));
            }
            call = cursor.call()?;
        }
        cursor.end()?;
        Ok(Self { warmup, curve: Curve::from_call(call)? })
    }
}

impl Check for Warmup {
    fn check(&self) -> Result<(), Error> {
        Parameter("warmup", "steps").given(self.steps)?;
        let is_share = self.start_factor > 0.0 && self.start_factor <= 1.0;
        Parameter("warmup", "start_factor").must(is_share, "above 0 and up to 1", self.start_factor)
    }
}

impl Check for Constant {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Check for Step {
    fn check(&self) -> Result<(), Error> {
        Parameter("step", "step_size").given(self.step_size)?;
        Parameter("step", "gamma").positive(self.gamma)
    }
}

impl Check for MultiStep {
    fn check(&self) -> Result<(), Error> {
        Parameter("multi_step", "gamma").positive(self.gamma)
    }
}

impl Check for Exponential {
    fn check(&self) -> Result<(), Error> {
        Parameter("exponential", "gamma").positive(self.gamma)
    }
}

impl Check for Cosine {
    fn check(&self) -> Result<(), Error> {
        Parameter("cosine", "total").given(self.total)?;
        Parameter("cosine", "min").not_negative(self.min)
    }
}

impl Check for OneCycle {
    fn check(&self) -> Result<(), Error> {
        let call = "one_cycle";
        Parameter(call, "total").given(self.total)?;
        Parameter(call, "max_rate").positive(self.max_rate.unwrap_or(1.0))?;
        Parameter(call, "pct_start").fraction(self.pct_start)?;
        Parameter(call, "div_factor").positive(self.div_factor)?;
        Parameter(call, "final_div_factor").positive(self.final_div_factor)
    }
}

impl Check for ReduceOnPlateau {
    fn check(&self) -> Result<(), Error> {
        let call = "reduce_on_plateau";
        Parameter(call, "factor").below_one(self.factor)?;
        Parameter(call, "threshold").not_negative(self.threshold)?;
        Parameter(call, "min").not_negative(self.min)?;
        Parameter(call, "eps").not_negative(self.eps)
    }
}
