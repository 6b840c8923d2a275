//! Random models: formatted they are the same, the engine agrees with the reference, generated code with the interpreter.
//!
//! `CNN_SEED=123 cargo test -p cnn-tests --test random` takes one seed, and `CNN_SEED=100..600` many.

#![allow(clippy::unwrap_used)]

use cnn::{CompileOptions, Isa, LayerGraph, Network, Session, Tensor, TraceBuilder, Weights};
use cnn_dsl::{Compilation, Settings, Sources, Style, compile, format, render};
use cnn_ir::ops::OPS;
use cnn_runtime::Reference;
use cnn_tests::{formula, random};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// The seeds that were asked for, or the first ones and some that nobody has tried, with their models.
static MODELS: LazyLock<Vec<(u64, String)>> = LazyLock::new(|| {
    let seeds: Vec<u64> = if let Some(seeds) = std::env::var_os("CNN_SEED") {
        let seeds = seeds.to_str().unwrap();
        let (first, end) = seeds.split_once("..").unwrap_or((seeds, ""));
        let first = first.parse().unwrap();
        (first..end.parse().unwrap_or(first + 1)).collect()
    } else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
        (0..FIXED).chain((0..FRESH).map(|i| (now + i) % 1_000_000_000)).collect()
    };
    seeds.into_iter().map(|seed| (seed, random::model(seed))).collect()
});

const FIXED: u64 = 60;
const FRESH: u64 = 20;

fn compiled(text: &str, seed: &u64) -> Compilation {
    let sources = Sources::new("random.cnn", text);
    let compilation = compile(&sources, &Settings::default());
    let rendered = || render(&compilation.diagnostics, &sources, Style::Plain);
    assert!(!compilation.has_errors(), "seed {seed}: {}\n{text}", rendered());
    compilation
}

fn trace(network: &Network) -> String {
    let mut trace = TraceBuilder::new();
    network.replay(&mut trace).unwrap();
    trace.text().to_owned()
}

fn traces(compilation: &Compilation) -> Vec<(&str, String)> {
    compilation.models.iter().map(|network| (network.name.as_str(), trace(network))).collect()
}

#[test]
fn formatted_models_are_the_same() {
    for (seed, text) in &*MODELS {
        let compilation = compiled(text, seed);
        let once = format(&Sources::new("random.cnn", text)).unwrap();
        assert_eq!(format(&Sources::new("random.cnn", &once)).as_ref(), Ok(&once), "seed {seed}, formatted again");
        assert_eq!(traces(&compiled(&once, seed)), traces(&compilation), "seed {seed}\n{text}\nbecomes\n{once}");
    }
}

#[test]
fn every_op_takes_part() {
    if std::env::var_os("CNN_SEED").is_some() {
        return;
    }
    let mut found = BTreeSet::new();
    for (seed, text) in MODELS.iter().take(FIXED as usize) {
        let compilation = compiled(text, seed);
        found.extend(compilation.models.iter().flat_map(|network| &network.layers).map(|layer| layer.op.def().name));
    }
    let missing: Vec<&str> = OPS.iter().map(|def| def.name).filter(|name| !found.contains(name)).collect();
    assert_eq!(missing, [""; 0]);
}

/// What the build script has made of the first seeds.
mod generated {
    include!(concat!(env!("OUT_DIR"), "/random.rs"));

    macro_rules! traces {
        ($($seed:literal $module:ident $model:ident,)*) => {
            /// The seed of every model, its name and the calls of its generated code.
            pub fn traces() -> Vec<(u64, &'static str, String)> {
                vec![$({
                    let mut trace = cnn::TraceBuilder::new();
                    $module::$model::build(&mut trace).unwrap();
                    ($seed, stringify!($model), trace.text().to_owned())
                },)*]
            }
        };
    }
    for_each_random_model!(traces);
}

#[test]
fn generated_code_makes_the_calls_of_the_interpreter() {
    for (seed, model, calls) in generated::traces() {
        let text = random::model(seed);
        let compilation = compiled(&text, &seed);
        let network = compilation.models.iter().find(|network| network.name == model).unwrap();
        assert_eq!(calls, trace(network), "seed {seed}, {model}\n{text}");
    }
}

/// Within this much of the largest number of an output, or of 1.
const TOLERANCE: f32 = 1e-4;

fn agree(expected: &[f32], found: &[f32]) -> Result<(), String> {
    let largest =
        expected.iter().filter(|value| value.is_finite()).fold(1.0, |largest: f32, value| largest.max(value.abs()));
    for (i, (&e, &f)) in expected.iter().zip(found).enumerate() {
        let is_same = e == f || (e.is_nan() && f.is_nan()) || (e - f).abs() <= TOLERANCE * largest;
        if !is_same {
            return Err(format!("element {i} is {f}, the reference has {e}; the largest is {largest}"));
        }
    }
    Ok(())
}

#[test]
fn the_engine_agrees_with_the_reference() {
    for (seed, text) in &*MODELS {
        for network in compiled(text, seed).models {
            check_engine(&network).unwrap_or_else(|error| panic!("seed {seed}, {}: {error}\n{text}", network.name));
        }
    }
}

/// The engine and the reference on a batch of two.
fn check_engine(network: &Network) -> Result<(), String> {
    let graph = LayerGraph::from_network(network).map_err(|error| error.to_string())?;
    let parameters = network.parameters();
    let list = parameters.iter().map(|parameter| (parameter.name.as_str(), parameter.shape.as_slice()));
    let tensors = formula::parameters(list).into_iter();
    let tensors = tensors.map(|(name, shape, data)| (name.to_owned(), Tensor::new(shape, data).unwrap()));
    let weights = Weights::from_tensors(tensors).unwrap();
    let input = |(i, shape): (usize, &[usize])| {
        let shape = [&[2], shape].concat();
        let values = formula::values(&format!("input {i}"), shape.iter().product());
        Tensor::new(&shape, values.into_iter().map(|value| value as f32).collect()).unwrap()
    };
    let inputs: Vec<Tensor> = network.inputs.iter().map(|input| &*input.shape).enumerate().map(input).collect();
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    let expected = Reference::new(graph, &weights).and_then(|mut reference| reference.run(&inputs));
    let expected = expected.map_err(|error| format!("the reference: {error}"))?;
    for isa in Isa::available() {
        let options = CompileOptions { isa: Some(isa), ..Default::default() };
        let session = Session::from_network(network, &weights, &options);
        let mut session = session.map_err(|error| format!("{isa}: {error}"))?;
        let outputs = session.run(&inputs).map_err(|error| format!("{isa}: {error}"))?;
        for (i, expected) in expected.iter().enumerate() {
            let found = outputs.get(i);
            let same_shape = expected.shape() == found.shape();
            same_shape
                .then_some(())
                .ok_or_else(|| format!("{isa}: {:?}, not {:?}", found.shape(), expected.shape()))?;
            agree(expected.data(), found.data()).map_err(|error| format!("output {i} on {isa}: {error}"))?;
        }
    }
    Ok(())
}
