//! The input inside, and what the mode says around it.

use super::axis::take;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::{Pad2dSpec, PadMode};

impl DecomposeOp for Pad2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = &inputs[0];
        if self.mode != PadMode::Zeros {
            return (0..2).fold(x.clone(), |x, axis| {
                let table: Vec<usize> = self.sources(axis, x.shape[1 + axis]).flatten().collect();
                take(cx, &x, 1 + axis, &table)
            });
        }
        let [top, bottom, left, right] = self.padding;
        let padded = cx.contiguous(x.view().pad(1, top, bottom).pad(2, left, right));
        if self.value == 0.0 {
            return padded;
        }
        // The value · (1 − m), m being 1 inside and 0 around.
        let ones = cx.ones(&x.shape[1..]);
        let inside = cx.contiguous(ones.view().pad(0, top, bottom).pad(1, left, right));
        let negative = cx.scale(&inside, -1.0);
        let outside = cx.offset(&negative, 1.0);
        let values = cx.scale(&outside, self.value as f32);
        cx.add(padded.view(), values.view().broadcast(0, output[0]).broadcast_batch())
    }
}
