//! Fully connected layers on register tiles: features in the lanes, examples in the rows.

use super::gemm::{MAX_ROWS, MAX_WIDTH, Tile, Tiles, cut, pack_columns};
use super::{Call, Kernel, activation::Epilogue};
use crate::buffer::Buffer;
use crate::engine::select::Layer;
use crate::weights::SharedTensor;
use crate::{Error, Weights};
use cnn_ir::ops::DenseSpec;
use std::sync::Arc;

/// A fully connected layer.
pub(crate) struct Dense {
    tiles: &'static Tiles,
    in_features: usize,
    out_features: usize,
    /// f32 per step of the depth in one panel of the packed weights.
    width: usize,
    weight: Arc<Buffer>,
    /// Zero where there is none, and behind the last feature.
    bias: Arc<Buffer>,
    offsets: Vec<u32>,
    epilogue: Epilogue,
}

/// The panels' width: as many vectors as one row of a tile takes, or all when those are fewer.
fn panel_width(spec: &DenseSpec, tiles: &Tiles) -> usize {
    spec.out_features.div_ceil(tiles.lanes).min(tiles.max_vectors(1)) * tiles.lanes
}

/// Whether the kernel can take this layer: offsets into a panel must fit.
pub(crate) fn applies(spec: &DenseSpec, layer: &Layer<'_>) -> bool {
    let width = panel_width(spec, Tiles::of(layer.isa));
    spec.in_features.checked_mul(width).is_some_and(|elements| u32::try_from(elements).is_ok())
}

impl Dense {
    pub fn new(spec: &DenseSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let tiles = Tiles::of(layer.isa);
        let (depth, width) = (spec.in_features, panel_width(spec, tiles));
        let pack_weight = |weight: &[f32]| pack_columns(weight, depth, width);
        let weight = layer.packed_weight(weights, &format!("panels of {width}"), pack_weight)?;
        let padded = spec.out_features.div_ceil(width).saturating_mul(width);
        let pack_bias = |bias: &[f32]| {
            let mut buffer = Buffer::zeros(padded, "packed weights")?;
            buffer.as_mut_slice()[..bias.len()].copy_from_slice(bias);
            Ok(buffer)
        };
        let bias = match layer.packed_bias(weights, &format!("padded to {padded}"), pack_bias)? {
            Some(bias) => bias,
            None => Arc::new(pack_bias(&[])?),
        };
        Ok(Self {
            tiles,
            in_features: depth,
            out_features: spec.out_features,
            width,
            weight,
            bias,
            offsets: (0..depth).map(|k| (k * width) as u32).collect(), // they fit: see `applies`
            epilogue: layer.epilogue(),
        })
    }

    /// The examples of the batch that share a tile, each with where its packed rows start.
    fn row_groups(&self, batch: usize) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        cut(batch, self.tiles.max_rows())
    }
}

impl Kernel for Dense {
    fn scratch(&self, batch: usize, _threads: usize) -> usize {
        // One example is packed as it is.
        let packed = if batch == 1 { 0 } else { batch.saturating_mul(self.in_features) };
        packed.saturating_add(MAX_ROWS * MAX_WIDTH)
    }

    fn run(&self, call: Call<'_>) {
        let Call { batch, input, output, scratch, .. } = call;
        let (depth, lanes) = (self.in_features, self.tiles.lanes);
        let (tile, packed) = scratch.split_at_mut(MAX_ROWS * MAX_WIDTH);
        let a = if batch == 1 {
            input
        } else {
            for rows in self.row_groups(batch) {
                let (from, to) = (&input[rows.start * depth..], &mut packed[rows.start * depth..rows.end * depth]);
                for (k, to) in to.chunks_exact_mut(rows.len()).enumerate() {
                    for (i, to) in to.iter_mut().enumerate() {
                        *to = from[i * depth + k];
                    }
                }
            }
            &packed[..]
        };
        let panel = self.width * depth;
        for (weight, first) in
            self.weight.as_slice().chunks_exact(panel).zip((0..self.out_features).step_by(self.width))
        {
            for rows in self.row_groups(batch) {
                for vectors in cut(self.width / lanes, self.tiles.max_vectors(rows.len())) {
                    let first = first + vectors.start * lanes;
                    let end = (first + vectors.len() * lanes).min(self.out_features);
                    if first >= end {
                        continue; // the rest of the panel is padding
                    }
                    let direct = end - first == vectors.len() * lanes;
                    let (c, c_row) = match direct {
                        true => (&mut output[rows.start * self.out_features + first..], self.out_features),
                        false => (&mut tile[..], MAX_WIDTH),
                    };
                    let operands = Tile {
                        depth,
                        a: a[rows.start * depth..].as_ptr(),
                        b: weight[vectors.start * lanes..].as_ptr(),
                        offsets: self.offsets.as_ptr(),
                        init: self.bias.as_slice()[first..].as_ptr(),
                        init_row: 0,
                        init_vector: lanes,
                        c: c.as_mut_ptr(),
                        c_row,
                    };
                    // SAFETY: the instruction set was checked. A holds depth·rows values from the group's start on; B
                    // and the bias are padded to whole panels; C is the tile, or rows of the output that have room for
                    // all the vectors.
                    unsafe { self.tiles.code(rows.len(), vectors.len())(&operands) };
                    if !direct {
                        for (row, from) in rows.clone().zip(tile.chunks_exact(MAX_WIDTH)) {
                            let row = &mut output[row * self.out_features..][..self.out_features];
                            row[first..end].copy_from_slice(&from[..end - first]);
                        }
                    }
                }
            }
        }
        self.epilogue.apply(output);
    }
}

impl std::fmt::Debug for Dense {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("dense", f)
    }
}

/// A fully connected layer without vectors, when the packed weights would be too large to index.
pub(crate) struct PlainDense {
    in_features: usize,
    out_features: usize,
    weight: SharedTensor,
    bias: Option<SharedTensor>,
    epilogue: Epilogue,
}

impl PlainDense {
    pub fn new(spec: &DenseSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        Ok(Self {
            in_features: spec.in_features,
            out_features: spec.out_features,
            weight: layer.weight(weights)?,
            bias: layer.bias(weights)?,
            epilogue: layer.epilogue(),
        })
    }
}

impl Kernel for PlainDense {
    fn run(&self, call: Call<'_>) {
        let bias = self.bias.as_ref().map(SharedTensor::data);
        for (x, y) in call.input.chunks_exact(self.in_features).zip(call.output.chunks_exact_mut(self.out_features)) {
            for (i, (y, row)) in y.iter_mut().zip(self.weight.data().chunks_exact(self.in_features)).enumerate() {
                *y = bias.map_or(0.0, |bias| bias[i]) + x.iter().zip(row).map(|(x, w)| x * w).sum::<f32>();
            }
        }
        self.epilogue.apply(call.output);
    }
}

impl std::fmt::Debug for PlainDense {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("dense_plain", f)
    }
}
