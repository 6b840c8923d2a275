//! `cnn viz features`

use super::{save, values};
use crate::args::MessageFormat;
use crate::args::viz::Features;
use crate::failure::Failure;
use crate::source::Source;
use crate::trained::Stored;
use cnn::{CompileOptions, Network, Session, Tensor, ValueId};
use cnn_train::plot::{self, FeatureMaps};

/// Draws what layers make of a picture.
pub fn run(args: &Features, format: MessageFormat) -> Result<(), Failure> {
    let source = Source::open(&args.trained, format)?;
    let network = &source.network;
    let layers = layers(network, &args.layers)?;
    let [input] = network.inputs.as_slice() else {
        return Err(Failure::Message(format!("`{}` has several inputs, and a picture is one", network.name)));
    };
    let (mut picture, mut values) =
        (Stored::new(source.transforms(args.transforms.as_deref())?, &input.shape)?, Vec::new());
    picture.read(&args.image, &mut values)?;
    let picture = Tensor::new(&[&[1], &input.shape[..]].concat(), values)?;

    let tapped = values::with_outputs(network, &layers);
    let mut session = Session::from_network(&tapped, &source.trained.weights, &CompileOptions::default())?;
    let outputs = session.run(&[&picture])?;
    let name = args.image.file_name().unwrap_or(args.image.as_os_str()).to_string_lossy();
    let map = |name: &str, shape: &[usize], values: &[f32], rgb| FeatureMaps {
        name: name.to_owned(),
        values: values.to_vec(),
        shape: planes(shape),
        rgb,
    };
    let mut maps = vec![map(&name, &input.shape, picture.data(), true)];
    for (index, (layer, _)) in layers.iter().enumerate() {
        let value = outputs.get(index);
        maps.push(map(layer, &value.shape()[1..], value.data(), false));
    }
    let drawing = plot::features(&format!("What {} makes of {name}", network.name), &maps).map_err(Failure::new)?;
    let names: Vec<String> = layers.iter().map(|(layer, _)| format!("`{layer}`")).collect();
    save(&args.file, &drawing, &format!("the values of {} for {name}", names.join(", ")))
}

/// The layers of these names, or the first convolution.
fn layers(network: &Network, names: &[String]) -> Result<Vec<(String, ValueId)>, Failure> {
    if names.is_empty() {
        let first = values::convolutions(network).next();
        let first = first.map(|layer| (network.path(layer), network.value_of(layer)));
        let missing =
            || Failure::Message(format!("`{}` has no convolution: name a layer with `--layer`", network.name));
        return Ok(vec![first.ok_or_else(missing)?]);
    }
    names.iter().map(|name| Ok((name.clone(), values::find(network, name)?))).collect()
}

/// Channels, height and width of a value.
fn planes(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [channels, width] => [channels, 1, width],
        [ref channels @ .., height, width] => [channels.iter().product(), height, width],
        _ => [shape.iter().product(), 1, 1],
    }
}
