//! The parts of `cnn bench`: what is measured, on what, and how it is shown.

mod figures;
mod random;
mod table;
mod times;

pub use figures::{Choice, Figures, Limits, Start, Step, peak_memory};
pub use random::{random_inputs, random_weights};
pub use table::text;
pub use times::{Plan, Times, measure};
