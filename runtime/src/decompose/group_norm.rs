//! (x − μ) / √(σ² + ε) · γ + β over groups of channels.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::GroupNormSpec;

impl DecomposeOp for GroupNormSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let y = normalize(cx, &inputs[0], self.num_groups, self.eps);
        scale_channels(cx, &y, parameters, self.num_channels).reshape(output)
    }
}

/// (x − μ) / √(σ² + ε) over each of as many parts of an example.
pub fn normalize(cx: &mut Primitives, x: &Node, parts: usize, eps: f64) -> Node {
    let size = x.elements() / parts;
    let x = x.reshape(&[parts, size]);
    let mean = |cx: &mut Primitives, x: &Node, factor: f32| {
        let sum = cx.sum(x, 1);
        cx.scale(&sum, factor / size as f32)
    };
    let negated = mean(cx, &x, -1.0);
    let centred = cx.add(x.view(), negated.view().broadcast(1, size));
    let squares = cx.mul(centred.view(), centred.view());
    let variance = mean(cx, &squares, 1.0);
    let variance = cx.offset(&variance, eps as f32);
    let deviation = cx.sqrt(&variance);
    let scale = cx.recip(&deviation);
    cx.mul(centred.view(), scale.view().broadcast(1, size))
}

/// x · γ + β, one of each per channel, if there are any.
pub fn scale_channels(cx: &mut Primitives, x: &Node, parameters: &[Node], channels: usize) -> Node {
    let places = x.elements() / channels;
    let x = x.reshape(&[channels, places]);
    let like_x = |parameter: &Node| parameter.reshape(&[channels]).view().broadcast(1, places).broadcast_batch();
    let scaled = parameters.first().map_or(x.clone(), |weight| cx.mul(x.view(), like_x(weight)));
    parameters.get(1).map_or(scaled.clone(), |bias| cx.add(scaled.view(), like_x(bias)))
}
