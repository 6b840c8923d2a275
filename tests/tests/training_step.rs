//! One step of training against PyTorch's values in `tests/golden/training` (made by `tests/golden/training.py`, which says
//! what is there): loss, gradients, what one step of SGD and one of Adam change, running statistics.
//!
//! The engine computes in f32, PyTorch did in f64. All is within 1e-4: of the number itself where it is a loss or a
//! norm; of the larger of the element and what is usual in its tensor where it is an element. A gradient whose norm is
//! below 3e-3 of the norm of all is what is left of larger terms, such as that of the scale of DenseNet's first norm,
//! of which the norms behind it make nothing; PyTorch's own f32 loses as much there. Its error is relative to 3e-3 of
//! the norm of all, that of one that vanishes to the norm of all. What a step changes is read off parameters in f32, so half the last place of the parameter is added
//! twice.

#![allow(clippy::unwrap_used)]

use cnn::{CompileOptions, Network, Op, Tensor, Weights};
use cnn_runtime::training::{StepSettings, TrainingOptions, TrainingSession, Update};
use cnn_tests::formula;
use cnn_train::{Recipe, training_options};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::sync::Arc;

const TOLERANCE: f64 = 1e-4;

/// Of the step of Adam.
const ADAM_RATE: f64 = 1e-3;
const ADAM_EPS: f64 = 1e-8;

/// Of the norm of all gradients, what a tensor's at least counts as.
const LEAST: f64 = 3e-3;

/// A file of `tests/golden/training`.
#[derive(Deserialize)]
struct Golden {
    input: Vec<usize>,
    labels: Vec<u16>,
    /// Elements of parameters that do not have the formula's values, by the parameter's key.
    moved: BTreeMap<String, Vec<(usize, f32)>>,
    loss: f64,
    gradient_norm: f64,
    input_gradient: Sampled<(usize, f64)>,
    parameters: Vec<Parameter>,
    statistics: Vec<Statistic>,
}

/// A tensor: its norm, and some elements with their places.
#[derive(Deserialize)]
struct Sampled<S> {
    norm: f64,
    samples: Vec<S>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    /// There is no gradient but rounding.
    vanishing: bool,
    gradient_norm: f64,
    sgd_norm: f64,
    adam_norm: f64,
    /// Place, gradient, what SGD changes, what Adam does.
    samples: Vec<(usize, f64, f64, f64)>,
}

#[derive(Deserialize)]
struct Statistic {
    name: String,
    #[serde(flatten)]
    values: Sampled<(usize, f64)>,
}

/// SGD of the parameters, and beside it Adam of their copies in a slot. The momentum after the first step is the gradient.
#[derive(Debug)]
struct SgdAndAdam {
    sgd: Arc<dyn Update>,
    adam: Arc<dyn Update>,
}

impl SgdAndAdam {
    fn new(network: &Network) -> Self {
        let update = |optimizer: &str| {
            let mut recipe = Recipe::default();
            recipe.set("optimizer", optimizer).unwrap();
            training_options(network, &recipe).update.unwrap()
        };
        Self { sgd: update("sgd(momentum = 0.9)"), adam: update("adam") }
    }
}

impl Update for SgdAndAdam {
    fn slots(&self) -> &[&'static str] {
        &["momentum_buffer", "moved by Adam", "exp_avg", "exp_avg_sq"]
    }

    fn update(&self, n: u64, _: f64, run: Range<usize>, p: &mut [f32], dp: &mut [f32], slots: &mut [&mut [f32]]) {
        let [momentum, by_adam, mean, square] = slots else { unreachable!("there are four slots") };
        by_adam.copy_from_slice(p);
        self.adam.update(n, ADAM_RATE, run.clone(), by_adam, dp, &mut [mean, square]);
        self.sgd.update(n, 0.01, run, p, dp, &mut [momentum]);
    }
}

/// Everything that is too far off.
struct Errors {
    wrong: Vec<String>,
    /// The largest error there was, relative to what is allowed.
    largest: f64,
}

impl Errors {
    fn check(&mut self, what: impl FnOnce() -> String, found: f64, right: f64, allowed: f64) {
        let error = (found - right).abs() / allowed;
        self.largest = self.largest.max(error);
        // NaN is wrong, too.
        if error > 1.0 || error.is_nan() {
            self.wrong.push(format!("{} is {found:e}, not {right:e}", what()));
        }
    }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

fn wide(values: &[f32]) -> impl Iterator<Item = f64> {
    values.iter().map(|&v| f64::from(v))
}

fn check(file: &str, model: &str, name: &str) {
    let path = cnn_tests::root().join("tests/golden/training").join(name).with_extension("json");
    let golden: Golden = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut network = cnn_tests::network(file, model).unwrap();
    for layer in &mut network.layers {
        if let Op::Dropout(spec) = &mut layer.op {
            spec.p = 0.0;
        }
    }
    let parameters = network.parameters();
    let keys = formula::keys(parameters.iter().map(|parameter| parameter.name.as_str()));
    let start = parameters.iter().zip(&keys).map(|(parameter, key)| {
        let mut data = formula::tensor(key, key.rsplit('.').next().unwrap(), &parameter.shape);
        golden.moved.get(key).into_iter().flatten().for_each(|&(place, value)| data[place] = value);
        (parameter.name.clone(), Tensor::new(&parameter.shape, data).unwrap())
    });
    let start: Vec<(String, Tensor)> = start.collect();

    let input = network.inputs[0].name.clone();
    let options = TrainingOptions {
        update: Some(Arc::new(SgdAndAdam::new(&network))),
        gradients: vec![input.clone()],
        compile: CompileOptions::default(),
        ..training_options(&network, &Recipe::default())
    };
    let weights = Weights::from_tensors(start.iter().cloned()).unwrap();
    let mut session = TrainingSession::new(&network, &weights, &options).unwrap();
    drop(weights);
    let x = cnn_tests::golden_input(&golden.input).unwrap();
    let labels: Vec<f32> = golden.labels.iter().map(|&label| f32::from(label)).collect();
    let labels = Tensor::new(&[labels.len(), 1], labels).unwrap();
    let result = session.step(&[&x], &[&labels], &StepSettings::default()).unwrap();

    let mut errors = Errors { wrong: Vec::new(), largest: 0.0 };
    let total = golden.gradient_norm;
    errors.check(|| "the loss".into(), result.loss, golden.loss, TOLERANCE * golden.loss);
    errors.check(|| "the gradients' norm".into(), result.gradient_norm.unwrap(), total, TOLERANCE * total);
    let dx = session.output(&format!("gradient of {input}")).unwrap();
    check_tensor(&mut errors, "the input's gradient", dx.data(), &golden.input_gradient, golden.input_gradient.norm);

    let slots: Vec<&[f32]> = session.slots().collect();
    let mut right = golden.parameters.iter();
    let mut right_statistics = golden.statistics.iter();
    let mut offset = 0;
    for ((parameter, key), (path, start)) in parameters.iter().zip(&keys).zip(&start) {
        let start = start.data();
        if !parameter.trainable {
            let right = right_statistics.next().unwrap();
            assert_eq!(&right.name, key, "{name}: statistics in the order of the layers");
            check_tensor(&mut errors, path, session.parameter(path).unwrap(), &right.values, right.values.norm);
            continue;
        }
        let right = right.next().unwrap();
        assert_eq!(&right.name, key, "{name}: parameters in the order of the layers");
        let run = offset..offset + start.len();
        offset = run.end;
        let (gradient, by_sgd, by_adam) = (&slots[0][run.clone()], session.parameter(path).unwrap(), &slots[1][run]);

        let is_left_over = right.gradient_norm < LEAST * total;
        let usual = if right.vanishing { total } else { right.gradient_norm.max(LEAST * total) };
        let what = |what: &str| format!("{what} of {path}");
        errors.check(|| what("the gradient"), norm(wide(gradient)), right.gradient_norm, TOLERANCE * usual);
        let rms = usual / (start.len() as f64).sqrt();
        let last_place = f64::from(f32::EPSILON);
        let start_norm = norm(wide(start));
        for (by, after, right_norm) in [("SGD", by_sgd, right.sgd_norm), ("Adam", by_adam, right.adam_norm)] {
            // Adam's first step is nearly the sign of the gradient, which is not known where nearly all cancels.
            if is_left_over && by == "Adam" {
                continue;
            }
            let found = norm(wide(after).zip(wide(start)).map(|(after, start)| after - start));
            let usual = if by == "SGD" { 0.01 * usual } else { right_norm };
            // Of a gradient near its epsilon Adam makes the more of what rounding leaves.
            let slope = |g: f64| if by == "Adam" { ADAM_RATE * ADAM_EPS / (g.abs() + ADAM_EPS).powi(2) } else { 0.0 };
            let by_rounding = norm(wide(gradient).map(|g| (slope(g) * TOLERANCE * rms).min(ADAM_RATE)));
            let allowed = TOLERANCE * usual + last_place * start_norm + by_rounding;
            errors.check(|| what(&format!("what {by} changes")), found, right_norm, allowed);
        }
        for &(place, right, right_sgd, right_adam) in &right.samples {
            let what = |what: &str| format!("{what} of {path}, element {place},");
            errors.check(|| what("the gradient"), gradient[place].into(), right, TOLERANCE * right.abs().max(rms));
            let before = f64::from(start[place]);
            for (by, after, right) in [("SGD", by_sgd, right_sgd), ("Adam", by_adam, right_adam)] {
                let usual = if by == "SGD" { right.abs().max(0.01 * rms) } else { right.abs() };
                let allowed = TOLERANCE * usual + last_place * before.abs();
                errors.check(|| what(&format!("what {by} changes")), f64::from(after[place]) - before, right, allowed);
            }
        }
    }
    assert!(right.next().is_none() && right_statistics.next().is_none(), "{name}: PyTorch has more parameters");
    println!("{name}: at most {:.3} of what is allowed", errors.largest);
    let shown = errors.wrong.len().min(20);
    assert!(errors.wrong.is_empty(), "{name}: {} are wrong:\n{}", errors.wrong.len(), errors.wrong[..shown].join("\n"));
}

fn check_tensor(errors: &mut Errors, name: &str, found: &[f32], right: &Sampled<(usize, f64)>, usual: f64) {
    errors.check(|| name.to_owned(), norm(wide(found)), right.norm, TOLERANCE * usual);
    let rms = usual / (found.len() as f64).sqrt();
    for &(place, right) in &right.samples {
        let allowed = TOLERANCE * right.abs().max(rms);
        errors.check(|| format!("{name}, element {place},"), found[place].into(), right, allowed);
    }
}

macro_rules! steps {
    ($(
        $(#[$attribute:meta])?
        $test:ident: $file:literal, $model:literal;
    )*) => {
        $(#[test]
        $(#[$attribute])?
        fn $test() {
            check($file, $model, stringify!($test));
        })*
    };
}

steps! {
    lenet: "lenet.cnn", "LeNet";
    alexnet: "alexnet.cnn", "AlexNet";
    #[ignore = "gigabytes of parameters and their state"]
    vgg11: "vgg.cnn", "Vgg11";
    nin: "nin.cnn", "Nin";
    googlenet: "googlenet.cnn", "GoogLeNet";
    resnet18: "resnet.cnn", "ResNet18";
    resnet34_flat: "resnet_flat.cnn", "ResNet34Flat";
    densenet: "densenet.cnn", "DenseNet";
    mnist_convnet: "mnist_convnet.cnn", "MnistConvNet";
    cifar_bn: "batch_norm_convnet.cnn", "BatchNormConvNet";
    group_norm: "group_norm_net.cnn", "GroupNormNet";
}
