//! From a graph of layers to one program, which takes the layers' place in the graph.

use super::Isa;
use super::kernels::{Call, Kernel};
use super::plan::{Lifetime, plan};
use super::program::{Memory, Place, Program, Source, Step};
use super::select::{Layer, is_alias, select, takes_activation, takes_batch_norm};
use crate::graph::{InputOp, LayerGraph, LayerOp, ParameterOp, data_flow_order, op_at};
use crate::{Error, Weights};
use luminal::graph::Graph;
use luminal::op::{InputTensor, Operator};
use luminal::prelude::petgraph::Direction;
use luminal::prelude::{NodeIndex, ShapeTracker};
use luminal::tensor::Tensor;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// Compiles the graph's layers into one program and lets it take their place: what is left are the inputs, one
/// [`ProgramOp`] and one [`ProgramOutput`] per output.
///
/// # Errors
/// Weights that do not fit; an instruction set that is not there; layers that no kernel takes; sizes that cannot be
/// counted.
pub fn collapse(layers: &mut LayerGraph, weights: &Weights, isa: Isa) -> Result<Arc<Program>, Error> {
    // The kernels rely on both.
    let isa = isa.check()?;
    layers.check_weights(weights)?;
    let program = Arc::new(compile(layers, weights, isa)?);
    let old: Vec<NodeIndex> = layers.graph.graph.node_indices().collect();
    let graph = &mut *layers.graph;
    let mut node = graph.add_op(ProgramOp { program: program.clone() });
    for input in &layers.inputs {
        node = node.input(input.node, 0, crate::graph::batched(&input.shape));
    }
    let node = node.finish();
    let mut outputs = Vec::new();
    for (index, output) in layers.outputs.iter().enumerate() {
        let op = ProgramOutput { name: output.name.clone() };
        outputs.push(graph.add_op(op).input(node, index as u8, crate::graph::batched(&output.shape)).finish());
    }
    graph.no_delete.clear();
    graph.to_retrieve.clear();
    for (port, output) in layers.outputs.iter_mut().zip(outputs) {
        graph.retrieve_tensors(output);
        port.node = output;
    }
    let inputs: HashSet<NodeIndex> = layers.inputs.iter().map(|input| input.node).collect();
    for node in old.into_iter().filter(|node| !inputs.contains(node)) {
        graph.graph.remove_node(node);
    }
    layers.parameters.clear();
    layers.apply(());
    Ok(program)
}

/// A value while the program is made: an input, or what a step makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Input(usize),
    Step(usize),
}

/// A step whose memory is not yet planned.
struct Draft {
    name: String,
    shape: cnn_ir::Shape,
    kernel: Box<dyn Kernel>,
    /// The values, and the elements of one example of each.
    inputs: Vec<(Value, usize)>,
}

impl Draft {
    /// The input whose memory the output may take over: nothing reads it later, nor a second time now.
    fn overwritten(&self, step: usize, last: &[usize]) -> Option<usize> {
        let candidates = match (self.kernel.in_place(), self.kernel.may_overwrite()) {
            (true, _) => 0..1,
            (false, true) => 0..self.inputs.len(),
            (false, false) => 0..0,
        };
        let is_free = |&index: &usize| {
            let (value, elements) = self.inputs[index];
            let once = self.inputs.iter().filter(|(other, _)| *other == value).count() == 1;
            once && elements == self.shape.elements() && matches!(value, Value::Step(input) if last[input] == step)
        };
        candidates.into_iter().find(is_free)
    }
}

fn compile(layers: &LayerGraph, weights: &Weights, isa: Isa) -> Result<Program, Error> {
    let (mut drafts, values) = draft(layers, weights, isa)?;
    let mut outputs = Vec::new();
    for output in &layers.outputs {
        let value = match values.get(&output.node) {
            Some(&Value::Step(step)) => step,
            Some(&input) => {
                // An output that is an input as it came: the program copies it.
                let (name, shape) = (output.name.clone(), output.shape.clone());
                let inputs = vec![(input, shape.elements())];
                drafts.push(Draft { name, shape, kernel: Box::new(Copy), inputs });
                drafts.len() - 1
            }
            None => return Err(error(&output.name, "the output is made by no layer")),
        };
        outputs.push(value);
    }
    let (places, arena) =
        place(&mut drafts, &outputs).ok_or_else(|| error("the network", "its values are too large"))?;
    let locate = |value| match value {
        Value::Input(i) => Place::Input(i),
        Value::Step(step) => Place::Arena(places[step]),
    };
    let steps = drafts.into_iter().zip(&places).map(|(draft, &output)| Step {
        output_elements: draft.shape.elements(),
        name: draft.name,
        shape: draft.shape,
        kernel: draft.kernel,
        inputs: draft.inputs.into_iter().map(|(value, elements)| Source { place: locate(value), elements }).collect(),
        output,
    });
    Ok(Program {
        isa,
        inputs: layers.inputs.clone(),
        outputs: layers.outputs.clone(),
        output_offsets: outputs.iter().map(|&step| places[step]).collect(),
        steps: steps.collect(),
        arena,
    })
}

/// The steps in order, and the value at each node. Layers that reach no output are left out.
fn draft(layers: &LayerGraph, weights: &Weights, isa: Isa) -> Result<(Vec<Draft>, HashMap<NodeIndex, Value>), Error> {
    let graph = &*layers.graph;
    let mut values = HashMap::new();
    let mut shapes = HashMap::new();
    let mut drafts: Vec<Draft> = Vec::new();
    for node in needed(layers) {
        if let Some(InputOp { index, shape, .. }) = op_at(graph, node) {
            values.insert(node, Value::Input(*index));
            shapes.insert(node, shape.clone());
        } else if let Some(layer) = op_at::<LayerOp>(graph, node) {
            let (inputs, parameters) = sources(graph, node);
            let known = |node| Some((*values.get(node)?, shapes.get(node)?));
            let sources: Option<Vec<(Value, &cnn_ir::Shape)>> = inputs.iter().map(known).collect();
            let Some(sources) = sources.filter(|sources| !sources.is_empty()) else {
                return Err(error(&layer.path, "the layer reads a value that no layer makes"));
            };
            if layer.norm.is_some() && !takes_batch_norm(&layer.op) {
                return Err(error(&layer.path, "its kernel cannot fold a batch norm"));
            }
            if layer.activation.is_some() && !takes_activation(&layer.op) {
                return Err(error(&layer.path, "its kernel cannot apply an activation"));
            }
            let mut value = sources[0].0;
            if !is_alias(&layer.op) {
                let (op, norm, activation) = (&layer.op, layer.norm.as_ref(), layer.activation);
                let (path, output) = (layer.path.as_str(), &*layer.shape);
                let inputs: Vec<&[usize]> = sources.iter().map(|(_, shape)| &***shape).collect();
                let (input, inputs, parameters) = (inputs[0], inputs.as_slice(), &parameters);
                let chosen = Layer { path, op, input, inputs, output, parameters, norm, activation, isa };
                drafts.push(Draft {
                    name: layer.path.clone(),
                    shape: layer.shape.clone(),
                    kernel: select(&chosen, weights)?,
                    inputs: sources.iter().map(|(value, shape)| (*value, shape.elements())).collect(),
                });
                value = Value::Step(drafts.len() - 1);
            }
            values.insert(node, value);
            shapes.insert(node, layer.shape.clone());
        } else if op_at::<ParameterOp>(graph, node).is_none() {
            return Err(error("the graph", "it has operators that are no layers; the engine takes layers only"));
        }
    }
    Ok((drafts, values))
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

/// The place of each step's output in the arena, per example, and the arena's size.
///
/// A step in place takes over the memory of an input that nothing reads later; that input becomes its first.
fn place(drafts: &mut [Draft], outputs: &[usize]) -> Option<(Vec<usize>, usize)> {
    let mut last: Vec<usize> = (0..drafts.len()).collect();
    for (step, draft) in drafts.iter().enumerate() {
        for (value, _) in &draft.inputs {
            if let Value::Step(input) = *value {
                last[input] = last[input].max(step);
            }
        }
    }
    for &output in outputs {
        last[output] = drafts.len();
    }
    let mut lifetimes: Vec<Lifetime> = Vec::new();
    let mut owners: Vec<usize> = Vec::with_capacity(drafts.len());
    for (step, draft) in drafts.iter_mut().enumerate() {
        let overwritten = draft.overwritten(step, &last);
        draft.inputs.swap(0, overwritten.unwrap_or(0));
        match draft.inputs[0].0 {
            Value::Step(input) if overwritten.is_some() => {
                let owner = owners[input];
                lifetimes[owner].last = last[step];
                owners.push(owner);
            }
            _ => {
                owners.push(lifetimes.len());
                lifetimes.push(Lifetime { elements: draft.shape.elements(), first: step, last: last[step] });
            }
        }
    }
    let (offsets, total) = plan(&lifetimes)?;
    Some((owners.into_iter().map(|owner| offsets[owner]).collect(), total))
}

fn error(place: &str, reason: &str) -> Error {
    Error::Graph { place: place.to_owned(), reason: reason.to_owned() }
}

/// Makes an output of an input.
#[derive(Debug)]
struct Copy;

impl Kernel for Copy {
    fn in_place(&self) -> bool {
        true // the program has copied it
    }

    fn run(&self, _: Call<'_>) {}
}

/// A program as a Luminal operator: reads the inputs, makes one tensor per output.
#[derive(Clone)]
pub struct ProgramOp {
    /// The program; it can be taken out and run without the graph.
    pub program: Arc<Program>,
}

impl fmt::Debug for ProgramOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "program of {} steps", self.program.steps.len())
    }
}

impl PartialEq for ProgramOp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.program, &other.program)
    }
}

impl Operator for ProgramOp {
    /// Empty tensors come out when the inputs are none or the memory does not suffice: Luminal knows no errors.
    fn process(&mut self, inputs: Vec<(InputTensor, ShapeTracker)>) -> Vec<Tensor> {
        let Program { inputs: ports, outputs, output_offsets, .. } = &*self.program;
        let mut tensors = Vec::new();
        for (port, (input, _)) in ports.iter().zip(&inputs) {
            let data = input.borrowed().data.as_any().downcast_ref::<Vec<f32>>().cloned().unwrap_or_default();
            let batch = data.len() / port.shape.elements();
            let shape: Vec<usize> = std::iter::once(batch).chain(port.shape.iter().copied()).collect();
            tensors.extend(crate::Tensor::new(&shape, data));
        }
        let views: Vec<&crate::Tensor> = tensors.iter().collect();
        let mut memory = Memory::default();
        let batch = crate::session::check_inputs(ports, &views);
        let ran = batch.and_then(|batch| self.program.run(&views, batch, &mut memory).map(|()| batch));
        let arena = memory.arena.as_slice();
        let outputs = outputs.iter().zip(output_offsets).map(|(port, offset)| match ran {
            Ok(batch) => arena[offset * batch..][..port.shape.elements() * batch].to_vec(),
            Err(_) => Vec::new(),
        });
        outputs.map(Tensor::new).collect()
    }
}

/// One output of a [`ProgramOp`], as a node of its own.
#[derive(Clone, PartialEq)]
pub struct ProgramOutput {
    /// The output's name.
    pub name: String,
}

impl fmt::Debug for ProgramOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "output {}", self.name)
    }
}

impl Operator for ProgramOutput {
    fn process(&mut self, inputs: Vec<(InputTensor, ShapeTracker)>) -> Vec<Tensor> {
        inputs.into_iter().map(|(input, _)| input.cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LuminalBuilder, Session, Tensor as Batch};
    use cnn_ir::Builder;
    use cnn_ir::ops::{FlattenSpec, ReluSpec, SoftmaxSpec};

    #[test]
    fn luminal_runs_the_program_as_one_node() {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[2, 2]).unwrap();
        let relu = builder.layer("relu", ReluSpec::new(), &[&x]).unwrap();
        let flat = builder.layer("flat", FlattenSpec::new(), &[&relu]).unwrap();
        let soft = builder.layer("soft", SoftmaxSpec::new(), &[&flat]).unwrap();
        builder.output("relu", &relu).unwrap();
        builder.output("soft", &soft).unwrap();
        let mut graph = builder.finish().unwrap();
        let program = collapse(&mut graph, &Weights::from_tensors([]).unwrap(), Isa::detect()).unwrap();
        let text = "\
%0 = input x -> b×2×2
%1 = program of 2 steps (%0)
%2 = output relu (%1) -> b×2×2
%3 = output soft (%1.1) -> b×4
output relu = %2
output soft = %3
";
        assert_eq!(graph.to_string(), text);

        let batch = Batch::new(&[2, 2, 2], vec![1.0, -1.0, 0.5, 2.0, 0.0, 3.0, -3.0, 1.0]).unwrap();
        let mut session = Session::from_program(program);
        let expected = session.run(&[&batch]).unwrap();
        let luminal = &mut graph.graph;
        luminal.set_dyn_dim(crate::graph::BATCH, 2);
        luminal.set_tensor(graph.inputs[0].node, 0, Tensor::new(batch.data().to_vec()));
        luminal.execute();
        for (i, port) in graph.outputs.iter().enumerate() {
            let tensor = luminal.get_tensor_ref(port.node, 0).unwrap();
            assert_eq!(tensor.data.as_any().downcast_ref::<Vec<f32>>().unwrap(), expected.get(i).data());
        }
    }
}
