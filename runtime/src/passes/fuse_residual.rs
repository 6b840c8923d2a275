//! The sum of a convolution's, a product's or a norm's result and another value becomes part of that layer; sums of sums
//! become one.

use crate::engine::takes_residual;
use crate::graph::{LayerOp, MAX_SOURCES, consumers, layers, op_at, replace_node};
use cnn_ir::Op;
use luminal::graph::{Dependency, Graph};
use luminal::prelude::{Compiler, NodeIndex, ToIdsMut};

/// Fuses a sum of two values into the layer that makes one of them, when nothing else reads that: the layer reads the
/// other value, too, and its kernel adds it. In residual networks (He and others, "Deep Residual Learning for Image
/// Recognition", 2015) that is every shortcut. A sum takes the value as one more of its own; all of them are then kept until
/// it is made, which may take more memory than sums of two.
#[derive(Debug, Clone, Copy)]
pub struct FuseResidual;

impl Compiler for FuseResidual {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, mut remap: T) {
        let sums: Vec<NodeIndex> = layers(graph)
            .filter(|(_, layer, _)| matches!(layer.op, Op::Add(_)) && layer.activations.is_empty())
            .map(|(node, ..)| node)
            .collect();
        for node in sums {
            let &[(a, ..), (b, ..)] = graph.get_sources(node).as_slice() else { continue };
            let takes = |&(value, other): &(NodeIndex, NodeIndex)| {
                let layer = op_at::<LayerOp>(graph, value);
                let is_free = |layer: &LayerOp| {
                    let takes = takes_residual(&layer.op) || matches!(layer.op, Op::Add(_));
                    !layer.residual && layer.activations.is_empty() && takes
                };
                value != other
                    && layer.is_some_and(is_free)
                    && !graph.to_retrieve.contains(&value)
                    && consumers(graph, value).len() == 1
                    && graph.get_sources(value).len() < MAX_SOURCES
            };
            // A convolution has the sum in registers; others go over all elements anyway.
            let mut pairs = [(a, b), (b, a)];
            pairs.sort_by_key(|pair| {
                op_at::<LayerOp>(graph, pair.0).is_none_or(|layer| !matches!(layer.op, Op::Conv2d(_)))
            });
            let Some((value, other)) = pairs.into_iter().find(takes) else { continue };
            let Some(&(_, output_order, shape)) = graph.get_sources(node).iter().find(|source| source.0 == other)
            else {
                continue;
            };
            let input_order = graph.get_sources(value).len() as u8;
            let op = graph.graph.node_weight_mut(value).and_then(|op| op.as_any_mut().downcast_mut::<LayerOp>());
            let Some(layer) = op else { continue };
            layer.residual = !matches!(layer.op, Op::Add(_));
            graph.graph.add_edge(other, value, Dependency::Data { input_order, output_order, shape });
            replace_node(graph, &mut remap, node, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::{FuseActivation, validate};
    use crate::{LayerGraph, LuminalBuilder};
    use cnn_ir::Builder;
    use cnn_ir::ops::{AddSpec, BatchNormSpec, Conv2dSpec, MulSpec, ReluSpec};

    /// x → conv → (+ x) → relu → y, with more made of conv by `more`.
    fn fused(more: impl FnOnce(&mut LuminalBuilder, &cnn_ir::ValueId)) -> LayerGraph {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[4, 3, 3]).unwrap();
        let conv = Conv2dSpec { bias: false, ..Conv2dSpec::new(4, 4, [1, 1]) };
        let conv = builder.layer("conv", conv, &[&x]).unwrap();
        let sum = builder.layer("sum", AddSpec::new(), &[&x, &conv]).unwrap();
        let relu = builder.layer("relu", ReluSpec::new(), &[&sum]).unwrap();
        builder.output("y", &relu).unwrap();
        more(&mut builder, &conv);
        let mut graph = builder.finish().unwrap();
        graph.apply(FuseResidual);
        validate(&graph).unwrap();
        graph.apply(FuseActivation);
        validate(&graph).unwrap();
        graph
    }

    #[test]
    fn the_convolution_reads_the_other_value() {
        let text = fused(|_, _| {}).to_string();
        let conv = text.lines().find(|line| line.contains("conv:")).unwrap();
        assert!(conv.contains("} + Add + Relu (%0, %1, %0) -> b×4×3×3"), "{text}");
        assert!(!text.contains("sum") && !text.contains("relu"), "{text}");
    }

    #[test]
    fn not_when_the_value_is_read_elsewhere() {
        let read = fused(|builder, conv| {
            builder.layer("more", ReluSpec::new(), &[conv]).unwrap();
        });
        let output = fused(|builder, conv| builder.output("z", conv).unwrap());
        assert!(!read.to_string().contains("} + Add") && !output.to_string().contains("} + Add"));
    }

    /// x → what `made` makes of it; (+ x) → relu → y.
    fn summed(made: impl FnOnce(&mut LuminalBuilder, &cnn_ir::ValueId) -> cnn_ir::ValueId) -> String {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[4, 3, 3]).unwrap();
        let made = made(&mut builder, &x);
        let sum = builder.layer("sum", AddSpec::new(), &[&x, &made]).unwrap();
        let relu = builder.layer("relu", ReluSpec::new(), &[&sum]).unwrap();
        builder.output("y", &relu).unwrap();
        let mut graph = builder.finish().unwrap();
        graph.apply(FuseResidual);
        validate(&graph).unwrap();
        graph.apply(FuseActivation);
        validate(&graph).unwrap();
        graph.to_string()
    }

    #[test]
    fn products_norms_and_sums_take_one_more_value() {
        let product = summed(|builder, x| builder.layer("mul", MulSpec::new(), &[x, x]).unwrap());
        assert!(product.contains("mul: Mul + Add + Relu (%0, %0, %0) -> b×4×3×3"), "{product}");
        let norm = BatchNormSpec { affine: false, ..BatchNormSpec::new(4) };
        let norm = summed(|builder, x| builder.layer("norm", norm, &[x]).unwrap());
        assert!(norm.contains("affine: false } + Add + Relu (%0, %1, %2, %0) -> b×4×3×3"), "{norm}");
        let sum = summed(|builder, x| {
            let twice = builder.layer("twice", AddSpec::new(), &[x, x]).unwrap();
            builder.layer("thrice", AddSpec::new(), &[&twice, x]).unwrap()
        });
        assert!(sum.contains("twice: Add + Relu (%0, %0, %0, %0) -> b×4×3×3"), "{sum}");
    }

    #[test]
    fn a_convolution_rather_than_a_sum() {
        let text = summed(|builder, x| {
            let twice = builder.layer("twice", AddSpec::new(), &[x, x]).unwrap();
            let conv = builder.layer("conv", Conv2dSpec::new(4, 4, [1, 1]), &[x]).unwrap();
            builder.layer("both", AddSpec::new(), &[&twice, &conv]).unwrap()
        });
        assert!(
            text.contains("twice: Add (") && text.lines().any(|l| l.contains("conv:") && l.contains("+ Add")),
            "{text}"
        );
    }

    #[test]
    fn not_a_value_and_itself() {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[4, 3, 3]).unwrap();
        let conv = builder.layer("conv", Conv2dSpec::new(4, 4, [1, 1]), &[&x]).unwrap();
        let sum = builder.layer("sum", AddSpec::new(), &[&conv, &conv]).unwrap();
        builder.output("y", &sum).unwrap();
        let mut graph = builder.finish().unwrap();
        graph.apply(FuseResidual);
        validate(&graph).unwrap();
        assert!(graph.to_string().contains("sum: Add"));
    }
}
