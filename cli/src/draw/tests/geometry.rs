//! What can be seen: nothing overlaps, nothing is cut off, nothing is missing.

use super::super::Drawing;
use super::super::chain;
use super::super::layout::{Anchor, Area, Mark, Picture, Style, picture};
use super::super::model::{Content, Level, is_line};
use super::{TEXTS, network, shipped};
use cnn::Network;

#[test]
fn nothing_overlaps_in_any_drawing() {
    for (name, network) in all() {
        for depth in [None, Some(1), Some(2)] {
            let picture = picture(&Drawing::new(&network, depth).unwrap());
            check(&format!("{name}, depth {depth:?}"), &picture);
        }
    }
}

#[test]
fn every_layer_is_drawn_as_often_as_it_is_there() {
    for (name, network) in all() {
        let lines = network.layers.iter().filter(|layer| is_line(layer)).count();
        let drawing = Drawing::new(&network, None).unwrap();
        let layers = layers(&drawing.root);
        assert_eq!(layers + lines, network.layers.len(), "{name}");
    }
}

fn all() -> Vec<(String, Network)> {
    let texts = TEXTS.iter().map(|text| network(text)).map(|network| (network.name.clone(), network));
    shipped().into_iter().chain(texts).collect()
}

/// The number of layers drawn, the folded ones counted.
fn layers(level: &Level) -> usize {
    let nodes = level.flow.nodes().into_iter().map(|node| &level.nodes[node]);
    nodes
        .map(|node| {
            node.repeat
                * match &node.content {
                    Content::Entry | Content::Exit | Content::Terminal(_) => 0,
                    Content::Circle(_) | Content::Bar(_) => 1,
                    Content::Rows(rows) => rows.iter().filter(|row: &&chain::Row| !row.remark).count(),
                    Content::Group(group) => layers(&group.level),
                }
        })
        .sum()
}

fn check(name: &str, picture: &Picture) {
    let marks = &picture.marks;
    let boxes: Vec<Area> = marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Box { area, .. } => Some(*area),
            _ => None,
        })
        .collect();
    let frames: Vec<Area> = marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Frame { area, .. } => Some(*area),
            _ => None,
        })
        .collect();
    let whole = Area { x: 0.0, y: 0.0, width: picture.width, height: picture.height };
    for area in boxes.iter().chain(&frames) {
        assert!(inside(area, &whole), "{name}: {area:?} is cut off");
    }
    for (index, area) in boxes.iter().enumerate() {
        for other in &boxes[..index] {
            assert!(!overlap(area, other), "{name}: boxes {area:?} and {other:?}");
        }
        for frame in &frames {
            assert!(inside(area, frame) || !overlap(area, frame), "{name}: box {area:?} and frame {frame:?}");
        }
    }
    for (index, area) in frames.iter().enumerate() {
        for other in &frames[..index] {
            let nested = inside(area, other) || inside(other, area);
            assert!(nested || !overlap(area, other), "{name}: frames {area:?} and {other:?}");
        }
    }
    let segments: Vec<Area> = marks.iter().flat_map(segments).collect();
    for segment in &segments {
        assert!(inside(segment, &whole), "{name}: line {segment:?} is cut off");
        for area in &boxes {
            assert!(!overlap(segment, area), "{name}: line {segment:?} through box {area:?}");
        }
    }
    let texts: Vec<(Area, &String)> = marks.iter().filter_map(words).collect();
    for (index, (area, text)) in texts.iter().enumerate() {
        assert!(inside(area, &whole), "{name}: text `{text}` is cut off");
        for outline in &boxes {
            assert!(inside(area, outline) || !overlap(area, outline), "{name}: text `{text}` leaves its box");
        }
        for frame in &frames {
            assert!(inside(area, frame) || !overlap(area, frame), "{name}: text `{text}` on frame {frame:?}");
        }
        for segment in &segments {
            assert!(!overlap(segment, area), "{name}: line {segment:?} through text `{text}`");
        }
        for (other, words) in &texts[..index] {
            assert!(!overlap(area, other), "{name}: texts `{text}` and `{words}`");
        }
    }
}

/// The straight parts of a line, a little shorter than they are: they may touch what they lead to.
fn segments(mark: &Mark) -> Vec<Area> {
    let Mark::Line { points, .. } = mark else { return Vec::new() };
    points
        .windows(2)
        .map(|ends| {
            let [[ax, ay], [bx, by]] = [ends[0], ends[1]];
            assert!(ax == bx || ay == by, "a slanted line: {points:?}");
            Area { x: ax.min(bx), y: ay.min(by), width: (ax - bx).abs(), height: (ay - by).abs() }
        })
        .collect()
}

fn words(mark: &Mark) -> Option<(Area, &String)> {
    let Mark::Text { x, y, anchor, style, text } = mark else { return None };
    let (width, size) = (style.width(text), style.size());
    let left = match anchor {
        Anchor::Start => *x,
        Anchor::Middle => x - width / 2.0,
        Anchor::End => x - width,
    };
    // A sign's space is its circle.
    let width = if *style == Style::Sign { 8.0 } else { width };
    Some((Area { x: left, y: y - 0.75 * size, width, height: 0.9 * size }, text))
}

const SLACK: f64 = 0.5;

fn inside(area: &Area, other: &Area) -> bool {
    area.x >= other.x - SLACK
        && area.y >= other.y - SLACK
        && area.x + area.width <= other.x + other.width + SLACK
        && area.y + area.height <= other.y + other.height + SLACK
}

fn overlap(area: &Area, other: &Area) -> bool {
    area.x + area.width > other.x + SLACK
        && other.x + other.width > area.x + SLACK
        && area.y + area.height > other.y + SLACK
        && other.y + other.height > area.y + SLACK
}
