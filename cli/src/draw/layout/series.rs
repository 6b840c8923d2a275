//! One thing beneath the other, and long series in columns.

use super::super::flow::Flow;
use super::super::model::{Content, Node};
use super::{Mark, Piece, Port, Space, bar, lines, valley};

/// The space between two columns, with the line from one to the next in it.
const GUTTER: f64 = 44.0;
/// The space above and beneath columns for that line.
const TURN: f64 = 14.0;

impl<'a> Space<'a> {
    pub(super) fn series(&self, items: &[Flow]) -> Piece {
        if let Some(valley) = valley::find(items, self.level) {
            return self.valley(&valley);
        }
        let pieces = self.pieces(items);
        let gaps: Vec<f64> = pieces.windows(2).map(|pair| lines::gap(&pair[0], &pair[1])).collect();
        let columns = match self.most_height {
            Some(most) => columns(&pieces, &gaps, most),
            None => vec![pieces.len()],
        };
        let mut pieces = pieces.into_iter();
        let columns: Vec<Piece> = columns.iter().map(|length| stack(pieces.by_ref().take(*length))).collect();
        side_by_side(columns)
    }

    /// The pieces of the items, of which joins know what is above them.
    pub(super) fn pieces(&self, items: &[Flow]) -> Vec<Piece> {
        let level = self.level;
        let node_at = |index: usize| match items.get(index) {
            Some(Flow::Node(node)) => Some(&level.nodes[*node]),
            _ => None,
        };
        let mut pieces: Vec<Piece> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let piece = match item {
                Flow::Parallel(branches) => Space { most_height: None, ..*self }.parallel(branches, node_at(index + 1)),
                Flow::Node(node) => {
                    let node: &Node = &level.nodes[*node];
                    let is_last = matches!(node_at(index + 1).map(|node| &node.content), Some(Content::Exit));
                    let space = if is_last { *self } else { Space { shown_outside: &[], ..*self } };
                    match (&node.content, pieces.last()) {
                        (Content::Bar(words), Some(above)) if above.bottoms.len() > 1 => {
                            space.bar_beneath(words, node, above)
                        }
                        _ => space.node(node),
                    }
                }
                _ => self.flow(item),
            };
            pieces.push(piece);
        }
        pieces
    }

    /// A concatenation as wide as the lines that come down to it.
    fn bar_beneath(&self, words: &str, node: &Node, above: &Piece) -> Piece {
        let wanted = || above.bottoms.iter().filter(|port| node.takes.contains(&port.value)).map(|port| port.x);
        let left = above.exit_axis - wanted().fold(above.exit_axis, f64::min);
        let right = wanted().fold(above.exit_axis, f64::max) - above.exit_axis;
        // The shape beneath is written once the bar has its width.
        let mut piece = bar::bar(words, node, left, right);
        let offset = piece.axis - above.exit_axis;
        let plain = self.node(node);
        piece.tops = plain.tops;
        bar::spread(&mut piece, &above.bottoms, offset);
        piece.bottoms = plain.bottoms.iter().map(|port| Port { x: piece.axis, ..*port }).collect();
        if node.shows_shape && !node.gives.iter().all(|value| self.shown_outside.contains(value)) {
            super::leaf::write_shape(&mut piece, node);
        }
        piece
    }
}

/// How many pieces go into each column, so that none is higher than `most` unless a single piece is.
///
/// A column ends only where one value goes on, to one place. Of all heights that need the same number of columns, the
/// least makes them alike.
fn columns(pieces: &[Piece], gaps: &[f64], most: f64) -> Vec<usize> {
    let total: f64 = pieces.iter().map(|piece| piece.height).sum::<f64>() + gaps.iter().sum::<f64>();
    // A little more than a column is better than a short second one.
    if total <= 1.3 * most || pieces.is_empty() {
        return vec![pieces.len()];
    }
    let wanted = filled(pieces, gaps, most);
    let (mut low, mut high) = (total / wanted.len() as f64, most);
    for _ in 0..16 {
        let middle = (low + high) / 2.0;
        if filled(pieces, gaps, middle).len() > wanted.len() { low = middle } else { high = middle }
    }
    filled(pieces, gaps, high)
}

/// Columns filled one after the other up to a height.
fn filled(pieces: &[Piece], gaps: &[f64], most: f64) -> Vec<usize> {
    let may_end = |last: &Piece, next: &Piece| {
        let one_value = last.bottoms.len() == 1 && next.tops.len() == 1 && next.side.is_none();
        one_value && last.height > 0.0 && next.height > 0.0
    };
    let mut columns = Vec::new();
    let (mut start, mut end, mut height) = (0, 0, 0.0);
    while end < pieces.len() {
        // Pieces that stay together.
        let mut next = end + 1;
        while next < pieces.len() && !may_end(&pieces[next - 1], &pieces[next]) {
            next += 1;
        }
        let between: f64 = gaps[end..next - 1].iter().sum();
        let part = pieces[end..next].iter().map(|piece| piece.height).sum::<f64>() + between;
        let gap = if end > start { gaps[end - 1] } else { 0.0 };
        if end > start && height + gap + part > most {
            columns.push(end - start);
            (start, height) = (end, part);
        } else {
            height += gap + part;
        }
        end = next;
    }
    columns.push(end - start);
    columns
}

/// Puts pieces beneath each other along their axes, with the lines between them.
pub fn stack(pieces: impl Iterator<Item = Piece>) -> Piece {
    let mut whole = Piece::default();
    let (mut left, mut right) = (0.0f64, 0.0f64);
    for (index, mut piece) in pieces.enumerate() {
        let gap = if index == 0 { 0.0 } else { lines::gap(&whole, &piece) };
        let x = whole.exit_axis - piece.axis;
        let y = whole.height + gap;
        piece.shift(x, y);
        if index == 0 {
            whole.tops = std::mem::take(&mut piece.tops);
        } else {
            lines::connect(&mut whole.marks, &whole.bottoms, &piece, whole.height, y);
        }
        (left, right) = (left.min(x), right.max(x + piece.width));
        whole.height = y + piece.height;
        whole.exit_axis = piece.exit_axis;
        whole.bottoms = std::mem::take(&mut piece.bottoms);
        whole.marks.append(&mut piece.marks);
    }
    whole.shift(-left, 0.0);
    whole.width = right - left;
    whole
}

/// Puts columns beside each other, the end of one connected with the start of the next.
fn side_by_side(mut columns: Vec<Piece>) -> Piece {
    if columns.len() == 1 {
        return columns.remove(0);
    }
    let deepest = columns.iter().map(|column| column.height).fold(0.0, f64::max);
    let count = columns.len();
    let height = deepest + 2.0 * TURN;
    let mut whole = Piece { height, ..Piece::default() };
    let mut x = 0.0;
    let mut open: Option<(Port, f64, f64)> = None;
    for (index, mut column) in columns.into_iter().enumerate() {
        column.shift(x, if index == 0 { 0.0 } else { TURN });
        let top = if index == 0 { 0.0 } else { TURN };
        if let Some((port, bottom, gutter)) = open.take() {
            let arrow = column.tops.iter().any(|port| port.arrow);
            let turn = bottom + TURN;
            let points = vec![
                [port.x, bottom],
                [port.x, turn],
                [gutter, turn],
                [gutter, 0.0],
                [column.axis, 0.0],
                [column.axis, top],
            ];
            whole.marks.push(Mark::Line { points, arrow, dashed: port.dashed });
        } else {
            whole.tops = column.tops.clone();
            whole.axis = column.axis;
        }
        let bottom = top + column.height;
        if index + 1 == count {
            whole.exit_axis = column.exit_axis;
            for port in &column.bottoms {
                let points = vec![[port.x, bottom], [port.x, height]];
                whole.marks.push(Mark::Line { points, arrow: false, dashed: port.dashed });
            }
            whole.bottoms = std::mem::take(&mut column.bottoms);
        } else if let Some(port) = column.bottoms.first() {
            open = Some((*port, bottom, x + column.width + GUTTER / 2.0));
        }
        x += column.width + GUTTER;
        whole.marks.append(&mut column.marks);
    }
    whole.width = x - GUTTER;
    whole
}
