//! Measured times of kernels, in place of the cost model's.

use super::Isa;
use super::drafts::{Drafts, described};
use super::program::{Area, Memory, Program, Source, Step};
use super::select::{Candidate, Layer};
use super::target::Target;
use super::threads::Threads;
use crate::{Error, LayerGraph, Tensor, Weights};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Seconds of each kernel that can run a layer, by the layer and the kernel's name.
pub(crate) type LayerTimes = BTreeMap<String, BTreeMap<String, f64>>;

/// The times of kernels that `cnn tune` has measured, by machine and layer: a small JSON file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tuning(BTreeMap<String, LayerTimes>);

/// A kernel is measured so long, and at least so often; the least time counts, which other processes disturb least.
const TIME: Duration = Duration::from_millis(30);
const RUNS: usize = 5;

impl Tuning {
    /// Reads what [`Tuning::to_json`] has written.
    ///
    /// # Errors
    /// A file that cannot be read or is no such file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let times: BTreeMap<String, LayerTimes> = serde_json::from_slice(&text)
            .map_err(|error| Error::BadTuning { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self(times))
    }

    /// The text of the file.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap_or_default() + "\n"
    }

    /// How many layers have been measured on this machine.
    pub fn layers(&self, isa: Isa, threads: usize) -> usize {
        self.0.get(&machine(isa, threads)).map_or(0, BTreeMap::len)
    }

    pub(crate) fn times(&self, isa: Isa, threads: usize) -> Option<&LayerTimes> {
        self.0.get(&machine(isa, threads))
    }

    /// Measures every kernel of every layer for which there are several; layers all of whose kernels are known stay as
    /// they are.
    /// `observe` is given what is known, and told each layer's name before it is measured, and how many are done and to do.
    ///
    /// # Errors
    /// Weights that do not fit, sizes that no kernel can take, not enough memory.
    pub(crate) fn measure(
        &mut self,
        graph: &LayerGraph,
        weights: &Weights,
        target: &Target,
        threads: &Threads,
        mut observe: impl FnMut(&Self, &str, usize, usize),
    ) -> Result<(), Error> {
        graph.check_weights(weights)?;
        let machine = machine(target.isa, threads.count());
        let drafts = Drafts::new(graph, target)?;
        let has_choice = |position: &usize| algorithms(&drafts.made[*position].candidates).nth(1).is_some();
        let positions: Vec<usize> = (0..drafts.made.len()).filter(has_choice).collect();
        for (done, &position) in positions.iter().enumerate() {
            let made = &drafts.made[position];
            let Some(op) = made.layer else { continue };
            observe(self, &op.path, done, positions.len());
            let known = self.0.entry(machine.clone()).or_default();
            described(&drafts.made, position, op, target.isa, |layer| {
                let key = key(layer);
                if measured(known, &key, &made.candidates).is_some() {
                    return Ok(());
                }
                let mut times = BTreeMap::new();
                for candidate in made.candidates.iter().filter(|candidate| candidate.algorithm() != "naive") {
                    times.insert(candidate.algorithm().to_owned(), seconds(candidate, layer, weights, threads)?);
                    weights.forget_packed();
                }
                // Times of kernels that these options forbid stay.
                known.entry(key).or_default().extend(times);
                Ok::<(), Error>(())
            })?;
        }
        Ok(())
    }
}

/// The names of different kernels.
fn algorithms(candidates: &[Candidate]) -> impl Iterator<Item = &'static str> {
    let mut seen = Vec::new();
    candidates.iter().map(Candidate::algorithm).filter(move |&name| {
        let is_new = name != "naive" && !seen.contains(&name);
        seen.push(name);
        is_new
    })
}

/// The times of a layer's kernels, when all of these were measured: measured times compare with measured ones only.
pub(crate) fn measured<'t>(
    times: &'t LayerTimes,
    key: &str,
    candidates: &[Candidate],
) -> Option<&'t BTreeMap<String, f64>> {
    times.get(key).filter(|known| algorithms(candidates).all(|name| known.contains_key(name)))
}

/// What the time of a layer's kernels depends on, the machine apart.
pub(crate) fn key(layer: &Layer<'_>) -> String {
    let residual = if layer.residual { " + residual" } else { "" };
    let prologue = layer.prologue.map_or(String::new(), |prologue| format!("{} + ", prologue.op));
    format!("{prologue}{} {:?} → {:?}{residual}", layer.op, layer.input, layer.output)
}

/// What the time depends on, the layer apart.
fn machine(isa: Isa, threads: usize) -> String {
    let count = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    format!("{}, {isa}, {count}", cpu())
}

/// The CPU's name, as far as the system tells it.
fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    match (field("model name"), field("cpu family"), field("model")) {
        (Some(name), Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        (Some(name), ..) => name,
        _ => std::env::consts::ARCH.to_owned(),
    }
}

/// The least time of a kernel on one example of numbers that mean nothing.
fn seconds(candidate: &Candidate, layer: &Layer<'_>, weights: &Weights, threads: &Threads) -> Result<f64, Error> {
    let too_large = || layer.error("its values are too large");
    let elements = |shape: &[usize], layout| super::layout::Layout::elements(layout, shape, layer.isa);
    let value = |i: usize| ((i * 37 % 101) as f32 - 50.0) / 50.0;
    let mut inputs = Vec::new();
    for (i, shape) in layer.inputs.iter().enumerate() {
        let is_residual = layer.residual && i + 1 == layer.inputs.len();
        let layout = if is_residual { candidate.way.makes } else { candidate.way.takes };
        let elements = elements(shape, layout).ok_or_else(too_large)?;
        inputs.push(Tensor::new(&[1, elements], (0..elements).map(value).collect())?);
    }
    let arena = elements(layer.output, candidate.way.makes).ok_or_else(too_large)?;
    let step = Step {
        name: layer.path.to_owned(),
        shape: cnn_ir::Shape::new(layer.output).map_err(|_| too_large())?,
        kernel: candidate.make(layer, weights)?,
        choices: Vec::new(),
        inputs: (0..inputs.len()).map(Source::Input).collect(),
        output: Area { offset: 0, stride: arena, start: 0, elements: arena },
    };
    let program = Program {
        isa: layer.isa,
        inputs: Vec::new(),
        outputs: Vec::new(),
        output_areas: Vec::new(),
        steps: vec![step],
        chains: Vec::new(),
        arena,
    };
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    let (mut memory, mut least) = (Memory::default(), Duration::MAX);
    let started = Instant::now();
    let mut runs = 0;
    while runs < RUNS || started.elapsed() < TIME {
        let times = program.run_timed(&inputs, 1, &mut memory, threads)?;
        least = times.into_iter().fold(least, Duration::min);
        runs += 1;
    }
    Ok(least.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CompileOptions, LuminalBuilder, Session};
    use cnn_ir::Builder;
    use cnn_ir::ops::Conv2dSpec;
    use std::sync::Arc;

    #[test]
    fn only_layers_whose_kernels_are_all_measured_are_chosen_by_their_times() -> Result<(), Error> {
        let build = |network: &mut LuminalBuilder| {
            let x = network.input("x", &[16, 4, 4])?;
            let spec = Conv2dSpec { padding: [1; 4], bias: false, ..Conv2dSpec::new(16, 16, [3, 3]) };
            let y = network.layer("conv", spec, &[&x])?;
            network.output("y", &y)
        };
        let mut builder = LuminalBuilder::new();
        build(&mut builder)?;
        let graph = builder.finish()?;
        let weights = Weights::from_tensors([("conv.weight".to_owned(), Tensor::zeros(&[16, 16, 3, 3])?)])?;
        let (target, threads) = (Target { isa: Isa::Portable, ..Target::default() }, Threads::one());
        let mut tuning = Tuning::default();
        tuning.measure(&graph, &weights, &target, &threads, |_, _, _, _| {})?;
        let entry = |tuning: &mut Tuning| tuning.0.values_mut().next()?.values_mut().next().cloned();
        let all = entry(&mut tuning).unwrap_or_default();
        assert!(all.len() > 2 && !all.contains_key("naive"), "{all:?}");

        let measured = |tuning: &Tuning| {
            let options = CompileOptions {
                isa: Some(Isa::Portable),
                threads: Some(1),
                tuning: Some(Arc::new(tuning.clone())),
                ..CompileOptions::default()
            };
            let session = Session::new(build, &weights, &options)?;
            let choices: Vec<bool> =
                session.program().steps().flat_map(|step| step.choices).map(|choice| choice.is_measured).collect();
            Ok::<_, Error>(choices)
        };
        assert_eq!(measured(&tuning)?, vec![true; all.len()]);
        // One kernel's time is missing: the model says all, and the layer is measured again.
        tuning.0.values_mut().for_each(|layers| layers.values_mut().for_each(|times| drop(times.pop_first())));
        assert!(measured(&tuning)?.iter().all(|measured| !measured));
        tuning.measure(&graph, &weights, &target, &threads, |_, _, _, _| {})?;
        assert_eq!(entry(&mut tuning).unwrap_or_default().len(), all.len());
        Ok(())
    }
}
