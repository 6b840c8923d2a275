//! A batch norm or a factor for each channel before a pointwise convolution becomes part of it.

use crate::engine::takes_prologue;
use crate::graph::{LayerOp, Source, consumers, layers, op_at, set_sources};
use cnn_ir::Op;
use luminal::graph::Graph;
use luminal::prelude::{Compiler, NodeIndex, ToIdsMut};

/// Puts a batch norm, or a product with one factor for each channel, with its activations before the pointwise
/// convolution that reads it, when nothing else does: the convolution reads its inputs, and its kernel makes what it needs
/// at a time. That spares the memory of the map in between; the time is about the same. So norms come before convolutions
/// in DenseNet (Huang and others, "Densely Connected Convolutional Networks", 2016), and factors where squeeze-and-excitation
/// precedes a projection (Howard and others, "Searching for MobileNetV3", 2019).
#[derive(Debug, Clone, Copy)]
pub struct FusePrologue;

impl Compiler for FusePrologue {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, _: T) {
        for node in layers(graph).map(|(node, ..)| node).collect::<Vec<_>>() {
            fuse(graph, node);
        }
    }
}

/// Puts what a layer reads before it; `None` when that cannot be.
fn fuse(graph: &mut Graph, node: NodeIndex) -> Option<()> {
    let layer = op_at::<LayerOp>(graph, node)?;
    let mut sources = graph.get_sources(node);
    let before = sources.first()?.0;
    let prologue = op_at::<LayerOp>(graph, before)?.clone();
    let is_free = prologue.norm.is_none() && !prologue.residual && prologue.prologue.is_none();
    let is_read_once = consumers(graph, before).len() == 1 && !graph.to_retrieve.contains(&before);
    if layer.prologue.is_some() || !takes_prologue(&layer.op) || !is_free || !is_read_once {
        return None;
    }
    let (values, parameters) = values_and_parameters(graph, before, &prologue)?;
    // The residual is the last.
    let behind = sources.len() - usize::from(layer.residual);
    sources.splice(behind..behind, parameters);
    sources.splice(..1, values);
    set_sources(graph, node, &sources);
    graph.graph.node_weight_mut(node)?.as_any_mut().downcast_mut::<LayerOp>()?.prologue = Some(Box::new(prologue));
    graph.graph.remove_node(before);
    Some(())
}

/// The sources of a layer that can be a prologue, a product's map before its factors.
fn values_and_parameters(graph: &Graph, node: NodeIndex, layer: &LayerOp) -> Option<(Vec<Source>, Vec<Source>)> {
    let mut sources = graph.get_sources(node);
    match layer.op {
        Op::BatchNorm(_) => {
            let parameters = sources.split_off(1);
            Some((sources, parameters))
        }
        Op::Mul(_) => {
            // Without the batch.
            let shape = |source: &Source| source.2.dims.iter().skip(1).map(|size| size.to_usize()).collect::<Vec<_>>();
            sources.sort_by_key(|source| !shape(source).into_iter().eq(layer.shape.iter().copied().map(Some)));
            let are_factors =
                sources.len() == 2 && sources.last().is_some_and(|last| shape(last)[1..] == [Some(1), Some(1)]);
            are_factors.then_some((sources, Vec::new()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LuminalBuilder;
    use crate::passes::{FuseActivation, FuseResidual, validate};
    use cnn_ir::ops::{AddSpec, BatchNormSpec, Conv2dSpec, GlobalAvgPool2dSpec, MulSpec, ReluSpec};
    use cnn_ir::{BuildError, Builder, ValueId};

    /// x → what `before` makes of it → conv → (+ x) → y; the line of the convolution.
    fn fused(
        conv: Conv2dSpec,
        before: impl FnOnce(&mut LuminalBuilder, &ValueId) -> Result<ValueId, BuildError>,
    ) -> String {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[4, 3, 3]).unwrap();
        let made = before(&mut builder, &x).unwrap();
        let conv = builder.layer("conv", conv, &[&made]).unwrap();
        let sum = builder.layer("sum", AddSpec::new(), &[&conv, &x]).unwrap();
        builder.output("y", &sum).unwrap();
        let mut graph = builder.finish().unwrap();
        graph.apply(FuseResidual);
        graph.apply(FuseActivation);
        graph.apply(FusePrologue);
        validate(&graph).unwrap();
        let text = graph.to_string();
        text.lines().find(|line| line.contains("conv: ")).unwrap().to_owned()
    }

    fn pointwise() -> Conv2dSpec {
        Conv2dSpec::new(4, 4, [1, 1])
    }

    fn norm(builder: &mut LuminalBuilder, x: &ValueId) -> Result<ValueId, BuildError> {
        let norm = builder.layer("norm", BatchNormSpec { affine: false, ..BatchNormSpec::new(4) }, &[x])?;
        builder.layer("relu", ReluSpec::new(), &[&norm])
    }

    #[test]
    fn the_convolution_reads_what_the_norm_read() {
        let line = fused(pointwise(), norm);
        assert!(line.contains("conv: (norm: BatchNorm { num_features: 4, affine: false } + Relu) + Conv2d"), "{line}");
        // Input, weight, bias, mean, variance, residual.
        assert!(line.ends_with("+ Add (%0, %1, %2, %3, %4, %0) -> b×4×3×3"), "{line}");
    }

    #[test]
    fn a_map_comes_before_its_factors() {
        for swapped in [false, true] {
            let line = fused(pointwise(), |builder, x| {
                let factors = builder.layer("factors", GlobalAvgPool2dSpec::new(), &[x])?;
                builder.layer("mul", MulSpec::new(), &if swapped { [&factors, x] } else { [x, &factors] })
            });
            assert!(line.contains("conv: (mul: Mul) + Conv2d"), "{line}");
            assert!(line.ends_with("+ Add (%0, %1, %2, %3, %0) -> b×4×3×3"), "{line}");
        }
    }

    #[test]
    fn other_layers_stay_before_other_convolutions() {
        let wide = fused(Conv2dSpec { padding: [1; 4], ..Conv2dSpec::new(4, 4, [3, 3]) }, norm);
        let product = fused(pointwise(), |builder, x| builder.layer("mul", MulSpec::new(), &[x, x]));
        let groups = fused(Conv2dSpec { groups: 2, ..pointwise() }, norm);
        for line in [wide, product, groups] {
            assert!(line.contains("conv: Conv2d"), "{line}");
        }
    }

    #[test]
    fn not_when_the_value_is_read_elsewhere() {
        let line = fused(pointwise(), |builder, x| {
            let made = norm(builder, x)?;
            builder.output("z", &made)?;
            Ok(made)
        });
        assert!(line.contains("conv: Conv2d"), "{line}");
    }
}
