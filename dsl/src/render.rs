//! Diagnostics as text for people, in rustc's manner.

use crate::source::Source;
use crate::{Diagnostic, Level, Sources};
use annotate_snippets::{AnnotationKind, Group, Level as Title, Patch, Renderer, Snippet};
use std::ops::Range;

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// ANSI colours.
    Color,
}

/// All diagnostics, one after the other, with a blank line after each.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Color => Renderer::styled(),
    };
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&renderer.render(&report(diagnostic, sources)));
        text.push_str("\n\n");
    }
    text
}

fn report<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Group<'a>> {
    let level = match diagnostic.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(&diagnostic.message).id(diagnostic.code.name));
    for (number, source) in used_sources(diagnostic, sources) {
        let labels = || diagnostic.labels.iter().filter(move |label| label.span.source == number);
        let window = Window::around(source, labels().map(|label| range(label.span)));
        group = group.element(window.snippet(source).annotations(labels().map(|label| {
            let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let text = if label.text.is_empty() { None } else { Some(label.text.as_str()) };
            kind.span(window.place(range(label.span))).label(text)
        })));
    }
    for note in &diagnostic.notes {
        group = group.element(Title::NOTE.message(note));
    }
    for help in diagnostic.help.iter().filter(|help| help.edit.is_none()) {
        group = group.element(Title::HELP.message(&help.message));
    }
    let mut groups = vec![group];
    for help in &diagnostic.help {
        let Some(edit) = &help.edit else { continue };
        let Some(source) = sources.get(edit.span.source) else { continue };
        let window = Window::around(source, [range(edit.span)]);
        let patch = Patch::new(window.place(range(edit.span)), &edit.replacement);
        groups.push(
            Group::with_title(Title::HELP.secondary_title(&help.message)).element(window.snippet(source).patch(patch)),
        );
    }
    groups
}

/// The sources that a diagnostic points into, the one of its first place first.
fn used_sources<'a>(diagnostic: &Diagnostic, sources: &'a Sources) -> Vec<(u32, &'a Source)> {
    let first = diagnostic.span().map(|span| span.source);
    let mut numbers: Vec<u32> =
        first.into_iter().chain(diagnostic.labels.iter().map(|label| label.span.source)).collect();
    let mut seen = std::collections::BTreeSet::new();
    numbers.retain(|number| seen.insert(*number));
    numbers.into_iter().filter_map(|number| Some((number, sources.get(number)?))).collect()
}

fn range(span: cnn_ir::Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// The lines around some places: all that is given to the renderer, whose work grows with the text.
struct Window {
    lines: Range<usize>,
    first_line: usize,
}

impl Window {
    fn around(source: &Source, places: impl IntoIterator<Item = Range<usize>>) -> Self {
        let text = &source.text;
        let (start, end) = places
            .into_iter()
            .fold((text.len(), 0), |(start, end), place| (start.min(place.start), end.max(place.end)));
        let start = text.floor_char_boundary(start);
        let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text.floor_char_boundary(end.max(start));
        let end = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
        Self { lines: start..end, first_line: text[..start].matches('\n').count() + 1 }
    }

    fn snippet<'a, T: Clone>(&self, source: &'a Source) -> Snippet<'a, T> {
        Snippet::source(&source.text[self.lines.clone()]).path(&source.name).line_start(self.first_line)
    }

    fn place(&self, place: Range<usize>) -> Range<usize> {
        let clamp = |byte: usize| byte.clamp(self.lines.start, self.lines.end) - self.lines.start;
        clamp(place.start)..clamp(place.end)
    }
}
