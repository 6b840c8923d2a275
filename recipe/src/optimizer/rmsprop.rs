//! RMSprop.

use super::At;
use crate::Error;
use crate::call::Check;
use crate::check::Parameter;

call! {
    /// RMSprop: the gradient divided by the root of a running mean of its square, `√v + eps`. `centered` subtracts the
    /// square of the gradient's running mean from `v`; with `momentum` the quotients enter a buffer, `b ← μ·b + q`.
    ///
    /// Geoffrey Hinton, "Neural Networks for Machine Learning", lecture 6a; centered: Alex Graves, "Generating Sequences
    /// With Recurrent Neural Networks", 2013;
    /// [`torch.optim.RMSprop`](https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html).
    pub struct RmsProp = "rmsprop" {
        /// The share of the running means that each step keeps, from 0 to below 1.
        alpha: f64 = 0.99,
        /// Added to the root, 0 or more.
        eps: f64 = 1e-8,
        /// The share of the last step's direction that is kept, from 0 to below 1.
        momentum: f64 = 0.0,
        /// Divide by the root of the variance, not of the mean square.
        centered: bool = false,
    }
}

impl Check for RmsProp {
    fn check(&self) -> Result<(), Error> {
        Parameter("rmsprop", "alpha").below_one(self.alpha)?;
        Parameter("rmsprop", "eps").not_negative(self.eps)?;
        Parameter("rmsprop", "momentum").below_one(self.momentum)
    }
}

impl RmsProp {
    pub(super) fn slot_names(&self) -> &'static [&'static str] {
        match (self.momentum > 0.0, self.centered) {
            (false, false) => &["square_avg"],
            (true, false) => &["square_avg", "momentum_buffer"],
            (false, true) => &["square_avg", "grad_avg"],
            (true, true) => &["square_avg", "momentum_buffer", "grad_avg"],
        }
    }

    /// None: another number of slots.
    pub(super) fn update(
        &self,
        at: At,
        parameters: &mut [f32],
        gradients: &[f32],
        slots: &mut [&mut [f32]],
    ) -> Option<()> {
        let (rate, decay, momentum) = (at.rate as f32, at.decay as f32, self.momentum as f32);
        let (keep, enter, eps) = (self.alpha as f32, (1.0 - self.alpha) as f32, self.eps as f32);
        let square_of = |v: &mut f32, g: f32| {
            *v = keep * *v + enter * g * g;
            *v
        };
        let variance_of = |v: &mut f32, a: &mut f32, g: f32| {
            *a += enter * (g - *a);
            // A variance that rounding has made negative has no root.
            (square_of(v, g) - *a * *a).max(0.0)
        };
        let run = parameters.iter_mut().zip(gradients);
        match (self.momentum > 0.0, self.centered, slots) {
            (false, false, [square]) => {
                for ((p, g), v) in run.zip(square.iter_mut()) {
                    let g = g + decay * *p;
                    *p -= rate * (g / (square_of(v, g).sqrt() + eps));
                }
            }
            (true, false, [square, buffer]) => {
                for (((p, g), v), b) in run.zip(square.iter_mut()).zip(buffer.iter_mut()) {
                    let g = g + decay * *p;
                    *b = momentum * *b + g / (square_of(v, g).sqrt() + eps);
                    *p -= rate * *b;
                }
            }
            (false, true, [square, average]) => {
                for (((p, g), v), a) in run.zip(square.iter_mut()).zip(average.iter_mut()) {
                    let g = g + decay * *p;
                    *p -= rate * (g / (variance_of(v, a, g).sqrt() + eps));
                }
            }
            (true, true, [square, buffer, average]) => {
                for ((((p, g), v), b), a) in run.zip(square.iter_mut()).zip(buffer.iter_mut()).zip(average.iter_mut()) {
                    let g = g + decay * *p;
                    *b = momentum * *b + g / (variance_of(v, a, g).sqrt() + eps);
                    *p -= rate * *b;
                }
            }
            _ => return None,
        }
        Some(())
    }
}
