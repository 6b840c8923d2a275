//! Networks with blocks, branches and loops: every tensor has the name and shape that torchvision's weights have.

#![allow(clippy::unwrap_used)]

use cnn_dsl::{Settings, Sources, Style, compile, render};
use cnn_ir::Network;
use std::collections::BTreeMap;
use std::path::Path;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/networks").join(name)).unwrap()
}

fn network(name: &str) -> Network {
    let sources = Sources::new(format!("{name}.cnn"), read(&format!("{name}.cnn")));
    let mut compilation = compile(&sources, &Settings::default());
    assert_eq!(render(&compilation.diagnostics, &sources, Style::Plain), "");
    assert_eq!(compilation.models.len(), 1);
    assert_eq!(compilation.outlines.len(), 1);
    compilation.models.remove(0)
}

/// Names and shapes equal to the published ones, with the published figures.
fn matches_torchvision(name: &str) {
    let network = network(name);
    let text = read(&format!("{name}.txt"));
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut figure = || lines.next().unwrap().parse::<u64>().unwrap();
    let (params, macs) = (figure(), figure());
    let published: BTreeMap<&str, &str> = lines.map(|line| line.split_once(' ').unwrap()).collect();
    let ours: Vec<(String, String)> = network
        .parameters()
        .into_iter()
        .map(|tensor| (tensor.name, tensor.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")))
        .collect();
    let ours: BTreeMap<&str, &str> = ours.iter().map(|(name, shape)| (name.as_str(), shape.as_str())).collect();
    let missing: Vec<_> = published.iter().filter(|tensor| !ours.contains_key(tensor.0)).collect();
    let extra: Vec<_> = ours.iter().filter(|tensor| !published.contains_key(tensor.0)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "{name}: missing {missing:?}, extra {extra:?}");
    assert_eq!(ours, published);
    assert_eq!((network.cost().params, network.cost().macs), (params, macs), "{name}");
}

#[test]
fn resnet18() {
    matches_torchvision("resnet18");
}

#[test]
fn vgg16_bn() {
    matches_torchvision("vgg16_bn");
}

#[test]
fn googlenet() {
    matches_torchvision("googlenet");
}

#[test]
fn densenet121() {
    matches_torchvision("densenet121");
}

#[test]
fn mobilenet_v2() {
    matches_torchvision("mobilenet_v2");
}

/// The receptive field of the last map, where there is a published figure.
#[test]
fn receptive_fields_are_the_published_ones() {
    // VGG-16: Araujo et al., "Computing Receptive Fields of Convolutional Neural Networks", 2019. The others follow from
    // the formula there: each 3×3 window adds twice the strides before it.
    for (name, field) in [("vgg16_bn", 212), ("resnet18", 435), ("mobilenet_v2", 491)] {
        let network = network(name);
        let fields = network.receptive_fields();
        let last = fields.iter().rfind(|field| !field.whole).unwrap();
        assert_eq!(last.size(), [field, field], "{name}");
        assert_eq!(last.stride(), [32.0, 32.0], "{name}");
    }
}

/// The design's U-Net: skips go around by their labels.
#[test]
fn unet() {
    let network = network("unet");
    let joins = network.layers.iter().filter(|layer| layer.op.name() == "Concat");
    let inputs: Vec<Vec<String>> = joins
        .map(|join| join.inputs.iter().map(|value| network.path(network.producer(*value).unwrap())).collect())
        .collect();
    assert_eq!(inputs, [["5", "skip2.5"], ["8", "skip1.5"]]);
    assert_eq!(network.shape(network.outputs[0].value).to_string(), "2×256×256");
}
