//! Kernels on maps in vectors of channels, `[channels / lanes][height][width][lanes]`.

pub(crate) mod channels;
pub(crate) mod conv2d;
mod conv2d_plan;
pub(crate) mod copy;
pub(crate) mod depthwise;
mod interleave;
pub(crate) mod pool;
pub(crate) mod pool_ranges;
#[cfg(test)]
mod reference;
pub(crate) mod reorder;
pub(crate) mod tile;
mod window;
pub(crate) mod winograd;
pub(crate) mod winograd_error;
pub(crate) mod winograd_points;
#[cfg(test)]
mod winograd_tests;
pub(crate) mod winograd_transform;
