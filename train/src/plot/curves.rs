//! Loss and accuracy of runs.

use super::{Chart, Colour, Legend, Panel, Picture, Series, colour};
use crate::record::{Phase, Row};

/// What the record of a run says, and its name in the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The name.
    pub name: String,
    /// The rows, in the order in which they were written.
    pub rows: Vec<Row>,
}

/// What is on the horizontal axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Against {
    /// Epochs.
    #[default]
    Epoch,
    /// Steps.
    Step,
}

/// How curves are drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CurveOptions {
    /// What stands above them; when empty, the name of the one run, or how many there are.
    pub title: String,
    /// What is on the horizontal axis.
    pub against: Against,
    /// Whether the loss has a logarithmic axis.
    pub log_loss: bool,
}

/// Loss and accuracy against epochs or steps. Of one run, training, validation and test have a colour each; of several,
/// each run has a colour, training is dashed, and what validates (or tests, where nothing does) is not.
///
/// ```
/// use cnn_train::plot::{CurveOptions, Run, curves};
/// use cnn_train::record::{Phase, Row};
///
/// let row = |epoch: f64, loss| Row {
///     step: (epoch * 235.0) as u64,
///     epoch,
///     phase: Phase::Train,
///     loss,
///     accuracy: None,
///     rate: Some(1e-3),
///     examples_per_second: None,
///     seconds: epoch,
/// };
/// let run = Run { name: "lenet".into(), rows: vec![row(1.0, 1.9), row(2.0, 0.9)] };
/// let picture = curves(&[run], &CurveOptions::default());
/// assert!(picture.svg().contains("epoch"));
/// ```
pub fn curves(runs: &[Run], options: &CurveOptions) -> Picture {
    let lines: Vec<_> = runs.iter().enumerate().flat_map(|(index, run)| lines(run, index, runs.len())).collect();
    let x = |row: &Row| match options.against {
        Against::Epoch => row.epoch,
        Against::Step => row.step as f64,
    };
    let panel = |title: &str, value: fn(&Row) -> Option<f64>| Panel {
        title: title.into(),
        x: match options.against {
            Against::Epoch => "epoch".into(),
            Against::Step => "step".into(),
        },
        series: lines.iter().map(|line| line.series(x, value)).filter(|series| !series.points.is_empty()).collect(),
        ..Panel::default()
    };
    let loss = Panel { log_y: options.log_loss, ..panel("loss", |row| Some(row.loss)) };
    let accuracy = Panel {
        limits: Some([0.0, 100.0]),
        ..panel("accuracy, %", |row| row.accuracy.map(|accuracy| 100.0 * accuracy))
    };
    let mut panels = vec![loss];
    if !accuracy.series.is_empty() {
        panels.push(accuracy);
    }
    Chart { title: title(runs, options), panels, legend: legend(runs, &lines) }.picture()
}

fn title(runs: &[Run], options: &CurveOptions) -> String {
    match runs {
        _ if !options.title.is_empty() => options.title.clone(),
        [] => "No runs".into(),
        [run] => run.name.clone(),
        runs => format!("{} runs", runs.len()),
    }
}

/// The rows of one phase of one run, and how their lines look.
struct Line<'a> {
    rows: Vec<&'a Row>,
    phase: Phase,
    colour: Colour,
    dashed: bool,
}

impl Line<'_> {
    fn series(&self, x: impl Fn(&Row) -> f64, value: fn(&Row) -> Option<f64>) -> Series {
        let points = self.rows.iter().filter_map(|row| Some([x(row), value(row)?])).collect();
        Series { points, colour: self.colour, dashed: self.dashed }
    }
}

/// The lines of a run, one of `count`.
fn lines(run: &Run, index: usize, count: usize) -> Vec<Line<'_>> {
    let of = |phase| run.rows.iter().filter(|row| row.phase == phase).collect::<Vec<_>>();
    let has_validation = run.rows.iter().any(|row| row.phase == Phase::Validation);
    [Phase::Train, Phase::Validation, Phase::Test]
        .into_iter()
        .enumerate()
        .filter(|(_, phase)| count == 1 || *phase != Phase::Test || !has_validation)
        .map(|(number, phase)| Line {
            rows: of(phase),
            phase,
            colour: if count == 1 { Colour::of(number, 3) } else { Colour::of(index, count) },
            dashed: count > 1 && phase == Phase::Train,
        })
        .filter(|line| !line.rows.is_empty())
        .collect()
}

fn legend(runs: &[Run], lines: &[Line]) -> Vec<Legend> {
    let name = |phase| match phase {
        Phase::Train => "training",
        Phase::Validation => "validation",
        Phase::Test => "test",
    };
    if runs.len() == 1 {
        let entry = |line: &Line| Legend { name: name(line.phase).into(), colour: line.colour, dashed: line.dashed };
        return lines.iter().map(entry).collect();
    }
    let run = |(index, run): (usize, &Run)| Legend {
        name: run.name.clone(),
        colour: Colour::of(index, runs.len()),
        dashed: false,
    };
    let mut entries: Vec<_> = runs.iter().enumerate().map(run).collect();
    for phase in [Phase::Train, Phase::Validation, Phase::Test] {
        if lines.iter().any(|line| line.phase == phase) {
            let dashed = phase == Phase::Train;
            entries.push(Legend { name: name(phase).into(), colour: colour::SOFT_INK, dashed });
        }
    }
    entries
}
