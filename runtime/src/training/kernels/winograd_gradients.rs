//! The gradients of convolutions of 3×3 and 5×5 taps by about a third of the multiplications.
//!
//! That of the weights is Winograd's algorithm for three outputs of four taps or five of two, the taps being the output's
//! gradient. It has the points of the forward direction, and so its input's transform. That of the input is the transpose of the
//! forward direction, with the same transform of the output's gradient; so for few channels both are made at once.

use super::super::state::Slot;
use super::conv_weights::add_bias;
use super::taps::Geometry;
use super::tile::{MOST, Tile, TileFn, cut, tile_of, tile_sizes};
use super::weight_tile::{WeightTile, WeightTileFn, add_lanes, weight_tile_of};
use super::winograd::{POINTS, taps_of, tile_outputs};
use super::winograd_transforms::{
    GradientTiles, PatchTiles, Weights, gradient_2, gradient_4, patches, taps_3, taps_5, transform_3, transform_5,
};
use super::{Memory, chunks};
use crate::engine::kernels::blocked::winograd_transform::{Grid, InputTiles, MapTransforms};
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::threads::Shared;
use crate::engine::{Isa, Threads};
use std::fmt;
use std::ops::Range;

/// Tiles that all threads transform at once, at most, and the elements that they become, about.
const TILES: usize = 64;
const ELEMENTS: usize = 1 << 22;

/// Tiles that one thread transforms at once, and the elements that they and the sums may become: a second-level cache.
const FEW_TILES: usize = 10;
const OWN: usize = 1 << 18;

/// Parts of the batch for threads. Sums are cut by it, so it must not depend on them.
const PARTS: usize = 8;

/// Fewer places are not worth the sums of lanes that every point needs.
const MIN_PLACES: usize = 36;

/// Sums over places and examples of the output's gradient times the input, for every weight.
pub(crate) struct WinogradGradients {
    inputs: usize,
    outputs: usize,
    /// Taps of the kernel along an axis.
    taps: usize,
    grid: Grid,
    weight: Option<Slot>,
    bias: Option<Slot>,
    /// The weights' values, where the input's gradient is made, too.
    values: Option<Slot>,
    transforms: MapTransforms,
    isa: Isa,
}

/// How the work is cut, and the scratch memory that it needs.
struct Plan {
    /// Parts of the batch that are summed apart, each by one thread: more than one where there are few channels.
    parts: usize,
    /// Tiles that are transformed at once.
    tiles: usize,
    /// Elements of the transformed input and gradient, of the points' sums, and from one point to the next.
    input: usize,
    gradient: usize,
    sums: usize,
    x_point: usize,
    y_point: usize,
    /// Elements of a part's sum: a vector where there are several parts.
    width: usize,
    /// Elements of the transformed weights.
    weights: usize,
    /// Tiles and inputs of products at most, and the code of those of each size.
    products: [usize; 2],
    product: [[TileFn; MOST]; MOST],
    /// Outputs and inputs of tiles at most, and the code of those of each size.
    tile: [usize; 2],
    code: [[WeightTileFn; MOST]; MOST],
}

impl WinogradGradients {
    /// `None` where it would not be faster.
    pub fn of(geometry: &Geometry, layer: &Layer<'_>, memory: &Memory) -> Option<Self> {
        let output = [geometry.places[1], geometry.places[2]];
        if memory.exact || output[0] * output[1] < MIN_PLACES {
            return None;
        }
        let taps = taps_of(geometry, output)?;
        let grid = Grid {
            in_blocks: geometry.channels,
            out_blocks: geometry.places_channels,
            input: [geometry.sizes[1], geometry.sizes[2]],
            output,
            padding: [geometry.padding[1], geometry.padding[2]],
            tiles: output.map(|size| size.div_ceil(tile_outputs(taps))),
        };
        Some(Self {
            inputs: geometry.channels,
            outputs: geometry.places_channels,
            taps,
            grid,
            weight: memory.gradient(layer, "weight"),
            bias: memory.gradient(layer, "bias"),
            values: None,
            transforms: MapTransforms::of(taps, layer.isa)?,
            isa: layer.isa,
        })
    }

    /// The same with the input's gradient as its output; `None` where one apart is not slower.
    pub fn with_input(self, layer: &Layer<'_>, memory: &Memory) -> Option<Self> {
        let values = memory.value(layer, "weight").ok()?;
        let has_weights = self.weight.is_some() && values.len() == self.inputs * self.outputs * self.taps * self.taps;
        (has_weights && self.is_own()).then_some(Self { values: Some(values), ..self })
    }

    /// Tiles of a block of examples.
    fn tiles(&self) -> usize {
        self.grid.tiles.iter().product()
    }

    /// Elements of what a tile becomes.
    fn of_tile(&self) -> usize {
        POINTS * (self.inputs + self.outputs) * self.isa.lanes()
    }

    /// Whether each thread can do tiles of its own.
    fn is_own(&self) -> bool {
        FEW_TILES * self.of_tile() + POINTS * self.inputs * self.outputs * self.isa.lanes() <= OWN
    }

    /// The weights' values at all points: `[point][input][output]`.
    fn transform_weights(&self, values: &Slot, to: &Shared<'_>) {
        // SAFETY: nobody writes parameters while this kernel runs.
        let weight = unsafe { values.get() };
        let code = if self.taps == 3 { transform_3(self.isa) } else { transform_5(self.isa) };
        let taps = self.taps * self.taps;
        for input in 0..self.inputs {
            let part = Weights {
                from: &weight[input * taps..],
                w_input: self.inputs * taps,
                inputs: self.outputs,
                is_turned: false,
                is_undivided: true,
                to: to.as_ptr().wrapping_add(input * self.outputs),
                point: self.inputs * self.outputs,
            };
            // SAFETY: the weights of the input exist, and its rows at all points; the instruction set was checked.
            unsafe { code(&part) };
        }
    }

    fn plan(&self, batch: usize) -> Plan {
        let (lanes, is_own) = (self.isa.lanes(), self.is_own());
        let (blocks, all) = (batch / lanes, batch / lanes * self.tiles());
        let tiles = all.min(if is_own { FEW_TILES } else { (ELEMENTS / self.of_tile()).clamp(4, TILES) });
        // Patches of the input's gradient overlap, so a block of it is one part's alone.
        let most = if self.values.is_some() { blocks } else { all.div_ceil(tiles.max(1)) };
        let parts = if is_own { PARTS.min(most).max(1) } else { 1 };
        let sums = POINTS * self.inputs * self.outputs;
        let [x_point, y_point] = [self.inputs, self.outputs].map(|channels| (channels * tiles + 1) * lanes);
        let width = if parts > 1 { lanes } else { 1 };
        Plan {
            parts,
            tiles,
            input: POINTS * x_point,
            gradient: POINTS * y_point,
            sums,
            x_point,
            y_point,
            width,
            weights: if self.values.is_some() { sums } else { 0 },
            products: tile_sizes(self.isa, tiles, self.inputs),
            product: std::array::from_fn(|p| std::array::from_fn(|o| tile_of(self.isa, p + 1, o + 1))),
            tile: tile_sizes(self.isa, self.outputs, self.inputs),
            code: std::array::from_fn(|o| std::array::from_fn(|j| weight_tile_of(self.isa, o + 1, j + 1))),
        }
    }

    /// Adds what some tiles contribute to the sums at all points.
    fn add(&self, tiles: Range<usize>, plan: &Plan, values: [&[f32]; 2], to: &Transformed<'_>, threads: &Threads) {
        let (lanes, count) = (self.isa.lanes(), tiles.len());
        let ([value, gradient], places) = (values, count * lanes);
        let to_points = if self.taps == 3 { gradient_4(self.isa) } else { gradient_2(self.isa) };
        threads.run(self.inputs + self.outputs, |channel, _| match channel.checked_sub(self.inputs) {
            None => {
                let transform = InputTiles {
                    grid: &self.grid,
                    input: value.as_ptr(),
                    block: channel,
                    tiles: tiles.clone(),
                    // Each channel has its own vectors at every point.
                    to: to.x.as_ptr().wrapping_add(channel * places),
                    point_stride: plan.x_point,
                };
                // SAFETY: the input holds the tiles' blocks of examples; the instruction set was checked.
                unsafe { (self.transforms.input)(&transform) };
            }
            Some(channel) => {
                let transform = GradientTiles {
                    grid: &self.grid,
                    gradient: gradient.as_ptr(),
                    channel,
                    first: tiles.start,
                    count,
                    to: to.y.as_ptr().wrapping_add(channel * places),
                    point: plan.y_point,
                };
                // SAFETY: the gradient holds the tiles' blocks of examples; the instruction set was checked.
                unsafe { to_points(&transform) };
            }
        });
        let [o, j] = plan.tile;
        threads.run(POINTS, |point, _| {
            // The transforms are done, and only read; each point has its own sums.
            let x = to.x.as_ptr().wrapping_add(point * plan.x_point);
            let y = to.y.as_ptr().wrapping_add(point * plan.y_point);
            let sums = to.sums.as_ptr().wrapping_add(point * self.inputs * self.outputs * plan.width);
            let offsets: [usize; 6] = std::array::from_fn(|j| j * places);
            for outputs in cut(self.outputs, o) {
                for inputs in cut(self.inputs, j) {
                    let tile = WeightTile {
                        y: y.wrapping_add(outputs.start * places),
                        y_output: places,
                        y_block: 0,
                        x: x.wrapping_add(inputs.start * places),
                        offsets: offsets.as_ptr(),
                        x_block: 0,
                        x_place: [0, 0, lanes],
                        blocks: 1,
                        places: [1, 1, count],
                        sums: sums.wrapping_add((outputs.start * self.inputs + inputs.start) * plan.width),
                        sums_output: self.inputs,
                        keeps_lanes: plan.width > 1,
                    };
                    // SAFETY: the channels and tiles exist; the instruction set was checked.
                    unsafe { plan.code[outputs.len() - 1][inputs.len() - 1](&tile) };
                }
            }
        });
        if let Some((weights, output)) = to.input {
            self.add_to_input(tiles, plan, weights, output, to, threads);
        }
    }

    /// Adds what some tiles contribute to the input's gradient. The products take the place of the transformed input.
    fn add_to_input(
        &self,
        tiles: Range<usize>,
        plan: &Plan,
        weights: &[f32],
        output: &Shared<'_>,
        to: &Transformed<'_>,
        threads: &Threads,
    ) {
        let (lanes, count) = (self.isa.lanes(), tiles.len());
        threads.run(POINTS, |point, _| {
            let products = to.x.as_ptr().wrapping_add(point * plan.x_point);
            for inputs in cut(self.inputs, plan.products[1]) {
                for tiles in cut(count, plan.products[0]) {
                    let row = (point * self.inputs + inputs.start) * self.outputs;
                    let tile = Tile {
                        channels: self.outputs,
                        x: to.y.as_ptr().wrapping_add(point * plan.y_point + tiles.start * lanes),
                        x_channel: count * lanes,
                        x_place: lanes,
                        taps: &[0, 0],
                        tap_count: 1,
                        w: weights[row..].as_ptr(),
                        w_channel: 1,
                        w_output: self.outputs,
                        bias: std::ptr::null(),
                        y: products.wrapping_add((inputs.start * count + tiles.start) * lanes),
                        y_output: count * lanes,
                        y_place: lanes,
                    };
                    // SAFETY: the tiles and channels exist; the instruction set was checked.
                    unsafe { plan.product[tiles.len() - 1][inputs.len() - 1](&tile) };
                }
            }
        });
        threads.run(self.inputs, |channel, _| {
            let patches_of = PatchTiles {
                grid: &self.grid,
                channel,
                first: tiles.start,
                count,
                outputs: tile_outputs(self.taps),
                from: to.x.as_ptr().wrapping_add(channel * count * lanes),
                point: plan.x_point,
                to: output.as_ptr(),
            };
            // SAFETY: the tiles' blocks of the output are this part's alone, and their channel this task's; the instruction set
            // was checked.
            unsafe { patches(self.isa)(&patches_of) };
        });
    }
}

/// Where the transforms of some tiles go, and the sums at all points.
struct Transformed<'a> {
    x: Shared<'a>,
    y: Shared<'a>,
    sums: Shared<'a>,
    /// The transformed weights and the input's gradient, where that is made.
    input: Option<(&'a [f32], &'a Shared<'a>)>,
}

impl Kernel for WinogradGradients {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        let Plan { parts, input, gradient, sums, width, weights, .. } = self.plan(batch);
        let workers = if parts > 1 { threads } else { 1 };
        let transforms = workers.saturating_mul(input.saturating_add(gradient));
        transforms.saturating_add((1 + parts * width).saturating_mul(sums)).saturating_add(weights)
    }

    fn run(&self, call: Call<'_>) {
        let (lanes, all) = (self.isa.lanes(), call.batch / self.isa.lanes() * self.tiles());
        if let Some(weight) = &self.weight {
            let (plan, values) = (self.plan(call.batch), [call.others.get(0), call.input]);
            let Plan { parts, input, gradient, .. } = plan;
            let workers = if parts > 1 { call.threads.count() } else { 1 };
            let (weights, rest) = call.scratch.split_at_mut(plan.weights);
            if let Some(values) = &self.values {
                self.transform_weights(values, &Shared::new(weights));
            }
            let (of_block, output) = (call.output.len() / (call.batch / lanes).max(1), Shared::new(call.output));
            let (x, rest) = rest.split_at_mut(workers * input);
            let (y, rest) = rest.split_at_mut(workers * gradient);
            let of_part = plan.sums * plan.width;
            let (apart, whole) = rest.split_at_mut(parts * of_part);
            let (x, y, apart) = (Shared::new(x), Shared::new(y), Shared::new(apart));
            let own = if parts > 1 { Threads::alone() } else { call.threads };
            let add = |part: usize, worker: usize| {
                // SAFETY: each part has sums of its own, each worker room for transforms.
                let to = unsafe {
                    Transformed {
                        x: Shared::new(x.part(worker * input..(worker + 1) * input)),
                        y: Shared::new(y.part(worker * gradient..(worker + 1) * gradient)),
                        sums: Shared::new(apart.part(part * of_part..(part + 1) * of_part)),
                        input: self.values.is_some().then_some((&*weights, &output)),
                    }
                };
                // SAFETY: as above.
                unsafe { apart.part(part * of_part..(part + 1) * of_part) }.fill(0.0);
                // Tiles that are not parted.
                let unit = if self.values.is_some() { self.tiles() } else { 1 };
                let [first, end] = [part, part + 1].map(|part| part * (all / unit) / parts * unit);
                if self.values.is_some() {
                    let [first, end] = [first, end].map(|tile| tile / unit * of_block);
                    // SAFETY: each part has blocks of its own.
                    unsafe { output.part(first..end) }.fill(0.0);
                }
                for tiles in chunks(end - first, plan.tiles) {
                    self.add(first + tiles.start..first + tiles.end, &plan, values, &to, own);
                }
            };
            match parts {
                1 => add(0, 0),
                _ => call.threads.run(parts, add),
            }
            // SAFETY: the tasks are done.
            let mut sums = unsafe { apart.part(0..parts * of_part) };
            if parts > 1 {
                let apart = std::mem::replace(&mut sums, &mut whole[..plan.sums]);
                sums.fill(0.0);
                // SAFETY: the instruction set was checked, and a part has a vector for each sum.
                apart.chunks_exact(of_part).for_each(|part| unsafe { add_lanes(self.isa)(part, sums) });
            }
            // SAFETY: nobody else uses the gradient while this kernel runs.
            let weight = Shared::new(unsafe { weight.get_mut() });
            let to_taps = if self.taps == 3 { taps_3(self.isa) } else { taps_5(self.isa) };
            call.threads.for_work(plan.sums).run(self.outputs, |output, _| {
                let row = output * self.inputs;
                // SAFETY: each output's weights are one task's; the instruction set was checked.
                unsafe {
                    let taps = self.taps * self.taps;
                    let to = weight.part(row * taps..(row + self.inputs) * taps);
                    to_taps(sums[row..].as_ptr(), self.inputs * self.outputs, self.inputs, to);
                }
            });
        }
        if let Some(bias) = &self.bias {
            add_bias(bias, call.input, call.batch / lanes, self.isa, call.threads);
        }
    }
}

impl fmt::Debug for WinogradGradients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.values.is_some() { "conv_winograd gradients" } else { "conv_winograd weight gradient" })
    }
}
