//! The gradient of a 3×3 convolution's weights by a quarter of the multiplications: Winograd's algorithm for three outputs of
//! four taps, the taps being the output's gradient. It has the points of the forward direction, and so its input's transform.

use super::super::state::Slot;
use super::conv_weights::add_bias;
use super::taps::Geometry;
use super::tile::{cut, tile_sizes};
use super::weight_tile::{WeightTile, WeightTileFn, weight_tile_of};
use super::winograd::{A, M, POINTS, is_worth};
use super::{Memory, chunks};
use crate::engine::Isa;
use crate::engine::kernels::blocked::winograd_points::{F4, Points};
use crate::engine::kernels::blocked::winograd_transform::{Grid, InputTiles, Transforms};
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use crate::engine::threads::Shared;
use std::fmt;

/// Tiles that are transformed at once, at most, and the elements that they become, about.
const TILES: usize = 64;
const ELEMENTS: usize = 1 << 22;

/// Fewer places are not worth the sums of lanes that every point needs.
const MIN_PLACES: usize = 36;

/// Sums over places and examples of the output's gradient times the input, for every weight of a 3×3 kernel.
pub(crate) struct WinogradWeights {
    inputs: usize,
    outputs: usize,
    grid: Grid,
    weight: Option<Slot>,
    bias: Option<Slot>,
    transforms: Transforms,
    isa: Isa,
}

struct Plan {
    tiles: usize,
    /// Elements of the transformed input and gradient, of the points' sums, and from one point to the next.
    input: usize,
    gradient: usize,
    sums: usize,
    x_point: usize,
    y_point: usize,
}

impl WinogradWeights {
    /// `None` where it would not be faster.
    pub fn of(geometry: &Geometry, layer: &Layer<'_>, memory: &Memory) -> Option<Self> {
        let output = [geometry.places[1], geometry.places[2]];
        if memory.exact || !is_worth(geometry, output) || output[0] * output[1] < MIN_PLACES {
            return None;
        }
        let grid = Grid {
            in_blocks: geometry.channels,
            out_blocks: geometry.places_channels,
            input: [geometry.sizes[1], geometry.sizes[2]],
            output,
            padding: [geometry.padding[1], geometry.padding[2]],
            tiles: output.map(|size| size.div_ceil(M)),
        };
        Some(Self {
            inputs: geometry.channels,
            outputs: geometry.places_channels,
            grid,
            weight: memory.gradient(layer, "weight"),
            bias: memory.gradient(layer, "bias"),
            transforms: Transforms::of(M, layer.isa)?,
            isa: layer.isa,
        })
    }

    fn tiles(&self, batch: usize) -> usize {
        batch / self.isa.lanes() * self.grid.tiles.iter().product::<usize>()
    }

    fn plan(&self, tiles: usize) -> Plan {
        let lanes = self.isa.lanes();
        let fit = ELEMENTS / (POINTS * (self.inputs + self.outputs) * lanes);
        let tiles = tiles.min(fit.clamp(4, TILES));
        let [x_point, y_point] = [self.inputs, self.outputs].map(|channels| (channels * tiles + 1) * lanes);
        let sums = POINTS * self.inputs * self.outputs;
        Plan { tiles, input: POINTS * x_point, gradient: POINTS * y_point, sums, x_point, y_point }
    }
}

impl Kernel for WinogradWeights {
    fn scratch(&self, batch: usize, _: usize) -> usize {
        let Plan { input, gradient, sums, .. } = self.plan(self.tiles(batch));
        input.saturating_add(gradient).saturating_add(sums)
    }

    fn run(&self, call: Call<'_>) {
        let (lanes, all, values) = (self.isa.lanes(), self.tiles(call.batch), call.others.get(0));
        if let Some(weight) = &self.weight {
            let plan = self.plan(all);
            let (x, rest) = call.scratch.split_at_mut(plan.input);
            let (y, rest) = rest.split_at_mut(plan.gradient);
            let sums = &mut rest[..plan.sums];
            sums.fill(0.0);
            let (x, y, sums) = (Shared::new(x), Shared::new(y), Shared::new(sums));
            let [o, j] = tile_sizes(self.isa, self.outputs, self.inputs);
            let code: [[WeightTileFn; 6]; 6] =
                std::array::from_fn(|o| std::array::from_fn(|j| weight_tile_of(self.isa, o + 1, j + 1)));
            let to_points = gradient(self.isa);
            for tiles in chunks(all, plan.tiles) {
                let (count, places) = (tiles.len(), tiles.len() * lanes);
                call.threads.run(self.inputs + self.outputs, |channel, _| match channel.checked_sub(self.inputs) {
                    None => {
                        let transform = InputTiles {
                            grid: &self.grid,
                            input: values.as_ptr(),
                            block: channel,
                            tiles: tiles.clone(),
                            // Each channel has its own vectors at every point.
                            to: x.as_ptr().wrapping_add(channel * places),
                            point_stride: plan.x_point,
                        };
                        // SAFETY: the input holds the tiles' blocks of examples; the instruction set was checked.
                        unsafe { (self.transforms.input)(&transform) };
                    }
                    Some(channel) => {
                        let transform = GradientTiles {
                            grid: &self.grid,
                            gradient: call.input.as_ptr(),
                            channel,
                            first: tiles.start,
                            count,
                            to: y.as_ptr().wrapping_add(channel * places),
                            point: plan.y_point,
                        };
                        // SAFETY: the gradient holds the tiles' blocks of examples; the instruction set was checked.
                        unsafe { to_points(&transform) };
                    }
                });
                call.threads.run(POINTS, |point, _| {
                    // The transforms are done, and only read; each point has its own sums.
                    let (x, y) =
                        (x.as_ptr().wrapping_add(point * plan.x_point), y.as_ptr().wrapping_add(point * plan.y_point));
                    let sums = sums.as_ptr().wrapping_add(point * self.inputs * self.outputs);
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
                                sums: sums.wrapping_add(outputs.start * self.inputs + inputs.start),
                                sums_output: self.inputs,
                            };
                            // SAFETY: the channels and tiles exist; the instruction set was checked.
                            unsafe { code[outputs.len() - 1][inputs.len() - 1](&tile) };
                        }
                    }
                });
            }
            // SAFETY: nobody else uses the gradient while this kernel runs; the sums are done.
            let (weight, sums) = unsafe { (Shared::new(weight.get_mut()), sums.part(0..plan.sums)) };
            let to_taps = taps(self.isa);
            call.threads.for_work(plan.sums).run(self.outputs, |output, _| {
                let row = output * self.inputs;
                // SAFETY: each output's weights are one task's; the instruction set was checked.
                unsafe {
                    let to = weight.part(row * 9..(row + self.inputs) * 9);
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

/// Tiles of 4×4 places of the output's gradient in one channel.
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

per_isa!(fn gradient(tiles: &GradientTiles<'_>) = gradient_body);

/// What stands behind the last place.
static ZEROS: [f32; MAX_LANES] = [0.0; MAX_LANES];

/// # Safety
/// The CPU has the vector's instruction set; the gradient holds the tiles' blocks, and there is room for every point.
#[inline(always)]
unsafe fn gradient_body<S: Simd>(t: &GradientTiles<'_>) {
    let ([height, width], [tile_rows, columns]) = (t.grid.output, t.grid.tiles);
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let mut tile = 0;
        while tile < t.count {
            let number = t.first + tile;
            let (block, row, column) =
                (number / (tile_rows * columns), number / columns % tile_rows * M, number % columns * M);
            let map = t.gradient.add((block * t.grid.out_blocks + t.channel) * height * width * S::LANES);
            let mut rows = [[S::splat(0.0); A]; M];
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
                rows[y] = evaluate::<S>(places);
                y += 1;
            }
            let mut x = 0;
            while x < A {
                let column = evaluate::<S>([rows[0][x], rows[1][x], rows[2][x], rows[3][x]]);
                let mut y = 0;
                while y < A {
                    column[y].store(t.to.add((y * A + x) * t.point + tile * S::LANES));
                    y += 1;
                }
                x += 1;
            }
            tile += 1;
        }
    }
}

/// One axis of four taps: their polynomial at 0, at ±p of each pair of points, and at infinity, divided as a weight's.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn evaluate<S: Simd>(taps: [S; M]) -> [S; A] {
    let table = &<F4 as Points<2>>::TABLE;
    // SAFETY: the caller keeps the condition.
    unsafe {
        let mut out = [taps[0].mul(S::splat((1.0 / table.all[0]) as f32)); A];
        let mut k = 0;
        while k < 2 {
            let (point, scale) = (table.points[k], 1.0 / table.divisor(k));
            let square = point * point;
            let even = taps[2].mul_add(S::splat((square * scale) as f32), taps[0].mul(S::splat(scale as f32)));
            let odd = taps[3].mul(S::splat((point * square * scale) as f32));
            let odd = taps[1].mul_add(S::splat((point * scale) as f32), odd);
            (out[1 + 2 * k], out[2 + 2 * k]) = (even.add(odd), even.sub(odd));
            k += 1;
        }
        out[A - 1] = taps[M - 1];
        out
    }
}

per_isa!(fn taps(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) = taps_body);

/// Adds what an output channel's sums at all points make of its weights.
///
/// # Safety
/// The CPU has the vector's instruction set; the sums of all inputs are valid, `point` from one point to the next.
#[inline(always)]
unsafe fn taps_body<S: Simd>(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) {
    let mut first = 0;
    while first < inputs {
        let count = S::LANES.min(inputs - first);
        let mut values = [0.0f32; 9 * MAX_LANES];
        // SAFETY: the caller keeps the conditions.
        unsafe {
            let load = |number: usize| {
                let from = sums.add(number * point + first);
                if count == S::LANES { S::load(from) } else { S::load_first(from, count) }
            };
            let mut rows = [[S::splat(0.0); 3]; A];
            let mut y = 0;
            while y < A {
                let at = y * A;
                rows[y] =
                    interpolate::<S>([load(at), load(at + 1), load(at + 2), load(at + 3), load(at + 4), load(at + 5)]);
                y += 1;
            }
            let mut x = 0;
            while x < 3 {
                let column = interpolate::<S>([rows[0][x], rows[1][x], rows[2][x], rows[3][x], rows[4][x], rows[5][x]]);
                let mut y = 0;
                while y < 3 {
                    column[y].store(values.as_mut_ptr().add((3 * y + x) * S::LANES));
                    y += 1;
                }
                x += 1;
            }
        }
        for lane in 0..count {
            for tap in 0..9 {
                to[(first + lane) * 9 + tap] += values[tap * S::LANES + lane];
            }
        }
        first += S::LANES;
    }
}

/// One axis: three values from the sums at all points.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn interpolate<S: Simd>(sums: [S; A]) -> [S; 3] {
    let table = &<F4 as Points<2>>::TABLE;
    // SAFETY: the caller keeps the condition.
    unsafe {
        let even = [sums[1].add(sums[2]), sums[3].add(sums[4])];
        let odd = [sums[1].sub(sums[2]), sums[3].sub(sums[4])];
        let power = |of: [S; 2], i: usize| {
            let [a, b] = [table.power[i][0] as f32, table.power[i][1] as f32];
            of[1].mul_add(S::splat(b), of[0].mul(S::splat(a)))
        };
        [sums[0].add(even[0]).add(even[1]), power(odd, 1), power(even, 2).add(sums[A - 1])]
    }
}
