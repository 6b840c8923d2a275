//! `cnn new`

use crate::args::New;
use crate::failure::Failure;
use crate::output::new_folder;
use cnn_dsl::{Settings, Sources};
use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

const MANIFEST: &str = include_str!("../../templates/Cargo.toml.in");
const MAIN: &str = include_str!("../../templates/main.rs.in");
const NETWORK: &str = include_str!("../../templates/template.cnn");

/// Makes a Cargo project around a small network: whole, or not at all.
pub fn run(args: &New) -> Result<(), Failure> {
    let folder = &args.folder;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let model = model_name(name)?;
    let file = name.replace('-', "_");
    let network = NETWORK.replace("template", &file).replace("Template", &model);
    check(&network, name)?;
    let main = MAIN.replace("template", &file).replace("Template", &model);
    let manifest = MANIFEST.replace("{package}", name).replace("{dependency}", &dependency(args.path.as_deref())?);
    new_folder(folder, |inside| {
        fs::write(inside.join("Cargo.toml"), manifest)?;
        fs::write(inside.join(".gitignore"), "/target\n")?;
        fs::write(inside.join(format!("{file}.cnn")), network)?;
        fs::create_dir(inside.join("src"))?;
        fs::write(inside.join("src/main.rs"), main)
    })?;
    let folder = folder.display();
    writeln!(stdout().lock(), "made {folder}: `cd {folder} && cargo run`, `cnn show {folder}/{file}.cnn`")?;
    Ok(())
}

/// `flower-net` is a model `FlowerNet`. Packages have names of ASCII letters, digits, `-` and `_`.
fn model_name(name: &str) -> Result<String, Failure> {
    let is_sound = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_sound {
        let shown = name.escape_debug();
        let rule = "a name begins with a letter and has letters, digits, `-` and `_`, as in `flower_net`";
        return Err(Failure::new(format!("`{shown}` cannot be the name of a project: {rule}")));
    }
    let words = name.split(['-', '_']);
    Ok(words
        .map(|word| word.get(..1).unwrap_or_default().to_ascii_uppercase() + word.get(1..).unwrap_or_default())
        .collect())
}

/// A project whose name is in its own way is refused: `cnn`, `test`, `tensor`.
fn check(network: &str, name: &str) -> Result<(), Failure> {
    /// Packages that Cargo refuses or that would hide what the program uses.
    const TAKEN: &[&str] = &["alloc", "cnn", "core", "proc_macro", "std", "test"];
    let sources = Sources::new("new.cnn", network);
    let compilation = cnn_dsl::compile(&sources, &Settings::default());
    let plain = name.replace('-', "_");
    let reason = match compilation.diagnostics.first() {
        Some(diagnostic) => diagnostic.message.clone(),
        None if TAKEN.contains(&plain.as_str()) => "another crate has it".into(),
        None if KEYWORDS.contains(&plain.as_str()) => "it is a word of Rust".into(),
        None => return Ok(()),
    };
    Err(Failure::new(format!("`{name}` cannot be the name of a project: {reason}; try `{plain}_net`")))
}

/// The words that Cargo refuses as names of packages.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// What the manifest says of the crate `cnn`: this version, or the one in a folder.
fn dependency(path: Option<&Path>) -> Result<String, Failure> {
    let Some(path) = path else { return Ok(format!("{:?}", env!("CARGO_PKG_VERSION"))) };
    let is_crate = |folder: &Path| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim() == "name = \"cnn\"")
    };
    // The folder of the crate, or of the project that has it.
    let found = [path.to_owned(), path.join("cnn")].into_iter().find(|folder| is_crate(folder));
    let wrong = |reason: &str| Failure::new(format!("`{}` {reason}", path.display()));
    let folder =
        found.ok_or_else(|| wrong("is not the folder of the crate `cnn`: it has no `Cargo.toml` of that name"))?;
    let folder = folder.canonicalize().map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let text = folder.to_str().ok_or_else(|| wrong("is not UTF-8, so a manifest cannot name it"))?;
    // A JSON string is a TOML string.
    Ok(format!("{{ path = {} }}", serde_json::Value::from(text)))
}
