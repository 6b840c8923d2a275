//! `cnn fmt`

use crate::args::{Fmt, MessageFormat};
use crate::failure::Failure;
use crate::model::print;
use crate::output::write_file;
use cnn_dsl::{MAX_SOURCE_BYTES, Sources};
use similar::TextDiff;
use std::fs::File;
use std::io::{Read, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// Brings files into the one style; with `--check`, says what that would change. A file with syntax errors stays as it is
/// and does not keep the others from being formatted.
pub fn run(args: &Fmt, format: MessageFormat) -> Result<(), Failure> {
    let mut failed = false;
    let mut unformatted = 0;
    for path in &args.files {
        let files = match path.to_str() {
            Some("-") => vec![path.clone()],
            _ => files(path)?,
        };
        for file in files {
            match one(&file, args.check, format) {
                Ok(is_formatted) => unformatted += usize::from(!is_formatted),
                Err(Failure::BrokenPipe) => return Err(Failure::BrokenPipe),
                Err(failure) => {
                    failure.report(format);
                    failed = true;
                }
            }
        }
    }
    match (failed, unformatted) {
        (true, _) => Err(Failure::Reported),
        (false, 0) => Ok(()),
        (false, 1) => Err(Failure::new("1 file is not formatted: run `cnn fmt` without `--check`")),
        (false, count) => {
            Err(Failure::new(format!("{count} files are not formatted: run `cnn fmt` without `--check`")))
        }
    }
}

/// Formats one file, or the standard input; whether it is in the style now.
fn one(path: &Path, check: bool, format: MessageFormat) -> Result<bool, Failure> {
    let is_stdin = path.as_os_str() == "-";
    let name = if is_stdin { "<stdin>".into() } else { path.to_string_lossy() };
    let bytes = read(path, is_stdin).map_err(|error| Failure::new(format!("cannot read `{name}`: {error}")))?;
    let (sources, diagnostics) = Sources::from_bytes(&*name, bytes.clone());
    let text = match cnn_dsl::format(&sources) {
        Ok(text) => text,
        Err(errors) => {
            print(&[diagnostics, errors].concat(), &sources, format);
            return Err(Failure::Reported);
        }
    };
    let mut out = stdout().lock();
    let is_same = bytes == text.as_bytes();
    if check && !is_same {
        let old = String::from_utf8_lossy(&bytes);
        let diff = TextDiff::from_lines(&*old, &text);
        write!(out, "{}", diff.unified_diff().header(&name, &format!("{name} (formatted)")))?;
    } else if is_stdin && !check {
        out.write_all(text.as_bytes())?;
    } else if !is_same {
        write_file(path, text.as_bytes())?;
        writeln!(out, "formatted {name}")?;
    }
    Ok(is_same || !check)
}

/// The bytes of a file; one more than a source may have is enough to refuse it.
fn read(path: &Path, is_stdin: bool) -> std::io::Result<Vec<u8>> {
    let limit = MAX_SOURCE_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    match is_stdin {
        true => stdin().lock().take(limit).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(limit).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// The `.cnn` files of a folder and those below it, without hidden folders and Cargo's `target`; or the file itself.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let is_source = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !(name.starts_with('.') || (name == "target" && entry.file_type().is_dir()))
    };
    let mut files = Vec::new();
    for entry in WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(is_source) {
        let entry = entry.map_err(|error| Failure::new(format!("cannot read the folder: {error}")))?;
        if entry.file_type().is_file() && entry.path().extension().is_some_and(|end| end == "cnn") {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}
