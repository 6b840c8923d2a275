//! U-Nets: down the left arm, up the right one, and the skips straight across.
//!
//! A series has this form where skips are nested: what is before the fork goes to the left, the join and what follows it
//! to the right, and the branch between them is the next, deeper part.

use super::super::flow::Flow;
use super::super::model::{Content, Level};
use super::{Mark, Piece, Space, series};

/// The space beneath the left part, in which the skip leaves.
const FORK: f64 = 12.0;
/// The space for an arrow.
const ARROW: f64 = 16.0;
/// The space between the arms.
const BETWEEN: f64 = 64.0;

/// The items of a series around its deepest skip.
pub struct Valley<'a> {
    /// From the top: what is before each fork, and the join with what follows it.
    sides: Vec<[&'a [Flow]; 2]>,
    /// What is between the innermost fork and its join.
    bottom: &'a [Flow],
}

/// Finds two or more nested skips, where the whole ends in an output, which may then be at the top.
pub fn find<'a>(items: &'a [Flow], level: &Level) -> Option<Valley<'a>> {
    let ends = matches!(items.last(), Some(Flow::Node(node)) if level.nodes[*node].gives.is_empty());
    let mut valley = Valley { sides: Vec::new(), bottom: items };
    while let Some((at, inner)) = deepest(valley.bottom, level) {
        valley.sides.push([&valley.bottom[..at], &valley.bottom[at + 1..]]);
        valley.bottom = inner;
    }
    let complete = valley.sides.iter().flatten().all(|side| !side.is_empty()) && !valley.bottom.is_empty();
    (ends && complete && valley.sides.len() > 1).then_some(valley)
}

/// The item with the most skips nested in it, and the branch beside its skip.
fn deepest<'a>(items: &'a [Flow], level: &Level) -> Option<(usize, &'a [Flow])> {
    let skips = items.iter().enumerate().filter_map(|(at, item)| {
        let joins = matches!(items.get(at + 1), Some(Flow::Node(join))
            if matches!(level.nodes[*join].content, Content::Bar(_) | Content::Circle(_)));
        let (Flow::Parallel(branches), true) = (item, joins) else { return None };
        match branches.as_slice() {
            [Flow::Series(inner), Flow::Lane(_)] | [Flow::Lane(_), Flow::Series(inner)] => Some((at, inner.as_slice())),
            _ => None,
        }
    });
    skips.max_by_key(|(_, inner)| nesting(inner))
}

fn nesting(items: &[Flow]) -> usize {
    let inner = items.iter().filter_map(|item| match item {
        Flow::Parallel(branches) => branches
            .iter()
            .filter_map(|branch| match branch {
                Flow::Series(inner) => Some(1 + nesting(inner)),
                _ => None,
            })
            .max(),
        _ => None,
    });
    inner.max().unwrap_or(0)
}

impl Space<'_> {
    pub(super) fn valley(&self, valley: &Valley) -> Piece {
        let space = Self { most_height: None, ..*self };
        let stacked = |items: &[Flow]| series::stack(space.pieces(items).into_iter());
        let mut bottom = stacked(valley.bottom);
        let left: Vec<Piece> = valley.sides.iter().map(|[left, _]| stacked(left)).collect();
        let mut right: Vec<(Piece, Join)> = Vec::new();
        for [_, items] in &valley.sides {
            let join = space.flow(&items[0]);
            let mut piece = stacked(items);
            let height = piece.height;
            piece.marks.iter_mut().for_each(|mark| mark.flip(height));
            right.push((piece, Join::of(&join)));
        }
        let most = |pieces: &mut dyn Iterator<Item = f64>| pieces.fold(0.0, f64::max);
        let x = most(&mut left.iter().map(|piece| piece.axis));
        let reach = x + most(&mut left.iter().map(|piece| piece.width - piece.axis));
        let before = most(&mut right.iter().map(|(piece, _)| piece.axis));
        let far = (reach + BETWEEN + before).max(x + bottom.width);
        let width = far + most(&mut right.iter().map(|(piece, _)| piece.width - piece.axis));
        let mut whole = Piece { width, axis: x, exit_axis: x, ..Piece::default() };
        let line = |points: Vec<[f64; 2]>| Mark::Line { points, arrow: true, dashed: false };
        let mut start = 0.0;
        // Beneath the join of the row above.
        let mut free = 0.0;
        for (row, (mut left, (mut right, join))) in left.into_iter().zip(right).enumerate() {
            left.shift(x - left.axis, start);
            let end = start + left.height;
            let fork = (end + FORK).max(free + right.height - join.middle);
            let top = fork - right.height + join.middle;
            right.shift(far - right.axis, top);
            whole.marks.push(line(vec![[x, end], [x, fork], [far - join.half, fork]]));
            if row == 0 {
                whole.tops = std::mem::take(&mut left.tops);
            } else {
                // What comes up from here goes into the join above.
                whole.marks.push(line(vec![[far, top], [far, free - ARROW]]));
            }
            whole.marks.append(&mut left.marks);
            whole.marks.append(&mut right.marks);
            start = fork + ARROW;
            free = fork + join.middle + ARROW;
            let next = if row + 1 == valley.sides.len() { None } else { Some(start) };
            if let Some(next) = next {
                whole.marks.push(line(vec![[x, end], [x, next]]));
                continue;
            }
            // The bottom lies between the arms.
            let axis = ((x + far - bottom.width) / 2.0).floor() + bottom.axis;
            let y = free + ARROW;
            bottom.shift(axis - bottom.axis, y);
            whole.marks.push(line(vec![[x, end], [x, free], [axis, free], [axis, y]]));
            let exit = y + bottom.height;
            let turn = exit + FORK;
            whole.marks.push(line(vec![
                [bottom.exit_axis, exit],
                [bottom.exit_axis, turn],
                [far, turn],
                [far, free - ARROW],
            ]));
            whole.marks.append(&mut bottom.marks);
            whole.height = turn + 2.0;
        }
        whole
    }
}

/// What a skip across needs to know of its join.
struct Join {
    /// Half its width.
    half: f64,
    /// Half its height.
    middle: f64,
}

impl Join {
    fn of(piece: &Piece) -> Self {
        let area = piece.marks.iter().find_map(|mark| match mark {
            Mark::Box { area, .. } => Some(*area),
            _ => None,
        });
        area.map_or(Self { half: 0.0, middle: 0.0 }, |area| Self { half: area.width / 2.0, middle: area.height / 2.0 })
    }
}

impl Mark {
    /// Turns it upside down within a height; words stay upright.
    fn flip(&mut self, within: f64) {
        match self {
            Self::Frame { area, .. } => area.y = within - area.y - area.height,
            Self::Box { area, upward, .. } | Self::Fill { area, upward, .. } => {
                area.y = within - area.y - area.height;
                *upward = !*upward;
            }
            Self::Text { y, style, .. } => *y = within - *y + 0.7 * style.size(),
            Self::Line { points, .. } => points.iter_mut().for_each(|[_, y]| *y = within - *y),
        }
    }
}
