//! Checks a `.cnn` file: `cargo run -p cnn-dsl --example check FILE`.

use cnn_dsl::{Settings, Sources, Style, compile, render};

fn main() -> std::io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let (mut sources, mut diagnostics) = Sources::from_bytes(name.as_str(), std::fs::read(&name)?);
    let folder = std::path::Path::new(&name).parent().map(std::path::Path::to_owned).unwrap_or_default();
    loop {
        let missing = sources.missing();
        if missing.is_empty() {
            break;
        }
        for path in missing {
            match std::fs::read(folder.join(&path)) {
                Ok(bytes) => diagnostics.extend(sources.add(&path, bytes)),
                Err(error) => sources.add_unreadable(&path, error.to_string()),
            }
        }
    }
    let settings: Vec<String> = std::env::args().skip(2).collect();
    let start = std::time::Instant::now();
    let compilation = compile(&sources, &Settings::parse(&settings).map_err(std::io::Error::other)?);
    let elapsed = start.elapsed();
    diagnostics.extend(compilation.diagnostics);
    print!("{}", render(&diagnostics, &sources, Style::Plain));
    for model in &compilation.models {
        let mut trace = cnn_ir::TraceBuilder::new();
        if model.replay(&mut trace).is_ok() {
            println!("{}\n{}", model.name, trace.text());
        }
    }
    eprintln!("compiled in {elapsed:?}");
    Ok(())
}
