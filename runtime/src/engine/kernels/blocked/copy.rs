//! The padded copy of a convolution's input rows, in which every tap of the kernel is a shift.
//!
//! An element of the copy is one pixel: a block of channels, or the one channel of a plain map.

use crate::engine::simd::{Simd, per_isa};
use cnn_ir::ops::Conv2dSpec;

/// Beyond this the copy costs more memory than it is worth: 64 MiB. Only huge maps, padding or dilation get there.
const MAX_FLOATS: usize = 1 << 24;

/// How the copy is laid out: `[block of channels][phase][row][column][float]`.
///
/// With stride s, the rows y·s + p of the padded input are kept together as phase p, and columns likewise. A tap then
/// lies at one offset from an output pixel, wherever the pixel is. Columns of a plain map stay as they are: its tiles
/// step over them. Where the rows are `joined`, each column of the kernel is a phase of its own: this copies more, but
/// leaves no columns between the rows, so that pixels of all rows follow each other.
#[derive(Debug, Clone)]
pub(crate) struct CopyLayout {
    /// Floats of an element.
    element: usize,
    /// Blocks of channels, or channels of a plain map.
    units: usize,
    /// Rows and columns of the input from one of the copy's to the next.
    stride: [usize; 2],
    /// Top and left.
    padding: [usize; 2],
    /// Where each phase's first row and column lie in the padded input.
    phase_rows: Vec<usize>,
    phase_columns: Vec<usize>,
    /// Phase and row, phase and column of each of the kernel's rows and columns.
    tap_rows: Vec<[usize; 2]>,
    tap_columns: Vec<[usize; 2]>,
    /// Rows beyond those of the output.
    halo: usize,
    /// Columns.
    pitch: usize,
    /// The most rows of the output that are computed from one copy.
    pub block: usize,
}

impl CopyLayout {
    /// The layout of `units` of `element` floats, for an output of this height and width, in about `budget` floats.
    /// `None` when it would be too large.
    pub fn new(
        spec: &Conv2dSpec,
        output: [usize; 2],
        units: usize,
        element: usize,
        joined: bool,
        budget: usize,
    ) -> Option<Self> {
        let Conv2dSpec { kernel_size, mut stride, padding, dilation, .. } = *spec;
        let mut columns = output[1];
        if element == 1 {
            columns = columns.saturating_sub(1).checked_mul(stride[1])?.checked_add(1)?;
            stride[1] = 1;
        }
        let (phase_rows, tap_rows) = phases(kernel_size[0], stride[0], dilation[0], false);
        let (phase_columns, tap_columns) = phases(kernel_size[1], stride[1], dilation[1], joined);
        let last = |taps: &[[usize; 2]]| taps.iter().map(|tap| tap[1]).max().unwrap_or(0);
        let (halo, pitch) = (last(&tap_rows), columns.checked_add(last(&tap_columns))?);
        let (padding, block) = ([padding[0], padding[2]], output[0]);
        let mut layout = Self {
            element,
            units,
            stride,
            padding,
            phase_rows,
            phase_columns,
            tap_rows,
            tap_columns,
            halo,
            pitch,
            block,
        };
        let factors = [element, units, layout.phase_rows.len(), layout.phase_columns.len(), pitch];
        let row = factors.into_iter().try_fold(1usize, usize::checked_mul)?.max(1);
        // As even as can be.
        let most = (budget / row).saturating_sub(halo).clamp(1, block.max(1));
        layout.block = block.div_ceil(block.div_ceil(most).max(1));
        row.checked_mul(layout.block.checked_add(halo)?).filter(|&floats| floats <= MAX_FLOATS)?;
        Some(layout)
    }

    /// Floats of the copy.
    pub fn floats(&self) -> usize {
        self.row(self.units, 0, 0)
    }

    /// Where a tap of the kernel, given by its row and column, lies for the first pixel of the output.
    pub fn offset(&self, unit: usize, [row, column]: [usize; 2]) -> usize {
        let ([row_phase, row], [column_phase, column]) = (self.tap_rows[row], self.tap_columns[column]);
        self.row(unit, row_phase * self.phase_columns.len() + column_phase, row) + column * self.element
    }

    /// Floats from a row of the output's pixels to the next.
    pub fn row_floats(&self) -> usize {
        self.pitch * self.element
    }

    /// Where a row starts.
    fn row(&self, unit: usize, phase: usize, row: usize) -> usize {
        let phases = self.phase_rows.len() * self.phase_columns.len();
        ((unit * phases + phase) * (self.block + self.halo) + row) * self.row_floats()
    }
}

/// The phases of one axis, as where each starts in the padded input, and each tap's phase and place in it.
fn phases(kernel: usize, stride: usize, dilation: usize, each_tap: bool) -> (Vec<usize>, Vec<[usize; 2]>) {
    let mut starts = Vec::new();
    let taps = (0..kernel).map(|tap| {
        let position = tap * dilation;
        let (start, place) = if each_tap { (position, 0) } else { (position % stride, position / stride) };
        let phase = starts.iter().position(|&other| other == start).unwrap_or_else(|| {
            starts.push(start);
            starts.len() - 1
        });
        [phase, place]
    });
    let taps = taps.collect();
    (starts, taps)
}

/// What to copy: some units of a map, for `rows` rows of the output from `first_row` on.
pub(crate) struct Fill<'a> {
    pub layout: &'a CopyLayout,
    pub input: &'a [f32],
    pub height: usize,
    pub width: usize,
    pub first_row: usize,
    pub rows: usize,
}

pub(crate) type FillFn = unsafe fn(&Fill<'_>, &mut [f32]);

/// The function that fills a copy of a blocked or of a plain map.
pub(crate) fn fill_of(isa: crate::engine::Isa, plain: bool) -> FillFn {
    if plain { fill_plain_of(isa) } else { fill_blocked_of(isa) }
}

per_isa!(fn fill_blocked_of(fill: &Fill<'_>, copy: &mut [f32]) = fill_blocked);
per_isa!(fn fill_plain_of(fill: &Fill<'_>, copy: &mut [f32]) = fill_plain);

/// # Safety
/// The CPU has the vector's instruction set, and elements are its lanes.
#[inline(always)]
unsafe fn fill_blocked<S: Simd>(fill: &Fill<'_>, copy: &mut [f32]) {
    // SAFETY: the caller keeps the conditions.
    unsafe { fill_body::<S, false>(fill, copy) }
}

/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn fill_plain<S: Simd>(fill: &Fill<'_>, copy: &mut [f32]) {
    // SAFETY: the caller keeps the conditions.
    unsafe { fill_body::<S, true>(fill, copy) }
}

/// # Safety
/// The CPU has the vector's instruction set; elements are its lanes, or single floats when `PLAIN`.
#[inline(always)]
unsafe fn fill_body<S: Simd, const PLAIN: bool>(fill: &Fill<'_>, copy: &mut [f32]) {
    let &Fill { layout, input, height, width, first_row, rows } = fill;
    let (element, [sh, sw]) = (layout.element, layout.stride);
    for unit in 0..layout.units {
        let map = &input[unit * height * width * element..][..height * width * element];
        for phase in 0..layout.phase_rows.len() * layout.phase_columns.len() {
            let py = layout.phase_rows[phase / layout.phase_columns.len()];
            let px = layout.phase_columns[phase % layout.phase_columns.len()];
            // Columns from..to of the copy lie inside the input, starting at its column `start`.
            let from = layout.padding[1].saturating_sub(px).div_ceil(sw).min(layout.pitch);
            let start = (from * sw + px).saturating_sub(layout.padding[1]).min(width);
            let to = (from + (width - start).div_ceil(sw)).min(layout.pitch);
            for row in 0..rows + layout.halo {
                let target = &mut copy[layout.row(unit, phase, row)..][..layout.pitch * element];
                // Wraps to a huge row above the map.
                let y = ((first_row + row) * sh + py).wrapping_sub(layout.padding[0]);
                // SAFETY: the CPU has the instruction set; a blocked map's rows are whole vectors.
                unsafe {
                    if y >= height || from == to {
                        zero::<S, PLAIN>(target);
                        continue;
                    }
                    let source = &map[(y * width + start) * element..][..((to - from - 1) * sw + 1) * element];
                    zero::<S, PLAIN>(&mut target[..from * element]);
                    zero::<S, PLAIN>(&mut target[to * element..]);
                    vectors::<S, PLAIN>(source, &mut target[from * element..to * element], sw);
                }
            }
        }
    }
}

/// Copies every `step`-th vector; a plain target's last may be partial.
///
/// # Safety
/// The CPU has the vector's instruction set. The target is whole vectors, or PLAIN and `step` is 1. The source reaches
/// as far as the target takes.
#[inline(always)]
unsafe fn vectors<S: Simd, const PLAIN: bool>(source: &[f32], target: &mut [f32], step: usize) {
    let n = target.len();
    let (source, target) = (source.as_ptr(), target.as_mut_ptr());
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop, i + rest = n after it.
    unsafe {
        while i + S::LANES <= n {
            S::load(source.add(i * step)).store(target.add(i));
            i += S::LANES;
        }
        if PLAIN && i < n {
            S::load_first(source.add(i), n - i).store_first(target.add(i), n - i);
        }
    }
}

/// # Safety
/// The CPU has the vector's instruction set. The target is whole vectors, or PLAIN.
#[inline(always)]
unsafe fn zero<S: Simd, const PLAIN: bool>(target: &mut [f32]) {
    let n = target.len();
    let target = target.as_mut_ptr();
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop, i + rest = n after it.
    unsafe {
        while i + S::LANES <= n {
            S::splat(0.0).store(target.add(i));
            i += S::LANES;
        }
        if PLAIN && i < n {
            S::splat(0.0).store_first(target.add(i), n - i);
        }
    }
}
