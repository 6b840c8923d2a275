//! Lines over axes, in one or several panels with one legend.

use super::axis::Axis;
use super::colour::{FRAME, GRID, INK, SOFT_INK};
use super::picture::{Anchor, Area, HEADING, LABEL};
use super::{Colour, Picture, font};

/// The width of the picture.
const WIDTH: f64 = 800.0;
/// The empty border around it.
const MARGIN: f64 = 24.0;
/// The height of a panel with its heading and axis.
const PANEL: f64 = 330.0;
/// Between two panels.
const GAP: f64 = 28.0;
/// The most points that are also shown as dots.
const MOST_DOTS: usize = 30;
/// The height of a line of the legend.
const LEGEND_LINE: f64 = 20.0;
/// The length of the line before a name of the legend.
const SAMPLE: f64 = 22.0;
/// The widest name of the legend.
const LONGEST_NAME: f64 = 240.0;

/// Lines over axes: panels side by side, two in a row, and a legend beneath.
///
/// ```
/// use cnn_train::plot::{Chart, Colour, Legend, Panel, Series};
///
/// // What a search for the learning rate found.
/// let points = vec![[1e-5, 2.3], [1e-4, 2.1], [1e-3, 1.2], [1e-2, 0.9], [1e-1, 3.0]];
/// let colour = Colour::of(0, 1);
/// let chart = Chart {
///     title: "Learning rate".into(),
///     panels: vec![Panel {
///         title: "loss".into(),
///         x: "learning rate".into(),
///         log_x: true,
///         series: vec![Series { points, colour, dashed: false }],
///         mark: Some((3e-3, "3e−3".into())),
///         ..Panel::default()
///     }],
///     legend: vec![Legend { name: "loss".into(), colour, dashed: false }],
/// };
/// assert!(chart.picture().svg().contains("learning rate"));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    /// What stands above all.
    pub title: String,
    /// The panels.
    pub panels: Vec<Panel>,
    /// What the lines mean.
    pub legend: Vec<Legend>,
}

/// A pair of axes and the lines over them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Panel {
    /// What the values are, above them.
    pub title: String,
    /// The name of the horizontal axis, beneath it.
    pub x: String,
    /// Whether the horizontal axis has steps of equal factors; what is not above 0 is a gap then.
    pub log_x: bool,
    /// Whether the vertical axis has them.
    pub log_y: bool,
    /// What the vertical axis does not go beyond.
    pub limits: Option<[f64; 2]>,
    /// The lines.
    pub series: Vec<Series>,
    /// A place on the horizontal axis that is marked, and its name.
    pub mark: Option<(f64, String)>,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its points, from left to right. Where one is not finite, the line has a gap.
    pub points: Vec<[f64; 2]>,
    /// Its colour.
    pub colour: Colour,
    /// Whether it is dashed.
    pub dashed: bool,
}

/// The name of a kind of lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Legend {
    /// The name; names that are too long are cut.
    pub name: String,
    /// Their colour.
    pub colour: Colour,
    /// Whether they are dashed.
    pub dashed: bool,
}

impl Chart {
    /// The picture, 800 pixels wide.
    pub fn picture(&self) -> Picture {
        let legend = self.legend_places();
        let lines = legend.last().map_or(0, |(line, ..)| line + 1);
        let rows = self.panels.len().div_ceil(2);
        let top = if self.title.is_empty() { 12.0 } else { 48.0 };
        let height = top + PANEL * rows as f64 + LEGEND_LINE * lines as f64 + 16.0;
        let mut picture = Picture::new(WIDTH, height, &self.title);
        picture.heading(MARGIN);
        for (index, panel) in self.panels.iter().enumerate() {
            let columns = self.panels.len().min(2) as f64;
            let width = (WIDTH - 2.0 * MARGIN - GAP * (columns - 1.0)) / columns;
            let x = MARGIN + (index % 2) as f64 * (width + GAP);
            let y = top + (index / 2) as f64 * PANEL;
            panel.draw(&mut picture, Area { x, y, width, height: PANEL });
        }
        for ((line, x, name), entry) in legend.into_iter().zip(&self.legend) {
            let y = top + PANEL * rows as f64 + LEGEND_LINE * (line as f64 + 0.5);
            picture.line(vec![[x, y], [x + SAMPLE, y]], entry.colour, 2.0, entry.dashed);
            picture.text([x + SAMPLE + 7.0, y + 4.0], name, LABEL, Anchor::Start, INK);
        }
        picture
    }

    /// The line, the left end, and the name as far as it fits, of each entry of the legend.
    fn legend_places(&self) -> Vec<(usize, f64, String)> {
        let (mut line, mut x) = (0, MARGIN);
        let mut places = Vec::new();
        for entry in &self.legend {
            let name = font::fitted(&entry.name, LABEL, LONGEST_NAME);
            let width = SAMPLE + 7.0 + font::width(&name, LABEL);
            if x > MARGIN && x + width > WIDTH - MARGIN {
                (line, x) = (line + 1, MARGIN);
            }
            places.push((line, x, name));
            x += width + 22.0;
        }
        places
    }
}

impl Panel {
    fn draw(&self, picture: &mut Picture, area: Area) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        // What one axis cannot show does not lengthen the other.
        let marked = self.mark.iter().map(|(x, _)| *x);
        let y_axis = Axis::new(points().filter(|[x, _]| x.is_finite()).map(|[_, y]| *y), self.log_y, 0.05, self.limits);
        let x_axis = Axis::new(points().map(|[x, _]| *x).chain(marked), self.log_x, 0.02, None);

        let y_ticks = y_axis.ticks(6);
        let widest = y_ticks.iter().map(|(_, text)| font::width(text, LABEL)).fold(0.0, f64::max);
        let left = area.x + widest.ceil() + 8.0;
        let plot = Area { x: left, y: area.y + 22.0, width: area.right() - left, height: area.height - 22.0 - 52.0 };

        picture.text(
            [plot.x, area.y + 12.0],
            font::fitted(&self.title, HEADING, plot.width),
            HEADING,
            Anchor::Start,
            INK,
        );
        for (place, text) in y_ticks {
            let y = plot.bottom() - place * plot.height;
            picture.line(vec![[plot.x, y], [plot.right(), y]], GRID, 1.0, false);
            picture.text([plot.x - 7.0, y + 4.0], text, LABEL, Anchor::End, SOFT_INK);
        }
        for (place, text) in fitting_ticks(&x_axis, plot.width) {
            let x = plot.x + place * plot.width;
            picture.line(vec![[x, plot.y], [x, plot.bottom()]], GRID, 1.0, false);
            picture.text([x, plot.bottom() + 17.0], text, LABEL, Anchor::Middle, SOFT_INK);
        }
        let x_name = font::fitted(&self.x, LABEL, plot.width);
        picture.text([plot.x + 0.5 * plot.width, plot.bottom() + 35.0], x_name, LABEL, Anchor::Middle, INK);

        let to_plot = |[x, y]: [f64; 2]| {
            let (x, y) = (x_axis.place(x)?, y_axis.place(y)?);
            Some([plot.x + x * plot.width, plot.bottom() - y * plot.height])
        };
        let mut is_empty = true;
        for series in &self.series {
            is_empty &= !draw_series(picture, series, to_plot);
        }
        if is_empty {
            let middle = [plot.x + 0.5 * plot.width, plot.y + 0.5 * plot.height];
            picture.text(middle, "no values that can be shown", LABEL, Anchor::Middle, SOFT_INK);
        }
        if let Some((value, name)) = &self.mark
            && let Some(place) = x_axis.place(*value)
        {
            let x = plot.x + place * plot.width;
            let (anchor, beside) = if place < 0.5 { (Anchor::Start, 5.0) } else { (Anchor::End, -5.0) };
            picture.line(vec![[x, plot.y], [x, plot.bottom()]], SOFT_INK, 1.2, true);
            let name = font::fitted(name, LABEL, 0.5 * plot.width);
            picture.text([x + beside, plot.y + 14.0], name, LABEL, anchor, INK);
        }
        picture.frame(plot, FRAME);
    }
}

/// As many numbers beneath an axis as have room beside each other.
fn fitting_ticks(axis: &Axis, width: f64) -> Vec<(f64, String)> {
    let fits = |ticks: &Vec<(f64, String)>| {
        ticks.windows(2).all(|pair| {
            let texts = 0.5 * (font::width(&pair[0].1, LABEL) + font::width(&pair[1].1, LABEL));
            (pair[1].0 - pair[0].0) * width >= texts + 14.0
        })
    };
    [8, 6, 5, 4, 3, 2, 1].into_iter().map(|most| axis.ticks(most)).find(fits).unwrap_or_default()
}

/// Draws a line with its gaps; whether there was anything to draw.
fn draw_series(picture: &mut Picture, series: &Series, to_plot: impl Fn([f64; 2]) -> Option<[f64; 2]>) -> bool {
    let places: Vec<_> = series.points.iter().map(|point| to_plot(*point)).collect();
    let has_dots = places.len() <= MOST_DOTS;
    for part in places.split(Option::is_none) {
        let points: Vec<_> = part.iter().flatten().copied().collect();
        // A single point would be no line.
        if has_dots || points.len() == 1 {
            points.iter().for_each(|point| picture.dot(*point, 2.6, series.colour));
        }
        if points.len() > 1 {
            let width = if has_dots { 1.8 } else { 1.3 };
            picture.line(thinned(points), series.colour, width, series.dashed);
        }
    }
    places.iter().any(Option::is_some)
}

/// Of many points the lowest and the highest of each pixel's width, which look the same.
fn thinned(points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    if points.len() <= 2 * WIDTH as usize {
        return points;
    }
    let mut kept = Vec::new();
    for column in points.chunk_by(|a, b| a[0].floor() == b[0].floor()) {
        let by_height = |a: &(usize, &[f64; 2]), b: &(usize, &[f64; 2])| a.1[1].total_cmp(&b.1[1]);
        let low = column.iter().enumerate().min_by(by_height);
        let high = column.iter().enumerate().max_by(by_height);
        let (Some((low, _)), Some((high, _))) = (low, high) else { continue };
        kept.push(column[low.min(high)]);
        if low != high {
            kept.push(column[low.max(high)]);
        }
    }
    kept
}
