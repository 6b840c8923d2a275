//! From builder calls to a Luminal graph of layers.

use super::{InputOp, LayerGraph, LayerOp, Parameter, ParameterOp, Port, batched, tracker};
use cnn_ir::{BuildError, Builder, Fault, Op, Shape, codes};
use luminal::op::Operator;
use luminal::prelude::{NodeIndex, ShapeTracker};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// Luminal's tensors have at most six axes, the batch being one of them.
const MAX_AXES: usize = 5;

/// Luminal numbers the sources of a node in a byte, and a pass may add those of a batch norm.
const MAX_SOURCES: usize = u8::MAX as usize - 4;

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
/// let graph = builder.finish();
/// assert_eq!(graph.parameters()[0].name, "fc.weight");
/// assert!(graph.to_string().contains("relu: Relu (%3) -> b×3"));
/// # Ok(())
/// # }
/// ```
pub struct LuminalBuilder {
    /// Tells this builder's values from another's, whose nodes would be nonsense here.
    id: u64,
    layers: LayerGraph,
    /// For every open block, the length of `path` before it.
    blocks: Vec<usize>,
    /// The names of the open blocks, each with a dot behind it.
    path: String,
    paths: BTreeSet<String>,
}

/// A value: the node that makes it and the shape of one example.
#[derive(Debug, Clone)]
pub struct Value {
    builder: u64,
    node: NodeIndex,
    shape: Shape,
}

impl Default for LuminalBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl LuminalBuilder {
    /// An empty graph.
    pub fn new() -> Self {
        static BUILDERS: AtomicU64 = AtomicU64::new(0);
        Self {
            id: BUILDERS.fetch_add(1, Ordering::Relaxed),
            layers: LayerGraph::default(),
            blocks: Vec::new(),
            path: String::new(),
            paths: BTreeSet::new(),
        }
    }

    /// The graph of the calls so far.
    pub fn finish(self) -> LayerGraph {
        self.layers
    }

    /// The full name of something in the current block.
    fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    fn check_origin(&self, path: &str, values: &[&Value]) -> Result<(), BuildError> {
        if values.iter().all(|value| value.builder == self.id) {
            return Ok(());
        }
        let fault = Fault::new(&codes::SHAPE_MISMATCH, "an input is a value of another builder");
        Err(BuildError { path: path.to_owned(), fault })
    }

    fn add_node(&mut self, op: impl Operator + 'static, sources: &[(NodeIndex, ShapeTracker)]) -> NodeIndex {
        let mut node = self.layers.graph.add_op(op);
        for (source, shape) in sources {
            node = node.input(*source, 0, *shape);
        }
        node.finish()
    }
}

impl Builder for LuminalBuilder {
    type Value = Value;

    fn input(&mut self, name: &str, shape: &[usize]) -> Result<Value, BuildError> {
        let error = |fault| BuildError { path: name.to_owned(), fault };
        let shape = Shape::new(shape).map_err(error)?;
        if shape.len() > MAX_AXES {
            let message = format!("an input of {} axes: at most {MAX_AXES}, the batch not counted", shape.len());
            return Err(error(Fault::new(&codes::BAD_RANK, message)));
        }
        if self.layers.inputs.iter().any(|input| input.name == name) {
            return Err(error(Fault::new(&codes::DUPLICATE_NAME, format!("two inputs are named `{name}`"))));
        }
        let op = InputOp { name: name.to_owned(), index: self.layers.inputs.len(), shape: shape.clone() };
        let node = self.add_node(op, &[]);
        self.layers.inputs.push(Port { name: name.to_owned(), node, shape: shape.clone() });
        Ok(Value { builder: self.id, node, shape })
    }

    fn layer(&mut self, name: &str, op: impl Into<Op>, inputs: &[&Value]) -> Result<Value, BuildError> {
        let (op, path) = (op.into(), self.full_name(name));
        self.check_origin(&path, inputs)?;
        let error = |fault| BuildError { path: path.clone(), fault };
        let shapes: Vec<&Shape> = inputs.iter().map(|value| &value.shape).collect();
        let shape = op.output_shape(&shapes).map_err(error)?;
        let tensors = op.parameters();
        if inputs.len() + tensors.len() > MAX_SOURCES {
            let message = format!("{} inputs and parameters: at most {MAX_SOURCES}", inputs.len() + tensors.len());
            return Err(error(Fault::new(&codes::TOO_LARGE, message)));
        }
        if !self.paths.insert(path.clone()) {
            return Err(error(Fault::new(&codes::DUPLICATE_NAME, format!("two layers are named `{name}`"))));
        }
        let mut sources: Vec<_> = inputs.iter().map(|value| (value.node, batched(&value.shape))).collect();
        for tensor in tensors {
            let parameter = format!("{path}.{}", tensor.name);
            let op = ParameterOp { name: parameter.clone(), shape: tensor.shape.clone() };
            let node = self.add_node(op, &[]);
            sources.push((node, tracker(&tensor.shape)));
            self.layers.parameters.push(Parameter { name: parameter, node, shape: tensor.shape });
        }
        let node = self.add_node(LayerOp { path, op, shape: shape.clone(), norm: None, activation: None }, &sources);
        Ok(Value { builder: self.id, node, shape })
    }

    fn begin_block(&mut self, name: &str, _definition: &str) {
        self.blocks.push(self.path.len());
        self.path.push_str(name);
        self.path.push('.');
    }

    fn end_block(&mut self) {
        if let Some(length) = self.blocks.pop() {
            self.path.truncate(length);
        }
    }

    fn output(&mut self, name: &str, value: &Value) -> Result<(), BuildError> {
        self.check_origin(name, &[value])?;
        if self.layers.outputs.iter().any(|output| output.name == name) {
            let fault = Fault::new(&codes::DUPLICATE_NAME, format!("two outputs are named `{name}`"));
            return Err(BuildError { path: name.to_owned(), fault });
        }
        self.layers.graph.retrieve_tensors(value.node);
        let (name, node, shape) = (name.to_owned(), value.node, value.shape.clone());
        self.layers.outputs.push(Port { name, node, shape });
        Ok(())
    }
}
