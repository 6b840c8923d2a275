//! Convolutions of 3×3 and 5×5 taps, and their inputs' gradients, by about a third of the multiplications: Winograd's minimal
//! filtering (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015) with patches of 6×6 inputs.
//!
//! A block of examples lies as a block of channels does in the inference engine's blocked maps, so its transforms do for both.
//! All threads transform some tiles of the input, and then share the output channels.

use super::super::state::Slot;
use super::taps::Geometry;
use super::tile::{MOST, Tile, TileFn, cut, tile_of, tile_sizes};
use super::winograd_transforms::{Weights, transform_3, transform_5};
use super::{Memory, chunks};
use crate::Error;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::blocked::winograd_transform::{Grid, InputTiles, MapTransforms, OutputTiles, PATCH};
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::threads::Shared;
use crate::engine::{Isa, Threads};
use std::fmt;
use std::ops::Range;

/// The points at which a patch is multiplied.
pub(super) const POINTS: usize = PATCH * PATCH;

/// Tiles that are transformed at once, by all threads and by one.
const TILES: usize = 16;
const FEW_TILES: usize = 8;

/// Elements of the transforms that a thread has for itself, at most: half a second-level cache.
const OWN: usize = 1 << 17;

/// Fewer channels are not worth the transforms, …
const MIN_CHANNELS: usize = 6;

/// … which cost about as much for a patch of a channel as so many multiplications at each of its points.
const TRANSFORM: usize = 4;

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
    /// Taps of the kernel along an axis.
    taps: usize,
    is_turned: bool,
    transforms: MapTransforms,
    isa: Isa,
    epilogue: Epilogue,
}

/// Outputs of a tile along an axis, for kernels of so many taps.
pub(super) fn tile_outputs(taps: usize) -> usize {
    PATCH + 1 - taps
}

/// Taps along an axis of a convolution that the algorithm can do, and faster where tiles cover this output.
pub(super) fn taps_of(geometry: &Geometry, output: [usize; 2]) -> Option<usize> {
    let Geometry { groups, channels, sizes, places_channels, kernel, stride, dilation, padding, .. } = *geometry;
    let taps = [3, 5].into_iter().find(|&taps| kernel == [1, taps, taps])?;
    let is_plain = stride == [1; 3] && dilation[1..] == [1; 2] && groups == 1;
    let is_map = sizes[0] == 1 && padding[0] == 0 && padding[1].max(padding[2]) < taps;
    let tiles: usize = output.iter().map(|size| size.div_ceil(tile_outputs(taps))).product();
    let products = channels * places_channels;
    let cost = POINTS * tiles * (products + TRANSFORM * (channels + places_channels));
    let is_less = 5 * cost <= 4 * geometry.pairs() * products;
    (is_plain && is_map && is_less && channels.min(places_channels) >= MIN_CHANNELS).then_some(taps)
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
        let Some(taps) = taps_of(geometry, output).filter(|_| !memory.exact) else { return Ok(None) };
        let Some(transforms) = MapTransforms::of(taps, layer.isa) else { return Ok(None) };
        let weight = memory.value(layer, "weight")?;
        if weight.len() != channels * places_channels * taps * taps {
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
                w_output: channels * taps * taps,
                w_input: taps * taps,
                taps,
                is_turned: false,
                transforms,
                isa,
                epilogue: layer.epilogue(),
            },
            false => Self {
                name: "conv_winograd input gradient",
                input,
                output,
                padding: [taps - 1 - padding[1], taps - 1 - padding[2]],
                inputs: places_channels,
                outputs: channels,
                weight,
                bias: None,
                w_output: taps * taps,
                w_input: channels * taps * taps,
                taps,
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
            tiles: self.output.map(|size| size.div_ceil(tile_outputs(self.taps))),
        }
    }

    /// Output channels of a task.
    fn group(&self) -> usize {
        if self.outputs < 128 { 12 } else { 24 }
    }

    fn plan(&self, tiles: usize, threads: usize) -> Plan {
        let lanes = self.isa.lanes();
        let channels = self.inputs + self.group().min(self.outputs);
        let is_own = FEW_TILES * channels * POINTS * lanes <= OWN;
        let tiles = tiles.min(if is_own { FEW_TILES } else { TILES });
        let [x_point, y_point] = [self.inputs, self.group()].map(|channels| (channels * tiles + 1) * lanes);
        Plan {
            is_own,
            tiles,
            weights: POINTS * self.outputs * self.inputs,
            bias: self.outputs * lanes,
            inputs: if is_own { threads } else { 1 },
            input: POINTS * x_point,
            sums: POINTS * y_point,
            x_point,
            y_point,
        }
    }

    fn tiles(&self, batch: usize) -> usize {
        batch / self.isa.lanes() * self.grid().tiles.iter().product::<usize>()
    }

    /// Transforms all weights: `[point][output][input]`.
    fn transform_weights(&self, call: &Call<'_>, to: &Shared<'_>) {
        // SAFETY: nobody writes parameters while this kernel runs.
        let weight = unsafe { self.weight.get() };
        let code = if self.taps == 3 { transform_3(self.isa) } else { transform_5(self.isa) };
        let threads = call.threads.for_work(POINTS * self.outputs * self.inputs);
        threads.run(self.outputs, |output, _| {
            let part = Weights {
                from: &weight[output * self.w_output..],
                w_input: self.w_input,
                inputs: self.inputs,
                is_turned: self.is_turned,
                is_undivided: false,
                // Each task writes the rows of its output.
                to: to.as_ptr().wrapping_add(output * self.inputs),
                point: self.outputs * self.inputs,
            };
            // SAFETY: the weights of the output exist, and its rows at all points; the instruction set was checked.
            unsafe { code(&part) };
        });
    }
}

/// How the work is cut, and the scratch memory that it needs.
struct Plan {
    /// Whether each task takes tiles from the input to the output, with a transformed input of its own.
    is_own: bool,
    /// Tiles that are transformed at once.
    tiles: usize,
    /// Elements of the transformed weights and the biases.
    weights: usize,
    bias: usize,
    /// How many transformed inputs there are, the elements of one, and of one worker's sums.
    inputs: usize,
    input: usize,
    sums: usize,
    /// From one point to the next in these; not a power of two, so that points do not share their places in the cache.
    x_point: usize,
    y_point: usize,
}

/// What all tasks read and write.
struct Work<'a> {
    plan: &'a Plan,
    grid: &'a Grid,
    most: [usize; 2],
    code: &'a [[TileFn; MOST]; MOST],
    input: &'a [f32],
    weights: &'a [f32],
    bias: &'a [f32],
    /// For each worker its sums.
    sums: &'a Shared<'a>,
    output: &'a Shared<'a>,
}

impl Winograd {
    /// Computes some tiles. `x` has room for their transformed input; `worker` is the caller's number where the threads are
    /// the caller alone.
    fn compute(&self, tiles: Range<usize>, x: &Shared<'_>, worker: Option<usize>, threads: &Threads, work: &Work<'_>) {
        let (plan, lanes, count) = (work.plan, self.isa.lanes(), tiles.len());
        let multiply_adds = count * POINTS * self.inputs;
        threads.for_work(16 * multiply_adds).run(self.inputs, |channel, _| {
            let transform = InputTiles {
                grid: work.grid,
                input: work.input.as_ptr(),
                block: channel,
                tiles: tiles.clone(),
                // Each channel has its own vectors at every point.
                to: x.as_ptr().wrapping_add(channel * count * lanes),
                point_stride: plan.x_point,
            };
            // SAFETY: the input holds the tiles' blocks of examples; the instruction set was checked.
            unsafe { (self.transforms.input)(&transform) };
        });
        let groups = self.outputs.div_ceil(self.group());
        threads.for_work(multiply_adds * self.outputs).run(groups, |group, thread| {
            let channels = group * self.group()..self.outputs.min((group + 1) * self.group());
            // Each worker has sums of its own; the transformed input is only read.
            let sums = work.sums.as_ptr().wrapping_add(worker.unwrap_or(thread) * plan.sums);
            for point in 0..POINTS {
                for o in cut(channels.len(), work.most[1]) {
                    for p in cut(count, work.most[0]) {
                        let row = (point * self.outputs + channels.start + o.start) * self.inputs;
                        let tile = Tile {
                            channels: self.inputs,
                            x: x.as_ptr().wrapping_add(point * plan.x_point + p.start * lanes),
                            x_channel: count * lanes,
                            x_place: lanes,
                            taps: &[0, 0],
                            tap_count: 1,
                            w: work.weights[row..].as_ptr(),
                            w_channel: 1,
                            w_output: self.inputs,
                            bias: std::ptr::null(),
                            y: sums.wrapping_add(point * plan.y_point + (o.start * count + p.start) * lanes),
                            y_output: count * lanes,
                            y_place: lanes,
                        };
                        // SAFETY: the tiles and channels exist; the instruction set was checked.
                        unsafe { work.code[p.len() - 1][o.len() - 1](&tile) };
                    }
                }
            }
            let [low, high] = self.epilogue.limits();
            let transform = OutputTiles {
                grid: work.grid,
                tiles: tiles.clone(),
                blocks: channels,
                from: sums,
                point_stride: plan.y_point,
                block_stride: count * lanes,
                bias: work.bias.as_ptr(),
                residual: std::ptr::null(),
                // Each task writes its tiles of its channels' maps.
                output: work.output.as_ptr(),
                low,
                high,
            };
            // SAFETY: the output holds the tiles' blocks of examples; the instruction set was checked.
            unsafe { (self.transforms.output)(&transform) };
        });
    }
}

impl Kernel for Winograd {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        let Plan { weights, bias, inputs, input, sums, .. } = self.plan(self.tiles(batch), threads);
        sums.saturating_mul(threads).saturating_add(weights + bias).saturating_add(inputs.saturating_mul(input))
    }

    fn run(&self, call: Call<'_>) {
        let (lanes, grid, all) = (self.isa.lanes(), self.grid(), self.tiles(call.batch));
        let plan = self.plan(all, call.threads.count());
        let scratch = Shared::new(&mut *call.scratch);
        // SAFETY: the parts do not overlap.
        let (weights, bias, input, sums) = unsafe {
            let mut first = 0;
            let mut part = |elements: usize| {
                first += elements;
                Shared::new(scratch.part(first - elements..first))
            };
            let [input, sums] = [plan.inputs * plan.input, plan.sums * call.threads.count()];
            (part(plan.weights), part(plan.bias), part(input), part(sums))
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
        let (output, most) = (Shared::new(call.output), tile_sizes(self.isa, plan.tiles, self.group()));
        let code = std::array::from_fn(|p| std::array::from_fn(|o| tile_of(self.isa, p + 1, o + 1)));
        let work = Work {
            plan: &plan,
            grid: &grid,
            most,
            code: &code,
            input: call.input,
            weights,
            bias,
            sums: &sums,
            output: &output,
        };
        if plan.is_own {
            call.threads.run(all.div_ceil(plan.tiles), |number, worker| {
                let tiles = number * plan.tiles..all.min((number + 1) * plan.tiles);
                // SAFETY: each worker has a transformed input of its own.
                let x = Shared::new(unsafe { input.part(worker * plan.input..(worker + 1) * plan.input) });
                self.compute(tiles, &x, Some(worker), Threads::alone(), &work);
            });
        } else {
            for tiles in chunks(all, plan.tiles) {
                self.compute(tiles, &input, None, call.threads, &work);
            }
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
