//! The input inside, and what the mode says around it.

use super::axis::take;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::{PadMode, PadSpec};

impl<const D: usize, const S: usize> DecomposeOp for PadSpec<D, S> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        pad(self, cx, &inputs[0])
    }
}

/// A value with what is around it.
pub fn pad<const D: usize, const S: usize>(spec: &PadSpec<D, S>, cx: &mut Primitives, x: &Node) -> Node {
    if spec.mode != PadMode::Zeros {
        return (0..D).fold(x.clone(), |x, axis| {
            let table: Vec<usize> = spec.sources(axis, x.shape[1 + axis]).flatten().collect();
            take(cx, &x, 1 + axis, &table)
        });
    }
    let around = |x: &Node| {
        let first = x.shape.len() - D;
        (0..D).fold(x.view(), |x, axis| x.pad(first + axis, spec.padding[2 * axis], spec.padding[2 * axis + 1]))
    };
    let padded = cx.contiguous(around(x));
    if spec.value == 0.0 {
        return padded;
    }
    // The value · (1 − m), m being 1 inside and 0 around.
    let ones = cx.ones(&x.shape[1..]);
    let inside = cx.contiguous(around(&ones));
    let negative = cx.scale(&inside, -1.0);
    let outside = cx.offset(&negative, 1.0);
    let values = cx.scale(&outside, spec.value as f32);
    cx.add(padded.view(), values.view().broadcast(0, x.shape[0]).broadcast_batch())
}
