//! What a shape rule or an argument check says when it refuses.

use crate::Code;
use std::fmt;

/// A refusal by an op: what is wrong, in figures, and what would be right.
///
/// A fault knows no text and no file: the language adds the place.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The stable code.
    pub code: &'static Code,
    /// One line: what is wrong.
    pub message: String,
    /// What the fault is about.
    pub subject: Subject,
    /// The arithmetic, one line each.
    pub figures: Vec<String>,
    /// What to do instead.
    pub fix: Option<Box<Fix>>,
}

/// The part of a call that a fault is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The whole call.
    Call,
    /// One argument, by its parameter's name.
    Argument(&'static str),
}

/// A suggestion, with the text that would carry it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Words only.
    Advice(String),
    /// Give this argument this value.
    SetArgument {
        /// Why, as an imperative: "use the largest kernel that fits".
        advice: String,
        /// The parameter's name.
        name: &'static str,
        /// The new value, as written in the language.
        value: String,
    },
    /// Put this step before the call.
    InsertBefore {
        /// Why, as an imperative.
        advice: String,
        /// The step, as written in the language.
        step: String,
    },
}

impl Fix {
    /// The advice without the edit.
    pub fn advice(&self) -> &str {
        match self {
            Fix::Advice(advice) | Fix::SetArgument { advice, .. } | Fix::InsertBefore { advice, .. } => advice,
        }
    }
}

impl Fault {
    /// A fault about the whole call.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), subject: Subject::Call, figures: Vec::new(), fix: None }
    }

    /// The same fault, about one argument.
    #[must_use]
    pub fn about(mut self, argument: &'static str) -> Self {
        self.subject = Subject::Argument(argument);
        self
    }

    /// Adds a line of arithmetic.
    #[must_use]
    pub fn figure(mut self, line: impl Into<String>) -> Self {
        self.figures.push(line.into());
        self
    }

    /// Adds the suggestion.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(Box::new(fix));
        self
    }

    /// Adds advice in words.
    #[must_use]
    pub fn advice(self, advice: impl Into<String>) -> Self {
        self.fix(Fix::Advice(advice.into()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code.name)?;
        for line in &self.figures {
            write!(f, "; {line}")?;
        }
        if let Some(fix) = &self.fix {
            write!(f, "; help: {}", fix.advice())?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
