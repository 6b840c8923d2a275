//! From batches to steps: inputs, targets, and what a batch says about the network.

use crate::checkpoint::Sums;
use crate::{Error, Recipe};
use cnn_data::Batch;
use cnn_ir::Network;
use cnn_runtime::training::{Loss as _, StepResult, StepSettings, TrainingSession};
use cnn_runtime::{Outputs, Session, Tensor};
use std::sync::Arc;

/// Makes one term's target of a batch: the term's number and room for the targets of all examples, one behind the other.
pub type Targets = dyn Fn(&Batch, usize, &mut [f32]) -> Result<(), String> + Send + Sync;

/// One step on a batch: forward, loss, gradients and, unless `settings` says otherwise, the update.
///
/// This is what [`Trainer`](crate::Trainer) does again and again; a loop of one's own does it so:
///
/// ```
/// use cnn_data::{Arrays, Batch, Loader, LoaderOptions, Pipeline};
/// use cnn_ir::{Builder, NetworkBuilder, ops::{DenseSpec, FlattenSpec}};
/// use cnn_runtime::training::{StepSettings, TrainingSession};
/// use cnn_train::{Recipe, initial_weights, labels, step, training_options};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut network = NetworkBuilder::new("Line");
/// let image = network.input("image", &[1, 1, 2])?;
/// let flat = network.layer("flatten", FlattenSpec::new(), &[&image])?;
/// let logits = network.layer("fc", DenseSpec::new(2, 2), &[&flat])?;
/// network.output("logits", &logits)?;
/// let network = network.finish()?;
///
/// let mut recipe = Recipe::default();
/// recipe.set("optimizer", "sgd(momentum = 0.9)")?;
/// let weights = initial_weights(&network, &recipe)?;
/// let mut session = TrainingSession::new(&network, &weights, &training_options(&network, &recipe))?;
///
/// let classes = vec!["left".to_owned(), "right".to_owned()];
/// let data = Arrays::new([1, 1, 2], vec![1.0, 0.0, 0.0, 1.0], vec![0, 1], classes)?;
/// let options = LoaderOptions { batch_size: 2, epochs: 20, ..LoaderOptions::default() };
/// let mut loader = Loader::new(Arc::new(data), Pipeline::default(), options)?;
/// let (mut batch, mut losses) = (Batch::default(), Vec::new());
/// while loader.load(&mut batch)? {
///     let settings = StepSettings { rate: 0.1, seed: losses.len() as u64, ..StepSettings::default() };
///     let labels = labels(&batch)?;
///     losses.push(step(&mut session, &mut batch, &[&labels], &settings)?.loss);
/// }
/// assert!(losses[19] < losses[0] / 2.0);
/// # Ok(())
/// # }
/// ```
///
/// The network's only input takes the batch's values, whose shape is the input's.
///
/// # Errors
/// Those of [`TrainingSession::step`].
pub fn step(
    session: &mut TrainingSession,
    batch: &mut Batch,
    targets: &[&Tensor],
    settings: &StepSettings,
) -> Result<StepResult, cnn_runtime::Error> {
    let shape = session.inputs().first().map(|port| port.shape.to_vec()).unwrap_or_default();
    with_input(batch, &shape, |input| session.step(&[input], targets, settings))
}

/// The labels of a batch, as targets of `cross_entropy` and `nll`.
///
/// # Errors
/// None at present.
pub fn labels(batch: &Batch) -> Result<Tensor, cnn_runtime::Error> {
    Tensor::new(&[batch.labels.len(), 1], batch.labels.iter().map(|label| *label as f32).collect())
}

/// Calls with a batch's values as a tensor; they are the batch's again after it.
fn with_input<T, E: From<cnn_runtime::Error>>(
    batch: &mut Batch,
    shape: &[usize],
    call: impl FnOnce(&Tensor) -> Result<T, E>,
) -> Result<T, E> {
    let sizes: Vec<usize> = std::iter::once(batch.labels.len()).chain(shape.iter().copied()).collect();
    let input = Tensor::new(&sizes, std::mem::take(&mut batch.values))?;
    let result = call(&input);
    batch.values = input.into_data();
    result
}

/// The terms of the loss, and how their targets are made.
pub(crate) struct Feed {
    pub heads: Vec<Head>,
    pub input: Vec<usize>,
    classes: usize,
    custom: Option<Arc<Targets>>,
}

/// A term of the loss.
pub(crate) struct Head {
    /// The value's name.
    name: String,
    loss: cnn_recipe::Loss,
    weight: f64,
    /// The target's shape for one example.
    target_shape: Vec<usize>,
    /// Whether inference has the value as an output.
    is_output: bool,
    target: Option<Tensor>,
}

impl Feed {
    /// Checks that network, loss and data go together.
    pub fn new(
        network: &Network,
        recipe: &Recipe,
        picture: [usize; 3],
        classes: usize,
        custom: Option<Arc<Targets>>,
    ) -> Result<Self, Error> {
        let [input] = network.inputs.as_slice() else {
            let problem = format!("the network has {} inputs, and data give one picture", network.inputs.len());
            return Err(Error::mismatch(problem, "train it with a `TrainingSession` and a loop of your own"));
        };
        let is_vector = input.shape.len() == 1 && input.shape.elements() == picture.iter().product::<usize>();
        if *input.shape != picture[..] && !is_vector {
            let [channels, height, width] = picture;
            let problem = format!(
                "the input `{}` is {}, and the pictures are {channels}×{height}×{width} after the transforms",
                input.name, input.shape
            );
            let remedy = match input.shape.as_map() {
                Some([c, _, _]) if c != channels => {
                    format!("add `{}` to the transforms", if c == 1 { "grayscale" } else { "rgb" })
                }
                Some([_, h, w]) => format!("add `resize([{h}, {w}])` to the transforms"),
                None => "change one of the two".to_owned(),
            };
            return Err(Error::mismatch(problem, remedy));
        }
        let mut heads = Vec::new();
        for term in &recipe.loss.terms {
            let (name, shape, is_output) = value(network, term.output.as_deref())?;
            let loss = crate::RecipeLoss(term.loss.clone());
            loss.0.check_shape(&[&[1], &shape[..]].concat())?;
            let target_shape = loss.target_shape(&shape).unwrap_or_default();
            let elements: usize = target_shape.iter().product();
            let remedy = "give the targets by `Trainer::targets`";
            if custom.is_none() && loss.0.wants_labels() {
                if elements != 1 {
                    let problem = format!("`{name}` is {shape}: it needs {elements} labels, and data give one");
                    return Err(Error::mismatch(problem, remedy));
                }
                if classes > shape[0] {
                    let problem = format!("the data have {classes} classes, and `{name}` tells {} apart", shape[0]);
                    return Err(Error::mismatch(problem, "give the network as many outputs as there are classes"));
                }
            } else if custom.is_none() && elements != classes && !(elements == 1 && classes == 2) {
                let problem = format!("`{}` of `{name}` needs {elements} values, and data give a label", loss.0);
                return Err(Error::mismatch(problem, remedy));
            }
            let (loss, weight) = (loss.0, term.weight);
            heads.push(Head { name, loss, weight, target_shape, is_output, target: None });
        }
        Ok(Self { heads, input: input.shape.to_vec(), classes, custom })
    }

    /// Checks that inference has an output with a loss, so that there is something to validate by.
    pub fn check_validation(&self) -> Result<(), Error> {
        if self.heads.iter().any(|head| head.is_output) {
            return Ok(());
        }
        let names: Vec<String> = self.heads.iter().map(|head| format!("`{}`", head.name)).collect();
        let problem = format!("the losses are of {}, which exist in training only", names.join(", "));
        Err(Error::mismatch(problem, "add a loss of an output, or leave validation out"))
    }

    /// Whether there are labels of an output, so that there is an accuracy.
    pub fn is_judged(&self) -> bool {
        self.judged().is_some()
    }

    /// Bytes of one example: its picture and its targets.
    pub fn example_bytes(&self) -> u64 {
        let targets: usize = self.heads.iter().map(|head| head.target_shape.iter().product::<usize>()).sum();
        (4 * (self.input.iter().product::<usize>() + targets)) as u64
    }

    /// One step on a batch.
    pub fn step(
        &mut self,
        session: &mut TrainingSession,
        batch: &mut Batch,
        settings: &StepSettings,
    ) -> Result<(StepResult, Sums), Error> {
        self.fill(batch)?;
        let targets: Vec<&Tensor> = self.heads.iter().filter_map(|head| head.target.as_ref()).collect();
        let result = with_input(batch, &self.input, |input| session.step(&[input], &targets, settings))?;
        let mut sums = Sums::of(batch.labels.len(), result.loss);
        if let Some(head) = self.judged()
            && let (Some(output), Some(target)) = (session.output(&head.name), &head.target)
        {
            (sums.right, sums.labels) = right(output.shape(), output.data(), target.data());
        }
        Ok((result, sums))
    }

    /// The loss and the right labels of what inference gives for a batch.
    pub fn evaluate(&mut self, session: &mut Session, batch: &mut Batch) -> Result<Sums, Error> {
        self.fill(batch)?;
        let examples = batch.labels.len();
        with_input(batch, &self.input, |input| self.score(examples, &session.run(&[input])?))
    }

    fn score(&self, examples: usize, outputs: &Outputs<'_>) -> Result<Sums, Error> {
        let mut loss = 0.0;
        for head in self.heads.iter().filter(|head| head.is_output) {
            if let (Some(output), Some(target)) = (outputs.by_name(&head.name), &head.target) {
                loss += head.weight * head.loss.value(output.data(), output.shape(), target.data())?;
            }
        }
        let mut sums = Sums::of(examples, loss);
        if let Some(head) = self.judged()
            && let (Some(output), Some(target)) = (outputs.by_name(&head.name), &head.target)
        {
            (sums.right, sums.labels) = right(output.shape(), output.data(), target.data());
        }
        Ok(sums)
    }

    fn judged(&self) -> Option<&Head> {
        self.heads.iter().find(|head| head.is_output && head.loss.wants_labels())
    }

    /// Makes the targets of a batch.
    fn fill(&mut self, batch: &Batch) -> Result<(), Error> {
        let examples = batch.labels.len();
        for (term, head) in self.heads.iter_mut().enumerate() {
            let of_example: usize = head.target_shape.iter().product();
            // Of as many examples as before, they lie where they lay.
            if head.target.as_ref().is_none_or(|target| target.shape().first() != Some(&examples)) {
                let shape: Vec<usize> = std::iter::once(examples).chain(head.target_shape.iter().copied()).collect();
                head.target = Some(Tensor::zeros(&shape)?);
            }
            let Some(values) = head.target.as_mut().map(Tensor::data_mut) else { continue };
            if let Some(custom) = &self.custom {
                values.fill(0.0);
                custom(batch, term, values).map_err(|problem| Error::mismatch(problem, "correct the targets"))?;
            } else if head.loss.wants_labels() || (of_example == 1 && self.classes == 2) {
                values.iter_mut().zip(&batch.labels).for_each(|(value, label)| *value = *label as f32);
            } else {
                for (values, label) in values.chunks_exact_mut(of_example).zip(&batch.labels) {
                    values.iter_mut().enumerate().for_each(|(class, value)| *value = f32::from(class == *label));
                }
            }
        }
        Ok(())
    }
}

/// An output or the value of a layer: its name, its shape, and whether inference has it as an output.
fn value(network: &Network, name: Option<&str>) -> Result<(String, cnn_ir::Shape, bool), Error> {
    let named = |name: &str| network.outputs.iter().find(|output| output.name == name);
    if let Some(output) = name.map_or_else(|| network.main_output(), named) {
        return Ok((output.name.clone(), network.shape(output.value).clone(), !output.train_only));
    }
    let name = name.unwrap_or_default();
    let layer = (0..network.layers.len()).find(|layer| network.path(*layer) == name);
    let layer = layer.ok_or_else(|| {
        let outputs: Vec<&str> = network.outputs.iter().map(|output| output.name.as_str()).collect();
        let remedy = format!("its outputs are {}", outputs.join(", "));
        Error::mismatch(format!("the loss is of `{name}`, and the network has no such output or layer"), remedy)
    })?;
    Ok((name.to_owned(), network.layers[layer].shape.clone(), false))
}

/// How many of the labels have the largest of the classes' values, and how many labels there are. The first of equal values
/// counts; a label below 0 does not, and what is not a number is never right.
fn right(shape: &[usize], values: &[f32], labels: &[f32]) -> (u64, u64) {
    let [_, classes, trailing @ ..] = shape else { return (0, 0) };
    let inner: usize = trailing.iter().product();
    let (mut right, mut all) = (0, 0);
    for (position, label) in labels.iter().enumerate().filter(|(_, label)| **label >= 0.0) {
        let start = position / inner * classes * inner + position % inner;
        let mut best: Option<(usize, f32)> = None;
        for (class, value) in values.iter().skip(start).step_by(inner).take(*classes).enumerate() {
            if !value.is_nan() && best.is_none_or(|(_, most)| *value > most) {
                best = Some((class, *value));
            }
        }
        right += u64::from(best.is_some_and(|(class, _)| class as f32 == *label));
        all += 1;
    }
    (right, all)
}

#[cfg(test)]
mod tests {
    use super::right;

    #[test]
    fn labels_are_right_at_the_largest_value() {
        let nan = f32::NAN;
        for (shape, values, labels, expected) in [
            (&[2, 3][..], &[0.0, 2.0, 1.0, 5.0, 4.0, 3.0][..], &[1.0, 1.0][..], (1, 2)),
            (&[1, 2], &[1.0, 1.0], &[0.0], (1, 1)),
            (&[1, 2], &[nan, nan], &[0.0], (0, 1)),
            (&[1, 2], &[nan, -1.0], &[1.0], (1, 1)),
            (&[1, 2, 2], &[0.0, 5.0, 1.0, 4.0], &[1.0, 0.0], (2, 2)),
            (&[1, 2, 2], &[0.0, 5.0, 1.0, 4.0], &[-100.0, 1.0], (0, 1)),
        ] {
            assert_eq!(right(shape, values, labels), expected, "{shape:?} {values:?} {labels:?}");
        }
    }
}
