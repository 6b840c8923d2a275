//! Which parameters have weight decay.

use crate::Error;
use crate::call::Check;
use crate::check::Parameter;
use std::ops::Range;

call! {
    /// Weight decay, and whether norms' parameters and biases have it: `weight_decay(5e-4, true)`.
    ///
    /// ```
    /// use cnn_recipe::WeightDecay;
    ///
    /// let decay: WeightDecay = "weight_decay(0.01, exclude_norms_and_biases = true)".parse()?;
    /// let parameters = [("0.weight", &[8, 1, 3, 3][..]), ("0.bias", &[8]), ("1.weight", &[8]), ("1.bias", &[8])];
    /// let groups = decay.groups(parameters);
    /// assert_eq!((groups[0].range.clone(), groups[0].decay), (0..72, 0.01));
    /// assert_eq!((groups[1].range.clone(), groups[1].decay), (72..96, 0.0));
    /// # Ok::<(), cnn_recipe::Error>(())
    /// ```
    pub struct WeightDecay = "weight_decay" {
        /// The decay, 0 or more.
        rate: f64 = 0.0,
        /// Leave out every parameter of fewer than two axes: the scales and shifts of norms, biases, slopes of PReLU.
        exclude_norms_and_biases: bool = false,
    }
}

impl Check for WeightDecay {
    fn check(&self) -> Result<(), Error> {
        Parameter("weight_decay", "rate").not_negative(self.rate)
    }
}

/// A run of adjacent parameters of one decay.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The run's elements, where all parameters lie one behind the other.
    pub range: Range<usize>,
    /// Its weight decay.
    pub decay: f64,
}

impl WeightDecay {
    /// The decay of one parameter: 0 where it is left out.
    pub fn of(&self, name: &str, shape: &[usize]) -> f64 {
        // A layer norm over maps has scales and shifts of several axes; its bias is left out by its name.
        let is_norm_or_bias = shape.len() < 2 || name == "bias" || name.ends_with(".bias");
        if self.exclude_norms_and_biases && is_norm_or_bias { 0.0 } else { self.rate }
    }

    /// The runs of equal decay among parameters that lie one behind the other, each given by its full name and shape.
    pub fn groups<'a>(&self, parameters: impl IntoIterator<Item = (&'a str, &'a [usize])>) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut end = 0;
        for (name, shape) in parameters {
            let (start, decay) = (end, self.of(name, shape));
            end += shape.iter().product::<usize>();
            match groups.last_mut() {
                Some(last) if last.decay == decay => last.range.end = end,
                _ => groups.push(Group { range: start..end, decay }),
            }
        }
        groups
    }
}
