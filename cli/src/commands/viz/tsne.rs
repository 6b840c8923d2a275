//! `cnn viz tsne`

use super::values::{self, with_outputs};
use super::{BATCH, save};
use crate::args::MessageFormat;
use crate::args::viz::Tsne;
use crate::evaluation::for_each_batch;
use crate::failure::Failure;
use crate::number::grouped;
use crate::source::Source;
use cnn::{CompileOptions, Network, Op, Session, ValueId};
use cnn_data::{Dataset, Random, Subset};
use cnn_train::{TsneOptions, plot, tsne};
use std::sync::Arc;

/// What the value is called in the network that is run.
const OUTPUT: &str = "values";

/// Draws examples on a plane, by the values that a layer has for them.
pub fn run(args: &Tsne, format: MessageFormat) -> Result<(), Failure> {
    let source = Source::open(&args.trained, format)?;
    let network = &source.network;
    let (place, value) = match &args.layer {
        Some(name) => (format!("of `{name}`"), values::find(network, name)?),
        None => before_classifier(network)?,
    };
    let transforms = source.transforms(args.examples.transforms.as_deref())?;
    let dataset: Arc<dyn Dataset> = Arc::new(some(source.dataset(&args.examples)?, args.count as usize, args.seed)?);

    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    let width = network.shape(value).elements();
    rows.try_reserve_exact(width.saturating_mul(dataset.len())).map_err(|_| {
        let text = format!("there is no memory for {} examples of {width} values: lower `--count`", dataset.len());
        Failure::Message(text)
    })?;
    let tapped = with_outputs(network, &[(OUTPUT.to_owned(), value)]);
    let mut session = Session::from_network(&tapped, &source.trained.weights, &CompileOptions::default())?;
    for_each_batch(&mut session, OUTPUT, &dataset, &transforms, BATCH, |values, of_batch| {
        rows.extend_from_slice(values);
        labels.extend_from_slice(of_batch);
        Ok(())
    })?;
    let options = TsneOptions { perplexity: args.perplexity, seed: args.seed, ..TsneOptions::default() };
    let places = tsne(&rows, width, &options).map_err(Failure::new)?;
    let title = format!(
        "{}: {} examples by the values {} (t-SNE)",
        network.name,
        grouped(labels.len() as u128),
        place.replace('`', "")
    );
    let picture = plot::scatter(&title, &places, &labels, dataset.classes()).map_err(Failure::new)?;
    save(&args.file, &picture, &format!("{} examples by the {width} values {place}", grouped(labels.len() as u128)))
}

/// The input of the last dense layer.
fn before_classifier(network: &Network) -> Result<(String, ValueId), Failure> {
    let dense = |layer: &usize| matches!(network.layers[*layer].op, Op::Dense(_)) && !network.layers[*layer].train_only;
    let last = (0..network.layers.len()).rfind(dense);
    let value = last.and_then(|layer| Some((layer, *network.layers[layer].inputs.first()?)));
    // An input of the network is no layer's value.
    let value = value.filter(|(_, value)| network.producer(*value).is_some());
    let found = value.map(|(layer, value)| (format!("before `{}`", network.path(layer)), value));
    found.ok_or_else(|| {
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
