//! Parity with PyTorch's values in `tests/golden`, through the engine and through the Luminal reference.

#![allow(clippy::unwrap_used)]

use cnn::{LuminalBuilder, Tensor};
use cnn_models::LeNet;
use cnn_runtime::Reference;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    input: Vec<usize>,
    parameters: u64,
    output_f64: Vec<f64>,
}

fn lenet() -> Golden {
    serde_json::from_str(include_str!("../golden/lenet.json")).unwrap()
}

fn assert_close(actual: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (index, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - e).abs() <= tolerance, "output {index} is {a}, PyTorch says {e}");
    }
}

#[test]
fn lenet_on_the_engine() {
    let golden = lenet();
    assert_eq!(LeNet::PARAMETER_COUNT, golden.parameters);
    let weights = cnn_tests::golden_weights(LeNet::PARAMETERS).unwrap();
    let batch = cnn_tests::golden_input(&golden.input).unwrap();
    let mut model = LeNet::new(&weights).unwrap();
    assert_close(model.run(&batch).unwrap().logits.data(), &golden.output_f64, 1e-5);
    // The same pictures one by one.
    let half = golden.output_f64.len() / 2;
    for index in 0..2 {
        let picture = Tensor::new(&[1, 1, 28, 28], batch.view().example(index).to_vec()).unwrap();
        let expected = &golden.output_f64[index * half..][..half];
        assert_close(model.run(&picture).unwrap().logits.data(), expected, 1e-5);
    }
}

#[test]
fn lenet_on_the_reference() {
    let golden = lenet();
    let weights = cnn_tests::golden_weights(LeNet::PARAMETERS).unwrap();
    let mut builder = LuminalBuilder::new();
    LeNet::build(&mut builder).unwrap();
    let mut reference = Reference::new(builder.finish(), &weights).unwrap();
    let outputs = reference.run(&[&cnn_tests::golden_input(&golden.input).unwrap()]).unwrap();
    assert_close(outputs[0].data(), &golden.output_f64, 1e-5);
}
