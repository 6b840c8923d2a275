//! An activation behind a convolution, a dense layer, a norm, a sum, a product or another activation becomes part of it.

use crate::engine::takes_activation;
use crate::graph::{Activation, LayerOp, consumers, layers, replace_node};
use luminal::graph::Graph;
use luminal::prelude::{Compiler, ToIdsMut};

/// Fuses activations into the layer that makes their input, when nothing else reads it. A chain of them becomes one layer,
/// which goes over the elements once.
#[derive(Debug, Clone, Copy)]
pub struct FuseActivation;

impl Compiler for FuseActivation {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, mut remap: T) {
        let activations = layers(graph)
            .filter(|(_, layer, _)| layer.activations.is_empty())
            .filter_map(|(node, layer, _)| Some((node, Activation::from_op(&layer.op)?)));
        for (node, activation) in activations.collect::<Vec<_>>() {
            let Some(&(source, _, _)) = graph.get_sources(node).first() else { continue };
            if graph.to_retrieve.contains(&source) || consumers(graph, source).len() != 1 {
                continue;
            }
            let op = graph.graph.node_weight_mut(source).and_then(|op| op.as_any_mut().downcast_mut::<LayerOp>());
            if let Some(layer) = op
                && takes_activation(&layer.op)
            {
                layer.activations.push(activation);
                replace_node(graph, &mut remap, node, source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayerGraph;
    use crate::LuminalBuilder;
    use cnn_ir::Builder;
    use cnn_ir::ops::{DenseSpec, FlattenSpec, ReluSpec, TanhSpec};

    /// x → fc → relu → tanh → y, with more made of fc by `more`.
    fn fused(more: impl FnOnce(&mut LuminalBuilder, &cnn_ir::ValueId)) -> LayerGraph {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[4]).unwrap();
        let fc = builder.layer("fc", DenseSpec { bias: false, ..DenseSpec::new(4, 3) }, &[&x]).unwrap();
        let relu = builder.layer("relu", ReluSpec::new(), &[&fc]).unwrap();
        let tanh = builder.layer("tanh", TanhSpec::new(), &[&relu]).unwrap();
        builder.output("y", &tanh).unwrap();
        more(&mut builder, &fc);
        let mut graph = builder.finish().unwrap();
        graph.apply(FuseActivation);
        crate::passes::validate(&graph).unwrap();
        graph
    }

    #[test]
    fn a_chain_of_activations_is_fused() {
        let text = fused(|_, _| {}).to_string();
        let expected = "\
%0 = input x -> b×4
%1 = parameter fc.weight -> 3×4
%2 = fc: Dense { in_features: 4, out_features: 3, bias: false } + Relu + Tanh (%0, %1) -> b×3
output y = %2
";
        assert_eq!(text, expected);
    }

    #[test]
    fn not_when_the_value_is_read_elsewhere() {
        let read = fused(|builder, fc| {
            builder.layer("flat", FlattenSpec::new(), &[fc]).unwrap();
        });
        let output = fused(|builder, fc| builder.output("z", fc).unwrap());
        assert!(!read.to_string().contains("} +") && !output.to_string().contains("} +"));
    }
}
