//! Where everything goes. Boxes are stacked from top to bottom and branches stand side by side, recursively; every
//! piece knows where values come in at its top and leave at its bottom, and whoever puts pieces together draws the lines.

mod bar;
mod group;
mod leaf;
mod lines;
mod parallel;
mod series;
mod tangle;
mod valley;

pub use leaf::SHEET;

use super::flow::Flow;
use super::kind::Kind;
use super::model::{Content, Drawing, Level, Node, Value};

/// Something to draw, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A frame around a block; dashed if it is none, or exists in training only.
    Frame { area: Area, dashed: bool, depth: usize },
    /// A box or circle, with sheets behind it if it repeats, beneath or above.
    Box { area: Area, radius: f64, fill: Kind, stacked: bool, upward: bool, dashed: bool },
    /// A row's colour, down to the end of its box, or up to it.
    Fill { area: Area, kind: Kind, upward: bool },
    /// A text: its middle, left or right end, and the base line.
    Text { x: f64, y: f64, anchor: Anchor, style: Style, text: String },
    /// A line along points, to an arrow's head if it has one.
    Line { points: Vec<[f64; 2]>, arrow: bool, dashed: bool },
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// Which part of a text is at its `x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The model's name.
    Title,
    /// What stands beneath it.
    Caption,
    /// The name of a block.
    Name,
    /// The definition of a block.
    Definition,
    /// `×n`.
    Repeat,
    /// The words of the layer that does the work.
    Head,
    /// The words of the others.
    Row,
    /// Labels and remarks.
    Remark,
    /// Shapes at the lines.
    Shape,
    /// The sign in a circle.
    Sign,
}

impl Style {
    /// The font's size.
    pub fn size(self) -> f64 {
        match self {
            Self::Title => 18.0,
            Self::Sign => 16.0,
            Self::Caption | Self::Head | Self::Repeat => 11.0,
            Self::Name | Self::Definition | Self::Row => 10.0,
            Self::Remark | Self::Shape => 9.0,
        }
    }

    /// Whether it is bold.
    pub fn is_bold(self) -> bool {
        matches!(self, Self::Title | Self::Name | Self::Repeat)
    }

    /// How wide a text is.
    pub fn width(self, text: &str) -> f64 {
        super::text::width(text, self.size(), self.is_bold())
    }
}

/// Where a value comes in or leaves.
#[derive(Debug, Clone, Copy)]
struct Port {
    value: Value,
    x: f64,
    /// Whether a line that ends here has an arrow's head.
    arrow: bool,
    dashed: bool,
}

/// A part of the drawing, its left upper corner at the origin.
#[derive(Debug, Default)]
struct Piece {
    width: f64,
    height: f64,
    /// Where the line along which pieces are stacked comes in.
    axis: f64,
    /// Where it leaves.
    exit_axis: f64,
    tops: Vec<Port>,
    bottoms: Vec<Port>,
    /// For circles: the middle's distance from the top and the radius; lines from the side end there.
    side: Option<[f64; 2]>,
    marks: Vec<Mark>,
}

/// The whole picture.
#[derive(Debug)]
pub struct Picture {
    pub width: f64,
    pub height: f64,
    pub marks: Vec<Mark>,
}

/// The space around the picture.
const MARGIN: f64 = 20.0;
/// The space beneath the title.
const TITLE: f64 = 52.0;
/// Width to height of a page.
const PAGE: f64 = 0.74;
/// Heights at which long series are broken into columns; the one that suits a page best is taken.
const HEIGHTS: &[f64] = &[f64::INFINITY, 2600.0, 2200.0, 1900.0, 1600.0, 1400.0, 1200.0, 1000.0, 850.0];

/// Lays a drawing out.
pub fn picture(drawing: &Drawing) -> Picture {
    let mut best: Option<(f64, Piece)> = None;
    for most in HEIGHTS {
        let piece = Space { level: &drawing.root, depth: 0, most_height: Some(*most), shown_outside: &[] }
            .flow(&drawing.root.flow);
        let badness = badness(piece.width, piece.height);
        if best.as_ref().is_none_or(|(least, _)| badness < *least) {
            best = Some((badness, piece));
        }
    }
    let mut piece = best.map(|(_, piece)| piece).unwrap_or_default();
    piece.shift(MARGIN, MARGIN + TITLE);
    let mut marks = std::mem::take(&mut piece.marks);
    let mut width = piece.width;
    for (style, y, text) in [(Style::Title, 18.0, &drawing.title), (Style::Caption, 36.0, &drawing.caption)] {
        width = width.max(style.width(text));
        marks.push(Mark::Text { x: MARGIN, y: MARGIN + y, anchor: Anchor::Start, style, text: text.clone() });
    }
    Picture { width: width + 2.0 * MARGIN, height: piece.height + TITLE + 2.0 * MARGIN, marks }
}

/// How far a size is from that of a page. What fits on a page without columns is fine as it is.
fn badness(width: f64, height: f64) -> f64 {
    if height <= 1200.0 && width <= 1200.0 { 0.0 } else { (width / height / PAGE).ln().abs() }
}

/// What holds for the part of the drawing that is laid out.
#[derive(Clone, Copy)]
struct Space<'a> {
    level: &'a Level,
    /// How many frames are around it.
    depth: usize,
    /// Where a series is broken into columns; `None` where it is not.
    most_height: Option<f64>,
    /// The values whose shapes are written outside, beneath the frame.
    shown_outside: &'a [Value],
}

impl<'a> Space<'a> {
    fn flow(&self, flow: &Flow) -> Piece {
        match flow {
            Flow::Node(node) => self.node(&self.level.nodes[*node]),
            Flow::Series(items) => self.series(items),
            Flow::Parallel(items) => Self { most_height: None, ..*self }.parallel(items, None),
            Flow::Lane(value) => Self::lane(*value),
            Flow::Tangle(nodes) => Self { most_height: None, ..*self }.tangle(nodes),
        }
    }

    fn node(&self, node: &Node) -> Piece {
        let mut piece = match &node.content {
            Content::Entry | Content::Exit => Piece::default(),
            Content::Terminal(name) => leaf::terminal(name, node),
            Content::Rows(rows) => leaf::rows(rows, node),
            Content::Circle(sign) => leaf::circle(sign, node),
            Content::Bar(words) => bar::bar(words, node, 0.0, 0.0),
            Content::Group(group) => self.group(group, node),
        };
        let is_port = matches!(node.content, Content::Entry | Content::Exit);
        if !matches!(node.content, Content::Group(_)) {
            let port = |value: &Value| Port { value: *value, x: piece.axis, arrow: !is_port, dashed: node.train_only };
            piece.tops = node.takes.iter().map(port).collect();
            piece.bottoms = node.gives.iter().map(port).collect();
        }
        let outside = node.gives.iter().all(|value| self.shown_outside.contains(value));
        if node.shows_shape && !outside {
            leaf::write_shape(&mut piece, node);
        }
        piece
    }

    fn lane(value: Value) -> Piece {
        let port = Port { value, x: 0.0, arrow: false, dashed: false };
        Piece { tops: vec![port], bottoms: vec![port], ..Piece::default() }
    }
}

impl Piece {
    /// Moves everything; the space it leaves at the left and at the top is not counted in the size.
    fn shift(&mut self, dx: f64, dy: f64) {
        self.axis += dx;
        self.exit_axis += dx;
        self.tops.iter_mut().chain(&mut self.bottoms).for_each(|port| port.x += dx);
        if let Some([middle, _]) = &mut self.side {
            *middle += dy;
        }
        self.marks.iter_mut().for_each(|mark| mark.shift(dx, dy));
    }

    /// Makes room at the left.
    fn indent(&mut self, dx: f64) {
        self.shift(dx, 0.0);
        self.width += dx;
    }
}

impl Mark {
    fn shift(&mut self, dx: f64, dy: f64) {
        match self {
            Self::Frame { area, .. } | Self::Box { area, .. } | Self::Fill { area, .. } => {
                area.x += dx;
                area.y += dy;
            }
            Self::Text { x, y, .. } => {
                *x += dx;
                *y += dy;
            }
            Self::Line { points, .. } => points.iter_mut().for_each(|[x, y]| {
                *x += dx;
                *y += dy;
            }),
        }
    }
}
