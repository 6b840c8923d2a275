//! Neural style: a picture with the content of one and the style of another, by gradient descent on its pixels.
//!
//! ```text
//! cargo run --release -p cnn-tests --example neural_style -- [--content FILE] [--style FILE] [--weights FILE] [--size 64]
//!     [--steps 30] [--rate 0.1] [--style-weight 1000] [--seed 0] [-o neural_style.png]
//! ```
//!
//! Without pictures it draws two; without weights, which are VGG-16's under torchvision's names, they are random, which gives
//! textures of a cruder kind. Leon A. Gatys, Alexander S. Ecker, Matthias Bethge, "A Neural Algorithm of Artistic Style",
//! 2015: the content is the values at relu4_2, the style the products of channels (the Gram matrices) at relu1_1 … relu5_1.

use cnn::{CompileOptions, Network, Output, Session, Shape, Tensor, Weights};
use cnn_data::transforms::Scratch;
use cnn_data::{Picture, Pipeline, Random, read_picture};
use cnn_dsl::{Settings, Sources};
use cnn_recipe::{Adam, Optimizer};
use cnn_runtime::training::{Loss, LossTerm, StepSettings, TrainingOptions, TrainingSession};
use cnn_train::{Recipe, initial_weights};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// relu4_2.
const CONTENT: &str = "features.20";
/// relu1_1, relu2_1, relu3_1, relu4_1, relu5_1.
const STYLE: [&str; 5] = ["features.1", "features.6", "features.11", "features.18", "features.25"];
/// What VGG's pictures are normalised by, for red, green and blue.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse(std::env::args().skip(1))?;
    let network = vgg(args.size, 64)?;
    let weights = match &args.weights {
        Some(path) => convolutions(&network, &Weights::open(path)?)?,
        None => random(&network, args.seed)?,
    };
    let content = picture(args.content.as_deref(), args.size, drawn_content)?;
    let style = picture(args.style.as_deref(), args.size, drawn_style)?;
    let mut transfer = Transfer::new(&network, &weights, &content, &style, args.style_weight)?;

    let mut image = content;
    let (mut mean, mut square) = (vec![0.0; image.data().len()], vec![0.0; image.data().len()]);
    let adam = Optimizer::from(Adam::default());
    for step in 0..args.steps {
        let (loss, gradient) = transfer.step(&image)?;
        let [content, style] = transfer.parts();
        println!("step {step:3}: loss {loss:.5} (content {content:.5}, style {style:.5})");
        let slots = &mut [&mut mean[..], &mut square[..]];
        adam.update(step, args.rate, 0.0, image.data_mut(), gradient.data(), slots)?;
        keep_visible(&mut image);
    }
    println!("step {:3}: loss {:.5}", args.steps, transfer.step(&image)?.0);
    write(&args.output, &image)?;
    println!("{}", args.output.display());
    Ok(())
}

/// A session that gives the loss of a picture and its gradient with respect to the pixels; the weights stay.
struct Transfer {
    session: TrainingSession,
    targets: Vec<Tensor>,
    weights: Vec<f64>,
}

impl Transfer {
    fn new(
        network: &Network,
        weights: &Weights,
        content: &Tensor,
        style: &Tensor,
        style_weight: f64,
    ) -> Result<Self, Box<dyn Error>> {
        let term = |name: &str, weight, loss: Arc<dyn Loss>| LossTerm { value: Some(name.to_owned()), weight, loss };
        let mut losses = vec![term(CONTENT, 1.0, Arc::new(Content))];
        let mut targets = values(network, weights, content, &[CONTENT])?;
        for (name, value) in STYLE.iter().zip(values(network, weights, style, &STYLE)?) {
            losses.push(term(name, style_weight / STYLE.len() as f64, Arc::new(Style)));
            let channels = value.shape()[1];
            targets.push(Tensor::new(&[1, channels, channels], gram(value.data(), channels))?);
        }
        let weights_of_losses = losses.iter().map(|term| term.weight).collect();
        let options = TrainingOptions {
            losses,
            frozen: vec!["features".to_owned()],
            gradients: vec!["image".to_owned()],
            ..TrainingOptions::default()
        };
        let session = TrainingSession::new(network, weights, &options)?;
        Ok(Self { session, targets, weights: weights_of_losses })
    }

    fn step(&mut self, image: &Tensor) -> Result<(f64, Tensor), Box<dyn Error>> {
        let targets: Vec<&Tensor> = self.targets.iter().collect();
        let loss = self.session.step(&[image], &targets, &StepSettings::default())?.loss;
        Ok((loss, self.session.output("gradient of image").ok_or("there is no gradient")?))
    }

    /// What the content and the style were worth in the last step.
    fn parts(&self) -> [f64; 2] {
        let weighted: Vec<f64> = self.session.losses().iter().zip(&self.weights).map(|(a, b)| a * b).collect();
        [weighted.iter().take(1).sum(), weighted.iter().skip(1).sum()]
    }
}

/// The mean of squared differences to another picture's values.
///
/// The paper's is half their sum; this one does not grow with the picture.
#[derive(Debug)]
struct Content;

impl Loss for Content {
    fn target_shape(&self, value: &Shape) -> Option<Vec<usize>> {
        Some(value.to_vec())
    }

    fn value_and_gradient(&self, x: &[f32], _: &[usize], t: &[f32], dx: &mut [f32]) -> Result<f64, String> {
        let count = x.len() as f32;
        let mut sum = 0.0;
        for (dx, (x, t)) in dx.iter_mut().zip(x.iter().zip(t)) {
            *dx = 2.0 * (x - t) / count;
            sum += f64::from((x - t) * (x - t));
        }
        Ok(sum / f64::from(count))
    }
}

/// A quarter of the sum of squared differences of two Gram matrices F·Fᵀ / (N·M), for F of N channels and M pixels: the
/// paper's 1/(4·N²·M²)·Σ(G − A)², whose matrices are not divided.
#[derive(Debug)]
struct Style;

impl Loss for Style {
    fn target_shape(&self, value: &Shape) -> Option<Vec<usize>> {
        let channels = value.first().copied().unwrap_or_default();
        Some(vec![channels, channels])
    }

    fn value_and_gradient(&self, x: &[f32], shape: &[usize], t: &[f32], dx: &mut [f32]) -> Result<f64, String> {
        let [examples, channels, ..] = *shape else { return Err("a map has channels".into()) };
        let pixels = x.len() / (examples * channels).max(1);
        let mut sum = 0.0;
        dx.fill(0.0);
        let of_examples = x.chunks_exact(channels * pixels).zip(dx.chunks_exact_mut(channels * pixels));
        for ((x, dx), t) in of_examples.zip(t.chunks_exact(channels * channels)) {
            let mut difference = gram(x, channels);
            difference.iter_mut().zip(t).for_each(|(g, t)| *g -= t);
            sum += difference.iter().map(|d| f64::from(d * d)).sum::<f64>();
            // A quarter of 2·(G − A), twice, because F is in G twice.
            let factor = 1.0 / (channels * pixels) as f32;
            for (row, dx) in difference.chunks_exact(channels).zip(dx.chunks_exact_mut(pixels)) {
                for (weight, x) in row.iter().zip(x.chunks_exact(pixels)) {
                    let weight = factor * weight;
                    dx.iter_mut().zip(x).for_each(|(dx, x)| *dx += weight * x);
                }
            }
        }
        Ok(sum / 4.0)
    }
}

/// The products of all pairs of channels, summed over the pixels and divided by channels · pixels.
fn gram(values: &[f32], channels: usize) -> Vec<f32> {
    let pixels = (values.len() / channels.max(1)).max(1);
    let mut gram = vec![0.0; channels * channels];
    for (i, a) in values.chunks_exact(pixels).enumerate() {
        for (j, b) in values.chunks_exact(pixels).enumerate().take(i + 1) {
            // In eight sums, which the compiler keeps in one vector.
            let (mut sums, (a8, a1), (b8, b1)) = ([0.0; 8], a.as_chunks::<8>(), b.as_chunks::<8>());
            for (a, b) in a8.iter().zip(b8) {
                sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
            }
            let rest: f32 = a1.iter().zip(b1).map(|(a, b)| a * b).sum();
            let product = (sums.iter().sum::<f32>() + rest) / (channels * pixels) as f32;
            (gram[i * channels + j], gram[j * channels + i]) = (product, product);
        }
    }
    gram
}

fn vgg(size: usize, width: usize) -> Result<Network, Box<dyn Error>> {
    let source = include_str!("../models/vgg16_features.cnn");
    let settings = Settings::parse(&[format!("size={size}"), format!("width={width}")])?;
    let compilation = cnn_dsl::compile(&Sources::new("vgg16_features.cnn", source), &settings);
    compilation.models.into_iter().next().ok_or_else(|| format!("pictures of {size}×{size} are too small").into())
}

/// Weights that keep the values' size from layer to layer.
fn random(network: &Network, seed: u64) -> Result<Weights, Box<dyn Error>> {
    let mut recipe = Recipe { seed, ..Recipe::default() };
    recipe.set("init", "kaiming_normal")?;
    Ok(initial_weights(network, &recipe)?)
}

/// The weights of the convolutions, without those of the classifier.
fn convolutions(network: &Network, weights: &Weights) -> Result<Weights, cnn::Error> {
    let names: BTreeMap<_, _> = network.parameters().into_iter().map(|p| (p.name.clone(), p.name)).collect();
    weights.renamed(&names)
}

/// What layers make of a picture: the network with those layers as its outputs.
fn values(
    network: &Network,
    weights: &Weights,
    image: &Tensor,
    layers: &[&str],
) -> Result<Vec<Tensor>, Box<dyn Error>> {
    let mut tapped = network.clone();
    tapped.outputs.clear();
    for name in layers {
        let layer = (0..network.layers.len()).find(|layer| network.path(*layer) == *name);
        let value = network.value_of(layer.ok_or_else(|| format!("there is no layer `{name}`"))?);
        tapped.outputs.push(Output { name: (*name).to_owned(), value, train_only: false, span: Default::default() });
    }
    let mut session = Session::from_network(&tapped, weights, &CompileOptions::default())?;
    let outputs = session.run(&[image])?;
    Ok((0..layers.len()).map(|index| outputs.get(index).to_tensor()).collect())
}

/// A file's picture, its middle square, or one that is drawn, as VGG takes it.
fn picture(file: Option<&Path>, size: usize, drawn: fn([f32; 2]) -> [f32; 3]) -> Result<Tensor, Box<dyn Error>> {
    let mut picture = Picture::default();
    match file {
        Some(path) => read_picture(path, &mut picture)?,
        None => {
            let at = |index: usize| [index / size, index % size].map(|at| (at as f32 + 0.5) / size as f32);
            let plane = |channel: usize| (0..size * size).map(move |index| drawn(at(index))[channel]);
            picture.set_values([3, size, size], &(0..3).flat_map(plane).collect::<Vec<_>>())?;
        }
    }
    let pipeline: Pipeline =
        format!("resize({size}) -> center_crop({size}) -> normalize({MEAN:?}, {STD:?})").parse()?;
    pipeline.apply(&mut picture, &mut Random::new(0), &mut Scratch::default())?;
    Ok(Tensor::new(&[1, 3, size, size], picture.values)?)
}

/// A red sun in a sky over the sea.
fn drawn_content([y, x]: [f32; 2]) -> [f32; 3] {
    let is_sun = (x - 0.6).hypot(y - 0.35) < 0.2;
    match y {
        _ if is_sun => [0.85, 0.25, 0.2],
        ..0.65 => [0.55 + 0.3 * y, 0.7, 0.9 - 0.2 * y],
        _ => [0.1, 0.3, 0.45 + 0.3 * (1.0 - y)],
    }
}

/// Slanting waves of yellow and violet.
fn drawn_style([y, x]: [f32; 2]) -> [f32; 3] {
    let wave = (0.5 + 0.5 * (24.0 * (x + 0.6 * y) + 2.5 * (9.0 * y).sin()).sin()).powi(2);
    [0.35 + 0.6 * wave, 0.15 + 0.65 * wave, 0.5 - 0.4 * wave]
}

/// Keeps the colours between black and white.
fn keep_visible(image: &mut Tensor) {
    let plane = image.data().len() / 3;
    for (channel, values) in image.data_mut().chunks_exact_mut(plane.max(1)).enumerate() {
        let ends = [0.0, 1.0].map(|end| (end - MEAN[channel]) / STD[channel]);
        values.iter_mut().for_each(|value| *value = value.clamp(ends[0], ends[1]));
    }
}

fn write(path: &Path, image: &Tensor) -> Result<(), Box<dyn Error>> {
    let size = image.shape()[2];
    let byte = |channel: usize, at: usize| {
        let value = image.data()[channel * size * size + at] * STD[channel] + MEAN[channel];
        (255.0 * value).round().clamp(0.0, 255.0) as u8
    };
    let bytes = (0..size * size).flat_map(|at| [0, 1, 2].map(|channel| byte(channel, at))).collect();
    let picture = image::RgbImage::from_raw(size as u32, size as u32, bytes).ok_or("the picture is not square")?;
    Ok(picture.save(path)?)
}

/// The command line.
struct Args {
    content: Option<PathBuf>,
    style: Option<PathBuf>,
    weights: Option<PathBuf>,
    size: usize,
    steps: u64,
    rate: f64,
    style_weight: f64,
    seed: u64,
    output: PathBuf,
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut args = Self {
            content: None,
            style: None,
            weights: None,
            size: 64,
            steps: 30,
            rate: 0.1,
            style_weight: 1000.0,
            seed: 0,
            output: "neural_style.png".into(),
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            match name.as_str() {
                "--content" => args.content = Some(value.into()),
                "--style" => args.style = Some(value.into()),
                "--weights" => args.weights = Some(value.into()),
                "--size" => args.size = value.parse()?,
                "--steps" => args.steps = value.parse()?,
                "--rate" => args.rate = value.parse()?,
                "--style-weight" => args.style_weight = value.parse()?,
                "--seed" => args.seed = value.parse()?,
                "-o" => args.output = value.into(),
                _ => return Err(format!("there is no option `{name}`").into()),
            }
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 32;

    /// The transfer with a narrow network, and the content.
    fn transfer() -> (Transfer, Tensor) {
        let network = vgg(SIZE, 4).unwrap();
        let weights = random(&network, 1).unwrap();
        let content = picture(None, SIZE, drawn_content).unwrap();
        let style = picture(None, SIZE, drawn_style).unwrap();
        (Transfer::new(&network, &weights, &content, &style, 1000.0).unwrap(), content)
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (mut transfer, content) = transfer();
        let mut random = Random::new(2);
        let mut start = content;
        start.data_mut().iter_mut().for_each(|value| *value += 0.3 * random.normal());
        let gradient = transfer.step(&start).unwrap().1;
        let norm = gradient.data().iter().map(|g| f64::from(g * g)).sum::<f64>().sqrt();
        let noise: Vec<f32> = (0..gradient.data().len()).map(|_| random.normal()).collect();
        for direction in [gradient.data(), &noise] {
            let length = direction.iter().map(|d| f64::from(d * d)).sum::<f64>().sqrt();
            let mut loss_at = |by: f64| {
                let mut image = start.clone();
                image.data_mut().iter_mut().zip(direction).for_each(|(x, d)| *x += (by / length) as f32 * d);
                transfer.step(&image).unwrap().0
            };
            let step = 0.02;
            let found = (loss_at(step) - loss_at(-step)) / (2.0 * step);
            let expected: f64 =
                gradient.data().iter().zip(direction).map(|(g, d)| f64::from(g * d)).sum::<f64>() / length;
            assert!((found - expected).abs() < 0.002 * norm, "{found}, not {expected}");
        }
    }

    #[test]
    fn the_loss_falls() {
        let (mut transfer, mut image) = transfer();
        let first = transfer.step(&image).unwrap().0;
        let (mut mean, mut square) = (vec![0.0; image.data().len()], vec![0.0; image.data().len()]);
        for step in 0..20 {
            let gradient = transfer.step(&image).unwrap().1;
            let slots = &mut [&mut mean[..], &mut square[..]];
            Optimizer::from(Adam::default()).update(step, 0.05, 0.0, image.data_mut(), gradient.data(), slots).unwrap();
            keep_visible(&mut image);
        }
        let last = transfer.step(&image).unwrap().0;
        assert!(last < 0.5 * first, "{first} {last}");
    }
}
