//! Losses whose targets are labels.

use super::Reduction;
use crate::Error;
use crate::call::Check;
use crate::check::{self, Parameter};

call! {
    /// The cross entropy between the softmax of logits and labels; `−log softmax(x)[label]`.
    ///
    /// Labels alone; probabilities as targets are left out. Label smoothing: Christian Szegedy et al., "Rethinking the
    /// Inception Architecture for Computer Vision", 2015;
    /// [`torch.nn.CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).
    pub struct CrossEntropy = "cross_entropy" {
        /// The share of each label that is spread over all classes evenly, from 0 to 1.
        label_smoothing: f64 = 0.0,
        /// A weight for each class, 0 or more; none: all 1.
        weight: Vec<f64> = Vec::new(),
        /// The label of positions that do not count.
        ignore_index: i64 = -100,
        /// Mean or sum.
        reduction: Reduction = Reduction::Mean,
    }
}

call! {
    /// The negative log likelihood of labels, for outputs that are logarithms of probabilities (of `log_softmax`).
    /// [`torch.nn.NLLLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html).
    pub struct Nll = "nll" {
        /// A weight for each class, 0 or more; none: all 1.
        weight: Vec<f64> = Vec::new(),
        /// The label of positions that do not count.
        ignore_index: i64 = -100,
        /// Mean or sum.
        reduction: Reduction = Reduction::Mean,
    }
}

impl Check for CrossEntropy {
    fn check(&self) -> Result<(), Error> {
        Parameter("cross_entropy", "label_smoothing").fraction(self.label_smoothing)?;
        check_weights("cross_entropy", &self.weight)
    }
}

impl Check for Nll {
    fn check(&self) -> Result<(), Error> {
        check_weights("nll", &self.weight)
    }
}

fn check_weights(call: &'static str, weights: &[f64]) -> Result<(), Error> {
    weights.iter().try_for_each(|weight| Parameter(call, "weight").not_negative(*weight))
}

/// That an output of this shape, batch first, has classes, and as many as there are weights.
pub(super) fn check_classes(what: &'static str, shape: &[usize], weights: &[f64]) -> Result<(), Error> {
    let [_, classes, ..] = shape else {
        return Err(Error::Shape { what, needed: "a batch and classes, [batch, classes, …]", shape: shape.into() });
    };
    if weights.is_empty() {
        return Ok(());
    }
    check::length("the list of class weights", *classes, weights.len())?;
    if weights.iter().any(|weight| *weight > 0.0) { Ok(()) } else { Err(Error::NoLabels) }
}

impl CrossEntropy {
    pub(super) fn run(
        &self,
        output: &[f32],
        shape: &[usize],
        target: &[f32],
        mut gradient: Option<&mut [f32]>,
    ) -> Result<f64, Error> {
        let labels = Labels::new(shape, target, &self.weight, self.ignore_index)?;
        let divisor = labels.divisor(self.reduction)?;
        let all_weights: f64 = (0..labels.classes).map(|class| labels.weight(class)).sum();
        let spread = self.label_smoothing / labels.classes as f64;
        let kept = 1.0 - self.label_smoothing;
        fill_zero(&mut gradient);
        let mut sum = 0.0;
        for position in 0..target.len() {
            let Some(label) = labels.at(position)? else { continue };
            let start = labels.index(position, 0);
            let logit = |class: usize| f64::from(output[start + class * labels.inner]);
            let classes = 0..labels.classes;
            // `max` passes over NaN; the exponentials below do not.
            let max = classes.clone().map(logit).fold(f64::NEG_INFINITY, f64::max);
            let log_sum = max + classes.clone().map(|class| (logit(class) - max).exp()).sum::<f64>().ln();
            let of_label = kept * labels.weight(label);
            sum += of_label * (log_sum - logit(label));
            if spread > 0.0 {
                sum += spread * classes.clone().map(|c| labels.weight(c) * (log_sum - logit(c))).sum::<f64>();
            }
            let Some(gradient) = gradient.as_deref_mut() else { continue };
            for class in classes {
                let probability = (logit(class) - log_sum).exp();
                let wanted = spread * labels.weight(class) + if class == label { of_label } else { 0.0 };
                let slope = (of_label + spread * all_weights) * probability - wanted;
                gradient[start + class * labels.inner] = (slope / divisor) as f32;
            }
        }
        Ok(sum / divisor)
    }
}

impl Nll {
    pub(super) fn run(
        &self,
        output: &[f32],
        shape: &[usize],
        target: &[f32],
        mut gradient: Option<&mut [f32]>,
    ) -> Result<f64, Error> {
        let labels = Labels::new(shape, target, &self.weight, self.ignore_index)?;
        let divisor = labels.divisor(self.reduction)?;
        fill_zero(&mut gradient);
        let mut sum = 0.0;
        for position in 0..target.len() {
            let Some(label) = labels.at(position)? else { continue };
            let (index, weight) = (labels.index(position, label), labels.weight(label));
            sum -= weight * f64::from(output[index]);
            if let Some(gradient) = gradient.as_deref_mut() {
                gradient[index] = (-weight / divisor) as f32;
            }
        }
        Ok(sum / divisor)
    }
}

/// The labels of a batch; a position is an index into them.
struct Labels<'a> {
    target: &'a [f32],
    weights: &'a [f64],
    ignore_index: f32,
    classes: usize,
    /// Positions of one example: the product of the axes behind the classes.
    inner: usize,
}

impl<'a> Labels<'a> {
    /// Of an output whose shape has been checked.
    fn new(shape: &[usize], target: &'a [f32], weights: &'a [f64], ignore_index: i64) -> Result<Self, Error> {
        let classes = shape.get(1).copied().unwrap_or(1);
        let inner: usize = shape.iter().skip(2).product();
        let batch = shape.first().copied().unwrap_or(1);
        check::length("the labels", batch * inner, target.len())?;
        Ok(Self { target, weights, ignore_index: ignore_index as f32, classes, inner })
    }

    /// The label of a position; none where it does not count.
    fn at(&self, position: usize) -> Result<Option<usize>, Error> {
        let label = self.target[position];
        if label == self.ignore_index {
            return Ok(None);
        }
        if label >= 0.0 && label < self.classes as f32 && label.fract() == 0.0 {
            return Ok(Some(label as usize));
        }
        let (example, within) = (position / self.inner, position % self.inner);
        let position = (self.inner > 1).then_some(within);
        Err(Error::Label { example, position, label, classes: self.classes })
    }

    /// What the sum of all losses is divided by: for the mean, the weights of all labels that count.
    fn divisor(&self, reduction: Reduction) -> Result<f64, Error> {
        let mut total = 0.0;
        for position in 0..self.target.len() {
            total += self.at(position)?.map_or(0.0, |label| self.weight(label));
        }
        match reduction {
            Reduction::Mean if total == 0.0 => Err(Error::NoLabels),
            reduction => Ok(reduction.divisor(total)),
        }
    }

    fn weight(&self, class: usize) -> f64 {
        self.weights.get(class).copied().unwrap_or(1.0)
    }

    /// Where the output of a class lies.
    fn index(&self, position: usize, class: usize) -> usize {
        (position / self.inner * self.classes + class) * self.inner + position % self.inner
    }
}

fn fill_zero(gradient: &mut Option<&mut [f32]>) {
    if let Some(gradient) = gradient {
        gradient.fill(0.0);
    }
}
