//! Each loss' gradient against central differences.

use cnn_recipe::Loss;

/// Differences from `x` this far away; exact in float32 for the outputs below.
const STEP: f32 = 1.0 / 1024.0;

/// Numbers that look random: multiples of 1/64 within ±3.
fn numbers(count: usize, seed: f64) -> Vec<f32> {
    let number = |i: usize| ((1.7 * (i * i) as f64 + seed).sin() * 192.0).round() as f32 / 64.0;
    (0..count).map(number).collect()
}

#[test]
fn gradients_are_the_slopes_of_the_values() {
    let labels = vec![0.0, 2.0, 1.0, 2.0, -100.0, 1.0];
    let values = numbers(18, 0.7);
    let shares: Vec<f32> = values.iter().map(|x| x.abs() / 3.0).collect();
    let cases: [(&str, &[f32]); 11] = [
        ("cross_entropy", &labels),
        ("cross_entropy(label_smoothing = 0.3, weight = [0.5, 2, 0.1])", &labels),
        ("cross_entropy(label_smoothing = 1, reduction = sum)", &labels),
        ("nll(weight = [0.5, 2, 0.1])", &labels),
        ("mse", &values),
        ("mse(reduction = sum)", &values),
        ("l1", &values),
        ("smooth_l1", &values),
        ("smooth_l1(beta = 2.5, reduction = sum)", &values),
        ("bce_with_logits", &shares),
        ("bce_with_logits(pos_weight = [3, 1, 0.2])", &shares),
    ];
    let shape = [2, 3, 3];
    let output = numbers(18, 2.9);
    for (form, target) in cases {
        let loss: Loss = form.parse().unwrap();
        let mut gradient = vec![0.0; output.len()];
        loss.value_and_gradient(&output, &shape, target, &mut gradient).unwrap();
        for index in 0..output.len() {
            let at = |step: f32| {
                let mut moved = output.clone();
                moved[index] += step;
                loss.value(&moved, &shape, target).unwrap()
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * f64::from(STEP));
            // The error of a central difference is STEP² / 6 times the third derivative, which is at most 1 here.
            let error = (slope - f64::from(gradient[index])).abs();
            assert!(error < 1e-6, "{form} [{index}]: {} instead of {slope}", gradient[index]);
        }
    }
}

#[test]
fn large_logits_neither_overflow_nor_vanish() {
    let mut gradient = [0.0; 2];
    let loss: Loss = "cross_entropy".parse().unwrap();
    assert_eq!(loss.value_and_gradient(&[3e38, 0.0], &[1, 2], &[1.0], &mut gradient).unwrap(), f64::from(3e38f32));
    assert_eq!(gradient, [1.0, -1.0]);
    let loss: Loss = "bce_with_logits(reduction = sum)".parse().unwrap();
    assert_eq!(loss.value_and_gradient(&[1e6, -1e6], &[2], &[0.0, 1.0], &mut gradient).unwrap(), 2e6);
    assert_eq!(gradient, [1.0, -1.0]);
}

#[test]
fn nan_in_the_output_is_nan_in_the_loss() {
    for form in ["cross_entropy", "nll", "mse", "l1", "smooth_l1", "bce_with_logits"] {
        let loss: Loss = form.parse().unwrap();
        let target: &[f32] = if loss.wants_labels() { &[0.0] } else { &[0.0, 0.0] };
        assert!(loss.value(&[f32::NAN, 1.0], &[1, 2], target).unwrap().is_nan(), "{form}");
    }
}
