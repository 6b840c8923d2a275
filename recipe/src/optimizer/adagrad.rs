//! Adagrad.

use super::At;
use crate::Error;
use crate::call::Check;
use crate::check::Parameter;

call! {
    /// Adagrad: the gradient divided by the root of the sum of all its squares, `√s + eps`; the rate of step `t`, counted
    /// from 1, is `rate / (1 + (t − 1)·lr_decay)`.
    ///
    /// John Duchi, Elad Hazan, Yoram Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    /// Optimization", 2011;
    /// [`torch.optim.Adagrad`](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html).
    pub struct Adagrad = "adagrad" {
        /// How fast the rate falls, 0 or more.
        lr_decay: f64 = 0.0,
        /// Added to the root, 0 or more.
        eps: f64 = 1e-10,
        /// What the sums start with, 0 or more.
        initial_accumulator_value: f64 = 0.0,
    }
}

impl Check for Adagrad {
    fn check(&self) -> Result<(), Error> {
        Parameter("adagrad", "lr_decay").not_negative(self.lr_decay)?;
        Parameter("adagrad", "eps").not_negative(self.eps)?;
        Parameter("adagrad", "initial_accumulator_value").not_negative(self.initial_accumulator_value)
    }
}

impl Adagrad {
    /// None: another number of slots.
    pub(super) fn update(
        &self,
        at: At,
        parameters: &mut [f32],
        gradients: &[f32],
        slots: &mut [&mut [f32]],
    ) -> Option<()> {
        let [sum] = slots else { return None };
        let rate = (at.rate / (1.0 + (at.step - 1.0) * self.lr_decay)) as f32;
        let (decay, eps) = (at.decay as f32, self.eps as f32);
        for ((p, g), s) in parameters.iter_mut().zip(gradients).zip(sum.iter_mut()) {
            let g = g + decay * *p;
            *s += g * g;
            *p -= rate * g / (s.sqrt() + eps);
        }
        Some(())
    }
}
