//! LeNet-5 and its golden outputs.

use cnn_ir::ops::{AvgPool2dSpec, Conv2dSpec, DenseSpec, FlattenSpec, SigmoidSpec};
use cnn_ir::{BuildError, Builder};

/// The network of `tests/golden/lenet.json`, layers named by their position.
pub fn build<B: Builder>(builder: &mut B) -> Result<(), BuildError> {
    let mut x = builder.input("image", &[1, 28, 28])?;
    let padded = Conv2dSpec { padding: [2; 4], ..Conv2dSpec::new(1, 6, [5, 5]) };
    x = builder.layer("0", padded, &[&x])?;
    x = builder.layer("1", SigmoidSpec::new(), &[&x])?;
    x = builder.layer("2", AvgPool2dSpec::new([2, 2], [2, 2]), &[&x])?;
    x = builder.layer("3", Conv2dSpec::new(6, 16, [5, 5]), &[&x])?;
    x = builder.layer("4", SigmoidSpec::new(), &[&x])?;
    x = builder.layer("5", AvgPool2dSpec::new([2, 2], [2, 2]), &[&x])?;
    x = builder.layer("6", FlattenSpec::new(), &[&x])?;
    x = builder.layer("7", DenseSpec::new(400, 120), &[&x])?;
    x = builder.layer("8", SigmoidSpec::new(), &[&x])?;
    x = builder.layer("9", DenseSpec::new(120, 84), &[&x])?;
    x = builder.layer("10", SigmoidSpec::new(), &[&x])?;
    x = builder.layer("11", DenseSpec::new(84, 10), &[&x])?;
    builder.output("logits", &x)
}

/// What PyTorch computed in f64 for the formula's weights and a batch of two.
pub fn golden_output() -> Vec<f64> {
    let json: serde_json::Value = serde_json::from_str(include_str!("../../../tests/golden/lenet.json")).unwrap();
    json["output_f64"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}
