//! Files stay readable and free of one machine's paths.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The most lines of a Rust file.
const MAX_LINES: usize = 800;

/// What an absolute path starts with.
const ABSOLUTE: &[&str] = &["/home/", "/Users/", "/opt/", "/var/", "/usr/", "/mnt/", "C:\\"];

/// Rust files that are too long, and snapshots and expected outputs with absolute paths in them.
pub fn check(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    if let Err(error) = list(root, &mut files) {
        return vec![format!("cannot list the files: {error}")];
    }
    files.sort();
    let mut problems = Vec::new();
    for path in files {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !matches!(extension, "rs" | "snap" | "stderr") {
            continue;
        }
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                problems.push(format!("{name}: {error}"));
                continue;
            }
        };
        if extension == "rs" {
            let lines = text.lines().count();
            if lines > MAX_LINES {
                problems.push(format!("{name} has {lines} lines; the limit is {MAX_LINES}, the aim 400"));
            }
        } else if let Some(line) = text.lines().position(|line| has_absolute_path(line, root)) {
            problems.push(format!("{name}:{}: an absolute path", line + 1));
        }
    }
    problems
}

fn has_absolute_path(line: &str, root: &Path) -> bool {
    let here = [Some(root.to_owned()), Some(std::env::temp_dir()), std::env::home_dir()];
    let mut here = here.iter().flatten().map(|folder| folder.to_string_lossy()).filter(|folder| folder.len() > 1);
    ABSOLUTE.iter().any(|start| line.contains(start)) || here.any(|folder| line.contains(&*folder))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
