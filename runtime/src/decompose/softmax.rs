//! eˣ / Σ eˣ, from x − max x.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::SoftmaxSpec;

impl DecomposeOp for SoftmaxSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = inputs[0].around(self.dim - 1);
        let (_, power) = shifted_exponentials(cx, &x);
        let sum = cx.sum(&power, 1);
        let share = cx.recip(&sum);
        cx.mul(power.view(), share.view().broadcast(1, x.shape[1])).reshape(output)
    }
}

/// x − max x along axis 1, so that nothing overflows, and e to that power.
pub fn shifted_exponentials(cx: &mut Primitives, x: &Node) -> (Node, Node) {
    let largest = cx.max(x, 1);
    let negated = cx.scale(&largest, -1.0);
    let shifted = cx.add(x.view(), negated.view().broadcast(1, x.shape[1]));
    let exponent = cx.scale(&shifted, std::f32::consts::LOG2_E);
    let power = cx.exp2(&exponent);
    (shifted, power)
}
