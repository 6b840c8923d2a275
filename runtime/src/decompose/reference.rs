//! The reference: layers in Luminal's primitives, run by Luminal's executor.

use super::decompose_layers;
use crate::graph::{BATCH, LayerGraph, Port, extern_layer, layers};
use crate::session::check_inputs;
use crate::{Error, Tensor, Weights};
use cnn_ir::{MAX_ELEMENTS, Op};
use luminal::graph::Graph;
use luminal::prelude::{BatchMatMul2DCompiler, Compiler, ToIdsMut};
use std::cell::Cell;

/// The most taps of one convolution: each makes some ten kilobytes of graph.
const MAX_TAPS: usize = 4096;

/// A network that Luminal runs from its primitives: slow, and what every engine must agree with.
///
/// ```
/// use cnn_ir::{Builder, ops::ReluSpec};
/// use cnn_runtime::{LuminalBuilder, Reference, Tensor, Weights};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut builder = LuminalBuilder::new();
/// let x = builder.input("x", &[2])?;
/// let y = builder.layer("relu", ReluSpec::new(), &[&x])?;
/// builder.output("y", &y)?;
/// let mut reference = Reference::new(builder.finish()?, &Weights::from_tensors([])?)?;
/// let outputs = reference.run(&[&Tensor::new(&[1, 2], vec![-1.0, 2.0])?])?;
/// assert_eq!(outputs[0].data(), [0.0, 2.0]);
/// # Ok(())
/// # }
/// ```
pub struct Reference {
    graph: LayerGraph,
    /// The most elements of one tensor for one example.
    largest: usize,
}

impl Reference {
    /// Decomposes a graph of layers and gives it its weights.
    ///
    /// # Errors
    /// Weights that do not fit the network; sizes that Luminal cannot count.
    pub fn new(mut graph: LayerGraph, weights: &Weights) -> Result<Self, Error> {
        graph.check_weights(weights)?;
        for (_, layer, _) in layers(&graph.graph) {
            if let Op::Extern(spec) = &layer.op {
                extern_layer(&layer.path, spec)?;
            }
            if taps(&layer.op) > MAX_TAPS {
                let reason = format!("the reference takes kernels of at most {MAX_TAPS} elements");
                return Err(Error::Graph { place: layer.path.clone(), reason });
            }
        }
        let decompose = Measured::default();
        graph.apply(&decompose);
        graph.apply(BatchMatMul2DCompiler);
        for parameter in &graph.parameters {
            let data = weights.get(&parameter.name)?.data().to_vec();
            graph.graph.set_tensor(parameter.node, 0, luminal::tensor::Tensor::new(data));
            graph.graph.no_delete.insert(parameter.node);
        }
        let inputs = graph.inputs.iter().map(|input| input.shape.elements()).max().unwrap_or(0);
        Ok(Self { graph, largest: decompose.largest.get().max(inputs) })
    }

    /// Runs the network on one tensor per input, batch first, and returns one per output.
    ///
    /// # Errors
    /// Inputs of another number, shape or batch than the network's; a batch too large for Luminal to count.
    pub fn run(&mut self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, Error> {
        let batch = check_inputs(&self.graph.inputs, inputs)?;
        if batch.saturating_mul(self.largest) > MAX_ELEMENTS {
            return Err(Error::TensorTooLarge { shape: vec![batch, self.largest] });
        }
        let graph = &mut *self.graph.graph;
        graph.set_dyn_dim(BATCH, batch);
        for (port, input) in self.graph.inputs.iter().zip(inputs) {
            graph.set_tensor(port.node, 0, luminal::tensor::Tensor::new(input.data().to_vec()));
        }
        graph.execute();
        let outputs = self.graph.outputs.iter().map(|port| read_output(graph, port, batch)).collect();
        // What stays would be taken for the result of the next execution.
        graph.drop_tensors(self.graph.outputs.iter().map(|port| port.node).collect::<Vec<_>>());
        outputs
    }
}

/// Elements of a convolution's kernel.
fn taps(op: &Op) -> usize {
    let product = |sizes: &[usize]| sizes.iter().fold(1, |n: usize, &size| n.saturating_mul(size));
    match op {
        Op::Conv1d(conv) => product(&conv.kernel_size),
        Op::Conv2d(conv) => product(&conv.kernel_size),
        Op::Conv3d(conv) => product(&conv.kernel_size),
        Op::ConvTranspose1d(conv) => product(&conv.kernel_size),
        Op::ConvTranspose2d(conv) => product(&conv.kernel_size),
        Op::ConvTranspose3d(conv) => product(&conv.kernel_size),
        _ => 0,
    }
}

/// The decomposition, and how large its tensors become.
#[derive(Default)]
struct Measured {
    largest: Cell<usize>,
}

impl Compiler for &Measured {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, remap: T) {
        self.largest.set(decompose_layers(graph, remap));
    }
}

fn read_output(graph: &Graph, port: &Port, batch: usize) -> Result<Tensor, Error> {
    let data = graph.get_tensor_ref(port.node, 0).and_then(|tensor| tensor.data.as_any().downcast_ref::<Vec<f32>>());
    let Some(data) = data else {
        return Err(Error::Graph { place: port.name.clone(), reason: "the output was not made".into() });
    };
    let shape: Vec<usize> = std::iter::once(batch).chain(port.shape.iter().copied()).collect();
    Tensor::new(&shape, data.clone())
}
