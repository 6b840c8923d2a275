//! Pictures as SVG.

use super::Picture;
use super::picture::{Anchor, Area, Mark, Turn};
use super::png;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{self, Write};

/// Fonts of one width first: texts are laid out with it.
const FONT: &str = "Helvetica, Arial, Arimo, 'Liberation Sans', 'DejaVu Sans', sans-serif";

pub fn write(picture: &Picture) -> String {
    let (width, height) = (picture.width, picture.height);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"{FONT}\">\n<title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        xml(&picture.title)
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
        Mark::Rect { area, fill } => writeln!(out, "<rect {} fill=\"{fill}\"/>", place(area)),
        Mark::Line { points, colour, width, dashed } => {
            write!(out, "<polyline points=\"")?;
            for (index, [x, y]) in points.iter().enumerate() {
                write!(out, "{}{},{}", if index == 0 { "" } else { " " }, Short(*x), Short(*y))?;
            }
            write!(
                out,
                "\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
                Short(*width)
            )?;
            writeln!(out, "{}/>", if *dashed { " stroke-dasharray=\"5 3\"" } else { "" })
        }
        Mark::Dot { at: [x, y], radius, colour } => {
            writeln!(
                out,
                "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{colour}\"/>",
                Short(*x),
                Short(*y),
                Short(*radius)
            )
        }
        Mark::Text { at: [x, y], text, size, anchor, turn, colour } => {
            let (x, y, size) = (Short(*x), Short(*y), Short(*size));
            write!(out, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{colour}\"")?;
            match anchor {
                Anchor::Start => {}
                Anchor::Middle => write!(out, " text-anchor=\"middle\"")?,
                Anchor::End => write!(out, " text-anchor=\"end\"")?,
            }
            if *turn != Turn::None {
                write!(out, " transform=\"rotate({} {x} {y})\"", turn.degrees())?;
            }
            writeln!(out, ">{}</text>", xml(text))
        }
        Mark::Image { area, columns, pixels } => {
            // A tile without pixels, or too large for PNG, is left out, as it is in PNG pictures.
            let Some(bytes) = png::tile(*columns, pixels) else { return Ok(()) };
            let stretch = if area.width >= *columns as f64 { " image-rendering=\"pixelated\"" } else { "" };
            writeln!(
                out,
                "<image {} preserveAspectRatio=\"none\"{stretch} href=\"data:image/png;base64,{}\"/>",
                place(area),
                STANDARD.encode(bytes)
            )
        }
    }
}

fn place(area: &Area) -> String {
    let Area { x, y, width, height } = *area;
    format!("x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", Short(x), Short(y), Short(width), Short(height))
}

/// A text with what XML gives a meaning escaped, and what it does not allow replaced.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push(' '),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A number with at most two decimals.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Adding 0 makes −0 to 0.
        write!(f, "{}", (self.0 * 100.0).round() / 100.0 + 0.0)
    }
}
