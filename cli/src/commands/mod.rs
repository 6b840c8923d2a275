//! One file per command.

pub mod bench;
pub mod check;
pub mod demo;
pub mod emit;
pub mod explain;
pub mod fmt;
pub mod graph;
pub mod import;
pub mod new;
pub mod predict;
pub mod show;
pub mod tune;
pub mod viz;
