//! Every op in Luminal's primitives: its meaning, the reference in tests, and the way onto Luminal's own backends.

mod axis;
mod primitives;
mod reference;
mod window;

pub use reference::Reference;

use crate::graph::{LayerGraph, LayerOp, Source, data_flow_order, op_at, replace_node};
use cnn_ir::ops::AddSpec;
use cnn_ir::{Op, OpSpec, Shape};
use luminal::graph::Graph;
use luminal::prelude::{Compiler, ToIdsMut};
use primitives::{Node, Primitives};

/// A Luminal compiler that rewrites every layer into Luminal's primitives.
///
/// What it makes can be run by Luminal itself, with or without `BatchMatMul2DCompiler`; not with `GenericCompiler`,
/// which removes additions and products that change a view.
#[derive(Debug, Default, Clone, Copy)]
pub struct Decompose;

impl Compiler for Decompose {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, remap: T) {
        decompose_layers(graph, remap);
    }
}

impl LayerGraph {
    /// The same network in Luminal's primitives; see [`Decompose`].
    pub fn decompose(&mut self) {
        self.apply(Decompose);
    }
}

/// An op's meaning in primitives.
trait DecomposeOp {
    /// Adds what makes the output from the values and, in their order, the op's parameters. All nodes are dense.
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node;
}

macro_rules! dispatch {
    ($($file:ident: $($variant:ident $spec:ident),+;)*) => {
        $(mod $file;)*

        impl DecomposeOp for Op {
            fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
                match self { $($(Op::$variant(spec) => spec.decompose(cx, inputs, parameters, output),)+)* }
            }
        }
    };
}
cnn_ir::for_each_op!(dispatch);

/// Rewrites every layer; returns the most elements that one of the new tensors has for one example.
fn decompose_layers(graph: &mut Graph, mut remap: impl ToIdsMut) -> usize {
    let mut largest = 0;
    for node in data_flow_order(graph, &[]) {
        let Some(LayerOp { op, shape, prologue, norm, residual, activations, .. }) = op_at(graph, node).cloned() else {
            continue;
        };
        let mut sources: Vec<Node> = graph.get_sources(node).iter().map(dense).collect();
        let residual = if residual { sources.pop() } else { None };
        let prologue_parameters = prologue.as_ref().map_or(0, |prologue| prologue.parameters().len());
        let (sources, prologue_parameters) = sources.split_at(sources.len() - prologue_parameters);
        let norm_parameters = norm.as_ref().map_or(0, |norm| norm.parameters().len());
        let (sources, norm_parameters) = sources.split_at(sources.len() - norm_parameters);
        let (inputs, parameters) = sources.split_at(sources.len() - op.parameters().len());
        let mut cx = Primitives::new(graph);
        let mut inputs = inputs.to_vec();
        if let Some(prologue) = prologue {
            let mut made = prologue.op.decompose(&mut cx, &inputs, prologue_parameters, &prologue.shape);
            for activation in &prologue.activations {
                made = activation.op().decompose(&mut cx, &[made], &[], &prologue.shape);
            }
            inputs = vec![made];
        }
        let mut new = op.decompose(&mut cx, &inputs, parameters, &shape);
        if let Some(norm) = norm {
            new = norm.decompose(&mut cx, &[new], norm_parameters, &shape);
        }
        if let Some(residual) = residual {
            new = AddSpec::new().decompose(&mut cx, &[new, residual], &[], &shape);
        }
        for activation in activations {
            new = activation.op().decompose(&mut cx, &[new], &[], &shape);
        }
        debug_assert_eq!((&*new.shape, new.batched), (&*shape, true), "{op}");
        largest = largest.max(cx.largest());
        replace_node(graph, &mut remap, node, new.id);
    }
    largest
}

/// A layer's source: all of it, in the order of memory, its sizes known but for the batch.
fn dense((id, _, view): &Source) -> Node {
    let sizes: Vec<Option<usize>> = view.dims.iter().map(|size| size.to_usize()).collect();
    Node { id: *id, batched: sizes.first() == Some(&None), shape: sizes.into_iter().flatten().collect() }
}
