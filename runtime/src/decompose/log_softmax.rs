//! x − ln Σ eˣ, from x − max x.

use super::softmax::shifted_exponentials;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::LogSoftmaxSpec;

impl DecomposeOp for LogSoftmaxSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = inputs[0].around(self.dim - 1);
        let (shifted, power) = shifted_exponentials(cx, &x);
        let sum = cx.sum(&power, 1);
        let logarithm = cx.log2(&sum);
        let logarithm = cx.scale(&logarithm, -std::f32::consts::LN_2);
        cx.add(shifted.view(), logarithm.view().broadcast(1, x.shape[1])).reshape(output)
    }
}
