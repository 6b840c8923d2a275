//! Networks to measure, with weights from a formula.

// Each example uses some of them, and a test may panic.
#![allow(dead_code, clippy::unwrap_used)]

#[allow(unused_imports)]
#[path = "../../tests/suite/formula.rs"]
mod formula;
#[path = "../../tests/suite/lenet.rs"]
pub mod lenet;

use cnn_ir::ops::{
    AddSpec, BatchNormSpec, Conv2dSpec, DenseSpec, FlattenSpec, GlobalAvgPool2dSpec, HardSwishSpec, MaxPool2dSpec,
    ReluSpec,
};
use cnn_ir::{BuildError, Builder, ValueId};
use cnn_runtime::{Error, LuminalBuilder, Weights};
pub use formula::input;

pub type Build = fn(&mut LuminalBuilder) -> Result<(), BuildError>;

/// Weights for a network.
pub fn weights(build: Build) -> Result<Weights, Error> {
    let mut builder = LuminalBuilder::new();
    build(&mut builder)?;
    Ok(formula::weights(&builder.finish()?))
}

/// Convolution, batch norm.
fn conv(b: &mut LuminalBuilder, name: &str, spec: Conv2dSpec, x: &ValueId) -> Result<ValueId, BuildError> {
    let channels = spec.out_channels;
    let y = b.layer(&format!("{name}.conv"), Conv2dSpec { bias: false, ..spec }, &[x])?;
    b.layer(&format!("{name}.norm"), BatchNormSpec::new(channels), &[&y])
}

/// A block of ResNet-18: two convolutions around which the input goes, too.
fn basic(
    b: &mut LuminalBuilder,
    name: &str,
    [from, to]: [usize; 2],
    stride: usize,
    x: &ValueId,
) -> Result<ValueId, BuildError> {
    let same = |from, stride| Conv2dSpec { padding: [1; 4], stride: [stride; 2], ..Conv2dSpec::new(from, to, [3, 3]) };
    let y = conv(b, &format!("{name}.1"), same(from, stride), x)?;
    let y = b.layer(&format!("{name}.relu1"), ReluSpec::new(), &[&y])?;
    let y = conv(b, &format!("{name}.2"), same(to, 1), &y)?;
    let shortcut = match from == to && stride == 1 {
        true => *x,
        false => {
            let narrow = Conv2dSpec { stride: [stride; 2], ..Conv2dSpec::new(from, to, [1, 1]) };
            conv(b, &format!("{name}.shortcut"), narrow, x)?
        }
    };
    let y = b.layer(&format!("{name}.sum"), AddSpec::new(), &[&y, &shortcut])?;
    b.layer(&format!("{name}.relu2"), ReluSpec::new(), &[&y])
}

fn classify(b: &mut LuminalBuilder, channels: usize, classes: usize, x: &ValueId) -> Result<(), BuildError> {
    let x = b.layer("mean", GlobalAvgPool2dSpec::new(), &[x])?;
    let x = b.layer("flat", FlattenSpec::new(), &[&x])?;
    let x = b.layer("fc", DenseSpec::new(channels, classes), &[&x])?;
    b.output("logits", &x)
}

/// A small residual network on pictures of 32×32.
pub fn residual(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("image", &[3, 32, 32])?;
    let first = Conv2dSpec { padding: [1; 4], ..Conv2dSpec::new(3, 16, [3, 3]) };
    let mut x = conv(b, "first", first, &x)?;
    x = b.layer("relu", ReluSpec::new(), &[&x])?;
    for (i, (channels, stride)) in [([16, 16], 1), ([16, 32], 2), ([32, 64], 2)].into_iter().enumerate() {
        x = basic(b, &format!("block{i}"), channels, stride, &x)?;
    }
    classify(b, 64, 10, &x)
}

/// Depthwise and 1×1 convolutions on pictures of 32×32.
pub fn mobile(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("image", &[3, 32, 32])?;
    let first = Conv2dSpec { padding: [1; 4], stride: [2, 2], ..Conv2dSpec::new(3, 16, [3, 3]) };
    let mut x = conv(b, "first", first, &x)?;
    for (i, (from, to, stride)) in [(16, 24, 1), (24, 40, 2), (40, 80, 2)].into_iter().enumerate() {
        let wide = from * 3;
        let depthwise =
            Conv2dSpec { padding: [1; 4], stride: [stride; 2], groups: wide, ..Conv2dSpec::new(wide, wide, [3, 3]) };
        x = conv(b, &format!("{i}.wide"), Conv2dSpec::new(from, wide, [1, 1]), &x)?;
        x = b.layer(&format!("{i}.swish1"), HardSwishSpec::new(), &[&x])?;
        x = conv(b, &format!("{i}.depthwise"), depthwise, &x)?;
        x = b.layer(&format!("{i}.swish2"), HardSwishSpec::new(), &[&x])?;
        x = conv(b, &format!("{i}.narrow"), Conv2dSpec::new(wide, to, [1, 1]), &x)?;
    }
    classify(b, 80, 10, &x)
}

/// ResNet-18 on pictures of 224×224.
pub fn resnet18(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("image", &[3, 224, 224])?;
    let first = Conv2dSpec { padding: [3; 4], stride: [2, 2], ..Conv2dSpec::new(3, 64, [7, 7]) };
    let mut x = conv(b, "first", first, &x)?;
    x = b.layer("relu", ReluSpec::new(), &[&x])?;
    x = b.layer("pool", MaxPool2dSpec { padding: [1; 4], ..MaxPool2dSpec::new([3, 3], [2, 2]) }, &[&x])?;
    let mut from = 64;
    for (i, to) in [64, 64, 128, 128, 256, 256, 512, 512].into_iter().enumerate() {
        let stride = if from == to { 1 } else { 2 };
        x = basic(b, &format!("block{i}"), [from, to], stride, &x)?;
        from = to;
    }
    classify(b, 512, 1000, &x)
}
