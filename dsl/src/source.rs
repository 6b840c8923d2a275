//! The texts that diagnostics point into.

use crate::{Diagnostic, codes};
use cnn_ir::Span;

/// The most bytes a source may have. Whoever reads a file looks at its length first.
pub const MAX_SOURCE_BYTES: usize = 4 << 20;

const BOM: char = '\u{feff}';

/// The sources of a compilation, by number; 0 is the main one.
#[derive(Debug, Clone)]
pub struct Sources {
    files: Vec<Source>,
}

/// One source.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) name: String,
    /// The text without its byte order mark.
    pub(crate) text: String,
    /// Bytes of the mark that was removed.
    pub(crate) skipped: usize,
    /// Not a text that can be compiled; said so when it was read.
    pub(crate) rejected: bool,
}

/// A position in a source as people count: from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Byte in the file, from 0; a byte order mark counts.
    pub byte: usize,
}

impl Sources {
    /// A single source. `name` is what diagnostics print; a byte order mark is removed.
    ///
    /// ```
    /// let sources = cnn_dsl::Sources::new("tiny.cnn", "model Tiny { input x: [4] dense(2) }");
    /// assert!(!cnn_dsl::compile(&sources, &Default::default()).has_errors());
    /// ```
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let (mut text, mut skipped) = (text.into(), 0);
        if text.starts_with(BOM) {
            skipped = BOM.len_utf8();
            text.drain(..skipped);
        }
        Self { files: vec![Source { name: name.into(), text, skipped, rejected: false }] }
    }

    /// A single source from the bytes of a file, and what is wrong with them: too many, not text, or not UTF-8.
    ///
    /// Bytes that are wrong leave a source from which [`compile`](crate::compile) makes no models and no diagnostics.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> (Self, Vec<Diagnostic>) {
        let name = name.into();
        if bytes.len() > MAX_SOURCE_BYTES {
            return (Self::rejected(name, String::new()), vec![too_large()]);
        }
        if bytes.contains(&0) {
            let error = Diagnostic::error(&codes::NOT_TEXT, "this is not a text file: it contains zero bytes")
                .help("give the path of a `.cnn` file");
            return (Self::rejected(name, String::new()), vec![error]);
        }
        match String::from_utf8(bytes) {
            Ok(text) => (Self::new(name, text), Vec::new()),
            Err(error) => {
                let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
                let message = format!("byte 0x{:02x} is not UTF-8", bytes[at]);
                let mut sources = Self::rejected(name, String::from_utf8_lossy(bytes).into_owned());
                let source = &mut sources.files[0];
                if source.text.starts_with(BOM) {
                    source.skipped = BOM.len_utf8();
                    source.text.drain(..source.skipped);
                }
                // Everything before the byte was kept as it is, so the replacement character stands at the same place.
                let at = at - source.skipped;
                let line = sources.position(0, at).line;
                let span = span(0, at..at + char::REPLACEMENT_CHARACTER.len_utf8());
                let error = Diagnostic::error(&codes::NOT_UTF8, message)
                    .at(span, "this byte")
                    .note(format!("at byte {} of the file, in line {line}", at + sources.files[0].skipped))
                    .help("save the file as UTF-8");
                (sources, vec![error])
            }
        }
    }

    fn rejected(name: String, text: String) -> Self {
        Self { files: vec![Source { name, text, skipped: 0, rejected: true }] }
    }

    /// The name of a source; empty if there is none of this number.
    pub fn name(&self, source: u32) -> &str {
        self.get(source).map_or("", |source| &source.name)
    }

    /// The text of a source, without a byte order mark; empty if there is none of this number.
    pub fn text(&self, source: u32) -> &str {
        self.get(source).map_or("", |source| &source.text)
    }

    /// Where a byte of a source's text is; bytes past the end, or within a character, count as the place before.
    pub fn position(&self, source: u32, byte: usize) -> Position {
        let text = self.text(source);
        let byte = text.floor_char_boundary(byte);
        let before = &text[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            byte: byte + self.get(source).map_or(0, |source| source.skipped),
        }
    }

    pub(crate) fn get(&self, source: u32) -> Option<&Source> {
        self.files.get(source as usize)
    }
}

/// A source that is too large, found before or after reading it.
pub(crate) fn too_large() -> Diagnostic {
    Diagnostic::error(&codes::FILE_TOO_LARGE, "the file is too large")
        .note(format!("a source may have {MAX_SOURCE_BYTES} bytes"))
        .help("give the path of a `.cnn` file")
}

/// The span of a range; sources are smaller than 4 GiB.
pub(crate) fn span(source: u32, range: std::ops::Range<usize>) -> Span {
    Span { source, start: range.start as u32, end: range.end as u32 }
}
