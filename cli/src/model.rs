//! From a file's name to its networks, with the diagnostics printed on the way.

use crate::args::{MessageFormat, ModelArgs};
use crate::failure::Failure;
use crate::terminal;
use cnn::Network;
use cnn_codegen::SourceFiles;
use cnn_dsl::{Diagnostic, Settings, Sources, Style};

/// A network and the texts that it comes from.
pub struct Model {
    pub network: Network,
    pub sources: Sources,
    /// The files that are used, by their paths from the main file's folder.
    pub used: Vec<String>,
}

/// The networks of a file, or of one model in it. Prints errors and warnings.
pub fn load_all(args: &ModelArgs, format: MessageFormat) -> Result<Vec<Network>, Failure> {
    load(args, format).map(|(networks, _)| networks)
}

/// The one network that is meant.
pub fn load_one(args: &ModelArgs, format: MessageFormat) -> Result<Network, Failure> {
    load_model(args, format).map(|model| model.network)
}

/// The one network that is meant, with its sources.
pub fn load_model(args: &ModelArgs, format: MessageFormat) -> Result<Model, Failure> {
    let (mut networks, SourceFiles { sources, used, .. }) = load(args, format)?;
    match networks.len() {
        1 => Ok(Model { network: networks.remove(0), sources, used }),
        0 => Err(Failure::Message(format!("`{}` has no model", args.file.display()))),
        _ => {
            let names: Vec<&str> = networks.iter().map(|network| network.name.as_str()).collect();
            Err(Failure::Message(format!(
                "`{}` has several models: choose one with `--model NAME`, from {}",
                args.file.display(),
                names.join(", ")
            )))
        }
    }
}

fn load(args: &ModelArgs, format: MessageFormat) -> Result<(Vec<Network>, SourceFiles), Failure> {
    let settings = Settings::parse(&args.set).map_err(Failure::Message)?;
    let files = cnn_codegen::read_source(&args.file, &args.file.to_string_lossy()).map_err(Failure::new)?;
    if !files.diagnostics.is_empty() {
        print(&files.diagnostics, &files.sources, format);
        return Err(Failure::Reported);
    }
    let compilation = cnn_dsl::compile(&files.sources, &settings);
    print(&compilation.diagnostics, &files.sources, format);
    if compilation.has_errors() {
        return Err(Failure::Reported);
    }
    let Some(name) = &args.model else { return Ok((compilation.models, files)) };
    let names: Vec<String> = compilation.models.iter().map(|network| format!("`{}`", network.name)).collect();
    let found: Vec<Network> = compilation.models.into_iter().filter(|network| network.name == *name).collect();
    if found.is_empty() {
        let file = args.file.display();
        return Err(Failure::Message(format!("`{file}` has no model `{name}`; it has {}", names.join(", "))));
    }
    Ok((found, files))
}

/// Prints diagnostics to the standard error.
pub fn print(diagnostics: &[Diagnostic], sources: &Sources, format: MessageFormat) {
    if diagnostics.is_empty() {
        return;
    }
    match format {
        MessageFormat::Human => {
            let style = if terminal::stderr_has_colour() { Style::Color } else { Style::Plain };
            terminal::say(cnn_dsl::render(diagnostics, sources, style).trim_end_matches('\n'));
        }
        MessageFormat::Json => {
            for diagnostic in diagnostics {
                terminal::say(cnn_dsl::to_json(diagnostic, sources));
            }
        }
    }
}
