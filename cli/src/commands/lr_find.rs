//! `cnn lr-find`

mod suggest;

use crate::args::{LrFind, MessageFormat};
use crate::failure::Failure;
use crate::model::load_model;
use crate::number;
use crate::output::write_picture;
use crate::trained::Trained;
use crate::training::resolve;
use cnn::{Network, Weights};
use cnn_data::{Dataset, Part};
use cnn_recipe::{Constant, Curve, Exponential};
use cnn_train::plot::{Chart, Colour, Legend, Panel, Series};
use cnn_train::{Error, Event, Length, Per, Recipe, Trainer};
use std::io::{Write, stdout};
use std::ops::RangeInclusive;
use std::sync::Arc;
use suggest::{LEAST_FALL, Point, Verdict, beginning, ending, judge, smooth};

/// How much of the mean loss stays from step to step, for the search to see that it diverges.
const SMOOTHING: f64 = 0.9;
/// How many times the smallest mean loss is too much.
const DIVERGED: f64 = 4.0;
/// What is tried of the rate at which the loss falls fastest, and then of what was tried: a run has this rate from its first
/// step on, and the search came to it late.
const SHARE: f64 = 1.0 / 3.0;
/// The most rates that are tried.
const TRIALS: usize = 4;
/// Rates that mean something for floats of 32 bits.
const RATES: RangeInclusive<f64> = 1e-30..=1e30;
/// The most rows of the table.
const ROWS: usize = 24;

/// Trains with a rate that rises, says where the loss falls fastest, and tries a rate below that.
pub fn run(args: &LrFind, format: MessageFormat) -> Result<(), Failure> {
    if !(RATES.contains(&args.from) && RATES.contains(&args.to) && args.from < args.to) {
        let (least, most) = (RATES.start(), RATES.end());
        let text = format!(
            "`--from {:?} --to {:?}`: rates are from {least:e} to {most:e}, and the second is higher",
            args.from, args.to
        );
        return Err(Failure::Message(text));
    }
    let model = load_model(&args.model, format)?;
    let training = resolve(&model, &args.model.file, &args.data, &args.recipe.settings(), format)?;
    let search = Search {
        network: &model.network,
        data: training.data.open(Part::Train)?,
        weights: args.weights.as_deref().map(Trained::open).transpose()?.map(|trained| trained.weights),
        recipe: training.recipe,
        steps: args.steps,
    };
    let points = search.rising(args.from, args.to)?;
    let verdict = judge(&points);

    let mut out = stdout().lock();
    write!(out, "{}", table(&points))?;
    let suggested = match verdict {
        Verdict::Falls(point) => search.tried(point, &points)?,
        _ => None,
    };
    let text = match (verdict, suggested) {
        (Verdict::Falls(point), Some((rate, end))) => format!(
            "the loss falls fastest at a rate of {}; {} steps with {rate} bring it from {} to {}: `--rate {rate}`",
            number::rate(rounded(point.rate)),
            args.steps,
            number::loss(beginning(&points)),
            number::loss(end),
            rate = number::rate(rate),
        ),
        (Verdict::Falls(point), None) => format!(
            "the loss falls fastest at a rate of {}, but {} steps with {} or less do not bring it down: raise `--steps`",
            number::rate(rounded(point.rate)),
            args.steps,
            number::rate(rounded(SHARE * point.rate)),
        ),
        (Verdict::Flat(fall), _) => format!(
            "the loss falls by {} at most, too little to suggest a rate: raise `--steps`, or `--from`, which leaves more of \
             them for each rate, or `--to`",
            number::percent(fall)
        ),
        (Verdict::Rises, _) => format!(
            "the loss rises before it has fallen by {}: raise `--steps`, or lower `--from`",
            number::percent(LEAST_FALL)
        ),
    };
    writeln!(out, "\n{text}")?;
    if let Some(path) = &args.svg {
        let mark = suggested.map(|(rate, _)| rate);
        write_picture(path, &chart(&model.network.name, &points, mark).picture())?;
        writeln!(out, "written: {}", path.display())?;
    }
    Ok(())
}

/// What is trained again and again, each time from its beginning.
struct Search<'a> {
    network: &'a Network,
    data: Arc<dyn Dataset>,
    weights: Option<Weights>,
    recipe: Recipe,
    steps: u32,
}

impl Search<'_> {
    /// Steps with rates that rise by the same factor, until the loss explodes.
    fn rising(&self, from: f64, to: f64) -> Result<Vec<Point>, Failure> {
        let gamma = (to / from).powf(1.0 / f64::from(self.steps - 1));
        let (mut points, mut mean, mut least) = (Vec::new(), 0.0, f64::INFINITY);
        self.train(from, Exponential { gamma }.into(), |rate, loss| {
            points.push(Point { rate, loss, smoothed: loss });
            // Without the weight of the nought that it begins with.
            mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss;
            let now = mean / (1.0 - SMOOTHING.powi(points.len() as i32));
            least = now.min(least);
            points.len() <= 10 || now <= DIVERGED * least
        })?;
        smooth(&mut points);
        Ok(points)
    }

    /// The highest of some rates below one with which the loss falls, and what it falls to: what falls in the search need not
    /// do so from the first step on.
    fn tried(&self, fastest: Point, points: &[Point]) -> Result<Option<(f64, f64)>, Failure> {
        let enough = (1.0 - LEAST_FALL) * beginning(points);
        let mut rate = fastest.rate;
        for _ in 0..TRIALS {
            rate = rounded(SHARE * rate);
            let mut losses = Vec::new();
            self.train(rate, Constant {}.into(), |_, loss| {
                losses.push(loss);
                true
            })?;
            let end = ending(&losses);
            if losses.len() == self.steps as usize && end <= enough {
                return Ok(Some((rate, end)));
            }
        }
        Ok(None)
    }

    /// Trains, and gives each step's rate and loss to a function, which says whether to go on.
    fn train(&self, rate: f64, curve: Curve, mut each: impl FnMut(f64, f64) -> bool) -> Result<(), Failure> {
        let recipe = Recipe {
            rate: Some(rate),
            schedule: curve.into(),
            schedule_per: Some(Per::Step),
            length: Length::Steps(self.steps.into()),
            validation: None,
            early_stopping: None,
            ..self.recipe.clone()
        };
        let mut trainer = Trainer::new(self.network, Arc::clone(&self.data), recipe).map_err(Failure::new)?;
        if let Some(weights) = &self.weights {
            trainer = trainer.weights(weights.clone());
        }
        let (stop, mut has_begun) = (trainer.stop(), false);
        let trained = trainer
            .observe(|event| {
                if let Event::Step(step) = event {
                    has_begun = true;
                    if !each(step.rate, step.loss) {
                        stop.request();
                    }
                }
            })
            .run();
        match trained {
            // A loss that is not finite is the end of the search, as one that is too large.
            Err(error) if !(has_begun && matches!(error, Error::NotFinite { .. })) => Err(Failure::new(error)),
            _ => Ok(()),
        }
    }
}

/// Two digits of a rate.
fn rounded(rate: f64) -> f64 {
    format!("{rate:.1e}").parse().unwrap_or(rate)
}

fn table(points: &[Point]) -> String {
    let mut text = format!("{:>10}  {:>10}  {:>10}\n", "rate", "loss", "smoothed");
    let every = points.len().div_ceil(ROWS).max(1);
    for point in points.iter().step_by(every) {
        let rate = format!("{:.2e}", point.rate);
        let (loss, smoothed) = (number::loss(point.loss), number::loss(point.smoothed));
        text.push_str(&format!("{rate:>10}  {loss:>10}  {smoothed:>10}\n"));
    }
    text
}

fn chart(network: &str, points: &[Point], suggested: Option<f64>) -> Chart {
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
            mark: suggested.map(|rate| (rate, number::rate(rate))),
            ..Panel::default()
        }],
        legend: vec![legend(0, "smoothed loss", false), legend(1, "loss of a step", true)],
    }
}
