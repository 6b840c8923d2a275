//! How wrong an output is, and how each of its values should change.

mod classes;
mod elements;

pub use classes::{CrossEntropy, Nll};
pub use elements::{BceWithLogits, L1, Mse, SmoothL1};

use crate::{Error, check};

calls! {
    /// A loss, each as [PyTorch](https://docs.pytorch.org/docs/stable/nn.html#loss-functions) defines it.
    ///
    /// ```
    /// use cnn_recipe::{CrossEntropy, Loss};
    ///
    /// let loss: Loss = "cross_entropy(ignore_index = -1)".parse()?;
    /// assert_eq!(loss, CrossEntropy { ignore_index: -1, ..CrossEntropy::default() }.into());
    ///
    /// // Two examples of three classes; the second example's label does not count.
    /// let (logits, labels) = ([0.0; 6], [1.0, -1.0]);
    /// let mut gradient = [0.0; 6];
    /// let value = loss.value_and_gradient(&logits, &[2, 3], &labels, &mut gradient)?;
    /// assert!((value - 3f64.ln()).abs() < 1e-12);
    /// assert!((gradient[1] + 2.0 / 3.0).abs() < 1e-6 && gradient[3] == 0.0);
    /// # Ok::<(), cnn_recipe::Error>(())
    /// ```
    pub enum Loss("loss") {
        /// Logits against labels.
        CrossEntropy(CrossEntropy) = "cross_entropy",
        /// Logarithms of probabilities against labels.
        Nll(Nll) = "nll",
        /// Squared differences.
        Mse(Mse) = "mse",
        /// Absolute differences.
        L1(L1) = "l1",
        /// Squared differences where they are small, absolute ones elsewhere.
        SmoothL1(SmoothL1) = "smooth_l1",
        /// Logits against probabilities of two classes.
        BceWithLogits(BceWithLogits) = "bce_with_logits",
    }
}

words! {
    /// How the losses of all examples become one number.
    pub enum Reduction("mean or sum") {
        /// Their mean: over labels that count, by the weights of their classes; over all elements where there are no labels.
        Mean = "mean",
        /// Their sum.
        Sum = "sum",
    }
}

impl Loss {
    /// The loss of a batch, and its gradient with respect to the output, which overwrites `gradient`.
    ///
    /// `output` has the given shape, in row-major order, batch first. `target` is
    /// - for `cross_entropy` and `nll`: the labels, whole numbers from 0, of shape `[batch, trailing axes…]`, where the
    ///   classes are axis 1 of the output,
    /// - for the others: what the output should be, of its shape.
    ///
    /// Sums are computed in float64 and in a fixed order.
    ///
    /// # Errors
    ///
    /// Slices and shapes that do not fit together, class weights of another number than the classes, a label that is no
    /// class, and the mean over a batch without a label that counts (where PyTorch gives NaN). What is in `gradient` then is
    /// not specified.
    pub fn value_and_gradient(
        &self,
        output: &[f32],
        shape: &[usize],
        target: &[f32],
        gradient: &mut [f32],
    ) -> Result<f64, Error> {
        check::length("the gradient", output.len(), gradient.len())?;
        self.run(output, shape, target, Some(gradient))
    }

    /// The loss of a batch alone, as [`value_and_gradient`](Self::value_and_gradient) computes it.
    pub fn value(&self, output: &[f32], shape: &[usize], target: &[f32]) -> Result<f64, Error> {
        self.run(output, shape, target, None)
    }

    /// That an output of this shape, batch first, can have this loss.
    ///
    /// # Errors
    ///
    /// A shape without classes where labels are told apart, and another number of weights than classes or channels.
    ///
    /// ```
    /// use cnn_recipe::Loss;
    ///
    /// let loss: Loss = "cross_entropy(weight = [1, 2, 4])".parse()?;
    /// assert!(loss.check_shape(&[64, 3]).is_ok());
    /// let error = loss.check_shape(&[64, 10]).unwrap_err().to_string();
    /// assert_eq!(error, "the list of class weights has 3 elements where 10 are needed");
    /// # Ok::<(), cnn_recipe::Error>(())
    /// ```
    pub fn check_shape(&self, shape: &[usize]) -> Result<(), Error> {
        match self {
            Self::CrossEntropy(loss) => classes::check_classes("cross_entropy", shape, &loss.weight),
            Self::Nll(loss) => classes::check_classes("nll", shape, &loss.weight),
            Self::BceWithLogits(loss) => loss.check_shape(shape),
            Self::Mse(_) | Self::L1(_) | Self::SmoothL1(_) => Ok(()),
        }
    }

    /// Whether targets are labels: one whole number for each position, not a value for each element of the output.
    pub fn wants_labels(&self) -> bool {
        matches!(self, Self::CrossEntropy(_) | Self::Nll(_))
    }

    fn run(&self, output: &[f32], shape: &[usize], target: &[f32], gradient: Option<&mut [f32]>) -> Result<f64, Error> {
        let elements = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size)).unwrap_or(usize::MAX);
        check::length("the output", elements, output.len())?;
        if output.is_empty() {
            return Err(Error::Shape { what: "a loss", needed: "at least one element", shape: shape.into() });
        }
        self.check_shape(shape)?;
        match self {
            Self::CrossEntropy(loss) => loss.run(output, shape, target, gradient),
            Self::Nll(loss) => loss.run(output, shape, target, gradient),
            Self::Mse(loss) => loss.run(output, target, gradient),
            Self::L1(loss) => loss.run(output, target, gradient),
            Self::SmoothL1(loss) => loss.run(output, target, gradient),
            Self::BceWithLogits(loss) => loss.run(output, shape, target, gradient),
        }
    }
}

impl Reduction {
    /// What the sum of all losses is divided by, where the mean's divisor is `total`.
    fn divisor(self, total: f64) -> f64 {
        match self {
            Self::Mean => total,
            Self::Sum => 1.0,
        }
    }
}
