//! `cnn viz filters`

use super::{save, values};
use crate::args::MessageFormat;
use crate::args::viz::Filters;
use crate::failure::Failure;
use crate::source::Source;
use cnn::Network;
use cnn_train::plot;

/// Draws the filters of a convolution.
pub fn run(args: &Filters, format: MessageFormat) -> Result<(), Failure> {
    let source = Source::open(&args.trained, format)?;
    let network = &source.network;
    let layer = convolution(network, args.layer.as_deref())?;
    let owner = network.owner(layer);
    let parameters = network.parameters();
    let weight = parameters.iter().find(|p| p.layer == owner && p.name.ends_with("weight"));
    let Some(weight) = weight else {
        return Err(Failure::Message(format!("`{}` has no weight", network.path(layer))));
    };
    let tensor = source.trained.weights.get(&weight.name)?;
    if tensor.shape() != weight.shape {
        let (found, expected) = (tensor.shape(), &weight.shape);
        let text = format!("`{}` is {found:?} in the weights and {expected:?} in the model", weight.name);
        return Err(Failure::Message(text));
    }
    let shape = planes(tensor.shape());
    let picture = plot::filters(&network.path(layer), tensor.data(), shape).map_err(Failure::new)?;
    save(&args.file, &picture, &format!("the {} filters of `{}`", shape[0], network.path(layer)))
}

/// The convolution of this name, or the first.
fn convolution(network: &Network, name: Option<&str>) -> Result<usize, Failure> {
    let mut layers = values::convolutions(network);
    let Some(name) = name else {
        return layers.next().ok_or_else(|| Failure::Message(format!("`{}` has no convolution", network.name)));
    };
    let paths: Vec<(usize, String)> = layers.map(|layer| (layer, network.path(layer))).collect();
    match paths.iter().find(|(_, path)| path == name) {
        Some((layer, _)) => Ok(*layer),
        None => Err(values::unknown(network, "convolution", name, paths.iter().map(|(_, path)| path.as_str()))),
    }
}

/// Output channels, input channels, height and width: a filter over one axis is one row, of one over three axes the planes
/// are shown as input channels are.
fn planes(shape: &[usize]) -> [usize; 4] {
    match *shape {
        [outputs, inputs, width] => [outputs, inputs, 1, width],
        [outputs, ref inputs @ .., height, width] => [outputs, inputs.iter().product(), height, width],
        _ => [1, 1, 1, shape.iter().product()],
    }
}
