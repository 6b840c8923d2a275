//! Convolutions, their transposes, and the gradients of both.
//!
//! A convolution takes the larger value to the smaller, its transpose and its input's gradient take the smaller to the
//! larger, and the weights' gradient is the correlation of the two (Dumoulin and Visin, "A guide to convolution arithmetic
//! for deep learning", 2016). No place reads beyond an end: places there have fewer taps. Where there are many channels, the
//! rows that a row of outputs reads are copied, so that they do not share their places in the cache.

use super::super::state::Slot;
use super::Memory;
use super::taps::{Class, Geometry, Tap};
use super::tile::{MOST, Tile, TileFn, cut, tile_of, tile_sizes};
use super::winograd::Winograd;
use crate::Error;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::threads::Shared;
use cnn_ir::ops::{ConvSpec, ConvTransposeSpec, PadMode};
use std::fmt;
use std::ops::Range;

pub(crate) use super::conv_weights::{WeightGradient, gradients, weight_gradient};

/// Elements of the copied rows that a task works on: about half of a second-level cache.
const PATCH: usize = 1 << 17;

/// As many channels of a group may be read where they lie.
const DIRECT_CHANNELS: usize = 16;

/// Places that a task has at least, where a row has as many.
const MIN_PLACES: usize = 24;

/// One value from another through a convolution's weights, in either direction.
pub(crate) struct Conv {
    name: &'static str,
    /// Sizes of the value that is read and of the one that is made.
    input: [usize; 3],
    output: [usize; 3],
    groups: usize,
    /// Channels of a group.
    inputs: usize,
    outputs: usize,
    weight: Slot,
    bias: Option<Slot>,
    /// Distances in the weights from one group, output channel and input channel to the next.
    w_group: usize,
    w_output: usize,
    w_input: usize,
    parts: Vec<Part>,
    lanes: usize,
    epilogue: Epilogue,
}

/// A class of outputs with what its tasks need to know.
struct Part {
    class: Class,
    /// Places of a row that a task makes at most.
    places: usize,
    tile: [usize; 2],
    code: [[TileFn; MOST]; MOST],
    /// Whether the input is read where it lies.
    direct: bool,
    /// Where each row that a tap reads begins, from the row of the output on; in the order of the taps.
    rows: Vec<[isize; 2]>,
    /// The smallest offset of a tap along each axis.
    first: [isize; 3],
    /// The places of a row, first to last.
    spans: Vec<Span>,
    /// Elements of a copied row and of all of a channel's.
    row: usize,
    patch: usize,
}

/// Adjacent places of a row of which the same taps read beyond an end.
struct Span {
    places: Range<usize>,
    /// The distances of each tap that does not in what is read and in the weights.
    taps: Vec<[usize; 2]>,
    /// For each row that taps read its first tap, and the number of all taps.
    first_taps: Vec<usize>,
}

/// The kernel of a convolution.
pub(crate) fn forward<const D: usize, const S: usize>(
    spec: &ConvSpec<D, S>,
    layer: &Layer<'_>,
    memory: &Memory,
) -> Result<Box<dyn Kernel>, Error> {
    check(spec, layer)?;
    let geometry = Geometry::new(spec, layer)?;
    if let Some(winograd) = Winograd::of(&geometry, true, layer, memory)? {
        return Ok(Box::new(winograd));
    }
    Ok(Box::new(Conv::new("conv", &geometry, Way::Gather, layer, memory)?.forward(layer, memory)?))
}

/// The kernel of the gradient of a convolution's input.
pub(crate) fn input_gradient<const D: usize, const S: usize>(
    spec: &ConvSpec<D, S>,
    layer: &Layer<'_>,
    memory: &Memory,
) -> Result<Box<dyn Kernel>, Error> {
    check(spec, layer)?;
    let geometry = Geometry::new(spec, layer)?;
    if let Some(winograd) = Winograd::of(&geometry, false, layer, memory)? {
        return Ok(Box::new(winograd));
    }
    Ok(Box::new(Conv::new("conv input gradient", &geometry, Way::Scatter, layer, memory)?))
}

/// Which way a kernel goes through the weights of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the larger value to the smaller, as a convolution does.
    Gather,
    /// From the smaller value to the larger.
    Scatter,
}

impl Conv {
    pub fn transposed<const D: usize, const S: usize>(
        spec: &ConvTransposeSpec<D, S>,
        layer: &Layer<'_>,
        memory: &Memory,
    ) -> Result<Self, Error> {
        let geometry = Geometry::transposed(spec, layer)?;
        Self::new("conv_transpose", &geometry, Way::Scatter, layer, memory)?.forward(layer, memory)
    }

    pub fn transposed_input<const D: usize, const S: usize>(
        spec: &ConvTransposeSpec<D, S>,
        layer: &Layer<'_>,
        memory: &Memory,
    ) -> Result<Self, Error> {
        Self::new("conv_transpose input gradient", &Geometry::transposed(spec, layer)?, Way::Gather, layer, memory)
    }

    /// The kernel without bias and without what is fused behind it, as gradients have it.
    fn new(
        name: &'static str,
        geometry: &Geometry,
        way: Way,
        layer: &Layer<'_>,
        memory: &Memory,
    ) -> Result<Self, Error> {
        let Geometry { groups, sizes, places, .. } = *geometry;
        let (large, small) = (geometry.channels / groups, geometry.places_channels / groups);
        let taps = geometry.kernel_taps();
        // Weights are `[smaller value's channels, larger value's of a group, taps]`.
        let (of_small, of_large) = (large * taps, taps);
        let ([input, output], [inputs, outputs], [w_output, w_input], classes) = match way {
            Way::Gather => ([sizes, places], [large, small], [of_small, of_large], vec![geometry.gather()]),
            Way::Scatter => ([places, sizes], [small, large], [of_large, of_small], geometry.scatter()),
        };
        let weight = memory.value(layer, "weight")?;
        let w_group = small * large * taps;
        if weight.len() != groups * w_group {
            return Err(layer.error("its weights do not have its sizes"));
        }
        let lanes = layer.isa.lanes();
        let parts = classes.into_iter().map(|class| Part::new(class, input, inputs, outputs, layer)).collect();
        let (bias, epilogue) = (None, Epilogue::new(&[], layer.isa));
        Ok(Self {
            name,
            input,
            output,
            groups,
            inputs,
            outputs,
            weight,
            bias,
            w_group,
            w_output,
            w_input,
            parts,
            lanes,
            epilogue,
        })
    }

    /// The same as a layer: with its bias and what is fused behind it.
    fn forward(self, layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let (bias, epilogue) = (memory.optional(layer, "bias"), layer.epilogue());
        match &bias {
            Some(bias) if bias.len() != self.groups * self.outputs => {
                Err(layer.error("its bias does not have its channels"))
            }
            _ => Ok(Self { bias, epilogue, ..self }),
        }
    }

    /// One part's places of a row, from `first` on, of a block of examples.
    ///
    /// # Safety
    /// `input` is the block's input; its output begins at `start` of `output`, where nobody else touches these places; `patch`
    /// has room for the rows of a group's channels.
    unsafe fn places(
        &self,
        part: &Part,
        [d, h, first]: [usize; 3],
        input: &[f32],
        (output, start): (&Shared<'_>, usize),
        patch: &mut [f32],
    ) {
        let (lanes, class) = (self.lanes, &part.class);
        let count = part.places.min(class.count[2] - first);
        let [channel_in, channel_out] = [self.input, self.output].map(|sizes| sizes.iter().product::<usize>() * lanes);
        let place = |axis: usize, m: usize| class.start[axis] + m * class.step[axis];
        let row_out = start / lanes + (place(0, d) * self.output[1] + place(1, h)) * self.output[2] + place(2, first);
        // SAFETY: reading alone; nobody writes parameters while kernels of other kinds run.
        let (weight, bias) = unsafe { (self.weight.get(), self.bias.as_ref().map(|bias| bias.get())) };
        // Rows beyond the ends are left out where they come first or last.
        let base = [d * class.input_step[0], h * class.input_step[1]];
        let is_inside = |row: &[isize; 2]| {
            (0..2).all(|axis| (0..self.input[axis] as isize).contains(&(base[axis] as isize + row[axis])))
        };
        let used = match (part.rows.iter().position(is_inside), part.rows.iter().rposition(is_inside)) {
            (Some(first), Some(last)) => first..last + 1,
            _ => 0..0,
        };
        for group in 0..self.groups {
            let from = &input[group * self.inputs * channel_in..][..self.inputs * channel_in];
            let (x, x_channel) = if part.direct {
                // What the first tap would read, before the beginning perhaps.
                let [d, h, w] = [base[0], base[1], first * class.input_step[2]].map(|at| at as isize);
                let [first_d, first_h, first_w] = part.first;
                let row = (d + first_d) * self.input[1] as isize + h + first_h;
                let at = (row * self.input[2] as isize + w + first_w) * lanes as isize;
                (from.as_ptr().wrapping_offset(at), channel_in)
            } else {
                self.copy_rows(part, used.clone(), base, first, from, patch);
                (patch.as_ptr(), part.patch)
            };
            for outputs in cut(self.outputs, part.tile[1]) {
                let o = outputs.start;
                let channel = group * self.outputs + o;
                for (taps, places) in part.tiles(first..first + count, &used) {
                    let p = places.start - first;
                    let y = channel * channel_out + (row_out + p * class.step[2]) * lanes;
                    let tile = Tile {
                        channels: self.inputs,
                        x: x.wrapping_add(p * class.input_step[2] * lanes),
                        x_channel,
                        x_place: class.input_step[2] * lanes,
                        taps: taps.as_ptr(),
                        tap_count: taps.len(),
                        w: weight[group * self.w_group + o * self.w_output..].as_ptr(),
                        w_channel: self.w_input,
                        w_output: self.w_output,
                        bias: bias.map_or(std::ptr::null(), |bias| bias[channel..].as_ptr()),
                        y: output.as_ptr().wrapping_add(y),
                        y_output: channel_out,
                        y_place: class.step[2] * lanes,
                    };
                    // SAFETY: the tile's places and outputs exist, and what their taps read; the instruction set was checked.
                    unsafe { part.code[places.len() - 1][outputs.len() - 1](&tile) };
                }
                self.finish(class, channel..channel + outputs.len(), row_out, count, output);
            }
        }
    }

    /// Applies what is fused behind to places of some channels.
    fn finish(&self, class: &Class, channels: Range<usize>, row: usize, count: usize, output: &Shared<'_>) {
        if self.epilogue.is_empty() {
            return;
        }
        let elements = self.output.iter().product::<usize>();
        for channel in channels {
            let at = (channel * elements + row) * self.lanes;
            // Places that lie apart are taken one by one.
            let (runs, length) = if class.step[2] == 1 { (1, count) } else { (count, 1) };
            for run in 0..runs {
                let start = at + run * class.step[2] * self.lanes;
                // SAFETY: the places are this task's alone.
                self.epilogue.apply(unsafe { output.part(start..start + length * self.lanes) });
            }
        }
    }

    /// Copies the rows that places of a row read, with zeros beyond the ends.
    fn copy_rows(
        &self,
        part: &Part,
        used: Range<usize>,
        base: [usize; 2],
        first: usize,
        from: &[f32],
        patch: &mut [f32],
    ) {
        let lanes = self.lanes;
        let [_, height, width] = self.input;
        let channel_in = self.input.iter().product::<usize>() * lanes;
        // The copied row begins at this element of the input's, which may lie before its beginning.
        let begin = (first * part.class.input_step[2]) as isize + part.first[2];
        let length = (part.row / lanes) as isize;
        let inside = begin.clamp(0, width as isize)..(begin + length).clamp(0, width as isize);
        let (before, count) = ((inside.start - begin) as usize * lanes, (inside.end - inside.start) as usize * lanes);
        for channel in 0..self.inputs {
            for number in used.clone() {
                let to = &mut patch[channel * part.patch + number * part.row..][..part.row];
                let [d, h] = [0, 1].map(|axis| base[axis] as isize + part.rows[number][axis]);
                let is_inside = (0..self.input[0] as isize).contains(&d) && (0..height as isize).contains(&h);
                if !is_inside || count == 0 {
                    to.fill(0.0);
                    continue;
                }
                let at =
                    channel * channel_in + ((d as usize * height + h as usize) * width + inside.start as usize) * lanes;
                to[..before].fill(0.0);
                to[before..before + count].copy_from_slice(&from[at..at + count]);
                to[before + count..].fill(0.0);
            }
        }
    }
}

impl Part {
    fn new(class: Class, input: [usize; 3], inputs: usize, outputs: usize, layer: &Layer<'_>) -> Self {
        let lanes = layer.isa.lanes();
        let mut rows: Vec<[isize; 2]> = Vec::new();
        for tap in &class.taps {
            let row = [tap.offset[0], tap.offset[1]];
            if rows.last() != Some(&row) {
                rows.push(row);
            }
        }
        let first: [isize; 3] = std::array::from_fn(|axis| class.reach(axis)[0]);
        let is_flat = class.reach(0) == [0, 0];
        let direct = class.stays_within(input) || is_flat && inputs <= DIRECT_CHANNELS;
        let spread = (class.reach(2)[1] - first[2]) as usize + 1;
        // As many places as fit into a cache with what they read.
        let per_place = inputs * rows.len().max(1) * class.input_step[2] * lanes;
        let tile = tile_sizes(layer.isa, class.count[2], outputs);
        let wanted = (PATCH / per_place.max(1)).max(MIN_PLACES).next_multiple_of(tile[0]);
        let places = class.count[2].min(wanted);
        let row = (places.saturating_sub(1) * class.input_step[2] + spread) * lanes;
        let row_of = |tap: &Tap| rows.iter().position(|row| row[..] == tap.offset[..2]).unwrap_or(0);
        let distance = |tap: &Tap| match direct {
            true => {
                let [d, h, w] = std::array::from_fn(|axis| (tap.offset[axis] - first[axis]) as usize);
                ((d * input[1] + h) * input[2] + w) * lanes
            }
            false => row_of(tap) * row + (tap.offset[2] - first[2]) as usize * lanes,
        };
        let spans = class.spans(input[2]).into_iter().map(|(places, offsets)| {
            let used: Vec<&Tap> = class.taps.iter().filter(|tap| offsets.contains(&tap.offset[2])).collect();
            let first_tap = |row: usize| used.iter().filter(|tap| row_of(tap) < row).count();
            let first_taps = (0..=rows.len()).map(first_tap).collect();
            Span { places, taps: used.iter().map(|tap| [distance(tap), tap.index]).collect(), first_taps }
        });
        let spans = spans.collect();
        let code = std::array::from_fn(|p| std::array::from_fn(|o| tile_of(layer.isa, p + 1, o + 1)));
        let patch = row * rows.len();
        Self { class, places, tile, code, direct, rows, first, spans, row, patch }
    }

    /// Tiles of some places of a row, with the taps that they use in these rows.
    fn tiles(&self, places: Range<usize>, rows: &Range<usize>) -> impl Iterator<Item = (&[[usize; 2]], Range<usize>)> {
        self.spans.iter().flat_map(move |span| {
            let (start, end) = (span.places.start.max(places.start), span.places.end.min(places.end));
            let taps = &span.taps[span.first_taps[rows.start]..span.first_taps[rows.end]];
            cut(end.saturating_sub(start), self.tile[0]).map(move |tile| (taps, start + tile.start..start + tile.end))
        })
    }

    /// Tasks of a block of examples.
    fn tasks(&self) -> usize {
        self.class.count[0] * self.class.count[1] * self.class.count[2].div_ceil(self.places.max(1))
    }
}

impl Kernel for Conv {
    fn is_by_block(&self) -> bool {
        true
    }

    fn scratch(&self, _: usize, threads: usize) -> usize {
        let patch = |part: &Part| if part.direct { 0 } else { part.patch.saturating_mul(self.inputs) };
        self.parts.iter().map(patch).max().unwrap_or(0).saturating_mul(threads)
    }

    fn run(&self, call: Call<'_>) {
        let blocks = call.batch / self.lanes;
        let [from, to] = [call.input.len(), call.output.len()].map(|elements| elements / blocks.max(1));
        let patch = call.scratch.len() / call.threads.count();
        let (output, scratch) = (Shared::new(call.output), Shared::new(call.scratch));
        let tasks: usize = self.parts.iter().map(Part::tasks).sum();
        call.threads.run(blocks * tasks, |number, worker| {
            let (block, mut number) = (number / tasks, number % tasks);
            let Some(part) = self.parts.iter().find(|part| match number.checked_sub(part.tasks()) {
                Some(rest) => {
                    number = rest;
                    false
                }
                None => true,
            }) else {
                return;
            };
            let segments = part.class.count[2].div_ceil(part.places);
            let (row, first) = (number / segments, number % segments * part.places);
            let at = [row / part.class.count[1], row % part.class.count[1], first];
            let input = &call.input[block * from..][..from];
            // SAFETY: no two blocks overlap, no two tasks make the same places, and each worker has a patch of its own.
            unsafe {
                self.places(part, at, input, (&output, block * to), scratch.part(worker * patch..(worker + 1) * patch));
            }
        });
    }
}

impl fmt::Debug for Conv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.epilogue.name(self.name, f)
    }
}

/// Padding that is not of zeros is a layer of its own by now.
pub(super) fn check<const D: usize, const S: usize>(spec: &ConvSpec<D, S>, layer: &Layer<'_>) -> Result<(), Error> {
    match spec.padding_mode {
        PadMode::Zeros => Ok(()),
        _ => Err(layer.error("its padding is not of zeros")),
    }
}
