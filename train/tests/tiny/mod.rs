//! A network and data that a step takes no time for.

// Not every test uses everything.
#![allow(dead_code)]

use cnn_data::{Arrays, Random};
use cnn_ir::ops::{Conv2dSpec, DenseSpec, FlattenSpec, ReluSpec};
use cnn_ir::{Builder, Network, NetworkBuilder};
use cnn_train::{Recipe, Trainer};
use std::path::Path;
use std::sync::Arc;

/// A convolution, a ReLU and a dense layer on pictures of 1×6×6.
pub fn network(classes: usize) -> Network {
    let mut network = NetworkBuilder::new("Tiny");
    let x = network.input("image", &[1, 6, 6]).unwrap();
    let x = network.layer("conv", Conv2dSpec::new(1, 4, [3, 3]), &[&x]).unwrap();
    let x = network.layer("relu", ReluSpec::new(), &[&x]).unwrap();
    let x = network.layer("flatten", FlattenSpec::new(), &[&x]).unwrap();
    let x = network.layer("fc", DenseSpec::new(64, classes), &[&x]).unwrap();
    network.output("logits", &x).unwrap();
    network.finish().unwrap()
}

/// Noise, and in the rows that belong to the class something brighter.
pub fn data(examples: usize, seed: u64) -> Arc<Arrays> {
    let mut random = Random::new(seed);
    let labels: Vec<usize> = (0..examples).map(|example| example % 3).collect();
    let values = labels.iter().flat_map(|label| (0..36).map(move |pixel| (label, pixel)));
    let values = values.map(|(label, pixel)| random.unit() * 0.5 + f32::from(u8::from(pixel / 12 == *label)) * 0.5);
    let classes = ["top", "middle", "bottom"].map(String::from).to_vec();
    Arc::new(Arrays::new([1, 6, 6], values.collect(), labels.clone(), classes).unwrap())
}

/// A recipe of settings, on one thread; 37 examples are no multiple of any batch.
pub fn recipe(settings: &[(&str, &str)]) -> Recipe {
    let mut recipe = Recipe::default();
    let base = [("batch", "5"), ("epochs", "3"), ("rate", "0.01"), ("threads", "1"), ("workers", "0"), ("seed", "3")];
    for (name, text) in base.iter().chain(settings) {
        recipe.set(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    recipe
}

pub fn trainer(recipe: &Recipe) -> Trainer<'static> {
    Trainer::new(&network(3), data(37, 1), recipe.clone()).unwrap()
}

/// The bytes of a checkpoint's tensors; the header behind which they lie has times.
pub fn tensors(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    bytes[8 + header..].to_vec()
}
