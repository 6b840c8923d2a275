//! Pictures of networks: SVG, Graphviz DOT and Mermaid.
//!
//! A network becomes a [`Drawing`]: levels of boxes, one level per block, each with its flow (what follows what, what
//! stands side by side). Chains of small layers are rows of one box, equal neighbours are folded to one with `×n`.
//! The three formats are written from that one model.

mod chain;
mod dot;
mod flow;
mod fold;
mod kind;
mod layout;
mod mermaid;
mod model;
mod outline;
mod svg;
mod text;

#[cfg(test)]
mod tests;

pub use dot::dot;
pub use mermaid::mermaid;
pub use model::Drawing;
pub use svg::svg;

/// The most boxes a drawing may have: more would be neither readable nor quick to lay out.
pub const MAX_BOXES: usize = 2000;
