//! Boxes, circles and pills.

use super::super::chain::Row;
use super::super::kind::Kind;
use super::super::model::Node;
use super::super::text::cross;
use super::{Anchor, Area, Mark, Piece, Style};

const HEAD_HEIGHT: f64 = 20.0;
const ROW_HEIGHT: f64 = 15.0;
const PADDING: f64 = 8.0;
/// The space between a row's words and its label.
const LABEL_GAP: f64 = 12.0;
const LEAST_WIDTH: f64 = 84.0;
/// The height of a line with a shape beside it.
const SHAPE_HEIGHT: f64 = 15.0;
/// The size of the sheets behind a box that repeats.
pub const SHEET: f64 = 3.0;

/// An input or output.
pub fn terminal(name: &str, node: &Node) -> Piece {
    let (width, height) = (Style::Head.width(name).max(30.0) + 26.0, 22.0);
    let area = Area { x: 0.0, y: 0.0, width, height };
    let marks = vec![
        Mark::Box {
            area,
            radius: height / 2.0,
            fill: Kind::Join,
            stacked: false,
            upward: false,
            dashed: node.train_only,
        },
        text(width / 2.0, 15.0, Anchor::Middle, Style::Head, name),
    ];
    centred(width, height, marks)
}

/// A box with a row per layer.
pub fn rows(rows: &[Row], node: &Node) -> Piece {
    let height_of = |row: &Row| if row.kind.heads_a_box() && !row.remark { HEAD_HEIGHT } else { ROW_HEIGHT };
    let width_of = |row: &Row| {
        let label = if row.label.is_empty() { 0.0 } else { LABEL_GAP + Style::Remark.width(&row.label) };
        style(row).width(&row.text) + label
    };
    let width = rows.iter().map(width_of).fold(LEAST_WIDTH, f64::max) + 2.0 * PADDING;
    let height: f64 = rows.iter().map(height_of).sum::<f64>().max(HEAD_HEIGHT);
    let whole = height;
    let area = Area { x: 0.0, y: 0.0, width, height };
    let fill = rows.first().map_or(Kind::Other, |row| row.kind);
    let stacked = node.repeat > 1;
    let mut marks = vec![Mark::Box { area, radius: 3.0, fill, stacked, upward: false, dashed: node.train_only }];
    let labelled = rows.iter().any(|row| !row.label.is_empty());
    let mut y = 0.0;
    for row in rows {
        // A box of one small row is as high as any box.
        let height = if rows.len() == 1 { HEAD_HEIGHT } else { height_of(row) };
        let base = y + height / 2.0 + 0.35 * style(row).size();
        if y > 0.0 {
            marks.push(Mark::Fill {
                area: Area { x: 0.0, y, width, height: whole - y },
                kind: row.kind,
                upward: false,
            });
        }
        if labelled {
            marks.push(text(PADDING, base, Anchor::Start, style(row), &row.text));
            marks.push(text(width - PADDING, base, Anchor::End, Style::Remark, &row.label));
        } else {
            marks.push(text(width / 2.0, base, Anchor::Middle, style(row), &row.text));
        }
        y += height;
    }
    let mut piece = centred(width, height, marks);
    if stacked {
        let words = format!("×{}", node.repeat);
        piece.marks.push(text(width + 2.0 * SHEET + 5.0, height / 2.0 + 4.0, Anchor::Start, Style::Repeat, &words));
        piece.width += 2.0 * SHEET + 7.0 + Style::Repeat.width(&words);
        piece.height += 2.0 * SHEET;
    }
    piece
}

fn style(row: &Row) -> Style {
    match row {
        Row { remark: true, .. } => Style::Remark,
        row if row.kind.heads_a_box() => Style::Head,
        _ => Style::Row,
    }
}

/// A sum or product.
pub fn circle(sign: &str, node: &Node) -> Piece {
    let radius = 10.0;
    let area = Area { x: 0.0, y: 0.0, width: 2.0 * radius, height: 2.0 * radius };
    let stacked = node.repeat > 1;
    let marks = vec![
        Mark::Box { area, radius, fill: Kind::Join, stacked, upward: false, dashed: node.train_only },
        text(radius, radius + 5.5, Anchor::Middle, Style::Sign, sign),
    ];
    Piece { side: Some([radius, radius]), ..centred(area.width, area.height, marks) }
}

/// Writes the shape of what a node gives beside a line beneath it.
pub fn write_shape(piece: &mut Piece, node: &Node) {
    let words = cross(&node.shape);
    let (x, y) = (piece.exit_axis, piece.height);
    piece.marks.push(Mark::Line { points: vec![[x, y], [x, y + SHAPE_HEIGHT]], arrow: false, dashed: node.train_only });
    piece.marks.push(text(x + 5.0, y + 11.0, Anchor::Start, Style::Shape, &words));
    piece.width = piece.width.max(x + 7.0 + Style::Shape.width(&words));
    piece.height += SHAPE_HEIGHT;
}

fn centred(width: f64, height: f64, marks: Vec<Mark>) -> Piece {
    Piece { width, height, axis: width / 2.0, exit_axis: width / 2.0, marks, ..Piece::default() }
}

pub fn text(x: f64, y: f64, anchor: Anchor, style: Style, text: &str) -> Mark {
    Mark::Text { x, y, anchor, style, text: text.into() }
}
