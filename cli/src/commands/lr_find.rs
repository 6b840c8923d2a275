//! `cnn lr-find`

use crate::args::{LrFind, MessageFormat};
use crate::failure::Failure;
use crate::model::load_model;
use crate::output::write_picture;
use crate::training::resolve;
use cnn_data::Part;
use cnn_recipe::{Curve, Exponential};
use cnn_train::plot::{Chart, Colour, Legend, Panel, Series};
use cnn_train::{Error, Event, Length, Per, Recipe, Trainer};
use std::cell::RefCell;
use std::io::{Write, stdout};
use std::ops::RangeInclusive;

/// How much of the smoothed loss stays from step to step.
const SMOOTHING: f64 = 0.9;
/// How many times the smallest smoothed loss is too much.
const DIVERGED: f64 = 4.0;
/// What is suggested of the rate at which the loss falls fastest: smoothing is late, and later steps want less.
const SHARE: f64 = 1.0 / 3.0;
/// Rates that mean something for floats of 32 bits.
const RATES: RangeInclusive<f64> = 1e-30..=1e30;
/// The most rows of the table.
const ROWS: usize = 24;

/// A step of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    rate: f64,
    loss: f64,
    smoothed: f64,
}

/// Trains with a rate that rises, and says where the loss falls fastest.
pub fn run(args: &LrFind, format: MessageFormat) -> Result<(), Failure> {
    if !(RATES.contains(&args.from) && RATES.contains(&args.to) && args.from < args.to) {
        let (least, most) = (RATES.start(), RATES.end());
        let text = format!(
            "`--from {} --to {}`: rates are from {least:e} to {most:e}, and the second is higher",
            args.from, args.to
        );
        return Err(Failure::Message(text));
    }
    let model = load_model(&args.model, format)?;
    let training = resolve(&model, &args.model.file, &args.data, &args.recipe.settings(), format)?;
    let gamma = (args.to / args.from).powf(1.0 / f64::from(args.steps - 1));
    let recipe = Recipe {
        rate: Some(args.from),
        schedule: Curve::from(Exponential { gamma }).into(),
        schedule_per: Some(Per::Step),
        length: Length::Steps(args.steps.into()),
        validation: None,
        early_stopping: None,
        ..training.recipe
    };
    let data = training.data.open(Part::Train)?;
    let mut trainer = Trainer::new(&model.network, data, recipe).map_err(Failure::new)?;
    if let Some(path) = &args.weights {
        trainer = trainer.weights(crate::trained::Trained::open(path)?.weights);
    }
    let (points, stop) = (RefCell::new(Vec::new()), trainer.stop());
    let trained = trainer
        .observe(|event| {
            if let Event::Step(step) = event {
                let mut points = points.borrow_mut();
                add(&mut points, step.rate, step.loss);
                if has_diverged(&points) {
                    stop.request();
                }
            }
        })
        .run();
    // A loss that is not finite is the end of the search, as one that is too large.
    match trained {
        Ok(_) => {}
        Err(Error::NotFinite { .. }) if !points.borrow().is_empty() => {}
        Err(error) => return Err(Failure::new(error)),
    }
    let points = points.into_inner();
    let suggested = suggest(&points);

    let mut out = stdout().lock();
    write!(out, "{}", table(&points))?;
    match suggested {
        Some(point) => {
            let (fastest, rate) = (rounded(point.rate), rounded(point.rate * SHARE));
            writeln!(
                out,
                "\nthe loss falls fastest at a rate of {fastest}; a third of it is a start: `--rate {rate}`"
            )?;
        }
        None => writeln!(out, "\nthe loss does not fall at any rate: raise `--to`, or look at the data and the loss")?,
    }
    if let Some(path) = &args.svg {
        write_picture(path, &chart(&model.network.name, &points, suggested).picture())?;
        writeln!(out, "written: {}", path.display())?;
    }
    Ok(())
}

/// Adds a step, its loss smoothed by an exponential mean without the bias of its beginning.
fn add(points: &mut Vec<Point>, rate: f64, loss: f64) {
    let weight = |steps: usize| 1.0 - SMOOTHING.powi(steps as i32);
    let (count, before) = (points.len(), points.last().map_or(0.0, |point| point.smoothed));
    let mean = SMOOTHING * before * weight(count) + (1.0 - SMOOTHING) * loss;
    points.push(Point { rate, loss, smoothed: mean / weight(count + 1) });
}

fn has_diverged(points: &[Point]) -> bool {
    let least = points.iter().map(|point| point.smoothed).fold(f64::INFINITY, f64::min);
    points.len() > 10 && points.last().is_some_and(|point| point.smoothed > DIVERGED * least)
}

/// The step at which the smoothed loss falls fastest with the logarithm of the rate, before it is smallest.
fn suggest(points: &[Point]) -> Option<Point> {
    let least = points.iter().enumerate().min_by(|(_, a), (_, b)| a.smoothed.total_cmp(&b.smoothed))?.0;
    // Means of few steps say nothing yet.
    let slopes = (5..least).filter_map(|at| Some((at, points.get(at + 1)?.smoothed - points.get(at - 1)?.smoothed)));
    let (at, slope) = slopes.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (slope < 0.0).then(|| points[at])
}

/// Two digits.
fn rounded(rate: f64) -> String {
    format!("{rate:.1e}")
}

fn table(points: &[Point]) -> String {
    let mut text = format!("{:>10}  {:>10}  {:>10}\n", "rate", "loss", "smoothed");
    let every = points.len().div_ceil(ROWS).max(1);
    for point in points.iter().step_by(every) {
        let rate = format!("{:.2e}", point.rate);
        text.push_str(&format!("{rate:>10}  {:>10.4}  {:>10.4}\n", point.loss, point.smoothed));
    }
    text
}

fn chart(network: &str, points: &[Point], suggested: Option<Point>) -> Chart {
    // The end, where the loss explodes, would press all else flat: it is a gap.
    let most = 2.0 * points.first().map_or(1.0, |point| point.loss).max(f64::MIN_POSITIVE);
    let shown = |value: f64| if value <= most { value } else { f64::NAN };
    let series = |index, value: fn(&Point) -> f64, dashed| Series {
        points: points.iter().map(|point| [point.rate, shown(value(point))]).collect(),
        colour: Colour::of(index, 2),
        dashed,
    };
    let legend = |index, name: &str, dashed| Legend { name: name.into(), colour: Colour::of(index, 2), dashed };
    Chart {
        title: format!("{network}: loss against learning rate"),
        panels: vec![Panel {
            title: "loss".into(),
            x: "learning rate".into(),
            log_x: true,
            series: vec![series(1, |point| point.loss, true), series(0, |point| point.smoothed, false)],
            mark: suggested.map(|point| (point.rate, rounded(point.rate))),
            ..Panel::default()
        }],
        legend: vec![legend(0, "smoothed loss", false), legend(1, "loss of a step", true)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_the_steepest_fall_is_suggested() {
        // Flat, then falling fastest around step 60, smallest at 80, then exploding.
        let loss = |step: f64| if step < 80.0 { 2.0 - 1.5 / (1.0 + (-(step - 60.0) / 4.0).exp()) } else { step - 79.0 };
        let mut points = Vec::new();
        for step in 0..100 {
            add(&mut points, 1e-6 * 1.2f64.powi(step), loss(f64::from(step)));
            if has_diverged(&points) {
                break;
            }
        }
        assert!(points.len() < 100, "the search ends where the loss explodes");
        let at = points.iter().position(|point| Some(*point) == suggest(&points)).unwrap();
        assert!((55..75).contains(&at), "{at}");

        let mut rising = Vec::new();
        (0..50).for_each(|step| add(&mut rising, 1e-6, 1.0 + f64::from(step)));
        assert_eq!(suggest(&rising), None);
        assert_eq!(suggest(&[]), None);
    }

    #[test]
    fn the_mean_has_no_bias() {
        let mut points = Vec::new();
        (0..5).for_each(|_| add(&mut points, 0.1, 2.0));
        assert!(points.iter().all(|point| (point.smoothed - 2.0).abs() < 1e-12));
    }
}
