//! What is said about a file: errors and warnings with their places, figures and remedies.

use crate::codes;
use cnn_ir::{Code, Span};
use std::collections::BTreeSet;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The model cannot be used.
    Error,
    /// The model can be used, but something is likely not meant.
    Warning,
}

impl Level {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
        }
    }
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: &'static Code,
    /// Error or warning.
    pub level: Level,
    /// What is wrong, in one line.
    pub message: String,
    /// Places; the primary ones are where it is wrong, the others help to see why.
    pub labels: Vec<Label>,
    /// Figures and facts, one each.
    pub notes: Vec<String>,
    /// Remedies.
    pub help: Vec<Help>,
}

/// A place and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The text; may be empty.
    pub text: String,
    /// Whether this is where it is wrong.
    pub primary: bool,
}

/// A remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Help {
    /// What to do, as an imperative.
    pub message: String,
    /// The change that does it.
    pub edit: Option<Edit>,
}

/// A change of the text: `span` is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

impl Diagnostic {
    /// An error without places.
    pub fn error(code: &'static Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, level: Level::Error, message, labels: Vec::new(), notes: Vec::new(), help: Vec::new() }
    }

    /// A warning without places.
    pub fn warning(code: &'static Code, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, message) }
    }

    /// Adds a place where it is wrong.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into(), primary: true });
        self
    }

    /// Adds a place that helps to see why.
    #[must_use]
    pub fn see(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into(), primary: false });
        self
    }

    /// Adds a figure or fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds a remedy in words.
    #[must_use]
    pub fn help(mut self, message: impl Into<String>) -> Self {
        self.help.push(Help { message: message.into(), edit: None });
        self
    }

    /// Adds a remedy with the change that carries it out.
    #[must_use]
    pub fn edit(mut self, message: impl Into<String>, span: Span, replacement: impl Into<String>) -> Self {
        let edit = Some(Edit { span, replacement: replacement.into() });
        self.help.push(Help { message: message.into(), edit });
        self
    }

    /// The first primary place.
    pub fn span(&self) -> Option<Span> {
        self.labels.iter().find(|label| label.primary).map(|label| label.span)
    }
}

/// Collects diagnostics, up to a number that a person would read, and adds to each the way that led to its place.
#[derive(Debug, Default)]
pub(crate) struct Report {
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    left_out: usize,
    /// Code and place of all so far: a mistake in a block or loop is said once, however often it is expanded.
    seen: BTreeSet<(&'static str, Place)>,
    /// The calls and loops around what is being looked at, the outermost first.
    way: Vec<(Span, String)>,
}

/// File, start and end.
type Place = (u32, u32, u32);

impl Report {
    const MAX: usize = 100;
    /// Errors, with those said before, after which nothing new is expected: a mistake in a loop comes back in every round.
    const ENOUGH: usize = 400;
    /// The longest way that is told whole; of a longer one, the innermost steps but one, and the outermost.
    const LONGEST_WAY: usize = 8;

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.level == Level::Error);
        let place = diagnostic.span().map(|span| (diagnostic.code.name, (span.source, span.start, span.end)));
        if place.is_some_and(|place| self.seen.contains(&place)) {
            return;
        }
        if self.diagnostics.len() < Self::MAX {
            self.seen.extend(place);
            self.diagnostics.push(self.with_way(diagnostic));
        } else if diagnostic.level == Level::Error {
            self.left_out += 1;
        }
    }

    /// Whether there are so many errors that there is no use in looking for more.
    pub(crate) fn is_full(&self) -> bool {
        self.left_out > 0 || self.errors > Self::ENOUGH
    }

    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Enters a call or loop: what is pushed until [`Self::leave`] tells of it.
    pub(crate) fn enter(&mut self, span: Span, text: impl Into<String>) {
        self.way.push((span, text.into()));
    }

    pub(crate) fn leave(&mut self) {
        self.way.pop();
    }

    fn with_way(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        let left_out = self.way.len().saturating_sub(Self::LONGEST_WAY);
        for (index, (span, text)) in self.way.iter().enumerate().rev() {
            let is_new = !diagnostic.labels.iter().any(|label| label.span == *span && label.text == *text);
            if (index == 0 || index > left_out) && is_new {
                diagnostic = diagnostic.see(*span, text);
            }
        }
        match left_out {
            0 => diagnostic,
            _ => diagnostic.note(format!("{left_out} calls in between are not shown")),
        }
    }

    /// The diagnostics in the order of their places.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let Self { mut diagnostics, left_out, .. } = self;
        diagnostics.sort_by_key(|diagnostic| diagnostic.span().map(|span| (span.source, span.start)));
        if left_out > 0 {
            let message = format!("too many errors: the first {} are shown", Self::MAX);
            diagnostics.push(Diagnostic::error(&codes::TOO_MANY_ERRORS, message));
        }
        diagnostics
    }
}
