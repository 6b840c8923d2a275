//! Points on a plane, coloured by class.

use super::colour::{FRAME, INK, SOFT_INK};
use super::picture::{Anchor, Area, LABEL};
use super::{Colour, Picture, PlotError, font};
use crate::names::{class_name, grouped};
use std::collections::BTreeSet;

const MARGIN: f64 = 24.0;
const TOP: f64 = 46.0;
/// The sides of the field of points.
const SIDE: f64 = 560.0;
/// The height of a line of the legend, and the widest name.
const LINE: f64 = 17.0;
const LONGEST_NAME: f64 = 150.0;
/// The most classes in the legend.
const MOST_CLASSES: usize = 128;

/// Points on a plane, such as those of [`tsne`](crate::tsne()), each in the colour of its class. Both directions have the
/// same scale; there are no numbers on the axes. Points that are not finite are left out, and a note says how many.
///
/// ```
/// # fn main() -> Result<(), cnn_train::plot::PlotError> {
/// let names = ["cat".to_owned(), "dog".to_owned()];
/// let picture = cnn_train::plot::scatter("Pets", &[[0.0, 1.0], [2.0, 0.5]], &[0, 1], &names)?;
/// assert!(picture.svg().contains(">dog<"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When there is not one label for each point.
pub fn scatter(title: &str, points: &[[f32; 2]], labels: &[usize], names: &[String]) -> Result<Picture, PlotError> {
    if points.len() != labels.len() {
        return Err(PlotError::Labels { points: points.len(), labels: labels.len() });
    }
    let classes: BTreeSet<usize> = labels.iter().copied().collect();
    let count = classes.last().map_or(0, |class| class.saturating_add(1)).max(names.len());
    let legend = Legend::new(&classes, names, count);
    let field = Area { x: MARGIN, y: TOP, width: SIDE, height: SIDE };
    let hidden = points.iter().filter(|point| !is_finite(point)).count();
    let note = if hidden > 0 { 22.0 } else { 0.0 };
    let width = field.right() + 18.0 + legend.width() + MARGIN;

    let mut picture = Picture::new(width, field.bottom() + note + 20.0, title);
    picture.heading(MARGIN);
    picture.frame(field, FRAME);
    let radius = match points.len() {
        0..500 => 3.4,
        500..3000 => 2.5,
        _ => 1.7,
    };
    let view = View::new(points, field);
    for (point, class) in points.iter().zip(labels).filter(|(point, _)| is_finite(point)) {
        picture.dot(view.place(*point), radius, Colour::of(*class, count));
    }
    if hidden > 0 {
        let text = format!(
            "{} of {} points are not finite and left out",
            grouped(hidden as u64),
            grouped(points.len() as u64)
        );
        picture.text([MARGIN, field.bottom() + 20.0], text, LABEL, Anchor::Start, SOFT_INK);
    }
    legend.draw(&mut picture, [field.right() + 18.0, TOP]);
    Ok(picture)
}

fn is_finite(point: &[f32; 2]) -> bool {
    point.iter().all(|value| value.is_finite())
}

/// Where points lie in the field.
struct View {
    centre: [f64; 2],
    scale: f64,
    field: Area,
}

impl View {
    fn new(points: &[[f32; 2]], field: Area) -> Self {
        let range = |axis: usize| {
            let values = points.iter().filter(|point| is_finite(point)).map(|point| f64::from(point[axis]));
            values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| [low.min(value), high.max(value)])
        };
        let ranges = [range(0), range(1)];
        let length = ranges.iter().map(|[low, high]| high - low).fold(0.0, f64::max);
        // One point, or none, lies in the middle.
        let scale = if length > 0.0 { 0.94 * field.width / length } else { 1.0 };
        Self { centre: ranges.map(|[low, high]| 0.5 * (low + high)), scale, field }
    }

    fn place(&self, [x, y]: [f32; 2]) -> [f64; 2] {
        let [left, up] =
            [f64::from(x) - self.centre[0], f64::from(y) - self.centre[1]].map(|offset| offset * self.scale);
        [self.field.x + 0.5 * self.field.width + left, self.field.y + 0.5 * self.field.height - up]
    }
}

/// The classes that occur, in columns as high as the field.
struct Legend {
    entries: Vec<(Option<Colour>, String)>,
    column: f64,
}

impl Legend {
    fn new(classes: &BTreeSet<usize>, names: &[String], count: usize) -> Self {
        let entry = |class: &usize| {
            (Some(Colour::of(*class, count)), font::fitted(&class_name(names, *class), LABEL, LONGEST_NAME))
        };
        let mut entries: Vec<_> = classes.iter().take(MOST_CLASSES).map(entry).collect();
        if classes.len() > MOST_CLASSES {
            entries.push((None, format!("and {} more", grouped((classes.len() - MOST_CLASSES) as u64))));
        }
        let widest = entries.iter().map(|(_, name)| font::width(name, LABEL)).fold(0.0, f64::max);
        Self { entries, column: widest.ceil() + 34.0 }
    }

    fn rows() -> usize {
        (SIDE / LINE) as usize
    }

    fn width(&self) -> f64 {
        // As wide as the other pictures, at least.
        (self.column * self.entries.len().div_ceil(Self::rows()) as f64).max(800.0 - SIDE - 2.0 * MARGIN - 18.0)
    }

    fn draw(&self, picture: &mut Picture, [left, top]: [f64; 2]) {
        for (index, (colour, name)) in self.entries.iter().enumerate() {
            let x = left + (index / Self::rows()) as f64 * self.column;
            let y = top + LINE * ((index % Self::rows()) as f64 + 0.5);
            if let Some(colour) = colour {
                picture.dot([x + 5.0, y], 4.5, *colour);
            }
            picture.text([x + 15.0, y + 4.0], name.as_str(), LABEL, Anchor::Start, INK);
        }
    }
}
