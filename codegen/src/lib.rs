//! From a `.cnn` text to Rust code.
//!
//! Three entries share one path: [`expand`] is what the `cnn!` macro does, [`Build`] is what a build script calls, and
//! [`emit`] gives the text for `cnn emit`. Each compiles with [`cnn_dsl::compile`] and emits with the same functions.
//!
//! Emitted code names only `::cnn`. This crate knows neither luminal nor the runtime.

mod build;
mod emit;
mod expand;
mod inline;
mod read;
mod rustfmt;
mod skeleton;

pub use build::{Build, BuildScriptError, compile};
pub use emit::{emit, module_name};
pub use expand::expand;
pub use read::{ReadError, SourceFiles, read_source};
pub use rustfmt::rustfmt;
