//! Building, naming, costing, replaying and validating networks.

#![allow(clippy::unwrap_used)]

use cnn_ir::ops::{Conv2dSpec, DenseSpec, FlattenSpec, ReluSpec};
use cnn_ir::{BuildError, Builder, Network, NetworkBuilder, TraceBuilder};

/// A convolution in a block, then a classifier.
fn build<B: Builder>(net: &mut B) -> Result<(), BuildError> {
    let image = net.input("image", &[3, 6, 6])?;
    net.begin_block("stem", "conv_relu");
    let conv = net.layer("0", Conv2dSpec::new(3, 4, [3, 3]), &[&image])?;
    let x = net.layer("1", ReluSpec::new(), &[&conv])?;
    net.end_block();
    let x = net.layer("1", FlattenSpec::new(), &[&x])?;
    let x = net.layer("head", DenseSpec::new(64, 2), &[&x])?;
    net.output("logits", &x)
}

fn network() -> Network {
    let mut builder = NetworkBuilder::new("Net");
    build(&mut builder).unwrap();
    builder.finish().unwrap()
}

#[test]
fn parameters_are_named_by_their_path() {
    let names: Vec<String> = network().parameters().into_iter().map(|parameter| parameter.name).collect();
    assert_eq!(names, ["stem.0.weight", "stem.0.bias", "head.weight", "head.bias"]);
}

#[test]
fn costs_add_up() {
    let cost = network().cost();
    assert_eq!(cost.params, (3 * 9 * 4 + 4) + (64 * 2 + 2));
    assert_eq!(cost.macs, 3 * 9 * 64 + 64 * 2);
}

#[test]
fn a_replay_makes_the_calls_that_made_the_network() {
    let (mut made, mut replayed) = (TraceBuilder::new(), TraceBuilder::new());
    build(&mut made).unwrap();
    network().replay(&mut replayed).unwrap();
    assert_eq!(made.text(), replayed.text());
    assert_eq!(
        made.text(),
        "\
%0 = input image: 3×6×6
stem: conv_relu {
  %1 = 0: Conv2d { in_channels: 3, out_channels: 4, kernel_size: [3, 3] } (%0) -> 4×4×4
  %2 = 1: Relu (%1) -> 4×4×4
}
%3 = 1: Flatten (%2) -> 64
%4 = head: Dense { in_features: 64, out_features: 2 } (%3) -> 2
output logits = %4
"
    );
}

#[test]
fn what_cannot_be_is_refused_with_its_path() {
    let mut builder = NetworkBuilder::new("Net");
    let image = builder.input("image", &[3, 6, 6]).unwrap();
    builder.begin_block("stem", "block");
    let error = builder.layer("conv", Conv2dSpec::new(4, 4, [3, 3]), &[&image]).unwrap_err();
    assert_eq!(error.to_string(), "stem.conv: made for 4 input channels, given 3 [cnn::shape_mismatch]");
    builder.end_block();
    let error = builder.finish().unwrap_err();
    assert_eq!(error.fault.code.name, "cnn::incomplete_network");
}

#[test]
fn a_value_of_another_network_is_refused() {
    let mut other = NetworkBuilder::new("Other");
    other.input("a", &[1, 2, 2]).unwrap();
    let foreign = other.input("b", &[1, 2, 2]).unwrap();
    let mut builder = NetworkBuilder::new("Net");
    builder.input("image", &[1, 2, 2]).unwrap();
    assert!(builder.shape(foreign).is_none());
    assert!(builder.layer("relu", ReluSpec::new(), &[&foreign]).is_err());
    assert!(builder.output("out", &foreign).is_ok_and(|()| builder.finish().is_err()));
}

#[test]
fn names_are_unique_within_a_block_only() {
    let twice = |second: &str| {
        let mut builder = NetworkBuilder::new("Net");
        let image = builder.input("image", &[1, 2, 2]).unwrap();
        let first = builder.layer("a", ReluSpec::new(), &[&image]).unwrap();
        builder.begin_block("block", "block");
        let inner = builder.layer("a", ReluSpec::new(), &[&first]).unwrap();
        builder.end_block();
        let last = builder.layer(second, ReluSpec::new(), &[&inner]).unwrap();
        builder.output("out", &last).unwrap();
        builder.finish()
    };
    assert!(twice("b").is_ok());
    assert_eq!(twice("a").unwrap_err().fault.code.name, "cnn::duplicate_name");
    assert_eq!(twice("block").unwrap_err().fault.code.name, "cnn::duplicate_name");
}
