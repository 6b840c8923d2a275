//! x − ln Σ eˣ, from x − max x.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::LogSoftmaxSpec;

impl DecomposeOp for LogSoftmaxSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = inputs[0].around(self.dim - 1);
        let classes = x.shape[1];
        let largest = cx.max(&x, 1);
        let negated = cx.scale(&largest, -1.0);
        let shifted = cx.add(x.view(), negated.view().broadcast(1, classes));
        let exponent = cx.scale(&shifted, std::f32::consts::LOG2_E);
        let power = cx.exp2(&exponent);
        let sum = cx.sum(&power, 1);
        let logarithm = cx.log2(&sum);
        let logarithm = cx.scale(&logarithm, -std::f32::consts::LN_2);
        cx.add(shifted.view(), logarithm.view().broadcast(1, classes)).reshape(output)
    }
}
