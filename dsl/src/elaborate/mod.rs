//! From syntax tree to network: expands a model into calls on a builder and infers shapes on the way.
//!
//! After an error the elaborator goes on. A value that could not be made is unknown, and what depends on it is silent
//! about its shape; arguments, names and everything else are still checked. Work is bounded before and during expansion:
//! layers that can be counted are counted first, loops multiply, nesting ends at 128, and every step costs from a budget.

mod arguments;
mod arithmetic;
mod assertion;
mod body;
mod call;
mod checks;
mod context;
mod expr;
mod external;
mod fault;
mod join;
mod loops;
mod model;
mod models;
mod params;
mod recipe;
mod share;
mod train;
mod value;
mod warnings;

use crate::Outline;
use crate::diagnostic::Report;
use crate::imports::Imports;
use crate::settings::Settings;
use crate::syntax::{Expr, File};
use checks::check_name;
pub use checks::is_reserved_model_name;
use cnn_ir::Network;
use context::{Blocks, Context};
use expr::Scope;
use model::{Elaborator, Plan};
use models::Models;
pub use train::{TRAIN_SETTINGS, TrainSetting};

/// Elaborates every model of the main file, which is the first.
pub(crate) fn elaborate(
    files: &[File<'_>],
    imports: &Imports,
    settings: &Settings,
    report: &mut Report,
) -> (Vec<Network>, Vec<Outline>) {
    files.iter().for_each(|file| checks::check_names(file, report));
    let mut blocks = Blocks::new(files, imports, report);
    checks::find_recursion(&mut blocks, report);
    let models = Models::new(files, imports, report);
    params::check_settings(&models.known(), settings, report);
    let mut networks = Vec::new();
    for (index, _) in models.own().filter(|(_, model)| !model.oversized) {
        if report.is_full() {
            break;
        }
        let errors = report.errors();
        let network = models.elaborate(index, settings, &mut Context { blocks: &blocks, report });
        networks.extend(network.filter(|_| report.errors() == errors));
    }
    check_unused_blocks(&blocks, report);
    if report.errors() == 0
        && let Some(main) = files.first()
    {
        warnings::warn_unused(main, &blocks, report);
    }
    (networks, models.outlines())
}

/// The value of an expression without names.
pub(crate) fn constant(expr: &Expr<'_>, report: &mut Report) -> Option<cnn_ir::Value> {
    let mut cx = Context { blocks: &Blocks::none(), report };
    Scope::default().value(expr, &[], &mut cx)?.to_ir()
}

/// Looks for errors in the blocks that no model called.
fn check_unused_blocks(blocks: &Blocks<'_, '_>, report: &mut Report) {
    // Larger ones are made of others, and those are looked at.
    const MOST_LAYERS: u64 = 2_000;
    for block in &blocks.list {
        // Blocks of other files are looked at when those are compiled.
        let is_own = block.definition.head.source == 0;
        if !is_own || block.was_called.get() || block.is_recursive || report.is_full() {
            continue;
        }
        let definition = block.definition;
        let mut cx = Context { blocks, report };
        if cx.is_exhausted() || block.least_layers > MOST_LAYERS {
            continue;
        }
        let scope = params::bind(definition, &block.types, &None, None, &mut cx);
        let plan = Plan { name: definition.name, doc: "", head: definition.head, definition, is_block: true };
        Elaborator::new(plan, scope, cx).check();
    }
}
