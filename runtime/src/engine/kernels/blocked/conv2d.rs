//! Direct convolution that makes a blocked map, on register tiles.
//!
//! A task is some rows of the output. Their input is copied once, padded, so that every tap of the kernel is a shift;
//! then each tile's blocks go through all pixels of the rows, so that their weights stay in the second-level cache. A
//! pointwise convolution reads its input in place, and all pixels of the map are one line; its copy, where it has one, is
//! what the layer before it makes of them.

use super::channels::ChannelMap;
use super::conv2d_plan::Plan;
use super::copy::{Fill, FillFn, fill_of};
use super::tile::Tile;
use crate::buffer::{Buffer, LINE};
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::gemm::{cut, round_up};
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::threads::{Shared, Threads};
use crate::{Error, Weights};
use cnn_ir::ops::Conv2dSpec;
use std::ops::Range;
use std::ptr::null;
use std::sync::{Arc, OnceLock};

#[cfg(test)]
#[path = "conv2d_tests.rs"]
mod tests;

/// A convolution of one layer.
pub(crate) struct BlockedConv2d {
    plan: Plan,
    /// For the first number of maps and of threads that came, the parts that tasks are cut into.
    parts: OnceLock<([usize; 2], [usize; 2])>,
    fill: FillFn,
    prologue: Option<ChannelMap>,
    offsets: Vec<u32>,
    weight: Arc<Buffer>,
    bias: Arc<Buffer>,
    residual: bool,
    epilogue: Epilogue,
}

/// Whether the kernel can take a layer whose input is blocked.
pub(crate) fn applies(spec: &Conv2dSpec, layer: &Layer<'_>) -> bool {
    plan_of(spec, layer, false).is_some()
}

/// Whether the kernel can take a layer whose input is plain; worth it for few channels.
pub(crate) fn applies_first(spec: &Conv2dSpec, layer: &Layer<'_>) -> bool {
    // A residual would come as a plain map, too.
    !layer.residual && layer.prologue.is_none() && plan_of(spec, layer, true).is_some()
}

fn plan_of(spec: &Conv2dSpec, layer: &Layer<'_>, is_plain: bool) -> Option<Plan> {
    let plan = Plan::new(spec, layer.input, layer.output, layer.isa, is_plain)?;
    if layer.prologue.is_some() { plan.copied(spec) } else { Some(plan) }
}

impl BlockedConv2d {
    /// The convolution of a blocked map.
    pub fn new(spec: &Conv2dSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        Self::planned(spec, layer, weights, false)
    }

    /// The convolution of a plain map.
    pub fn first(spec: &Conv2dSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        Self::planned(spec, layer, weights, true)
    }

    fn planned(spec: &Conv2dSpec, layer: &Layer<'_>, weights: &Weights, is_plain: bool) -> Result<Self, Error> {
        let plan = plan_of(spec, layer, is_plain);
        let plan = plan.ok_or_else(|| layer.error("the convolution's groups or its padded input do not fit blocks"))?;
        let elements = plan.groups.saturating_mul(plan.blocks).saturating_mul(plan.weight_floats(1));
        let weight = layer.packed_weight(weights, &plan.packing(), elements, |weight, to| {
            plan.pack(weight, layer.isa, to.as_mut_slice());
            Ok(())
        })?;
        Ok(Self {
            parts: OnceLock::new(),
            fill: fill_of(layer.isa, is_plain),
            prologue: layer.before().map(|before| ChannelMap::prologue(&before, weights)).transpose()?,
            offsets: plan.offsets(),
            plan,
            weight,
            bias: layer.blocked_bias(weights)?,
            residual: layer.residual,
            epilogue: layer.epilogue(),
        })
    }

    /// Floats of one task's copy.
    fn copy_floats(&self) -> usize {
        self.plan.layout.as_ref().map_or(0, |layout| round_up(layout.floats()))
    }

    /// Computes all tasks. `factors` are those of the layer before, when they are a value.
    fn compute(
        &self,
        batch: usize,
        input: &[f32],
        [factors, residual]: [Option<&[f32]>; 2],
        output: &mut [f32],
        scratch: &mut [f32],
        threads: &Threads,
    ) {
        let plan = &self.plan;
        let (from, to) = (plan.input_floats(), plan.output_floats());
        let (output, scratch) = (Shared::new(output), Shared::new(scratch));
        let (maps, tiles) = (batch * plan.groups, plan.blocks.div_ceil(plan.tile_blocks));
        let cut_for = [maps, threads.count()];
        let (first_cut_for, parts) = *self.parts.get_or_init(|| (cut_for, plan.parts(maps, threads.count())));
        let [row_parts, tile_parts] = if cut_for == first_cut_for { parts } else { plan.parts(maps, threads.count()) };
        threads.run(maps * row_parts * tile_parts, |number, worker| {
            let (map, number) = (number / (row_parts * tile_parts), number % (row_parts * tile_parts));
            let copy = worker * self.copy_floats()..(worker + 1) * self.copy_floats();
            let task = Task {
                input: &input[map * from..][..from],
                factors: factors.map(|factors| &factors[map * plan.units * plan.element..]),
                // SAFETY: the output holds all maps.
                output: unsafe { output.as_ptr().add(map * to) },
                residual: residual.map(|residual| &residual[map * to..][..to]),
                group: map % plan.groups,
                rows: part(plan.output[0], row_parts, number / tile_parts),
                tiles: part(tiles, tile_parts, number % tile_parts),
            };
            // SAFETY: every worker has its own copy.
            self.run_task(task, unsafe { scratch.part(copy) });
        });
    }

    /// Computes one task in its own copy.
    fn run_task(&self, task: Task<'_>, copy: &mut [f32]) {
        let plan = &self.plan;
        let Task { input, factors, output, residual, group, rows, tiles } = task;
        let (lanes, element, width, plane) = (plan.tiles.lanes, plan.element, plan.output[1], plan.plane());
        let (from, row_floats) = match (&plan.layout, &self.prologue) {
            (None, _) => (&input[rows.start * element..], 0),
            (Some(layout), Some(prologue)) => {
                for unit in 0..plan.units {
                    let x = &input[(unit * plan.input[0] + rows.start) * element..][..rows.len() * element];
                    let factors = factors.map(|factors| &factors[unit * element..]);
                    prologue.apply(unit, factors, x, &mut copy[layout.offset(unit, [0, 0])..][..x.len()]);
                }
                (&*copy, layout.row_floats())
            }
            (Some(layout), None) => {
                let [height, width] = plan.input;
                let fill = Fill { layout, input, height, width, first_row: rows.start, rows: rows.len() };
                // SAFETY: the instruction set was checked before the kernel was made; the plan's elements are its lanes
                // or single floats, as the function was chosen.
                unsafe { (self.fill)(&fill, copy) };
                (&*copy, layout.row_floats())
            }
        };
        let (lines, line) = if plan.is_one_line() { (1, rows.len() * width) } else { (rows.len(), width) };
        let [taps, channels, rest_taps, rest_channels] = plan.sums();
        let [low, high] = self.epilogue.limits();
        for blocks in cut(plan.blocks, plan.tile_blocks).skip(tiles.start).take(tiles.len()) {
            let first = group * plan.blocks + blocks.start;
            let start = blocks.start * plane + rows.start * width * lanes;
            let weight = self.weight.as_slice()[first * plan.weight_floats(1)..].as_ptr();
            let last_channels = plan.channels[1].min(blocks.end * lanes) - (blocks.end - 1) * lanes;
            let next = weight.wrapping_add(plan.weight_floats(blocks.len()));
            let mut tile = Tile {
                input: null(),
                offsets: self.offsets.as_ptr(),
                taps,
                channels,
                rest_taps,
                rest_channels,
                weight,
                ahead: null(),
                bias: self.bias.as_slice()[first * lanes..].as_ptr(),
                residual: null(),
                output: std::ptr::null_mut(),
                block_stride: plane,
                low,
                high,
            };
            for row in 0..lines {
                for (number, pixels) in cut(line, plan.tiles.max_pixels(blocks.len())).enumerate() {
                    if plan.is_large() {
                        // Each tile brings a part of the next weights, as long as itself.
                        tile.ahead = next.wrapping_add(number % blocks.len() * plan.depth() * LINE);
                    }
                    let to = start + (row * width + pixels.start) * lanes;
                    let code = match element {
                        1 => plan.tiles.plain(plan.pixel, pixels.len(), blocks.len()),
                        _ => plan.tiles.code_for(pixels.len(), blocks.len(), last_channels),
                    };
                    tile.input = from[row * row_floats + pixels.start * plan.pixel..].as_ptr();
                    if let Some(residual) = residual {
                        tile.residual = residual[to..].as_ptr();
                    }
                    // SAFETY: the instruction set was checked. Every tap of these pixels lies in the copy, or in the input
                    // of a pointwise convolution. The pixels of these blocks lie in the group's output, of which this task
                    // has these rows and blocks to itself, and in the residual, which is as large.
                    unsafe {
                        tile.output = output.add(to);
                        code(&tile);
                    }
                }
            }
            if let Some(functions) = self.epilogue.beyond_limits() {
                for block in 0..blocks.len() {
                    // SAFETY: the rows of one block, of this task's part of the output.
                    let part = unsafe {
                        std::slice::from_raw_parts_mut(output.add(start + block * plane), rows.len() * width * lanes)
                    };
                    functions.apply(part);
                }
            }
        }
    }
}

/// Some rows of some tiles' blocks of one group's output, in one example. Input, output and residual are the group's.
struct Task<'a> {
    input: &'a [f32],
    factors: Option<&'a [f32]>,
    output: *mut f32,
    residual: Option<&'a [f32]>,
    group: usize,
    rows: Range<usize>,
    tiles: Range<usize>,
}

/// One of `parts` all but even parts.
fn part(total: usize, parts: usize, number: usize) -> Range<usize> {
    total * number / parts..total * (number + 1) / parts
}

impl Kernel for BlockedConv2d {
    fn scratch(&self, _batch: usize, threads: usize) -> usize {
        self.copy_floats().saturating_mul(threads)
    }

    fn run(&self, call: Call<'_>) {
        let (factors, residual) = call.others.split_at(call.others.len() - usize::from(self.residual));
        let values = [factors, residual].map(|values| (values.len() > 0).then(|| values.get(0)));
        let work = call.output.len() * self.plan.depth();
        let threads = call.threads.for_work(work);
        self.compute(call.batch, call.input, values, call.output, call.scratch, threads);
    }
}

impl std::fmt::Debug for BlockedConv2d {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match (self.plan.element, &self.plan.layout, &self.prologue) {
            (1, ..) => "conv2d_blocked_first",
            (_, None, _) => "conv2d_blocked_pointwise",
            (_, Some(_), None) => "conv2d_blocked",
            (_, Some(_), Some(prologue)) => {
                write!(f, "{prologue:?}, ")?;
                "conv2d_blocked_pointwise"
            }
        };
        self.epilogue.name(name, f)
    }
}
