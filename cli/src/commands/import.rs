//! `cnn import`

use crate::args::{Import, MessageFormat, ModelArgs};
use crate::checkpoint;
use crate::failure::Failure;
use crate::model::load_one;
use crate::number::grouped;
use crate::output::write_file;
use cnn::{CompileOptions, Error, Session, Weights};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write, stdout};
use std::path::Path;

/// Makes a safetensors file of f32 from a PyTorch file or from another safetensors file, and says what it changed.
pub fn run(args: &Import, format: MessageFormat) -> Result<(), Failure> {
    let renames = args.rename.iter().map(|rename| Rename::parse(rename)).collect::<Result<Vec<_>, _>>()?;
    for input in [Some(&args.file), args.check.as_ref()].into_iter().flatten() {
        if is_same_file(input, &args.output) {
            let (input, output) = (input.display(), args.output.display());
            return Err(Failure::Message(format!("`{output}` would overwrite `{input}`: give `-o` another name")));
        }
    }
    let Stored { weights, kind, mut notes } = read(&args.file, args.key.as_deref())?;
    let found = weights.names().count();
    let names = select(&weights, &args.drop, &renames, &mut notes)?;
    if names.is_empty() {
        return Err(Failure::Message(format!("`{}` has no tensors to keep", args.file.display())));
    }
    let weights = weights.renamed(&names)?;
    if let Some(file) = &args.check {
        let model = ModelArgs { file: file.clone(), model: args.model.clone(), set: args.set.clone() };
        let network = load_one(&model, format)?;
        // What fits is what runs.
        Session::from_network(&network, &weights, &CompileOptions::default())
            .map_err(|error| named(error, &args.file))?;
        notes.push(format!("fits `{}`: every name and shape", network.name));
    }
    let bytes = weights.to_safetensors()?;
    write_file(&args.output, &bytes)?;

    let mut out = stdout().lock();
    writeln!(out, "{}: {kind} with {}", args.file.display(), counted(found, "tensor", "tensors"))?;
    for note in &notes {
        writeln!(out, "  {note}")?;
    }
    let shapes = weights.names().filter_map(|name| weights.shape(name));
    let elements: u128 = shapes.map(|shape| shape.iter().product::<usize>() as u128).sum();
    writeln!(
        out,
        "{}: {}, {} elements, {} bytes",
        args.output.display(),
        counted(names.len(), "tensor", "tensors"),
        grouped(elements),
        grouped(bytes.len() as u128)
    )?;
    Ok(())
}

/// Whether both paths lead to one file that exists, also by way of links.
fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// What a file holds, and what there is to say about it.
struct Stored {
    weights: Weights,
    kind: &'static str,
    notes: Vec<String>,
}

fn read(path: &Path, key: Option<&str>) -> Result<Stored, Failure> {
    if is_safetensors(path)? {
        if key.is_some() {
            return Err(Failure::Message("`--key` is for nested PyTorch files; a safetensors file is flat".into()));
        }
        return Ok(Stored { weights: Weights::open(path)?, kind: "a safetensors file", notes: Vec::new() });
    }
    let checkpoint = checkpoint::read(path, key)?;
    let mut notes = Vec::new();
    if let Some(key) = checkpoint.key {
        notes.push(format!("took the entry `{key}`"));
    }
    if let Some((name, python)) = checkpoint.others.first() {
        let what = counted(checkpoint.others.len(), "entry that is no tensor", "entries that are no tensors");
        let more = and_more(checkpoint.others.len());
        notes.push(format!("left out {what}: `{}` ({}){more}", name.escape_debug(), python.escape_debug()));
    }
    Ok(Stored { weights: Weights::from_bytes(checkpoint.safetensors)?, kind: checkpoint.format, notes })
}

/// Whether a file begins like safetensors: the length of a header, and the header's brace.
fn is_safetensors(path: &Path) -> Result<bool, Failure> {
    let error = |e: std::io::Error| Failure::Message(format!("cannot read `{}`: {e}", path.display()));
    let mut start = Vec::new();
    File::open(path).map_err(error)?.take(9).read_to_end(&mut start).map_err(error)?;
    Ok(start.get(8) == Some(&b'{'))
}

/// The tensors to keep: the name each gets, and the one it has.
fn select(
    weights: &Weights,
    drops: &[String],
    renames: &[Rename],
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, String>, Failure> {
    // `DataParallel` puts this before every name.
    let prefix = if weights.names().all(|name| name.starts_with("module.")) { "module." } else { "" };
    let all: Vec<&str> = weights.names().map(|name| &name[prefix.len()..]).collect();
    check_arguments(&all, drops, renames)?;
    let (mut names, mut integers, mut counters, mut dropped) = (BTreeMap::new(), Vec::new(), Vec::new(), 0);
    let mut converted: BTreeMap<String, usize> = BTreeMap::new();
    for stored in weights.names() {
        if stored.chars().any(char::is_control) {
            return Err(Failure::Message(format!("the name {stored:?} has control characters")));
        }
        let name = &stored[prefix.len()..];
        if drops.iter().any(|drop| is_under(name, drop)) {
            dropped += 1;
            continue;
        }
        if !weights.is_float(stored) {
            integers.push(name);
            continue;
        }
        // `model.half()` makes floats of them.
        if name.rsplit('.').next() == Some("num_batches_tracked") {
            counters.push(name);
            continue;
        }
        if let Some(dtype) = weights.dtype(stored).filter(|dtype| dtype != "F32") {
            *converted.entry(dtype).or_default() += 1;
        }
        let name = renames.iter().fold(name.to_owned(), |name, rename| rename.apply(&name));
        if let Some(other) = names.insert(name.clone(), stored.to_owned()) {
            return Err(Failure::Message(format!("`{other}` and `{stored}` would both be `{name}`")));
        }
    }
    if !prefix.is_empty() && !names.is_empty() {
        notes.push(format!("took off the prefix `{prefix}`"));
    }
    if dropped > 0 {
        notes.push(format!("left out {}, as `--drop` says", counted(dropped, "tensor", "tensors")));
    }
    if let Some(first) = integers.first() {
        let what = counted(integers.len(), "tensor that is no float", "tensors that are no floats");
        notes.push(format!("left out {what}: `{first}`{}", and_more(integers.len())));
    }
    if let Some(first) = counters.first() {
        let what = counted(counters.len(), "counter of training steps", "counters of training steps");
        notes.push(format!("left out {what}: `{first}`{}", and_more(counters.len())));
    }
    if !converted.is_empty() {
        let types: Vec<String> = converted.iter().map(|(dtype, count)| format!("{count} of {dtype}")).collect();
        notes.push(format!("converted to F32: {}", types.join(", ")));
    }
    Ok(names)
}

/// Checks that every `--drop` and `--rename` has a name to work on; one without is a slip in its spelling.
fn check_arguments(names: &[&str], drops: &[String], renames: &[Rename]) -> Result<(), Failure> {
    let nothing = |argument: &str| {
        let first = names.first().map(|name| format!("; the first name is `{name}`")).unwrap_or_default();
        Err(Failure::Message(format!("`{argument}` matches nothing{first}")))
    };
    if let Some(drop) = drops.iter().find(|drop| !names.iter().any(|name| is_under(name, drop))) {
        return nothing(&format!("--drop {drop}"));
    }
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    for rename in renames {
        if !names.iter().any(|name| rename.matches(name)) {
            return nothing(&format!("--rename {}={}", rename.from.join("."), rename.to));
        }
        names = names.iter().map(|name| rename.apply(name)).collect();
    }
    Ok(())
}

/// Whether a name is this one or lies under it: `aux1.conv.weight` under `aux1`.
fn is_under(name: &str, path: &str) -> bool {
    name.strip_prefix(path.trim_end_matches('.')).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// What follows the first of several.
fn and_more(count: usize) -> &'static str {
    if count > 1 { ", …" } else { "" }
}

/// The error with the file's name, where the bytes in memory have none.
fn named(error: Error, path: &Path) -> Error {
    match error {
        Error::WeightsMismatch(mut mismatch) => {
            mismatch.origin = path.display().to_string();
            Error::WeightsMismatch(mismatch)
        }
        error => error,
    }
}

/// `FROM=TO`: whole parts of a name, between its dots, that become others.
struct Rename<'a> {
    from: Vec<&'a str>,
    to: &'a str,
}

impl<'a> Rename<'a> {
    fn parse(text: &'a str) -> Result<Self, Failure> {
        match text.split_once('=') {
            Some((from, to)) if !from.is_empty() => Ok(Self { from: from.split('.').collect(), to }),
            _ => Err(Failure::Message(format!("`--rename {text}`: write `OLD=NEW`, as in `norm.1=norm1`"))),
        }
    }

    fn matches(&self, name: &str) -> bool {
        let parts: Vec<&str> = name.split('.').collect();
        parts.windows(self.from.len()).any(|window| window == self.from)
    }

    fn apply(&self, name: &str) -> String {
        let parts: Vec<&str> = name.split('.').collect();
        let (mut renamed, mut rest) = (Vec::new(), parts.as_slice());
        while let Some((first, behind)) = rest.split_first() {
            if let Some(behind) = rest.strip_prefix(self.from.as_slice()) {
                renamed.extend((!self.to.is_empty()).then_some(self.to));
                rest = behind;
            } else {
                renamed.push(first);
                rest = behind;
            }
        }
        renamed.join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_by_whole_parts() {
        let rename = |rename: &str, name: &str| Rename::parse(rename).ok().map(|rename| rename.apply(name));
        assert_eq!(rename("norm.1=norm1", "a.norm.1.weight").as_deref(), Some("a.norm1.weight"));
        assert_eq!(rename("norm.1=norm1", "a.norm.10.weight").as_deref(), Some("a.norm.10.weight"));
        assert_eq!(rename("encoder=", "encoder.fc.bias").as_deref(), Some("fc.bias"));
        assert_eq!(rename("a=b.a", "a.a").as_deref(), Some("b.a.b.a"));
        assert!(Rename::parse("norm").is_err() && Rename::parse("=x").is_err());
    }

    #[test]
    fn a_path_holds_what_is_under_it() {
        assert!(is_under("aux1.fc.bias", "aux1") && is_under("aux1", "aux1") && is_under("aux1.fc", "aux1."));
        assert!(!is_under("aux10.fc", "aux1"));
    }
}
