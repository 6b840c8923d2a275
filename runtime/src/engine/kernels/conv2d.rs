//! Direct convolution on register tiles.
//!
//! The input is copied once, padded, so that every tap of the kernel is a shift ([`CopyLayout`]). Output pixels are
//! numbered through in the pitch of the copy, across rows, and taken in full vectors; the few columns between the rows'
//! ends are computed and dropped. A pointwise convolution (1×1, stride 1, no padding) needs no copy.

use super::conv2d_copy::{CopyLayout, Fill, copy_short, fill_of};
use super::gemm::{MAX_ROWS, MAX_WIDTH, Tile, Tiles, cut, pack_rows, round_up};
use super::{Call, Kernel, activation::Epilogue};
use crate::buffer::Buffer;
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::{Error, Weights};
use cnn_ir::ops::Conv2dSpec;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// A convolution of one layer.
pub(crate) struct Conv2d {
    tiles: &'static Tiles,
    fill: unsafe fn(&Fill<'_>, &mut [f32]),
    drop_columns: unsafe fn(&Pitched<'_>, &mut [f32]),
    /// `None` for a pointwise convolution, which reads its input in place.
    layout: Option<CopyLayout>,
    groups: usize,
    /// Channels of the input and of the output, per group.
    channels: [usize; 2],
    /// Height and width.
    input: [usize; 2],
    output: [usize; 2],
    weight: Arc<Buffer>,
    /// The bias of each output channel, in every lane of a vector.
    bias: Arc<Buffer>,
    /// Where each step of the sum lies in the copy, or in the input.
    offsets: Vec<u32>,
    /// The same for the last pixels of a pointwise convolution, which are copied.
    last_offsets: Vec<u32>,
    epilogue: Epilogue,
}

/// Whether the kernel can take this layer.
pub(crate) fn applies(spec: &Conv2dSpec, layer: &Layer<'_>) -> bool {
    is_pointwise(spec)
        || matches!(*layer.output, [_, height, width] if CopyLayout::new(spec, [height, width]).is_some())
}

fn is_pointwise(spec: &Conv2dSpec) -> bool {
    spec.kernel_size == [1, 1] && spec.stride == [1, 1] && spec.padding == [0; 4]
}

impl Conv2d {
    pub fn new(spec: &Conv2dSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        Self::arranged(spec, layer, weights, "", |weight| Cow::Borrowed(weight))
    }

    /// The convolution by what `arrange` makes of the layer's weight; `arrangement` names it.
    pub fn arranged(
        spec: &Conv2dSpec,
        layer: &Layer<'_>,
        weights: &Weights,
        arrangement: &str,
        arrange: impl FnOnce(&[f32]) -> Cow<'_, [f32]>,
    ) -> Result<Self, Error> {
        let (&[_, in_height, in_width], &[out_channels, out_height, out_width]) = (layer.input, layer.output) else {
            return Err(layer.error("a convolution takes maps"));
        };
        let layout = if is_pointwise(spec) {
            None
        } else {
            let layout = CopyLayout::new(spec, [out_height, out_width]);
            Some(layout.ok_or_else(|| layer.error("the padded input is too large"))?)
        };
        let tiles = Tiles::of(layer.isa);
        let channels = [spec.in_channels / spec.groups, out_channels / spec.groups];
        let [kh, kw] = spec.kernel_size;
        let depth = channels[0] * kh * kw;
        let offset = |k: usize| match &layout {
            None => k * in_height * in_width,
            Some(layout) => layout.offset(k / (kh * kw), [k / kw % kh, k % kw]),
        };
        let all_rows = (0..spec.groups).flat_map(|group| {
            let shift = group * channels[1];
            cut(channels[1], tiles.max_rows()).map(move |rows| rows.start + shift..rows.end + shift)
        });
        let packing = format!("{arrangement}{} groups in tiles of {}", spec.groups, tiles.max_rows());
        let weight = layer.packed_weight(weights, &packing, out_channels.saturating_mul(depth), |weight, to| {
            pack_rows(&arrange(&weight.folded()), depth, all_rows, to.as_mut_slice());
            Ok(())
        })?;
        let packing = format!("in {} lanes", tiles.lanes);
        let elements = out_channels.saturating_mul(tiles.lanes);
        let bias = match layer.packed_bias(weights, &packing, elements, |bias, to| splat(bias, tiles.lanes, to))? {
            // A transposed convolution adds its bias itself.
            Some(bias) if spec.bias || layer.norm.is_some() => bias,
            _ => Arc::new(Buffer::zeros(elements, "packed weights")?),
        };
        Ok(Self {
            tiles,
            fill: fill_of(layer.isa),
            drop_columns: drop_columns_of(layer.isa),
            groups: spec.groups,
            channels,
            input: [in_height, in_width],
            output: [out_height, out_width],
            weight,
            bias,
            // Offsets lie within one input or one copy, both far below 2³².
            offsets: (0..depth).map(|k| offset(k) as u32).collect(),
            last_offsets: if layout.is_none() { (0..depth).map(|k| (k * MAX_WIDTH) as u32).collect() } else { vec![] },
            layout,
            epilogue: layer.epilogue(),
        })
    }

    /// Elements of the copy; the last vector may reach behind it.
    fn copy_elements(&self) -> usize {
        match &self.layout {
            None => self.offsets.len() * MAX_WIDTH,
            Some(layout) => round_up(layout.elements() + self.tiles.lanes),
        }
    }

    /// Rows `block` of the output, for one group of one example.
    pub fn run_block(&self, group: usize, block: Range<usize>, input: &[f32], output: &mut [f32], scratch: &mut [f32]) {
        let ([in_channels, out_channels], [height, width]) = (self.channels, self.output);
        let in_plane = self.input[0] * self.input[1];
        let input = &input[group * in_channels * in_plane..][..in_channels * in_plane];
        let output = &mut output[group * out_channels * height * width..][..out_channels * height * width];
        let (copy, tile) = scratch.split_at_mut(self.copy_elements());
        let mut pitch = width;
        if let Some(layout) = &self.layout {
            let [height, width] = self.input;
            let fill = Fill { layout, input, height, width, first_row: block.start, rows: block.len() };
            // SAFETY: the instruction set was checked before the kernel was made.
            unsafe { (self.fill)(&fill, copy) };
            pitch = layout.pitch;
        }
        let (lanes, pixels) = (self.tiles.lanes, (block.len() - 1) * pitch + width);
        // The tiles' rows are all but even: the largest decides how many vectors fit.
        let rows = out_channels.div_ceil(out_channels.div_ceil(self.tiles.max_rows()));
        for vectors in cut(pixels.div_ceil(lanes), self.tiles.max_vectors(rows)) {
            let first = vectors.start * lanes;
            let last = pixels.min(vectors.end * lanes);
            let (b, offsets) = match &self.layout {
                Some(_) => (&copy[first..], &self.offsets),
                None if last == vectors.end * lanes => (&input[first..], &self.offsets),
                None => {
                    for (to, from) in copy.chunks_exact_mut(MAX_WIDTH).zip(input.chunks_exact(in_plane)) {
                        to[..last - first].copy_from_slice(&from[first..last]);
                    }
                    (&copy[..], &self.last_offsets)
                }
            };
            let place = Place { first, last, pitch, width, start: block.start * width, plane: height * width };
            for rows in cut(out_channels, self.tiles.max_rows()) {
                let channel = group * out_channels + rows.start;
                let output = &mut output[rows.start * place.plane..rows.end * place.plane];
                let direct = pitch == width && last == vectors.end * lanes;
                let (c, c_row) = match direct {
                    true => (&mut output[place.start + first..], place.plane),
                    false => (&mut tile[..], MAX_WIDTH),
                };
                let operands = Tile {
                    depth: offsets.len(),
                    a: self.weight.as_slice()[channel * offsets.len()..].as_ptr(),
                    b: b.as_ptr(),
                    offsets: offsets.as_ptr(),
                    init: self.bias.as_slice()[channel * lanes..].as_ptr(),
                    init_row: lanes,
                    init_vector: 0,
                    c: c.as_mut_ptr(),
                    c_row,
                };
                // SAFETY: the instruction set was checked. A holds depth·rows values from this channel on; B's vectors
                // end within a vector behind the copy, or within the input when they are whole; C is the tile of
                // MAX_ROWS·MAX_WIDTH, or the output where all vectors are whole and adjacent.
                unsafe { self.tiles.code(rows.len(), vectors.len())(&operands) };
                if !direct {
                    // SAFETY: the instruction set was checked.
                    unsafe { (self.drop_columns)(&Pitched { tile, place }, output) };
                }
            }
        }
    }
}

impl Kernel for Conv2d {
    fn scratch(&self, _batch: usize, _threads: usize) -> usize {
        self.copy_elements() + MAX_ROWS * MAX_WIDTH
    }

    fn run(&self, call: Call<'_>) {
        let block = self.layout.as_ref().map_or(self.output[0], |layout| layout.block);
        let (examples, scratch) = call.examples();
        for (input, output) in examples {
            for rows in cut(self.output[0], block) {
                for group in 0..self.groups {
                    self.run_block(group, rows.clone(), input, output, scratch);
                }
            }
            self.epilogue.apply(output);
        }
    }
}

impl std::fmt::Debug for Conv2d {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name(if self.layout.is_some() { "conv2d_direct" } else { "conv2d_pointwise" }, f)
    }
}

/// Every value, repeated in as many lanes.
fn splat(values: &[f32], lanes: usize, to: &mut [f32]) {
    for (to, &value) in to.chunks_exact_mut(lanes).zip(values) {
        to.fill(value);
    }
}

/// Where the pixels of a tile go.
#[derive(Clone, Copy)]
struct Place {
    /// The pixels, numbered in the pitch of the copy.
    first: usize,
    last: usize,
    pitch: usize,
    width: usize,
    /// Where pixel 0 lies in a plane of the output, and the plane's size.
    start: usize,
    plane: usize,
}

/// A computed tile, `MAX_WIDTH` per row, that holds columns beyond the output's width.
struct Pitched<'a> {
    tile: &'a [f32],
    place: Place,
}

per_isa! {
    /// Moves a tile to the output, without the columns that do not belong to it.
    fn drop_columns_of(pitched: &Pitched<'_>, output: &mut [f32]) = drop_columns_body
}

/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn drop_columns_body<S: Simd>(pitched: &Pitched<'_>, output: &mut [f32]) {
    let Place { first, last, pitch, width, start, plane } = pitched.place;
    let (mut row, mut column) = (first / pitch, first % pitch);
    let mut pixel = first;
    while pixel < last {
        let count = width.saturating_sub(column).min(last - pixel);
        for (from, to) in pitched.tile.chunks_exact(MAX_WIDTH).zip(output.chunks_exact_mut(plane)) {
            let to = &mut to[start + row * width + column.min(width)..][..count];
            // SAFETY: the CPU has the instruction set.
            unsafe { copy_short::<S>(&from[pixel - first..][..count], to) };
        }
        pixel += pitch - column;
        (row, column) = (row + 1, 0);
    }
}
