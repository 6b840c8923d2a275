//! Pictures of a run and of a network: each is a [`Picture`], which gives itself as SVG and as PNG.
//!
//! - [`curves`]: loss and accuracy of one or several runs, and [`Chart`] for other lines.
//! - [`confusion`]: which classes were taken for which.
//! - [`filters`] and [`features`]: what a layer's parameters and values look like.
//! - [`scatter`]: points on a plane, coloured by class; with [`tsne`](crate::tsne()), what a network makes of examples.
//!
//! The same values give the same bytes, on machines with and without fonts.

mod axis;
mod chart;
mod colour;
mod confusion;
mod curves;
mod font;
mod picture;
mod png;
mod scatter;
mod svg;
#[cfg(test)]
mod tests;
mod tiles;

pub use chart::{Chart, Legend, Panel, Series};
pub use colour::Colour;
pub use confusion::confusion;
pub use curves::{Against, CurveOptions, Run, curves};
pub use picture::Picture;
pub use scatter::scatter;
pub use tiles::{FeatureMaps, features, filters};

/// What is wrong with the values of a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// Values that do not fill a shape.
    #[error("{what}: {values} values do not fill the shape {shape:?}; give {} of them", shape.iter().fold(1usize, |count, side| count.saturating_mul(*side)))]
    Shape {
        /// What the values are of.
        what: String,
        /// How many there are.
        values: usize,
        /// What they should fill.
        shape: Vec<usize>,
    },

    /// Points without labels or labels without points.
    #[error("{points} points and {labels} labels; give every point one label")]
    Labels {
        /// How many points there are.
        points: usize,
        /// How many labels there are.
        labels: usize,
    },

    /// A picture with more pixels than PNG files are made of.
    #[error("a picture of {width}×{height} pixels is too large for a PNG file; write it as SVG, or scale it down")]
    TooLarge {
        /// Its width.
        width: u64,
        /// Its height.
        height: u64,
    },

    /// An encoder that fails.
    #[error("cannot make a PNG file: {0}")]
    Png(String),
}
