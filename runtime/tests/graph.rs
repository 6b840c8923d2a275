//! The high-level graph and its text.

// A test may panic.
#![allow(clippy::unwrap_used)]

use cnn_ir::ops::{Conv2dSpec, FlattenSpec, ReluSpec};
use cnn_ir::{BuildError, Builder, ValueId, codes};
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
    let code = |add: fn(&mut LuminalBuilder, &ValueId) -> Result<(), BuildError>| {
        let mut builder = LuminalBuilder::new();
        let image = builder.input("image", &[4]).unwrap();
        let x = builder.layer("flatten", FlattenSpec::new(), &[&image]).unwrap();
        builder.output("map", &x).unwrap();
        add(&mut builder, &x).unwrap();
        builder.finish().map(drop).map_err(|error| error.fault.code)
    };
    let duplicate = Err(&codes::DUPLICATE_NAME);
    assert_eq!(code(|builder, x| builder.layer("flatten", ReluSpec::new(), &[x]).map(drop)), duplicate);
    assert_eq!(code(|builder, x| builder.output("map", x)), duplicate);
    // In another block the same name is another layer.
    let inner = |builder: &mut LuminalBuilder, x: &ValueId| {
        builder.block("head", "head", |builder| builder.layer("flatten", ReluSpec::new(), &[x]).map(drop))
    };
    assert_eq!(code(inner), Ok(()));
}

#[test]
fn axes_are_limited() {
    let build = |shape: &[usize]| {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", shape)?;
        let y = builder.layer("relu", ReluSpec::new(), &[&x])?;
        builder.output("y", &y)?;
        builder.finish()
    };
    assert_eq!(build(&[1; 6]).err().unwrap().fault.code, &codes::BAD_RANK);
    assert!(build(&[1; 5]).is_ok());
}
