//! The gradient of the weights of convolutions of 3×3 and 5×5 taps by about a third of the multiplications: Winograd's algorithm
//! for three outputs of four taps or five of two, the taps being the output's gradient. It has the points of the forward
//! direction, and so its input's transform.

use super::super::state::Slot;
use super::conv_weights::add_bias;
use super::taps::Geometry;
use super::tile::{MOST, cut, tile_sizes};
use super::weight_tile::{WeightTile, WeightTileFn, add_lanes, weight_tile_of};
use super::winograd::{POINTS, taps_of, tile_outputs};
use super::{Memory, chunks};
use crate::engine::kernels::blocked::winograd_points::F4;
use crate::engine::kernels::blocked::winograd_transform::{
    Grid, InputTiles, MapTransforms, PATCH, evaluate_taps, interpolate,
};
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
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
pub(crate) struct WinogradWeights {
    inputs: usize,
    outputs: usize,
    /// Taps of the kernel along an axis.
    taps: usize,
    grid: Grid,
    weight: Option<Slot>,
    bias: Option<Slot>,
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
    /// Outputs and inputs of tiles at most, and the code of those of each size.
    tile: [usize; 2],
    code: [[WeightTileFn; MOST]; MOST],
}

impl WinogradWeights {
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
            transforms: MapTransforms::of(taps, layer.isa)?,
            isa: layer.isa,
        })
    }

    fn tiles(&self, batch: usize) -> usize {
        batch / self.isa.lanes() * self.grid.tiles.iter().product::<usize>()
    }

    fn plan(&self, all: usize) -> Plan {
        let lanes = self.isa.lanes();
        let of_tile = POINTS * (self.inputs + self.outputs) * lanes;
        let sums = POINTS * self.inputs * self.outputs;
        let is_own = FEW_TILES * of_tile + sums * lanes <= OWN;
        let tiles = all.min(if is_own { FEW_TILES } else { (ELEMENTS / of_tile).clamp(4, TILES) });
        let parts = if is_own { PARTS.min(all.div_ceil(tiles.max(1))).max(1) } else { 1 };
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
    }
}

/// Where the transforms of some tiles go, and the sums at all points.
struct Transformed<'a> {
    x: Shared<'a>,
    y: Shared<'a>,
    sums: Shared<'a>,
}

impl Kernel for WinogradWeights {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        let Plan { parts, input, gradient, sums, width, .. } = self.plan(self.tiles(batch));
        let workers = if parts > 1 { threads } else { 1 };
        let transforms = workers.saturating_mul(input.saturating_add(gradient));
        transforms.saturating_add((1 + parts * width).saturating_mul(sums))
    }

    fn run(&self, call: Call<'_>) {
        let (lanes, all) = (self.isa.lanes(), self.tiles(call.batch));
        if let Some(weight) = &self.weight {
            let (plan, values) = (self.plan(all), [call.others.get(0), call.input]);
            let Plan { parts, input, gradient, .. } = plan;
            let workers = if parts > 1 { call.threads.count() } else { 1 };
            let (x, rest) = call.scratch.split_at_mut(workers * input);
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
                    }
                };
                // SAFETY: as above.
                unsafe { apart.part(part * of_part..(part + 1) * of_part) }.fill(0.0);
                let (first, end) = (part * all / parts, (part + 1) * all / parts);
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

impl fmt::Debug for WinogradWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("conv_winograd weight gradient")
    }
}

/// Tiles of the output's gradient in one channel.
struct GradientTiles<'a> {
    grid: &'a Grid,
    gradient: *const f32,
    channel: usize,
    first: usize,
    count: usize,
    /// Where the first tile's vector at point 0, 0 goes; those of the next tiles follow it.
    to: *mut f32,
    /// From one point to the next.
    point: usize,
}

per_isa!(fn gradient_4(tiles: &GradientTiles<'_>) = gradient_4_body);
per_isa!(fn gradient_2(tiles: &GradientTiles<'_>) = gradient_2_body);

#[inline(always)]
unsafe fn gradient_4_body<S: Simd>(tiles: &GradientTiles<'_>) {
    // SAFETY: the caller keeps the conditions.
    unsafe { gradient_body::<S, 4>(tiles) }
}

#[inline(always)]
unsafe fn gradient_2_body<S: Simd>(tiles: &GradientTiles<'_>) {
    // SAFETY: the caller keeps the conditions.
    unsafe { gradient_body::<S, 2>(tiles) }
}

/// What stands behind the last place.
static ZEROS: [f32; MAX_LANES] = [0.0; MAX_LANES];

/// # Safety
/// The CPU has the vector's instruction set; the gradient holds the tiles' blocks, and there is room for every point.
#[inline(always)]
unsafe fn gradient_body<S: Simd, const M: usize>(t: &GradientTiles<'_>) {
    let ([height, width], [tile_rows, columns]) = (t.grid.output, t.grid.tiles);
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let mut tile = 0;
        while tile < t.count {
            let number = t.first + tile;
            let (block, row, column) =
                (number / (tile_rows * columns), number / columns % tile_rows * M, number % columns * M);
            let map = t.gradient.add((block * t.grid.out_blocks + t.channel) * height * width * S::LANES);
            let mut rows = [[S::splat(0.0); PATCH]; M];
            let mut y = 0;
            while y < M {
                let mut places = [S::splat(0.0); M];
                let mut x = 0;
                while x < M {
                    let exists = row + y < height && column + x < width;
                    let at = map.wrapping_add(((row + y) * width + column + x) * S::LANES);
                    places[x] = S::load(if exists { at } else { ZEROS.as_ptr() });
                    x += 1;
                }
                rows[y] = evaluate_taps::<S, F4, 2, M, PATCH>(places);
                y += 1;
            }
            let mut x = 0;
            while x < PATCH {
                let mut column = [S::splat(0.0); M];
                let mut y = 0;
                while y < M {
                    column[y] = rows[y][x];
                    y += 1;
                }
                let column = evaluate_taps::<S, F4, 2, M, PATCH>(column);
                y = 0;
                while y < PATCH {
                    column[y].store(t.to.add((y * PATCH + x) * t.point + tile * S::LANES));
                    y += 1;
                }
                x += 1;
            }
            tile += 1;
        }
    }
}

per_isa!(fn taps_3(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) = taps_3_body);
per_isa!(fn taps_5(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) = taps_5_body);

#[inline(always)]
unsafe fn taps_3_body<S: Simd>(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) {
    // SAFETY: the caller keeps the conditions.
    unsafe { taps_body::<S, 3>(sums, point, inputs, to) }
}

#[inline(always)]
unsafe fn taps_5_body<S: Simd>(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) {
    // SAFETY: the caller keeps the conditions.
    unsafe { taps_body::<S, 5>(sums, point, inputs, to) }
}

/// Adds what an output channel's sums at all points make of its weights.
///
/// # Safety
/// The CPU has the vector's instruction set; the sums of all inputs are valid, `point` from one point to the next.
#[inline(always)]
unsafe fn taps_body<S: Simd, const T: usize>(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) {
    let mut first = 0;
    while first < inputs {
        let count = S::LANES.min(inputs - first);
        let mut values = [0.0f32; 25 * MAX_LANES];
        // SAFETY: the caller keeps the conditions.
        unsafe {
            let load = |number: usize| {
                let from = sums.add(number * point + first);
                if count == S::LANES { S::load(from) } else { S::load_first(from, count) }
            };
            let mut rows = [[S::splat(0.0); T]; PATCH];
            let mut y = 0;
            while y < PATCH {
                let mut row = [S::splat(0.0); PATCH];
                let mut x = 0;
                while x < PATCH {
                    row[x] = load(y * PATCH + x);
                    x += 1;
                }
                rows[y] = interpolate::<S, F4, 2, T, PATCH>(row);
                y += 1;
            }
            let mut x = 0;
            while x < T {
                let mut column = [S::splat(0.0); PATCH];
                let mut y = 0;
                while y < PATCH {
                    column[y] = rows[y][x];
                    y += 1;
                }
                let column = interpolate::<S, F4, 2, T, PATCH>(column);
                y = 0;
                while y < T {
                    column[y].store(values.as_mut_ptr().add((T * y + x) * S::LANES));
                    y += 1;
                }
                x += 1;
            }
        }
        for lane in 0..count {
            for tap in 0..T * T {
                to[(first + lane) * T * T + tap] += values[tap * S::LANES + lane];
            }
        }
        first += S::LANES;
    }
}
