//! Winograd convolution on blocked maps: 3×3, stride 1, with 2.25 (m = 2), 4 or 5.06 times fewer products.
//!
//! The input is cut into overlapping patches of (m + 2)² pixels. For each of the (m + 2)² points a patch is one number
//! per channel, and a convolution is a product of matrices, [tiles × in channels]·[in channels × out channels], which
//! register tiles compute. The order of every sum is that of the channels, so results do not depend on how the work is
//! cut.
//!
//! What is transformed together stays in the second-level cache. Where there are enough tiles, each task takes a block
//! of them through all steps; where there are few, all threads transform all tiles and then share the output channels.

use super::tile::{Tile, Tiles};
use super::winograd_transform::{Grid, InputTiles, OutputTiles, Transforms, WeightGroup};
use crate::buffer::{Buffer, LINE};
use crate::engine::fold::Unpacked;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::gemm::{cut, round_up};
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::threads::{Shared, Threads};
use crate::{Error, Weights};
use cnn_ir::ops::{Conv2dSpec, PadMode};
use std::ops::Range;
use std::sync::Arc;

/// Transformed input of one task: half of the second-level cache.
const BLOCK_ELEMENTS: usize = 1 << 17;

/// Sums of products of one task and one group of output blocks: a quarter of that cache.
const SUM_ELEMENTS: usize = 1 << 16;

/// Weights are read once per block of tiles: with fewer tiles than this, two large products, memory would limit.
const LEAST_TILES: usize = 28;

/// A convolution of one layer by F(m×m, 3×3).
pub(crate) struct Winograd {
    m: usize,
    tiles: &'static Tiles,
    transforms: Transforms,
    grid: Grid,
    in_channels: usize,
    /// Blocks of output channels that register tiles compute together.
    groups: Vec<Range<usize>>,
    /// `[group][point][in channel][block of the group][LANES]`.
    weight: Arc<Buffer>,
    /// `[block][LANES]`.
    bias: Arc<Buffer>,
    /// For P = 1, 2, …: where the blocks of input channels lie in the transformed input of P tiles.
    offsets: Vec<u32>,
    residual: bool,
    epilogue: Epilogue,
}

/// Whether F(tile×tile, 3×3) can compute this layer.
pub(crate) fn applies(spec: &Conv2dSpec, layer: &Layer<'_>, tile: usize) -> bool {
    let is_3x3 = spec.kernel_size == [3, 3] && spec.stride == [1, 1] && spec.dilation == [1, 1];
    let is_plain = spec.groups == 1 && spec.padding_mode == PadMode::Zeros;
    is_3x3 && is_plain && layer.input.len() == 3 && Transforms::of(tile, layer.isa).is_some()
}

impl Winograd {
    pub fn new(spec: &Conv2dSpec, layer: &Layer<'_>, weights: &Weights, m: usize) -> Result<Self, Error> {
        let (&[_, in_height, in_width], &[out_channels, out_height, out_width]) = (layer.input, layer.output) else {
            return Err(layer.error("a convolution takes maps"));
        };
        let Some(transforms) = Transforms::of(m, layer.isa) else {
            return Err(layer.error("there is no Winograd convolution of this size"));
        };
        let (tiles, in_channels) = (Tiles::of(layer.isa), spec.in_channels);
        let lanes = tiles.lanes;
        let grid = Grid {
            in_blocks: in_channels.div_ceil(lanes),
            out_blocks: out_channels.div_ceil(lanes),
            input: [in_height, in_width],
            output: [out_height, out_width],
            padding: [spec.padding[0], spec.padding[2]],
            tiles: [out_height.div_ceil(m), out_width.div_ceil(m)],
        };
        let groups: Vec<_> = cut(grid.out_blocks, group_blocks(tiles)).collect();
        let points = (m + 2) * (m + 2);
        let block = points * in_channels * lanes;
        let pack = |weight: &Unpacked<'_>, packed: &mut Buffer| {
            for blocks in &groups {
                let to = &mut packed.as_mut_slice()[blocks.start * block..blocks.end * block];
                // SAFETY: the instruction set was checked before any kernel was made for it.
                unsafe {
                    (transforms.weight)(&WeightGroup { weight, in_channels, out_channels, blocks: blocks.clone() }, to)
                };
            }
            Ok(())
        };
        let packing = format!("winograd{m} in groups of {} vectors of {lanes}", group_blocks(tiles));
        let weight = layer.packed_weight(weights, &packing, block.saturating_mul(grid.out_blocks), pack)?;
        let most_pixels = (1..=tiles.max_blocks()).map(|blocks| tiles.max_pixels(blocks)).max().unwrap_or(1);
        Ok(Self {
            m,
            tiles,
            transforms,
            grid,
            in_channels,
            groups,
            weight,
            bias: layer.blocked_bias(weights)?,
            // Far below 2³²: the transformed input of a few tiles.
            offsets: (1..=most_pixels)
                .flat_map(|pixels| (0..grid.in_blocks).map(move |block| (block * pixels * lanes) as u32))
                .collect(),
            residual: layer.residual,
            epilogue: layer.epilogue(),
        })
    }

    fn points(&self) -> usize {
        (self.m + 2) * (self.m + 2)
    }

    /// How the work is cut for a batch.
    fn plan(&self, batch: usize, threads: usize) -> Plan {
        let [rows, columns] = self.grid.tiles;
        let tiles = batch.saturating_mul(rows * columns);
        let group = self.groups.first().map_or(1, Range::len);
        let lanes = self.tiles.lanes;
        let most = (BLOCK_ELEMENTS / (self.points() * self.grid.in_blocks * lanes)).max(LEAST_TILES);
        let most_sums = (SUM_ELEMENTS / (self.points() * group * lanes)).max(LEAST_TILES);
        let mut tasks = tiles.div_ceil(most.min(most_sums));
        let together = tasks < threads;
        tasks = if together { 1 } else { tasks.next_multiple_of(threads) };
        let block = tiles.div_ceil(tasks.max(1)).max(1);
        let most_pixels = self.tiles.max_pixels(group);
        let pixels = block.div_ceil(block.div_ceil(most_pixels));
        let parts = block.div_ceil(pixels);
        let slices = match together {
            false => 1,
            true if self.groups.len().is_multiple_of(threads) || self.groups.len() >= 4 * threads => 1,
            true => threads.min(parts),
        };
        let slices = slices.max(block.div_ceil(most_sums)).min(parts);
        let slice = if together { parts.div_ceil(slices) } else { parts };
        let input_stride = parts * self.grid.in_blocks * pixels * lanes + lanes;
        let sum_stride = group * slice * pixels * lanes + lanes;
        Plan { tiles, block, together, pixels, slice, input_stride, sum_stride }
    }
}

/// How the tiles of all examples are cut.
#[derive(Debug, Clone, Copy)]
struct Plan {
    tiles: usize,
    /// Tiles that are transformed before products are computed: those of a task, or all.
    block: usize,
    /// Whether all threads share one block.
    together: bool,
    /// Tiles of one product, a part of a block; the last part of a block may have fewer.
    pixels: usize,
    /// Parts whose sums are computed before they are transformed back.
    slice: usize,
    /// Elements from one point to the next, in the transformed input and in the sums. A vector more than their size:
    /// powers of two would put all points into the same set of the cache.
    input_stride: usize,
    sum_stride: usize,
}

/// The operands of one run.
struct Run<'a> {
    plan: Plan,
    input: &'a [f32],
    residual: Option<&'a [f32]>,
    output: Shared<'a>,
}

impl Winograd {
    /// Elements of scratch memory that [`Self::convolve`] needs.
    pub fn scratch_elements(&self, batch: usize, threads: usize) -> usize {
        let [input, sums] = self.scratch_parts(&self.plan(batch, threads));
        let inputs = if self.plan(batch, threads).together { 1 } else { threads };
        input.saturating_mul(inputs).saturating_add(sums.saturating_mul(threads))
    }

    /// Elements of the transformed input of a block, and of the sums of a slice.
    fn scratch_parts(&self, plan: &Plan) -> [usize; 2] {
        [plan.input_stride, plan.sum_stride].map(|stride| round_up(stride.saturating_mul(self.points())))
    }

    /// The convolution of a batch.
    #[allow(clippy::too_many_arguments)]
    pub fn convolve(
        &self,
        batch: usize,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
        scratch: &mut [f32],
        threads: &Threads,
    ) {
        if batch == 0 {
            return;
        }
        debug_assert!(scratch.len() >= self.scratch_elements(batch, threads.count()), "scratch for {batch}");
        let plan = self.plan(batch, threads.count());
        let [input_elements, sum_elements] = self.scratch_parts(&plan);
        let elements = output.len();
        let (output, scratch) = (Shared::new(output), Shared::new(scratch));
        let run = Run { plan, input, residual, output };
        let parts = plan.block.div_ceil(plan.pixels);
        if plan.together {
            let sums = |worker: usize| scratch.as_ptr().wrapping_add(input_elements + worker * sum_elements);
            threads.run(parts * self.grid.in_blocks, |task, _| {
                let (part, block) = (task / self.grid.in_blocks, task % self.grid.in_blocks);
                self.transform_input(&run, 0..plan.tiles, part, block, scratch.as_ptr());
            });
            let slices = parts.div_ceil(plan.slice);
            threads.run(self.groups.len() * slices, |task, worker| {
                let (group, slice) = (task / slices, task % slices);
                let slice = slice * plan.slice..parts.min((slice + 1) * plan.slice);
                self.compute_group(&run, 0..plan.tiles, slice, group, scratch.as_ptr(), sums(worker));
            });
        } else {
            threads.run(plan.tiles.div_ceil(plan.block), |task, worker| {
                let tiles = task * plan.block..plan.tiles.min((task + 1) * plan.block);
                let transformed = scratch.as_ptr().wrapping_add(worker * (input_elements + sum_elements));
                let parts = tiles.len().div_ceil(plan.pixels);
                for part in 0..parts {
                    for block in 0..self.grid.in_blocks {
                        self.transform_input(&run, tiles.clone(), part, block, transformed);
                    }
                }
                let sums = transformed.wrapping_add(input_elements);
                for group in 0..self.groups.len() {
                    self.compute_group(&run, tiles.clone(), 0..parts, group, transformed, sums);
                }
            });
        }
        if let Some(functions) = self.epilogue.beyond_limits() {
            const CHUNK: usize = 1 << 14;
            threads.run(elements.div_ceil(CHUNK), |task, _| {
                // SAFETY: the tasks' chunks do not overlap, and nothing else uses the output now.
                functions.apply(unsafe { run.output.part(task * CHUNK..elements.min((task + 1) * CHUNK)) });
            });
        }
    }

    /// Transforms one part of a block of tiles, in one block of channels.
    fn transform_input(&self, run: &Run<'_>, tiles: Range<usize>, part: usize, block: usize, to: *mut f32) {
        let pixels = run.plan.pixels;
        let start = tiles.start + part * pixels;
        let transform = InputTiles {
            grid: &self.grid,
            input: run.input.as_ptr(),
            block,
            tiles: start..tiles.end.min(start + pixels),
            to: to.wrapping_add((part * self.grid.in_blocks + block) * pixels * self.tiles.lanes),
            point_stride: run.plan.input_stride,
        };
        // SAFETY: the instruction set was checked. The input holds the examples of all tiles; the scratch memory has
        // room for all points of the block's parts, of which this is one.
        unsafe { (self.transforms.input)(&transform) };
    }

    /// Computes one group of output blocks for some parts of a block of tiles.
    fn compute_group(
        &self,
        run: &Run<'_>,
        tiles: Range<usize>,
        parts: Range<usize>,
        group: usize,
        transformed: *mut f32,
        sums: *mut f32,
    ) {
        self.products(run, tiles.clone(), parts.clone(), group, transformed, sums);
        self.transform_output(run, tiles, parts, group, sums);
    }

    fn products(
        &self,
        run: &Run<'_>,
        tiles: Range<usize>,
        parts: Range<usize>,
        group: usize,
        transformed: *mut f32,
        sums: *mut f32,
    ) {
        let Plan { pixels, slice, input_stride, sum_stride, .. } = run.plan;
        let lanes = self.tiles.lanes;
        let blocks = &self.groups[group];
        let rest_channels = self.in_channels % lanes;
        let point_weights = self.in_channels * blocks.len() * lanes;
        let weight = &self.weight.as_slice()[blocks.start * self.points() * self.in_channels * lanes..];
        let line = self.in_channels * LINE;
        let part_elements = self.grid.in_blocks * pixels * lanes;
        let tiles = tiles.start + parts.start * pixels..tiles.end.min(tiles.start + parts.end * pixels);
        let block_stride = slice * pixels * lanes;
        for point in 0..self.points() {
            for part in parts.clone() {
                let first = (part - parts.start) * pixels;
                let tile = Tile {
                    input: transformed.wrapping_add(point * input_stride + part * part_elements),
                    offsets: self.offsets[(pixels - 1) * self.grid.in_blocks..].as_ptr(),
                    taps: self.in_channels / lanes,
                    channels: lanes,
                    rest_taps: usize::from(rest_channels > 0),
                    rest_channels,
                    weight: weight[point * point_weights..].as_ptr(),
                    ahead: weight.as_ptr().wrapping_add((point + 1) * point_weights + part % blocks.len() * line),
                    bias: std::ptr::null(),
                    residual: std::ptr::null(),
                    output: sums.wrapping_add(point * sum_stride + first * lanes),
                    block_stride,
                    low: f32::NEG_INFINITY,
                    high: f32::INFINITY,
                };
                let code = self.tiles.code(pixels.min(tiles.len() - first), blocks.len());
                // SAFETY: the instruction set was checked. The transformed input and the weights hold all channels of
                // this point; the sums have room for all points of the slice.
                unsafe { code(&tile) };
            }
        }
    }

    fn transform_output(&self, run: &Run<'_>, tiles: Range<usize>, parts: Range<usize>, group: usize, sums: *mut f32) {
        let Plan { pixels, slice, sum_stride, .. } = run.plan;
        let [low, high] = self.epilogue.limits();
        let transform = OutputTiles {
            grid: &self.grid,
            tiles: tiles.start + parts.start * pixels..tiles.end.min(tiles.start + parts.end * pixels),
            blocks: self.groups[group].clone(),
            from: sums,
            point_stride: sum_stride,
            block_stride: slice * pixels * self.tiles.lanes,
            bias: self.bias.as_slice().as_ptr(),
            residual: run.residual.map_or(std::ptr::null(), <[f32]>::as_ptr),
            output: run.output.as_ptr(),
            low,
            high,
        };
        // SAFETY: the instruction set was checked. The sums of these tiles and blocks were just computed; the output
        // and the residual hold their examples, and no other task writes the same pixels of these blocks.
        unsafe { (self.transforms.output)(&transform) };
    }
}

impl Kernel for Winograd {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        self.scratch_elements(batch, threads)
    }

    fn run(&self, call: Call<'_>) {
        let residual = self.residual.then(|| call.others.get(0));
        let threads = call.threads.for_work(call.output.len() * self.in_channels * 9);
        self.convolve(call.batch, call.input, residual, call.output, call.scratch, threads);
    }
}

impl std::fmt::Debug for Winograd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name(&format!("conv2d_winograd{}", self.m), f)
    }
}

/// How many blocks of output channels register tiles compute together.
fn group_blocks(tiles: &Tiles) -> usize {
    let sums = |blocks: &usize| blocks * tiles.max_pixels(*blocks);
    (1..=tiles.max_blocks()).max_by_key(sums).unwrap_or(1)
}
