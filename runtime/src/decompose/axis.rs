//! Work along one axis: joining, taking elements by a table, combining ranges.

use super::primitives::{Node, Primitives};
use std::ops::Range;

/// Parts that differ on one axis at most, one behind the other.
pub fn join(cx: &mut Primitives, parts: Vec<Node>, axis: usize) -> Option<Node> {
    let mut parts = parts;
    // By twos, so that no element is copied more than log₂ of the parts times.
    while parts.len() > 1 {
        let pairs = parts.chunks(2).map(|pair| match pair {
            [a, b] => {
                let (before, after) = (a.shape[axis], b.shape[axis]);
                cx.add(a.view().pad(axis, 0, after), b.view().pad(axis, before, 0))
            }
            _ => pair[0].clone(),
        });
        parts = pairs.collect();
    }
    parts.pop()
}

/// The elements of an axis in the order of a table.
pub fn take(cx: &mut Primitives, x: &Node, axis: usize, table: &[usize]) -> Node {
    let mut shape = x.shape.clone();
    shape[axis] = table.len();
    let x = x.around(axis);
    let [outer, inner] = [x.shape[0], x.shape[2]];
    let parts = runs(table).into_iter().map(|Run { start, count, each }| {
        let part = cx.contiguous(x.view().slice(1, start, count));
        if each == 1 {
            return part;
        }
        cx.contiguous(part.view().broadcast(2, each)).reshape(&[outer, count * each, inner])
    });
    let parts = parts.collect();
    join(cx, parts, 1).unwrap_or(x).reshape(&shape)
}

/// `count` elements from `start` on, each `each` times.
struct Run {
    start: usize,
    count: usize,
    each: usize,
}

fn runs(table: &[usize]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for same in table.chunk_by(|a, b| a == b) {
        match runs.last_mut() {
            Some(run) if run.start + run.count == same[0] && run.each == same.len() => run.count += 1,
            _ => runs.push(Run { start: same[0], count: 1, each: same.len() }),
        }
    }
    runs
}

/// A reduction over an axis, such as [`Primitives::sum`].
type Reduce = fn(&mut Primitives, &Node, usize) -> Node;

/// One element for each range of an axis.
fn reduce_ranges(
    cx: &mut Primitives,
    x: &Node,
    axis: usize,
    ranges: impl Iterator<Item = Range<usize>>,
    reduce: Reduce,
) -> Node {
    let mut shape = x.shape.clone();
    let x = x.around(axis);
    let parts = ranges.map(|range| {
        let part = cx.contiguous(x.view().slice(1, range.start, range.len()));
        reduce(cx, &part, 1).reshape(&[x.shape[0], 1, x.shape[2]])
    });
    let parts: Vec<Node> = parts.collect();
    shape[axis] = parts.len();
    join(cx, parts, 1).unwrap_or(x).reshape(&shape)
}

/// The windows of an irregular pool: ranges of each axis behind the channels.
pub type Windows<const D: usize> = [Vec<Range<usize>>; D];

/// One element for each window.
fn reduce_windows<const D: usize>(cx: &mut Primitives, x: &Node, windows: &Windows<D>, reduce: Reduce) -> Node {
    let axes = windows.iter().enumerate();
    axes.fold(x.clone(), |x, (axis, ranges)| reduce_ranges(cx, &x, 1 + axis, ranges.iter().cloned(), reduce))
}

/// The mean of each window.
pub fn mean_windows<const D: usize>(cx: &mut Primitives, x: &Node, windows: &Windows<D>) -> Node {
    let sum = reduce_windows(cx, x, windows, |cx, x, axis| cx.sum(x, axis));
    let ones = cx.ones(&[&[1], &x.shape[1..]].concat());
    let count = reduce_windows(cx, &ones, windows, |cx, x, axis| cx.sum(x, axis));
    let share = cx.recip(&count.reshape(&sum.shape[1..]));
    cx.mul(sum.view(), share.view().broadcast(0, sum.shape[0]).broadcast_batch())
}

/// The largest element of each window; NaN wins, as in PyTorch.
pub fn largest_in_windows<const D: usize>(cx: &mut Primitives, x: &Node, windows: &Windows<D>) -> Node {
    let largest = reduce_windows(cx, x, windows, |cx, x, axis| cx.max(x, axis));
    let mark = cx.nan_mark(x);
    let mark = reduce_windows(cx, &mark, windows, |cx, x, axis| cx.sum(x, axis));
    cx.add(largest.view(), mark.view())
}
