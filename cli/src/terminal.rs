//! What the terminal can do, and grey pictures drawn with it.

use std::io::{IsTerminal, Write, stderr, stdout};

/// Whether the standard output shows colours.
pub fn stdout_has_colour() -> bool {
    wants_colour() && stdout().is_terminal()
}

/// Whether the standard error shows colours.
pub fn stderr_has_colour() -> bool {
    wants_colour() && stderr().is_terminal()
}

/// See <https://no-color.org>.
fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
}

/// Prints a line to the standard error; if that cannot be written, there is nobody to tell.
pub fn say(line: impl std::fmt::Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// The width of the terminal in characters; 80 where there is none.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

/// A square grey picture as lines of text, two rows of pixels to a line, each as wide as the picture.
///
/// With colour, half blocks carry the two pixels; without, a character of about their brightness.
pub fn draw(pixels: &[u8], size: usize, colour: bool) -> Vec<String> {
    let rows: Vec<&[u8]> = pixels.chunks_exact(size).collect();
    rows.chunks(2)
        .map(|pair| {
            let pairs = pair[0].iter().zip(pair.last().copied().unwrap_or_default());
            if colour {
                pairs.map(|(&top, &bottom)| half_blocks(top, bottom)).collect::<String>() + "\x1b[0m"
            } else {
                pairs.map(|(&top, &bottom)| character(top, bottom)).collect()
            }
        })
        .collect()
}

fn half_blocks(top: u8, bottom: u8) -> String {
    format!("\x1b[38;5;{};48;5;{}m▀", grey(top), grey(bottom))
}

/// The nearest of the 24 greys, or black, of a terminal's 256 colours.
fn grey(value: u8) -> u8 {
    if value < 8 { 16 } else { 232 + (value - 8).div_euclid(11).min(23) }
}

fn character(top: u8, bottom: u8) -> char {
    const RAMP: &[u8] = b" .:-=+*#%@";
    let mean = (usize::from(top) + usize::from(bottom)) / 2;
    char::from(RAMP[mean * RAMP.len() / 256])
}

/// Tiles side by side, as many to a row as fit into `width`; every line of a tile shows as `tile_width` characters.
pub fn gallery(tiles: &[Vec<String>], tile_width: usize, width: usize) -> String {
    const GAP: &str = "   ";
    let columns = ((width + GAP.len()) / (tile_width + GAP.len())).max(1);
    let mut text = String::new();
    for row in tiles.chunks(columns) {
        let lines = row.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..lines {
            let cells: Vec<&str> = row.iter().map(|tile| tile.get(line).map_or("", String::as_str)).collect();
            text.push_str(cells.join(GAP).trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_becomes_one_line_for_two_rows() {
        let picture = [0, 255, 0, 0, 255, 255, 128, 0, 255];
        assert_eq!(draw(&picture, 3, false), [" @=", "+ @"]);
        assert_eq!(
            draw(&picture[..3], 3, true),
            ["\x1b[38;5;16;48;5;16m▀\x1b[38;5;254;48;5;254m▀\x1b[38;5;16;48;5;16m▀\x1b[0m"]
        );
    }

    #[test]
    fn tiles_wrap_at_the_width() {
        let tiles = vec![vec!["ab".to_owned(), "cd".into()]; 3];
        assert_eq!(gallery(&tiles, 2, 7), "ab   ab\ncd   cd\n\nab\ncd\n\n");
    }
}
