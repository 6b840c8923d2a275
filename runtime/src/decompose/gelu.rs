//! x · Φ(x).

use super::relu::{relu, relu_of_negated};
use super::sigmoid::sigmoid;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::{GeluApproximate, GeluSpec};

impl DecomposeOp for GeluSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let x = &inputs[0];
        let distribution = match self.approximate {
            GeluApproximate::None => normal_distribution(cx, x),
            GeluApproximate::Tanh => approximate_distribution(cx, x),
        };
        cx.mul(x.view(), distribution.view())
    }
}

/// ½·(1 + tanh u) = σ(2u) with u = √(2/π)·(x + 0.044715·x³).
fn approximate_distribution(cx: &mut Primitives, x: &Node) -> Node {
    let square = cx.mul(x.view(), x.view());
    let factor = cx.scale(&square, 0.044_715);
    let factor = cx.offset(&factor, 1.0);
    let inner = cx.mul(x.view(), factor.view());
    sigmoid(cx, &inner, 2.0 * (2.0 / std::f64::consts::PI).sqrt() as f32)
}

/// Φ within 1e-7: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
fn normal_distribution(cx: &mut Primitives, x: &Node) -> Node {
    const COEFFICIENTS: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let (above, below) = (relu(cx, x), relu_of_negated(cx, x));
    let size = cx.add(above.view(), below.view());
    let divisor = cx.scale(&size, 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2);
    let divisor = cx.offset(&divisor, 1.0);
    let t = cx.recip(&divisor);
    let mut sum = cx.scale(&t, 0.0);
    for coefficient in COEFFICIENTS {
        sum = cx.offset(&sum, coefficient);
        sum = cx.mul(sum.view(), t.view());
    }
    let square = cx.mul(size.view(), size.view());
    let exponent = cx.scale(&square, -0.5 * std::f32::consts::LOG2_E);
    let power = cx.exp2(&exponent);
    // Φ(−|x|); above 0 it is taken from 1. The step may be soft: where it is, both are ½.
    let product = cx.mul(sum.view(), power.view());
    let tail = cx.scale(&product, 0.5);
    let step = sigmoid(cx, x, 1e6);
    let rest = cx.scale(&tail, -2.0);
    let rest = cx.offset(&rest, 1.0);
    let added = cx.mul(step.view(), rest.view());
    cx.add(tail.view(), added.view())
}
