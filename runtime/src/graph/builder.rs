//! From builder calls to a Luminal graph of layers.

use super::{InputOp, LayerGraph, LayerOp, Parameter, ParameterOp, Port, batched, tracker};
use cnn_ir::{BuildError, Builder, Fault, Layer, Network, NetworkBuilder, Op, Shape, ValueId, codes};
use luminal::op::Operator;
use luminal::prelude::{NodeIndex, ShapeTracker};
use std::collections::BTreeMap;

/// Luminal's tensors have at most six axes, the batch being one of them.
const MAX_AXES: usize = 5;

/// Luminal numbers the sources of a node in a byte, and a pass may add those of a batch norm.
pub(crate) const MAX_SOURCES: usize = u8::MAX as usize - 4;

/// Makes a [`LayerGraph`].
///
/// ```
/// use cnn_ir::{Builder, ops::{DenseSpec, ReluSpec}};
/// use cnn_runtime::LuminalBuilder;
///
/// # fn main() -> Result<(), cnn_ir::BuildError> {
/// let mut builder = LuminalBuilder::new();
/// let x = builder.input("x", &[4])?;
/// let hidden = builder.layer("fc", DenseSpec::new(4, 3), &[&x])?;
/// let y = builder.layer("relu", ReluSpec::new(), &[&hidden])?;
/// builder.output("y", &y)?;
/// let graph = builder.finish()?;
/// assert_eq!(graph.parameters()[0].name, "fc.weight");
/// assert!(graph.to_string().contains("relu: Relu (%3) -> b×3"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LuminalBuilder {
    network: NetworkBuilder,
}

impl Default for LuminalBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl LuminalBuilder {
    /// An empty graph.
    pub fn new() -> Self {
        Self { network: NetworkBuilder::new("") }
    }

    /// The graph of the calls so far, without what exists in training only.
    ///
    /// # Errors
    /// Calls that make no network ([`Network::validate`]); more axes, inputs or parameters than Luminal can count.
    pub fn finish(self) -> Result<LayerGraph, BuildError> {
        LayerGraph::from_network(&self.network.finish()?)
    }
}

impl Builder for LuminalBuilder {
    type Value = ValueId;

    fn input(&mut self, name: &str, shape: &[usize]) -> Result<ValueId, BuildError> {
        self.network.input(name, shape)
    }

    fn layer(&mut self, name: &str, op: impl Into<Op>, inputs: &[&ValueId]) -> Result<ValueId, BuildError> {
        self.network.layer(name, op, inputs)
    }

    fn share_layer(
        &mut self,
        name: &str,
        of: &str,
        op: impl Into<Op>,
        inputs: &[&ValueId],
    ) -> Result<ValueId, BuildError> {
        self.network.share_layer(name, of, op, inputs)
    }

    fn begin_block(&mut self, name: &str, definition: &str) {
        self.network.begin_block(name, definition);
    }

    fn begin_shared_block(&mut self, name: &str, of: &str, definition: &str) -> Result<(), BuildError> {
        self.network.begin_shared_block(name, of, definition)
    }

    fn end_block(&mut self) {
        self.network.end_block();
    }

    fn begin_train_only(&mut self) {
        self.network.begin_train_only();
    }

    fn end_train_only(&mut self) {
        self.network.end_train_only();
    }

    fn output(&mut self, name: &str, value: &ValueId) -> Result<(), BuildError> {
        self.network.output(name, value)
    }
}

impl LayerGraph {
    /// The Luminal graph of a network, without what exists in training only.
    ///
    /// # Errors
    /// More axes, inputs or parameters than Luminal can count.
    pub fn from_network(network: &Network) -> Result<Self, BuildError> {
        Self::lower(network, false)
    }

    /// The Luminal graph of a network with what exists in training only.
    ///
    /// # Errors
    /// More axes, inputs or parameters than Luminal can count.
    pub fn for_training(network: &Network) -> Result<Self, BuildError> {
        Self::lower(network, true)
    }

    fn lower(network: &Network, trains: bool) -> Result<Self, BuildError> {
        let mut graph = Self::default();
        let mut nodes: Vec<Option<NodeIndex>> = Vec::with_capacity(network.inputs.len() + network.layers.len());
        for (index, input) in network.inputs.iter().enumerate() {
            if input.shape.len() > MAX_AXES {
                let axes = input.shape.len();
                let message = format!("an input of {axes} axes: at most {MAX_AXES}, the batch not counted");
                let fault = Fault::new(&codes::BAD_RANK, message);
                return Err(BuildError { path: input.name.clone(), fault });
            }
            let (name, shape) = (input.name.clone(), input.shape.clone());
            let node = graph.add_node(InputOp { name: name.clone(), index, shape: shape.clone() }, &[]);
            graph.inputs.push(Port { name, node, shape });
            nodes.push(Some(node));
        }
        let mut owned: BTreeMap<usize, Vec<NodeIndex>> = BTreeMap::new();
        for index in 0..network.layers.len() {
            nodes.push(graph.lower_layer(network, index, trains, &nodes, &mut owned)?);
        }
        for output in network.outputs.iter().filter(|output| trains || !output.train_only) {
            let Some(node) = nodes.get(output.value.index()).copied().flatten() else { continue };
            graph.graph.retrieve_tensors(node);
            let shape = network.shape(output.value).clone();
            graph.outputs.push(Port { name: output.name.clone(), node, shape });
        }
        Ok(graph)
    }

    /// Adds a layer; `None` if it exists in training only. `owned` holds the parameters of the layers so far.
    fn lower_layer(
        &mut self,
        network: &Network,
        index: usize,
        trains: bool,
        nodes: &[Option<NodeIndex>],
        owned: &mut BTreeMap<usize, Vec<NodeIndex>>,
    ) -> Result<Option<NodeIndex>, BuildError> {
        let Layer { op, inputs, shape, train_only, .. } = &network.layers[index];
        let (path, owner) = (network.path(index), network.owner(index));
        let owner_path = network.path(owner);
        let tensors = op.parameters();
        let named = tensors.iter().map(|tensor| (format!("{owner_path}.{}", tensor.name), &tensor.shape));
        if *train_only && !trains {
            self.train_only.extend(named.map(|(name, _)| name));
            return Ok(None);
        }
        if inputs.len() + tensors.len() > MAX_SOURCES {
            let message = format!("{} inputs and parameters: at most {MAX_SOURCES}", inputs.len() + tensors.len());
            return Err(BuildError { path, fault: Fault::new(&codes::TOO_LARGE, message) });
        }
        let values = inputs.iter().filter_map(|value| Some((nodes[value.index()]?, batched(network.shape(*value)))));
        let mut sources: Vec<_> = values.collect();
        let mut op = op.clone();
        if trains && let Some((pad, bare)) = split_padding(&op) {
            let shapes: Vec<&Shape> = inputs.iter().map(|value| network.shape(*value)).collect();
            let shape = pad.output_shape(&shapes).map_err(|fault| BuildError { path: path.clone(), fault })?;
            let tracker = batched(&shape);
            sources = vec![(self.add_node(LayerOp::new(format!("{path}.pad"), pad, shape), &sources), tracker)];
            op = bare;
        }
        let parameters = owned.entry(owner).or_insert_with(|| {
            let add = |(name, shape): (String, &Vec<usize>)| {
                let node = self.add_node(ParameterOp { name: name.clone(), shape: shape.clone() }, &[]);
                self.parameters.push(Parameter { name, node, shape: shape.clone() });
                node
            };
            named.map(add).collect()
        });
        sources.extend(parameters.iter().zip(&tensors).map(|(node, tensor)| (*node, tracker(&tensor.shape))));
        Ok(Some(self.add_node(LayerOp::new(path, op, shape.clone()), &sources)))
    }

    fn add_node(&mut self, op: impl Operator + 'static, sources: &[(NodeIndex, ShapeTracker)]) -> NodeIndex {
        let mut node = self.graph.add_op(op);
        for (source, shape) in sources {
            node = node.input(*source, 0, *shape);
        }
        node.finish()
    }
}

/// Padding that is not of zeros as a layer of its own, and the convolution without it: each has a gradient.
fn split_padding(op: &Op) -> Option<(Op, Op)> {
    match op {
        Op::Conv1d(spec) => spec.split_padding().map(|(pad, bare)| (pad.into(), bare.into())),
        Op::Conv2d(spec) => spec.split_padding().map(|(pad, bare)| (pad.into(), bare.into())),
        Op::Conv3d(spec) => spec.split_padding().map(|(pad, bare)| (pad.into(), bare.into())),
        _ => None,
    }
}
