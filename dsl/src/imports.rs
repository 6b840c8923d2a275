//! `use "blocks.cnn"`: which file uses which.

use crate::diagnostic::{Diagnostic, Report};
use crate::source::Sources;
use crate::syntax::File;
use crate::{codes, parse};
use cnn_ir::Span;

/// The files that each file uses, by number.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    pub uses: Vec<Vec<u32>>,
    /// Files of which some import could not be read, so names may be missing.
    pub incomplete: Vec<bool>,
}

/// Why a path cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadPath {
    Empty,
    Absolute,
    Backslash,
    Outside,
}

/// The path of a file from the project's root, used as `path` by the file `from`; both are written with `/`.
pub(crate) fn resolve(from: &str, path: &str) -> Result<String, BadPath> {
    if path.contains('\\') {
        return Err(BadPath::Backslash);
    }
    if path.starts_with('/') || path.split('/').next().is_some_and(|first| first.contains(':')) {
        return Err(BadPath::Absolute);
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(BadPath::Outside)?;
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() || path.ends_with('/') || path.is_empty() {
        return Err(BadPath::Empty);
    }
    Ok(parts.join("/"))
}

impl Sources {
    /// The files that these sources `use` and that are not among them, as paths from the folder of the main one.
    ///
    /// The front end reads no files: whoever does adds each with [`Sources::add`] or says with [`Sources::add_unreadable`]
    /// why it cannot, and asks again, until nothing is missing.
    ///
    /// ```
    /// # use cnn_dsl::Sources;
    /// let mut sources = Sources::new("nets/tiny.cnn", "use \"blocks/basic.cnn\" model Tiny { input x: [4] double }");
    /// assert_eq!(sources.missing(), ["blocks/basic.cnn"]);
    /// sources.add("blocks/basic.cnn", b"block double { dense(8) dense(8) }".to_vec());
    /// assert!(sources.missing().is_empty());
    /// assert_eq!(sources.name(1), "nets/blocks/basic.cnn");
    /// assert!(!cnn_dsl::compile(&sources, &Default::default()).has_errors());
    /// ```
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (path, text) in self.texts() {
            for used in parse::uses(text) {
                if let Ok(used) = resolve(path, used)
                    && self.find(&used).is_none()
                    && !missing.contains(&used)
                    && self.len() + missing.len() < Self::MAX_FILES
                {
                    missing.push(used);
                }
            }
        }
        missing
    }
}

/// Finds the files that are used, and reports what is wrong with that.
pub(crate) fn link(sources: &Sources, files: &[File<'_>], report: &mut Report) -> Imports {
    let mut imports = Imports { uses: vec![Vec::new(); files.len()], incomplete: vec![false; files.len()] };
    let mut links: Vec<Vec<(u32, Span)>> = vec![Vec::new(); files.len()];
    for (number, file) in files.iter().enumerate() {
        for used in &file.uses {
            match find(sources, number as u32, used.text, used.span) {
                Ok(found) => {
                    imports.incomplete[number] |= sources.is_rejected(found);
                    imports.uses[number].push(found);
                    links[number].push((found, used.span));
                }
                Err(diagnostic) => {
                    imports.incomplete[number] = true;
                    report.push(*diagnostic);
                }
            }
        }
    }
    report_cycles(sources, &links, report);
    imports
}

fn find(sources: &Sources, from: u32, path: &str, span: Span) -> Result<u32, Box<Diagnostic>> {
    let bad =
        |message: &str, help: &str| Box::new(Diagnostic::error(&codes::BAD_IMPORT, message).at(span, "").help(help));
    let resolved = resolve(sources.path(from), path).map_err(|reason| match reason {
        BadPath::Empty => bad("this is not the path of a file", "write `use \"blocks.cnn\"`"),
        BadPath::Absolute => bad("an absolute path", "write the path from this file's folder: `use \"blocks.cnn\"`"),
        BadPath::Backslash => bad("a path with a backslash", "folders are separated by `/`"),
        BadPath::Outside => {
            bad("this path leads out of the project", "files are used from the main file's folder down")
        }
    })?;
    match sources.find(&resolved) {
        Some(found) => match sources.failure(found) {
            None => Ok(found),
            Some(reason) => {
                let message = format!("cannot read `{}`: {reason}", sources.name(found));
                Err(Box::new(Diagnostic::error(&codes::BAD_IMPORT, message).at(span, "")))
            }
        },
        None if sources.len() >= Sources::MAX_FILES => {
            let message = format!("a model may be written in {} files", Sources::MAX_FILES);
            Err(Box::new(Diagnostic::error(&codes::TOO_LARGE, message).at(span, "one too many")))
        }
        None => {
            Err(bad("there are no other files here", "a model in `cnn! { … }` stands alone; give the macro a path"))
        }
    }
}

/// Reports files that use each other. There are few, so the search may go from each.
fn report_cycles(sources: &Sources, links: &[Vec<(u32, Span)>], report: &mut Report) {
    let mut done = vec![false; links.len()];
    for start in 0..links.len() {
        // The files on the way, each with how many of its links were followed.
        let mut path: Vec<(u32, usize)> = if done[start] { Vec::new() } else { vec![(start as u32, 0)] };
        while let Some((file, next)) = path.last_mut() {
            let Some(&(used, _)) = links[*file as usize].get(*next) else {
                done[*file as usize] = true;
                path.pop();
                continue;
            };
            *next += 1;
            match path.iter().position(|(file, _)| *file == used) {
                Some(first) => report.push(cycle(sources, &path[first..], links)),
                None if !done[used as usize] => path.push((used, 0)),
                None => {}
            }
        }
    }
}

fn cycle(sources: &Sources, cycle: &[(u32, usize)], links: &[Vec<(u32, Span)>]) -> Diagnostic {
    let names: Vec<&str> = cycle.iter().chain(cycle.first()).map(|(file, _)| sources.name(*file)).collect();
    let first = names.first().copied().unwrap_or_default();
    let mut diagnostic = Diagnostic::error(&codes::IMPORT_CYCLE, format!("`{first}` uses itself"));
    for (index, (file, next)) in cycle.iter().enumerate() {
        let Some((used, span)) = next.checked_sub(1).and_then(|link| links[*file as usize].get(link)) else { continue };
        let text = format!("uses `{}`", sources.name(*used));
        diagnostic = if index == 0 { diagnostic.at(*span, text) } else { diagnostic.see(*span, text) };
    }
    diagnostic.note(names.join(" → ")).help("move what both need into a file of its own")
}

#[cfg(test)]
mod tests {
    use super::{BadPath, resolve};

    #[test]
    fn paths_stay_in_the_project() {
        assert_eq!(resolve("main.cnn", "a/b.cnn"), Ok("a/b.cnn".into()));
        assert_eq!(resolve("a/b.cnn", "./c.cnn"), Ok("a/c.cnn".into()));
        assert_eq!(resolve("a/b.cnn", "../c//d.cnn"), Ok("c/d.cnn".into()));
        assert_eq!(resolve("a/b.cnn", "../../c.cnn"), Err(BadPath::Outside));
        assert_eq!(resolve("main.cnn", "../main.cnn"), Err(BadPath::Outside));
        assert_eq!(resolve("main.cnn", "/etc/passwd"), Err(BadPath::Absolute));
        assert_eq!(resolve("main.cnn", "C:/x.cnn"), Err(BadPath::Absolute));
        assert_eq!(resolve("main.cnn", "a\\b.cnn"), Err(BadPath::Backslash));
        assert_eq!(resolve("main.cnn", ""), Err(BadPath::Empty));
        assert_eq!(resolve("main.cnn", "a/"), Err(BadPath::Empty));
        assert_eq!(resolve("main.cnn", "a/.."), Err(BadPath::Empty));
    }
}
