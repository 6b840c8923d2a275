//! The `.cnn` language: text in, networks and diagnostics out.
//!
//! [`compile`] is total: it never panics, does no input or output, and its work is bounded for any text. It goes through
//! three stages: `parse` makes a syntax tree from text (pest grammar in `grammar.pest`), `elaborate` expands each model
//! into calls on a [`NetworkBuilder`](cnn_ir::NetworkBuilder) and infers shapes on the way, and the builder validates the
//! [`Network`].
//!
//! ```
//! use cnn_dsl::{Settings, Sources, Style, compile, render};
//!
//! let text = "model Tiny {
//!     input image: [1, 28, 28]
//!     conv(8, kernel = 3) -> relu -> flatten -> dense(10)
//! }";
//! let sources = Sources::new("tiny.cnn", text);
//! let compilation = compile(&sources, &Settings::default());
//! assert_eq!(render(&compilation.diagnostics, &sources, Style::Plain), "");
//! assert_eq!(compilation.models[0].layers[0].shape.to_string(), "8×26×26");
//! ```

pub mod codes;
mod diagnostic;
mod elaborate;
mod format;
mod imports;
mod json;
mod parse;
mod render;
mod settings;
mod source;
mod suggest;
mod syntax;

pub use diagnostic::{Diagnostic, Edit, Help, Label, Level};
pub use elaborate::{TRAIN_SETTINGS, TrainSetting, is_reserved_model_name};
pub use format::{MAX_COLUMNS, format};
pub use json::to_json;
pub use render::{Style, render};
pub use settings::Settings;
pub use source::{MAX_SOURCE_BYTES, Position, Sources};

use cnn_ir::Network;
use diagnostic::Report;

/// What became of the sources.
#[derive(Debug, Default)]
pub struct Compilation {
    /// The models without errors, in the order of the file.
    pub models: Vec<Network>,
    /// Every model that could be read as far as its name, with or without errors.
    pub outlines: Vec<Outline>,
    /// Errors and warnings in the order of their places.
    pub diagnostics: Vec<Diagnostic>,
}

impl Compilation {
    /// Whether there is an error; warnings do not count.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
    }
}

/// The names of a model, known even if it has errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The model's name.
    pub name: String,
    /// The names of its inputs.
    pub inputs: Vec<String>,
    /// The names of its outputs.
    pub outputs: Vec<String>,
}

/// Compiles the main source.
pub fn compile(sources: &Sources, settings: &Settings) -> Compilation {
    let mut report = Report::default();
    let Some(main) = sources.get(0).filter(|main| !main.rejected) else { return Compilation::default() };
    if main.text.len() > MAX_SOURCE_BYTES {
        return Compilation { diagnostics: vec![source::too_large()], ..Compilation::default() };
    }
    let numbers = 0..sources.len() as u32;
    let files: Vec<syntax::File<'_>> = numbers
        .map(|number| match sources.get(number).filter(|source| !source.rejected) {
            Some(source) => parse::parse(&source.text, number, &mut report),
            None => syntax::File::default(),
        })
        .collect();
    let imports = imports::link(sources, &files, &mut report);
    if files.first().is_some_and(|file| file.models.is_empty() && file.blocks.is_empty()) && report.errors() == 0 {
        let empty = Diagnostic::error(&codes::NO_MODEL, "the file holds no model")
            .at(source::span(0, 0..0), "")
            .help("write one: `model Name { input image: [1, 28, 28] … }`");
        report.push(empty);
    }
    let (models, outlines) = elaborate::elaborate(&files, &imports, settings, &mut report);
    Compilation { models, outlines, diagnostics: report.finish() }
}
