//! Parity with PyTorch's values in `tests/golden` (made by the scripts there): every network within 1e-4 of the largest
//! output, through the engine; the small ones through the Luminal reference as well. LeNet within 1e-5. Larger ones on the
//! reference are ignored, as they take a minute each: `cargo test -p cnn-tests --test golden -- --ignored`.

#![allow(clippy::unwrap_used)]

use cnn::{CompileOptions, LayerGraph, Network, Session, Tensor, Weights};
use cnn_runtime::Reference;
use cnn_tests::formula;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;

/// A file of `tests/golden`.
#[derive(Deserialize)]
struct Golden {
    input: Vec<usize>,
    parameters: u64,
    output_f64: Vec<f64>,
    /// Of networks with published weights: the multiply-accumulates, and the tensors by their names.
    macs: Option<u64>,
    tensors: Option<BTreeMap<String, Vec<usize>>>,
}

fn golden(name: &str) -> Golden {
    let path = cnn_tests::root().join("tests/golden").join(name).with_extension("json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Weights by the formula, keyed by the order of the layers, or by their published names.
fn weights(network: &Network, golden: &Golden) -> Weights {
    let parameters = network.parameters();
    let list = parameters.iter().map(|parameter| (parameter.name.as_str(), parameter.shape.as_slice()));
    let tensor = |name: &str, shape: &[usize], data| (name.to_owned(), Tensor::new(shape, data).unwrap());
    let Some(published) = &golden.tensors else {
        let values = formula::parameters(list).into_iter();
        return Weights::from_tensors(values.map(|(name, shape, data)| tensor(name, shape, data))).unwrap();
    };
    let ours: BTreeMap<String, Vec<usize>> = list.clone().map(|(name, shape)| (name.into(), shape.to_vec())).collect();
    assert_eq!(&ours, published, "the names of the published state dict");
    let named = list.map(|(name, shape)| {
        let kind = name.rsplit('.').next().unwrap();
        tensor(name, shape, formula::tensor(name, kind, shape))
    });
    Weights::from_tensors(named).unwrap()
}

/// How far the outputs are from PyTorch's in float64, relative to the largest.
fn error(actual: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    actual.iter().zip(expected).map(|(a, e)| (f64::from(*a) - e).abs() / largest).fold(0.0, f64::max)
}

/// Compares a network on the engine: an example alone, and two at once (the same one twice where there is only one).
fn check(file: &str, model: &str, name: &str, tolerance: f64) {
    let (network, golden) = (cnn_tests::network(file, model).unwrap(), golden(name));
    assert_eq!(network.cost().params, golden.parameters);
    if let Some(macs) = golden.macs {
        assert_eq!(network.cost().macs, macs);
    }
    let weights = weights(&network, &golden);
    let mut session = Session::from_network(&network, &weights, &CompileOptions::default()).unwrap();
    let input = cnn_tests::golden_input(&golden.input).unwrap();
    let expected: Vec<&[f64]> = golden.output_f64.chunks(golden.output_f64.len() / golden.input[0]).collect();
    let last = expected.len() - 1;
    for examples in [&[0][..], &[0, last]] {
        let shape = [&[examples.len()], &golden.input[1..]].concat();
        let values: Vec<&[f32]> = examples.iter().map(|&index| input.view().example(index)).collect();
        let batch = Tensor::new(&shape, values.concat()).unwrap();
        let expected: Vec<&[f64]> = examples.iter().map(|&index| expected[index]).collect();
        let off = error(session.run(&[&batch]).unwrap().get(0).data(), &expected.concat());
        assert!(off <= tolerance, "{name}, examples {examples:?}: off by {off:e} of the largest output");
    }
}

/// Compares a network on the Luminal reference.
fn check_reference(file: &str, model: &str, name: &str, tolerance: f64) {
    let (network, golden) = (cnn_tests::network(file, model).unwrap(), golden(name));
    let graph = LayerGraph::from_network(&network).unwrap();
    let mut reference = Reference::new(graph, &weights(&network, &golden)).unwrap();
    let outputs = reference.run(&[&cnn_tests::golden_input(&golden.input).unwrap()]).unwrap();
    let off = error(outputs[0].data(), &golden.output_f64);
    assert!(off <= tolerance, "{name}: off by {off:e} of the largest output");
}

macro_rules! parity {
    ($(
        $(#[$attribute:meta])?
        $test:ident: $check:ident($file:literal, $model:literal, $golden:literal, $tolerance:literal);
    )*) => {
        $(#[test]
        $(#[$attribute])?
        fn $test() {
            $check($file, $model, $golden, $tolerance);
        })*
    };
}

parity! {
    lenet: check("lenet.cnn", "LeNet", "lenet", 1e-5);
    lenet_reference: check_reference("lenet.cnn", "LeNet", "lenet", 1e-5);
    alexnet: check("alexnet.cnn", "AlexNet", "alexnet", 1e-4);
    #[ignore = "the reference takes a minute"]
    alexnet_reference: check_reference("alexnet.cnn", "AlexNet", "alexnet", 1e-4);
    vgg11: check("vgg.cnn", "Vgg11", "vgg11", 1e-4);
    nin: check("nin.cnn", "Nin", "nin", 1e-4);
    #[ignore = "the reference takes a minute"]
    nin_reference: check_reference("nin.cnn", "Nin", "nin", 1e-4);
    googlenet: check("googlenet.cnn", "GoogLeNet", "googlenet", 1e-4);
    #[ignore = "the reference takes a minute"]
    googlenet_reference: check_reference("googlenet.cnn", "GoogLeNet", "googlenet", 1e-4);
    resnet18: check("resnet.cnn", "ResNet18", "resnet18", 1e-4);
    #[ignore = "the reference takes a minute"]
    resnet18_reference: check_reference("resnet.cnn", "ResNet18", "resnet18", 1e-4);
    resnet34_flat: check("resnet_flat.cnn", "ResNet34Flat", "resnet34_flat", 1e-4);
    #[ignore = "the reference takes a minute"]
    resnet34_flat_reference: check_reference("resnet_flat.cnn", "ResNet34Flat", "resnet34_flat", 1e-4);
    densenet: check("densenet.cnn", "DenseNet", "densenet", 1e-4);
    #[ignore = "the reference takes a minute"]
    densenet_reference: check_reference("densenet.cnn", "DenseNet", "densenet", 1e-4);
    efficientnet_lite0: check("efficientnet_lite0.cnn", "EfficientNetLite0", "efficientnet_lite0", 1e-4);
    mnist_convnet: check("mnist_convnet.cnn", "MnistConvNet", "mnist_convnet", 1e-4);
    mnist_convnet_reference: check_reference("mnist_convnet.cnn", "MnistConvNet", "mnist_convnet", 1e-4);
    cifar_bn: check("batch_norm_convnet.cnn", "BatchNormConvNet", "cifar_bn", 1e-4);
    cifar_bn_reference: check_reference("batch_norm_convnet.cnn", "BatchNormConvNet", "cifar_bn", 1e-4);
    group_norm: check("group_norm_net.cnn", "GroupNormNet", "group_norm", 1e-4);
    group_norm_reference: check_reference("group_norm_net.cnn", "GroupNormNet", "group_norm", 1e-4);
    torchvision_alexnet: check("torchvision/alexnet.cnn", "AlexNet", "torchvision/alexnet", 1e-4);
    torchvision_vgg11: check("torchvision/vgg.cnn", "Vgg11", "torchvision/vgg11", 1e-4);
    torchvision_vgg16: check("torchvision/vgg.cnn", "Vgg16", "torchvision/vgg16", 1e-4);
    torchvision_vgg16_bn: check("torchvision/vgg.cnn", "Vgg16Bn", "torchvision/vgg16_bn", 1e-4);
    torchvision_resnet18: check("torchvision/resnet.cnn", "ResNet18", "torchvision/resnet18", 1e-4);
    torchvision_resnet34: check("torchvision/resnet.cnn", "ResNet34", "torchvision/resnet34", 1e-4);
    torchvision_resnet50: check("torchvision/resnet.cnn", "ResNet50", "torchvision/resnet50", 1e-4);
    torchvision_googlenet: check("torchvision/googlenet.cnn", "GoogLeNet", "torchvision/googlenet", 1e-4);
    torchvision_densenet121: check("torchvision/densenet.cnn", "DenseNet121", "torchvision/densenet121", 1e-4);
    torchvision_mobilenet_v2: check("torchvision/mobilenet_v2.cnn", "MobileNetV2", "torchvision/mobilenet_v2", 1e-4);
}
