//! How a convolution is cut into tasks and tiles, and its weights packed for them.

use super::copy::CopyLayout;
use super::interleave::{Rows, Spread, spread_of};
use super::tile::{STRIDES, Tiles};
use crate::engine::Isa;
use crate::engine::fold::Unpacked;
use crate::engine::kernels::gemm::cut;
use cnn_ir::ops::{Conv2dSpec, PadMode};

/// The most floats that the weights of a tile's blocks take, unless one block has more: what fits 1 MiB with some input.
const WEIGHT: usize = 176 << 10;
/// Floats of weights that stay in the nearest cache: half of 32 KiB.
const NEAR: usize = 4 << 10;
/// Floats for the input of a task, more or less: 512 KiB.
const INPUT: usize = 128 << 10;

/// The geometry of one layer.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub tiles: &'static Tiles,
    /// Floats of a pixel of the input: a block of channels, or 1 where it is plain.
    pub element: usize,
    /// `None` for a pointwise convolution (1×1, stride 1, no padding), which reads its input in place.
    pub layout: Option<CopyLayout>,
    /// Height and width; of a pointwise convolution the number of pixels, and 1.
    pub input: [usize; 2],
    pub output: [usize; 2],
    /// The most rows of the output in a task.
    pub rows: usize,
    pub groups: usize,
    /// Of one group: channels of input and output, `element`s of the input, blocks of the output.
    pub channels: [usize; 2],
    pub units: usize,
    pub blocks: usize,
    /// The most blocks of a tile.
    pub tile_blocks: usize,
    /// Floats from a pixel of the output to the next, in the input.
    pub pixel: usize,
    /// Rows and columns of the kernel; and how many columns, which follow each other, are taken as channels.
    pub taps: [usize; 2],
    adjacent: usize,
}

impl Plan {
    /// The plan for these maps, `[channels, height, width]`; `None` when the kernel cannot take them.
    pub fn new(spec: &Conv2dSpec, input: &[usize], output: &[usize], isa: Isa, is_plain: bool) -> Option<Self> {
        let (&[_, in_height, in_width], &[_, out_height, out_width]) = (input, output) else { return None };
        let tiles = Tiles::of(isa);
        let channels = [spec.in_channels, spec.out_channels].map(|channels| channels / spec.groups);
        // A group's channels must fill its blocks.
        if spec.groups > 1 && (is_plain || channels.iter().any(|channels| !channels.is_multiple_of(tiles.lanes))) {
            return None;
        }
        if spec.padding_mode != PadMode::Zeros || (is_plain && !STRIDES.contains(&spec.stride[1])) {
            return None;
        }
        let element = if is_plain { 1 } else { tiles.lanes };
        let mut plan = Self {
            tiles,
            element,
            layout: None,
            input: [in_height, in_width],
            output: [out_height, out_width],
            rows: 1,
            groups: spec.groups,
            channels,
            units: channels[0].div_ceil(element),
            blocks: channels[1].div_ceil(tiles.lanes),
            tile_blocks: 1,
            pixel: if is_plain { spec.stride[1] } else { element },
            taps: spec.kernel_size,
            adjacent: if is_plain && spec.dilation[1] == 1 { spec.kernel_size[1] } else { 1 },
        };
        plan.depth().checked_mul(tiles.lanes * tiles.max_blocks())?;
        if spec.kernel_size == [1, 1] && spec.stride == [1, 1] && spec.padding == [0; 4] {
            let pixels = in_height * in_width;
            (plan.input, plan.output) = ([pixels, 1], [pixels, 1]);
            u32::try_from(plan.input_floats()).ok()?;
            (plan.tile_blocks, _) = plan.best_blocks(pixels);
            plan.rows = (INPUT / (plan.units * element).max(1)).clamp(1, pixels.max(1));
            return Some(plan);
        }
        let (apart, joined) = (plan.best_blocks(out_width), plan.best_blocks(out_height * out_width));
        let layout = |plan: &Self, joined| {
            // A joined copy holds every pixel several times.
            let budget = if joined { INPUT / 2 } else { INPUT };
            CopyLayout::new(spec, plan.output, plan.units, element, joined, budget)
        };
        // Joined rows copy more, so they must spare a twentieth.
        if !is_plain && joined.1 < 0.95 * apart.1 * out_height as f64 {
            plan.tile_blocks = joined.0;
            plan.layout = layout(&plan, true);
        }
        if plan.layout.is_none() {
            plan.tile_blocks = apart.0;
            plan.layout = Some(layout(&plan, false)?);
        }
        plan.rows = plan.layout.as_ref()?.block;
        Some(plan)
    }

    /// The plan of a pointwise convolution that reads a copy of its input; `None` for any other.
    pub fn copied(mut self, spec: &Conv2dSpec) -> Option<Self> {
        if self.layout.is_some() || self.groups > 1 {
            return None;
        }
        let layout = CopyLayout::new(spec, self.output, self.units, self.element, false, INPUT)?;
        (self.rows, self.layout) = (layout.block, Some(layout));
        Some(self)
    }

    /// The most blocks of a tile for a line of so many pixels, and the cost of the line.
    fn best_blocks(&self, line: usize) -> (usize, f64) {
        let fits = |&blocks: &usize| blocks == 1 || self.weight_floats(blocks) <= WEIGHT;
        let costs = (1..=self.tiles.max_blocks()).filter(fits).map(|b| (b, self.tiles.cost(line, self.blocks, b)));
        costs.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((1, f64::INFINITY))
    }

    /// Into how many parts the rows of a map and the tiles' blocks are cut, so that so many threads end together.
    pub fn parts(&self, maps: usize, threads: usize) -> [usize; 2] {
        let (height, tiles) = (self.output[0], self.blocks.div_ceil(self.tile_blocks));
        let least = height.div_ceil(self.rows);
        let mut best = ([least, 1], usize::MAX);
        if threads == 1 {
            return best.0;
        }
        for row_parts in least..=height.min(least + threads) {
            for tile_parts in 1..=tiles.min(threads) {
                let rounds = (maps * row_parts * tile_parts).div_ceil(threads);
                // The copy of a row takes about a sixteenth of what one tile's blocks take.
                let task = height.div_ceil(row_parts) * (16 * tiles.div_ceil(tile_parts) + 1);
                if rounds.saturating_mul(task) < best.1 {
                    best = ([row_parts, tile_parts], rounds.saturating_mul(task));
                }
            }
        }
        best.0
    }

    /// Floats of one group's input and output, in one example.
    pub fn input_floats(&self) -> usize {
        self.units * self.element * self.input[0] * self.input[1]
    }

    pub fn output_floats(&self) -> usize {
        self.blocks * self.plane()
    }

    /// Floats of one block of the output.
    pub fn plane(&self) -> usize {
        self.tiles.lanes * self.output[0] * self.output[1]
    }

    /// Floats of the weights of so many blocks.
    pub fn weight_floats(&self, blocks: usize) -> usize {
        self.depth() * blocks * self.tiles.lanes
    }

    /// Whether the weights do not stay in the nearest cache.
    pub fn is_large(&self) -> bool {
        self.groups * self.blocks * self.weight_floats(1) > NEAR
    }

    /// Steps of a sum.
    pub fn depth(&self) -> usize {
        self.channels[0] * self.taps[0] * self.taps[1]
    }

    /// Whether the pixels of all rows of a task follow each other.
    pub fn is_one_line(&self) -> bool {
        self.layout.as_ref().is_none_or(|layout| layout.row_floats() == self.output[1] * self.pixel)
    }

    /// Taps of whole units and their channels, then those of the last unit when it is partial.
    pub fn sums(&self) -> [usize; 4] {
        let (taps, partial) = (self.taps[0] * self.taps[1], self.channels[0] % self.element);
        match self.element {
            1 => [self.units * taps / self.adjacent, self.adjacent, 0, 0],
            _ => [self.channels[0] / self.element * taps, self.element, if partial > 0 { taps } else { 0 }, partial],
        }
    }

    /// Where each tap of each unit lies for the first pixel of a task.
    pub fn offsets(&self) -> Vec<u32> {
        let mut offsets = Vec::with_capacity(self.units * self.taps[0] * self.taps[1]);
        for unit in 0..self.units {
            for row in 0..self.taps[0] {
                for column in (0..self.taps[1]).step_by(self.adjacent) {
                    let offset = match &self.layout {
                        Some(layout) => layout.offset(unit, [row, column]),
                        None => unit * self.input[0] * self.element,
                    };
                    // The plan made sure of it.
                    offsets.push(offset as u32);
                }
            }
        }
        offsets
    }

    /// What tells packings of a weight apart.
    pub fn packing(&self) -> String {
        let Self { element, groups, tile_blocks, tiles, .. } = self;
        format!("{groups} groups in tiles of {tile_blocks} blocks of {}, {element} channels at a time", tiles.lanes)
    }

    /// A weight `[output channel][input channel][tap]` as tiles take it: `[blocks of a tile][unit][tap][channel][block][lane]`.
    pub fn pack(&self, weight: &Unpacked<'_>, isa: Isa, packed: &mut [f32]) {
        let ([_, outputs], depth, lanes) = (self.channels, self.depth(), self.tiles.lanes);
        let places = self.places();
        let tiles =
            (0..self.groups).flat_map(|group| cut(self.blocks, self.tile_blocks).map(move |tile| (group, tile)));
        let mut rest = packed;
        for (group, tile) in tiles {
            let (to, behind) = rest.split_at_mut(self.weight_floats(tile.len()));
            rest = behind;
            for block in tile.clone() {
                let first = group * outputs + block * lanes;
                let rows = Rows {
                    elements: &weight.elements[first * depth..],
                    pitch: depth,
                    count: lanes.min(outputs - block * lanes),
                    factors: weight.factors.get(first..).unwrap_or(&[]),
                };
                let to = &mut to[(block - tile.start) * lanes..];
                // SAFETY: the instruction set was checked before any kernel was made for it.
                unsafe { spread_of(isa)(&Spread { rows, places: &places, pitch: tile.len() * lanes }, to) };
            }
        }
    }

    /// Where the elements of a row of the weight lie among the vectors of a block: `[unit][tap][channel]`.
    fn places(&self) -> Vec<usize> {
        let taps = self.taps[0] * self.taps[1];
        let place = |element: usize| {
            let (channel, tap) = (element / taps, element % taps);
            let unit = channel / self.element * self.element;
            unit * taps + tap * self.element.min(self.channels[0] - unit) + channel - unit
        };
        (0..self.depth()).map(place).collect()
    }
}
