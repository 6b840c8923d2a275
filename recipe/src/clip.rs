//! Clipping of gradients.

use crate::Error;
use crate::call::Check;
use crate::check::Parameter;

calls! {
    /// How gradients are clipped before the optimizer sees them: `norm(1.0)` or `value(0.5)`.
    ///
    /// ```
    /// use cnn_recipe::Clip;
    ///
    /// let clip: Clip = "norm(max = 1)".parse()?;
    /// let mut gradients = [3.0, 4.0];
    /// assert_eq!(clip.apply(&mut gradients), 5.0);
    /// assert!((gradients[1] - 0.8).abs() < 1e-6);
    /// # Ok::<(), cnn_recipe::Error>(())
    /// ```
    pub enum Clip("way of clipping") {
        /// By the norm of all gradients together.
        Norm(ClipNorm) = "norm",
        /// Each by itself.
        Value(ClipValue) = "value",
    }
}

call! {
    /// [`clip_by_norm`].
    ///
    /// Razvan Pascanu, Tomas Mikolov, Yoshua Bengio, "On the difficulty of training Recurrent Neural Networks", 2012.
    pub struct ClipNorm = "norm" {
        /// The largest norm, above 0.
        max: f64 = 1.0,
    }
}

call! {
    /// [`clip_by_value`].
    pub struct ClipValue = "value" {
        /// The largest absolute value, above 0.
        max: f64 = 1.0,
    }
}

impl Check for ClipNorm {
    fn check(&self) -> Result<(), Error> {
        Parameter("norm", "max").positive(self.max)
    }
}

impl Check for ClipValue {
    fn check(&self) -> Result<(), Error> {
        Parameter("value", "max").positive(self.max)
    }
}

impl Clip {
    /// Clips all gradients of a step; returns their norm before. A norm that is infinite or NaN says that the gradients
    /// are broken; they are then left as they are.
    pub fn apply(&self, gradients: &mut [f32]) -> f64 {
        match self {
            Self::Norm(ClipNorm { max }) => clip_by_norm(gradients, *max),
            Self::Value(ClipValue { max }) => {
                let norm = total_norm(gradients);
                if norm.is_finite() {
                    clip_by_value(gradients, *max);
                }
                norm
            }
        }
    }
}

/// How many elements are summed by themselves in [`total_norm`].
pub const CHUNK: usize = 4096;

/// Cuts every gradient to the range from `−max` to `max`; NaN stays.
///
/// As [`torch.nn.utils.clip_grad_value_`](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html).
pub fn clip_by_value(gradients: &mut [f32], max: f64) {
    // `min` and `max` would turn NaN into a number, and `clamp` panics where the bounds are NaN.
    let max = max as f32;
    for g in gradients {
        *g = if *g > max {
            max
        } else if *g < -max {
            -max
        } else {
            *g
        };
    }
}

/// Scales all gradients by `max / (norm + 1e-6)` where their norm is larger than that; returns the norm before.
/// Where the norm is infinite or NaN, the gradients stay as they are.
///
/// As [`torch.nn.utils.clip_grad_norm_`](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html).
pub fn clip_by_norm(gradients: &mut [f32], max: f64) -> f64 {
    let norm = total_norm(gradients);
    let scale = max / (norm + 1e-6);
    if norm.is_finite() && scale < 1.0 {
        for g in gradients {
            *g *= scale as f32;
        }
    }
    norm
}

/// The Euclidean norm, in float64: the root of the sum, in their order, of the [`sum_of_squares`] of the slice's
/// [`CHUNK`]s. Threads that share the chunks and add the sums in this order get the same bits.
pub fn total_norm(gradients: &[f32]) -> f64 {
    gradients.chunks(CHUNK).map(sum_of_squares).sum::<f64>().sqrt()
}

/// The sum of the squares of one chunk, in float64, in an order that depends on the chunk's length alone.
pub fn sum_of_squares(chunk: &[f32]) -> f64 {
    // Eight sums side by side: as many as a vector of AVX-512 holds.
    let mut sums = [0.0; 8];
    let eights = chunk.chunks_exact(sums.len());
    let rest = eights.remainder();
    for eight in eights {
        for (sum, x) in sums.iter_mut().zip(eight) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>()
}
