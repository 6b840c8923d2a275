//! Diagnostics as text for people, in rustc's manner.

use crate::source::Source;
use crate::{Diagnostic, Level, Sources};
use annotate_snippets::{AnnotationKind, Group, Level as Title, Origin, Patch, Renderer, Snippet};
use std::collections::BTreeSet;
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
    if let (true, Some(main)) = (diagnostic.labels.is_empty(), sources.get(0)) {
        group = group.element(Origin::path(&main.name));
    }
    for (number, source) in used_sources(diagnostic, sources) {
        let labels = || diagnostic.labels.iter().filter(move |label| label.span.source == number);
        let primary = labels().find(|label| label.primary).or_else(|| labels().next());
        let Some(primary) = primary.map(|label| range(label.span)) else { continue };
        let window = Window::around(source, primary.clone(), labels().map(|label| range(label.span)));
        if window.clipped {
            // The renderer would count columns from where the line is cut.
            let position = sources.position(number, primary.start);
            group = group.element(Origin::path(&source.name).line(position.line).char_column(position.column));
        }
        let labels = labels().filter_map(|label| Some((label, window.place(range(label.span))?)));
        group = group.element(window.snippet(source).annotations(labels.map(|(label, place)| {
            let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            kind.span(place).label((!label.text.is_empty()).then_some(label.text.as_str()))
        })));
    }
    group = group.elements(diagnostic.notes.iter().map(|note| Title::NOTE.message(note)));
    let in_words = diagnostic.help.iter().filter(|help| help.edit.is_none());
    group = group.elements(in_words.map(|help| Title::HELP.message(&help.message)));
    let mut groups = vec![group];
    for help in &diagnostic.help {
        let Some(edit) = &help.edit else { continue };
        let Some(source) = sources.get(edit.span.source) else { continue };
        let window = Window::around(source, range(edit.span), []);
        if let Some(place) = window.place(range(edit.span)) {
            let patch = window.snippet(source).patch(Patch::new(place, &edit.replacement));
            groups.push(Group::with_title(Title::HELP.secondary_title(&help.message)).element(patch));
        }
    }
    groups
}

/// The sources that a diagnostic points into, the one of its first primary place first.
fn used_sources<'a>(diagnostic: &Diagnostic, sources: &'a Sources) -> Vec<(u32, &'a Source)> {
    let first = diagnostic.span().map(|span| span.source);
    let labels = diagnostic.labels.iter().map(|label| label.span.source);
    let mut seen = BTreeSet::new();
    let numbers = first.into_iter().chain(labels).filter(|number| seen.insert(*number));
    numbers.filter_map(|number| Some((number, sources.get(number)?))).collect()
}

fn range(span: cnn_ir::Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// The part of a source that is given to the renderer, whose work grows with the text: the lines with places in them.
struct Window {
    /// The bytes of the source.
    bytes: Range<usize>,
    first_line: usize,
    /// The line is so long that only the surroundings of the primary place are shown.
    clipped: bool,
    /// The text with plain line ends; the renderer would make carriage returns visible.
    text: String,
    /// Where carriage returns were removed.
    removed: Vec<usize>,
}

impl Window {
    /// The longest line that is given to the renderer whole.
    const LONGEST_LINE: usize = 1000;
    /// What is shown before and after the primary place of a longer one.
    const SURROUNDINGS: usize = 60;

    fn around(source: &Source, primary: Range<usize>, places: impl IntoIterator<Item = Range<usize>>) -> Self {
        let text = source.text.as_str();
        let line_start =
            |byte: usize| text[..text.floor_char_boundary(byte)].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = |byte: usize| {
            let byte = text.floor_char_boundary(byte);
            text[byte..].find('\n').map_or(text.len(), |newline| byte + newline)
        };
        let (first, last) = places
            .into_iter()
            .fold((primary.start, primary.end), |(first, last), place| (first.min(place.start), last.max(place.end)));
        let mut bytes = line_start(first)..line_end(last);
        let clipped = line_end(primary.start) - line_start(primary.start) > Self::LONGEST_LINE;
        if clipped {
            let start = text.floor_char_boundary(primary.start.saturating_sub(Self::SURROUNDINGS));
            let end =
                text.floor_char_boundary(primary.end.min(primary.start + Self::SURROUNDINGS) + Self::SURROUNDINGS);
            bytes = start.max(line_start(primary.start))..end.min(line_end(primary.start));
        }
        let returns = text[bytes.clone()].match_indices("\r\n").map(|(at, _)| bytes.start + at);
        Self {
            first_line: text[..bytes.start].matches('\n').count() + 1,
            clipped,
            // Terminals obey C1 controls, which the renderer lets pass; the dot has as many bytes.
            text: text[bytes.clone()].replace("\r\n", "\n").replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "·"),
            removed: returns.collect(),
            bytes,
        }
    }

    fn snippet<'a, T: Clone>(&self, source: &'a Source) -> Snippet<'a, T> {
        let snippet = Snippet::source(self.text.clone()).line_start(self.first_line);
        if self.clipped { snippet } else { snippet.path(&source.name) }
    }

    /// Where a place is in the window's text, if any of it is.
    fn place(&self, place: Range<usize>) -> Option<Range<usize>> {
        if place.start > self.bytes.end || place.end < self.bytes.start {
            return None;
        }
        let find = |byte: usize| {
            let byte = byte.clamp(self.bytes.start, self.bytes.end);
            byte - self.bytes.start - self.removed.partition_point(|removed| *removed < byte)
        };
        Some(find(place.start)..find(place.end))
    }
}
