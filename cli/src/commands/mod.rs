//! One file per command.

pub mod bench;
pub mod check;
pub mod demo;
pub mod emit;
pub mod eval;
pub mod explain;
pub mod fmt;
pub mod graph;
pub mod import;
pub mod lr_find;
pub mod new;
pub mod predict;
pub mod show;
pub mod train;
pub mod tune;
