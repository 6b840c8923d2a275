//! One style for `.cnn` files.
//!
//! Line ends and blanks mean nothing in the language, so the formatter moves tokens and leaves them as they are; only a comma
//! after the last item may come or go. Where lines end is the author's choice wherever it can be: steps joined by `->`, a body
//! within its braces on one line, a list opened over several. Blanks, indentation, empty lines and lines that are too long
//! are the formatter's: `leaf.rs` decides on blanks, `node.rs` finds bodies and brackets, `print.rs` lays them out in lines.

mod leaf;
mod line;
mod node;
mod print;

use crate::diagnostic::{Diagnostic, Report};
use crate::{MAX_SOURCE_BYTES, Sources, codes, parse, source};

/// The longest line that the formatter makes where it has a choice, in characters.
pub const MAX_COLUMNS: usize = 120;

/// The text of the main source in the language's one style: what it means and its comments stay.
///
/// Formatting the result again changes nothing. A file whose first line ends in `\r\n` keeps such line ends, a byte order mark
/// goes.
///
/// # Errors
/// The syntax errors of a text that cannot be read; nothing more for a source that was rejected when it was made.
///
/// ```
/// use cnn_dsl::{Sources, format};
/// let sources = Sources::new("tiny.cnn", "model Tiny{ input x:[4]\n dense( 2,bias=false )->relu // small\n}");
/// assert_eq!(
///     format(&sources).unwrap(),
///     "model Tiny {\n    input x: [4]\n    dense(2, bias = false) -> relu // small\n}\n"
/// );
/// ```
pub fn format(sources: &Sources) -> Result<String, Vec<Diagnostic>> {
    let Some(main) = sources.get(0).filter(|main| !main.rejected) else { return Err(Vec::new()) };
    if main.text.len() > MAX_SOURCE_BYTES {
        return Err(vec![source::too_large()]);
    }
    let statements = statements(&main.text)?;
    let (leaves, end) = leaf::leaves(&main.text, &statements);
    let text = print::print(&node::items(leaves), &end);
    // Blanks count too: a file at its limits can be beyond them in another style.
    let is_readable = text.len() <= MAX_SOURCE_BYTES && self::statements(&text).is_ok();
    if !is_readable {
        return Err(vec![Diagnostic::error(&codes::TOO_LARGE, "this file is too large to be formatted")]);
    }
    let ends_in_crlf = main.text.split_once('\n').is_some_and(|(line, _)| line.ends_with('\r'));
    Ok(if ends_in_crlf { text.replace('\n', "\r\n") } else { text })
}

/// Where the statements of a text begin, or its errors.
fn statements(text: &str) -> Result<Vec<usize>, Vec<Diagnostic>> {
    let mut report = Report::default();
    let file = parse::parse(text, 0, &mut report);
    if report.errors() > 0 { Err(report.finish()) } else { Ok(file.statements) }
}
