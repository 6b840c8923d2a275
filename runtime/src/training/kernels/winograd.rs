//! 3×3 convolutions, and their inputs' gradients, by a quarter of the multiplications: Winograd's minimal filtering (Lavin
//! and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015) with tiles of 4×4 outputs.
//!
//! A block of examples lies as a block of channels does in the inference engine's blocked maps, so its transforms do for both.
//! All threads transform some tiles of the input, and then share the output channels.

use super::super::state::Slot;
use super::taps::Geometry;
use super::tile::{MOST, Tile, TileFn, cut, tile_of, tile_sizes};
use super::{Memory, chunks};
use crate::Error;
use crate::engine::Isa;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::blocked::winograd_points::{F4, Points};
use crate::engine::kernels::blocked::winograd_transform::{Grid, InputTiles, OutputTiles, Transforms};
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use crate::engine::threads::Shared;
use std::fmt;

/// Outputs of a tile along an axis, and the points at which a tile is multiplied.
pub(super) const M: usize = 4;
pub(super) const A: usize = M + 2;
pub(super) const POINTS: usize = A * A;

/// Tiles that are transformed at once.
const TILES: usize = 16;

/// Fewer channels are not worth the transforms.
const MIN_CHANNELS: usize = 16;

/// A convolution of maps, or the gradient of its input, which is one with the kernel turned around.
pub(crate) struct Winograd {
    name: &'static str,
    input: [usize; 2],
    output: [usize; 2],
    padding: [usize; 2],
    inputs: usize,
    outputs: usize,
    weight: Slot,
    bias: Option<Slot>,
    /// Distances in the weights from one output and input channel to the next.
    w_output: usize,
    w_input: usize,
    is_turned: bool,
    transforms: Transforms,
    isa: Isa,
    epilogue: Epilogue,
}

/// Whether the algorithm can do a convolution, and with fewer multiplications for tiles that cover this output.
pub(super) fn is_worth(geometry: &Geometry, output: [usize; 2]) -> bool {
    let Geometry { groups, channels, sizes, places_channels, kernel, stride, dilation, padding, .. } = *geometry;
    let is_3x3 = kernel == [1, 3, 3] && stride == [1; 3] && dilation[1..] == [1; 2] && groups == 1;
    let is_map = sizes[0] == 1 && padding[0] == 0 && padding[1].max(padding[2]) <= 2;
    let tiles: usize = output.iter().map(|size| size.div_ceil(M)).product();
    let is_less = 5 * POINTS * tiles <= 4 * 9 * output.iter().product::<usize>();
    is_3x3 && is_map && is_less && channels.min(places_channels) >= MIN_CHANNELS
}

impl Winograd {
    /// The kernel of a convolution's forward direction or its input's gradient; `None` where it would not be faster.
    pub fn of(
        geometry: &Geometry,
        is_forward: bool,
        layer: &Layer<'_>,
        memory: &Memory,
    ) -> Result<Option<Self>, Error> {
        let Geometry { channels, sizes, places_channels, places, padding, .. } = *geometry;
        let ([_, input @ ..], [_, output @ ..]) = if is_forward { (sizes, places) } else { (places, sizes) };
        if memory.exact || !is_worth(geometry, output) {
            return Ok(None);
        }
        let Some(transforms) = Transforms::of(M, layer.isa) else { return Ok(None) };
        let weight = memory.value(layer, "weight")?;
        if weight.len() != channels * places_channels * 9 {
            return Err(layer.error("its weights do not have its sizes"));
        }
        let isa = layer.isa;
        Ok(Some(match is_forward {
            true => Self {
                name: "conv_winograd",
                input,
                output,
                padding: [padding[1], padding[2]],
                inputs: channels,
                outputs: places_channels,
                weight,
                bias: memory.optional(layer, "bias"),
                w_output: channels * 9,
                w_input: 9,
                is_turned: false,
                transforms,
                isa,
                epilogue: layer.epilogue(),
            },
            false => Self {
                name: "conv_winograd input gradient",
                input,
                output,
                padding: [2 - padding[1], 2 - padding[2]],
                inputs: places_channels,
                outputs: channels,
                weight,
                bias: None,
                w_output: 9,
                w_input: channels * 9,
                is_turned: true,
                transforms,
                isa,
                epilogue: Epilogue::new(&[], isa),
            },
        }))
    }

    fn grid(&self) -> Grid {
        Grid {
            in_blocks: self.inputs,
            out_blocks: self.outputs,
            input: self.input,
            output: self.output,
            padding: self.padding,
            tiles: self.output.map(|size| size.div_ceil(M)),
        }
    }

    /// Output channels of a task.
    fn group(&self) -> usize {
        if self.outputs < 128 { 12 } else { 24 }
    }

    /// Elements of the transformed weights, the biases, the transformed input and one task's sums; and from one point to the
    /// next in the last two, which is not a power of two, so that points do not share their places in the cache.
    fn plan(&self, tiles: usize) -> Plan {
        let lanes = self.isa.lanes();
        let tiles = tiles.min(TILES);
        let [x_point, y_point] = [self.inputs, self.group()].map(|channels| (channels * tiles + 1) * lanes);
        let [weights, bias] = [POINTS * self.outputs * self.inputs, self.outputs * lanes];
        Plan { tiles, weights, bias, input: POINTS * x_point, sums: POINTS * y_point, x_point, y_point }
    }

    fn tiles(&self, batch: usize) -> usize {
        batch / self.isa.lanes() * self.grid().tiles.iter().product::<usize>()
    }

    /// Transforms all weights: `[point][output][input]`.
    fn transform_weights(&self, call: &Call<'_>, to: &Shared<'_>) {
        // SAFETY: nobody writes parameters while this kernel runs.
        let weight = unsafe { self.weight.get() };
        let code = transform(self.isa);
        let threads = call.threads.for_work(POINTS * self.outputs * self.inputs);
        threads.run(self.outputs, |output, _| {
            let part = Weights {
                from: &weight[output * self.w_output..],
                w_input: self.w_input,
                inputs: self.inputs,
                is_turned: self.is_turned,
                // Each task writes the rows of its output.
                to: to.as_ptr().wrapping_add(output * self.inputs),
                point: self.outputs * self.inputs,
            };
            // SAFETY: the weights of the output exist, and its rows at all points; the instruction set was checked.
            unsafe { code(&part) };
        });
    }
}

struct Plan {
    tiles: usize,
    weights: usize,
    bias: usize,
    input: usize,
    sums: usize,
    x_point: usize,
    y_point: usize,
}

impl Kernel for Winograd {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        let Plan { weights, bias, input, sums, .. } = self.plan(self.tiles(batch));
        sums.saturating_mul(threads).saturating_add(weights + bias + input)
    }

    fn run(&self, call: Call<'_>) {
        let (lanes, grid, all) = (self.isa.lanes(), self.grid(), self.tiles(call.batch));
        let plan = self.plan(all);
        let scratch = Shared::new(&mut *call.scratch);
        // SAFETY: the parts do not overlap.
        let (weights, bias, input, sums) = unsafe {
            let mut first = 0;
            let mut part = |elements: usize| {
                first += elements;
                Shared::new(scratch.part(first - elements..first))
            };
            (part(plan.weights), part(plan.bias), part(plan.input), part(plan.sums * call.threads.count()))
        };
        let call = Call { scratch: &mut [], ..call };
        self.transform_weights(&call, &weights);
        // SAFETY: nobody else writes or reads it yet; nobody writes parameters while this kernel runs.
        unsafe {
            let vectors = bias.part(0..plan.bias);
            vectors.fill(0.0);
            if let Some(values) = &self.bias {
                vectors.chunks_exact_mut(lanes).zip(values.get()).for_each(|(vector, &value)| vector.fill(value));
            }
        }
        // SAFETY: from here on both are only read.
        let (weights, bias) = unsafe { (weights.part(0..plan.weights), bias.part(0..plan.bias)) };
        let output = Shared::new(call.output);
        let [low, high] = self.epilogue.limits();
        let most = tile_sizes(self.isa, plan.tiles, self.group());
        let code: [[TileFn; MOST]; MOST] =
            std::array::from_fn(|p| std::array::from_fn(|o| tile_of(self.isa, p + 1, o + 1)));
        for tiles in chunks(all, plan.tiles) {
            let work = tiles.len() * POINTS * self.inputs;
            call.threads.for_work(16 * work).run(self.inputs, |channel, _| {
                let at = channel * tiles.len() * lanes;
                let transform = InputTiles {
                    grid: &grid,
                    input: call.input.as_ptr(),
                    block: channel,
                    tiles: tiles.clone(),
                    // Each channel has its own vectors at every point.
                    to: input.as_ptr().wrapping_add(at),
                    point_stride: plan.x_point,
                };
                // SAFETY: the input holds the tiles' blocks of examples; the instruction set was checked.
                unsafe { (self.transforms.input)(&transform) };
            });
            let groups = self.outputs.div_ceil(self.group());
            call.threads.for_work(work * self.outputs).run(groups, |group, worker| {
                let channels = group * self.group()..self.outputs.min((group + 1) * self.group());
                // Each worker has sums of its own; the transformed input is only read.
                let (sums, from) = (sums.as_ptr().wrapping_add(worker * plan.sums), input.as_ptr());
                for point in 0..POINTS {
                    for o in cut(channels.len(), most[1]) {
                        for p in cut(tiles.len(), most[0]) {
                            let row = (point * self.outputs + channels.start + o.start) * self.inputs;
                            let tile = Tile {
                                channels: self.inputs,
                                x: from.wrapping_add(point * plan.x_point + p.start * lanes),
                                x_channel: tiles.len() * lanes,
                                x_place: lanes,
                                taps: &[0, 0],
                                tap_count: 1,
                                w: weights[row..].as_ptr(),
                                w_channel: 1,
                                w_output: self.inputs,
                                bias: std::ptr::null(),
                                y: sums.wrapping_add(point * plan.y_point + (o.start * tiles.len() + p.start) * lanes),
                                y_output: tiles.len() * lanes,
                                y_place: lanes,
                            };
                            // SAFETY: the tiles and channels exist; the instruction set was checked.
                            unsafe { code[p.len() - 1][o.len() - 1](&tile) };
                        }
                    }
                }
                let transform = OutputTiles {
                    grid: &grid,
                    tiles: tiles.clone(),
                    blocks: channels.clone(),
                    from: sums,
                    point_stride: plan.y_point,
                    block_stride: tiles.len() * lanes,
                    bias: bias.as_ptr(),
                    residual: std::ptr::null(),
                    // Each task writes its channels' maps.
                    output: output.as_ptr(),
                    low,
                    high,
                };
                // SAFETY: the output holds the tiles' blocks of examples; the instruction set was checked.
                unsafe { (self.transforms.output)(&transform) };
            });
        }
        if let Some(chain) = self.epilogue.beyond_limits() {
            let elements = call.batch * self.outputs * self.output.iter().product::<usize>();
            let (row, rows) = (self.output[1] * lanes, elements / (self.output[1] * lanes).max(1));
            split(call.threads, rows, 4 * row, |rows| {
                // SAFETY: no other task has these rows.
                chain.apply(unsafe { output.part(rows.start * row..rows.end * row) });
            });
        }
    }
}

impl fmt::Debug for Winograd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.epilogue.name(self.name, f)
    }
}

/// The weights of one output channel.
struct Weights<'a> {
    from: &'a [f32],
    w_input: usize,
    inputs: usize,
    is_turned: bool,
    /// Where those of the first point go, and from one point to the next.
    to: *mut f32,
    point: usize,
}

per_isa!(fn transform(weights: &Weights<'_>) = transform_body);

/// # Safety
/// The CPU has the vector's instruction set; there is room for all inputs at every point.
#[inline(always)]
unsafe fn transform_body<S: Simd>(weights: &Weights<'_>) {
    let mut first = 0;
    while first < weights.inputs {
        let count = S::LANES.min(weights.inputs - first);
        let mut taps = [0.0f32; 9 * MAX_LANES];
        for lane in 0..count {
            let kernel = &weights.from[(first + lane) * weights.w_input..][..9];
            for tap in 0..9 {
                taps[tap * S::LANES + lane] = kernel[if weights.is_turned { 8 - tap } else { tap }];
            }
        }
        // SAFETY: the caller keeps the conditions.
        unsafe {
            let mut columns = [[S::splat(0.0); 3]; A];
            let mut x = 0;
            while x < 3 {
                let tap = |y: usize| S::load(taps.as_ptr().add((3 * y + x) * S::LANES));
                let column = evaluate::<S>(tap(0), tap(1), tap(2));
                let mut y = 0;
                while y < A {
                    columns[y][x] = column[y];
                    y += 1;
                }
                x += 1;
            }
            let mut y = 0;
            while y < A {
                let row = evaluate::<S>(columns[y][0], columns[y][1], columns[y][2]);
                let mut x = 0;
                while x < A {
                    let to = weights.to.add((y * A + x) * weights.point + first);
                    if count == S::LANES {
                        row[x].store(to)
                    } else {
                        row[x].store_first(to, count)
                    }
                    x += 1;
                }
                y += 1;
            }
        }
        first += S::LANES;
    }
}

/// One axis of the weights' transform: at 0, at ±p of each pair of points, and at infinity.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn evaluate<S: Simd>(a: S, b: S, c: S) -> [S; A] {
    let table = &<F4 as Points<2>>::TABLE;
    // SAFETY: the caller keeps the condition.
    unsafe {
        let mut out = [a.mul(S::splat((1.0 / table.all[0]) as f32)); A];
        let mut k = 0;
        while k < 2 {
            let (point, scale) = (table.points[k], 1.0 / table.divisor(k));
            let even = c.mul_add(S::splat((point * point * scale) as f32), a.mul(S::splat(scale as f32)));
            let odd = b.mul(S::splat((point * scale) as f32));
            (out[1 + 2 * k], out[2 + 2 * k]) = (even.add(odd), even.sub(odd));
            k += 1;
        }
        out[A - 1] = c;
        out
    }
}
