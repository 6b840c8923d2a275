//! Draws every kind of picture, ordinary ones and difficult ones, into a folder, to be looked at:
//! `cargo run --release -p cnn-train --example pictures FOLDER`

use cnn_data::Random;
use cnn_train::plot::{
    Against, Chart, Colour, CurveOptions, FeatureMaps, Legend, Panel, Picture, Run, Series, confusion, curves,
    features, filters, scatter,
};
use cnn_train::record::{Phase, Row};
use cnn_train::{Confusion, TsneOptions, tsne};
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name a folder")?);
    std::fs::create_dir_all(&folder)?;
    for (name, picture) in pictures()? {
        std::fs::write(folder.join(format!("{name}.svg")), picture.svg())?;
        std::fs::write(folder.join(format!("{name}.png")), picture.png(1.0)?)?;
    }
    Ok(())
}

fn pictures() -> Result<Vec<(&'static str, Picture)>, Box<dyn Error>> {
    let options = CurveOptions::default();
    let epochs = |name: &str, speed: f64| Run { name: name.into(), rows: rows(1..=5, speed, 1.0) };
    let steps = CurveOptions { against: Against::Step, log_loss: true, title: "Every step".into() };
    let mut broken = epochs("NaN, an infinite loss and a gap", 1.0);
    broken.rows[2].loss = f64::NAN;
    broken.rows[6].loss = f64::INFINITY;
    broken.rows[7].accuracy = None;
    let mut constant = epochs("constant", 1.0);
    constant.rows.iter_mut().for_each(|row| (row.loss, row.accuracy) = (0.1, Some(1.0)));
    let many: Vec<_> = (0..12)
        .map(|run| epochs(&format!("run {run} with a rather long name that nobody reads"), 0.3 + 0.1 * f64::from(run)))
        .collect();
    let names = fashion();
    let long: Vec<String> =
        (0..10).map(|class| format!("{class}: a class with a very long name indeed, as people have")).collect();
    let hundred: Vec<String> = (0..100).map(|class| format!("class number {class}")).collect();
    let mut random = Random::new(1);
    let noise = |random: &mut Random, count: usize| -> Vec<f32> { (0..count).map(|_| random.normal()).collect() };
    let mut sick = noise(&mut random, 2 * 25);
    (sick[3], sick[30]) = (f32::NAN, f32::INFINITY);
    let (examples, labels) = clusters(600, 32, 10);
    let places = tsne(&examples, 32, &TsneOptions::default())?;
    let (many_examples, many_labels) = clusters(1000, 32, 100);
    let many_places = tsne(&many_examples, 32, &TsneOptions::default())?;
    Ok(vec![
        ("curves", curves(&[epochs("lenet", 1.0)], &options)),
        (
            "curves_two",
            curves(
                &[epochs("with batch norm", 2.0), epochs("without", 0.8)],
                &CurveOptions {
                    log_loss: true,
                    title: "ResNet-18 on CIFAR-10, with and without batch norm".into(),
                    ..options.clone()
                },
            ),
        ),
        ("curves_steps", curves(&[Run { name: "steps".into(), rows: rows(1..=20000, 1.0, 235.0) }], &steps)),
        ("curves_broken", curves(&[broken], &options)),
        ("curves_one", curves(&[Run { name: "one point".into(), rows: rows(1..=1, 1.0, 1.0) }], &options)),
        ("curves_none", curves(&[], &options)),
        ("curves_constant", curves(&[constant], &options)),
        ("curves_many", curves(&many, &options)),
        ("rates", rates()),
        ("confusion", confusion(&guesses(10, 10000, 0.9)?, &names)),
        ("confusion_one", confusion(&guesses(1, 10, 0.9)?, &names)),
        ("confusion_two", confusion(&guesses(2, 123456, 0.7)?, &["no".into(), "yes".into()])),
        ("confusion_long", confusion(&guesses(10, 10000, 0.6)?, &long)),
        ("confusion_hundred", confusion(&guesses(100, 10000, 0.6)?, &hundred)),
        ("filters_grey", filters("conv1", &noise(&mut random, 32 * 25), [32, 1, 5, 5])?),
        ("filters_rgb", filters("conv1", &noise(&mut random, 64 * 3 * 49), [64, 3, 7, 7])?),
        ("filters_pairs", filters("conv2", &noise(&mut random, 20 * 6 * 25), [20, 6, 5, 5])?),
        ("filters_many", filters("layer4.1.conv2", &noise(&mut random, 512 * 512 * 9), [512, 512, 3, 3])?),
        ("filters_broken", filters("conv1", &sick, [2, 1, 5, 5])?),
        ("filters_edge", filters("edge", &[1.0, -1.0], [1, 1, 1, 2])?),
        ("features", features("LeNet: what the layers make of test example 17, an ankle boot", &maps())?),
        ("scatter", scatter("t-SNE of 600 examples before the last layer", &places, &labels, &names)?),
        ("scatter_hundred", scatter("A hundred classes", &many_places, &many_labels, &hundred)?),
        (
            "scatter_one",
            scatter("One point, and one that is not finite", &[[1.0, 2.0], [f32::NAN, 0.0]], &[0, 1], &long)?,
        ),
    ])
}

fn fashion() -> Vec<String> {
    cnn_data::FASHION_MNIST_CLASSES.map(str::to_owned).to_vec()
}

fn rows(steps: std::ops::RangeInclusive<u64>, speed: f64, steps_per_epoch: f64) -> Vec<Row> {
    let mut random = Random::new(7);
    let mut rows = Vec::new();
    for step in steps {
        let epoch = step as f64 / steps_per_epoch;
        for (phase, shift) in [(Phase::Train, 0.0), (Phase::Validation, 0.04)] {
            let loss = 2.2 * (-speed * 0.4 * epoch).exp() + 0.3 + shift + 0.05 * f64::from(random.unit());
            rows.push(Row {
                step,
                epoch,
                phase,
                loss,
                accuracy: Some((1.0 - 0.4 * loss).clamp(0.0, 1.0)),
                rate: Some(1e-3),
                examples_per_second: Some(20000.0),
                seconds: 5.0 * epoch,
            });
        }
    }
    rows
}

/// A search for the learning rate.
fn rates() -> Picture {
    let points = (0..100).map(|i| 10f64.powf(-6.0 + 0.06 * f64::from(i)));
    let points = points.map(|rate| [rate, 2.3 - 1.5 / (1.0 + (0.003 / rate).powi(2)) + 8.0 * rate]).collect();
    let colour = Colour::of(0, 1);
    let panel = Panel {
        title: "loss".into(),
        x: "learning rate".into(),
        log_x: true,
        series: vec![Series { points, colour, dashed: false }],
        mark: Some((3e-3, "suggested: 3e−3".into())),
        ..Panel::default()
    };
    let legend = vec![Legend { name: "smoothed loss".into(), colour, dashed: false }];
    Chart { title: "Learning rates".into(), panels: vec![panel], legend }.picture()
}

/// Guesses that are mostly right, and of some classes mostly their neighbour.
fn guesses(classes: usize, examples: usize, right: f32) -> Result<Confusion, Box<dyn Error>> {
    let mut random = Random::new(3);
    let mut confusion = Confusion::new(classes);
    for _ in 0..examples {
        let label = random.below(classes);
        let mut logits = vec![0.0; classes];
        let guess = if random.chance(right) {
            label
        } else if random.chance(0.5) {
            (label + 1) % classes
        } else {
            random.below(classes)
        };
        logits[guess] = if random.chance(0.001) { f32::NAN } else { 1.0 };
        confusion.add(label, &logits)?;
    }
    Ok(confusion)
}

/// Normal distributions around random centres, and their numbers.
fn clusters(points: usize, width: usize, classes: usize) -> (Vec<f32>, Vec<usize>) {
    let mut random = Random::new(5);
    let centres: Vec<f32> = (0..classes * width).map(|_| 3.0 * random.normal()).collect();
    let labels: Vec<_> = (0..points).map(|point| point % classes).collect();
    let values =
        labels.iter().flat_map(|label| &centres[label * width..][..width]).map(|centre| centre + random.normal());
    (values.collect(), labels)
}

/// Waves in place of the values of a network.
fn maps() -> Vec<FeatureMaps> {
    let wave = |name: &str, [channels, height, width]: [usize; 3], rgb: bool| {
        let values = (0..channels * height * width).map(|at| {
            let (channel, y, x) = (at / (height * width), at / width % height, at % width);
            ((x + y * channel) as f32 * 6.0 / width as f32 + channel as f32).sin()
                + (channel + 1) as f32 * y as f32 / height as f32
        });
        FeatureMaps { name: name.into(), values: values.collect(), shape: [channels, height, width], rgb }
    };
    vec![
        wave("input", [3, 28, 28], true),
        wave("conv1", [6, 28, 28], false),
        wave("conv2", [16, 10, 10], false),
        wave("large", [100, 224, 224], false),
        wave("fc1", [120, 1, 1], false),
    ]
}
