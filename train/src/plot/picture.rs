//! A picture: marks in the order in which they are painted.

use super::{Colour, PlotError, colour, font};

/// A picture, as SVG text or as a PNG file.
///
/// ```
/// # fn main() -> Result<(), cnn_train::plot::PlotError> {
/// let mut confusion = cnn_train::Confusion::new(2);
/// confusion.add(1, &[0.0, 1.0]).expect("a label and a logit for each class");
/// let picture = cnn_train::plot::confusion(&confusion, &["cat".into(), "dog".into()]);
/// assert!(picture.svg().starts_with("<svg"));
/// assert!(picture.png(2.0)?.starts_with(b"\x89PNG"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) title: String,
    pub(super) marks: Vec<Mark>,
}

/// What is painted.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A filled rectangle.
    Rect { area: Area, fill: Colour },
    /// A line through points.
    Line { points: Vec<[f64; 2]>, colour: Colour, width: f64, dashed: bool },
    /// A filled circle.
    Dot { at: [f64; 2], radius: f64, colour: Colour },
    /// A text whose baseline begins, has its middle, or ends at a point.
    Text { at: [f64; 2], text: String, size: f64, anchor: Anchor, turn: Turn, colour: Colour },
    /// Pixels, row after row, stretched over an area.
    Image { area: Area, columns: usize, pixels: Vec<Colour> },
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Area {
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }
}

/// Where a text has its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    /// The part of the text that lies before the point.
    pub fn part(self) -> f64 {
        match self {
            Self::Start => 0.0,
            Self::Middle => 0.5,
            Self::End => 1.0,
        }
    }
}

/// The direction of a text: by how many degrees it is turned clockwise about its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    Slanting,
    Upward,
}

impl Turn {
    pub fn degrees(self) -> i32 {
        match self {
            Self::None => 0,
            Self::Slanting => -45,
            Self::Upward => -90,
        }
    }
}

/// The sizes of texts.
pub(super) const TITLE: f64 = 17.0;
pub(super) const HEADING: f64 = 13.0;
pub(super) const LABEL: f64 = 12.0;

impl Picture {
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        Self { width: width.ceil(), height: height.ceil(), title: title.to_owned(), marks: Vec::new() }
    }

    /// How many pixels wide the picture is, at the scale 1.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// How many pixels high the picture is, at the scale 1.
    pub fn height(&self) -> f64 {
        self.height
    }

    /// The picture as an SVG document: plain elements, nothing from outside, the same bytes every time.
    pub fn svg(&self) -> String {
        super::svg::write(self)
    }

    /// The picture as a PNG file; 2 makes twice as many pixels in each direction, for screens and paper that show them.
    ///
    /// # Errors
    /// When the picture has too many pixels, or the scale is not a positive number.
    pub fn png(&self, scale: f64) -> Result<Vec<u8>, PlotError> {
        super::png::render(self, scale)
    }

    pub(super) fn rect(&mut self, area: Area, fill: Colour) {
        self.marks.push(Mark::Rect { area, fill });
    }

    /// The outline of an area.
    pub(super) fn frame(&mut self, area: Area, colour: Colour) {
        let Area { x, y, .. } = area;
        let points = vec![[x, y], [area.right(), y], [area.right(), area.bottom()], [x, area.bottom()], [x, y]];
        self.marks.push(Mark::Line { points, colour, width: 1.0, dashed: false });
    }

    pub(super) fn line(&mut self, points: Vec<[f64; 2]>, colour: Colour, width: f64, dashed: bool) {
        self.marks.push(Mark::Line { points, colour, width, dashed });
    }

    pub(super) fn dot(&mut self, at: [f64; 2], radius: f64, colour: Colour) {
        self.marks.push(Mark::Dot { at, radius, colour });
    }

    pub(super) fn text(&mut self, at: [f64; 2], text: impl Into<String>, size: f64, anchor: Anchor, colour: Colour) {
        self.turned(at, text, size, anchor, Turn::None, colour);
    }

    pub(super) fn turned(
        &mut self,
        at: [f64; 2],
        text: impl Into<String>,
        size: f64,
        anchor: Anchor,
        turn: Turn,
        colour: Colour,
    ) {
        self.marks.push(Mark::Text { at, text: text.into(), size, anchor, turn, colour });
    }

    pub(super) fn image(&mut self, area: Area, columns: usize, pixels: Vec<Colour>) {
        self.marks.push(Mark::Image { area, columns, pixels });
    }

    /// The title above everything.
    pub(super) fn heading(&mut self, margin: f64) {
        let text = font::fitted(&self.title, TITLE, self.width - 2.0 * margin);
        self.text([margin, 28.0], text, TITLE, Anchor::Start, colour::INK);
    }
}
