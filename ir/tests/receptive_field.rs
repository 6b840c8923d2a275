//! Receptive fields and memory of small networks, counted by hand.

#![allow(clippy::unwrap_used)]

use cnn_ir::ops::*;
use cnn_ir::{Builder, Network, NetworkBuilder, Op, ValueId};

/// A chain of ops on this input.
fn chain(input: &[usize], ops: Vec<Op>) -> Network {
    let mut net = NetworkBuilder::new("Chain");
    let mut value = net.input("x", input).unwrap();
    for (index, op) in ops.into_iter().enumerate() {
        value = net.layer(&index.to_string(), op, &[&value]).unwrap();
    }
    net.output("y", &value).unwrap();
    net.finish().unwrap()
}

fn conv(channels: usize, kernel: usize, stride: usize, dilation: usize) -> Op {
    let spec = Conv2dSpec::new(channels, channels, [kernel; 2]);
    Conv2dSpec { stride: [stride; 2], dilation: [dilation; 2], padding: [kernel / 2; 4], ..spec }.into()
}

fn pool() -> Op {
    MaxPool2dSpec::new([2, 2], [2, 2]).into()
}

fn transposed(kernel: usize, stride: usize, dilation: usize) -> Op {
    let spec = ConvTranspose2dSpec::new(1, 1, [kernel; 2]);
    ConvTranspose2dSpec { stride: [stride; 2], dilation: [dilation; 2], ..spec }.into()
}

fn upsample(mode: UpsampleMode) -> Op {
    Upsample2dSpec { scale_factor: Some([2.0; 2]), mode, ..Upsample2dSpec::new() }.into()
}

/// The last value's field along both axes, its stride, and whether it is everything.
fn field(ops: Vec<Op>) -> (u64, f64, bool) {
    let network = chain(&[1, 64, 64], ops);
    let field = network.receptive_fields().pop().unwrap();
    assert_eq!((field.size()[0], field.stride()[0]), (field.size()[1], field.stride()[1]));
    (field.size()[0], field.stride()[0], field.whole)
}

#[test]
fn windows_widen_the_field_by_the_stride_before_them() {
    assert_eq!(field(vec![conv(1, 3, 1, 1)]), (3, 1.0, false));
    assert_eq!(field(vec![conv(1, 3, 1, 1), conv(1, 3, 1, 1)]), (5, 1.0, false));
    assert_eq!(field(vec![conv(1, 3, 1, 2)]), (5, 1.0, false));
    assert_eq!(field(vec![conv(1, 3, 2, 1), pool(), ReluSpec::new().into()]), (5, 4.0, false));
    assert_eq!(field(vec![pool(), conv(1, 3, 1, 1)]), (6, 2.0, false));
    assert_eq!(field(vec![AvgPool2dSpec::new([4, 4], [4, 4]).into()]), (4, 4.0, false));
}

#[test]
fn larger_outputs_have_a_stride_below_one() {
    assert_eq!(field(vec![transposed(2, 2, 1)]), (1, 0.5, false));
    assert_eq!(field(vec![transposed(3, 2, 1)]), (2, 0.5, false));
    assert_eq!(field(vec![transposed(5, 1, 1)]), (5, 1.0, false));
    // Taps 0, 3, 6 of the output; those 0 and 6 meet the same elements, 6/2 = 3 apart.
    assert_eq!(field(vec![transposed(3, 2, 3)]), (4, 0.5, false));
    assert_eq!(field(vec![upsample(UpsampleMode::Nearest)]), (1, 0.5, false));
    assert_eq!(field(vec![upsample(UpsampleMode::Bilinear)]), (2, 0.5, false));
    // 1 + 2 · 0.5: three neighbours stand for two elements.
    assert_eq!(field(vec![upsample(UpsampleMode::Nearest), conv(1, 3, 1, 1)]), (2, 0.5, false));
    // There and back: 1 → 2 (stride 2) → 2 (stride 1) → 4.
    assert_eq!(field(vec![pool(), transposed(2, 2, 1), conv(1, 3, 1, 1)]), (4, 1.0, false));
}

#[test]
fn global_ops_see_the_whole_input() {
    let wholes: [Op; 4] = [
        GlobalAvgPool2dSpec::new().into(),
        AdaptiveAvgPool2dSpec::new([1, 1]).into(),
        FlattenSpec::new().into(),
        ReshapeSpec::new([64 * 64]).into(),
    ];
    for op in wholes {
        assert_eq!(field(vec![op.clone()]), (64, 64.0, true), "{op}");
        // 3 + 63.
        assert_eq!(field(vec![conv(1, 3, 1, 1), op.clone()]).0, 66, "{op}");
    }
    assert_eq!(field(vec![AdaptiveAvgPool2dSpec::new([4, 4]).into()]), (16, 16.0, false));
    assert_eq!(field(vec![AdaptiveAvgPool2dSpec::new([5, 5]).into()]).0, 14);
    assert_eq!(field(vec![SoftmaxSpec { dim: 1 }.into()]), (1, 1.0, false));
    assert!(field(vec![SoftmaxSpec { dim: 2 }.into()]).2);
}

#[test]
fn other_axes_count_on_their_own() {
    let sequence = chain(&[1, 64], vec![Conv1dSpec::new(1, 1, [5]).into(), MaxPool1dSpec::new([2], [2]).into()]);
    assert_eq!(sequence.receptive_fields()[2].size(), [6]);
    let volume = chain(&[1, 8, 16, 16], vec![Conv3dSpec::new(1, 1, [1, 3, 5]).into()]);
    assert_eq!(volume.receptive_fields()[1].size(), [1, 3, 5]);
    let vector = chain(&[8], vec![DenseSpec::new(8, 2).into()]);
    assert_eq!(vector.receptive_fields()[1].size(), [0u64; 0]);
    assert!(vector.receptive_fields()[1].whole);
}

/// Strides of 2^24 whose padding keeps the map as it is: no figure may leave the finite numbers.
#[test]
fn figures_stay_finite() {
    let huge = MaxPool2dSpec { ceil_mode: true, ..MaxPool2dSpec::new([1, 1], [1 << 24, 1 << 24]) };
    let shrunk = chain(&[1, 64, 64], (0..100).map(|_| huge.clone().into()).chain([conv(1, 3, 1, 1)]).collect());
    let field = shrunk.receptive_fields().pop().unwrap();
    assert!(field.size()[0] > 1 << 50 && field.stride()[0].is_finite(), "{field:?}");
}

/// x → a (dense) → b (relu) and a + b: while `add` runs, a, b and the sum are there.
#[test]
fn memory_follows_what_is_still_needed() {
    let mut net = NetworkBuilder::new("Residual");
    let x: ValueId = net.input("x", &[30]).unwrap();
    let a = net.layer("a", DenseSpec::new(30, 20), &[&x]).unwrap();
    let b = net.layer("b", ReluSpec::new(), &[&a]).unwrap();
    let sum = net.layer("sum", AddSpec::new(), &[&a, &b]).unwrap();
    let last = net.layer("last", DenseSpec::new(20, 5), &[&sum]).unwrap();
    net.output("features", &b).unwrap();
    net.output("y", &last).unwrap();
    let network = net.finish().unwrap();
    let memory = network.memory();
    assert_eq!(memory.weights, 4 * (30 * 20 + 20 + 20 * 5 + 5));
    // `b` is an output, so it stays; while `sum` runs there are a, b and sum.
    assert_eq!((memory.peak, memory.peak_layer), (4 * 60, Some(2)));
    assert_eq!(memory.activations, 4 * (30 + 20 + 20 + 20 + 5));
    assert_eq!(memory.total(), memory.weights + memory.peak);
    assert_eq!(network.activation_bytes(0), 80);
}
