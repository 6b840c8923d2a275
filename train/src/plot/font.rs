//! The font of the pictures: widths of texts, and the letters' outlines for PNG.

use ab_glyph::{Font, FontRef, OutlineCurve};
use std::sync::OnceLock;

/// A part of Arimo, which has the widths of Helvetica and Arial: `font/README.md`.
static BYTES: &[u8] = include_bytes!("font/Arimo-Latin.ttf");

fn font() -> Option<&'static FontRef<'static>> {
    static FONT: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    FONT.get_or_init(|| FontRef::try_from_slice(BYTES).ok()).as_ref()
}

/// The width of a text in pixels.
pub fn width(text: &str, size: f64) -> f64 {
    let Some(font) = font() else { return 0.6 * size * text.chars().count() as f64 };
    let units = f64::from(font.units_per_em().unwrap_or(1.0));
    text.chars().map(|c| f64::from(font.h_advance_unscaled(font.glyph_id(c))) * size / units).sum()
}

/// As much of a text as is no wider than `most` pixels; what is left out is an ellipsis.
pub fn fitted(text: &str, size: f64, most: f64) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if width(&text, size) <= most {
        return text;
    }
    let mut kept = String::new();
    let mut used = width("…", size);
    for c in text.chars() {
        used += width(c.encode_utf8(&mut [0; 4]), size);
        if used > most {
            break;
        }
        kept.push(c);
    }
    format!("{}…", kept.trim_end())
}

/// A part of an outline, in pixels from the beginning of a text's baseline, downwards.
pub enum Stroke {
    /// A new closed line begins.
    Move([f32; 2]),
    /// Straight to a point.
    Line([f32; 2]),
    /// Past one control point.
    Quad([f32; 2], [f32; 2]),
    /// Past two control points.
    Cubic([f32; 2], [f32; 2], [f32; 2]),
}

/// The outlines of a text.
pub fn outlines(text: &str, size: f64) -> Vec<Stroke> {
    let Some(font) = font() else { return Vec::new() };
    let scale = size as f32 / font.units_per_em().unwrap_or(1.0);
    let mut strokes = Vec::new();
    let mut left = 0.0;
    for c in text.chars() {
        let glyph = font.glyph_id(c);
        let place = |point: ab_glyph::Point| [left + scale * point.x, -scale * point.y];
        let mut at = None;
        for curve in font.outline(glyph).map(|outline| outline.curves).unwrap_or_default() {
            let (from, stroke, to) = match curve {
                OutlineCurve::Line(a, b) => (a, Stroke::Line(place(b)), b),
                OutlineCurve::Quad(a, b, c) => (a, Stroke::Quad(place(b), place(c)), c),
                OutlineCurve::Cubic(a, b, c, d) => (a, Stroke::Cubic(place(b), place(c), place(d)), d),
            };
            if at != Some(from) {
                strokes.push(Stroke::Move(place(from)));
            }
            strokes.push(stroke);
            at = Some(to);
        }
        left += scale * font.h_advance_unscaled(glyph);
    }
    strokes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_is_there_with_its_letters() {
        let font = font().expect("the font is readable");
        for c in "AZaz09 .,:;%–…·×→≤äßéœŁΩяЖ".chars() {
            assert_ne!(font.glyph_id(c).0, 0, "{c}");
        }
        assert_eq!(font.glyph_id('漢').0, 0);
    }

    #[test]
    fn texts_are_as_wide_as_in_helvetica() {
        // The widths of Helvetica's metrics, in thousandths of the size: A 667, i 222, digits 556.
        for (text, thousandths) in [("A", 667.0), ("i", 222.0), ("0", 556.0), ("Ai0", 1445.0)] {
            assert!((width(text, 1000.0) - thousandths).abs() < 1.0, "{text} {}", width(text, 1000.0));
        }
    }

    #[test]
    fn a_text_is_shortened_to_what_fits() {
        for (text, most, want) in
            [("cat", 100.0, "cat"), ("a\nb", 100.0, "a b"), ("a very long name", 60.0, "a very lo…")]
        {
            assert_eq!(fitted(text, 12.0, most), want);
            assert!(width(want, 12.0) <= most);
        }
    }
}
