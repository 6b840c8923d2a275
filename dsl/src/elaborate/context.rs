//! What every part of elaboration shares: the blocks of the file, the report, and a bound on the work.

use super::value::Type;
use crate::codes;
use crate::diagnostic::{Diagnostic, Report};
use crate::imports::Imports;
use crate::syntax::{Definition, File};
use cnn_ir::Span;
use std::cell::Cell;
use std::collections::BTreeMap;

/// Work is counted in evaluated expressions and values; a step counts as [`STEP`] of them, a block instance or group as
/// [`BLOCK`].
const MAX_WORK: usize = 4_000_000;
pub(super) const STEP: usize = 8;
pub(super) const BLOCK: usize = 64;

/// The blocks of a file.
#[derive(Debug)]
pub(super) struct Blocks<'a, 's> {
    pub list: Vec<Block<'a, 's>>,
    /// The blocks that each file knows: its own, and those of the files it uses.
    by_name: Vec<BTreeMap<&'s str, usize>>,
    /// Files of which some names may be missing.
    incomplete: &'a [bool],
    /// Work done for the whole file.
    work: Cell<usize>,
}

/// A block that can be called.
#[derive(Debug)]
pub(super) struct Block<'a, 's> {
    pub definition: &'a Definition<'s>,
    /// The types of its parameters; `None` for one that is none.
    pub types: Vec<Option<Type>>,
    /// Contains itself, which was reported.
    pub is_recursive: bool,
    /// The fewest layers it expands to.
    pub least_layers: u64,
    pub was_called: Cell<bool>,
}

impl<'a, 's> Blocks<'a, 's> {
    pub fn new(files: &'a [File<'s>], imports: &'a Imports, report: &mut Report) -> Self {
        let mut blocks = Self::none();
        blocks.incomplete = &imports.incomplete;
        let mut own: Vec<BTreeMap<&'s str, usize>> = Vec::new();
        for file in files {
            let mut names = BTreeMap::new();
            for definition in &file.blocks {
                let types = definition.params.iter().map(|param| Type::read(&param.ty, report)).collect();
                // Of two blocks of one name the first counts; the other is reported with the names.
                names.entry(definition.name.text).or_insert(blocks.list.len());
                let (is_recursive, least_layers, was_called) = (false, 0, Cell::new(false));
                blocks.list.push(Block { definition, types, is_recursive, least_layers, was_called });
            }
            own.push(names);
        }
        for (number, uses) in imports.uses.iter().enumerate() {
            let mut names = own.get(number).cloned().unwrap_or_default();
            for (name, index) in uses.iter().filter_map(|used| own.get(*used as usize)).flatten() {
                let first = *names.entry(*name).or_insert(*index);
                if first != *index {
                    let (first, second) = (blocks.list[first].definition.name, blocks.list[*index].definition.name);
                    let message = format!("two blocks are named `{name}`");
                    let diagnostic = Diagnostic::error(&codes::DUPLICATE_NAME, message);
                    report.push(
                        diagnostic.at(first.span, "one of them").see(second.span, "the other, in a file it uses"),
                    );
                }
            }
            blocks.by_name.push(names);
        }
        blocks
    }

    /// No blocks at all.
    pub fn none() -> Self {
        Self { list: Vec::new(), by_name: Vec::new(), incomplete: &[], work: Cell::new(0) }
    }

    /// The block of a name, as the file of this number knows it.
    pub fn find(&self, name: &str, source: u32) -> Option<usize> {
        self.by_name.get(source as usize)?.get(name).copied()
    }

    /// The names that a file knows.
    pub fn names(&self, source: u32) -> impl Iterator<Item = &'s str> + Clone + '_ {
        self.by_name.get(source as usize).into_iter().flat_map(|names| names.keys().copied())
    }

    /// Whether a file may know more names than could be read.
    pub fn is_incomplete(&self, source: u32) -> bool {
        self.incomplete.get(source as usize).copied().unwrap_or_default()
    }
}

/// The shared state.
pub(super) struct Context<'a, 's> {
    pub blocks: &'a Blocks<'a, 's>,
    pub report: &'a mut Report,
}

impl Context<'_, '_> {
    /// Counts work; what is done at `span` when there was too much of it is reported.
    pub fn spend(&mut self, work: usize, span: Span) {
        let before = self.blocks.work.get();
        self.blocks.work.set(before.saturating_add(work));
        if before <= MAX_WORK && self.is_exhausted() {
            let diagnostic = Diagnostic::error(&codes::TOO_LARGE, "the file takes too much work to expand")
                .at(span, "here it was given up")
                .note(format!("the most is {} steps or {} blocks and groups", MAX_WORK / STEP, MAX_WORK / BLOCK));
            self.report.push(diagnostic);
        }
    }

    /// Whether there was too much work, which was reported; then nothing more is to be done.
    pub fn is_exhausted(&self) -> bool {
        self.blocks.work.get() > MAX_WORK
    }

    /// Reports, and has no value.
    pub fn fail<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.report.push(diagnostic);
        None
    }
}
