//! The padded copy of a convolution's input, in which every tap of the kernel is a shift.

use crate::engine::simd::{Simd, per_isa};
use cnn_ir::ops::Conv2dSpec;

/// The copy of a block of rows should stay in the second-level cache: 1 MiB.
const BLOCK_ELEMENTS: usize = 1 << 18;

/// Beyond this the copy costs more memory than it is worth: 64 MiB. Only huge padding or dilation gets there.
const MAX_ELEMENTS: usize = 1 << 24;

/// How the copy is laid out: `[channel][phase][row][column]`.
///
/// With stride s, the rows y·s + p of the padded input are kept together as phase p, and columns likewise. A tap then
/// lies at one offset from an output pixel, wherever the pixel is.
#[derive(Debug, Clone)]
pub(crate) struct CopyLayout {
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Top and left.
    padding: [usize; 2],
    /// Phases of rows and of columns that the taps use.
    phases: [usize; 2],
    /// Rows beyond those of the output.
    halo: usize,
    /// Channels of one group.
    channels: usize,
    /// Columns.
    pub pitch: usize,
    /// Rows of the output that are computed from one copy.
    pub block: usize,
}

impl CopyLayout {
    /// The layout for an output of this height and width, or `None` when the copy would be too large.
    pub fn new(spec: &Conv2dSpec, output: [usize; 2]) -> Option<Self> {
        let Conv2dSpec { kernel_size: [kh, kw], stride: [sh, sw], padding, dilation: [dh, dw], .. } = *spec;
        let mut layout = Self {
            stride: spec.stride,
            dilation: spec.dilation,
            padding: [padding[0], padding[2]],
            // Tap k is in phase k·d mod s, which repeats after s / gcd(d, s) taps.
            phases: [kh.min(sh / gcd(dh, sh)), kw.min(sw / gcd(dw, sw))],
            halo: (kh - 1) * dh / sh,
            channels: spec.in_channels / spec.groups,
            pitch: output[1] + (kw - 1) * dw / sw,
            block: output[0],
        };
        let phases = layout.phases[0].checked_mul(layout.phases[1])?;
        let row = layout.channels.checked_mul(phases)?.checked_mul(layout.pitch)?;
        layout.block = (BLOCK_ELEMENTS / row).saturating_sub(layout.halo).clamp(1, output[0]);
        row.checked_mul(layout.rows()).filter(|&elements| elements <= MAX_ELEMENTS)?;
        Some(layout)
    }

    /// Elements of the copy.
    pub fn elements(&self) -> usize {
        self.channels * self.phases[0] * self.phases[1] * self.rows() * self.pitch
    }

    /// Where a tap of the kernel, given by its row and column, lies for the first pixel of the output.
    pub fn offset(&self, channel: usize, tap: [usize; 2]) -> usize {
        let phase = tap[0] % self.phases[0] * self.phases[1] + tap[1] % self.phases[1];
        let [row, column] = [0, 1].map(|axis| tap[axis] * self.dilation[axis] / self.stride[axis]);
        self.row(channel, phase, row) + column
    }

    /// Where a row starts.
    fn row(&self, channel: usize, phase: usize, row: usize) -> usize {
        ((channel * self.phases[0] * self.phases[1] + phase) * self.rows() + row) * self.pitch
    }

    fn rows(&self) -> usize {
        self.block + self.halo
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What to copy: some channels of a map, for `rows` rows of the output from `first_row` on.
pub(crate) struct Fill<'a> {
    pub layout: &'a CopyLayout,
    pub input: &'a [f32],
    pub height: usize,
    pub width: usize,
    pub first_row: usize,
    pub rows: usize,
}

per_isa! {
    /// Fills a copy.
    pub(crate) fn fill_of(fill: &Fill<'_>, copy: &mut [f32]) = fill_body
}

/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn fill_body<S: Simd>(fill: &Fill<'_>, copy: &mut [f32]) {
    let &Fill { layout, input, height, width, first_row, rows } = fill;
    let [[sh, sw], [dh, dw]] = [layout.stride, layout.dilation];
    for channel in 0..layout.channels {
        let plane = &input[channel * height * width..][..height * width];
        for phase in 0..layout.phases[0] * layout.phases[1] {
            let (py, px) = (phase / layout.phases[1] * dh % sh, phase % layout.phases[1] * dw % sw);
            // Columns from..to of the copy lie inside the input, starting at its column `start`.
            let from = layout.padding[1].saturating_sub(px).div_ceil(sw).min(layout.pitch);
            let start = (from * sw + px).saturating_sub(layout.padding[1]).min(width);
            let to = (from + (width - start).div_ceil(sw)).min(layout.pitch);
            for row in 0..rows + layout.halo {
                let target = &mut copy[layout.row(channel, phase, row)..][..layout.pitch];
                // Wraps to a huge row above the map.
                let y = ((first_row + row) * sh + py).wrapping_sub(layout.padding[0]);
                if y >= height {
                    target.fill(0.0);
                    continue;
                }
                let source = &plane[y * width..][..width];
                target[..from].fill(0.0);
                if sw == 1 {
                    // SAFETY: the CPU has the instruction set.
                    unsafe { copy_short::<S>(&source[start..start + to - from], &mut target[from..to]) };
                } else {
                    for (target, source) in target[from..to].iter_mut().zip(source[start..].iter().step_by(sw)) {
                        *target = *source;
                    }
                }
                target[to..].fill(0.0);
            }
        }
    }
}

/// Copies a slice; for the few elements of a row that is faster than a call of `memcpy`.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn copy_short<S: Simd>(from: &[f32], to: &mut [f32]) {
    let n = from.len().min(to.len());
    let (from, to) = (from.as_ptr(), to.as_mut_ptr());
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop, i + rest = n after it; both slices have n elements.
    unsafe {
        while i + S::LANES <= n {
            S::load(from.add(i)).store(to.add(i));
            i += S::LANES;
        }
        if i < n {
            S::load_first(from.add(i), n - i).store_first(to.add(i), n - i);
        }
    }
}
