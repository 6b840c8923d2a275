//! What a command ends with when it does not succeed.

use crate::args::MessageFormat;
use crate::terminal;
use std::io;
use std::process::ExitCode;

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// Diagnostics that have been printed already.
    Reported,
    /// One message.
    Message(String),
    /// Whoever read the output has gone away, as `head` does: nothing to say.
    BrokenPipe,
    /// Training was interrupted, and has said so.
    Interrupted,
}

/// Says what may be wrong, and goes on.
pub fn warn(message: &str, format: MessageFormat) {
    match format {
        MessageFormat::Human => terminal::say(format_args!("warning: {message}")),
        MessageFormat::Json => terminal::say(serde_json::json!({ "level": "warning", "message": message })),
    }
}

/// The exit status of what was interrupted, as shells have it: 128 and the number of SIGINT.
pub const INTERRUPTED: u8 = 130;

impl Failure {
    /// A failure from anything that can be shown.
    pub fn new(message: impl std::fmt::Display) -> Self {
        Self::Message(message.to_string())
    }

    /// What there is to say.
    pub fn into_message(self) -> String {
        match self {
            Self::Message(message) => message,
            Self::Reported => "see above".to_owned(),
            Self::BrokenPipe => "nobody reads the output".to_owned(),
            Self::Interrupted => "it was interrupted".to_owned(),
        }
    }

    /// Prints what there is to say, and the exit status: 1 for wrong input, 130 for an interruption, 0 for a reader that has
    /// gone.
    pub fn report(self, format: MessageFormat) -> ExitCode {
        match self {
            Self::BrokenPipe => return ExitCode::SUCCESS,
            Self::Interrupted => return ExitCode::from(INTERRUPTED),
            Self::Reported => {}
            Self::Message(message) => match format {
                MessageFormat::Human => terminal::say(format_args!("error: {message}")),
                MessageFormat::Json => terminal::say(serde_json::json!({ "level": "error", "message": message })),
            },
        }
        ExitCode::FAILURE
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Message(format!("cannot write the output: {error}")),
        }
    }
}

impl From<cnn::Error> for Failure {
    fn from(error: cnn::Error) -> Self {
        Self::new(error)
    }
}
