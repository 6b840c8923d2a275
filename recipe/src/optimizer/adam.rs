//! Adam and AdamW: one update, two ways of weight decay.

use super::At;
use crate::Error;
use crate::call::Check;
use crate::check::Parameter;

call! {
    /// Adam: running means `m` of the gradient and `v` of its square, both corrected for their start at 0; the parameters
    /// move by `−rate·m̂ / (√v̂ + eps)`. Without `amsgrad`.
    ///
    /// Diederik P. Kingma, Jimmy Ba, "Adam: A Method for Stochastic Optimization", 2014;
    /// [`torch.optim.Adam`](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html).
    pub struct Adam = "adam" {
        /// The shares of the means that each step keeps, from 0 to below 1.
        betas: (f64, f64) = (0.9, 0.999),
        /// Added to the root, 0 or more.
        eps: f64 = 1e-8,
    }
}

call! {
    /// Adam whose weight decay is no part of the gradient: the parameters shrink by `rate · decay` before each step.
    ///
    /// Ilya Loshchilov, Frank Hutter, "Decoupled Weight Decay Regularization", 2017;
    /// [`torch.optim.AdamW`](https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html).
    pub struct AdamW = "adamw" {
        /// The shares of the means that each step keeps, from 0 to below 1.
        betas: (f64, f64) = (0.9, 0.999),
        /// Added to the root, 0 or more.
        eps: f64 = 1e-8,
    }
}

impl Check for Adam {
    fn check(&self) -> Result<(), Error> {
        check("adam", self.betas, self.eps)
    }
}

impl Check for AdamW {
    fn check(&self) -> Result<(), Error> {
        check("adamw", self.betas, self.eps)
    }
}

impl Adam {
    /// None: another number of slots.
    pub(super) fn update(&self, at: At, p: &mut [f32], g: &[f32], slots: &mut [&mut [f32]]) -> Option<()> {
        let penalty = at.decay as f32;
        update(Decay { keep: 1.0, penalty }, self.betas, self.eps, at, (p, g, slots))
    }
}

impl AdamW {
    /// None: another number of slots.
    pub(super) fn update(&self, at: At, p: &mut [f32], g: &[f32], slots: &mut [&mut [f32]]) -> Option<()> {
        let keep = (1.0 - at.rate * at.decay) as f32;
        update(Decay { keep, penalty: 0.0 }, self.betas, self.eps, at, (p, g, slots))
    }
}

/// Weight decay: the share of the parameter that is kept, and the share of it that is added to the gradient.
struct Decay {
    keep: f32,
    penalty: f32,
}

fn check(call: &'static str, betas: (f64, f64), eps: f64) -> Result<(), Error> {
    let is_share = |beta: f64| (0.0..1.0).contains(&beta);
    let both = is_share(betas.0) && is_share(betas.1);
    Parameter(call, "betas").must(both, "two numbers from 0 to below 1", betas)?;
    Parameter(call, "eps").not_negative(eps)
}

fn update(
    decay: Decay,
    betas: (f64, f64),
    eps: f64,
    at: At,
    (parameters, gradients, slots): (&mut [f32], &[f32], &mut [&mut [f32]]),
) -> Option<()> {
    let [mean, square] = slots else { return None };
    let Decay { keep, penalty } = decay;
    let (enter, keep_square, enter_square) = ((1.0 - betas.0) as f32, betas.1 as f32, (1.0 - betas.1) as f32);
    let step_size = (at.rate / (1.0 - betas.0.powf(at.step))) as f32;
    let root_scale = (1.0 / (1.0 - betas.1.powf(at.step)).sqrt()) as f32;
    let eps = eps as f32;
    for (((p, g), m), v) in parameters.iter_mut().zip(gradients).zip(mean.iter_mut()).zip(square.iter_mut()) {
        let g = g + penalty * *p;
        *m += enter * (g - *m);
        *v = keep_square * *v + enter_square * g * g;
        *p = *p * keep - step_size * *m / (v.sqrt() * root_scale + eps);
    }
    Some(())
}
