//! `editors/`: the files are sound, and the TextMate grammar knows the words of the language.

#![allow(clippy::unwrap_used)]

use fancy_regex::Regex;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(root().join("editors/vscode").join(path)).unwrap()).unwrap()
}

/// The rules of the grammar: a regular expression, and the scope of the whole or of each group.
struct Grammar(Vec<(Regex, Vec<(usize, String)>)>);

impl Grammar {
    fn read() -> Self {
        let grammar = json("syntaxes/cnn.tmLanguage.json");
        let rules = grammar["patterns"].as_array().unwrap().iter().map(|rule| {
            let mut scopes: Vec<(usize, String)> = Vec::new();
            scopes.extend(rule["name"].as_str().map(|name| (0, name.to_owned())));
            for (group, scope) in rule["captures"].as_object().into_iter().flatten() {
                scopes.push((group.parse().unwrap(), scope["name"].as_str().unwrap().to_owned()));
            }
            assert!(!scopes.is_empty() && scopes.iter().all(|(_, scope)| scope.ends_with(".cnn")), "{rule}");
            (Regex::new(rule["match"].as_str().unwrap()).unwrap(), scopes)
        });
        Self(rules.collect())
    }

    /// The coloured parts of a line, as an editor finds them: always the earliest match, and of those the first rule's.
    fn parts<'l>(&self, line: &'l str) -> Vec<(&'l str, &str)> {
        let mut parts = Vec::new();
        let mut at = 0;
        loop {
            let matches = self.0.iter().filter_map(|(regex, scopes)| {
                let groups = regex.captures_from_pos(line, at).unwrap()?;
                Some((groups.get(0).unwrap().range(), groups, scopes))
            });
            let Some((range, groups, scopes)) = matches.min_by_key(|(range, _, _)| range.start) else { return parts };
            assert!(!range.is_empty(), "{line}");
            for (group, scope) in scopes {
                parts.extend(groups.get(*group).map(|part| (part.as_str(), scope.trim_end_matches(".cnn"))));
            }
            at = range.end;
        }
    }

    fn scope_of(&self, line: &str, word: &str) -> String {
        let parts = self.parts(line);
        let found: Vec<&str> = parts.iter().filter(|(part, _)| *part == word).map(|(_, scope)| *scope).collect();
        found.first().copied().unwrap_or("none").to_owned()
    }
}

#[test]
fn every_reserved_word_is_a_keyword() {
    let grammar = Grammar::read();
    let pest = include_str!("../src/grammar.pest");
    let rule = pest.split_once("reserved = @{").unwrap().1.split_once(") ~").unwrap().0;
    let words: Vec<&str> = rule.split('"').skip(1).step_by(2).collect();
    assert!(words.len() > 15);
    for word in words {
        let scope = grammar.scope_of(&format!("{word} "), word);
        let is_keyword = ["keyword.", "storage.type", "constant.language"].iter().any(|start| scope.starts_with(start));
        assert!(is_keyword, "`{word}` is {scope}");
    }
}

#[test]
fn words_have_their_scopes() {
    let grammar = Grammar::read();
    let cases = [
        ("model LeNet(classes: int = 10) {", "LeNet", "entity.name.type"),
        ("model LeNet(classes: int = 10) {", "classes", "variable.parameter"),
        ("model LeNet(classes: int = 10) {", "int", "support.type"),
        ("model LeNet(classes: int = 10) {", "10", "constant.numeric"),
        ("block b(stages: [(int, int)], act: layer = relu) {", "stages", "variable.parameter"),
        ("block b(stages: [(int, int)], act: layer = relu) {", "layer", "support.type"),
        ("    input image: [1, 28, 28]    // channels", "input", "keyword.other"),
        ("    input image: [1, 28, 28]    // channels", "image", "variable.other"),
        ("    input image: [1, 28, 28]    // channels", "// channels", "comment.line.double-slash"),
        ("/// LeNet-5 for input", "/// LeNet-5 for input", "comment.line.documentation"),
        ("    c1: conv(6, kernel = 5) -> relu", "c1", "entity.name.tag"),
        ("    c1: conv(6, kernel = 5) -> relu", "conv", "entity.name.function"),
        ("    c1: conv(6, kernel = 5) -> relu", "kernel", "variable.parameter"),
        ("    c1: conv(6, kernel = 5) -> relu", "->", "keyword.operator.arrow"),
        ("    layer{i + 1}: basic(64)", "layer", "entity.name.tag"),
        ("    if stride != 1 or in.channels != channels {", "in", "variable.language"),
        ("    if stride != 1 or in.channels != channels {", "or", "keyword.operator.logical"),
        ("    for (a, b) in stages { vgg(a, b) }", "in", "keyword.control"),
        ("    conv(8, 3, padding = same_tf)", "same_tf", "constant.language"),
        ("    assert params < 1.5M and shape == [1]", "1.5M", "constant.numeric"),
        ("    assert memory < 20MB", "20MB", "constant.numeric"),
        ("extern layer patches(size: int = 2) -> in.shape = crate::Patches", "patches", "entity.name.function"),
        ("    assert params < 1.5M and shape == [1]", "shape", "variable.other"),
        ("    b: share encoder", "share", "keyword.other"),
        ("use \"blocks.cnn\"", "\"blocks.cnn\"", "string.quoted.double"),
        ("    train {", "train", "keyword.other"),
        ("        optimizer: adam(betas = (0.9, 0.999))", "optimizer", "entity.name.tag"),
        ("        loss: mse + 0.3 * l1(output = aux)", "output", "variable.parameter"),
        ("        rate: 1e-3", "1e-3", "constant.numeric"),
        ("        data: mnist(\"data\")", "\"data\"", "string.quoted.double"),
        ("        | identity", "|", "keyword.operator.branch"),
    ];
    for (line, word, scope) in cases {
        assert_eq!(grammar.scope_of(line, word), scope, "`{word}` in `{line}`");
    }
}

/// Nothing of a shipped network but brackets and punctuation is without a colour.
#[test]
fn shipped_networks_are_coloured() {
    let grammar = Grammar::read();
    let folders = ["models", "models/torchvision"].map(|folder| root().join(folder));
    let files: Vec<PathBuf> =
        folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())).collect();
    let networks = files.iter().filter(|path| path.extension().is_some_and(|end| end == "cnn"));
    let mut lines = 0;
    for path in networks {
        for line in fs::read_to_string(path).unwrap().lines() {
            let coloured: usize = grammar.parts(line).iter().map(|(part, _)| part.len()).sum();
            let plain = line.chars().filter(|c| " ()[]{},:.".contains(*c)).count();
            assert!(coloured + plain >= line.len(), "{}: {line}", path.display());
            lines += 1;
        }
    }
    assert!(lines > 300);
}

#[test]
fn the_extension_names_files_that_are_there() {
    let package = json("package.json");
    let contributes = &package["contributes"];
    for path in [&contributes["grammars"][0]["path"], &contributes["languages"][0]["configuration"]] {
        json(path.as_str().unwrap());
    }
    let patterns = &contributes["problemPatterns"][0]["patterns"];
    let lines = ["error[cnn::kernel_too_large]: the kernel does not fit", "  --> models/bad.cnn:4:23"];
    for (pattern, line) in patterns.as_array().unwrap().iter().zip(lines) {
        assert!(Regex::new(pattern["regexp"].as_str().unwrap()).unwrap().is_match(line).unwrap(), "{pattern}");
    }
}
