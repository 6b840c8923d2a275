//! Words, numbers and their widths.

use std::borrow::Cow;

/// The width of a text in a sans-serif font, on the safe side: that of DejaVu Sans, wider than Helvetica or Arial.
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
    let ems: f64 = text.chars().map(ems).sum();
    (ems * size * if bold { 1.12 } else { 1.0 }).ceil()
}

/// The advance of a character in units of the font's size.
fn ems(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' | '!' => 0.34,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 1.0,
        'A'..='Z' | '×' | '–' | '+' | '=' | '…' => 0.8,
        c if c.is_ascii() => 0.64,
        // Scripts with wide characters.
        c if c >= '\u{1100}' => 1.05,
        _ => 0.8,
    }
}

/// As many characters as a box can hold; the rest is an ellipsis.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A count for people: `61.7 k`, `25.6 M`, `4.09 G`.
pub fn count(value: u64) -> String {
    let scaled = |unit: f64, name: &str| {
        let value = value as f64 / unit;
        let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
        format!("{value:.decimals$} {name}")
    };
    match value {
        0..1000 => value.to_string(),
        1000..999_500 => scaled(1e3, "k"),
        999_500..999_500_000 => scaled(1e6, "M"),
        999_500_000..999_500_000_000 => scaled(1e9, "G"),
        _ => scaled(1e12, "T"),
    }
}

/// Sizes joined by `×`.
pub fn cross(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

/// Text for XML, in content and in attributes. Characters that XML cannot hold are replaced.
pub fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_three_figures() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1.00 k"),
            (61_706, "61.7 k"),
            (999_499, "999 k"),
            (999_500, "1.00 M"),
            (25_557_032, "25.6 M"),
            (138_357_544, "138 M"),
            (4_089_184_256, "4.09 G"),
        ] {
            assert_eq!(count(value), text);
        }
    }

    #[test]
    fn xml_is_escaped() {
        assert_eq!(xml("a<b>&\"'\u{1}"), "a&lt;b&gt;&amp;&quot;&#39;\u{fffd}");
    }
}
