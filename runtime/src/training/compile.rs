//! From a training graph to one program and the state that it works on.

use super::autograd::{TrainingGraph, shape_of};
use super::kernels::ends::{LossKernel, MAX_SLOTS, UpdateKernel};
use super::kernels::{self, Derivative, Memory, Running};
use super::ops::{AllOp, GradientOp, LossOp, Of, UpdateOp};
use super::state::{Control, Slot, State};
use crate::engine::drafts::{Draft, Source, Value, error};
use crate::engine::kernels::Kernel;
use crate::engine::place::{Placed, place};
use crate::engine::program::{self, Area, Program, Step};
use crate::engine::select::Layer;
use crate::engine::{Isa, Target};
use crate::graph::{Activation, InputOp, LayerOp, ParameterOp, data_flow_order, op_at};
use crate::{Error, Weights};
use cnn_ir::{Network, Op, Shape};
use luminal::graph::Graph;
use luminal::prelude::NodeIndex;
use luminal::prelude::petgraph::Direction;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// A compiled training graph.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub program: Program,
    pub control: Arc<Control>,
    /// All trained parameters, their gradients and the optimizer's vectors, each one run.
    pub trained: Slot,
    pub gradients: Slot,
    pub slots: Vec<Slot>,
    /// Every parameter and buffer by its full name, in the network's order.
    pub parameters: Vec<(cnn_ir::Parameter, Slot, Option<Slot>)>,
    /// What follows the statistics of the batch at the end of a step.
    pub running: Vec<Running>,
    /// Bytes of the state, what layers keep besides included.
    pub state_bytes: usize,
}

/// Compiles a training graph with these values for its parameters.
pub(crate) fn compile(
    graph: &TrainingGraph,
    network: &Network,
    weights: &Weights,
    target: &Target,
) -> Result<Compiled, Error> {
    let update = graph.effects.iter().find_map(|&node| op_at::<UpdateOp>(&graph.layers.graph, node)).cloned();
    let state = StateBuilder::new(network, &graph.trained, update.as_ref(), weights, target.exact)?;
    let steps = Steps {
        graph,
        target,
        memory: &state.memory,
        update,
        state: &state,
        steps: Vec::new(),
        values: HashMap::new(),
        joined: HashMap::new(),
    };
    let (mut drafts, outputs) = steps.make()?;
    let chains = chains(&drafts, target.isa);
    let placed = place(&mut drafts, &outputs, &chains, target)
        .ok_or_else(|| error("the network", "its values are too large"))?;
    let program = program(graph, target.isa, drafts, &outputs, chains, placed);
    let saved = std::mem::take(&mut *state.memory.saved.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let saved: usize = saved.values().map(Slot::len).sum();
    let running = std::mem::take(&mut *state.memory.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let StateBuilder { memory, trained, gradients, slots, parameters, elements } = state;
    let state_bytes = (elements + saved) * size_of::<f32>();
    Ok(Compiled { program, control: memory.control, trained, gradients, slots, parameters, running, state_bytes })
}

/// The state while the program is made.
struct StateBuilder {
    memory: Memory,
    trained: Slot,
    gradients: Slot,
    slots: Vec<Slot>,
    parameters: Vec<(cnn_ir::Parameter, Slot, Option<Slot>)>,
    elements: usize,
}

impl StateBuilder {
    /// Lays out the state: trained parameters, gradients, the optimizer's vectors, what is not trained.
    fn new(
        network: &Network,
        trained: &[String],
        update: Option<&UpdateOp>,
        weights: &Weights,
        exact: bool,
    ) -> Result<Self, Error> {
        let parameters = network.parameters();
        let shapes = parameters.iter().map(|p| (p.name.as_str(), p.shape.as_slice()));
        weights.check(shapes, &Default::default())?;
        let is_trained: HashSet<&str> = trained.iter().map(String::as_str).collect();
        let elements = |p: &cnn_ir::Parameter| p.shape.iter().product::<usize>();
        let (of_trained, of_others) =
            parameters.iter().fold((0, 0), |(trained, others), p| match is_trained.contains(&*p.name) {
                true => (trained + elements(p), others),
                false => (trained, others + elements(p)),
            });
        let names = update.map_or(&[][..], |op| op.update.slots());
        if names.len() > MAX_SLOTS {
            return Err(error("training", &format!("an optimizer can have at most {MAX_SLOTS} vectors of state")));
        }
        let all = (2 + names.len()).saturating_mul(of_trained).saturating_add(of_others);
        let state = State::new(all)?;
        let run = |number: usize| Slot::new(&state, number * of_trained..(number + 1) * of_trained);
        let (values, gradients) = (run(0), run(1));
        let slots: Vec<Slot> = (0..names.len()).map(|slot| run(2 + slot)).collect();
        let start = update.map_or(0.0, |op| op.update.slot_start());
        // SAFETY: nobody else has the state yet.
        slots.iter().for_each(|slot| unsafe { slot.get_mut() }.fill(start));
        let (mut next_trained, mut next_other) = (0, (2 + names.len()) * of_trained);
        let mut places = Vec::new();
        for parameter in parameters {
            let count = elements(&parameter);
            let (value, gradient) = if is_trained.contains(&*parameter.name) {
                let range = next_trained..next_trained + count;
                next_trained += count;
                (values.part(range.clone()), Some(gradients.part(range)))
            } else {
                next_other += count;
                (Slot::new(&state, next_other - count..next_other), None)
            };
            // SAFETY: as above.
            unsafe { value.get_mut() }.copy_from_slice(weights.get(&parameter.name)?.data());
            places.push((parameter, value, gradient));
        }
        let by_name = places.iter().map(|(p, value, gradient)| (p.name.clone(), (value.clone(), gradient.clone())));
        let memory = Memory {
            control: Arc::default(),
            exact,
            parameters: by_name.collect(),
            saved: Mutex::default(),
            running: Mutex::default(),
        };
        Ok(Self { memory, trained: values, gradients, slots, parameters: places, elements: all })
    }
}

/// The steps as they come to be.
struct Steps<'a> {
    graph: &'a TrainingGraph,
    target: &'a Target,
    memory: &'a Memory,
    update: Option<UpdateOp>,
    state: &'a StateBuilder,
    steps: Vec<Draft>,
    values: HashMap<NodeIndex, Value>,
    /// Gradients that the step of another computes as well.
    joined: HashMap<NodeIndex, Value>,
}

impl Steps<'_> {
    /// The steps, and those that make the outputs.
    fn make(mut self) -> Result<(Vec<Draft>, Vec<usize>), Error> {
        let graph = &*self.graph.layers.graph;
        for node in self.needed() {
            if op_at::<ParameterOp>(graph, node).is_none() {
                let value = self.value(graph, node)?;
                self.values.insert(node, value);
            }
        }
        let mut outputs = Vec::new();
        for port in &self.graph.layers.outputs {
            let value = self.values.get(&port.node).copied();
            let value = value.ok_or_else(|| error(&port.name, "the output is made by no layer"))?;
            // An output that is an input as it came, or that is an output already, is copied.
            let step = match value {
                Value::Step(step) if !outputs.contains(&step) => step,
                value => {
                    let elements = port.shape.elements();
                    let inputs = vec![Source { value, elements }];
                    self.push(
                        port.name.clone(),
                        port.shape.clone(),
                        Box::new(crate::engine::drafts::Copy),
                        inputs,
                        elements,
                    )
                }
            };
            outputs.push(step);
        }
        Ok((self.steps, outputs))
    }

    /// The nodes that the outputs and effects need, each after its sources; effects come last.
    fn needed(&self) -> Vec<NodeIndex> {
        let graph = &*self.graph.layers.graph;
        let outputs = self.graph.layers.outputs.iter().map(|port| port.node);
        let roots: Vec<NodeIndex> = outputs.chain(self.graph.effects.iter().copied()).collect();
        let order = data_flow_order(graph, &roots);
        let mut needed: HashSet<NodeIndex> = roots.into_iter().collect();
        for &node in order.iter().rev() {
            if needed.contains(&node) {
                needed.extend(graph.graph.neighbors_directed(node, Direction::Incoming));
            }
        }
        order.into_iter().filter(|node| needed.contains(node)).collect()
    }

    fn value(&mut self, graph: &Graph, node: NodeIndex) -> Result<Value, Error> {
        let isa = self.target.isa;
        if op_at::<InputOp>(graph, node).is_some() {
            let index = self.graph.layers.inputs.iter().position(|port| port.node == node);
            return index.map(Value::Input).ok_or_else(|| error("the graph", "it has an input that it does not list"));
        }
        if let Some(layer) = op_at::<LayerOp>(graph, node) {
            let (inputs, shapes, parameters) = self.sources(graph, node)?;
            if is_alias(&layer.op)
                && let Some(source) = inputs.first()
            {
                return Ok(source.value);
            }
            let views: Vec<&[usize]> = shapes.iter().map(|shape| &**shape).collect();
            let kernel = kernels::forward(&description(layer, &views, &parameters, true, isa)?, self.memory)?;
            let (name, shape, elements) = (layer.path.clone(), layer.shape.clone(), layer.shape.elements());
            return Ok(Value::Step(self.push(name, shape, kernel, inputs, elements)));
        }
        if let Some(op) = op_at::<GradientOp>(graph, node) {
            return self.gradient(graph, node, op);
        }
        let (inputs, _, _) = self.sources(graph, node)?;
        if let Some(op) = op_at::<LossOp>(graph, node) {
            let kernel = Box::new(LossKernel::new(op, &self.memory.control, isa));
            let elements = op.shape.elements();
            return Ok(Value::Step(self.push(
                format!("loss of {}", op.name),
                op.shape.clone(),
                kernel,
                inputs,
                elements,
            )));
        }
        // What was done before needs to be done and not to be kept: one value says so, best one without elements.
        let done = inputs.iter().rev().find(|source| source.elements == 0).or(inputs.last()).copied();
        if op_at::<AllOp>(graph, node).is_some() {
            return done.map(|source| source.value).ok_or_else(|| error("the graph", "it joins no steps"));
        }
        match self.update.take() {
            Some(UpdateOp { update }) => {
                let StateBuilder { trained, gradients, slots, .. } = self.state;
                let (parameters, gradients, slots) = (trained.clone(), gradients.clone(), slots.clone());
                let control = self.memory.control.clone();
                let kernel = Box::new(UpdateKernel { update, parameters, gradients, slots, control });
                let shape = Shape::new(&[1]).map_err(|fault| error("the update", &fault.message))?;
                Ok(Value::Step(self.push("update".to_owned(), shape, kernel, done.into_iter().collect(), 0)))
            }
            None => Err(error("the graph", "it has operators that training does not know")),
        }
    }

    /// The step of a layer's gradient.
    fn gradient(&mut self, graph: &Graph, node: NodeIndex, op: &GradientOp) -> Result<Value, Error> {
        if let Some(&value) = self.joined.get(&node) {
            return Ok(value);
        }
        let (isa, name) = (self.target.isa, format!("gradient of {}", op.layer.path));
        let views: Vec<&[usize]> = op.inputs.iter().map(|shape| &**shape).collect();
        let layer = description(&op.layer, &views, &op.parameters, false, isa)?;
        if let Some((other, reader)) = self.sibling(graph, node, op)
            && let Some(kernel) = kernels::gradients(&layer, self.memory)?
            && let Some(shape) = op.inputs.first()
        {
            let (inputs, _, _) = self.sources(graph, reader)?;
            let value = Value::Step(self.push(name, shape.clone(), kernel, inputs, shape.elements()));
            self.joined.insert(other, value);
            return Ok(value);
        }
        let (mut inputs, _, _) = self.sources(graph, node)?;
        let next = self.activation_behind(graph, node);
        let derivative = next.map(|(_, op, _)| {
            let shape: &[usize] = &op.layer.shape;
            Derivative::new(&description(&op.layer, &[shape], &[], false, isa)?)
        });
        let mut derivative = derivative.transpose()?;
        let kernel = kernels::gradient(&layer, op.of, &mut derivative, self.memory)?;
        let joined = next.filter(|_| derivative.is_none());
        inputs.extend(joined.map(|(_, _, values)| values));
        let elements = op.shape().map_or(0, Shape::elements);
        let shape = op.shape().unwrap_or(&op.layer.shape).clone();
        let value = Value::Step(self.push(name, shape, kernel, inputs, elements));
        self.joined.extend(joined.map(|(node, ..)| (node, value)));
        Ok(value)
    }

    /// The other of a layer's two gradients, that of its value or that of its parameters; and which of the two is the latter,
    /// whose sources are those of both.
    fn sibling(&self, graph: &Graph, node: NodeIndex, op: &GradientOp) -> Option<(NodeIndex, NodeIndex)> {
        let of = match op.of {
            Of::Input(0) => Of::Parameters,
            Of::Parameters => Of::Input(0),
            _ => return None,
        };
        let (dy, _, _) = *graph.get_sources(node).first()?;
        let mut readers = graph.graph.neighbors_directed(dy, Direction::Outgoing);
        let other = readers.find(|&reader| {
            op_at::<GradientOp>(graph, reader).is_some_and(|other| other.of == of && other.layer.path == op.layer.path)
        })?;
        Some((other, if of == Of::Parameters { other } else { node }))
    }

    /// The gradient of an activation that alone reads a step's value, with the activation's values.
    fn activation_behind<'g>(&self, graph: &'g Graph, node: NodeIndex) -> Option<(NodeIndex, &'g GradientOp, Source)> {
        let is_output = self.graph.layers.outputs.iter().any(|port| port.node == node);
        let mut readers = graph.graph.neighbors_directed(node, Direction::Outgoing);
        let (Some(reader), None, false) = (readers.next(), readers.next(), is_output) else { return None };
        let op = op_at::<GradientOp>(graph, reader).filter(|op| Activation::from_op(&op.layer.op).is_some())?;
        let values = graph.get_sources(reader).into_iter().map(|(source, ..)| source).find(|&source| source != node)?;
        let (value, elements) = (*self.values.get(&values)?, op.layer.shape.elements());
        Some((reader, op, Source { value, elements }))
    }

    /// A node's values with their shapes, and the names of its parameters.
    fn sources(&self, graph: &Graph, node: NodeIndex) -> Result<Read, Error> {
        let (mut sources, mut shapes, mut parameters) = (Vec::new(), Vec::new(), Vec::new());
        for (source, _, _) in graph.get_sources(node) {
            if let Some(parameter) = op_at::<ParameterOp>(graph, source) {
                parameters.push(parameter.name.clone());
                continue;
            }
            let value = self.values.get(&source).copied();
            let value = value.ok_or_else(|| error("the graph", "a step reads a value that no step makes"))?;
            let elements = match value {
                Value::Step(step) => self.steps[step].elements,
                Value::Input(input) => self.graph.layers.inputs[input].shape.elements(),
            };
            sources.push(Source { value, elements });
            shapes.extend(shape_of(graph, source).ok());
        }
        Ok((sources, shapes, parameters))
    }

    fn push(
        &mut self,
        name: String,
        shape: Shape,
        kernel: Box<dyn Kernel>,
        inputs: Vec<Source>,
        elements: usize,
    ) -> usize {
        self.steps.push(Draft { name, shape, kernel, choices: Vec::new(), inputs, elements, join: None });
        self.steps.len() - 1
    }
}

/// Elements that a step of a chain reads and writes for a block, at most: what fits into most of a second-level cache.
const CHAINED: usize = 3 << 16;

/// Runs of steps that are done block by block, because what lies between them then stays in a cache.
fn chains(drafts: &[Draft], isa: Isa) -> Vec<Range<usize>> {
    let is_chained = |draft: &Draft| {
        let elements = draft.inputs.iter().map(|source| source.elements).fold(draft.elements, usize::saturating_add);
        draft.kernel.is_by_block() && elements.saturating_mul(isa.lanes()) <= CHAINED
    };
    let mut chains: Vec<Range<usize>> = Vec::new();
    for (step, _) in drafts.iter().enumerate().filter(|(_, draft)| is_chained(draft)) {
        match chains.last_mut() {
            Some(chain) if chain.end == step => chain.end += 1,
            _ => chains.push(step..step + 1),
        }
    }
    chains.retain(|chain| chain.len() > 1);
    chains
}

/// What a node reads: values, their shapes, and the names of parameters.
type Read = (Vec<Source>, Vec<Shape>, Vec<String>);

/// Layers that change nothing but the shape. Dropout is none of them while training.
fn is_alias(op: &Op) -> bool {
    matches!(op, Op::Flatten(_) | Op::Reshape(_) | Op::Identity(_))
}

/// What a kernel is made from.
fn description<'a>(
    layer: &'a LayerOp,
    inputs: &'a [&'a [usize]],
    parameters: &'a [String],
    is_forward: bool,
    isa: Isa,
) -> Result<Layer<'a>, Error> {
    let input = *inputs.first().ok_or_else(|| error(&layer.path, "the layer reads no value"))?;
    Ok(Layer {
        path: &layer.path,
        op: &layer.op,
        input,
        inputs,
        output: &layer.shape,
        parameters,
        prologue: None,
        norm: None,
        residual: false,
        activations: if is_forward { &layer.activations } else { &[] },
        isa,
    })
}

fn program(
    graph: &TrainingGraph,
    isa: Isa,
    drafts: Vec<Draft>,
    outputs: &[usize],
    chains: Vec<Range<usize>>,
    placed: Placed,
) -> Program {
    let Placed { areas, arena, .. } = placed;
    let source = |source: &Source| match source.value {
        Value::Input(input) => program::Source::Input(input),
        Value::Step(step) => program::Source::Arena(Area { elements: source.elements, ..areas[step] }),
    };
    let steps = drafts.into_iter().enumerate().map(|(step, draft)| {
        let inputs = draft.inputs.iter().map(source).collect();
        let Draft { name, shape, kernel, choices, .. } = draft;
        Step { name, shape, kernel, choices, inputs, output: areas[step] }
    });
    Program {
        isa,
        inputs: graph.layers.inputs.clone(),
        outputs: graph.layers.outputs.clone(),
        output_areas: outputs.iter().map(|&step| areas[step]).collect(),
        steps: steps.collect(),
        chains,
        arena,
    }
}
