//! x · 2^(−β · log₂(k + α/n · Σ x²)).

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::LocalResponseNormSpec;

impl DecomposeOp for LocalResponseNormSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let channels = output[0];
        let x = inputs[0].reshape(&[channels, output.elements() / channels]);
        let squares = cx.mul(x.view(), x.view());
        // Channels farther away than there are any add nothing.
        let (before, behind) = ((self.size / 2).min(channels - 1), ((self.size - 1) / 2).min(channels - 1));
        let padded = cx.contiguous(squares.view().pad(0, before, behind));
        let shifted = |shift| padded.view().slice(0, shift, channels);
        let mut sum = cx.contiguous(shifted(0));
        for shift in 1..=before + behind {
            sum = cx.add(sum.view(), shifted(shift));
        }
        let scaled = cx.scale(&sum, (self.alpha / self.size as f64) as f32);
        let divisor = cx.offset(&scaled, self.k as f32);
        let logarithm = cx.log2(&divisor);
        let exponent = cx.scale(&logarithm, -self.beta as f32);
        let factor = cx.exp2(&exponent);
        cx.mul(x.view(), factor.view()).reshape(output)
    }
}
