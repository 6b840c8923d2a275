//! Lines between a piece and the one beneath it.

use super::{Mark, Piece, Port};

/// The space where all lines are straight.
const STRAIGHT: f64 = 16.0;
/// The same between the frame of a block and what is in it.
const AT_A_FRAME: f64 = 3.0;
/// The space for a turn, before the first horizontal part and after the last.
const TURN: f64 = 9.0;
const ARROW: f64 = 13.0;
/// The distance between two horizontal parts.
const TRACK: f64 = 7.0;

/// A line from a port above to a port beneath.
#[derive(Clone, Copy)]
struct Wire {
    from: Port,
    to: Port,
}

/// The space between two pieces stacked along their axes.
pub fn gap(above: &Piece, beneath: &Piece) -> f64 {
    let offset = above.exit_axis - beneath.axis;
    let tops: Vec<Port> = beneath.tops.iter().map(|port| Port { x: port.x + offset, ..*port }).collect();
    let wires = wires(&above.bottoms, &tops);
    let turning: Vec<Wire> = wires.into_iter().filter(|wire| turns(wire) && beneath.side.is_none()).collect();
    match tracks(&turning).into_iter().max() {
        None if is_port(above) || is_port(beneath) => AT_A_FRAME,
        None => STRAIGHT,
        Some(last) => TURN + last as f64 * TRACK + ARROW,
    }
}

/// Whether a piece is only the place where a value comes into a block or leaves it.
fn is_port(piece: &Piece) -> bool {
    piece.height == 0.0 && piece.width == 0.0 && piece.marks.is_empty() && !piece.tops.is_empty()
}

/// Draws the lines between ports at the height `y` and the tops of a piece at the height `end`.
pub fn connect(marks: &mut Vec<Mark>, bottoms: &[Port], beneath: &Piece, y: f64, end: f64) {
    let wires = wires(bottoms, &beneath.tops);
    let line = |points: Vec<[f64; 2]>, wire: &Wire| Mark::Line {
        points,
        arrow: wire.to.arrow,
        dashed: wire.from.dashed || wire.to.dashed,
    };
    if let Some([middle, radius]) = beneath.side {
        for wire in &wires {
            let points = if turns(wire) {
                let edge = if wire.from.x < wire.to.x { wire.to.x - radius } else { wire.to.x + radius };
                vec![[wire.from.x, y], [wire.from.x, middle], [edge, middle]]
            } else {
                vec![[wire.from.x, y], [wire.to.x, end]]
            };
            marks.push(line(points, wire));
        }
        return;
    }
    for wire in wires.iter().filter(|wire| !turns(wire)) {
        marks.push(line(vec![[wire.from.x, y], [wire.to.x, end]], wire));
    }
    let turning: Vec<Wire> = wires.into_iter().filter(turns).collect();
    for (wire, track) in turning.iter().zip(tracks(&turning)) {
        let level = y + TURN + track as f64 * TRACK;
        let points = vec![[wire.from.x, y], [wire.from.x, level], [wire.to.x, level], [wire.to.x, end]];
        marks.push(line(points, wire));
    }
}

/// Draws only what goes straight down, between the rows of a tangle.
pub fn connect_straight(marks: &mut Vec<Mark>, bottoms: &[Port], beneath: &Piece, y: f64, end: f64) {
    for wire in wires(bottoms, &beneath.tops) {
        let middle = (y + end) / 2.0;
        let points = if turns(&wire) {
            vec![[wire.from.x, y], [wire.from.x, middle], [wire.to.x, middle], [wire.to.x, end]]
        } else {
            vec![[wire.from.x, y], [wire.to.x, end]]
        };
        marks.push(Mark::Line { points, arrow: wire.to.arrow, dashed: wire.from.dashed || wire.to.dashed });
    }
}

fn turns(wire: &Wire) -> bool {
    (wire.from.x - wire.to.x).abs() > 0.25
}

fn wires(bottoms: &[Port], tops: &[Port]) -> Vec<Wire> {
    let from = |top: &Port| bottoms.iter().find(|port| port.value == top.value);
    tops.iter().filter_map(|top| from(top).map(|port| Wire { from: *port, to: *top })).collect()
}

/// The height of each line's horizontal part. Lines to one place, or from one place, share theirs.
fn tracks(wires: &[Wire]) -> Vec<usize> {
    let same = |a: f64, b: f64| (a - b).abs() < 0.25;
    let one_target = wires.windows(2).all(|pair| same(pair[0].to.x, pair[1].to.x));
    if one_target {
        return vec![0; wires.len()];
    }
    let mut sources: Vec<f64> = Vec::new();
    wires
        .iter()
        .map(|wire| {
            sources.iter().position(|x| same(*x, wire.from.x)).unwrap_or_else(|| {
                sources.push(wire.from.x);
                sources.len() - 1
            })
        })
        .collect()
}
