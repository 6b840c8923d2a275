//! Frames around blocks.

use super::super::model::{Group, Node};
use super::leaf::text;
use super::{Anchor, Area, Mark, Piece, Port, Space, Style};

const PADDING: f64 = 12.0;
const LINE: f64 = 13.0;

impl Space<'_> {
    /// A frame with the block's name in its upper left corner, `×n` in the right one, and its inside.
    pub(super) fn group(&self, group: &Group, node: &Node) -> Piece {
        let space = Space {
            level: &group.level,
            depth: self.depth + 1,
            most_height: self.most_height.map(|most| most - 60.0),
            shown_outside: if node.shows_shape { &group.exits } else { &[] },
        };
        let mut inner = space.flow(&group.level.flow);
        let repeat = if node.repeat > 1 { format!("×{}", node.repeat) } else { String::new() };
        let first = inner.tops.iter().map(|port| port.x).fold(f64::INFINITY, f64::min).min(inner.width);
        let last = inner.tops.iter().map(|port| port.x).fold(0.0, f64::max);
        let words: Vec<(Style, &str)> =
            [(Style::Name, group.name.as_str()), (Style::Definition, &group.definition), (Style::Remark, &group.note)]
                .into_iter()
                .filter(|(_, words)| !words.is_empty())
                .collect();
        let widths = words.iter().map(|(style, words)| style.width(words) + 6.0);
        let (together, widest) = (widths.clone().sum::<f64>(), widths.fold(0.0, f64::max));
        // In one line if it fits between the frame and the line that comes in, otherwise in several.
        let one_line = PADDING + first >= together + 8.0;
        let need = if one_line { together } else { widest } + 8.0;
        if !words.is_empty() && PADDING + first < need {
            inner.indent(need - PADDING - first);
        }
        let badge = if repeat.is_empty() { 0.0 } else { Style::Repeat.width(&repeat) + 14.0 };
        let shift = (need - PADDING - first).max(0.0);
        let last = if words.is_empty() { last } else { last + shift };
        inner.width = inner.width.max(last + badge - PADDING);
        let lines = if words.is_empty() {
            0
        } else if one_line {
            1
        } else {
            words.len()
        };
        let head = (lines as f64 * LINE + 8.0).max(if repeat.is_empty() { PADDING } else { LINE + 8.0 });
        inner.shift(PADDING, head);
        let (width, height) = (inner.width + 2.0 * PADDING, inner.height + head + PADDING);
        let area = Area { x: 0.0, y: 0.0, width, height };
        let dashed = node.train_only || group.is_run();
        let mut marks = vec![Mark::Frame { area, dashed, depth: self.depth }];
        let (mut x, mut y) = (8.0, LINE + 1.0);
        for (style, words) in words {
            marks.push(text(x, y, Anchor::Start, style, words));
            if one_line {
                x += style.width(words) + 6.0;
            } else {
                y += LINE;
            }
        }
        if !repeat.is_empty() {
            marks.push(text(width - 8.0, LINE + 1.0, Anchor::End, Style::Repeat, &repeat));
        }
        marks.append(&mut inner.marks);
        let line = |x: f64, from: f64, to: f64, arrow: bool, dashed: bool| Mark::Line {
            points: vec![[x, from], [x, to]],
            arrow,
            dashed,
        };
        for port in &inner.tops {
            marks.push(line(port.x, 0.0, head, port.arrow, port.dashed));
        }
        let mut bottoms: Vec<Port> = Vec::new();
        for (inside, outside) in group.exits.iter().zip(&node.gives) {
            let Some(port) = inner.bottoms.iter().find(|port| port.value == *inside) else { continue };
            marks.push(line(port.x, height - PADDING, height, false, port.dashed));
            bottoms.push(Port { value: *outside, ..*port });
        }
        let tops = inner.tops.iter().map(|port| Port { arrow: false, ..*port }).collect();
        Piece { width, height, axis: inner.axis, exit_axis: inner.exit_axis, tops, bottoms, side: None, marks }
    }
}
