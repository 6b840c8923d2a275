//! From scores to named classes with probabilities.

use crate::failure::Failure;
use cnn::{Network, Op};

/// A class with its probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The class's position among the scores.
    pub index: usize,
    /// From 0 to 1.
    pub probability: f64,
}

/// The classes from the most probable to the least.
///
/// Scores are turned into probabilities by softmax unless the network has done so already.
pub fn rank(scores: &[f32], are_probabilities: bool) -> Vec<Prediction> {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |score: f32| if are_probabilities { f64::from(score) } else { f64::from(score - largest).exp() };
    let total: f64 = if are_probabilities { 1.0 } else { scores.iter().map(|&score| weight(score)).sum() };
    let mut ranked: Vec<Prediction> = scores
        .iter()
        .enumerate()
        .map(|(index, &score)| Prediction { index, probability: weight(score) / total })
        .collect();
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked
}

/// The output to read: the one named, or the only one of inference. It must be a vector of scores.
pub fn scores_output(network: &Network, name: Option<&str>) -> Result<usize, Failure> {
    let outputs = network.outputs.iter().enumerate().filter(|(_, output)| !output.train_only);
    let names: Vec<(usize, &str)> = outputs.map(|(index, output)| (index, output.name.as_str())).collect();
    let all = || names.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
    let (index, found) = match (name, &names[..]) {
        (Some(name), names) => *names
            .iter()
            .find(|(_, output)| *output == name)
            .ok_or_else(|| Failure::Message(format!("`{}` has no output `{name}`; it has {}", network.name, all())))?,
        (None, [only]) => *only,
        (None, _) => {
            let text = format!("`{}` has several outputs: choose one with `--output`, from {}", network.name, all());
            return Err(Failure::Message(text));
        }
    };
    let shape = network.shape(network.outputs[index].value);
    if shape.elements() == shape[0] {
        return Ok(index);
    }
    Err(Failure::Message(format!("output `{found}` is {shape}, not one score per class")))
}

/// Whether output number `output` is the result of a softmax.
pub fn are_probabilities(network: &Network, output: usize) -> bool {
    let producer = network.outputs.get(output).and_then(|output| network.producer(output.value));
    producer.is_some_and(|layer| matches!(network.layers[layer].op, Op::Softmax(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_become_probabilities_in_order() {
        let ranked = rank(&[1000.0, 1000.0 + 3f32.ln()], false);
        assert_eq!(ranked[0].index, 1);
        assert!((ranked[0].probability - 0.75).abs() < 1e-4);
        assert!((ranked[1].probability - 0.25).abs() < 1e-4);
    }
}
