//! `cnn viz tsne`

use super::save;
use super::source::Source;
use super::values::{self, with_outputs};
use crate::args::MessageFormat;
use crate::args::viz::Tsne;
use crate::failure::Failure;
use cnn::{CompileOptions, Network, Op, Session, Tensor, ValueId};
use cnn_data::{Batch, Dataset, Loader, LoaderOptions, Pipeline, Random, Subset};
use cnn_train::{TsneOptions, plot, tsne};
use std::sync::Arc;

/// Draws examples on a plane, by the values that a layer has for them.
pub fn run(args: &Tsne, format: MessageFormat) -> Result<(), Failure> {
    let source = Source::open(&args.trained, format)?;
    let network = &source.network;
    let (name, value) = match &args.layer {
        Some(name) => (name.clone(), values::find(network, name)?),
        None => before_classifier(network)?,
    };
    let transforms = source.transforms(args.examples.transforms.as_deref())?;
    let dataset = Arc::new(some(source.dataset(&args.examples)?, args.count as usize, args.seed)?);

    let tapped = with_outputs(network, &[(name.clone(), value)]);
    let session = Session::from_network(&tapped, &source.trained.weights, &CompileOptions::default())?;
    let (rows, labels) = values_of(session, dataset.clone(), transforms)?;
    let options = TsneOptions { perplexity: args.perplexity, seed: args.seed, ..TsneOptions::default() };
    let width = network.shape(value).elements();
    let places = tsne(&rows, width, &options).map_err(Failure::new)?;
    let title = format!("{}: {} examples by {name} (t-SNE)", network.name, labels.len());
    let picture = plot::scatter(&title, &places, &labels, dataset.classes()).map_err(Failure::new)?;
    save(&args.file, &picture, &format!("{} examples by the {width} values of `{name}`", labels.len()))
}

/// The input of the last dense layer.
fn before_classifier(network: &Network) -> Result<(String, ValueId), Failure> {
    let dense = |layer: &&cnn::Layer| matches!(layer.op, Op::Dense(_)) && !layer.train_only;
    let value = network.layers.iter().rfind(dense).and_then(|layer| layer.inputs.first().copied());
    let made = value.and_then(|value| Some((network.path(network.producer(value)?), value)));
    made.ok_or_else(|| {
        Failure::Message(format!("`{}` has no dense layer behind others: name a layer with `--layer`", network.name))
    })
}

/// Some examples, chosen at random, in the order of the whole.
fn some(dataset: Arc<dyn Dataset>, count: usize, seed: u64) -> Result<Subset, Failure> {
    let mut indices: Vec<usize> = (0..dataset.len()).collect();
    Random::new(seed).shuffle(&mut indices);
    indices.truncate(count);
    indices.sort_unstable();
    Subset::new(dataset, indices).map_err(Failure::new)
}

/// The values of the only output for every example, one behind the other, and the labels.
fn values_of(
    mut session: Session,
    dataset: Arc<dyn Dataset>,
    transforms: Pipeline,
) -> Result<(Vec<f32>, Vec<usize>), Failure> {
    let width: usize = session.outputs().iter().map(|port| port.shape.elements()).sum();
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    values.try_reserve_exact(width.saturating_mul(dataset.len())).map_err(|_| {
        let text = format!("there is no memory for {} examples of {width} values: lower `--count`", dataset.len());
        Failure::Message(text)
    })?;
    let mut loader = Loader::new(dataset, transforms, LoaderOptions::default()).map_err(Failure::new)?;
    let [channels, height, width] = loader.shape();
    let mut batch = Batch::default();
    while loader.load(&mut batch).map_err(Failure::new)? {
        let pictures = Tensor::new(&[batch.labels.len(), channels, height, width], std::mem::take(&mut batch.values))?;
        values.extend_from_slice(session.run(&[&pictures])?.get(0).data());
        labels.extend_from_slice(&batch.labels);
        batch.values = pictures.into_data();
    }
    Ok((values, labels))
}
