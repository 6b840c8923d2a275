//! Nodes whose edges make neither a sequence nor branches: one beneath the other, with the other edges at the side.

use super::super::model::Value;
use super::{Mark, Piece, Port, Space, lines};
use std::collections::HashMap;

/// The distance between lanes, and of the first from the boxes.
const LANE: f64 = 9.0;
/// The space between two nodes, before anything turns, and for each turn.
const GAP: f64 = 18.0;
const TURN: f64 = 7.0;

/// A value's line at the side: the rows where it starts and ends, and those that take it.
struct Lane {
    value: Value,
    /// The row that gives it; `None` for a value from above.
    from: Option<usize>,
    /// The rows that take it, all but the one right beneath.
    to: Vec<usize>,
    /// Whether it goes on beneath everything.
    leaves: bool,
    /// Its place, counted from the boxes.
    place: usize,
}

impl Lane {
    /// The first and the last row it passes, in half rows.
    fn span(&self, rows: usize) -> (usize, usize) {
        let start = self.from.map_or(0, |row| 2 * row + 1);
        let end = if self.leaves { 2 * rows + 1 } else { self.to.iter().map(|row| 2 * row).max().unwrap_or(start) };
        (start, end)
    }
}

impl Space<'_> {
    pub(super) fn tangle(&self, nodes: &[usize]) -> Piece {
        let inside: Vec<Piece> = nodes.iter().map(|node| self.node(&self.level.nodes[*node])).collect();
        let mut lanes = self.lanes(nodes);
        place(&mut lanes, nodes.len());
        let left = inside.iter().map(|piece| piece.axis).fold(0.0, f64::max);
        let right = inside.iter().map(|piece| piece.width - piece.axis).fold(0.0, f64::max);
        let x_of = |lane: &Lane| left + right + LANE * (1.0 + lane.place as f64);
        let mut whole = Piece { axis: left, exit_axis: left, ..Piece::default() };
        whole.width = lanes.iter().map(x_of).fold(left + right, f64::max);
        // Where each lane turns in after a row, and where each row's values turn out.
        let mut starts: HashMap<Value, (f64, f64)> = HashMap::new();
        let mut y = 0.0;
        let mut bottoms: Vec<Port> = Vec::new();
        for lane in lanes.iter().filter(|lane| lane.from.is_none()) {
            starts.insert(lane.value, (x_of(lane), 0.0));
            whole.tops.push(Port { value: lane.value, x: x_of(lane), arrow: false, dashed: false });
        }
        for (row, mut piece) in inside.into_iter().enumerate() {
            let x = left - piece.axis;
            let arriving: Vec<&Lane> = lanes.iter().filter(|lane| lane.to.contains(&row)).collect();
            let leaving = lanes.iter().filter(|lane| lane.from.is_some() && lane.from == row.checked_sub(1)).count();
            let gap = GAP + TURN * (leaving + arriving.len()) as f64;
            piece.shift(x, y + gap);
            let mut track = y + TURN;
            for lane in lanes.iter().filter(|lane| lane.from.is_some() && lane.from == row.checked_sub(1)) {
                if let Some(port) = bottoms.iter().find(|port| port.value == lane.value) {
                    whole.marks.push(line(vec![[port.x, y], [port.x, track], [x_of(lane), track]], false));
                    starts.insert(lane.value, (x_of(lane), track));
                }
                track += TURN;
            }
            for lane in arriving {
                let Some(top) = piece.tops.iter().find(|top| top.value == lane.value) else { continue };
                let Some((x, start)) = starts.get(&lane.value) else { continue };
                let points = vec![[*x, *start], [*x, track], [top.x, track], [top.x, y + gap]];
                whole.marks.push(line(points, top.arrow));
                track += TURN;
            }
            lines::connect_straight(&mut whole.marks, &bottoms, &piece, y, y + gap);
            if row == 0 {
                // What the first row takes comes from above.
                for top in &piece.tops {
                    whole.marks.push(line(vec![[top.x, 0.0], [top.x, gap]], top.arrow));
                    whole.tops.push(Port { arrow: false, ..*top });
                }
            }
            y += gap + piece.height;
            bottoms = std::mem::take(&mut piece.bottoms);
            whole.marks.append(&mut piece.marks);
        }
        let last = nodes.len().checked_sub(1);
        let leaving: Vec<&Lane> = lanes.iter().filter(|lane| lane.leaves).collect();
        let end = y + GAP;
        for lane in leaving {
            if lane.from == last {
                continue;
            }
            let Some((x, start)) = starts.get(&lane.value) else { continue };
            whole.marks.push(line(vec![[*x, *start], [*x, end]], false));
            whole.bottoms.push(Port { value: lane.value, x: *x, arrow: false, dashed: false });
        }
        for port in bottoms {
            whole.marks.push(line(vec![[port.x, y], [port.x, end]], false));
            whole.bottoms.push(port);
        }
        whole.height = end;
        whole
    }

    /// The values that do not just go to the next row.
    fn lanes(&self, nodes: &[usize]) -> Vec<Lane> {
        let row_of: HashMap<usize, usize> = nodes.iter().enumerate().map(|(row, node)| (*node, row)).collect();
        let mut taken_outside: Vec<Value> = Vec::new();
        for node in self.level.flow.nodes() {
            if !row_of.contains_key(&node) {
                taken_outside.extend(&self.level.nodes[node].takes);
            }
        }
        let mut lanes: Vec<Lane> = Vec::new();
        let mut index_of: HashMap<Value, usize> = HashMap::new();
        for (row, node) in nodes.iter().enumerate() {
            let node = &self.level.nodes[*node];
            for value in &node.takes {
                let at = *index_of.entry(*value).or_insert_with(|| {
                    lanes.push(Lane { value: *value, from: None, to: Vec::new(), leaves: false, place: 0 });
                    lanes.len() - 1
                });
                let next = lanes[at].from.map_or(0, |from| from + 1);
                if row != next {
                    lanes[at].to.push(row);
                }
            }
            for value in &node.gives {
                index_of.insert(*value, lanes.len());
                let leaves = taken_outside.contains(value) && row + 1 < nodes.len();
                lanes.push(Lane { value: *value, from: Some(row), to: Vec::new(), leaves, place: 0 });
            }
        }
        lanes.retain(|lane| !lane.to.is_empty() || lane.leaves);
        lanes
    }
}

/// Gives each lane the place nearest to the boxes that is free all along it, short ones first.
fn place(lanes: &mut [Lane], rows: usize) {
    let mut order: Vec<usize> = (0..lanes.len()).collect();
    order.sort_by_key(|at| {
        let (start, end) = lanes[*at].span(rows);
        (end - start, start)
    });
    let mut taken: Vec<Vec<(usize, usize)>> = Vec::new();
    for at in order {
        let span = lanes[at].span(rows);
        let free = |spans: &Vec<(usize, usize)>| spans.iter().all(|(start, end)| *end < span.0 || span.1 < *start);
        let place = taken.iter().position(free).unwrap_or(taken.len());
        if place == taken.len() {
            taken.push(Vec::new());
        }
        taken[place].push(span);
        lanes[at].place = place;
    }
}

fn line(points: Vec<[f64; 2]>, arrow: bool) -> Mark {
    Mark::Line { points, arrow, dashed: false }
}
