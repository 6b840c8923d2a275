//! Lines as they come out: indentation, empty lines, comments at their ends.

use super::MAX_COLUMNS;
use super::leaf::Comment;
use crate::MAX_SOURCE_BYTES;

/// Lines under construction.
#[derive(Debug, Default)]
pub(super) struct Lines<'s> {
    lines: Vec<Line<'s>>,
    current: String,
    /// Characters in it.
    width: usize,
    /// Blanks before the next line's first token.
    indent: usize,
    /// Bytes so far.
    bytes: usize,
}

#[derive(Debug)]
struct Line<'s> {
    code: String,
    comment: Option<Comment<'s>>,
}

impl Line<'_> {
    fn indent(&self) -> usize {
        self.code.len() - self.code.trim_start().len()
    }
}

impl<'s> Lines<'s> {
    /// Adds to the current line.
    pub fn push(&mut self, text: &str) {
        if self.current.is_empty() {
            self.current = " ".repeat(self.indent);
            self.width = self.indent;
        }
        self.current.push_str(text);
        self.width += text.chars().count();
    }

    /// Whether the current line has nothing yet.
    pub fn is_fresh(&self) -> bool {
        self.current.is_empty()
    }

    /// Characters in the current line.
    pub fn column(&self) -> usize {
        if self.is_fresh() { self.indent } else { self.width }
    }

    /// Ends the current line, if it has anything, and indents the next.
    pub fn end(&mut self, indent: usize) {
        self.finish(None);
        self.indent = indent;
    }

    /// Ends the current line with a comment.
    pub fn comment(&mut self, comment: Comment<'s>) {
        if self.is_fresh() {
            self.whole(comment.text);
        } else {
            self.finish(Some(comment));
        }
    }

    /// A line of its own: a comment.
    pub fn whole(&mut self, text: &str) {
        self.push(text);
        self.finish(None);
    }

    /// An empty line: never two, and none between documentation and what it is about.
    pub fn blank(&mut self) {
        let is_open = |line: &Line<'_>| !line.code.is_empty() && !line.code.trim_start().starts_with("///");
        if self.lines.last().is_some_and(is_open) {
            self.lines.push(Line { code: String::new(), comment: None });
        }
    }

    /// Takes an empty line at the end back.
    pub fn drop_blank(&mut self) {
        self.lines.pop_if(|line| line.code.is_empty());
    }

    /// Lines so far.
    pub fn count(&self) -> usize {
        self.lines.len()
    }

    /// Whether the line of this number is empty.
    pub fn is_blank(&self, line: usize) -> bool {
        self.lines.get(line).is_some_and(|line| line.code.is_empty())
    }

    /// Puts an empty line before the line of this number, unless one is there.
    pub fn separate(&mut self, line: usize) {
        if !self.is_blank(line) {
            self.lines.insert(line.min(self.lines.len()), Line { code: String::new(), comment: None });
        }
    }

    /// The text: comments of equally indented lines that follow each other stand below each other.
    pub fn text(mut self) -> String {
        self.end(0);
        let mut text = String::with_capacity(self.bytes);
        for run in self.lines.chunk_by(|a, b| a.comment.is_some() && b.comment.is_some() && a.indent() == b.indent()) {
            let column = column(run);
            for line in run {
                text.push_str(&line.code);
                if let Some(comment) = line.comment {
                    let gap = column.saturating_sub(line.code.chars().count()).max(1);
                    text.extend(std::iter::repeat_n(' ', gap));
                    text.push_str(comment.text);
                }
                text.push('\n');
            }
        }
        text
    }

    fn finish(&mut self, comment: Option<Comment<'s>>) {
        let code = std::mem::take(&mut self.current);
        self.bytes += code.len() + 1;
        // Beyond the limit the text is refused, whatever else would come.
        if !code.is_empty() && self.bytes <= MAX_SOURCE_BYTES + MAX_COLUMNS {
            self.lines.push(Line { code, comment });
        }
    }
}

/// Where the comments of a run of lines begin: as far right as the author has one of them, if all fit then.
fn column(run: &[Line<'_>]) -> usize {
    let least = run.iter().map(|line| line.code.chars().count() + 1).max().unwrap_or(0);
    let comments = || run.iter().filter_map(|line| line.comment);
    let column = comments().filter_map(|comment| comment.column).max().unwrap_or(0).max(least);
    let width = comments().map(|comment| comment.text.chars().count()).max().unwrap_or(0);
    if column + width > MAX_COLUMNS { least } else { column }
}
