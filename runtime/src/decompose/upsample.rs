//! Two elements of the input per axis, by their shares.

use super::axis::take;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::{UpsampleSpec, UpsampleTap};

impl<const D: usize> DecomposeOp for UpsampleSpec<D> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        (0..D).fold(inputs[0].clone(), |x, axis| {
            let taps: Vec<UpsampleTap> = self.taps(axis, x.shape[1 + axis], output[1 + axis]).collect();
            let table = |tap: fn(&UpsampleTap) -> usize| taps.iter().map(tap).collect::<Vec<_>>();
            let first = take(cx, &x, 1 + axis, &table(|tap| tap.first));
            if !self.mode.interpolates() {
                return first;
            }
            let second = take(cx, &x, 1 + axis, &table(|tap| tap.second));
            let first = weigh(cx, &first, 1 + axis, taps.iter().map(|tap| 1.0 - tap.weight).collect());
            let second = weigh(cx, &second, 1 + axis, taps.iter().map(|tap| tap.weight).collect());
            cx.add(first.view(), second.view())
        })
    }
}

/// Each place of an axis times its weight.
fn weigh(cx: &mut Primitives, x: &Node, axis: usize, weights: Vec<f32>) -> Node {
    let shape = x.shape.clone();
    let x = x.around(axis);
    let weights = cx.numbers(weights);
    let weights = weights.view().broadcast(0, x.shape[0]).broadcast(2, x.shape[2]).broadcast_batch();
    cx.mul(x.view(), weights).reshape(&shape)
}
