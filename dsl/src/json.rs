//! Diagnostics as JSON for tools, in the manner of rustc's `--error-format=json`.

use crate::render::{Style, render};
use crate::{Diagnostic, Position, Sources};
use cnn_ir::Span;
use serde::Serialize;

#[derive(Serialize)]
struct Message<'a> {
    code: &'a str,
    level: &'a str,
    message: &'a str,
    file: &'a str,
    spans: Vec<Place<'a>>,
    notes: &'a [String],
    help: Vec<Remedy<'a>>,
    rendered: String,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    start: Point,
    end: Point,
    text: &'a str,
    primary: bool,
}

#[derive(Serialize)]
struct Point {
    line: usize,
    column: usize,
    byte: usize,
}

#[derive(Serialize)]
struct Remedy<'a> {
    message: &'a str,
    edit: Option<Change<'a>>,
}

#[derive(Serialize)]
struct Change<'a> {
    file: &'a str,
    start: Point,
    end: Point,
    replacement: &'a str,
}

/// One diagnostic as one line of JSON.
///
/// `{code, level, message, file, spans: [{file, start: {line, column, byte}, end, text, primary}], notes,
/// help: [{message, edit: {file, start, end, replacement} | null}], rendered}`. Lines and columns count from 1, columns
/// in characters; bytes count from 0 from the beginning of the file.
pub fn to_json(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let point = |source: u32, byte: u32| {
        let Position { line, column, byte } = sources.position(source, byte as usize);
        Point { line, column, byte }
    };
    let ends = |span: Span| (point(span.source, span.start), point(span.source, span.end));
    let message = Message {
        code: diagnostic.code.name,
        level: diagnostic.level.name(),
        message: &diagnostic.message,
        file: sources.name(diagnostic.span().map_or(0, |span| span.source)),
        spans: diagnostic
            .labels
            .iter()
            .map(|label| {
                let (start, end) = ends(label.span);
                Place { file: sources.name(label.span.source), start, end, text: &label.text, primary: label.primary }
            })
            .collect(),
        notes: &diagnostic.notes,
        help: diagnostic
            .help
            .iter()
            .map(|help| Remedy {
                message: &help.message,
                edit: help.edit.as_ref().map(|edit| {
                    let (start, end) = ends(edit.span);
                    Change { file: sources.name(edit.span.source), start, end, replacement: &edit.replacement }
                }),
            })
            .collect(),
        rendered: render(std::slice::from_ref(diagnostic), sources, Style::Plain),
    };
    // Serializing strings and numbers into memory cannot fail.
    serde_json::to_string(&message).unwrap_or_default()
}
