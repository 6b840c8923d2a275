//! The loss and the accuracy of weights on examples that they do not learn from.

use crate::adapters::compile_options;
use crate::checkpoint::Sums;
use crate::feed::Feed;
use crate::{Error, Recipe, Stop};
use cnn_data::{Batch, Dataset, Loader, LoaderOptions};
use cnn_ir::Network;
use cnn_runtime::{Session, Weights};
use std::sync::Arc;

/// Runs a dataset through the network as inference does it, with the recipe's transforms of evaluation; none when it was
/// asked to stop.
pub(crate) fn evaluate(
    network: &Network,
    weights: &Weights,
    dataset: &Arc<dyn Dataset>,
    recipe: &Recipe,
    feed: &mut Feed,
    stop: &Stop,
) -> Result<Option<Sums>, Error> {
    let mut session = Session::from_network(network, weights, &compile_options(recipe))?;
    let options = LoaderOptions { batch_size: recipe.batch, workers: recipe.workers, ..LoaderOptions::default() };
    let mut loader = Loader::new(Arc::clone(dataset), recipe.evaluation(), options)?;
    let (mut batch, mut sums) = (Batch::default(), Sums::default());
    while loader.load(&mut batch)? {
        if stop.is_requested() {
            return Ok(None);
        }
        sums.add(&feed.evaluate(&mut session, &mut batch)?);
    }
    Ok(Some(sums))
}
