//! Zeros around the input of a convolution become its padding.

use crate::graph::{LayerOp, consumers, layers, op_at};
use cnn_ir::Op;
use cnn_ir::ops::{ConvSpec, PadMode, PadSpec};
use luminal::graph::Graph;
use luminal::prelude::petgraph::visit::EdgeRef;
use luminal::prelude::{Compiler, NodeIndex, ToIdsMut};

/// Lets a convolution that reads a layer of zeros around a value read the value itself, with so much more padding.
#[derive(Debug, Clone, Copy)]
pub struct FoldPad;

impl Compiler for FoldPad {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, _: T) {
        for node in layers(graph).map(|(node, ..)| node).collect::<Vec<_>>() {
            // Zeros may lie around zeros.
            while fold(graph, node).is_some() {}
        }
    }
}

/// Folds what a layer reads into it; `None` when there is nothing to fold.
fn fold(graph: &mut Graph, node: NodeIndex) -> Option<()> {
    let pad = graph.get_sources(node).first()?.0;
    let op = padded(&op_at::<LayerOp>(graph, node)?.op, &op_at::<LayerOp>(graph, pad)?.op)?;
    let (input, input_output, shape) = *graph.get_sources(pad).first()?;
    let edges = graph.graph.edges_connecting(pad, node);
    let (edge, mut dependency) = edges.map(|edge| (edge.id(), *edge.weight())).next()?;
    if let luminal::graph::Dependency::Data { output_order, shape: view, .. } = &mut dependency {
        (*output_order, *view) = (input_output, shape);
    }
    graph.graph.remove_edge(edge);
    graph.graph.add_edge(input, node, dependency);
    graph.graph.node_weight_mut(node)?.as_any_mut().downcast_mut::<LayerOp>()?.op = op;
    if consumers(graph, pad).is_empty() && !graph.to_retrieve.contains(&pad) {
        graph.graph.remove_node(pad);
    }
    Some(())
}

/// A convolution with the zeros around its input as its own.
fn padded(op: &Op, pad: &Op) -> Option<Op> {
    fn sum<const D: usize, const S: usize>(conv: &ConvSpec<D, S>, pad: &PadSpec<D, S>) -> Option<ConvSpec<D, S>> {
        let zeros = |mode| mode == PadMode::Zeros;
        let fits = zeros(conv.padding_mode) && zeros(pad.mode) && pad.value == 0.0;
        let mut padding = [0; S];
        for (sum, (a, b)) in padding.iter_mut().zip(conv.padding.iter().zip(pad.padding)) {
            *sum = a.checked_add(b)?;
        }
        fits.then(|| ConvSpec { padding, ..conv.clone() })
    }
    match (op, pad) {
        (Op::Conv1d(conv), Op::Pad1d(pad)) => sum(conv, pad).map(Op::from),
        (Op::Conv2d(conv), Op::Pad2d(pad)) => sum(conv, pad).map(Op::from),
        (Op::Conv3d(conv), Op::Pad3d(pad)) => sum(conv, pad).map(Op::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LuminalBuilder;
    use crate::passes::validate;
    use cnn_ir::Builder;
    use cnn_ir::ops::{Conv2dSpec, Pad2dSpec};

    /// x → pad → pad → conv → y, with the first pad an output, too, when `seen`.
    fn folded(value: f64, seen: bool) -> String {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[2, 3, 3]).unwrap();
        let outer = builder.layer("outer", Pad2dSpec::new([1, 0, 2, 0]), &[&x]).unwrap();
        let inner = builder.layer("inner", Pad2dSpec { value, ..Pad2dSpec::new([1; 4]) }, &[&outer]).unwrap();
        let conv = Conv2dSpec { padding: [0, 1, 0, 1], ..Conv2dSpec::new(2, 4, [3, 3]) };
        let conv = builder.layer("conv", conv, &[&inner]).unwrap();
        builder.output("y", &conv).unwrap();
        if seen {
            builder.output("z", &inner).unwrap();
        }
        let mut graph = builder.finish().unwrap();
        graph.apply(FoldPad);
        validate(&graph).unwrap();
        graph.to_string()
    }

    #[test]
    fn zeros_are_padding() {
        let text = folded(0.0, false);
        assert!(text.contains("padding: [2, 2, 3, 2]") && !text.contains("Pad2d"), "{text}");
    }

    #[test]
    fn what_is_read_elsewhere_stays() {
        let text = folded(0.0, true);
        assert!(text.contains("padding: [2, 2, 3, 2]") && text.contains("inner: Pad2d"), "{text}");
    }

    #[test]
    fn other_values_are_no_padding() {
        let text = folded(1.0, false);
        assert!(text.contains("padding: [0, 1, 0, 1]") && text.contains("inner: Pad2d"), "{text}");
    }
}
