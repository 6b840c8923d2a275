//! Whole graphs in training: many parameters, values that are read often, and the memory of what lies between.

#![allow(clippy::unwrap_used)]

use cnn_ir::ops::{
    AddSpec, AvgPool2dSpec, AvgPool3dSpec, BatchNormSpec, DenseSpec, GlobalAvgPool2dSpec, HardSwishSpec, MaxPool1dSpec,
    MaxPool2dSpec, ReluSpec, SigmoidSpec, SiluSpec,
};
use cnn_ir::{Builder, Network, NetworkBuilder, Op, Shape};
use cnn_runtime::training::{Loss, LossTerm, StepSettings, TrainingOptions, TrainingSession, Update};
use cnn_runtime::{CompileOptions, Isa, Tensor, Weights};
use std::ops::Range;
use std::sync::Arc;

/// The sum of all elements.
#[derive(Debug)]
struct Sum;

impl Loss for Sum {
    fn target_shape(&self, _: &Shape) -> Option<Vec<usize>> {
        None
    }

    fn value_and_gradient(&self, x: &[f32], _: &[usize], _: &[f32], dx: &mut [f32]) -> Result<f64, String> {
        dx.fill(1.0);
        Ok(x.iter().map(|&x| f64::from(x)).sum())
    }
}

/// The sum of the squares of all elements.
#[derive(Debug)]
struct Squares;

impl Loss for Squares {
    fn target_shape(&self, _: &Shape) -> Option<Vec<usize>> {
        None
    }

    fn value_and_gradient(&self, x: &[f32], _: &[usize], _: &[f32], dx: &mut [f32]) -> Result<f64, String> {
        dx.iter_mut().zip(x).for_each(|(dx, x)| *dx = 2.0 * x);
        Ok(x.iter().map(|&x| f64::from(x * x)).sum())
    }
}

/// Gradient descent.
#[derive(Debug)]
struct Descent;

impl Update for Descent {
    fn slots(&self) -> &[&'static str] {
        &[]
    }

    fn update(&self, _: u64, rate: f64, _: Range<usize>, p: &mut [f32], dp: &mut [f32], _: &mut [&mut [f32]]) {
        p.iter_mut().zip(dp).for_each(|(p, dp)| *p -= rate as f32 * *dp);
    }
}

/// A session of a network whose parameters are all 1.
fn session(network: &Network) -> TrainingSession {
    let ones =
        |p: &cnn_ir::Parameter| (p.name.clone(), Tensor::new(&p.shape, vec![1.0; p.shape.iter().product()]).unwrap());
    let weights = Weights::from_tensors(network.parameters().iter().map(ones)).unwrap();
    let options = TrainingOptions {
        losses: vec![LossTerm { value: None, weight: 1.0, loss: Arc::new(Sum) }],
        update: Some(Arc::new(Descent)),
        gradients: vec!["x".to_owned()],
        ..TrainingOptions::default()
    };
    TrainingSession::new(network, &weights, &options).unwrap()
}

/// Luminal counts the sources of a node in a byte, and a network has more layers, and a value more readers.
#[test]
fn more_layers_than_a_node_can_read_are_trained() {
    const LAYERS: usize = 600;
    let mut network = NetworkBuilder::new("Wide");
    let x = network.input("x", &[1]).unwrap();
    let mut sum = x;
    for layer in 0..LAYERS {
        let y = network.layer(&format!("fc{layer}"), DenseSpec { bias: false, ..DenseSpec::new(1, 1) }, &[&x]).unwrap();
        sum = network.layer(&format!("add{layer}"), AddSpec::new(), &[&sum, &y]).unwrap();
    }
    network.output("y", &sum).unwrap();
    let mut session = session(&network.finish().unwrap());
    let x = Tensor::new(&[2, 1], vec![2.0, 3.0]).unwrap();
    let result = session.step(&[&x], &[], &StepSettings { rate: 0.1, ..StepSettings::default() }).unwrap();
    assert_eq!(result.loss, 5.0 * (LAYERS + 1) as f64);
    assert_eq!(session.output("gradient of x").unwrap().data(), [(LAYERS + 1) as f32; 2]);
    assert!(session.parameters().all(|(_, weight)| weight == [0.5]));
}

/// A norm's gradient kernel makes the input's gradient and the parameters': the update waits for it, and keeps none of it.
#[test]
fn gradients_between_layers_are_not_kept_until_the_update() {
    const NORMS: usize = 20;
    let mut network = NetworkBuilder::new("Deep");
    let mut value = network.input("x", &[8, 32, 32]).unwrap();
    for layer in 0..NORMS {
        value = network.layer(&format!("norm{layer}"), BatchNormSpec::new(8), &[&value]).unwrap();
    }
    network.output("y", &value).unwrap();
    let session = session(&network.finish().unwrap());
    let (batch, map) = (32, 32 * 8 * 32 * 32 * size_of::<f32>());
    // Each norm's input, which its gradient reads, and few maps besides.
    assert!((NORMS * map..(NORMS + 6) * map).contains(&session.bytes(batch)), "{} maps", session.bytes(batch) / map);
}

/// The steps of a training session with these wanted gradients, and the gradient of `x`.
fn steps_and_gradient(network: &Network, wanted: &[&str], isa: Isa, threads: usize) -> (String, Vec<f32>) {
    let weights = Weights::from_tensors([]).unwrap();
    let options = TrainingOptions {
        losses: vec![LossTerm { value: None, weight: 1.0, loss: Arc::new(Squares) }],
        gradients: wanted.iter().map(|name| (*name).to_owned()).collect(),
        compile: CompileOptions { isa: Some(isa), threads: Some(threads), ..CompileOptions::default() },
        ..TrainingOptions::default()
    };
    let mut session = TrainingSession::new(network, &weights, &options).unwrap();
    let shape = [&[20], &*network.inputs[0].shape].concat();
    let elements = shape.iter().product::<usize>();
    let x = Tensor::new(&shape, (0..elements).map(|i| (i * 31 % 101) as f32 / 30.0 - 1.5).collect()).unwrap();
    session.step(&[&x], &[], &StepSettings { updates: false, ..StepSettings::default() }).unwrap();
    (session.program_text(), session.output("gradient of x").unwrap().data().to_vec())
}

/// Windows that lie side by side, that overlap, and that leave gaps; functions of their output and of their input.
#[test]
fn the_gradient_of_a_pool_goes_on_through_the_activation_before_it() {
    let pools: [(Op, &[usize]); 8] = [
        (AvgPool2dSpec::new([2, 2], [2, 2]).into(), &[3, 6, 8]),
        (MaxPool2dSpec::new([2, 2], [2, 2]).into(), &[3, 6, 8]),
        (MaxPool2dSpec::new([2, 2], [2, 2]).into(), &[3, 7, 9]),
        (MaxPool2dSpec::new([3, 3], [2, 2]).into(), &[2, 7, 7]),
        (AvgPool2dSpec::new([2, 1], [3, 2]).into(), &[2, 6, 8]),
        (AvgPool3dSpec::new([2, 2, 3], [2, 2, 3]).into(), &[2, 4, 4, 6]),
        (MaxPool1dSpec::new([3], [3]).into(), &[4, 9]),
        (GlobalAvgPool2dSpec::new().into(), &[3, 5, 4]),
    ];
    let activations: [Op; 4] =
        [SigmoidSpec::new().into(), ReluSpec::new().into(), SiluSpec::new().into(), HardSwishSpec::new().into()];
    for (pool, shape) in &pools {
        for activation in &activations {
            let mut network = NetworkBuilder::new("Pooled");
            let x = network.input("x", shape).unwrap();
            let inner = network.layer("act", activation.clone(), &[&x]).unwrap();
            let y = network.layer("pool", pool.clone(), &[&inner]).unwrap();
            network.output("y", &y).unwrap();
            let network = network.finish().unwrap();
            for (isa, threads) in Isa::available().flat_map(|isa| [(isa, 1), (isa, 2)]) {
                let (steps, together) = steps_and_gradient(&network, &["x"], isa, threads);
                assert!(steps.contains("gradient + gradient of"), "{steps}");
                // A wanted value has to be there.
                let (steps, apart) = steps_and_gradient(&network, &["x", "act"], isa, threads);
                assert!(!steps.contains("gradient + gradient of"), "{steps}");
                assert_eq!(together, apart, "{} behind {} on {isa}", pool.name(), activation.name());
                assert!(together.iter().any(|gradient| *gradient != 0.0));
            }
        }
    }
}

#[test]
fn a_parameter_whose_gradient_overflows_is_named() {
    let mut network = NetworkBuilder::new("Large");
    let x = network.input("x", &[1]).unwrap();
    let y = network.layer("fc", DenseSpec { bias: false, ..DenseSpec::new(1, 1) }, &[&x]).unwrap();
    network.output("y", &y).unwrap();
    let mut session = session(&network.finish().unwrap());
    // The outputs and their sum in f64 are finite, the weight's gradient, which is the inputs' sum, is not.
    let x = Tensor::new(&[2, 1], vec![3e38; 2]).unwrap();
    let message = session.step(&[&x], &[], &StepSettings::default()).unwrap_err().to_string();
    assert!(message.contains("the gradient of `fc.weight`"), "{message}");
    assert_eq!(session.parameter("fc.weight").unwrap(), [1.0], "nothing has moved");
    assert_eq!(session.gradient("fc.weight").unwrap(), [0.0]);
}

#[test]
fn a_loss_without_a_name_is_of_the_first_output_of_inference() {
    let mut network = NetworkBuilder::new("Auxiliary");
    let x = network.input("x", &[1]).unwrap();
    let main = network.layer("fc", DenseSpec { bias: false, ..DenseSpec::new(1, 1) }, &[&x]).unwrap();
    let head = |n: &mut NetworkBuilder| {
        let aux = n.layer("aux", DenseSpec { bias: false, ..DenseSpec::new(1, 1) }, &[&x])?;
        n.output("aux", &aux)
    };
    network.train_only(head).unwrap();
    network.output("y", &main).unwrap();
    let mut session = session(&network.finish().unwrap());
    let x = Tensor::new(&[1, 1], vec![2.0]).unwrap();
    session.step(&[&x], &[], &StepSettings { rate: 0.25, ..StepSettings::default() }).unwrap();
    assert_eq!(session.parameter("fc.weight").unwrap(), [0.5]);
    assert_eq!(session.parameter("aux.weight").unwrap(), [1.0]);
}
