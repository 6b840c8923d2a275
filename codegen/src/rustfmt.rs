//! The user's own formatter, where there is one.

use std::io::Write;
use std::process::{Command, Stdio};

/// The code as the user's `rustfmt` writes it, in the style of the current folder's `rustfmt.toml`; unchanged where
/// there is no `rustfmt`.
pub fn rustfmt(code: &str) -> String {
    run(code).unwrap_or_else(|| code.to_owned())
}

fn run(code: &str) -> Option<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // Dropping the pipe's end tells the formatter that the code is complete.
    child.stdin.take()?.write_all(code.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    if output.status.success() { String::from_utf8(output.stdout).ok() } else { None }
}
