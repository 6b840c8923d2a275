//! The confusion matrix as a picture.

use super::colour::{BLUE, FRAME, INK, ORANGE, SOFT_INK, WHITE};
use super::picture::{Anchor, Area, LABEL, Turn};
use super::{Colour, Picture, font};
use crate::metrics::Confusion;
use crate::names::{class_name, grouped};

const MARGIN: f64 = 24.0;
/// What the side of the matrix would be, and the sides of its cells can be.
const SIDE: f64 = 540.0;
const CELL: [f64; 2] = [13.0, 54.0];
/// The widest name of a class.
const LONGEST_NAME: f64 = 150.0;
/// The narrowest picture, for the title and what the colours mean.
const LEAST_WIDTH: f64 = 480.0;
/// Counts from this size on are read.
const SMALLEST_COUNT: f64 = 8.0;

/// Which classes (rows) were taken for which (columns). The shade is the share of the class's examples: blue where they
/// are right, orange where they are wrong, there up to the largest share of mistakes. Cells that are large enough have
/// the count; classes without a name have their number.
pub fn confusion(confusion: &Confusion, names: &[String]) -> Picture {
    let classes = confusion.classes();
    let cell = (SIDE / classes.max(1) as f64).floor().clamp(CELL[0], CELL[1]);
    let side = cell * classes as f64;
    let names = Names::new(names, classes, cell);
    let left = MARGIN + 20.0 + names.width.max(names.overhang(cell)) + 8.0;
    let matrix = Area { x: left, y: 48.0, width: side, height: side };
    let below = matrix.bottom() + names.height() + 26.0;
    let width = (matrix.right() + MARGIN).max(LEAST_WIDTH);
    let notes = 1.0 + f64::from(u8::from(confusion.unpredicted() > 0));

    let mut picture = Picture::new(width, below + 24.0 * notes + 16.0, &title(confusion));
    picture.heading(MARGIN);
    draw_cells(&mut picture, confusion, matrix, cell);
    names.draw(&mut picture, matrix, cell);
    let middle = [matrix.x + 0.5 * side, matrix.y + 0.5 * side];
    picture.turned([MARGIN + 10.0, middle[1]], "true", LABEL, Anchor::Middle, Turn::Upward, SOFT_INK);
    picture.text([middle[0], below], "predicted", LABEL, Anchor::Middle, SOFT_INK);
    draw_notes(&mut picture, confusion, below + 26.0);
    picture
}

fn title(confusion: &Confusion) -> String {
    let examples = grouped(confusion.examples());
    match confusion.accuracy() {
        Some(accuracy) => format!("Confusion matrix: {:.2} % of {examples} examples right", 100.0 * accuracy),
        None => "Confusion matrix of no examples".into(),
    }
}

/// The share of a class's examples that were taken for a class.
fn share(confusion: &Confusion, label: usize, predicted: usize) -> f64 {
    confusion.count(label, predicted) as f64 / confusion.support(label).max(1) as f64
}

/// The largest share of mistakes of one kind.
fn worst(confusion: &Confusion) -> f64 {
    let pairs = (0..confusion.classes()).flat_map(|label| (0..confusion.classes()).map(move |other| (label, other)));
    pairs
        .filter(|(label, other)| label != other)
        .map(|(label, other)| share(confusion, label, other))
        .fold(0.0, f64::max)
}

fn draw_cells(picture: &mut Picture, confusion: &Confusion, matrix: Area, cell: f64) {
    let worst = worst(confusion).max(f64::MIN_POSITIVE);
    let largest =
        (0..confusion.classes()).flat_map(|label| confusion.row(label)).max().copied().unwrap_or(0).to_string();
    let size = (0..5).map(|smaller| LABEL - f64::from(smaller)).find(|size| font::width(&largest, *size) <= cell - 4.0);
    let size = size.filter(|size| *size >= SMALLEST_COUNT && cell >= size + 5.0);
    for label in 0..confusion.classes() {
        for (predicted, count) in confusion.row(label).iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = share(confusion, label, predicted);
            // Even one example is seen.
            let fill = if label == predicted {
                WHITE.towards(BLUE, 0.08 + 0.92 * share)
            } else {
                WHITE.towards(ORANGE, 0.08 + 0.92 * share / worst)
            };
            let (x, y) = (matrix.x + cell * predicted as f64, matrix.y + cell * label as f64);
            picture.rect(Area { x, y, width: cell, height: cell }, fill);
            if let Some(size) = size {
                let ink = if fill.is_light() { INK } else { WHITE };
                let at = [x + 0.5 * cell, y + 0.5 * cell + 0.36 * size];
                picture.text(at, count.to_string(), size, Anchor::Middle, ink);
            }
        }
    }
    let line = WHITE.towards(FRAME, 0.35);
    for index in 1..confusion.classes() {
        let (x, y) = (matrix.x + cell * index as f64, matrix.y + cell * index as f64);
        picture.line(vec![[x, matrix.y], [x, matrix.bottom()]], line, 1.0, false);
        picture.line(vec![[matrix.x, y], [matrix.right(), y]], line, 1.0, false);
    }
    picture.frame(matrix, FRAME);
}

/// What the colours mean, and how many examples are in no column.
fn draw_notes(picture: &mut Picture, confusion: &Confusion, y: f64) {
    let largest = format!("wrong, up to {:.1} %", 100.0 * worst(confusion));
    let mut x = MARGIN;
    for (colour, text) in [(BLUE, "right, share of the class up to 100 %"), (ORANGE, largest.as_str())] {
        x = draw_scale(picture, [x, y], colour);
        picture.text([x, y], text, LABEL, Anchor::Start, INK);
        x += font::width(text, LABEL) + 24.0;
    }
    if confusion.unpredicted() > 0 {
        let text = format!("{} without a prediction: a logit is not a number", grouped(confusion.unpredicted()));
        picture.text([MARGIN, y + 24.0], text, LABEL, Anchor::Start, INK);
    }
}

/// The shades of a colour side by side; where the text after them begins.
fn draw_scale(picture: &mut Picture, [x, y]: [f64; 2], colour: Colour) -> f64 {
    for step in 0..5 {
        let area = Area { x: x + 11.0 * f64::from(step), y: y - 10.0, width: 11.0, height: 12.0 };
        picture.rect(area, WHITE.towards(colour, 0.08 + 0.92 * 0.25 * f64::from(step)));
    }
    picture.frame(Area { x, y: y - 10.0, width: 55.0, height: 12.0 }, FRAME);
    x + 62.0
}

/// The names beside the rows and beneath the columns.
struct Names {
    names: Vec<String>,
    size: f64,
    /// The widest.
    width: f64,
    /// How they stand beneath the columns.
    turn: Turn,
}

impl Names {
    fn new(names: &[String], classes: usize, cell: f64) -> Self {
        let size = (cell - 2.0).min(LABEL);
        let names: Vec<_> =
            (0..classes).map(|class| font::fitted(&class_name(names, class), size, LONGEST_NAME)).collect();
        let width = names.iter().map(|name| font::width(name, size)).fold(0.0, f64::max).ceil();
        let turn = match () {
            () if width <= cell - 6.0 => Turn::None,
            () if cell >= 1.6 * size => Turn::Slanting,
            () => Turn::Upward,
        };
        Self { names, size, width, turn }
    }

    /// What the names take beneath the columns.
    fn height(&self) -> f64 {
        match self.turn {
            Turn::None => 18.0,
            Turn::Slanting => 0.71 * self.width + 16.0,
            Turn::Upward => self.width + 10.0,
        }
    }

    /// How far the first column's name reaches to the left of the matrix.
    fn overhang(&self, cell: f64) -> f64 {
        if self.turn == Turn::Slanting { 0.71 * (self.width + self.size) - 0.5 * cell } else { 0.0 }
    }

    fn draw(&self, picture: &mut Picture, matrix: Area, cell: f64) {
        for (class, name) in self.names.iter().enumerate() {
            let middle = cell * (class as f64 + 0.5);
            let row = [matrix.x - 8.0, matrix.y + middle + 0.36 * self.size];
            picture.text(row, name.as_str(), self.size, Anchor::End, INK);
            let (column, bottom) = (matrix.x + middle, matrix.bottom());
            let (at, anchor) = match self.turn {
                Turn::None => ([column, bottom + 16.0], Anchor::Middle),
                Turn::Slanting => ([column + 0.5 * self.size, bottom + 14.0], Anchor::End),
                Turn::Upward => ([column + 0.36 * self.size, bottom + 6.0], Anchor::End),
            };
            picture.turned(at, name.as_str(), self.size, anchor, self.turn, INK);
        }
    }
}
