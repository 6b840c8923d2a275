//! Layers that the language declares and Rust implements: through the macro, the build script, and without either.

#![allow(clippy::unwrap_used)]

use cnn::{CompileOptions, LayerGraph, Session, Tensor, TraceBuilder, Weights};
use cnn_runtime::Reference;

/// What `models/extern.cnn` names.
mod layers {
    use cnn::ops::ExternLayer;

    pub struct Weighted {
        pub by: Vec<f32>,
        pub center: (usize, usize),
        pub negate: bool,
    }

    impl ExternLayer for Weighted {
        fn forward(&self, shape: &[usize], input: &[f32], output: &mut [f32]) {
            let center = self.center.0 * shape[2] + self.center.1;
            let sign = if self.negate { -1.0 } else { 1.0 };
            for (i, (y, x)) in output.iter_mut().zip(input).enumerate() {
                *y = sign * x * self.by[usize::from(i == center)];
            }
        }
    }

    pub struct Patches {
        pub size: u8,
    }

    impl ExternLayer for Patches {
        fn forward(&self, shape: &[usize], input: &[f32], output: &mut [f32]) {
            let (size, height, width) = (usize::from(self.size), shape[1], shape[2]);
            let (rows, columns) = (height / size, width / size);
            for (i, y) in output.iter_mut().enumerate() {
                let (channel, row, column) = (i / (rows * columns), i / columns % rows, i % columns);
                let (source, within) = (channel / (size * size), channel % (size * size));
                let (y_in, x_in) = (row * size + within / size, column * size + within % size);
                *y = input[(source * height + y_in) * width + x_in];
            }
        }
    }
}

/// The type that the build script makes.
mod built {
    cnn::include_model!("extern");
}

cnn::cnn!("models/extern.cnn");

/// Sums the patches: the weights of both convolutions are one.
fn weights() -> Weights {
    let ones = Extern::PARAMETERS.iter().map(|(name, shape)| {
        let size = shape.iter().product();
        let value = if name.ends_with("bias") { 0.0 } else { 1.0 };
        (name.to_string(), Tensor::new(shape, vec![value; size]).unwrap())
    });
    Weights::from_tensors(ones).unwrap()
}

fn input() -> Tensor {
    Tensor::new(&[2, 1, 8, 8], (0..128).map(|i| i as f32).collect()).unwrap()
}

/// Sixteen sums of 4×4 squares, three times over, the pixel (2, 1) weighing −½ and not 1½.
fn expected() -> Vec<f32> {
    let pixel = |n: usize, y: usize, x: usize| {
        let value = (64 * n + 8 * y + x) as f32;
        if (y, x) == (2, 1) { -0.5 * value } else { 1.5 * value }
    };
    let sum = |n: usize, row: usize, column: usize| -> f32 {
        (0..16).map(|i| pixel(n, 4 * row + i / 4, 4 * column + i % 4)).sum()
    };
    let example = |n| [0, 1].into_iter().flat_map(move |_| (0..4).map(move |i| 3.0 * sum(n, i / 2, i % 2)));
    (0..2).flat_map(example).collect()
}

#[test]
fn the_macro_and_the_build_script_name_the_type() {
    let mut model = Extern::new(&weights()).unwrap();
    assert_eq!(model.run(&input()).unwrap().y.shape(), [2, 2, 2, 2]);
    assert_eq!(model.run(&input()).unwrap().y.data(), expected());
    let mut model = built::Extern::new(&weights()).unwrap();
    assert_eq!(model.run(&input()).unwrap().y.data(), expected());
}

#[test]
fn the_reference_runs_it() {
    let mut builder = cnn::LuminalBuilder::new();
    Extern::build(&mut builder).unwrap();
    let mut reference = Reference::new(builder.finish().unwrap(), &weights()).unwrap();
    assert_eq!(reference.run(&[&input()]).unwrap()[0].data(), expected());
}

#[test]
fn the_interpreter_knows_its_shape_and_says_why_it_cannot_run() {
    let text = include_str!("../models/extern.cnn");
    let compilation = cnn_dsl::compile(&cnn_dsl::Sources::new("extern.cnn", text), &cnn_dsl::Settings::default());
    let network = &compilation.models[0];
    let (mut interpreted, mut generated) = (TraceBuilder::new(), TraceBuilder::new());
    network.replay(&mut interpreted).unwrap();
    Extern::build(&mut generated).unwrap();
    assert_eq!(interpreted.text(), generated.text());

    let error = Session::from_network(network, &weights(), &CompileOptions::default()).unwrap_err().to_string();
    assert!(error.contains("`weighted` is an extern layer") && error.contains("crate::layers::Weighted"), "{error}");
    let graph = LayerGraph::from_network(network).unwrap();
    assert_eq!(Reference::new(graph, &weights()).err().unwrap().to_string(), error);
}
