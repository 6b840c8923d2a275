//! Kernels on maps in vectors of channels, `[channels / lanes][height][width][lanes]`.
#![allow(dead_code)] // Until the selection table names them.

pub(crate) mod reorder;
pub(crate) mod tile;
