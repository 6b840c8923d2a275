//! A network in training: one call for one step.

use super::autograd::TrainingGraph;
use super::compile::{Compiled, compile};
use super::kernels::Running;
use super::kernels::ends::{from_lanes, to_lanes};
use super::state::{Settings, Slot};
use super::{TrainingOptions, passes};
use crate::engine::threads::Shared;
use crate::engine::{Isa, Memory, Threads};
use crate::graph::Port;
use crate::session::check_inputs;
use crate::{Error, Tensor, Weights};
use cnn_ir::Network;
use std::fmt;
use std::sync::Arc;

/// A network that is trained: its parameters, the state of their optimizer, and the memory of a step.
///
/// What a step computes depends on the parameters, the batch and the settings alone, and not on the number of threads. Once
/// the largest batch has been seen, a step allocates nothing.
///
/// ```
/// use cnn_ir::{Builder, NetworkBuilder, Shape, ops::DenseSpec};
/// use cnn_runtime::training::{Loss, LossTerm, StepSettings, TrainingOptions, TrainingSession, Update};
/// use cnn_runtime::{Tensor, Weights};
/// use std::ops::Range;
/// use std::sync::Arc;
///
/// /// Half the sum of squared errors.
/// #[derive(Debug)]
/// struct Squares;
///
/// impl Loss for Squares {
///     fn target_shape(&self, value: &Shape) -> Option<Vec<usize>> {
///         Some(value.to_vec())
///     }
///
///     fn value_and_gradient(&self, y: &[f32], _: &[usize], t: &[f32], dy: &mut [f32]) -> Result<f64, String> {
///         dy.iter_mut().zip(y.iter().zip(t)).for_each(|(dy, (y, t))| *dy = y - t);
///         Ok(dy.iter().map(|d| f64::from(d * d) / 2.0).sum())
///     }
/// }
///
/// /// Gradient descent.
/// #[derive(Debug)]
/// struct Descent;
///
/// impl Update for Descent {
///     fn slots(&self) -> &[&'static str] {
///         &[]
///     }
///
///     fn update(&self, _: u64, rate: f64, _: Range<usize>, p: &mut [f32], dp: &mut [f32], _: &mut [&mut [f32]]) {
///         p.iter_mut().zip(dp).for_each(|(p, dp)| *p -= rate as f32 * *dp);
///     }
/// }
///
/// # fn main() -> Result<(), cnn_runtime::Error> {
/// let mut network = NetworkBuilder::new("Line");
/// let x = network.input("x", &[1])?;
/// let y = network.layer("fc", DenseSpec::new(1, 1), &[&x])?;
/// network.output("y", &y)?;
/// let weights = Weights::from_tensors([
///     ("fc.weight".to_owned(), Tensor::new(&[1, 1], vec![0.0])?),
///     ("fc.bias".to_owned(), Tensor::new(&[1], vec![0.0])?),
/// ])?;
/// let losses = vec![LossTerm { value: None, weight: 1.0, loss: Arc::new(Squares) }];
/// let options = TrainingOptions { losses, update: Some(Arc::new(Descent)), ..TrainingOptions::default() };
/// let mut session = TrainingSession::new(&network.finish()?, &weights, &options)?;
///
/// // y = 2·x + 1
/// let (x, y) = (Tensor::new(&[3, 1], vec![-1.0, 0.0, 1.0])?, Tensor::new(&[3, 1], vec![-1.0, 1.0, 3.0])?);
/// for _ in 0..100 {
///     session.step(&[&x], &[&y], &StepSettings { rate: 0.2, ..StepSettings::default() })?;
/// }
/// let weight = session.parameter("fc.weight").map(|values| values[0]);
/// assert!((weight.unwrap_or_default() - 2.0).abs() < 1e-3);
/// # Ok(())
/// # }
/// ```
pub struct TrainingSession {
    compiled: Compiled,
    memory: Memory,
    threads: Arc<Threads>,
    isa: Isa,
    /// The network's inputs and the targets of the losses, in lanes.
    inputs: Vec<Tensor>,
    /// How many of the inputs are targets.
    targets: usize,
    weights_of_losses: Vec<f64>,
    updates: u64,
    /// Examples of the last step.
    examples: usize,
}

/// What a step is told besides the batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepSettings {
    /// The learning rate.
    pub rate: f64,
    /// What dropout's choice depends on; another one for each step.
    pub seed: u64,
    /// What gradients are multiplied by: 1/k when those of k batches are added up.
    pub scale: f64,
    /// Whether the parameters follow their gradients at the end; if not, gradients are kept and the next step's added.
    pub updates: bool,
}

impl Default for StepSettings {
    fn default() -> Self {
        Self { rate: 1e-3, seed: 0, scale: 1.0, updates: true }
    }
}

/// What a step tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepResult {
    /// The weighted sum of the losses, before the update.
    pub loss: f64,
    /// The norm of all gradients before clipping, when the parameters were updated.
    pub gradient_norm: Option<f64>,
}

impl TrainingSession {
    /// Compiles a network with the parameters that it starts with.
    ///
    /// # Errors
    /// Those of [`TrainingGraph::new`]; weights that do not fit, those of layers that exist in training only included; an
    /// instruction set that is not there.
    pub fn new(network: &Network, weights: &Weights, options: &TrainingOptions) -> Result<Self, Error> {
        let mut graph = TrainingGraph::new(network, options)?;
        passes(&mut graph, options)?;
        let threads = options.compile.threads()?;
        let target = options.compile.target(&threads)?;
        target.isa.check()?;
        let compiled = compile(&graph, network, weights, &target)?;
        let weights_of_losses = options.losses.iter().map(|term| term.weight).collect();
        let (memory, inputs, targets) = (Memory::default(), Vec::new(), graph.targets);
        let isa = target.isa;
        Ok(Self { compiled, memory, threads, isa, inputs, targets, weights_of_losses, updates: 0, examples: 0 })
    }

    /// Runs one batch forward and backward, and lets the parameters follow their gradients.
    ///
    /// `inputs` are the network's, batch first; `targets` those of the losses, in their order.
    ///
    /// # Errors
    /// Inputs of another number, shape or batch; a loss that cannot be computed; a loss or gradients that are not finite, with
    /// the layer where that begins. The parameters and the optimizer's state are then as they were before.
    pub fn step(
        &mut self,
        inputs: &[&Tensor],
        targets: &[&Tensor],
        settings: &StepSettings,
    ) -> Result<StepResult, Error> {
        let ports = self.compiled.program.inputs();
        let network = ports.len() - self.targets;
        if inputs.len() != network || targets.len() != self.targets {
            let (expected, found) = (ports.len(), inputs.len() + targets.len());
            return Err(Error::InputCount { expected, found });
        }
        let examples = self.take_batch(inputs, targets)?;
        let padded = examples.next_multiple_of(self.isa.lanes());
        let run = Settings {
            examples,
            seed: settings.seed,
            scale: settings.scale as f32,
            updates: settings.updates,
            update: self.updates,
            rate: settings.rate,
        };
        self.compiled.control.set(run);
        self.run(padded)?;
        let findings = self.compiled.control.findings();
        if let Some((place, reason)) = findings.failed.clone() {
            drop(findings);
            self.clear_gradients();
            return Err(Error::Graph { place, reason });
        }
        let terms = findings.losses.iter().zip(&self.weights_of_losses);
        let loss: f64 = terms.map(|(loss, weight)| loss * weight).sum();
        let gradient_norm = findings.gradient_norm;
        drop(findings);
        if !loss.is_finite() || gradient_norm.is_some_and(|norm| !norm.is_finite()) {
            let what = if loss.is_finite() { "the gradients are" } else { "the loss is" };
            let place = self.first_not_finite(padded, run)?;
            self.clear_gradients();
            return Err(Error::NotFinite { what, place });
        }
        self.compiled.running.iter().for_each(Running::follow);
        self.updates += u64::from(gradient_norm.is_some());
        Ok(StepResult { loss, gradient_norm })
    }

    /// Turns a batch into lanes; gives its examples.
    fn take_batch(&mut self, inputs: &[&Tensor], targets: &[&Tensor]) -> Result<usize, Error> {
        let ports = self.compiled.program.inputs();
        let mut examples = None;
        for (number, tensor) in inputs.iter().chain(targets).copied().enumerate() {
            let batch = check_inputs(&ports[number..number + 1], &[tensor])?;
            let expected = *examples.get_or_insert(batch);
            if batch != expected {
                return Err(Error::BatchMismatch { name: ports[number].name.clone(), expected, found: batch });
            }
        }
        let (examples, lanes) = (examples.unwrap_or(1), self.isa.lanes());
        let padded = examples.next_multiple_of(lanes);
        let is_made = |tensor: &Tensor| tensor.shape().first() == Some(&padded);
        if self.inputs.len() != ports.len() || !self.inputs.iter().all(is_made) {
            let mut old = std::mem::take(&mut self.inputs).into_iter();
            for port in ports {
                let mut data = old.next().map(Tensor::into_data).unwrap_or_default();
                let elements = port.shape.elements().saturating_mul(padded);
                let bytes = elements.saturating_mul(size_of::<f32>());
                let more = elements.saturating_sub(data.len());
                data.try_reserve_exact(more).map_err(|_| Error::OutOfMemory { what: "a batch", bytes })?;
                data.resize(elements, 0.0);
                let shape: Vec<usize> = std::iter::once(padded).chain(port.shape.iter().copied()).collect();
                self.inputs.push(Tensor::new(&shape, data)?);
            }
        }
        for (number, tensor) in inputs.iter().chain(targets).copied().enumerate() {
            let elements = ports[number].shape.elements();
            let to = Shared::new(self.inputs[number].data_mut());
            self.threads.for_work(8 * padded * elements).run(padded / lanes, |block, _| {
                let from = &tensor.data()[block * lanes * elements..examples.min((block + 1) * lanes) * elements];
                // SAFETY: each block is one task's.
                let to = unsafe { to.part(block * lanes * elements..(block + 1) * lanes * elements) };
                to_lanes(self.isa, from, elements, to);
            });
        }
        self.examples = examples;
        Ok(examples)
    }

    fn run(&mut self, padded: usize) -> Result<(), Error> {
        let Self { compiled, memory, threads, inputs, .. } = self;
        with_views(inputs, |views| compiled.program.run(views, padded, memory, threads))
    }

    /// Runs the batch again, without any effect, up to the first step that makes a number that is not finite.
    fn first_not_finite(&mut self, padded: usize, settings: Settings) -> Result<String, Error> {
        let Self { compiled, memory, threads, inputs, examples, isa, .. } = self;
        let lanes = isa.lanes();
        for (port, input) in compiled.program.inputs().iter().zip(&*inputs) {
            let elements = port.shape.elements();
            if let Some(at) = input.data().iter().position(|value| !value.is_finite()) {
                let example = at / (elements * lanes) * lanes + at % lanes;
                return Ok(format!("the input `{}`, in example {example} of the batch", port.name));
            }
        }
        compiled.control.set(Settings { updates: false, ..settings });
        let is_example =
            |element: usize, of_example: usize| element / (of_example * lanes) * lanes + element % lanes < *examples;
        let found = with_views(inputs, |views| {
            compiled.program.run_until(views, padded, memory, threads, |step, output| {
                let of_example = output.len() / padded.max(1);
                let mut elements = output.iter().enumerate();
                elements.any(|(i, value)| !value.is_finite() && is_example(i, of_example)).then(|| step.to_owned())
            })
        })?;
        // A parameter's gradient is no step's output, and can be too large where all that it is made of is not.
        let overflows = |gradient: &Slot| self.read(gradient).iter().any(|value| !value.is_finite());
        let parameter = || {
            let mut all = self.compiled.parameters.iter();
            all.find(|(_, _, gradient)| gradient.as_ref().is_some_and(overflows)).map(|(parameter, ..)| &parameter.name)
        };
        Ok(match (found, parameter()) {
            (Some(step), _) => format!("`{step}`"),
            (None, Some(name)) => format!("the gradient of `{name}`"),
            (None, None) => "the gradients of the parameters".to_owned(),
        })
    }

    /// The number of updates so far; a resumed run sets it to where it was.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Sets the number of updates before the next one.
    pub fn set_updates(&mut self, updates: u64) {
        self.updates = updates;
    }

    /// The values of the losses in the last step, in their order, weights not included.
    pub fn losses(&self) -> Vec<f64> {
        self.compiled.control.findings().losses.clone()
    }

    /// The outputs: the network's, taps, gradients.
    pub fn outputs(&self) -> &[Port] {
        self.compiled.program.outputs()
    }

    /// The inputs: the network's, then the targets of the losses.
    pub fn inputs(&self) -> &[Port] {
        self.compiled.program.inputs()
    }

    /// An output of the last step, batch first; `None` when there is no such output or no step was made.
    pub fn output(&self, name: &str) -> Option<Tensor> {
        let index = self.outputs().iter().position(|port| port.name == name)?;
        let shape = &self.outputs()[index].shape;
        let padded = self.examples.next_multiple_of(self.isa.lanes());
        let range = self.compiled.program.output_range(index, padded).filter(|_| self.examples > 0)?;
        let sizes: Vec<usize> = std::iter::once(self.examples).chain(shape.iter().copied()).collect();
        let mut tensor = Tensor::zeros(&sizes).ok()?;
        from_lanes(self.isa, &self.memory.arena.as_slice()[range], shape.elements(), tensor.data_mut());
        Some(tensor)
    }

    /// Every parameter and buffer with its values, in the network's order.
    pub fn parameters(&self) -> impl Iterator<Item = (&cnn_ir::Parameter, &[f32])> {
        self.compiled.parameters.iter().map(|(parameter, value, _)| (parameter, self.read(value)))
    }

    /// The values of a parameter or buffer.
    pub fn parameter(&self, name: &str) -> Option<&[f32]> {
        self.find(name).map(|(_, value, _)| self.read(value))
    }

    /// The gradient of a trained parameter. After an update it is zero.
    pub fn gradient(&self, name: &str) -> Option<&[f32]> {
        self.find(name).and_then(|(_, _, gradient)| gradient.as_ref()).map(|gradient| self.read(gradient))
    }

    /// All trained parameters, one behind the other.
    pub fn trained(&self) -> &[f32] {
        self.read(&self.compiled.trained)
    }

    /// The vectors of the optimizer's state, each as long as [`TrainingSession::trained`].
    pub fn slots(&self) -> impl Iterator<Item = &[f32]> {
        self.compiled.slots.iter().map(|slot| self.read(slot))
    }

    /// Sets the values of a parameter or buffer.
    ///
    /// # Errors
    /// No such parameter, or one of another size.
    pub fn set_parameter(&mut self, name: &str, values: &[f32]) -> Result<(), Error> {
        let slot = self.find(name).map(|(_, value, _)| value.clone());
        write(slot, values, name)
    }

    /// Sets a vector of the optimizer's state.
    ///
    /// # Errors
    /// No such vector, or one of another size.
    pub fn set_slot(&mut self, slot: usize, values: &[f32]) -> Result<(), Error> {
        write(self.compiled.slots.get(slot).cloned(), values, "the optimizer's state")
    }

    /// Forgets the gradients that steps without an update have added up.
    pub fn clear_gradients(&mut self) {
        // SAFETY: no step runs while the session is borrowed mutably, and nobody else has the state.
        unsafe { self.compiled.gradients.get_mut() }.fill(0.0);
    }

    /// A copy of all parameters and buffers, for inference or a file.
    ///
    /// # Errors
    /// Those of [`Weights::from_tensors`].
    pub fn weights(&self) -> Result<Weights, Error> {
        let tensor = |(parameter, values): (&cnn_ir::Parameter, &[f32])| {
            Tensor::new(&parameter.shape, values.to_vec()).map(|tensor| (parameter.name.clone(), tensor))
        };
        Weights::from_tensors(self.parameters().map(tensor).collect::<Result<Vec<_>, _>>()?)
    }

    /// Bytes of memory that steps of this batch need: parameters, gradients, the optimizer's state, the values between
    /// layers, the batch itself. `usize::MAX` when they cannot be counted.
    pub fn bytes(&self, batch: usize) -> usize {
        let Some(padded) = batch.checked_next_multiple_of(self.isa.lanes()) else { return usize::MAX };
        let inputs: usize = self.inputs().iter().map(|port| port.shape.elements()).sum();
        let inputs = inputs.saturating_mul(padded).saturating_mul(size_of::<f32>());
        let arena = self.compiled.program.arena_bytes(padded, self.threads.count());
        self.compiled.state_bytes.saturating_add(arena).saturating_add(inputs)
    }

    /// The largest batch whose steps need at most so many bytes; 0 when there is none.
    pub fn largest_batch(&self, bytes: usize) -> usize {
        let (mut fits, mut exceeds) = (0usize, 1usize << 40);
        while exceeds - fits > 1 {
            let middle = fits + (exceeds - fits) / 2;
            if self.bytes(middle) <= bytes { fits = middle } else { exceeds = middle }
        }
        fits
    }

    /// The compiled program, one step per line.
    pub fn program_text(&self) -> String {
        self.compiled.program.to_string()
    }

    /// How many threads work on one step.
    pub fn threads(&self) -> usize {
        self.threads.count()
    }

    fn find(&self, name: &str) -> Option<&(cnn_ir::Parameter, Slot, Option<Slot>)> {
        self.compiled.parameters.iter().find(|(parameter, ..)| parameter.name == name)
    }

    fn read<'a>(&'a self, slot: &'a Slot) -> &'a [f32] {
        // SAFETY: steps need the session mutably, and nobody else has the state.
        unsafe { slot.get() }
    }
}

/// Calls with references to all tensors; without allocating up to a number that few networks reach.
fn with_views<T>(tensors: &[Tensor], call: impl FnOnce(&[&Tensor]) -> T) -> T {
    const FEW: usize = 16;
    match tensors.first() {
        Some(first) if tensors.len() <= FEW => {
            let mut views = [first; FEW];
            views.iter_mut().zip(tensors).for_each(|(view, tensor)| *view = tensor);
            call(&views[..tensors.len()])
        }
        _ => call(&tensors.iter().collect::<Vec<_>>()),
    }
}

fn write(slot: Option<Slot>, values: &[f32], name: &str) -> Result<(), Error> {
    let Some(slot) = slot else {
        return Err(Error::Graph { place: "training".to_owned(), reason: format!("there is no `{name}`") });
    };
    if slot.len() != values.len() {
        let (shape, expected, found) = (vec![slot.len()], slot.len(), values.len());
        return Err(Error::TensorSize { shape, expected, found });
    }
    // SAFETY: the callers borrow the session mutably, and nobody else has the state.
    unsafe { slot.get_mut() }.copy_from_slice(values);
    Ok(())
}

impl fmt::Debug for TrainingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "training session of {} steps", self.compiled.program.steps().len())
    }
}
