//! Flat slices: how they are cut does not matter, and what does not fit is an error.

#![allow(clippy::unwrap_used)]

use cnn_recipe::{
    CHUNK, Clip, Error, Group, Initialiser, Loss, Optimizer, Parameter, WeightDecay, sum_of_squares, total_norm,
};

fn numbers(count: usize, seed: f64) -> Vec<f32> {
    (0..count).map(|i| (1.7 * (i * i) as f64 + seed).sin() as f32).collect()
}

const OPTIMIZERS: &[&str] = &[
    "sgd",
    "sgd(momentum = 0.9, nesterov = true)",
    "adam",
    "adamw",
    "rmsprop",
    "rmsprop(momentum = 0.9)",
    "rmsprop(centered = true)",
    "rmsprop(momentum = 0.9, centered = true)",
    "adagrad",
];

/// Three steps over slices that are cut at every `piece` elements.
fn three_steps(optimizer: &Optimizer, piece: usize) -> Vec<f32> {
    let mut parameters = numbers(101, 0.3);
    let mut state = vec![vec![optimizer.slot_start(); parameters.len()]; optimizer.slots()];
    for step in 0..3 {
        let gradients = numbers(parameters.len(), step as f64);
        for start in (0..parameters.len()).step_by(piece) {
            let range = start..(start + piece).min(parameters.len());
            let mut slots: Vec<&mut [f32]> = state.iter_mut().map(|slot| &mut slot[range.clone()]).collect();
            let (p, g) = (&mut parameters[range.clone()], &gradients[range.clone()]);
            optimizer.update(step, 0.01, 0.1, p, g, &mut slots).unwrap();
        }
    }
    parameters
}

#[test]
fn updates_do_not_depend_on_how_slices_are_cut() {
    for form in OPTIMIZERS {
        let optimizer: Optimizer = form.parse().unwrap();
        let whole = three_steps(&optimizer, 101);
        assert_ne!(whole, numbers(101, 0.3), "{form}");
        for piece in [1, 7, 16, 64] {
            assert_eq!(three_steps(&optimizer, piece), whole, "{form} in pieces of {piece}");
        }
    }
}

#[test]
fn another_number_of_slots_is_an_error() {
    for form in OPTIMIZERS {
        let optimizer: Optimizer = form.parse().unwrap();
        for wrong in (0..5).filter(|slots| *slots != optimizer.slots()) {
            let mut state = vec![vec![0.0; 2]; wrong];
            let mut slots: Vec<&mut [f32]> = state.iter_mut().map(Vec::as_mut_slice).collect();
            let mut parameters = [1.0, 2.0];
            let result = optimizer.update(0, 0.1, 0.0, &mut parameters, &[1.0, 1.0], &mut slots);
            assert!(matches!(result, Err(Error::Slots { found, .. }) if found == wrong), "{form}: {result:?}");
            assert_eq!(parameters, [1.0, 2.0], "{form}");
        }
    }
    let sgd: Optimizer = "sgd".parse().unwrap();
    assert!(matches!(sgd.update(0, 0.1, 0.0, &mut [1.0], &[], &mut []), Err(Error::Length { found: 0, .. })));
}

#[test]
fn nan_gradients_reach_the_parameters() {
    for form in OPTIMIZERS {
        let optimizer: Optimizer = form.parse().unwrap();
        let mut state = vec![vec![optimizer.slot_start(); 1]; optimizer.slots()];
        let mut slots: Vec<&mut [f32]> = state.iter_mut().map(Vec::as_mut_slice).collect();
        let mut parameters = [1.0];
        optimizer.update(0, 0.1, 0.0, &mut parameters, &[f32::NAN], &mut slots).unwrap();
        assert!(parameters[0].is_nan(), "{form}");
    }
}

#[test]
fn the_norm_is_a_sum_over_chunks() {
    let gradients = numbers(3 * CHUNK + 5, 0.1);
    let chunks: Vec<f64> = gradients.chunks(CHUNK).map(sum_of_squares).collect();
    assert_eq!(total_norm(&gradients), chunks.iter().sum::<f64>().sqrt());
    let exact: f64 = gradients.iter().map(|x| f64::from(*x).powi(2)).sum();
    assert!((total_norm(&gradients) / exact.sqrt() - 1.0).abs() < 1e-12);
    // Squares that float32 cannot hold.
    assert_eq!(total_norm(&[3e30, 4e30]), f64::from(3e30f32).hypot(f64::from(4e30f32)));
}

#[test]
fn broken_gradients_are_reported_and_stay() {
    for form in ["norm", "value"] {
        let clip: Clip = form.parse().unwrap();
        for broken in [f32::NAN, f32::INFINITY] {
            let mut gradients = [5.0, broken];
            assert!(!clip.apply(&mut gradients).is_finite());
            assert_eq!(gradients[0], 5.0);
        }
    }
}

#[test]
fn labels_that_are_no_class_are_named() {
    let loss: Loss = "cross_entropy".parse().unwrap();
    let flat = |labels: &[f32]| loss.value(&[0.0; 6], &[2, 3], labels).unwrap_err().to_string();
    assert_eq!(flat(&[0.0, 3.0]), "label 3 of example 1 is no class: they go from 0 to 2");
    assert_eq!(flat(&[-1.0, 0.0]), "label -1 of example 0 is no class: they go from 0 to 2");
    assert_eq!(flat(&[0.5, 0.0]), "label 0.5 of example 0 is no class: they go from 0 to 2");
    assert_eq!(flat(&[f32::NAN, 0.0]), "label NaN of example 0 is no class: they go from 0 to 2");
    let map = loss.value(&[0.0; 12], &[2, 3, 2], &[0.0, 0.0, 0.0, 7.0]).unwrap_err();
    assert_eq!(map.to_string(), "label 7 of example 1 at position 1 is no class: they go from 0 to 2");
}

#[test]
fn a_batch_without_labels_has_a_sum_but_no_mean() {
    for (form, expected) in [("nll", Err(Error::NoLabels)), ("nll(reduction = sum)", Ok(0.0))] {
        let loss: Loss = form.parse().unwrap();
        assert_eq!(loss.value(&[0.5; 6], &[2, 3], &[-100.0, -100.0]), expected, "{form}");
    }
}

#[test]
fn losses_refuse_what_does_not_fit() {
    let run = |form: &str, output: &[f32], shape: &[usize], target: &[f32]| {
        form.parse::<Loss>().unwrap().value_and_gradient(output, shape, target, &mut vec![0.0; output.len()])
    };
    let length = |result: Result<f64, Error>| matches!(result, Err(Error::Length { .. }));
    assert!(length(run("cross_entropy", &[0.0; 6], &[2, 3], &[0.0; 3])));
    assert!(length(run("cross_entropy", &[0.0; 5], &[2, 3], &[0.0; 2])));
    assert!(length(run("cross_entropy(weight = [1, 2])", &[0.0; 6], &[2, 3], &[0.0; 2])));
    assert!(length(run("mse", &[0.0; 6], &[2, 3], &[0.0; 5])));
    assert!(length(run("mse", &[0.0; 6], &[usize::MAX, 3], &[0.0; 6])));
    assert!(length(run("bce_with_logits(pos_weight = [1, 2])", &[0.0; 6], &[2, 3], &[0.0; 6])));
    assert!(matches!(run("nll", &[0.0; 6], &[6], &[0.0; 6]), Err(Error::Shape { .. })));
    assert!(matches!(run("mse", &[], &[0, 3], &[]), Err(Error::Shape { .. })));
}

#[test]
fn parameters_start_the_same_whatever_is_filled_before() {
    let initialiser = Initialiser::default();
    let fill = |seed: u64, name: &str| {
        let mut values = vec![0.0; 6];
        initialiser.fill(seed, name, Parameter::Weight, &[2, 3], &mut values).unwrap();
        values
    };
    let expected = fill(7, "conv1.weight");
    fill(7, "conv2.weight");
    assert_eq!(fill(7, "conv1.weight"), expected);
    assert_ne!(fill(7, "conv2.weight"), expected);
    assert_ne!(fill(8, "conv1.weight"), expected);
    // The values of a seed never change: a run of years ago can be repeated.
    assert_eq!(expected[..3], [0.522_803_4, 0.109_198_906, 0.377_674_22]);
    let long = initialiser.fill(7, "x", Parameter::Weight, &[2, 3], &mut [0.0; 7]);
    assert!(matches!(long, Err(Error::Length { .. })));
    assert!(matches!(initialiser.distribution(Parameter::Weight, &[3]), Err(Error::Shape { .. })));
}

/// Mean, spread and extremes of 40 000 draws: within five standard errors.
#[test]
fn draws_have_their_distribution() {
    let draw = |form: &str| {
        let mut values = vec![0.0f32; 40_000];
        let initialiser: Initialiser = form.parse().unwrap();
        initialiser.fill(3, "w", Parameter::Weight, &[200, 200], &mut values).unwrap();
        let mean = |f: &dyn Fn(f64) -> f64| values.iter().map(|x| f(f64::from(*x))).sum::<f64>() / 40_000.0;
        let largest = values.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        (mean(&|x| x), mean(&|x| x * x), mean(&|x| x.powi(4)), f64::from(largest))
    };
    // Bound 1/√200 · √6, and standard deviation 1/√200 · √2.
    let (mean, square, fourth, largest) = draw("kaiming_uniform");
    assert!(mean.abs() < 0.0025 && (square * 100.0 - 1.0).abs() < 0.025, "{mean} {square}");
    assert!((fourth / square.powi(2) - 1.8).abs() < 0.05, "{fourth}");
    assert!((0.999..=1.000_001).contains(&(largest / 0.03f64.sqrt())), "{largest}");
    let (mean, square, fourth, largest) = draw("kaiming_normal");
    assert!(mean.abs() < 0.0025 && (square * 100.0 - 1.0).abs() < 0.04, "{mean} {square}");
    assert!((fourth / square.powi(2) - 3.0).abs() < 0.15, "{fourth}");
    assert!((0.35..0.6).contains(&largest), "{largest}");
}

#[test]
fn norms_and_biases_can_be_left_out_of_the_decay() {
    let parameters: [(&str, &[usize]); 5] = [
        ("0.weight", &[4, 2]),
        ("0.bias", &[4]),
        ("norm.weight", &[2, 2]),
        ("norm.bias", &[2, 2]),
        ("1.weight", &[3, 1]),
    ];
    let all = WeightDecay { rate: 0.1, exclude_norms_and_biases: false }.groups(parameters);
    assert_eq!(all, [Group { range: 0..23, decay: 0.1 }]);
    let some = WeightDecay { rate: 0.1, exclude_norms_and_biases: true }.groups(parameters);
    let expected = [(0..8, 0.1), (8..12, 0.0), (12..16, 0.1), (16..20, 0.0), (20..23, 0.1)];
    assert_eq!(some, expected.map(|(range, decay)| Group { range, decay }));
}
