//! The gradient of a convolution's weights and bias.

use super::super::state::Slot;
use super::conv::check;
use super::taps::{Class, Geometry};
use super::tile::{cut, tile_sizes};
use super::weight_tile::{WeightTile, WeightTileFn, channel_sum, weight_tile_of};
use super::winograd_gradients::WinogradGradients;
use super::{Memory, chunks};
use crate::Error;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::threads::Shared;
use crate::engine::{Isa, Threads};
use cnn_ir::ops::{ConvSpec, ConvTransposeSpec};
use std::fmt;
use std::ops::Range;

/// Elements of copied channels that a task works on.
const PATCH: usize = 1 << 18;

/// Tasks that there should be, so that the threads have enough of them. Sums are cut by it, so it must not depend on them.
const TASKS: usize = 16;

/// Σ over places and examples of smaller · larger, for every weight; added to the gradients.
pub(crate) struct WeightGradient {
    name: &'static str,
    geometry: Geometry,
    class: Class,
    /// Whether the smaller value is the layer's input and the larger its output's gradient.
    is_transposed: bool,
    /// `None` where the weights are not trained.
    weight: Option<Slot>,
    bias: Option<Slot>,
    /// Channels of the larger value that a task works on.
    channels: usize,
    /// Whether the larger value is read where it lies.
    direct: bool,
    /// Sizes of a channel as it is read.
    patch: [usize; 3],
    tile: [usize; 2],
    code: [[WeightTileFn; 6]; 6],
    /// Where each weight of the task's channels reads.
    offsets: Vec<usize>,
    isa: Isa,
}

/// The kernel of the gradient of a convolution's parameters.
pub(crate) fn weight_gradient<const D: usize, const S: usize>(
    spec: &ConvSpec<D, S>,
    layer: &Layer<'_>,
    memory: &Memory,
) -> Result<Box<dyn Kernel>, Error> {
    check(spec, layer)?;
    let geometry = Geometry::new(spec, layer)?;
    if let Some(winograd) = WinogradGradients::of(&geometry, layer, memory) {
        return Ok(Box::new(winograd));
    }
    Ok(Box::new(WeightGradient::of("conv weight gradient", geometry, false, layer, memory)))
}

/// The kernel of both gradients of a convolution, where one for them is faster.
pub(crate) fn gradients<const D: usize, const S: usize>(
    spec: &ConvSpec<D, S>,
    layer: &Layer<'_>,
    memory: &Memory,
) -> Result<Option<Box<dyn Kernel>>, Error> {
    check(spec, layer)?;
    let winograd = WinogradGradients::of(&Geometry::new(spec, layer)?, layer, memory);
    let both = winograd.and_then(|winograd| winograd.with_input(layer, memory));
    Ok(both.map(|both| Box::new(both) as Box<dyn Kernel>))
}

impl WeightGradient {
    pub fn transposed<const D: usize, const S: usize>(
        spec: &ConvTransposeSpec<D, S>,
        layer: &Layer<'_>,
        memory: &Memory,
    ) -> Result<Self, Error> {
        let geometry = Geometry::transposed(spec, layer)?;
        Ok(Self::of("conv_transpose weight gradient", geometry, true, layer, memory))
    }

    fn of(name: &'static str, geometry: Geometry, is_transposed: bool, layer: &Layer<'_>, memory: &Memory) -> Self {
        let (isa, lanes) = (layer.isa, layer.isa.lanes());
        let class = geometry.gather();
        let direct = class.stays_within(geometry.sizes);
        let spread = |axis: usize| {
            let [first, last] = class.reach(axis);
            (class.count[axis] - 1) * class.input_step[axis] + (last - first) as usize + 1
        };
        let patch = if direct { geometry.sizes } else { std::array::from_fn(spread) };
        let (taps, inputs) = (class.taps.len(), geometry.channels / geometry.groups);
        // As many channels as fill the tiles.
        let channels = (24 / taps).clamp(1, 12).min(inputs);
        // What the tile's sizes are called when it multiplies by weights: weights for places, outputs for outputs.
        let outputs = geometry.places_channels / geometry.groups;
        let [j, o] = tile_sizes(isa, channels * taps, outputs);
        let code = std::array::from_fn(|o| std::array::from_fn(|j| weight_tile_of(isa, o + 1, j + 1)));
        let first: [isize; 3] = if direct { [0; 3] } else { std::array::from_fn(|axis| class.reach(axis)[0]) };
        let elements: usize = patch.iter().product();
        let mut offsets = vec![0; channels * taps];
        for channel in 0..channels {
            for tap in &class.taps {
                let [d, h, w] = std::array::from_fn(|axis| (tap.offset[axis] - first[axis]) as usize);
                let at = (d * patch[1] + h) * patch[2] + w;
                offsets[channel * taps + tap.index] = (channel * elements + at) * lanes;
            }
        }
        let (weight, bias) = (memory.gradient(layer, "weight"), memory.gradient(layer, "bias"));
        let tile = [o, j];
        Self { name, geometry, class, is_transposed, weight, bias, channels, direct, patch, tile, code, offsets, isa }
    }

    /// Channels of a group of the larger and of the smaller value.
    fn in_group(&self) -> [usize; 2] {
        [self.geometry.channels, self.geometry.places_channels].map(|channels| channels / self.geometry.groups)
    }

    /// Groups of channels that tasks work on, for all groups of the convolution.
    fn pieces(&self) -> usize {
        self.geometry.groups * self.in_group()[0].div_ceil(self.channels)
    }

    /// Parts of the batch whose sums are made apart: more than one where there are few channels.
    fn parts(&self, blocks: usize) -> usize {
        TASKS.div_ceil(self.pieces()).min(blocks).max(1)
    }

    fn weights(&self) -> usize {
        let [inputs, outputs] = self.in_group();
        self.geometry.groups * inputs * outputs * self.class.taps.len()
    }

    /// Blocks of examples whose channels are copied at once.
    fn copied_blocks(&self) -> usize {
        let elements = self.patch.iter().product::<usize>() * self.channels * self.isa.lanes();
        (PATCH / elements.max(1)).max(1)
    }

    fn patch_elements(&self) -> usize {
        if self.direct {
            return 0;
        }
        self.patch.iter().product::<usize>() * self.channels * self.isa.lanes() * self.copied_blocks()
    }

    /// Adds the sums over some blocks for a piece's weights.
    fn piece(
        &self,
        piece: usize,
        blocks: Range<usize>,
        [small, large]: [&[f32]; 2],
        patch: &mut [f32],
        sums: &Sums<'_>,
    ) {
        let (lanes, taps) = (self.isa.lanes(), self.class.taps.len());
        let [inputs, outputs] = self.in_group();
        let per_group = inputs.div_ceil(self.channels);
        let (group, first) = (piece / per_group, piece % per_group * self.channels);
        let channels = self.channels.min(inputs - first);
        let [small_channel, large_channel] =
            [self.geometry.places, self.geometry.sizes].map(|sizes| sizes.iter().product::<usize>() * lanes);
        let [small_block, large_block] =
            [self.geometry.places_channels * small_channel, self.geometry.channels * large_channel];
        let begin = (group * inputs + first) * large_channel;
        let step = self.class.input_step;
        let x_place =
            [self.patch[1] * self.patch[2] * step[0] * lanes, self.patch[2] * step[1] * lanes, step[2] * lanes];
        let at_once = if self.direct { blocks.len() } else { self.copied_blocks() };
        for chunk in chunks(blocks.len(), at_once) {
            let (from, count) = (blocks.start + chunk.start, chunk.len());
            let (x, x_block) = if self.direct {
                (large[from * large_block + begin..].as_ptr(), large_block)
            } else {
                let one = self.patch.iter().product::<usize>() * lanes;
                for block in 0..count {
                    for channel in 0..channels {
                        let at = (from + block) * large_block + begin + channel * large_channel;
                        let to = &mut patch[(block * self.channels + channel) * one..][..one];
                        self.copy(&large[at..at + large_channel], to);
                    }
                }
                (patch.as_ptr(), one * self.channels)
            };
            for o in cut(outputs, self.tile[0]) {
                for j in cut(channels * taps, self.tile[1]) {
                    let at = sums.at([group, o.start, first * taps + j.start], [inputs * taps, outputs]);
                    let tile = WeightTile {
                        y: small[from * small_block + (group * outputs + o.start) * small_channel..].as_ptr(),
                        y_output: small_channel,
                        y_block: small_block,
                        x,
                        offsets: self.offsets[j.clone()].as_ptr(),
                        x_block,
                        x_place,
                        blocks: count,
                        places: self.class.count,
                        sums: at,
                        sums_output: inputs * taps,
                        keeps_lanes: false,
                    };
                    // SAFETY: all channels and places exist, and nobody else adds to these weights' sums.
                    unsafe { self.code[o.len() - 1][j.len() - 1](&tile) };
                }
            }
        }
    }

    /// Copies a channel with zeros around it.
    fn copy(&self, from: &[f32], to: &mut [f32]) {
        let (lanes, [_, height, width]) = (self.isa.lanes(), self.geometry.sizes);
        let first: [isize; 3] = std::array::from_fn(|axis| self.class.reach(axis)[0]);
        let row = self.patch[2] * lanes;
        let inside = first[2].clamp(0, width as isize)..(first[2] + self.patch[2] as isize).clamp(0, width as isize);
        let (before, count) =
            ((inside.start - first[2]) as usize * lanes, (inside.end - inside.start) as usize * lanes);
        for (number, to) in to.chunks_exact_mut(row).enumerate() {
            let d = (number / self.patch[1]) as isize + first[0];
            let h = (number % self.patch[1]) as isize + first[1];
            let is_inside = (0..self.geometry.sizes[0] as isize).contains(&d) && (0..height as isize).contains(&h);
            if !is_inside || count == 0 {
                to.fill(0.0);
                continue;
            }
            let at = ((d as usize * height + h as usize) * width + inside.start as usize) * lanes;
            to[..before].fill(0.0);
            to[before..before + count].copy_from_slice(&from[at..at + count]);
            to[before + count..].fill(0.0);
        }
    }
}

/// Where the sums of weights go, one behind the other: all that tasks share.
struct Sums<'a> {
    all: Shared<'a>,
    /// Where those of this part of the batch begin.
    start: usize,
}

impl Sums<'_> {
    /// The first of a tile's sums, which are one task's alone.
    fn at(&self, [group, o, j]: [usize; 3], [row, outputs]: [usize; 2]) -> *mut f32 {
        self.all.as_ptr().wrapping_add(self.start + (group * outputs + o) * row + j)
    }
}

impl Kernel for WeightGradient {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        let parts = self.parts(batch / self.isa.lanes());
        let sums = if parts > 1 { parts.saturating_mul(self.weights()) } else { 0 };
        self.patch_elements().saturating_mul(threads).saturating_add(sums)
    }

    fn run(&self, call: Call<'_>) {
        let blocks = call.batch / self.isa.lanes();
        let values = [call.input, call.others.get(0)];
        let [small, large] = if self.is_transposed { [values[1], values[0]] } else { values };
        let (parts, pieces, weights) = (self.parts(blocks), self.pieces(), self.weights());
        let (patches, apart) = call.scratch.split_at_mut(self.patch_elements() * call.threads.count());
        if let Some(weight) = &self.weight {
            // SAFETY: nobody else uses the gradient while this kernel runs.
            let weight = unsafe { weight.get_mut() };
            let patch = self.patch_elements();
            let patches = Shared::new(patches);
            let apart = &mut apart[..if parts > 1 { parts * weights } else { 0 }];
            apart.fill(0.0);
            let (whole, partial) = (Shared::new(weight), Shared::new(apart));
            call.threads.run(parts * pieces, |number, worker| {
                let (part, piece) = (number / pieces, number % pieces);
                let range = part * blocks / parts..(part + 1) * blocks / parts;
                let sums = match parts {
                    1 => Sums { all: whole, start: 0 },
                    _ => Sums { all: partial, start: part * weights },
                };
                // SAFETY: each worker has a patch of its own.
                let patch = unsafe { patches.part(worker * patch..(worker + 1) * patch) };
                self.piece(piece, range, [small, large], patch, &sums);
            });
            if parts > 1 {
                // SAFETY: the tasks are done.
                let (weight, apart) = unsafe { (whole.part(0..weights), partial.part(0..parts * weights)) };
                for part in apart.chunks_exact(weights) {
                    weight.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                }
            }
        }
        if let Some(bias) = &self.bias {
            add_bias(bias, call.input, blocks, self.isa, call.threads);
        }
    }
}

/// Adds the sums of an output's gradient over places and examples to the gradient of the channels' biases.
pub(super) fn add_bias(bias: &Slot, gradient: &[f32], blocks: usize, isa: Isa, threads: &Threads) {
    let channels = bias.len();
    let map = gradient.len() / (blocks * channels).max(1);
    // SAFETY: nobody else uses the bias's gradient while a kernel runs.
    let bias = Shared::new(unsafe { bias.get_mut() });
    let code = channel_sum(isa);
    threads.for_work(gradient.len()).run(channels, |channel, _| {
        // SAFETY: each channel is one task's; its places lie within the output's gradient.
        unsafe {
            let from = gradient[channel * map..].as_ptr();
            bias.part(channel..channel + 1)[0] += code(from, map / isa.lanes(), blocks, channels * map);
        }
    });
}

impl fmt::Debug for WeightGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
