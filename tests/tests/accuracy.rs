//! The shipped LeNet on real pictures it has not been trained on.

#![allow(clippy::unwrap_used)]

use cnn::Tensor;
use cnn_models::fashion_mnist::pictures;
use cnn_models::{LeNet, weights};
use serde::Deserialize;

/// What PyTorch makes of the same weights and pictures, in float64: `tests/golden/trained.py` writes it.
#[derive(Deserialize)]
struct Trained {
    first_256_correct: usize,
    first_logits: Vec<Vec<f32>>,
    first_labels: Vec<usize>,
}

fn trained() -> Trained {
    serde_json::from_str(include_str!("../golden/trained/lenet_fashion_mnist.json")).unwrap()
}

fn batch() -> Tensor {
    let values: Vec<f32> = pictures().iter().flat_map(|picture| picture.to_floats()).collect();
    Tensor::new(&[pictures().len(), 1, 28, 28], values).unwrap()
}

#[test]
fn as_many_pictures_are_right_as_with_pytorch() {
    let mut model = LeNet::new(&weights::lenet().unwrap()).unwrap();
    let batch = batch();
    let logits = model.run(&batch).unwrap().logits;
    let right = (0..256).filter(|&index| best(logits.example(index)) == pictures()[index].label).count();
    assert_eq!(right, trained().first_256_correct);
}

#[test]
fn the_first_logits_are_those_of_pytorch() {
    let trained = trained();
    let mut model = LeNet::new(&weights::lenet().unwrap()).unwrap();
    let batch = batch();
    let logits = model.run(&batch).unwrap().logits;
    for (index, expected) in trained.first_logits.iter().enumerate() {
        assert_eq!(pictures()[index].label, trained.first_labels[index]);
        for (actual, expected) in logits.example(index).iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-4, "picture {index}: {actual}, PyTorch says {expected}");
        }
    }
}

fn best(scores: &[f32]) -> usize {
    (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap()
}
