//! What a recipe says, as the engine takes it.

use crate::Recipe;
use cnn_ir::{Network, Shape};
use cnn_recipe::{Clip, ClipNorm, ClipValue, Group, Optimizer, WeightDecay, clip_by_value};
use cnn_runtime::CompileOptions;
use cnn_runtime::training::{Loss, LossTerm, TrainingOptions, Update};
use std::ops::Range;
use std::sync::Arc;

/// The options of a session that trains a network as a recipe says.
///
/// ```
/// use cnn_ir::{Builder, NetworkBuilder, ops::DenseSpec};
/// use cnn_train::{Recipe, training_options};
///
/// # fn main() -> Result<(), cnn_train::Error> {
/// let mut network = NetworkBuilder::new("Line");
/// let x = network.input("x", &[2]).map_err(cnn_runtime::Error::from)?;
/// let y = network.layer("fc", DenseSpec::new(2, 3), &[&x]).map_err(cnn_runtime::Error::from)?;
/// network.output("y", &y).map_err(cnn_runtime::Error::from)?;
/// let network = network.finish().map_err(cnn_runtime::Error::from)?;
///
/// let mut recipe = Recipe::default();
/// recipe.set("optimizer", "adamw")?;
/// let options = training_options(&network, &recipe);
/// assert_eq!(options.update.map(|update| update.slots().len()), Some(2));
/// # Ok(())
/// # }
/// ```
pub fn training_options(network: &Network, recipe: &Recipe) -> TrainingOptions {
    let term = |term: &cnn_recipe::Term| LossTerm {
        value: term.output.clone(),
        weight: term.weight,
        loss: Arc::new(RecipeLoss(term.loss.clone())),
    };
    let parameters = network.parameters();
    let trained = parameters.iter().filter(|p| p.trainable && !recipe.is_frozen(&p.name));
    let update = RecipeUpdate::new(
        recipe.optimizer.clone(),
        &recipe.decay(),
        recipe.clip.clone(),
        trained.map(|p| (p.name.as_str(), p.shape.as_slice())),
    );
    TrainingOptions {
        losses: recipe.loss.terms.iter().map(term).collect(),
        update: Some(Arc::new(update)),
        frozen: recipe.freeze.clone(),
        compile: compile_options(recipe),
        ..TrainingOptions::default()
    }
}

/// How the networks of a recipe are compiled.
pub(crate) fn compile_options(recipe: &Recipe) -> CompileOptions {
    CompileOptions { threads: recipe.threads, ..CompileOptions::default() }
}

/// A loss of the recipe.
///
/// Targets of `cross_entropy` and `nll` are labels: one for each position behind the classes, and one for a vector of
/// classes. Those of the others have the value's shape.
#[derive(Debug, Clone)]
pub struct RecipeLoss(pub cnn_recipe::Loss);

impl Loss for RecipeLoss {
    fn target_shape(&self, value: &Shape) -> Option<Vec<usize>> {
        if !self.0.wants_labels() {
            return Some(value.to_vec());
        }
        let positions = value.get(1..).unwrap_or_default().to_vec();
        Some(if positions.is_empty() { vec![1] } else { positions })
    }

    fn value_and_gradient(&self, y: &[f32], shape: &[usize], target: &[f32], dy: &mut [f32]) -> Result<f64, String> {
        self.0.value_and_gradient(y, shape, target, dy).map_err(|error| error.to_string())
    }
}

/// An optimizer of the recipe with its weight decay and clipping.
#[derive(Debug, Clone)]
pub struct RecipeUpdate {
    optimizer: Optimizer,
    /// Which of all trained parameters have which decay.
    groups: Vec<Group>,
    clip: Option<Clip>,
}

/// The most state vectors of an optimizer.
const MAX_SLOTS: usize = 4;

impl RecipeUpdate {
    /// An update of these trained parameters, given by their full names and shapes in the network's order.
    pub fn new<'a>(
        optimizer: Optimizer,
        decay: &WeightDecay,
        clip: Option<Clip>,
        trained: impl IntoIterator<Item = (&'a str, &'a [usize])>,
    ) -> Self {
        Self { optimizer, groups: decay.groups(trained), clip }
    }
}

impl Update for RecipeUpdate {
    fn slots(&self) -> &[&'static str] {
        self.optimizer.slot_names()
    }

    fn slot_start(&self) -> f32 {
        self.optimizer.slot_start()
    }

    fn factor(&self, norm: f64) -> f32 {
        match &self.clip {
            Some(Clip::Norm(ClipNorm { max })) => (max / (norm + 1e-6)).min(1.0) as f32,
            _ => 1.0,
        }
    }

    fn update(
        &self,
        update: u64,
        rate: f64,
        range: Range<usize>,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        if let Some(Clip::Value(ClipValue { max })) = &self.clip {
            clip_by_value(gradients, *max);
        }
        for group in &self.groups {
            let (start, end) = (group.range.start.max(range.start), group.range.end.min(range.end));
            if start >= end {
                continue;
            }
            let run = start - range.start..end - range.start;
            let count = slots.len().min(MAX_SLOTS);
            let mut parts: [&mut [f32]; MAX_SLOTS] = Default::default();
            for (part, slot) in parts.iter_mut().zip(slots.iter_mut()) {
                *part = &mut slot[run.clone()];
            }
            let (p, g) = (&mut parameters[run.clone()], &gradients[run]);
            let done = self.optimizer.update(update, rate, group.decay, p, g, &mut parts[..count]);
            debug_assert!(done.is_ok(), "all slices are of one run: {done:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_labels_or_values() {
        for (loss, value, target) in [
            ("cross_entropy", vec![10], vec![1]),
            ("nll", vec![3, 4, 5], vec![4, 5]),
            ("mse", vec![3, 4, 5], vec![3, 4, 5]),
        ] {
            let found = RecipeLoss(loss.parse().unwrap()).target_shape(&Shape::new(&value).unwrap());
            assert_eq!(found, Some(target), "{loss}");
        }
    }

    /// Two weights and a bias, in one run and in runs that cut through them: the same as PyTorch's rule by hand.
    #[test]
    fn groups_and_clipping_do_not_depend_on_the_runs() {
        let decay: WeightDecay = "weight_decay(0.5, exclude_norms_and_biases = true)".parse().unwrap();
        let shapes = [("a.weight", &[1, 2][..]), ("a.bias", &[1]), ("b.weight", &[1, 1])];
        for (clip, expected) in [
            (None, [1.0 - 0.1 * 4.5, 1.0 - 0.1 * 4.5, 1.0 - 0.1 * 4.0, 1.0 - 0.1 * 4.5]),
            (Some("value(1)"), [1.0 - 0.1 * 1.5, 1.0 - 0.1 * 1.5, 1.0 - 0.1, 1.0 - 0.1 * 1.5]),
        ] {
            let clip = clip.map(|clip| clip.parse().unwrap());
            let update = RecipeUpdate::new("sgd(momentum = 0.9)".parse().unwrap(), &decay, clip, shapes);
            for cuts in [vec![0, 4], vec![0, 1, 4], vec![0, 2, 3, 4], vec![0, 1, 2, 3, 4]] {
                let (mut p, mut g, mut slot) = ([1.0f32; 4], [4.0f32; 4], [0.0f32; 4]);
                for cut in cuts.windows(2) {
                    let range = cut[0]..cut[1];
                    let slots = &mut [&mut slot[range.clone()]];
                    update.update(0, 0.1, range.clone(), &mut p[range.clone()], &mut g[range.clone()], slots);
                }
                assert!(p.iter().zip(expected).all(|(p, e)| (f64::from(*p) - e).abs() < 1e-6), "{p:?} {expected:?}");
            }
        }
    }

    #[test]
    fn the_norm_is_clipped_by_a_factor() {
        let update = |clip: &str| {
            RecipeUpdate::new(Optimizer::Sgd(Default::default()), &WeightDecay::default(), clip.parse().ok(), [])
        };
        for (clip, norm, factor) in [("norm(2)", 8.0, 0.25), ("norm(2)", 1.0, 1.0), ("value(2)", 8.0, 1.0)] {
            assert!((update(clip).factor(norm) - factor).abs() < 1e-6, "{clip} {norm}");
        }
    }
}
