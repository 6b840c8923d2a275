//! SVG: plain elements with attributes, no scripts, no style sheets, nothing from outside; the same bytes every time.

use super::layout::{Anchor, Area, Mark, Style, picture};
use super::model::Drawing;
use super::text::xml;
use std::fmt::{self, Write};

const INK: &str = "#2f3542";
const SOFT_INK: &str = "#69707d";
const LINE: &str = "#4a5260";
const FONT: &str = "Helvetica, Arial, 'DejaVu Sans', sans-serif";
/// How far corners are rounded.
const CORNER: f64 = 5.0;
/// The size of arrows' heads.
const HEAD: f64 = 6.0;

/// A drawing as an SVG document.
pub fn svg(drawing: &Drawing) -> String {
    let picture = picture(drawing);
    let (width, height) = (picture.width.ceil(), picture.height.ceil());
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"{FONT}\">\n<title>{}</title>\n<desc>{}</desc>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        xml(&drawing.title),
        xml(&drawing.caption)
    );
    for mark in &picture.marks {
        // Writing to a string does not fail.
        let _ = write_mark(&mut text, mark);
    }
    text.push_str("</svg>\n");
    text
}

fn write_mark(out: &mut String, mark: &Mark) -> fmt::Result {
    match mark {
        Mark::Frame { area, dashed, depth } => {
            let fill = if depth % 2 == 0 { "#f5f6f9" } else { "#fcfcfe" };
            rect(out, area, 7.0, fill, Some("#a9b1bf"), *dashed)
        }
        Mark::Box { area, radius, fill, stacked, upward, dashed } => {
            if *stacked {
                for offset in [2.0 * super::layout::SHEET, super::layout::SHEET] {
                    let behind =
                        Area { x: area.x + offset, y: area.y + if *upward { -offset } else { offset }, ..*area };
                    rect(out, &behind, *radius, fill.fill(), Some(LINE), *dashed)?;
                }
            }
            rect(out, area, *radius, fill.fill(), Some(LINE), *dashed)
        }
        Mark::Fill { area, kind, upward } => write_fill(out, area, kind.fill(), *upward),
        Mark::Text { x, y, anchor, style, text } => write_text(out, [*x, *y], *anchor, *style, text),
        Mark::Line { points, arrow, dashed } => write_line(out, points, *arrow, *dashed),
    }
}

fn rect(out: &mut String, area: &Area, radius: f64, fill: &str, stroke: Option<&str>, dashed: bool) -> fmt::Result {
    let Area { x, y, width, height } = area;
    let (x, y, width, height) = (Short(*x), Short(*y), Short(*width), Short(*height));
    write!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\" fill=\"{fill}\"")?;
    if let Some(stroke) = stroke {
        write!(out, " stroke=\"{stroke}\"")?;
    }
    if dashed {
        write!(out, " stroke-dasharray=\"4 3\"")?;
    }
    writeln!(out, "/>")
}

/// A row's colour: square where the next row is, rounded where the box ends.
fn write_fill(out: &mut String, area: &Area, fill: &str, upward: bool) -> fmt::Result {
    // Half a line's width less on every side leaves the outline as it is.
    let (left, right) = (area.x + 0.5, area.x + area.width - 0.5);
    let (top, bottom) = (area.y, area.y + area.height);
    let (start, end, radius) = if upward { (bottom, top + 0.5, -2.5) } else { (top, bottom - 0.5, 2.5) };
    let numbers = [left, start, right, end, end - radius, left + radius.abs(), right - radius.abs()];
    let [left, start, right, end, turn, inner_left, inner_right] = numbers.map(Short);
    writeln!(
        out,
        "<path d=\"M{left} {start} H{right} V{turn} Q{right} {end} {inner_right} {end} H{inner_left} \
         Q{left} {end} {left} {turn} Z\" fill=\"{fill}\"/>"
    )
}

fn write_text(out: &mut String, [x, y]: [f64; 2], anchor: Anchor, style: Style, text: &str) -> fmt::Result {
    let (x, y, size) = (Short(x), Short(y), Short(style.size()));
    write!(out, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"")?;
    match anchor {
        Anchor::Start => {}
        Anchor::Middle => write!(out, " text-anchor=\"middle\"")?,
        Anchor::End => write!(out, " text-anchor=\"end\"")?,
    }
    if style.is_bold() {
        write!(out, " font-weight=\"bold\"")?;
    }
    if matches!(style, Style::Remark) {
        write!(out, " font-style=\"italic\"")?;
    }
    let soft = matches!(style, Style::Remark | Style::Definition | Style::Shape | Style::Caption);
    writeln!(out, " fill=\"{}\">{}</text>", if soft { SOFT_INK } else { INK }, xml(text))
}

fn write_line(out: &mut String, points: &[[f64; 2]], arrow: bool, dashed: bool) -> fmt::Result {
    let mut points = points.to_vec();
    points.dedup();
    let [.., before, end] = points.as_slice() else { return Ok(()) };
    let (before, end) = (*before, *end);
    let length = (end[0] - before[0]).hypot(end[1] - before[1]).max(1e-9);
    let direction = [(end[0] - before[0]) / length, (end[1] - before[1]) / length];
    if arrow && let Some(last) = points.last_mut() {
        // The line ends inside of the head, which has the point.
        let back = (HEAD - 1.0).min(length);
        *last = [end[0] - back * direction[0], end[1] - back * direction[1]];
    }
    write!(out, "<path d=\"")?;
    path(out, &points)?;
    write!(out, "\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"1.2\"")?;
    writeln!(out, "{}/>", if dashed { " stroke-dasharray=\"4 3\"" } else { "" })?;
    if arrow {
        let [dx, dy] = direction;
        let base = [end[0] - HEAD * dx, end[1] - HEAD * dy];
        let half = 0.5 * HEAD;
        let (left, right) = ([base[0] - half * dy, base[1] + half * dx], [base[0] + half * dy, base[1] - half * dx]);
        let corners = [end, left, right].map(|[x, y]| format!("{} {}", Short(x), Short(y)));
        writeln!(out, "<path d=\"M{} L{} L{} Z\" fill=\"{LINE}\"/>", corners[0], corners[1], corners[2])?;
    }
    Ok(())
}

/// A path along points with rounded corners.
fn path(out: &mut String, points: &[[f64; 2]]) -> fmt::Result {
    for (index, [x, y]) in points.iter().enumerate() {
        let corner = match (index.checked_sub(1).and_then(|index| points.get(index)), points.get(index + 1)) {
            (Some(before), Some(after)) => Some((towards([*x, *y], *before), towards([*x, *y], *after))),
            _ => None,
        };
        match corner {
            Some(([ax, ay], [bx, by])) => {
                write!(out, " L{} {}", Short(ax), Short(ay))?;
                write!(out, " Q{} {} {} {}", Short(*x), Short(*y), Short(bx), Short(by))?;
            }
            None => write!(out, "{}{} {}", if index == 0 { "M" } else { " L" }, Short(*x), Short(*y))?,
        }
    }
    Ok(())
}

/// The point at which the rounding of a corner starts.
fn towards([x, y]: [f64; 2], [tx, ty]: [f64; 2]) -> [f64; 2] {
    let length = (tx - x).hypot(ty - y);
    let part = if length > 0.0 { (CORNER / length).min(0.5) } else { 0.0 };
    [x + part * (tx - x), y + part * (ty - y)]
}

/// A number with at most one decimal.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round();
        if tenths % 10.0 == 0.0 { write!(f, "{}", tenths / 10.0) } else { write!(f, "{:.1}", tenths / 10.0) }
    }
}
