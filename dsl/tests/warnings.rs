//! The shipped models are how the language is meant to be written, so nothing is to be said about them.

#![allow(clippy::unwrap_used)]

use cnn_dsl::{Settings, Sources, Style, compile, render};
use std::fs;
use std::path::{Path, PathBuf};

fn models(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.extension() {
            _ if entry.is_dir() => models(&entry, found),
            Some(end) if end == "cnn" => found.push(entry),
            _ => {}
        }
    }
}

#[test]
fn nothing_is_said_about_the_shipped_models() {
    let mut found = Vec::new();
    models(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models"), &mut found);
    assert!(found.len() > 15, "{found:?}");
    for path in found {
        let mut sources = Sources::new("model.cnn", fs::read_to_string(&path).unwrap());
        while let Some(used) = sources.missing().into_iter().next() {
            let bytes = fs::read(path.with_file_name(&used)).unwrap();
            sources.add(&used, bytes);
        }
        let compilation = compile(&sources, &Settings::default());
        let text = render(&compilation.diagnostics, &sources, Style::Plain);
        assert_eq!(text, "", "{}", path.display());
    }
}
