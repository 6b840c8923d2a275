//! The Luminal graph of a network's layers, and the few operations on it that every pass needs.

mod builder;
mod layer;
mod text;

pub use builder::LuminalBuilder;
pub(crate) use builder::MAX_SOURCES;
pub use layer::{Activation, InputOp, LayerOp, ParameterOp};

use crate::{Error, Weights};
use cnn_ir::Shape;
use cnn_ir::ops::{ExternLayer, ExternSpec};
use luminal::graph::{Dependency, Graph};
use luminal::op::Operator;
use luminal::prelude::petgraph::Direction;
use luminal::prelude::petgraph::visit::EdgeRef;
use luminal::prelude::{Compiler, NodeIndex, ShapeTracker, ToIdsMut, move_references};
use luminal::shape::symbolic::Expression;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// The name of the symbolic batch dimension.
pub const BATCH: char = 'b';

/// A network as a Luminal graph, with its inputs, outputs and parameters.
///
/// `Display` writes one node per line, in data-flow order, whatever passes have made of the graph.
#[derive(Default)]
pub struct LayerGraph {
    /// Boxed and never moved out of the box: Luminal's tensors and constants point into it.
    pub(crate) graph: Box<Graph>,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    pub(crate) parameters: Vec<Parameter>,
    /// The names of parameters that only training needs.
    pub(crate) train_only: BTreeSet<String>,
}

/// An input or an output.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// The name.
    pub name: String,
    /// The node that makes the value. Passes may replace it.
    pub node: NodeIndex,
    /// The shape of one example.
    pub shape: Shape,
}

/// A parameter or buffer.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The full name, as in PyTorch's state dict.
    pub name: String,
    /// The node that holds the tensor.
    pub node: NodeIndex,
    /// The shape.
    pub shape: Vec<usize>,
}

impl LayerGraph {
    /// The inputs, in order.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The parameters, layer by layer.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Checks that the weights are those of this graph; those that only training needs may be missing.
    pub(crate) fn check_weights(&self, weights: &Weights) -> Result<(), Error> {
        let parameters = self.parameters.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()));
        weights.check(parameters, &self.train_only)
    }

    /// Runs a pass over the graph. Inputs, outputs and parameters follow the nodes that it replaces.
    pub fn apply(&mut self, pass: impl Compiler) {
        let ports = self.inputs.iter_mut().chain(&mut self.outputs).map(|port| &mut port.node);
        let nodes: Vec<&mut NodeIndex> = ports.chain(self.parameters.iter_mut().map(|p| &mut p.node)).collect();
        self.graph.compile(pass, nodes);
    }
}

/// What computes a layer that is implemented in Rust.
///
/// # Errors
/// Only the declaration is known, as in a `.cnn` file that is read at run time.
pub(crate) fn extern_layer<'a>(path: &str, spec: &'a ExternSpec) -> Result<&'a Arc<dyn ExternLayer>, Error> {
    spec.layer.as_ref().ok_or_else(|| {
        let ExternSpec { name, path: implementation, .. } = spec;
        let reason = format!(
            "`{name}` is an extern layer, implemented in Rust by `{implementation}`; it runs only in the crate that has \
             this type, from the code that `cnn!` or a build script makes"
        );
        Error::Graph { place: path.to_owned(), reason }
    })
}

/// A source of a node: which node, which of its outputs, and how it is read.
pub type Source = (NodeIndex, u8, ShapeTracker);

/// Every layer in data-flow order, with its sources: values, then parameters.
///
/// To rewrite the graph meanwhile, collect the nodes first and look at each with [`op_at`]; a source takes 5000 bytes.
pub fn layers(graph: &Graph) -> impl Iterator<Item = (NodeIndex, &LayerOp, Vec<Source>)> {
    let order = data_flow_order(graph, &[]).into_iter();
    order.filter_map(|node| Some((node, op_at(graph, node)?, graph.get_sources(node))))
}

/// The operator at a node, if it is a `T`.
pub fn op_at<T: Operator + 'static>(graph: &Graph, node: NodeIndex) -> Option<&T> {
    graph.graph.node_weight(node)?.as_any().downcast_ref()
}

/// The nodes that read a node, each once per reading edge.
pub fn consumers(graph: &Graph, node: NodeIndex) -> Vec<NodeIndex> {
    graph.graph.edges_directed(node, Direction::Outgoing).map(|edge| edge.target()).collect()
}

/// Lets a node read these sources, in this order, in place of its own.
pub fn set_sources(graph: &mut Graph, node: NodeIndex, sources: &[Source]) {
    let old = graph.graph.edges_directed(node, Direction::Incoming).map(|edge| edge.id());
    for edge in old.collect::<Vec<_>>() {
        graph.graph.remove_edge(edge);
    }
    for (i, &(source, output_order, shape)) in sources.iter().enumerate() {
        // The builder keeps the number of a layer's sources far below what a byte counts; see `MAX_SOURCES`.
        let input_order = i as u8;
        graph.graph.add_edge(source, node, Dependency::Data { input_order, output_order, shape });
    }
}

/// Lets everything that reads `old` read `new` instead, outputs included, and removes `old`.
///
/// Both make the same elements in the same order; readers keep their own view of the shape. A removed index is
/// reused by the next node that is added, so add what is needed first.
pub fn replace_node(graph: &mut Graph, remap: &mut impl ToIdsMut, old: NodeIndex, new: NodeIndex) {
    let readers: Vec<_> =
        graph.graph.edges_directed(old, Direction::Outgoing).map(|edge| (edge.target(), *edge.weight())).collect();
    for (reader, dependency) in readers {
        graph.graph.add_edge(new, reader, dependency);
    }
    move_references(remap, &mut graph.no_delete, &mut graph.to_retrieve, old, new);
    graph.graph.remove_node(old);
}

/// Every node after its sources: what the given nodes need first, in the order of their sources, then all others.
///
/// The order depends on the data flow alone, not on the numbers that nodes happen to have, except where nodes of
/// separate parts are not among `roots`.
pub fn data_flow_order(graph: &Graph, roots: &[NodeIndex]) -> Vec<NodeIndex> {
    let mut order = Vec::with_capacity(graph.graph.node_count());
    let mut seen = HashSet::new();
    for root in roots.iter().copied().chain(graph.graph.node_indices()) {
        // An explicit stack: networks are deeper than the thread's.
        let mut stack = vec![(root, false)];
        while let Some((node, sources_done)) = stack.pop() {
            if sources_done {
                order.push(node);
            } else if seen.insert(node) {
                stack.push((node, true));
                let mut edges: Vec<_> = graph.graph.edges_directed(node, Direction::Incoming).collect();
                // Scheduling edges, which carry no data, come last.
                edges.sort_by_key(|edge| edge.weight().as_data().map_or(u16::MAX, |(input, _, _)| u16::from(input)));
                stack.extend(edges.iter().rev().map(|edge| (edge.source(), false)));
            }
        }
    }
    order
}

/// How Luminal reads a dense tensor of this shape without a batch.
pub fn tracker(shape: &[usize]) -> ShapeTracker {
    ShapeTracker::new(&shape.iter().map(|&size| size.into()).collect::<Vec<Expression>>())
}

/// How Luminal reads a dense tensor of this shape, the symbolic batch before it.
pub fn batched(shape: &[usize]) -> ShapeTracker {
    let sizes = shape.iter().map(|&size| size.into());
    ShapeTracker::new(&std::iter::once(BATCH.into()).chain(sizes).collect::<Vec<Expression>>())
}
