//! The project's own checks: `cargo xtask tidy`.

mod edges;
mod files;
mod ops;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy(),
        _ => {
            eprintln!("usage: cargo xtask tidy");
            ExitCode::from(2)
        }
    }
}

/// Runs every check, so that one run shows all there is to mend.
fn tidy() -> ExitCode {
    let root = root();
    let mut problems = edges::check(&root);
    problems.extend(files::check(&root));
    problems.extend(ops::check(&root));
    for problem in &problems {
        eprintln!("tidy: {problem}");
    }
    if problems.is_empty() {
        println!("tidy: crate edges, file lengths, paths in snapshots and test cases of ops are in order");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The workspace's folder: this crate lies directly below it.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
