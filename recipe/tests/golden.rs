//! What PyTorch computes (`golden/generate.py`), and what this crate makes of the same call forms.

#![allow(clippy::unwrap_used)]

use cnn_recipe::{Clip, Distribution, Initialiser, Loss, Optimizer, Parameter, Plateau, Schedule, fans};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Float32 on both sides, in another order of rounding.
const FLOAT32: f64 = 1e-6;
/// Float64 on both sides; PyTorch's schedules multiply step by step, ours take powers.
const FLOAT64: f64 = 1e-12;

#[derive(Deserialize)]
struct Values {
    start: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    optimizers: Vec<OptimizerRow>,
    schedules: Vec<ScheduleRow>,
    metrics: Vec<f64>,
    plateaus: Vec<PlateauRow>,
    losses: Vec<LossRow>,
    clips: Vec<ClipRow>,
    initialisers: Vec<InitialiserRow>,
    layers: Vec<LayerRow>,
}

#[derive(Deserialize)]
struct OptimizerRow {
    form: String,
    rate: f64,
    decay: f64,
    parameters: Vec<Vec<f32>>,
    /// After the last step, by PyTorch's names.
    state: BTreeMap<String, Vec<f32>>,
}

#[derive(Deserialize)]
struct ScheduleRow {
    form: String,
    base: f64,
    rates: Vec<f64>,
}

#[derive(Deserialize)]
struct PlateauRow {
    form: String,
    rates: Vec<f64>,
}

#[derive(Deserialize)]
struct LossRow {
    form: String,
    shape: Vec<usize>,
    output: Vec<f32>,
    target: Vec<f32>,
    value: f64,
    gradient: Vec<f32>,
}

#[derive(Deserialize)]
struct ClipRow {
    form: String,
    gradients: Vec<f32>,
    norm: f64,
    clipped: Vec<f32>,
}

#[derive(Deserialize)]
struct InitialiserRow {
    form: String,
    shape: Vec<usize>,
    kind: String,
    value: f64,
}

#[derive(Deserialize)]
struct LayerRow {
    weight: (String, Vec<usize>, f64),
    bias: (String, Vec<usize>, f64),
}

fn values() -> Values {
    serde_json::from_str(include_str!("golden/values.json")).unwrap()
}

/// That the relative difference is within the tolerance; numbers below `floor` are compared as if they were as large.
fn assert_near(what: &str, found: f64, expected: f64, tolerance: f64, floor: f64) {
    let allowed = tolerance * expected.abs().max(floor);
    assert!((found - expected).abs() <= allowed, "{what}: {found}, PyTorch {expected}");
}

fn assert_all_near(what: &str, found: &[f32], expected: &[f32], floor: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_near(&format!("{what} [{index}]"), f64::from(*found), f64::from(*expected), FLOAT32, floor);
    }
}

#[test]
fn optimizers_move_parameters_as_pytorch_does() {
    let values = values();
    for row in &values.optimizers {
        let optimizer: Optimizer = row.form.parse().unwrap();
        let mut parameters = values.start.clone();
        let mut state = vec![vec![optimizer.slot_start(); parameters.len()]; optimizer.slots()];
        for (step, (gradient, expected)) in values.gradients.iter().zip(&row.parameters).enumerate() {
            let mut slots: Vec<&mut [f32]> = state.iter_mut().map(Vec::as_mut_slice).collect();
            optimizer.update(step as u64, row.rate, row.decay, &mut parameters, gradient, &mut slots).unwrap();
            // Numbers are around 1; one that comes close to 0 keeps the rounding errors of its way there.
            assert_all_near(&format!("{} after step {step}", row.form), &parameters, expected, 0.5);
        }
        assert_eq!(row.state.len(), optimizer.slots(), "{}", row.form);
        for (name, found) in optimizer.slot_names().iter().zip(&state) {
            assert_all_near(&format!("{} {name}", row.form), found, &row.state[*name], 0.5);
        }
    }
}

#[test]
fn schedules_give_pytorch_s_rates() {
    for row in values().schedules {
        let schedule: Schedule = row.form.parse().unwrap();
        for (step, expected) in row.rates.iter().enumerate() {
            let found = schedule.rate(row.base, step as u64);
            // The end of a cosine is a difference of numbers as large as the base rate.
            assert_near(&format!("{} at step {step}", row.form), found, *expected, FLOAT64, row.base);
            assert_eq!(Plateau::default().rate(&schedule, row.base, step as u64), found, "{}", row.form);
        }
    }
}

#[test]
fn plateaus_lower_the_rate_when_pytorch_does() {
    let values = values();
    for row in &values.plateaus {
        let schedule: Schedule = row.form.parse().unwrap();
        let mut plateau = Plateau::default();
        for (step, expected) in row.rates.iter().enumerate() {
            let found = plateau.rate(&schedule, 0.1, step as u64);
            assert_near(&format!("{} at step {step}", row.form), found, *expected, FLOAT64, 0.0);
            // A run that stops here and resumes goes on the same way.
            plateau = serde_json::from_str(&serde_json::to_string(&plateau).unwrap()).unwrap();
            if let Some(metric) = values.metrics.get(step) {
                plateau.observe(&schedule, *metric);
            }
        }
    }
}

#[test]
fn losses_and_their_gradients_are_pytorch_s() {
    for row in values().losses {
        let loss: Loss = row.form.parse().unwrap();
        // What was in the gradient before must not matter.
        let mut gradient = vec![f32::NAN; row.output.len()];
        let value = loss.value_and_gradient(&row.output, &row.shape, &row.target, &mut gradient).unwrap();
        let what = format!("{} of {:?}", row.form, row.shape);
        assert_near(&what, value, row.value, FLOAT64, 0.0);
        assert_eq!(loss.value(&row.output, &row.shape, &row.target).unwrap(), value, "{what}");
        assert_all_near(&what, &gradient, &row.gradient, 1e-6);
    }
}

#[test]
fn clipping_is_pytorch_s() {
    for row in values().clips {
        let clip: Clip = row.form.parse().unwrap();
        let mut gradients = row.gradients.clone();
        assert_near(&row.form, clip.apply(&mut gradients), row.norm, FLOAT64, 0.0);
        assert_all_near(&row.form, &gradients, &row.clipped, 0.0);
    }
}

/// The distribution by the name and the number that PyTorch draws with.
fn drawn(distribution: Distribution) -> (&'static str, f64) {
    match distribution {
        Distribution::Constant { value } => ("fill", value),
        Distribution::Uniform { bound } => ("uniform", bound),
        Distribution::Normal { std } => ("normal", std),
    }
}

#[test]
fn initialisers_draw_from_pytorch_s_distributions() {
    for row in values().initialisers {
        let initialiser: Initialiser = row.form.parse().unwrap();
        let (kind, value) = drawn(initialiser.distribution(Parameter::Weight, &row.shape).unwrap());
        assert_eq!(kind, row.kind, "{}", row.form);
        assert_near(&row.form, value, row.value, FLOAT64, 0.0);
    }
}

#[test]
fn layers_start_as_pytorch_s() {
    let default = Initialiser::default();
    for LayerRow { weight, bias } in values().layers {
        let (fan_in, _) = fans(&weight.1).unwrap();
        for (parameter, (kind, shape, bound)) in [(Parameter::Weight, weight), (Parameter::Bias { fan_in }, bias)] {
            let (found_kind, found) = drawn(default.distribution(parameter, &shape).unwrap());
            assert_eq!(found_kind, kind);
            assert_near(&format!("{parameter:?} of {shape:?}"), found, bound, FLOAT64, 0.0);
        }
    }
}
