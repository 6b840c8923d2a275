//! The high-level graph and its text.

// A test may panic.
#![allow(clippy::unwrap_used)]

use cnn_ir::ops::{Conv2dSpec, FlattenSpec, ReluSpec};
use cnn_ir::{BuildError, Builder, codes};
use cnn_runtime::LuminalBuilder;

fn small() -> Result<LuminalBuilder, BuildError> {
    let mut builder = LuminalBuilder::new();
    let image = builder.input("image", &[1, 5, 5])?;
    builder.begin_block("stem", "stem");
    let conv = builder.layer("conv", Conv2dSpec::new(1, 2, [3, 3]), &[&image])?;
    let relu = builder.layer("1", ReluSpec::new(), &[&conv])?;
    builder.end_block();
    let flat = builder.layer("flatten", FlattenSpec::new(), &[&relu])?;
    builder.output("map", &relu)?;
    builder.output("features", &flat)?;
    Ok(builder)
}

#[test]
fn text_is_in_data_flow_order() {
    let graph = small().unwrap().finish().unwrap();
    let text = "\
%0 = input image -> b×1×5×5
%1 = parameter stem.conv.weight -> 2×1×3×3
%2 = parameter stem.conv.bias -> 2
%3 = stem.conv: Conv2d { in_channels: 1, out_channels: 2, kernel_size: [3, 3] } (%0, %1, %2) -> b×2×3×3
%4 = stem.1: Relu (%3) -> b×2×3×3
%5 = flatten: Flatten (%4) -> b×18
output map = %4
output features = %5
";
    assert_eq!(graph.to_string(), text);
}

#[test]
fn names_must_differ() {
    let mut builder = small().unwrap();
    let x = builder.input("x", &[4]).unwrap();
    assert_eq!(builder.layer("flatten", ReluSpec::new(), &[&x]).unwrap_err().fault.code, &codes::DUPLICATE_NAME);
    assert_eq!(builder.input("image", &[4]).unwrap_err().fault.code, &codes::DUPLICATE_NAME);
    assert_eq!(builder.output("map", &x).unwrap_err().fault.code, &codes::DUPLICATE_NAME);
    // In another block the same name is another layer.
    builder.begin_block("head", "head");
    assert!(builder.layer("flatten", ReluSpec::new(), &[&x]).is_ok());
}

#[test]
fn axes_are_limited() {
    let error = LuminalBuilder::new().input("x", &[1; 6]).unwrap_err();
    assert_eq!(error.fault.code, &codes::BAD_RANK);
    assert!(LuminalBuilder::new().input("x", &[1; 5]).is_ok());
}
