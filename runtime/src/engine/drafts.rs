//! The steps of a program while it is made: a kernel and a layout chosen for every layer, memory not yet planned.

use super::Isa;
use super::assign::{Node, Way, assign};
use super::cost::reorder;
use super::kernels::blocked::reorder::Reorder;
use super::kernels::{Call, Kernel};
use super::layout::Layout;
use super::program::Choice;
use super::select::{Candidate, Layer, is_alias, takes_activation, takes_batch_norm, takes_prologue, takes_residual};
use super::target::Target;
use super::threads::Threads;
use crate::graph::{InputOp, LayerGraph, LayerOp, ParameterOp, Port, data_flow_order, op_at};
use crate::{Error, Weights};
use cnn_ir::{Op, Shape};
use luminal::graph::Graph;
use luminal::prelude::NodeIndex;
use luminal::prelude::petgraph::Direction;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// A value while the program is made: an input, or what a step makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Input(usize),
    Step(usize),
}

/// A value that a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub value: Value,
    /// Elements of one example.
    pub elements: usize,
}

/// A step whose memory is not yet planned.
pub(crate) struct Draft {
    pub name: String,
    pub shape: Shape,
    pub kernel: Box<dyn Kernel>,
    pub choices: Vec<Choice>,
    pub inputs: Vec<Source>,
    /// Elements of one example of the output.
    pub elements: usize,
    /// Where each input begins in the output, when the step does nothing but join them one behind the other.
    pub join: Option<Vec<usize>>,
}

/// A node of the graph that makes a value.
pub(crate) struct Made<'a> {
    /// `None` for an input of the network.
    pub layer: Option<&'a LayerOp>,
    shape: Shape,
    /// Positions among the nodes that make values.
    inputs: Vec<usize>,
    parameters: Vec<String>,
    pub candidates: Vec<Candidate>,
    /// The chosen candidate; the layouts of inputs and output.
    chosen: usize,
    takes: Layout,
    makes: Layout,
}

impl Made<'_> {
    /// The kernels that there are to choose from, the chosen one first, then by time.
    fn choices(&self) -> Vec<Choice> {
        let mut choices: Vec<Choice> = Vec::new();
        let mut order: Vec<&Candidate> = self.candidates.iter().collect();
        order.sort_by(|a, b| a.way.cost.total_cmp(&b.way.cost));
        for candidate in self.candidates.get(self.chosen).into_iter().chain(order) {
            let (algorithm, seconds) = (candidate.algorithm(), candidate.way.cost);
            if choices.iter().all(|choice| choice.algorithm != algorithm) {
                choices.push(Choice { algorithm, seconds, is_measured: candidate.is_measured });
            }
        }
        if choices.len() > 1 { choices } else { Vec::new() }
    }
}

/// The steps of a program as they come to be.
pub(crate) struct Drafts<'a> {
    layers: &'a LayerGraph,
    target: &'a Target,
    /// In the order of the data's flow; layers that reach no output are left out.
    pub made: Vec<Made<'a>>,
    positions: HashMap<NodeIndex, usize>,
    steps: Vec<Draft>,
    /// The value at each position, and once more where it had to be reordered.
    values: Vec<Value>,
    reordered: HashMap<usize, Value>,
}

impl<'a> Drafts<'a> {
    /// Collects the layers and chooses a kernel for each.
    pub fn new(layers: &'a LayerGraph, target: &'a Target) -> Result<Self, Error> {
        let mut made: Vec<Made<'a>> = Vec::new();
        let mut positions = HashMap::new();
        let graph = &*layers.graph;
        for node in needed(layers) {
            let (layer, shape, inputs, parameters) = if let Some(input) = op_at::<InputOp>(graph, node) {
                (None, input.shape.clone(), Vec::new(), Vec::new())
            } else if let Some(layer) = op_at::<LayerOp>(graph, node) {
                let (inputs, parameters) = sources(graph, node);
                let inputs: Option<Vec<usize>> = inputs.iter().map(|input| positions.get(input).copied()).collect();
                let Some(inputs) = inputs.filter(|inputs| !inputs.is_empty()) else {
                    return Err(error(&layer.path, "the layer reads a value that no layer makes"));
                };
                layer_fits(layer)?;
                (Some(layer), layer.shape.clone(), inputs, parameters)
            } else if op_at::<ParameterOp>(graph, node).is_some() {
                continue;
            } else {
                return Err(error("the graph", "it has operators that are no layers; the engine takes layers only"));
            };
            positions.insert(node, made.len());
            let (candidates, [takes, makes]) = (Vec::new(), [Layout::Plain; 2]);
            made.push(Made { layer, shape, inputs, parameters, candidates, chosen: 0, takes, makes });
        }
        let mut drafts =
            Self { layers, target, made, positions, steps: Vec::new(), values: Vec::new(), reordered: HashMap::new() };
        drafts.choose()?;
        Ok(drafts)
    }

    /// Chooses kernels and layouts.
    fn choose(&mut self) -> Result<(), Error> {
        let mut nodes = Vec::with_capacity(self.made.len());
        for position in 0..self.made.len() {
            let made = &self.made[position];
            let mut candidates = Vec::new();
            let ways = match made.layer {
                None => vec![Way { takes: Layout::Plain, makes: Layout::Plain, cost: 0.0 }],
                Some(layer) if is_alias(&layer.op) => alias_ways(layer, &self.made[made.inputs[0]].shape),
                Some(layer) => {
                    candidates =
                        described(&self.made, position, layer, self.target.isa, |layer| self.target.candidates(layer))?;
                    candidates.iter().map(|candidate| candidate.way).collect()
                }
            };
            let reorder = if Layout::is_same(&made.shape) { 0.0 } else { reorder(made.shape.elements()) };
            nodes.push(Node { inputs: made.inputs.clone(), ways, reorder, is_output: false });
            self.made[position].candidates = candidates;
        }
        for output in &self.layers.outputs {
            if let Some(&position) = self.positions.get(&output.node) {
                nodes[position].is_output = true;
            }
        }
        for ((made, node), chosen) in self.made.iter_mut().zip(&nodes).zip(assign(&nodes)) {
            let Way { takes, makes, .. } = node.ways[chosen];
            (made.chosen, made.takes, made.makes) = (chosen, takes, makes);
        }
        Ok(())
    }

    /// Makes the steps, and says which of them make the outputs.
    pub fn steps(mut self, weights: &Weights, threads: &Threads) -> Result<(Vec<Draft>, Vec<usize>), Error> {
        self.fill(weights, threads)?;
        let outputs = self.outputs()?;
        Ok((self.steps, outputs))
    }

    fn fill(&mut self, weights: &Weights, threads: &Threads) -> Result<(), Error> {
        for (position, kernel) in self.kernels(weights, threads).into_iter().enumerate() {
            let made = &self.made[position];
            let value = match made.layer {
                None => {
                    // Inputs of the network are numbered as the caller gives them.
                    let index =
                        self.layers.inputs.iter().position(|port| self.positions.get(&port.node) == Some(&position));
                    Value::Input(index.ok_or_else(|| error("the graph", "it has an input that it does not list"))?)
                }
                Some(layer) if is_alias(&layer.op) => self.source(made.inputs[0], made.takes)?.value,
                Some(layer) => self.step(position, layer, kernel)?,
            };
            self.values.push(value);
        }
        Ok(())
    }

    /// The kernel of each layer that has one. Packing weights takes time, so all threads take part.
    fn kernels(&self, weights: &Weights, threads: &Threads) -> Vec<Option<Result<Box<dyn Kernel>, Error>>> {
        let kernels: Vec<OnceLock<Result<Box<dyn Kernel>, Error>>> =
            self.made.iter().map(|_| OnceLock::new()).collect();
        let (nodes, isa) = (&self.made, self.target.isa);
        // The largest first: the threads end together, and when the most is packed little of the originals is in memory.
        let size = |name: &String| weights.shape(name).map_or(0, |shape| shape.iter().product());
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        order.sort_by_key(|&position| Reverse(nodes[position].parameters.iter().map(size).max().unwrap_or(0)));
        threads.run(order.len(), |number, _| {
            let position = order[number];
            let made = &nodes[position];
            if let (Some(layer), Some(candidate)) = (made.layer, made.candidates.get(made.chosen)) {
                let kernel = described(nodes, position, layer, isa, |layer| candidate.make(layer, weights));
                // Every position comes once.
                let _ = kernels[position].set(kernel);
            }
        });
        kernels.into_iter().map(OnceLock::into_inner).collect()
    }

    fn step(
        &mut self,
        position: usize,
        layer: &LayerOp,
        kernel: Option<Result<Box<dyn Kernel>, Error>>,
    ) -> Result<Value, Error> {
        let (inputs, takes, makes) =
            (self.made[position].inputs.clone(), self.made[position].takes, self.made[position].makes);
        let inputs: Vec<Source> =
            inputs.into_iter().map(|input| self.source(input, takes)).collect::<Result<_, _>>()?;
        let made = &self.made[position];
        let kernel = kernel.unwrap_or_else(|| Err(error(&layer.path, "no kernel was chosen")))?;
        let elements = self.elements(&made.shape, makes)?;
        let join = match &layer.op {
            Op::Concat(concat) if concat.dim == 1 => Some(starts(&inputs)),
            _ => None,
        };
        let (name, shape, choices) = (layer.path.clone(), made.shape.clone(), made.choices());
        self.steps.push(Draft { name, shape, kernel, choices, inputs, elements, join });
        Ok(Value::Step(self.steps.len() - 1))
    }

    /// The value of a node in a layout; a step reorders it when it is made in another.
    fn source(&mut self, position: usize, layout: Layout) -> Result<Source, Error> {
        let (shape, makes) = (self.made[position].shape.clone(), self.made[position].makes);
        let elements = self.elements(&shape, layout)?;
        let value = self.values[position];
        // A single pixel's padded channels begin with the channels.
        if layout == makes || (layout == Layout::Plain && Layout::is_same(&shape)) {
            return Ok(Source { value, elements });
        }
        if let Some(&value) = self.reordered.get(&position) {
            return Ok(Source { value, elements });
        }
        let name = self.made[position].layer.map_or("input", |layer| layer.path.as_str()).to_owned();
        let kernel = Box::new(Reorder::new(&shape, layout, self.target.isa));
        let inputs = vec![Source { value, elements: self.elements(&shape, makes)? }];
        self.steps.push(Draft { name, shape, kernel, choices: Vec::new(), inputs, elements, join: None });
        let value = Value::Step(self.steps.len() - 1);
        self.reordered.insert(position, value);
        Ok(Source { value, elements })
    }

    fn elements(&self, shape: &Shape, layout: Layout) -> Result<usize, Error> {
        layout.elements(shape, self.target.isa).ok_or_else(|| error("the network", "its values are too large"))
    }

    /// The steps that make the outputs.
    fn outputs(&mut self) -> Result<Vec<usize>, Error> {
        let layers = self.layers;
        let output = |output: &Port| {
            let Some(&position) = self.positions.get(&output.node) else {
                return Err(error(&output.name, "the output is made by no layer"));
            };
            let source = self.source(position, Layout::Plain)?;
            match source.value {
                Value::Step(step) if self.steps[step].elements == source.elements => Ok(step),
                _ => {
                    // An output that is an input as it came, or a padded value: the program copies it.
                    let (name, shape, elements) = (output.name.clone(), output.shape.clone(), source.elements);
                    let (kernel, inputs) = (Box::new(Copy), vec![source]);
                    self.steps.push(Draft { name, shape, kernel, choices: Vec::new(), inputs, elements, join: None });
                    Ok(self.steps.len() - 1)
                }
            }
        };
        layers.outputs.iter().map(output).collect()
    }
}

/// What the kernel of a layer is chosen by and made from.
pub(crate) fn described<T>(
    nodes: &[Made<'_>],
    position: usize,
    layer: &LayerOp,
    isa: Isa,
    with: impl FnOnce(&Layer<'_>) -> T,
) -> T {
    let made = &nodes[position];
    let inputs: Vec<&[usize]> = made.inputs.iter().map(|&input| &*nodes[input].shape).collect();
    with(&Layer {
        path: &layer.path,
        op: &layer.op,
        input: inputs[0],
        inputs: &inputs,
        output: &made.shape,
        parameters: &made.parameters,
        prologue: layer.prologue.as_deref(),
        norm: layer.norm.as_ref(),
        residual: layer.residual,
        activations: &layer.activations,
        isa,
    })
}

/// Where each of some values begins when they lie one behind the other.
pub(crate) fn starts(inputs: &[Source]) -> Vec<usize> {
    let start = |next: &mut usize, source: &Source| Some(std::mem::replace(next, *next + source.elements));
    inputs.iter().scan(0, start).collect()
}

/// Whether a layer's kernels can do what passes have put behind it.
fn layer_fits(layer: &LayerOp) -> Result<(), Error> {
    if layer.prologue.is_some() && !takes_prologue(&layer.op) {
        return Err(error(&layer.path, "its kernel cannot do another layer first"));
    }
    if layer.norm.is_some() && !takes_batch_norm(&layer.op) {
        return Err(error(&layer.path, "its kernel cannot fold a batch norm"));
    }
    if layer.residual && !takes_residual(&layer.op) {
        return Err(error(&layer.path, "its kernel cannot add another value"));
    }
    if !layer.activations.is_empty() && !takes_activation(&layer.op) {
        return Err(error(&layer.path, "its kernel cannot apply an activation"));
    }
    Ok(())
}

/// The layouts in which a layer that changes nothing but the shape can pass its input on.
fn alias_ways(layer: &LayerOp, input: &[usize]) -> Vec<Way> {
    let way = |layout| Way { takes: layout, makes: layout, cost: 0.0 };
    match input == &*layer.shape && input.len() == 3 {
        true => vec![way(Layout::Plain), way(Layout::Blocked)],
        false => vec![way(Layout::Plain)],
    }
}

/// The nodes that the outputs need, each after its sources.
fn needed(layers: &LayerGraph) -> Vec<NodeIndex> {
    let graph = &*layers.graph;
    let roots: Vec<NodeIndex> = layers.outputs.iter().map(|output| output.node).collect();
    let order = data_flow_order(graph, &roots);
    let mut needed: HashSet<NodeIndex> = roots.into_iter().collect();
    for &node in order.iter().rev() {
        if needed.contains(&node) {
            needed.extend(graph.graph.neighbors_directed(node, Direction::Incoming));
        }
    }
    order.into_iter().filter(|node| needed.contains(node)).collect()
}

/// The nodes of a layer's inputs and the names of its parameters.
fn sources(graph: &Graph, node: NodeIndex) -> (Vec<NodeIndex>, Vec<String>) {
    let (mut inputs, mut parameters) = (Vec::new(), Vec::new());
    for (source, _, _) in graph.get_sources(node) {
        match op_at::<ParameterOp>(graph, source) {
            Some(parameter) => parameters.push(parameter.name.clone()),
            None => inputs.push(source),
        }
    }
    (inputs, parameters)
}

pub(crate) fn error(place: &str, reason: &str) -> Error {
    Error::Graph { place: place.to_owned(), reason: reason.to_owned() }
}

/// Makes an output of an input.
#[derive(Debug)]
pub(crate) struct Copy;

impl Kernel for Copy {
    fn in_place(&self) -> bool {
        true // the program has copied it
    }

    fn run(&self, _: Call<'_>) {}
}
