//! Branches side by side.

use super::super::flow::Flow;
use super::super::model::{Content, Node};
use super::{Mark, Piece, Port, Space};

const GAP: f64 = 18.0;

impl Space<'_> {
    /// Branches from left to right, shorter ones in the middle of the height; `join` is what follows them.
    pub(super) fn parallel(&self, items: &[Flow], join: Option<&Node>) -> Piece {
        let branches: Vec<Piece> = items.iter().map(|item| self.flow(item)).collect();
        let height = branches.iter().map(|piece| piece.height).fold(0.0, f64::max);
        let mut whole = Piece { height, ..Piece::default() };
        let mut axes = Vec::new();
        let mut x = 0.0;
        for (index, mut branch) in branches.into_iter().enumerate() {
            if index > 0 {
                x += GAP;
            }
            // A branch that ends in an output starts at once.
            let top = if branch.bottoms.is_empty() { 0.0 } else { ((height - branch.height) / 2.0).floor() };
            branch.shift(x, top);
            axes.push((branch.axis, branch.height));
            let bottom = top + branch.height;
            x += branch.width;
            let line = |port: &Port, from: f64, to: f64, arrow: bool| Mark::Line {
                points: vec![[port.x, from], [port.x, to]],
                arrow,
                dashed: port.dashed,
            };
            if top > 0.0 {
                whole.marks.extend(branch.tops.iter().map(|port| line(port, 0.0, top, port.arrow)));
                branch.tops.iter_mut().for_each(|port| port.arrow = false);
            }
            if bottom < height {
                whole.marks.extend(branch.bottoms.iter().map(|port| line(port, bottom, height, false)));
            }
            // A lane has no height of its own.
            if branch.height == 0.0 && height == 0.0 {
                whole.marks.extend(branch.tops.iter().map(|port| line(port, 0.0, 0.0, false)));
            }
            whole.tops.append(&mut branch.tops);
            whole.bottoms.append(&mut branch.bottoms);
            whole.marks.append(&mut branch.marks);
        }
        whole.width = x;
        whole.axis = axis(&axes, x, join);
        whole.exit_axis = whole.axis;
        whole
    }
}

/// The line along which things are stacked: through the longest branch, or through the middle where branches are equals.
fn axis(branches: &[(f64, f64)], width: f64, join: Option<&Node>) -> f64 {
    let boxes = branches.iter().filter(|(_, height)| *height > 0.0).count();
    let equals = boxes > 1 && matches!(join.map(|node| &node.content), Some(Content::Bar(_)));
    let middle = (width / 2.0).floor();
    if equals {
        let near = branches.iter().map(|(axis, _)| *axis).find(|axis| (axis - middle).abs() < 24.0);
        return near.unwrap_or(middle);
    }
    let longest = branches.iter().copied().reduce(|best, branch| if branch.1 > best.1 { branch } else { best });
    longest.map_or(middle, |(axis, _)| axis)
}
