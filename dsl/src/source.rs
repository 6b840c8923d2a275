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
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) name: String,
    /// From the main source's folder, with `/`.
    path: String,
    /// The text without its byte order mark.
    pub(crate) text: String,
    /// Bytes of the mark that was removed.
    pub(crate) skipped: usize,
    /// Not a text that can be compiled; said so when it was read.
    pub(crate) rejected: bool,
    /// Why the file could not be read.
    failure: Option<String>,
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
    /// The most files of one compilation.
    pub const MAX_FILES: usize = 256;

    /// A single source. `name` is what diagnostics print; a byte order mark is removed.
    ///
    /// ```
    /// let sources = cnn_dsl::Sources::new("tiny.cnn", "model Tiny { input x: [4] dense(2) }");
    /// assert!(!cnn_dsl::compile(&sources, &Default::default()).has_errors());
    /// ```
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let mut source = Source::named(name.into());
        source.set_text(text.into());
        Self { files: vec![source] }
    }

    /// A single source from the bytes of a file, and what is wrong with them: too many, not text, or not UTF-8.
    ///
    /// Bytes that are wrong leave a source from which [`compile`](crate::compile) makes no models and no diagnostics.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> (Self, Vec<Diagnostic>) {
        let mut sources = Self { files: vec![Source::named(name.into())] };
        let diagnostics = sources.read(0, bytes);
        (sources, diagnostics)
    }

    /// Adds the bytes of a file that is [missing](Self::missing), and says what is wrong with them.
    pub fn add(&mut self, path: &str, bytes: Vec<u8>) -> Vec<Diagnostic> {
        let number = self.push(path);
        let total: usize = self.files.iter().map(|file| file.text.len()).sum();
        if total.saturating_add(bytes.len()) > MAX_SOURCE_BYTES {
            self.files[number].rejected = true;
            return vec![too_large()];
        }
        self.read(number, bytes)
    }

    /// Says why a file that is [missing](Self::missing) cannot be read; [`compile`](crate::compile) reports it at its `use`.
    pub fn add_unreadable(&mut self, path: &str, reason: impl Into<String>) {
        let number = self.push(path);
        self.files[number].failure = Some(reason.into());
        self.files[number].rejected = true;
    }

    fn push(&mut self, path: &str) -> usize {
        let main = self.files.first().map_or("", |main| main.name.as_str());
        let folder = main.rfind(['/', '\\']).map_or("", |slash| &main[..=slash]);
        self.files.push(Source { name: format!("{folder}{path}"), path: path.to_owned(), ..Source::default() });
        self.files.len() - 1
    }

    fn read(&mut self, number: usize, bytes: Vec<u8>) -> Vec<Diagnostic> {
        let source = &mut self.files[number];
        source.rejected = true;
        if bytes.len() > MAX_SOURCE_BYTES {
            return vec![too_large()];
        }
        // Without a place in it the error would name the main source.
        let place = (number > 0).then(|| span(number as u32, 0..0));
        if bytes.contains(&0) {
            let error = Diagnostic::error(&codes::NOT_TEXT, "this is not a text file: it contains zero bytes")
                .help("give the path of a `.cnn` file");
            return vec![place.into_iter().fold(error, |error, place| error.at(place, ""))];
        }
        match String::from_utf8(bytes) {
            Ok(text) => {
                source.set_text(text);
                source.rejected = false;
                Vec::new()
            }
            Err(error) => {
                let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
                let message = format!("byte 0x{:02x} is not UTF-8", bytes[at]);
                source.set_text(String::from_utf8_lossy(bytes).into_owned());
                // Everything before the byte was kept as it is, so the replacement character stands at the same place.
                let (skipped, number) = (source.skipped, number as u32);
                let at = at - skipped;
                let line = self.position(number, at).line;
                let span = span(number, at..at + char::REPLACEMENT_CHARACTER.len_utf8());
                let error = Diagnostic::error(&codes::NOT_UTF8, message)
                    .at(span, "this byte")
                    .note(format!("at byte {} of the file, in line {line}", at + skipped))
                    .help("save the file as UTF-8");
                vec![error]
            }
        }
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

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// The path of a source from the main one's folder.
    pub(crate) fn path(&self, source: u32) -> &str {
        self.get(source).map_or("", |source| &source.path)
    }

    /// The source of a path.
    pub(crate) fn find(&self, path: &str) -> Option<u32> {
        self.files.iter().position(|file| file.path == path).map(|number| number as u32)
    }

    /// Why a source could not be read.
    pub(crate) fn failure(&self, source: u32) -> Option<&str> {
        self.get(source)?.failure.as_deref()
    }

    /// Whether a source is no text that can be compiled.
    pub(crate) fn is_rejected(&self, source: u32) -> bool {
        self.get(source).is_none_or(|source| source.rejected)
    }

    /// Path and text of every source that can be compiled.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let sound = self.files.iter().filter(|file| !file.rejected && file.text.len() <= MAX_SOURCE_BYTES);
        sound.map(|file| (file.path.as_str(), file.text.as_str()))
    }
}

impl Source {
    /// A main source without text.
    fn named(name: String) -> Self {
        let path = name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        Self { name, path, ..Self::default() }
    }

    fn set_text(&mut self, mut text: String) {
        if text.starts_with(BOM) {
            self.skipped = BOM.len_utf8();
            text.drain(..self.skipped);
        }
        self.text = text;
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
