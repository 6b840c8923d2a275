//! From a graph of layers to one program, which takes the layers' place in the graph.

use super::drafts::{Draft, Drafts, Source, Value, error};
use super::kernels::concat::Concat;
use super::place::{Placed, place};
use super::program::{Area, Memory, Program, Step};
use super::target::Target;
use super::threads::Threads;
use crate::graph::LayerGraph;
use crate::{Error, Weights};
use luminal::op::{InputTensor, Operator};
use luminal::prelude::{NodeIndex, ShapeTracker};
use luminal::tensor::Tensor;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Compiles the graph's layers into one program and lets it take their place: what is left are the inputs, one
/// [`ProgramOp`] and one [`ProgramOutput`] per output.
///
/// # Errors
/// Weights that do not fit; an instruction set that is not there; layers that no kernel takes; sizes that cannot be
/// counted.
pub fn collapse(
    layers: &mut LayerGraph,
    weights: &Weights,
    target: &Target,
    threads: &Threads,
) -> Result<Arc<Program>, Error> {
    // The kernels rely on both.
    target.isa.check()?;
    layers.check_weights(weights)?;
    let program = Arc::new(compile(layers, weights, target, threads)?);
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

fn compile(layers: &LayerGraph, weights: &Weights, target: &Target, threads: &Threads) -> Result<Program, Error> {
    let (mut drafts, outputs) = Drafts::new(layers, target)?.steps(weights, threads)?;
    let Placed { areas, joined, arena } =
        place(&mut drafts, &outputs, &[], target).ok_or_else(|| error("the network", "its values are too large"))?;
    let mut steps = Vec::with_capacity(drafts.len());
    for (step, (mut draft, joined)) in drafts.into_iter().zip(joined).enumerate() {
        if let Some(starts) = draft.join {
            // What is made in its place already needs no copy.
            let parts = draft.inputs.iter().zip(starts).zip(&joined).filter(|(_, joined)| !**joined);
            let (inputs, starts): (Vec<Source>, Vec<usize>) =
                parts.map(|((source, start), _)| (*source, start)).unzip();
            if inputs.is_empty() {
                continue;
            }
            (draft.inputs, draft.kernel) = (inputs, Box::new(Concat::of_parts(starts, draft.elements)));
        }
        let source = |source: &Source| match source.value {
            Value::Input(i) => super::program::Source::Input(i),
            Value::Step(step) => super::program::Source::Arena(Area { elements: source.elements, ..areas[step] }),
        };
        let inputs = draft.inputs.iter().map(source).collect();
        let Draft { name, shape, kernel, choices, .. } = draft;
        steps.push(Step { name, shape, kernel, choices, inputs, output: areas[step] });
    }
    Ok(Program {
        isa: target.isa,
        inputs: layers.inputs.clone(),
        outputs: layers.outputs.clone(),
        output_areas: outputs.iter().map(|&step| areas[step]).collect(),
        steps,
        chains: Vec::new(),
        arena,
    })
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
        let Program { inputs: ports, outputs, .. } = &*self.program;
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
        let ran = batch.and_then(|batch| self.program.run(&views, batch, &mut memory, &Threads::one()).map(|()| batch));
        let arena = memory.arena.as_slice();
        let ran = ran.ok();
        let range = |output| ran.and_then(|batch| self.program.output_range(output, batch));
        let output = |output| range(output).map_or_else(Vec::new, |range| arena[range].to_vec());
        (0..outputs.len()).map(|number| Tensor::new(output(number))).collect()
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
        let program =
            collapse(&mut graph, &Weights::from_tensors([]).unwrap(), &Target::default(), &Threads::one()).unwrap();
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
        let mut session = Session::from_program(program, Arc::new(Threads::one()));
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
