//! The formatter: `format/*.cnn` beside what becomes of each; and what must hold for every file and any blanks in it.

#![allow(clippy::unwrap_used)]

use cnn_dsl::{Settings, Sources, compile, format};
use cnn_ir::{Network, TraceBuilder};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every `.cnn` file of the project.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            let is_source = name != "target" && !name.to_string_lossy().starts_with('.');
            files.extend(is_source.then(|| self::files(&path)).into_iter().flatten());
        } else if path.extension().is_some_and(|end| end == "cnn") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The text in the one style; `None` for one with syntax errors.
fn formatted(text: &str) -> Option<String> {
    match format(&Sources::new("test.cnn", text)) {
        Ok(text) => Some(text),
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "{text}");
            None
        }
    }
}

/// What a model says about its training, without places.
fn training(network: &Network) -> Vec<(&str, &str)> {
    let settings = network.training.iter().flat_map(|training| &training.settings);
    let settings = settings.map(|setting| (setting.key.as_str(), setting.text.as_str()));
    let layers = (0..network.layers.len()).filter_map(|layer| Some(("init", network.initialiser(layer)?)));
    settings.chain(layers).collect()
}

/// The calls of every model without errors, and how it is trained.
fn networks(text: &str) -> Vec<String> {
    let compilation = compile(&Sources::new("test.cnn", text), &Settings::default());
    let traces = compilation.models.iter().map(|network| {
        let mut trace = TraceBuilder::new();
        network.replay(&mut trace).unwrap();
        format!("{}\n{}\n{:?}", network.name, trace.text(), training(network))
    });
    traces.collect()
}

/// The comments in order, and all other characters but blanks and commas.
fn parts(text: &str) -> (Vec<&str>, String) {
    let mut comments = Vec::new();
    let mut rest = String::new();
    for line in text.lines() {
        let in_text = |at: usize| line[..at].matches('"').count() % 2 == 1;
        let comment = line.match_indices("//").map(|(at, _)| at).find(|&at| !in_text(at));
        let (code, comment) = line.split_at(comment.unwrap_or(line.len()));
        comments.extend(Some(comment.trim_end()).filter(|comment| !comment.is_empty()));
        rest.extend(code.chars().filter(|c| !c.is_whitespace() && *c != ','));
    }
    comments.sort_unstable();
    (comments, rest)
}

/// What must hold for any text without syntax errors.
fn check(text: &str) {
    let Some(once) = formatted(text) else { return };
    assert_eq!(formatted(&once).as_ref(), Some(&once), "formatted again, it changes; at first it was\n{text}");
    assert_eq!(parts(&once), parts(text), "{text}\nbecomes\n{once}");
    assert_eq!(networks(&once), networks(text), "{text}\nbecomes\n{once}");
    assert!(!once.contains("\n\n\n") && !once.starts_with('\n') && !once.ends_with("\n\n"), "{once}");
    assert!(once.lines().all(|line| line.trim_end() == line), "{once}");
}

#[test]
fn every_case_becomes_its_snapshot() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("format");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in files(&root().join("dsl/tests/format")) {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            insta::assert_snapshot!(stem, formatted(&fs::read_to_string(&path).unwrap()).unwrap());
        }
    });
}

#[test]
fn shipped_networks_are_in_the_style() {
    for path in files(&root().join("models")) {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(formatted(&text), Some(text), "{}: run `cnn fmt models`", path.display());
    }
}

#[test]
fn every_file_keeps_its_meaning_and_its_comments() {
    let files = files(root());
    let sound = files.iter().filter(|path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        check(&text);
        formatted(&text).is_some()
    });
    assert!(sound.count() > 30);
}

#[test]
fn line_ends_stay_and_marks_go() {
    let text = "\u{feff}model A {\r\n  input x: [4]\r\n  relu // r\r\n}";
    assert_eq!(formatted(text).unwrap(), "model A {\r\n    input x: [4]\r\n    relu // r\r\n}\r\n");
    assert_eq!(formatted("").unwrap(), "");
    assert_eq!(formatted("\n // alone").unwrap(), "// alone\n");
}

#[test]
fn errors_are_reported() {
    let sources = Sources::new("test.cnn", "model A { input x: [4] relu( }");
    assert_eq!(format(&sources).unwrap_err()[0].code.name, "cnn::unbalanced");
    // Blanks would make this statement longer than a statement may be.
    let list = "1,".repeat(30_000);
    assert!(formatted(&format!("model A {{ input x: [{list}] }}")).is_none());
    // What formats, formats at any depth.
    let (open, close) = ("repeat 2 {\n".repeat(120), "}".repeat(120));
    check(&format!("model A {{ input x: [4] {open} relu {close} }}"));
}

/// What may be between two tokens.
const BLANKS: [&str; 9] = [" ", " ", " ", "  ", "\n", "\n\n\n", " // c\n", "\n// d\n", "\t\r\n"];

/// The text with the blanks of its code replaced, and some added around signs, by a recipe that is repeated.
fn mangled(text: &str, recipe: &[usize]) -> String {
    let mut choices = recipe.iter().cycle();
    let mut next = || *choices.next().unwrap();
    let mut out = String::new();
    for line in text.lines() {
        let (code, comment) = line.split_at(line.find("//").unwrap_or(line.len()));
        for word in code.split_inclusive([' ', '(', ')', '[', ']', '{', '}', ',']) {
            let (word, was_blank) = word.strip_suffix(' ').map_or((word, false), |word| (word, true));
            out.push_str(word);
            let choice = next();
            if was_blank || choice.is_multiple_of(4) {
                out.push_str(BLANKS[choice % BLANKS.len()]);
            }
        }
        out.push_str(comment);
        // Without a comment, lines may run on.
        out.push_str(if comment.is_empty() && next().is_multiple_of(3) { " " } else { "\n" });
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blanks_and_comments_anywhere(file in 0usize..1000, recipe in proptest::collection::vec(0usize..1000, 1..200)) {
        let files = files(root());
        let text = fs::read_to_string(&files[file % files.len()]).unwrap_or_default();
        let text = if text.len() > 1 << 16 { String::new() } else { text };
        check(&mangled(&text, &recipe));
    }
}
