//! Concatenations: bars that every branch comes down to.

use super::super::kind::Kind;
use super::super::model::Node;
use super::leaf::text;
use super::{Anchor, Area, Mark, Piece, Port, Style};

const HEIGHT: f64 = 18.0;
/// How far the bar goes on past the outermost lines.
const OVERHANG: f64 = 16.0;

/// A bar that reaches so far to the left and to the right of its axis, and as far as its words need.
pub fn bar(words: &str, node: &Node, left: f64, right: f64) -> Piece {
    let half = Style::Row.width(words) / 2.0 + 10.0;
    let (left, right) = ((left + OVERHANG).max(half), (right + OVERHANG).max(half));
    let width = left + right;
    let area = Area { x: 0.0, y: 0.0, width, height: HEIGHT };
    let stacked = node.repeat > 1;
    let marks = vec![
        Mark::Box { area, radius: 3.0, fill: Kind::Join, stacked, upward: false, dashed: node.train_only },
        text(width / 2.0, 12.5, Anchor::Middle, Style::Row, words),
    ];
    Piece { width, height: HEIGHT, axis: left, exit_axis: left, marks, ..Piece::default() }
}

/// Moves the bar's ports to where the values come from, so that all lines to it are straight.
pub fn spread(piece: &mut Piece, above: &[Port], offset: f64) {
    for top in &mut piece.tops {
        if let Some(port) = above.iter().find(|port| port.value == top.value) {
            top.x = port.x + offset;
        }
    }
}
