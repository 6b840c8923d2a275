//! A layer implemented in Rust: as one function of Luminal's, since nothing is known of what it does.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::ExternSpec;
use luminal::op::{Function, InputTensor};
use luminal::prelude::ShapeTracker;
use luminal::tensor::Tensor;

impl DecomposeOp for ExternSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let (layer, shape, size) = (self.layer.clone(), inputs[0].shape.clone(), output.elements());
        let elements = inputs[0].elements();
        let forward = move |tensors: Vec<(InputTensor<'_>, ShapeTracker)>| {
            let input = tensors.first().and_then(|(tensor, _)| tensor.borrowed().data.as_any().downcast_ref());
            let input: &[f32] = input.map_or(&[], |data: &Vec<f32>| data);
            let mut result = vec![0.0; input.len() / elements * size];
            if let Some(layer) = &layer {
                for (example, output) in input.chunks_exact(elements).zip(result.chunks_exact_mut(size)) {
                    layer.forward(&shape, example, output);
                }
            }
            vec![Tensor::new(result)]
        };
        // Luminal takes functions of one name for the same.
        let name = format!("{self:?}");
        cx.function(Function(name, Box::new(forward)), &inputs[0], output)
    }
}
