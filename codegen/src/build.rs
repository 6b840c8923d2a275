//! The build-script API.

use crate::emit::emit;
use crate::read::{ReadError, SourceFiles, read_source};
use cnn_dsl::{Diagnostic, Level, Settings, Sources, Style};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Compiles `.cnn` files in a build script: each `NAME.cnn` becomes `NAME.rs` in the output folder, to be included
/// with `cnn::include_model!("NAME")`. The files are tracked for rebuilds.
///
/// ```no_run
/// // in `main` of build.rs
/// cnn_codegen::compile(["models/lenet.cnn"]);
/// ```
///
/// On errors the diagnostics are printed and the process ends with status 1; [`Build`] returns them instead.
pub fn compile<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) {
    let mut build = Build::new();
    for file in files {
        build = build.file(file);
    }
    if let Err(error) = build.compile() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// A build script's compilation, in steps.
///
/// ```no_run
/// # fn main() -> Result<(), cnn_codegen::BuildScriptError> {
/// cnn_codegen::Build::new().file("models/lenet.cnn").set("classes=100").compile()
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Build {
    files: Vec<PathBuf>,
    settings: Vec<String>,
    out_dir: Option<PathBuf>,
}

/// Why a build script's compilation failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildScriptError {
    /// Errors inside `.cnn` files, rendered.
    #[error("{0}")]
    Diagnostics(String),
    /// A file that could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A generated file that could not be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A setting that is not `name=value`, no output folder, or a file name that is none.
    #[error("{0}")]
    Usage(String),
}

impl Build {
    /// A compilation of no files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a `.cnn` file, relative to the crate's folder.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.files.push(path.as_ref().to_owned());
        self
    }

    /// Sets a model parameter: `classes=100`.
    #[must_use]
    pub fn set(mut self, setting: impl Into<String>) -> Self {
        self.settings.push(setting.into());
        self
    }

    /// Writes to this folder instead of Cargo's `OUT_DIR`.
    #[must_use]
    pub fn out_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.out_dir = Some(path.as_ref().to_owned());
        self
    }

    /// Compiles every file; all of them are looked at before an error is returned.
    ///
    /// # Errors
    /// Unreadable files, errors inside them, or an output folder that cannot be written.
    pub fn compile(&self) -> Result<(), BuildScriptError> {
        let settings = Settings::parse(&self.settings).map_err(BuildScriptError::Usage)?;
        let out_dir = match (&self.out_dir, std::env::var_os("OUT_DIR")) {
            (Some(path), _) => path.clone(),
            (None, Some(path)) => PathBuf::from(path),
            (None, None) => {
                let text = "OUT_DIR is not set: call this from a build script, or name a folder with `out_dir`";
                return Err(BuildScriptError::Usage(text.into()));
            }
        };
        let mut stems = BTreeMap::new();
        let mut errors = Vec::new();
        for path in &self.files {
            println!("cargo::rerun-if-changed={}", path.display());
            if let Some(first) = stems.insert(path.file_stem(), path) {
                let (first, second) = (first.display(), path.display());
                errors.push(BuildScriptError::Usage(format!("`{first}` and `{second}` would make the same .rs file")));
            } else if let Err(error) = compile_file(path, &settings, &out_dir) {
                errors.push(error);
            }
        }
        match errors.len() {
            0 | 1 => errors.pop().map_or(Ok(()), Err),
            _ => {
                let texts: Vec<String> = errors.iter().map(|error| error.to_string().trim_end().to_owned()).collect();
                Err(BuildScriptError::Diagnostics(texts.join("\n\n")))
            }
        }
    }
}

fn compile_file(path: &Path, settings: &Settings, out_dir: &Path) -> Result<(), BuildScriptError> {
    // The name goes into generated text, so it has the same separators everywhere.
    let name = path.to_string_lossy().replace('\\', "/");
    let SourceFiles { sources, mut diagnostics, used } = read_source(path, &name)?;
    for used in used {
        println!("cargo::rerun-if-changed={}", path.with_file_name("").join(used).display());
    }
    let mut models = Vec::new();
    if diagnostics.is_empty() {
        let compilation = cnn_dsl::compile(&sources, settings);
        diagnostics = compilation.diagnostics;
        models = compilation.models;
    }
    let (errors, warnings): (Vec<_>, Vec<_>) = diagnostics.into_iter().partition(|d| d.level == Level::Error);
    if !errors.is_empty() {
        return Err(BuildScriptError::Diagnostics(cnn_dsl::render(&errors, &sources, Style::Plain)));
    }
    for warning in &warnings {
        println!("cargo::warning={}", one_line(warning, &sources));
    }
    let Some(stem) = path.file_stem() else {
        return Err(BuildScriptError::Usage(format!("`{name}` is not a file's name")));
    };
    let code = emit(&models, &name).map_err(BuildScriptError::Usage)?;
    let target = out_dir.join(stem).with_extension("rs");
    write(&target, &code).map_err(|source| BuildScriptError::Write { path: target, source })
}

/// `message (file:line:column)`: Cargo shows one line per warning.
fn one_line(warning: &Diagnostic, sources: &Sources) -> String {
    let Some(span) = warning.span() else { return warning.message.clone() };
    let (name, start) = (sources.name(span.source), sources.position(span.source, span.start as usize));
    format!("{} ({name}:{}:{})", warning.message, start.line, start.column)
}

/// Writes by way of a temporary file, so that an interrupted build leaves no half file.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Temporary files are private, but this one becomes an ordinary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}
