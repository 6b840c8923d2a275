//! `cnn bench`

use crate::args::{Bench, MessageFormat};
use crate::bench::{self, Choice, Figures, Limits, Plan, Start, Step, Times, measure};
use crate::failure::Failure;
use crate::model::load_one;
use crate::output::write_file;
use crate::terminal::say;
use cnn::{Limit, Machine, Network, Session, Tensor, Weights};
use std::collections::HashMap;
use std::io::{Write, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

/// Compiles a network, runs it until its times are steady, and prints them.
pub fn run(args: &Bench, format: MessageFormat) -> Result<(), Failure> {
    let plan = plan(args)?;
    let mut clock = Clock(Instant::now());
    let network = load_one(&args.model, format)?;
    let read = clock.lap();
    let weights = match &args.weights {
        Some(file) => Weights::open(file)?,
        None => {
            if args.engine.packed.is_some() {
                say("random weights are not kept: `--packed` does nothing without `--weights`");
            }
            bench::random_weights(&network)?
        }
    };
    let opened = clock.lap();
    let mut session = Session::from_network(&network, &weights, &args.engine.options()?)?;
    let compiled = clock.lap();
    let inputs = match &args.inputs {
        Some(file) => read_inputs(&network, file)?,
        None => bench::random_inputs(&network, args.batch as usize)?,
    };
    let batch = inputs.first().and_then(|input| input.shape().first()).copied().unwrap_or(1);
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    clock.lap();
    session.run(&inputs)?;
    let start = Start { read, weights: opened, compile: compiled, first_run: clock.lap() };
    if let Some(file) = &args.outputs {
        write_outputs(&mut session, &inputs, file)?;
    }

    let (seconds, _) = measure(plan, || Ok(session.run(&inputs).map(drop)?))?;
    // Before the machine is measured, which takes memory of its own.
    let peak_memory_bytes = bench::peak_memory();
    let isa = session.program().isa();
    let machine = Machine::measure(isa, session.threads())?;
    let work = work(&network, &session, machine.limits(&network, isa, batch, args.engine.exact));
    let weight_bytes = network.memory().weights;
    let limit = Limits::of(work.iter().map(|work| work.limit), machine.rate(weight_bytes as f64));
    let layers = match args.layers {
        true => Some(profile(&mut session, &inputs, batch, &work, plan)?),
        false => None,
    };
    let macs = u128::from(network.cost().macs) * batch as u128;
    let rate = |amount: f64| if seconds.median > 0.0 { amount / seconds.median } else { 0.0 };
    let figures = Figures {
        model: network.name.clone(),
        batch,
        weights: args.weights.as_ref().map(|file| file.display().to_string()),
        isa: isa.to_string(),
        threads: session.threads(),
        examples_per_second: rate(batch as f64),
        macs,
        flops_per_second: rate(2.0 * macs as f64),
        peak_flops_per_second: machine.flops / session.threads() as f64,
        limit,
        seconds,
        start,
        weight_bytes,
        arena_bytes: session.arena_bytes(batch),
        peak_memory_bytes,
        layers,
    };
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&figures).map_err(Failure::new)?)?;
    } else {
        write!(out, "{}", bench::text(&figures))?;
    }
    Ok(())
}

fn plan(args: &Bench) -> Result<Plan, Failure> {
    match Duration::try_from_secs_f64(args.seconds) {
        Ok(time) if args.seconds <= 3600.0 => Ok(Plan { runs: args.runs as usize, time }),
        _ => Err(Failure::Message(format!("`--seconds {}`: write a number from 0 to 3600", args.seconds))),
    }
}

/// Seconds from lap to lap.
struct Clock(Instant);

impl Clock {
    fn lap(&mut self) -> f64 {
        std::mem::replace(&mut self.0, Instant::now()).elapsed().as_secs_f64()
    }
}

/// What a step has to do.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    /// For one example.
    macs: u64,
    limit: Limit,
}

/// The work of every step, of which `limits` has those of the layers.
fn work(network: &Network, session: &Session, limits: Vec<Limit>) -> Vec<Work> {
    let layers = limits.into_iter().enumerate().map(|(layer, limit)| {
        let macs = network.layer_cost(layer).macs;
        (network.path(layer), Work { macs, limit })
    });
    let mut layers: HashMap<String, Work> = layers.collect();
    // What has a name a second time is the copy of an input to an output of that name.
    session.program().steps().map(|step| layers.remove(&step.name).unwrap_or_default()).collect()
}

/// The median time of every step of the program.
fn profile(
    session: &mut Session,
    inputs: &[&Tensor],
    batch: usize,
    work: &[Work],
    plan: Plan,
) -> Result<Vec<Step>, Failure> {
    let (_, runs) = measure(plan, || Ok(session.profile(inputs)?))?;
    let step = |(index, (step, work)): (usize, (cnn::StepInfo, &Work))| {
        let seconds: Vec<f64> = runs.iter().filter_map(|times| times.get(index)).map(Duration::as_secs_f64).collect();
        Step {
            macs: u128::from(work.macs) * batch as u128,
            limit_seconds: work.limit.seconds(),
            name: step.name,
            kernel: step.kernel,
            shape: step.shape.to_vec(),
            choices: step.choices.into_iter().map(Choice::from).collect(),
            seconds: Times::of(&seconds).median,
        }
    };
    Ok(session.program().steps().zip(work).enumerate().map(step).collect())
}

/// The tensors of a safetensors file that have the names of the inputs.
fn read_inputs(network: &Network, file: &Path) -> Result<Vec<Tensor>, Failure> {
    let tensors = Weights::open(file)?;
    network.inputs.iter().map(|input| Ok(tensors.get(&input.name)?.to_tensor())).collect()
}

fn write_outputs(session: &mut Session, inputs: &[&Tensor], file: &Path) -> Result<(), Failure> {
    let names: Vec<String> = session.outputs().iter().map(|port| port.name.clone()).collect();
    let outputs = session.run(inputs)?;
    let tensors = names.into_iter().enumerate().map(|(index, name)| (name, outputs.get(index).to_tensor()));
    write_file(file, &Weights::from_tensors(tensors)?.to_safetensors()?)
}
