//! Any bytes through the front end: no panic, places within the text, valid networks, and a formatter that changes no meaning.

#![no_main]

use cnn_dsl::{Compilation, Settings, Sources, Style, compile, format, render, to_json};
use cnn_ir::{Network, TraceBuilder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (sources, mut diagnostics) = Sources::from_bytes("any.cnn", bytes.to_vec());
    let compilation = compile(&sources, &Settings::default());
    let before = networks(&compilation);
    diagnostics.extend(compilation.diagnostics);
    let text = sources.text(0);
    for diagnostic in &diagnostics {
        let edits = diagnostic.help.iter().filter_map(|help| help.edit.as_ref()).map(|edit| edit.span);
        for span in diagnostic.labels.iter().map(|label| label.span).chain(edits) {
            let place = text.get(span.start as usize..span.end as usize);
            assert!(span.source == 0 && place.is_some(), "{span:?}: {diagnostic:?}");
        }
        assert!(!diagnostic.message.is_empty() && !diagnostic.message.contains('\n'), "{diagnostic:?}");
        assert!(!to_json(diagnostic, &sources).is_empty());
    }
    render(&diagnostics, &sources, Style::Plain);
    render(&diagnostics, &sources, Style::Color);

    let Ok(once) = format(&sources) else { return };
    let formatted = Sources::new("any.cnn", &once);
    assert_eq!(format(&formatted).as_ref(), Ok(&once), "formatted again, it changes");
    let after = networks(&compile(&formatted, &Settings::default()));
    assert_eq!(after, before, "formatted, it is another network:\n{once}");
});

/// What a model says about its training, without places.
fn training(network: &Network) -> Vec<(&str, &str)> {
    let settings = network.training.iter().flat_map(|training| &training.settings);
    let settings = settings.map(|setting| (setting.key.as_str(), setting.text.as_str()));
    let layers = (0..network.layers.len()).filter_map(|layer| Some(("init", network.initialiser(layer)?)));
    settings.chain(layers).collect()
}

/// The calls of every model without errors, and how it is trained.
fn networks(compilation: &Compilation) -> Vec<(String, String)> {
    let calls = compilation.models.iter().map(|network| {
        assert_eq!(network.validate(), Ok(()), "{}", network.name);
        let mut trace = TraceBuilder::new();
        let replayed = network.replay(&mut trace);
        assert!(replayed.is_ok(), "{}: {replayed:?}", network.name);
        (network.name.clone(), format!("{}{:?}", trace.text(), training(network)))
    });
    calls.collect()
}
