//! Stochastic gradient descent.

use super::At;
use crate::Error;
use crate::call::Check;
use crate::check::Parameter;

call! {
    /// Stochastic gradient descent, with momentum `μ` and dampening `τ`: the buffer is `b ← μ·b + (1 − τ)·g`, in the first
    /// step `g` itself, and the parameters move by `−rate·b`, or with `nesterov` by `−rate·(g + μ·b)`.
    ///
    /// Ilya Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013;
    /// [`torch.optim.SGD`](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html).
    pub struct Sgd = "sgd" {
        /// The share of the last step's direction that is kept, from 0 to below 1.
        momentum: f64 = 0.0,
        /// The share of the gradient that does not enter the momentum, from 0 to 1.
        dampening: f64 = 0.0,
        /// Look one step ahead; needs momentum and no dampening.
        nesterov: bool = false,
    }
}

impl Check for Sgd {
    fn check(&self) -> Result<(), Error> {
        Parameter("sgd", "momentum").below_one(self.momentum)?;
        Parameter("sgd", "dampening").fraction(self.dampening)?;
        let can_look_ahead = self.momentum > 0.0 && self.dampening == 0.0;
        let allowed = "false without momentum, or with dampening";
        Parameter("sgd", "nesterov").must(!self.nesterov || can_look_ahead, allowed, self.nesterov)
    }
}

impl Sgd {
    pub(super) fn slot_names(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum_buffer"] }
    }

    /// None: another number of slots.
    pub(super) fn update(
        &self,
        at: At,
        parameters: &mut [f32],
        gradients: &[f32],
        slots: &mut [&mut [f32]],
    ) -> Option<()> {
        let (rate, decay) = (at.rate as f32, at.decay as f32);
        if self.momentum == 0.0 {
            let [] = slots else { return None };
            for (p, g) in parameters.iter_mut().zip(gradients) {
                *p -= rate * (g + decay * *p);
            }
            return Some(());
        }
        let [buffer] = slots else { return None };
        let momentum = self.momentum as f32;
        // The first step fills the buffer with the gradient, which is not dampened.
        let is_first = at.step == 1.0;
        let (keep, enter) = if is_first { (0.0, 1.0) } else { (momentum, (1.0 - self.dampening) as f32) };
        let (ahead, of_gradient) = if self.nesterov { (momentum, 1.0) } else { (1.0, 0.0) };
        for ((p, g), b) in parameters.iter_mut().zip(gradients).zip(buffer.iter_mut()) {
            let g = g + decay * *p;
            *b = keep * *b + enter * g;
            *p -= rate * (of_gradient * g + ahead * *b);
        }
        Some(())
    }
}
