//! `cnn viz confusion`

use super::{BATCH, save};
use crate::args::MessageFormat;
use crate::args::viz::Confusion;
use crate::evaluation::Judged;
use crate::failure::Failure;
use crate::number::grouped;
use crate::predictions::scores_output;
use crate::source::Source;
use cnn_train::plot;

/// Draws which classes a network takes for which.
pub fn run(args: &Confusion, format: MessageFormat) -> Result<(), Failure> {
    let source = Source::open(&args.trained, format)?;
    let (network, trained) = (&source.network, &source.trained);
    let output = scores_output(network, args.scores.as_deref())?;
    let dataset = source.dataset(&args.examples)?;
    let names = if trained.classes.is_empty() { dataset.classes().to_vec() } else { trained.classes.clone() };
    let judged = Judged {
        network,
        weights: &trained.weights,
        output: &network.outputs[output].name,
        transforms: &source.transforms(args.examples.transforms.as_deref())?,
        classes: &trained.classes,
        batch: BATCH,
        threads: None,
    };
    let confusion = judged.confusion(&[dataset])?;
    let [right, examples] = [confusion.right(), confusion.examples()].map(|count| grouped(count.into()));
    let what = format!("{right} of {examples} examples right");
    save(&args.file, &plot::confusion(&confusion, &names), &what)
}
