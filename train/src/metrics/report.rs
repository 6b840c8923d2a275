//! The scores of every class, and their tables.

use super::{Confusion, TOP, ratio};
use crate::names::{class_name, grouped, shortened};
use std::fmt;

/// The most characters of a class's name in a table.
const MOST_CHARACTERS: usize = 32;

/// The scores of a classifier, as scikit-learn's `classification_report` defines them, ready for a table or for serde.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Report {
    /// How many examples were counted.
    pub examples: u64,
    /// How many of them have no prediction, because a logit is not a number.
    pub unpredicted: u64,
    /// The part of the examples that is right; none without examples.
    pub accuracy: Option<f64>,
    /// The part of the examples whose class is among the five highest logits; none without examples.
    pub top5_accuracy: Option<f64>,
    /// The scores of every class.
    pub classes: Vec<ClassScores>,
    /// The mean of the scores of the classes that occur, as label or as prediction.
    pub macro_average: ClassScores,
    /// How many examples of a class (row) were taken for a class (column).
    pub confusion: Vec<Vec<u64>>,
}

/// The scores of one class, or their mean. What would be 0 divided by 0 is 0.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ClassScores {
    /// The class.
    pub name: String,
    /// The part of what was taken for this class that is of it.
    pub precision: f64,
    /// The part of the examples of this class that was taken for it.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// How many examples there are of this class.
    pub support: u64,
    /// How many examples were taken for this class.
    pub predictions: u64,
}

impl Report {
    pub(super) fn new(confusion: &Confusion, names: &[String]) -> Self {
        let classes: Vec<_> =
            (0..confusion.classes()).map(|class| class_scores(confusion, class, class_name(names, class))).collect();
        Self {
            examples: confusion.examples(),
            unpredicted: confusion.unpredicted(),
            accuracy: confusion.accuracy(),
            top5_accuracy: confusion.top5_accuracy(),
            macro_average: macro_average(&classes),
            classes,
            confusion: (0..confusion.classes()).map(|label| confusion.row(label).to_vec()).collect(),
        }
    }

    /// The confusion matrix as a table: a row for every class, a column for every prediction, headed by the class's
    /// number.
    pub fn matrix(&self) -> String {
        let mut cells = vec![vec!["true \\ predicted".to_owned()]];
        cells[0].extend((0..self.classes.len()).map(|class| class.to_string()));
        for (class, (scores, row)) in self.classes.iter().zip(&self.confusion).enumerate() {
            let mut line = vec![format!("{class} {}", shortened(&scores.name, MOST_CHARACTERS))];
            line.extend(row.iter().map(|count| if *count == 0 { "·".into() } else { count.to_string() }));
            cells.push(line);
        }
        aligned(&cells)
    }
}

fn class_scores(confusion: &Confusion, class: usize, name: String) -> ClassScores {
    let (right, support, predictions) =
        (confusion.count(class, class), confusion.support(class), confusion.predictions(class));
    ClassScores {
        name,
        precision: ratio(right, predictions).unwrap_or(0.0),
        recall: ratio(right, support).unwrap_or(0.0),
        f1: ratio(2 * right, support + predictions).unwrap_or(0.0),
        support,
        predictions,
    }
}

fn macro_average(classes: &[ClassScores]) -> ClassScores {
    let occurring: Vec<_> = classes.iter().filter(|scores| scores.occurs()).collect();
    let mean = |score: fn(&ClassScores) -> f64| {
        occurring.iter().map(|scores| score(scores)).sum::<f64>() / occurring.len().max(1) as f64
    };
    ClassScores {
        name: "macro average".into(),
        precision: mean(|scores| scores.precision),
        recall: mean(|scores| scores.recall),
        f1: mean(|scores| scores.f1),
        support: classes.iter().map(|scores| scores.support).sum(),
        predictions: classes.iter().map(|scores| scores.predictions).sum(),
    }
}

impl ClassScores {
    /// Whether the class is a label or a prediction.
    fn occurs(&self) -> bool {
        self.support + self.predictions > 0
    }

    fn cells(&self) -> Vec<String> {
        let score = |value: f64| if self.occurs() { format!("{value:.4}") } else { "–".into() };
        vec![
            shortened(&self.name, MOST_CHARACTERS),
            score(self.precision),
            score(self.recall),
            score(self.f1),
            grouped(self.support),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["class", "precision", "recall", "F1", "examples"].map(str::to_owned).to_vec();
        let mut cells = vec![header];
        cells.extend(self.classes.iter().map(ClassScores::cells));
        cells.push(self.macro_average.cells());
        writeln!(f, "{}", aligned(&cells))?;
        let percent = |part: Option<f64>| part.map_or("–".into(), |part| format!("{:.2} %", 100.0 * part));
        write!(f, "top-1 accuracy {} of {} examples", percent(self.accuracy), grouped(self.examples))?;
        if self.classes.len() > TOP {
            write!(f, "\ntop-5 accuracy {}", percent(self.top5_accuracy))?;
        }
        if self.unpredicted > 0 {
            write!(f, "\n{} without a prediction: a logit is not a number", grouped(self.unpredicted))?;
        }
        writeln!(f)
    }
}

/// Lines of columns: words begin at the left, numbers end at the right.
fn aligned(cells: &[Vec<String>]) -> String {
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in cells {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            text.push_str(&cell);
        }
        text.push('\n');
    }
    text
}
