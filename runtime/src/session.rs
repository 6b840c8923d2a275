//! A network ready to run.

use crate::engine::{Algorithm, Isa, Memory, Program, Target, Threads, Tuning, collapse};
use crate::graph::Port;
use crate::passes::PassSwitches;
use crate::{Error, LayerGraph, LuminalBuilder, Tensor, TensorView, WeightDtype, Weights};
use cnn_ir::{BuildError, Network};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How a network is compiled and run. What is `None` is taken from the environment: `CNN_ISA` (`portable`, `avx2`,
/// `avx512`), `CNN_PASSES` (see [`PassSwitches`]), `CNN_THREADS`, `CNN_ALGORITHM` (see [`Algorithm`]), and the files
/// `CNN_TUNING` and `CNN_PACKED`; and where that says nothing, it is the best this CPU has, all optimisations, and as many
/// threads as the system lets this process run at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CompileOptions {
    /// The instruction set.
    pub isa: Option<Isa>,
    /// Which optimisations are made.
    pub passes: Option<PassSwitches>,
    /// How many threads work on one run, the caller's among them. Results do not depend on it. All sessions of a process
    /// with the same number share one pool; a run that finds it in use goes on alone, so that a program with threads of
    /// its own never has more at work than those and the pool's.
    pub threads: Option<usize>,
    /// Whether convolutions are computed as they are defined, never by Winograd's algorithm, which takes fewer
    /// multiplications and rounds differently. [`weight_dtype`](Self::weight_dtype) is not touched by it.
    pub exact: bool,
    /// A kernel for every layer that it can run, in place of what the cost model chooses.
    pub algorithm: Option<Algorithm>,
    /// Measured times by which kernels are chosen, in place of the cost model's.
    pub tuning: Option<Arc<Tuning>>,
    /// Whether kernels are chosen whose packed weights are about as large as the originals, which are given back to the
    /// system when they are mapped from a file. Winograd's algorithm is left for small layers, so runs take longer.
    pub low_memory: bool,
    /// How the weights of dense layers are stored; all else stays f32, and so do the sums.
    pub weight_dtype: WeightDtype,
    /// A file for packed weights, which the next start maps in place of packing. It is written anew when it is not of
    /// these weights (by their file's length and time, the tensors that it says to have, and samples of their contents), this
    /// version or these kernels, or is damaged; nobody else may change it. Only for weights that are mapped from a file. Also `CNN_PACKED`.
    pub packed: Option<PathBuf>,
}

impl CompileOptions {
    fn isa(&self) -> Result<Isa, Error> {
        match (self.isa, environment("CNN_ISA")) {
            (Some(isa), _) => isa.check(),
            (None, Some(name)) => name.parse::<Isa>()?.check(),
            (None, None) => Ok(Isa::detect()),
        }
    }

    pub(crate) fn target(&self, threads: &Threads) -> Result<Target, Error> {
        let algorithm = match (self.algorithm, environment("CNN_ALGORITHM")) {
            (Some(algorithm), _) => Some(algorithm),
            (None, Some(name)) => Some(name.parse()?),
            (None, None) => None,
        };
        let isa = self.isa()?;
        let tuning = match (&self.tuning, environment_path("CNN_TUNING")) {
            (Some(tuning), _) => Some(tuning.clone()),
            (None, Some(path)) => Some(Arc::new(Tuning::open(path)?)),
            (None, None) => None,
        };
        let times = tuning.and_then(|tuning| tuning.times(isa, threads.count()).cloned());
        let Self { exact, low_memory, weight_dtype, .. } = *self;
        let mut target = Target { isa, exact, low_memory, algorithm, weight_dtype, times, ..Target::default() };
        self.passes()?.restrict(&mut target);
        Ok(target)
    }

    fn packed(&self) -> Option<PathBuf> {
        self.packed.clone().or_else(|| environment_path("CNN_PACKED"))
    }

    pub(crate) fn threads(&self) -> Result<Arc<Threads>, Error> {
        let count = match (self.threads, environment("CNN_THREADS")) {
            (Some(count), _) => count,
            (None, Some(text)) => text.parse().map_err(|_| Error::Threads {
                asked: format!("`{text}`"),
                reason: "`CNN_THREADS` is no number".to_owned(),
            })?,
            (None, None) => Threads::available(),
        };
        Threads::shared(count)
    }

    pub(crate) fn passes(&self) -> Result<PassSwitches, Error> {
        match (self.passes, environment("CNN_PASSES")) {
            (Some(passes), _) => Ok(passes),
            (None, Some(text)) => text.parse(),
            (None, None) => Ok(PassSwitches::default()),
        }
    }
}

fn environment_path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn environment(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

/// Measures the kernels of a network's layers, one after the other, and adds their times to a tuning: for
/// [`CompileOptions::tuning`]. `observe` is given what is known so far and told each layer's name before it is measured, how
/// many are done, and how many there are to do. Gives how many different layers have times now, on this machine with these options.
///
/// # Errors
/// See [`Session::new`].
pub fn tune(
    network: &Network,
    weights: &Weights,
    options: &CompileOptions,
    tuning: &mut Tuning,
    observe: impl FnMut(&Tuning, &str, usize, usize),
) -> Result<usize, Error> {
    let mut graph = LayerGraph::from_network(network)?;
    let (passes, threads) = (options.passes()?, options.threads()?);
    let target = Target { times: None, ..options.target(&threads)? };
    passes.run(&mut graph)?;
    tuning.measure(&graph, weights, &target, &threads, observe)?;
    Ok(tuning.layers(target.isa, threads.count()))
}

/// A compiled network with the memory that one run needs.
///
/// A clone shares the program, the packed weights and the threads, and has memory of its own: one per thread of the
/// caller runs without locks.
/// Once the largest batch has been seen, a run allocates nothing.
///
/// ```
/// use cnn_ir::{Builder, ops::DenseSpec};
/// use cnn_runtime::{CompileOptions, Session, Tensor, Weights};
///
/// # fn main() -> Result<(), cnn_runtime::Error> {
/// let weights = Weights::from_tensors([
///     ("fc.weight".to_owned(), Tensor::new(&[1, 2], vec![2.0, 3.0])?),
///     ("fc.bias".to_owned(), Tensor::new(&[1], vec![1.0])?),
/// ])?;
/// let build = |network: &mut cnn_runtime::LuminalBuilder| {
///     let x = network.input("x", &[2])?;
///     let y = network.layer("fc", DenseSpec::new(2, 1), &[&x])?;
///     network.output("y", &y)
/// };
/// let mut session = Session::new(build, &weights, &CompileOptions::default())?;
/// let outputs = session.run(&[&Tensor::new(&[2, 2], vec![1.0, 1.0, 10.0, 0.0])?])?;
/// assert_eq!(outputs.get(0).data(), [6.0, 21.0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    program: Arc<Program>,
    memory: Memory,
    threads: Arc<Threads>,
    /// The outputs' shapes in the last run, batch first.
    shapes: Vec<Vec<usize>>,
}

impl Session {
    /// Compiles the network that `build` makes.
    ///
    /// # Errors
    /// Calls that make no network; weights that do not fit; an instruction set that is not there; sizes that no kernel
    /// can take.
    pub fn new(
        build: impl FnOnce(&mut LuminalBuilder) -> Result<(), BuildError>,
        weights: &Weights,
        options: &CompileOptions,
    ) -> Result<Self, Error> {
        let mut builder = LuminalBuilder::new();
        build(&mut builder)?;
        Self::from_graph(builder.finish()?, weights, options)
    }

    /// Compiles a network of the IR.
    ///
    /// # Errors
    /// See [`Session::new`].
    pub fn from_network(network: &Network, weights: &Weights, options: &CompileOptions) -> Result<Self, Error> {
        Self::from_graph(LayerGraph::from_network(network)?, weights, options)
    }

    /// Compiles a Luminal graph of layers.
    ///
    /// # Errors
    /// See [`Session::new`].
    pub fn from_graph(mut graph: LayerGraph, weights: &Weights, options: &CompileOptions) -> Result<Self, Error> {
        let (passes, threads) = (options.passes()?, options.threads()?);
        let target = options.target(&threads)?;
        passes.run(&mut graph)?;
        let packed = options.packed();
        if let Some(file) = &packed {
            weights.use_stored(file);
        }
        let program = collapse(&mut graph, weights, &target, &threads)?;
        if let Some(file) = &packed {
            weights.store(file)?;
        }
        Ok(Self::from_program(program, threads))
    }

    /// A session on a program that is compiled already, with threads that other sessions may use, too.
    pub fn from_program(program: Arc<Program>, threads: Arc<Threads>) -> Self {
        let shape = |port: &Port| std::iter::once(0).chain(port.shape.iter().copied()).collect();
        let shapes = program.outputs().iter().map(shape).collect();
        Self { program, memory: Memory::default(), threads, shapes }
    }

    /// Runs the network on one tensor per input, batch first. The batch may differ from run to run.
    ///
    /// # Errors
    /// Inputs of another number, shape or batch than the network's; not enough memory for the batch.
    pub fn run(&mut self, inputs: &[&Tensor]) -> Result<Outputs<'_>, Error> {
        let batch = check_inputs(self.program.inputs(), inputs)?;
        self.program.run(inputs, batch, &mut self.memory, &self.threads)?;
        for shape in &mut self.shapes {
            shape[0] = batch;
        }
        Ok(Outputs { session: self, batch })
    }

    /// Runs the network as [`Session::run`] does, and says how long each step of the program took, in the order of
    /// [`Program::steps`].
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn profile(&mut self, inputs: &[&Tensor]) -> Result<Vec<Duration>, Error> {
        let batch = check_inputs(self.program.inputs(), inputs)?;
        let times = self.program.run_timed(inputs, batch, &mut self.memory, &self.threads)?;
        for shape in &mut self.shapes {
            shape[0] = batch;
        }
        Ok(times)
    }

    /// The inputs: names and the shapes of one example.
    pub fn inputs(&self) -> &[Port] {
        self.program.inputs()
    }

    /// The outputs: names and the shapes of one example.
    pub fn outputs(&self) -> &[Port] {
        self.program.outputs()
    }

    /// Bytes of memory for intermediate values, outputs and scratch at this batch; weights and inputs not counted.
    pub fn arena_bytes(&self, batch: usize) -> usize {
        self.program.arena_bytes(batch, self.threads.count())
    }

    /// How many threads work on one run.
    pub fn threads(&self) -> usize {
        self.threads.count()
    }

    /// The compiled program, one step per line.
    pub fn program_text(&self) -> String {
        self.program.to_string()
    }

    /// The compiled program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Self::from_program(self.program.clone(), self.threads.clone())
    }
}

/// The outputs of a run, in the session's memory until the next one.
#[derive(Debug, Clone, Copy)]
pub struct Outputs<'a> {
    session: &'a Session,
    batch: usize,
}

impl<'a> Outputs<'a> {
    /// How many there are; at least one.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.session.shapes.len()
    }

    /// Output `i` in the network's order; an empty tensor when there is no such output.
    pub fn get(&self, i: usize) -> TensorView<'a> {
        let Session { program, memory, shapes, .. } = self.session;
        match (shapes.get(i), program.output_range(i, self.batch)) {
            (Some(shape), Some(range)) => TensorView::of(shape, &memory.arena.as_slice()[range]),
            _ => TensorView::EMPTY,
        }
    }

    /// An output by name.
    pub fn by_name(&self, name: &str) -> Option<TensorView<'a>> {
        self.session.outputs().iter().position(|port| port.name == name).map(|i| self.get(i))
    }
}

/// The batch of the inputs, when they are what the network takes.
pub(crate) fn check_inputs(ports: &[Port], inputs: &[&Tensor]) -> Result<usize, Error> {
    if ports.len() != inputs.len() {
        return Err(Error::InputCount { expected: ports.len(), found: inputs.len() });
    }
    let mut first = None;
    for (port, input) in ports.iter().zip(inputs) {
        let name = || port.name.clone();
        let batch = match input.shape() {
            [batch, shape @ ..] if *shape == *port.shape => *batch,
            found => {
                return Err(Error::InputShape { name: name(), expected: port.shape.to_vec(), found: found.to_vec() });
            }
        };
        let expected = *first.get_or_insert(batch);
        if batch == 0 {
            return Err(Error::EmptyBatch { name: name() });
        } else if batch != expected {
            return Err(Error::BatchMismatch { name: name(), expected, found: batch });
        }
    }
    Ok(first.unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnn_ir::Builder;
    use cnn_ir::ops::{Conv2dSpec, DenseSpec, ReluSpec};

    #[test]
    fn little_memory_means_weights_of_about_their_own_size() -> Result<(), Error> {
        let build = |network: &mut LuminalBuilder| {
            let x = network.input("x", &[192, 8, 8])?;
            let spec = Conv2dSpec { padding: [1; 4], bias: false, ..Conv2dSpec::new(192, 192, [3, 3]) };
            let y = network.layer("conv", spec, &[&x])?;
            network.output("y", &y)
        };
        let bytes = 4 * 192 * 192 * 9;
        for (low_memory, expected) in [(false, bytes * 4), (true, bytes)] {
            let weight = Tensor::new(&[192, 192, 3, 3], vec![0.5; bytes / 4])?;
            let weights = Weights::from_tensors([("conv.weight".to_owned(), weight)])?;
            let algorithm = Some("winograd4".parse()?);
            Session::new(build, &weights, &CompileOptions { algorithm, low_memory, ..CompileOptions::default() })?;
            assert!((expected..expected + 40192).contains(&weights.packed_bytes()), "{}", weights.packed_bytes());
        }
        Ok(())
    }

    #[test]
    fn a_profile_has_a_time_for_each_step() -> Result<(), Error> {
        let build = |network: &mut LuminalBuilder| {
            let x = network.input("x", &[2])?;
            let y = network.layer("fc", DenseSpec { bias: false, ..DenseSpec::new(2, 1) }, &[&x])?;
            let z = network.layer("max", ReluSpec::new(), &[&y])?;
            network.output("z", &z)
        };
        let weights = Weights::from_tensors([("fc.weight".to_owned(), Tensor::new(&[1, 2], vec![2.0, 3.0])?)])?;
        let options = CompileOptions { passes: Some("-all".parse()?), ..CompileOptions::default() };
        let mut session = Session::new(build, &weights, &options)?;
        let steps: Vec<_> = session.program().steps().map(|step| (step.name, step.shape.to_vec())).collect();
        assert_eq!(steps, [("fc".to_owned(), vec![1]), ("max".to_owned(), vec![1])]);
        let input = Tensor::new(&[1, 2], vec![1.0, -1.0])?;
        assert_eq!(session.profile(&[&input])?.len(), 2);
        assert!(session.profile(&[]).is_err());
        Ok(())
    }
}
