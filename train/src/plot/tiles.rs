//! Parameters and values of layers as grids of small images.

use super::colour::{FRAME, INK, NOT_A_NUMBER, SOFT_INK};
use super::picture::{Anchor, Area, HEADING, LABEL};
use super::{Colour, Picture, PlotError, font};

const WIDTH: f64 = 800.0;
const MARGIN: f64 = 24.0;
const GAP: f64 = 6.0;
/// The largest side of a tile, and of one of many.
const LARGEST: f64 = 112.0;
const LARGEST_OF_PAIRS: f64 = 48.0;
/// Fewer tiles than this are in one row.
const LEAST_COLUMNS: usize = 6;
/// The size of the numbers above the tiles, and their line's height.
const NUMBER: f64 = 10.0;
const NUMBER_LINE: f64 = 13.0;
/// The most filters and the most channels of a layer that are shown.
const MOST_FILTERS: usize = 256;
const MOST_CHANNELS: usize = 64;
/// The most rows and columns of filters whose input channels are shown one by one.
const MOST_ROWS: usize = 16;

/// The filters of a convolution, `[output channels, input channels, height, width]` as PyTorch has them: each a tile with
/// its number. With one input channel they are grey, with three red, green and blue; otherwise there is a row of grey
/// tiles for each filter, one for each input channel, sixteen of both at most.
///
/// Each tile has its own scale, from its smallest value (black) to its largest (white); what is not finite is red.
///
/// ```
/// # fn main() -> Result<(), cnn_train::plot::PlotError> {
/// let edge = [1.0, 0.0, -1.0, 2.0, 0.0, -2.0, 1.0, 0.0, -1.0];
/// let picture = cnn_train::plot::filters("conv1", &edge, [1, 1, 3, 3])?;
/// assert_eq!(picture.svg().matches("<image").count(), 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the values do not fill the shape.
pub fn filters(name: &str, values: &[f32], shape: [usize; 4]) -> Result<Picture, PlotError> {
    let [outputs, inputs, height, width] = shape;
    check(name, values, &shape)?;
    let plane = height * width;
    let of = |output: usize| values.get(output * inputs * plane..(output + 1) * inputs * plane).unwrap_or(&[]);
    let section = if inputs == 1 || inputs == 3 {
        let tiles = (0..outputs.min(MOST_FILTERS)).map(|output| Tile {
            label: output.to_string(),
            columns: width,
            pixels: if inputs == 3 { rgb_pixels(of(output), plane) } else { grey_pixels(of(output)) },
        });
        Section { note: first_of(MOST_FILTERS, outputs), ..Section::new(String::new(), tiles.collect()) }
    } else {
        let pairs =
            (0..outputs.min(MOST_ROWS)).flat_map(|output| (0..inputs.min(MOST_ROWS)).map(move |input| (output, input)));
        let tiles = pairs.map(|(output, input)| Tile {
            label: format!("{output},{input}"),
            columns: width,
            pixels: grey_pixels(of(output).get(input * plane..(input + 1) * plane).unwrap_or(&[])),
        });
        let hidden = outputs > MOST_ROWS || inputs > MOST_ROWS;
        let shown = format!("the first {} and {}", outputs.min(MOST_ROWS), inputs.min(MOST_ROWS));
        Section {
            columns: inputs.min(MOST_ROWS),
            largest: LARGEST_OF_PAIRS,
            note: format!(
                "a row for each filter, a column for each input channel{}",
                if hidden { format!(": {shown}") } else { String::new() }
            ),
            ..Section::new(String::new(), tiles.collect())
        }
    };
    let filters = if outputs == 1 { "filter" } else { "filters" };
    let title = format!("{name}: {outputs} {filters} of {inputs}×{height}×{width}");
    Ok(draw(&title, &[section]))
}

/// The values of a layer for one example.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMaps {
    /// The layer.
    pub name: String,
    /// The values, `[channels, height, width]`.
    pub values: Vec<f32>,
    /// Channels, height and width; a vector has its length as channels, and height and width 1.
    pub shape: [usize; 3],
    /// Whether three channels are the red, green and blue of one picture, such as the example itself.
    pub rgb: bool,
}

/// What layers make of one example: a grid of tiles for each layer, one for each channel, 64 of them at most; of a vector
/// one row of pixels.
///
/// Each tile has its own scale, from its smallest value (black) to its largest (white); what is not finite is red.
///
/// ```
/// use cnn_train::plot::{FeatureMaps, features};
///
/// # fn main() -> Result<(), cnn_train::plot::PlotError> {
/// let values = (0..2 * 4 * 4).map(|value| value as f32).collect();
/// let maps = FeatureMaps { name: "conv1".into(), values, shape: [2, 4, 4], rgb: false };
/// assert_eq!(features("What LeNet sees", &[maps])?.svg().matches("<image").count(), 2);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When a layer's values do not fill its shape.
pub fn features(title: &str, layers: &[FeatureMaps]) -> Result<Picture, PlotError> {
    let sections: Result<Vec<_>, _> = layers.iter().map(feature_section).collect();
    Ok(draw(title, &sections?))
}

fn feature_section(maps: &FeatureMaps) -> Result<Section, PlotError> {
    let FeatureMaps { name, values, shape, rgb } = maps;
    check(name, values, shape)?;
    let [channels, height, width] = *shape;
    if *rgb && channels == 3 {
        let tile = Tile { label: String::new(), columns: width, pixels: rgb_pixels(values, height * width) };
        return Ok(Section::new(format!("{name}, 3×{height}×{width}"), vec![tile]));
    }
    if height * width == 1 {
        let tile = Tile { label: String::new(), columns: channels, pixels: grey_pixels(values) };
        return Ok(Section::new(format!("{name}, {channels} values"), vec![tile]));
    }
    let tile = |(channel, pixels): (usize, &[f32])| Tile {
        label: if channels == 1 { String::new() } else { channel.to_string() },
        columns: width,
        pixels: grey_pixels(pixels),
    };
    let tiles = values.chunks_exact((height * width).max(1)).take(MOST_CHANNELS).enumerate().map(tile).collect();
    let section = Section::new(format!("{name}, {channels}×{height}×{width}"), tiles);
    Ok(Section { note: first_of(MOST_CHANNELS, channels), ..section })
}

fn first_of(most: usize, count: usize) -> String {
    if count > most { format!("the first {most} of {count}") } else { String::new() }
}

fn check(what: &str, values: &[f32], shape: &[usize]) -> Result<(), PlotError> {
    let needed = shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side));
    if needed == Some(values.len()) {
        return Ok(());
    }
    Err(PlotError::Shape { what: what.to_owned(), values: values.len(), shape: shape.to_vec() })
}

/// The smallest value and what the largest is above it.
fn range(values: &[f32]) -> (f64, f64) {
    let finite = values.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value));
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    (low, high - low)
}

/// A value as a part of its range; the middle, where all are equal.
fn part(value: f32, (low, length): (f64, f64)) -> f64 {
    if length > 0.0 { (f64::from(value) - low) / length } else { 0.5 }
}

fn grey_pixels(values: &[f32]) -> Vec<Colour> {
    let range = range(values);
    let pixel = |value: &f32| if value.is_finite() { Colour::grey(part(*value, range)) } else { NOT_A_NUMBER };
    values.iter().map(pixel).collect()
}

fn rgb_pixels(values: &[f32], plane: usize) -> Vec<Colour> {
    let range = range(values);
    let level = |value: f32| (255.0 * part(value, range)).round() as u8;
    (0..plane)
        .map(|at| match [0, 1, 2].map(|channel| values.get(channel * plane + at).copied().unwrap_or(f32::NAN)) {
            parts if parts.iter().all(|value| value.is_finite()) => {
                Colour(level(parts[0]), level(parts[1]), level(parts[2]))
            }
            _ => NOT_A_NUMBER,
        })
        .collect()
}

/// A small image.
struct Tile {
    label: String,
    columns: usize,
    pixels: Vec<Colour>,
}

/// A grid of tiles of one size, with a heading.
struct Section {
    heading: String,
    note: String,
    tiles: Vec<Tile>,
    columns: usize,
    /// The largest side of a tile.
    largest: f64,
}

impl Section {
    fn new(heading: String, tiles: Vec<Tile>) -> Self {
        // Wider than high, as pages and screens are.
        let columns = (1.6 * tiles.len() as f64).sqrt().ceil().clamp(1.0, 16.0) as usize;
        Self { heading, note: String::new(), tiles, columns: columns.max(LEAST_COLUMNS), largest: LARGEST }
    }

    /// The size of a tile: a whole number of pixels for each value, when there is room for it.
    fn tile_size(&self) -> [f64; 2] {
        let Some(tile) = self.tiles.first() else { return [0.0; 2] };
        let columns = tile.columns.max(1);
        let (width, height) = (columns as f64, (tile.pixels.len() / columns).max(1) as f64);
        let room = (WIDTH - 2.0 * MARGIN + GAP) / self.columns.max(1) as f64 - GAP;
        // A row of values may be as wide as the picture.
        let room = if height == 1.0 && self.tiles.len() == 1 { WIDTH - 2.0 * MARGIN } else { room.min(self.largest) };
        let scale = (room / width.max(height)).min(self.largest / height);
        let scale = if scale >= 1.0 { scale.floor() } else { scale };
        [(scale * width).max(1.0), (scale * height).max(if height == 1.0 { 14.0 } else { 1.0 })]
    }

    fn is_labelled(&self) -> bool {
        let [width, _] = self.tile_size();
        let widest = self.tiles.iter().map(|tile| font::width(&tile.label, NUMBER)).fold(0.0, f64::max);
        widest > 0.0 && widest <= width + GAP - 2.0
    }

    /// The height of a row of tiles with their numbers.
    fn row_height(&self) -> f64 {
        self.tile_size()[1] + GAP + if self.is_labelled() { NUMBER_LINE } else { 0.0 }
    }

    fn height(&self) -> f64 {
        let rows = self.tiles.len().div_ceil(self.columns.max(1)) as f64;
        self.heading_height() + rows * self.row_height() + if self.note.is_empty() { 0.0 } else { 20.0 } + 10.0
    }

    fn heading_height(&self) -> f64 {
        if self.heading.is_empty() { 0.0 } else { 22.0 }
    }

    fn draw(&self, picture: &mut Picture, top: f64) {
        if !self.heading.is_empty() {
            let heading = font::fitted(&self.heading, HEADING, WIDTH - 2.0 * MARGIN);
            picture.text([MARGIN, top + 12.0], heading, HEADING, Anchor::Start, INK);
        }
        let [width, height] = self.tile_size();
        let (top, line) = (top + self.heading_height(), if self.is_labelled() { NUMBER_LINE } else { 0.0 });
        for (index, tile) in self.tiles.iter().enumerate() {
            let (row, column) = (index / self.columns.max(1), index % self.columns.max(1));
            let (x, y) = (MARGIN + column as f64 * (width + GAP), top + row as f64 * self.row_height() + line);
            if self.is_labelled() {
                picture.text([x, y - 3.0], tile.label.as_str(), NUMBER, Anchor::Start, SOFT_INK);
            }
            let area = Area { x, y, width, height };
            picture.image(area, tile.columns, tile.pixels.clone());
            picture.frame(area, FRAME);
        }
        if !self.note.is_empty() {
            let y = top + (self.height() - self.heading_height()) - 14.0;
            picture.text([MARGIN, y], self.note.as_str(), LABEL, Anchor::Start, SOFT_INK);
        }
    }
}

fn draw(title: &str, sections: &[Section]) -> Picture {
    let height = 48.0 + sections.iter().map(Section::height).sum::<f64>() + 14.0;
    let mut picture = Picture::new(WIDTH, height, title);
    picture.heading(MARGIN);
    let mut top = 48.0;
    for section in sections {
        section.draw(&mut picture, top);
        top += section.height();
    }
    picture
}
