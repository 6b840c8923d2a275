//! Losses whose targets have the output's shape: each element is compared with its own target.

use super::Reduction;
use crate::Error;
use crate::call::Check;
use crate::check::{self, Parameter};

call! {
    /// The squared difference.
    /// [`torch.nn.MSELoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html).
    pub struct Mse = "mse" {
        /// Mean or sum.
        reduction: Reduction = Reduction::Mean,
    }
}

call! {
    /// The absolute difference; where there is none, the gradient is 0.
    /// [`torch.nn.L1Loss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.L1Loss.html).
    pub struct L1 = "l1" {
        /// Mean or sum.
        reduction: Reduction = Reduction::Mean,
    }
}

call! {
    /// `d² / (2·beta)` for differences `d` below `beta`, `|d| − beta / 2` for others.
    ///
    /// Ross Girshick, "Fast R-CNN", 2015;
    /// [`torch.nn.SmoothL1Loss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.SmoothL1Loss.html).
    pub struct SmoothL1 = "smooth_l1" {
        /// Where the parabola becomes a line, 0 or more; 0 is the `l1` loss.
        beta: f64 = 1.0,
        /// Mean or sum.
        reduction: Reduction = Reduction::Mean,
    }
}

call! {
    /// The binary cross entropy between the sigmoid of logits `x` and targets `t` from 0 to 1:
    /// `(1 − t)·x + (1 + (p − 1)·t)·softplus(−x)`.
    /// [`torch.nn.BCEWithLogitsLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html).
    pub struct BceWithLogits = "bce_with_logits" {
        /// The weight `p` of positive targets, 0 or more: one for all, or one for each channel (axis 1); none: 1.
        pos_weight: Vec<f64> = Vec::new(),
        /// Mean or sum.
        reduction: Reduction = Reduction::Mean,
    }
}

impl Check for Mse {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Check for L1 {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Check for SmoothL1 {
    fn check(&self) -> Result<(), Error> {
        Parameter("smooth_l1", "beta").not_negative(self.beta)
    }
}

impl Check for BceWithLogits {
    fn check(&self) -> Result<(), Error> {
        let rule = |weight: &f64| Parameter("bce_with_logits", "pos_weight").not_negative(*weight);
        self.pos_weight.iter().try_for_each(rule)
    }
}

impl Mse {
    pub(super) fn run(&self, output: &[f32], target: &[f32], gradient: Option<&mut [f32]>) -> Result<f64, Error> {
        differences(self.reduction, output, target, gradient, |d| (d * d, 2.0 * d))
    }
}

impl L1 {
    pub(super) fn run(&self, output: &[f32], target: &[f32], gradient: Option<&mut [f32]>) -> Result<f64, Error> {
        differences(self.reduction, output, target, gradient, absolute)
    }
}

impl SmoothL1 {
    pub(super) fn run(&self, output: &[f32], target: &[f32], gradient: Option<&mut [f32]>) -> Result<f64, Error> {
        differences(self.reduction, output, target, gradient, |d| {
            if d.abs() < self.beta {
                return (0.5 * d * d / self.beta, d / self.beta);
            }
            let (value, slope) = absolute(d);
            (value - 0.5 * self.beta, slope)
        })
    }
}

impl BceWithLogits {
    /// That an output of this shape, batch first, has as many channels as there are weights.
    pub(super) fn check_shape(&self, shape: &[usize]) -> Result<(), Error> {
        let channels = shape.get(1).copied().unwrap_or(1);
        match self.pos_weight.len() {
            0 | 1 => Ok(()),
            weights => check::length("the list of positive weights", channels, weights),
        }
    }

    pub(super) fn run(
        &self,
        output: &[f32],
        shape: &[usize],
        target: &[f32],
        gradient: Option<&mut [f32]>,
    ) -> Result<f64, Error> {
        let channels = shape.get(1).copied().unwrap_or(1);
        let inner = shape.iter().skip(2).product::<usize>();
        elements(self.reduction, output, target, gradient, |index, x, t| {
            let weight = match self.pos_weight.as_slice() {
                [] => 1.0,
                [weight] => *weight,
                weights => weights[index / inner % channels],
            };
            let of_softplus = 1.0 + (weight - 1.0) * t;
            // Neither exponential overflows: one side of 0 is computed from the other.
            let small = (-x.abs()).exp();
            let softplus = small.ln_1p() + (-x).max(0.0);
            let sigmoid_of_minus_x = if x >= 0.0 { small / (1.0 + small) } else { 1.0 / (1.0 + small) };
            ((1.0 - t) * x + of_softplus * softplus, (1.0 - t) - of_softplus * sigmoid_of_minus_x)
        })
    }
}

/// The absolute value of a difference and its slope.
fn absolute(d: f64) -> (f64, f64) {
    // `signum` of 0 is 1; the slope at 0 is 0, and NaN's is NaN.
    (d.abs(), if d == 0.0 { 0.0 } else { d.signum() })
}

/// A loss of the differences alone.
fn differences(
    reduction: Reduction,
    output: &[f32],
    target: &[f32],
    gradient: Option<&mut [f32]>,
    loss: impl Fn(f64) -> (f64, f64),
) -> Result<f64, Error> {
    elements(reduction, output, target, gradient, |_, x, t| loss(x - t))
}

/// The reduced loss; `loss` gives the value and the slope of an element from its index, output and target.
fn elements(
    reduction: Reduction,
    output: &[f32],
    target: &[f32],
    gradient: Option<&mut [f32]>,
    loss: impl Fn(usize, f64, f64) -> (f64, f64),
) -> Result<f64, Error> {
    check::length("the target", output.len(), target.len())?;
    let divisor = reduction.divisor(output.len() as f64);
    let at = |(index, (x, t)): (usize, (&f32, &f32))| loss(index, f64::from(*x), f64::from(*t));
    let pairs = output.iter().zip(target).enumerate().map(at);
    let Some(gradient) = gradient else {
        return Ok(pairs.map(|(value, _)| value).sum::<f64>() / divisor);
    };
    let mut sum = 0.0;
    for ((value, slope), g) in pairs.zip(gradient) {
        sum += value;
        *g = (slope / divisor) as f32;
    }
    Ok(sum / divisor)
}
