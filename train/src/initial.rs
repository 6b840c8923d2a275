//! What parameters are before the first step.

use crate::recipe::belongs;
use crate::{Error, Recipe};
use cnn_ir::{Network, Op};
use cnn_recipe::{Parameter, fans};
use cnn_runtime::{Tensor, Weights};
use std::collections::BTreeMap;

/// The parameters that a network starts with, layers that exist in training only included: as PyTorch's layers do by
/// themselves, but for the weights of convolutions and dense layers for which the recipe names an initialiser.
///
/// Norms start with factors of 1 and summands of 0, running means with 0 and variances with 1, slopes of PReLU with what the layer says.
/// Values depend on the seed and the parameter's name alone.
///
/// # Errors
/// A name in the recipe's `init_of` or `fresh` that nothing has.
pub fn initial_weights(network: &Network, recipe: &Recipe) -> Result<Weights, Error> {
    let parameters = network.parameters();
    check_fresh(&parameters, recipe)?;
    for name in recipe.init_of.keys() {
        if !parameters.iter().any(|p| belongs(&p.name, name)) {
            return Err(Error::setting(&format!("init.{name}"), "given", NO_SUCH));
        }
    }
    let mut tensors = Vec::new();
    for parameter in &parameters {
        let mut tensor = Tensor::zeros(&parameter.shape)?;
        fill(network, recipe, parameter, tensor.data_mut())?;
        tensors.push((parameter.name.clone(), tensor));
    }
    Ok(Weights::from_tensors(tensors)?)
}

/// These weights, but for layers that the recipe calls fresh: those are initialised.
///
/// # Errors
/// Weights that do not fit the network, with all differences; a fresh layer that the network does not have.
pub(crate) fn starting_from(weights: &Weights, network: &Network, recipe: &Recipe) -> Result<Weights, Error> {
    let parameters = network.parameters();
    check_fresh(&parameters, recipe)?;
    let is_fresh = |name: &str| recipe.fresh.iter().any(|fresh| belongs(name, fresh));
    let kept: BTreeMap<String, String> =
        weights.names().filter(|name| !is_fresh(name)).map(|name| (name.to_owned(), name.to_owned())).collect();
    let given = weights.renamed(&kept)?;
    let shapes = parameters.iter().filter(|p| !is_fresh(&p.name)).map(|p| (p.name.as_str(), p.shape.as_slice()));
    given.check(shapes, &Default::default()).map_err(|source| Error::StartWeights { source: source.into() })?;
    let mut tensors = Vec::new();
    for parameter in &parameters {
        let mut tensor = Tensor::zeros(&parameter.shape)?;
        if is_fresh(&parameter.name) {
            fill(network, recipe, parameter, tensor.data_mut())?;
        } else {
            tensor.data_mut().copy_from_slice(given.get(&parameter.name)?.data());
            if let Some(value) = tensor.data().iter().find(|value| !value.is_finite()) {
                let problem = format!("`{}` of the weights to start from has the value {value}", parameter.name);
                return Err(Error::mismatch(problem, "take weights without it, or name the layer in `fresh`"));
            }
        }
        tensors.push((parameter.name.clone(), tensor));
    }
    Ok(Weights::from_tensors(tensors)?)
}

const NO_SUCH: &str = "the network has no such layer or block";

/// That what is called fresh is there.
fn check_fresh(parameters: &[cnn_ir::Parameter], recipe: &Recipe) -> Result<(), Error> {
    let unknown = recipe.fresh.iter().find(|name| !parameters.iter().any(|p| belongs(&p.name, name)));
    unknown.map_or(Ok(()), |name| Err(Error::setting("fresh", format!("`{name}`"), NO_SUCH)))
}

fn fill(network: &Network, recipe: &Recipe, parameter: &cnn_ir::Parameter, values: &mut [f32]) -> Result<(), Error> {
    let op = &network.layers[parameter.layer].op;
    let tensor = parameter.name.rsplit('.').next().unwrap_or_default();
    // Norms own vectors that are no weights of a sum.
    let is_norm = matches!(op, Op::BatchNorm(_) | Op::GroupNorm(_) | Op::LayerNorm(_) | Op::InstanceNorm(_))
        || tensor == "running_var";
    let kind = match (op, tensor) {
        (Op::Prelu(prelu), _) => {
            values.fill(prelu.init as f32);
            return Ok(());
        }
        (_, "running_mean") => Parameter::Shift,
        (_, "running_var") => Parameter::Scale,
        (_, "bias") if is_norm => Parameter::Shift,
        _ if is_norm => Parameter::Scale,
        (_, "bias") => {
            let tensors = op.parameters();
            let weight = tensors.iter().find(|tensor| tensor.name == "weight");
            let fan_in = weight.and_then(|weight| fans(&weight.shape)).map_or(0, |(fan_in, _)| fan_in);
            Parameter::Bias { fan_in }
        }
        _ => Parameter::Weight,
    };
    let initialiser = recipe.initialiser(&parameter.name);
    Ok(initialiser.fill(recipe.seed, &parameter.name, kind, &parameter.shape, values)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnn_ir::ops::{BatchNormSpec, Conv2dSpec, DenseSpec, FlattenSpec, PreluSpec};
    use cnn_ir::{Builder, NetworkBuilder};

    fn network(classes: usize) -> Network {
        let mut network = NetworkBuilder::new("Net");
        let x = network.input("image", &[2, 4, 4]).unwrap();
        let x = network.layer("conv", Conv2dSpec::new(2, 8, [3, 3]), &[&x]).unwrap();
        let x = network.layer("bn", BatchNormSpec::new(8), &[&x]).unwrap();
        let x = network.layer("act", PreluSpec::new(), &[&x]).unwrap();
        let x = network.layer("flatten", FlattenSpec::new(), &[&x]).unwrap();
        let x = network.layer("fc", DenseSpec::new(32, classes), &[&x]).unwrap();
        network.output("logits", &x).unwrap();
        network.finish().unwrap()
    }

    #[test]
    fn layers_start_as_in_pytorch() {
        let mut recipe = Recipe::default();
        recipe.set("init.fc", "constant(value = 0.5)").unwrap();
        let weights = initial_weights(&network(3), &recipe).unwrap();
        let largest = |name: &str| {
            let values = weights.get(name).unwrap();
            values.data().iter().fold(0.0f32, |most, value| most.max(value.abs()))
        };
        // Uniform within ±1 / √fan_in: the largest of many is near the bound, and below it.
        let bound = 1.0 / 18f32.sqrt();
        assert!((0.9 * bound..=bound).contains(&largest("conv.weight")), "{}", largest("conv.weight"));
        assert!((0.3 * bound..=bound).contains(&largest("conv.bias")));
        assert!(largest("fc.bias") <= 1.0 / 32f32.sqrt() && largest("fc.bias") > 0.0);
        for (name, value) in [
            ("bn.weight", 1.0),
            ("bn.bias", 0.0),
            ("bn.running_mean", 0.0),
            ("bn.running_var", 1.0),
            ("act.weight", 0.25),
            ("fc.weight", 0.5),
        ] {
            assert!(weights.get(name).unwrap().data().iter().all(|v| *v == value), "{name}");
        }
        recipe.set("seed", "1").unwrap();
        let other = initial_weights(&network(3), &recipe).unwrap();
        assert_ne!(weights.get("conv.weight").unwrap(), other.get("conv.weight").unwrap());
        recipe.set("init.head", "constant").unwrap();
        let error = initial_weights(&network(3), &recipe).unwrap_err().to_string();
        assert!(error.contains("`init.head`") && error.contains("no such layer"), "{error}");
    }

    #[test]
    fn a_head_of_another_shape_is_an_error_that_says_how() {
        let mut recipe = Recipe::default();
        let old = initial_weights(&network(3), &recipe).unwrap();
        let error = starting_from(&old, &network(5), &recipe).unwrap_err().to_string();
        assert!(error.contains("`fc.weight` must be [5, 32], but is [3, 32]") && error.contains("`fresh`"), "{error}");

        recipe.set("fresh", "fc").unwrap();
        let new = starting_from(&old, &network(5), &recipe).unwrap();
        assert_eq!(new.get("conv.weight").unwrap(), old.get("conv.weight").unwrap());
        assert_eq!(new.shape("fc.weight"), Some(&[5, 32][..]));

        let mut bad = initial_weights(&network(5), &recipe).unwrap().get("fc.bias").unwrap().data().to_vec();
        bad[2] = f32::NAN;
        let names: Vec<String> = new.names().map(str::to_owned).collect();
        let tensors = names.into_iter().map(|name| {
            let tensor = new.get(&name).unwrap();
            let values = if name == "fc.bias" { bad.clone() } else { tensor.data().to_vec() };
            (name, Tensor::new(tensor.shape(), values).unwrap())
        });
        let bad = Weights::from_tensors(tensors.collect::<Vec<_>>()).unwrap();
        assert!(starting_from(&bad, &network(5), &recipe).is_ok(), "a fresh layer's do not count");
        let error = starting_from(&bad, &network(5), &Recipe::default()).unwrap_err().to_string();
        assert!(error.contains("`fc.bias` of the weights to start from has the value NaN"), "{error}");

        recipe.set("fresh", "head").unwrap();
        let error = starting_from(&old, &network(5), &recipe).unwrap_err().to_string();
        assert!(error.contains("`fresh` is `head`; the network has no such"), "{error}");
    }
}
