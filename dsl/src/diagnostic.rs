//! What is said about a file: errors and warnings with their places, figures and remedies.

use crate::codes;
use cnn_ir::{Code, Span};

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

/// Collects diagnostics, up to a number that a person would read.
#[derive(Debug, Default)]
pub(crate) struct Report {
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    left_out: usize,
}

impl Report {
    const MAX: usize = 100;

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.level == Level::Error);
        if self.diagnostics.len() < Self::MAX {
            self.diagnostics.push(diagnostic);
        } else if diagnostic.level == Level::Error {
            self.left_out += 1;
        }
    }

    /// Whether errors are left out; then there is no use in looking for more.
    pub(crate) fn is_full(&self) -> bool {
        self.left_out > 0
    }

    pub(crate) fn errors(&self) -> usize {
        self.errors
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
