//! What every part of elaboration shares: the blocks of the file, the report, and a bound on the work.

use super::value::Type;
use crate::codes;
use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{Definition, File};
use cnn_ir::Span;
use std::cell::Cell;
use std::collections::BTreeMap;

/// Work is counted in evaluated expressions and values; a step counts as [`STEP`] of them.
const MAX_WORK: usize = 4_000_000;
pub(super) const STEP: usize = 8;

/// The blocks of a file.
#[derive(Debug)]
pub(super) struct Blocks<'a, 's> {
    pub list: Vec<Block<'a, 's>>,
    by_name: BTreeMap<&'s str, usize>,
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
    pub fn new(file: &'a File<'s>, report: &mut Report) -> Self {
        let mut blocks = Self::none();
        for definition in &file.blocks {
            let types = definition.params.iter().map(|param| Type::read(&param.ty, report)).collect();
            // Of two blocks of one name the first counts; the other is reported with the names.
            blocks.by_name.entry(definition.name.text).or_insert(blocks.list.len());
            let (is_recursive, least_layers, was_called) = (false, 0, Cell::new(false));
            blocks.list.push(Block { definition, types, is_recursive, least_layers, was_called });
        }
        blocks
    }

    /// No blocks at all.
    pub fn none() -> Self {
        Self { list: Vec::new(), by_name: BTreeMap::new(), work: Cell::new(0) }
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub fn names(&self) -> impl Iterator<Item = &'s str> + Clone + '_ {
        self.by_name.keys().copied()
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
                .note(format!("the most is {} steps, each with a few values", MAX_WORK / STEP));
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
