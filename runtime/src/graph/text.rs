//! The text form of a graph: one node per line.

use super::{InputOp, LayerGraph, LayerOp, ParameterOp, data_flow_order};
use crate::engine::ProgramOutput;
use crate::training::{AllOp, GradientOp, LossOp, UpdateOp};
use luminal::graph::Graph;
use luminal::op::{Add, Constant, Contiguous, Exp2, LessThan, Log2, MaxReduce, Mod, Mul, Recip, Sin, Sqrt, SumReduce};
use luminal::prelude::{BatchedMatMul2D, NodeIndex, ShapeTracker};
use std::any::Any;
use std::collections::HashMap;
use std::fmt;

/// `%3 = c1: Conv2d { … } (%0, %1, %2) -> b×6×28×28`: nodes are numbered in data-flow order, `b` is the batch.
impl fmt::Display for LayerGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots: Vec<NodeIndex> = self.inputs.iter().chain(&self.outputs).map(|port| port.node).collect();
        let order = data_flow_order(&self.graph, &roots);
        let numbers: HashMap<NodeIndex, usize> = order.iter().enumerate().map(|(i, &node)| (node, i)).collect();
        for (i, &node) in order.iter().enumerate() {
            let Some(op) = self.graph.graph.node_weight(node) else { continue };
            write!(f, "%{i} = {op:?}")?;
            let sources = self.graph.get_sources(node);
            if !sources.is_empty() {
                let ids = sources.iter().map(|(source, output, _)| match output {
                    0 => format!("%{}", numbers[source]),
                    _ => format!("%{}.{output}", numbers[source]),
                });
                write!(f, " ({})", ids.collect::<Vec<_>>().join(", "))?;
            }
            match output_sizes(&self.graph, node) {
                Some(sizes) if sizes.is_empty() => writeln!(f, " -> scalar")?,
                Some(sizes) => writeln!(f, " -> {}", sizes.join("×"))?,
                None => writeln!(f)?,
            }
        }
        for output in &self.outputs {
            writeln!(f, "output {} = %{}", output.name, numbers[&output.node])?;
        }
        Ok(())
    }
}

/// The sizes of what a node makes, where its operator tells.
fn output_sizes(graph: &Graph, node: NodeIndex) -> Option<Vec<String>> {
    let op: &dyn Any = graph.graph.node_weight(node)?.as_any();
    let after_batch =
        |shape: &[usize]| std::iter::once("b".to_owned()).chain(shape.iter().map(usize::to_string)).collect();
    if let Some(InputOp { shape, .. }) = op.downcast_ref() {
        return Some(after_batch(shape));
    }
    if let Some(LayerOp { shape, .. }) = op.downcast_ref() {
        return Some(after_batch(shape));
    }
    if let Some(LossOp { shape, .. }) = op.downcast_ref() {
        return Some(after_batch(shape));
    }
    if let Some(gradient) = op.downcast_ref::<GradientOp>() {
        return gradient.shape().map(|shape| after_batch(shape));
    }
    if op.is::<UpdateOp>() || op.is::<AllOp>() {
        return None;
    }
    if let Some(ParameterOp { shape, .. }) = op.downcast_ref() {
        return Some(shape.iter().map(usize::to_string).collect());
    }
    if op.is::<Constant>() {
        return Some(Vec::new());
    }
    let sources = graph.get_sources(node);
    let mut sizes = view_sizes(&sources.first()?.2);
    let sum_axis = op.downcast_ref().map(|SumReduce(axis)| *axis);
    if let Some(axis) = sum_axis.or_else(|| op.downcast_ref().map(|MaxReduce(axis)| *axis)) {
        sizes.remove(axis);
        return Some(sizes);
    }
    if op.is::<BatchedMatMul2D>() {
        sizes.pop();
        sizes.push(view_sizes(&sources.get(1)?.2).pop()?);
        return Some(sizes);
    }
    macro_rules! keeps_sizes {
        ($($kind:ty),*) => { $(op.is::<$kind>())||* };
    }
    keeps_sizes!(Add, Contiguous, Exp2, LessThan, Log2, Mod, Mul, ProgramOutput, Recip, Sin, Sqrt).then_some(sizes)
}

/// The sizes of a view: padded, then sliced. Luminal's own `shape()` forgets one for the other.
fn view_sizes(view: &ShapeTracker) -> Vec<String> {
    let size = |axis: usize| {
        let (before, after) = view.padding[axis];
        let (start, end) = view.slices[axis];
        let padded = view.dims[axis].to_usize()? + before.to_usize()? + after.to_usize()?;
        Some(padded.min(end.to_usize()?).saturating_sub(start.to_usize()?))
    };
    // The batch is the only size without a number.
    view.indexes.iter().map(|&axis| size(axis).map_or("b".to_owned(), |size| size.to_string())).collect()
}
