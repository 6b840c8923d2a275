//! A batch norm behind a convolution or dense layer becomes part of its weights.

use crate::engine::takes_batch_norm;
use crate::graph::{LayerOp, consumers, layers, op_at, replace_node};
use cnn_ir::Op;
use luminal::graph::{Dependency, Graph};
use luminal::prelude::{Compiler, NodeIndex, ToIdsMut};

/// Folds batch norm into the layer that makes its input, when nothing else reads it: the layer reads the norm's
/// parameters too, and its kernel works them into the weights.
#[derive(Debug, Clone, Copy)]
pub struct FoldBatchNorm;

impl Compiler for FoldBatchNorm {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, mut remap: T) {
        let norms: Vec<NodeIndex> = layers(graph)
            .filter(|(_, layer, _)| matches!(layer.op, Op::BatchNorm(_)) && layer.activations.is_empty())
            .map(|(node, ..)| node)
            .collect();
        for node in norms {
            let sources = graph.get_sources(node);
            let Some(&(source, _, _)) = sources.first() else { continue };
            let Some(Op::BatchNorm(norm)) = op_at::<LayerOp>(graph, node).map(|layer| layer.op.clone()) else {
                continue;
            };
            let foldable = op_at(graph, source).is_some_and(|layer: &LayerOp| {
                layer.norm.is_none() && !layer.residual && layer.activations.is_empty() && takes_batch_norm(&layer.op)
            });
            if !foldable || graph.to_retrieve.contains(&source) || consumers(graph, source).len() != 1 {
                continue;
            }
            let first = graph.get_sources(source).len();
            for (i, &(parameter, output_order, shape)) in sources[1..].iter().enumerate() {
                // The builder keeps the number of a layer's sources far below what a byte counts; see `MAX_SOURCES`.
                let input_order = (first + i) as u8;
                graph.graph.add_edge(parameter, source, Dependency::Data { input_order, output_order, shape });
            }
            let op = graph.graph.node_weight_mut(source).and_then(|op| op.as_any_mut().downcast_mut::<LayerOp>());
            if let Some(layer) = op {
                layer.norm = Some(norm);
                replace_node(graph, &mut remap, node, source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::{FuseActivation, validate};
    use crate::{LayerGraph, LuminalBuilder};
    use cnn_ir::Builder;
    use cnn_ir::ops::{BatchNormSpec, DenseSpec, ReluSpec};

    /// x → fc → norm → relu → y, with more made of fc by `more`.
    fn folded(more: impl FnOnce(&mut LuminalBuilder, &cnn_ir::ValueId)) -> LayerGraph {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[4]).unwrap();
        let fc = builder.layer("fc", DenseSpec { bias: false, ..DenseSpec::new(4, 3) }, &[&x]).unwrap();
        let norm = BatchNormSpec { affine: false, ..BatchNormSpec::new(3) };
        let norm = builder.layer("norm", norm, &[&fc]).unwrap();
        let relu = builder.layer("relu", ReluSpec::new(), &[&norm]).unwrap();
        builder.output("y", &relu).unwrap();
        more(&mut builder, &fc);
        let mut graph = builder.finish().unwrap();
        graph.apply(FoldBatchNorm);
        validate(&graph).unwrap();
        graph.apply(FuseActivation);
        validate(&graph).unwrap();
        graph
    }

    #[test]
    fn the_layer_reads_the_norms_parameters() {
        let expected = "\
%0 = input x -> b×4
%1 = parameter fc.weight -> 3×4
%2 = parameter norm.running_mean -> 3
%3 = parameter norm.running_var -> 3
%4 = fc: Dense { in_features: 4, out_features: 3, bias: false } + BatchNorm { num_features: 3, affine: false } + Relu \
(%0, %1, %2, %3) -> b×3
output y = %4
";
        assert_eq!(folded(|_, _| {}).to_string(), expected);
    }

    #[test]
    fn not_when_the_value_is_read_elsewhere() {
        let read = folded(|builder, fc| {
            builder.layer("more", ReluSpec::new(), &[fc]).unwrap();
        });
        let output = folded(|builder, fc| builder.output("z", fc).unwrap());
        assert!(!read.to_string().contains("} + Batch") && !output.to_string().contains("} + Batch"));
    }
}
