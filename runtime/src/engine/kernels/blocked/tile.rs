//! The register tile of blocked kernels: a few pixels times a few blocks of output channels, summed over taps and channels.
//!
//! Input is read through a table of offsets, one per tap, at each of which the pixels follow each other. Every element
//! is summed in the order of taps and channels, whatever the tile's size, so results do not depend on how a map is cut
//! into tiles.

use crate::buffer::LINE;
use crate::engine::Isa;
#[cfg(target_arch = "x86_64")]
use crate::engine::simd::{Avx2, Avx512};
use crate::engine::simd::{Portable, Simd, prefetch, unrolled};

/// The operands of one tile. `P` pixels and `B` blocks are those that its function was chosen for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tile {
    /// Channel `i` of pixel `p` at tap `t` is `input[offsets[t] + p·PITCH + i]`; PITCH is LANES, or the stride for plain
    /// maps.
    pub input: *const f32,
    /// `taps` entries, then `rest_taps`.
    pub offsets: *const u32,
    /// Taps with this many channels each, …
    pub taps: usize,
    pub channels: usize,
    /// … then taps with fewer, those of the last block of channels. 0 when there are none.
    pub rest_taps: usize,
    pub rest_channels: usize,
    /// `[tap][channel][B][LANES]`.
    pub weight: *const f32,
    /// What is wanted soon, the next weights, of which as many cache lines as the sum has steps are brought nearer; or null.
    pub ahead: *const f32,
    /// `[B][LANES]`, or null for zeros.
    pub bias: *const f32,
    /// Addressed as the output and added to it, or null.
    pub residual: *const f32,
    /// Pixel `p` of block `b` is stored at `output + b·block_stride + p·LANES`.
    pub output: *mut f32,
    pub block_stride: usize,
    /// What the results are clamped to; NaN stays NaN.
    pub low: f32,
    pub high: f32,
}

/// A tile's code for one number of pixels and of blocks.
///
/// # Safety
/// The CPU has the instruction set, and all memory that [`Tile`] describes is valid.
pub(crate) type TileFn = unsafe fn(&Tile);

/// The tiles of one instruction set.
#[derive(Debug)]
pub(crate) struct Tiles {
    /// Channels of a block: f32 per vector.
    pub lanes: usize,
    /// `[blocks − 1][pixels − 1]`, for blocked input, and for plain input with each of [`STRIDES`].
    blocked: &'static [&'static [TileFn]],
    /// The same with a last block of which only the first half of the lanes counts; none where that is no faster.
    halved: &'static [&'static [TileFn]],
    plain: [&'static [&'static [TileFn]]; STRIDES.len()],
}

/// Floats from a pixel to the next in plain input.
pub(crate) const STRIDES: [usize; 3] = [1, 2, 4];

impl Tiles {
    /// The tiles of an instruction set.
    pub fn of(isa: Isa) -> &'static Self {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &AVX512,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &AVX2,
            _ => &PORTABLE,
        }
    }

    /// The most blocks.
    pub fn max_blocks(&self) -> usize {
        self.blocked.len()
    }

    /// The most pixels of a tile with this many blocks, which is at least 1 and at most [`Self::max_blocks`].
    pub fn max_pixels(&self, blocks: usize) -> usize {
        self.blocked[blocks - 1].len()
    }

    /// About how many multiply-adds' time a step of the sum takes for a line of pixels, in tiles of at most `most` blocks.
    pub fn cost(&self, line: usize, blocks: usize, most: usize) -> f64 {
        let tile = |total: usize, most: usize| {
            let parts = total.div_ceil(most).max(1);
            (parts as f64, total as f64 / parts as f64)
        };
        let ((columns, pixels), (rows, blocks)) = (tile(line, self.max_pixels(most)), tile(blocks, most));
        // Two units of four cycles' latency want eight sums; weights come from farther than pixels.
        columns * rows * ((pixels * blocks).max(8.0) + 0.05 * pixels + 0.2 * blocks)
    }

    /// The code for this many pixels and blocks, both within their limits.
    pub fn code(&self, pixels: usize, blocks: usize) -> TileFn {
        self.blocked[blocks - 1][pixels - 1]
    }

    /// The same when the last block has no more than this many channels.
    pub fn code_for(&self, pixels: usize, blocks: usize, last_channels: usize) -> TileFn {
        match self.halved.get(blocks - 1) {
            Some(codes) if 2 * last_channels <= self.lanes => codes[pixels - 1],
            _ => self.code(pixels, blocks),
        }
    }

    /// The same for pixels that are single floats, with one of [`STRIDES`] between them.
    pub fn plain(&self, stride: usize, pixels: usize, blocks: usize) -> TileFn {
        self.plain[stride / 2][blocks - 1][pixels - 1]
    }
}

// The sums, a row of weights and one value of the input fit the registers.
macro_rules! tiles {
    ($f:ident, $simd:ident, [$($blocks:literal: $($pixels:literal)*,)*], $halved:expr) => {
        Tiles {
            lanes: $simd::LANES,
            blocked: &[$(&[$($f::<0, $pixels, $blocks>),*]),*],
            halved: $halved,
            plain: [
                &[$(&[$($f::<1, $pixels, $blocks>),*]),*],
                &[$(&[$($f::<2, $pixels, $blocks>),*]),*],
                &[$(&[$($f::<4, $pixels, $blocks>),*]),*],
            ],
        }
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! halved {
    ($($blocks:literal: $($pixels:literal)*,)*) => {
        &[$(&[$(avx512_halved::<$pixels, $blocks>),*]),*]
    };
}

static PORTABLE: Tiles = tiles!(portable, Portable, [
    1: 1 2 3 4 5 6 7 8, 2: 1 2 3 4 5, 3: 1 2 3, 4: 1 2,
], &[]);

#[cfg(target_arch = "x86_64")]
static AVX2: Tiles = tiles!(avx2, Avx2, [
    1: 1 2 3 4 5 6 7 8 9 10 11 12, 2: 1 2 3 4 5 6, 3: 1 2 3, 4: 1 2,
], &[]);

#[cfg(target_arch = "x86_64")]
static AVX512: Tiles = tiles!(avx512, Avx512, [
    1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14, 2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14, 3: 1 2 3 4 5 6 7 8 9, 4: 1 2 3 4 5 6,
], HALVED);

#[cfg(target_arch = "x86_64")]
const HALVED: &[&[TileFn]] = halved!(
    1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14, 2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14, 3: 1 2 3 4 5 6 7 8 9, 4: 1 2 3 4 5 6,
);

unsafe fn portable<const PITCH: usize, const P: usize, const B: usize>(t: &Tile) {
    // SAFETY: the caller keeps `tile`'s conditions.
    unsafe { tile::<Portable, Portable, PITCH, P, B>(t) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const PITCH: usize, const P: usize, const B: usize>(t: &Tile) {
    // SAFETY: the CPU has AVX2 and FMA, and the caller keeps `tile`'s conditions.
    unsafe { tile::<Avx2, Avx2, PITCH, P, B>(t) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512<const PITCH: usize, const P: usize, const B: usize>(t: &Tile) {
    // SAFETY: the CPU has AVX-512F, and the caller keeps `tile`'s conditions.
    unsafe { tile::<Avx512, Avx512, PITCH, P, B>(t) }
}

// Two units compute a wide vector together, so that a half one takes half the time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
unsafe fn avx512_halved<const P: usize, const B: usize>(t: &Tile) {
    // SAFETY: the CPU has AVX-512F and its forms for shorter vectors, and the caller keeps `tile`'s conditions.
    unsafe { tile::<Avx512, Avx2, 0, P, B>(t) }
}

/// The sums of a tile: `B − 1` blocks of vectors `S`, then one of vectors `L`.
type Sums<S, L, const P: usize, const B: usize> = ([[S; B]; P], [L; P]);

/// # Safety
/// Those of [`TileFn`]. A PITCH of 0 stands for LANES. The last block is computed in `L`, its lanes behind are left as they are.
// Plain counted loops are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn tile<S: Simd, L: Simd, const PITCH: usize, const P: usize, const B: usize>(t: &Tile) {
    // SAFETY: the caller's `Tile` describes valid memory, and the CPU has the instruction set.
    unsafe {
        let mut sums: Sums<S, L, P, B> = ([[S::splat(0.0); B]; P], [L::splat(0.0); P]);
        if !t.bias.is_null() {
            unrolled!(p < P => {
                for b in 0..B - 1 {
                    sums.0[p][b] = S::load(t.bias.add(b * S::LANES));
                }
                sums.1[p] = L::load(t.bias.add((B - 1) * S::LANES));
            });
        }
        let (mut weight, mut ahead, mut channels) = (t.weight, t.ahead, t.channels);
        for tap in 0..t.taps + t.rest_taps {
            if tap == t.taps {
                channels = t.rest_channels;
            }
            let input = t.input.add(*t.offsets.add(tap) as usize);
            if !ahead.is_null() {
                for i in 0..channels {
                    prefetch(ahead.wrapping_add(i * LINE));
                }
                ahead = ahead.wrapping_add(channels * LINE);
            }
            sums = accumulate::<S, L, PITCH, P, B>(input, channels, weight, sums);
            weight = weight.add(channels * B * S::LANES);
        }
        unrolled!(p < P => {
            for b in 0..B - 1 {
                finish(t, sums.0[p][b], b * t.block_stride + p * S::LANES);
            }
            finish(t, sums.1[p], (B - 1) * t.block_stride + p * S::LANES);
        });
    }
}

/// Adds the products of one tap.
///
/// # Safety
/// The CPU has the instruction set; the pixels' channels and as many rows of `B` vectors of weights are valid.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn accumulate<S: Simd, L: Simd, const PITCH: usize, const P: usize, const B: usize>(
    input: *const f32,
    channels: usize,
    weight: *const f32,
    mut sums: Sums<S, L, P, B>,
) -> Sums<S, L, P, B> {
    let pitch = if PITCH == 0 { S::LANES } else { PITCH };
    for i in 0..channels {
        // SAFETY: i < channels, p < P, b < B.
        unsafe {
            let weight = weight.add(i * B * S::LANES);
            let mut row = [S::splat(0.0); B];
            for b in 0..B - 1 {
                row[b] = S::load(weight.add(b * S::LANES));
            }
            let last = L::load(weight.add((B - 1) * S::LANES));
            unrolled!(p < P => {
                let x = input.add(p * pitch + i);
                for b in 0..B - 1 {
                    sums.0[p][b] = S::splat(*x).mul_add(row[b], sums.0[p][b]);
                }
                sums.1[p] = L::splat(*x).mul_add(last, sums.1[p]);
            });
        }
    }
    sums
}

/// Adds the residual, clamps and stores one vector.
///
/// # Safety
/// The CPU has the instruction set; the place lies in the output, and in the residual if there is one.
#[inline(always)]
unsafe fn finish<S: Simd>(t: &Tile, mut sum: S, place: usize) {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        if !t.residual.is_null() {
            sum = sum.add(S::load(t.residual.add(place)));
        }
        // NaN stays NaN: it is the second operand.
        S::splat(t.high).min(S::splat(t.low).max(sum)).store(t.output.add(place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[taps, channels, rest_taps, rest_channels]`.
    const SUMS: [[usize; 4]; 6] =
        [[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 3], [3, 2, 0, 5], [9, 4, 9, 1], [2, 16, 3, 15]];

    #[test]
    fn every_tile_equals_the_plain_sum() {
        for isa in Isa::available() {
            let tiles = Tiles::of(isa);
            for blocks in 1..=tiles.max_blocks() {
                for pixels in 1..=tiles.max_pixels(blocks) {
                    for sums in SUMS {
                        for bare in [false, true] {
                            for last in [1, tiles.lanes / 2, tiles.lanes] {
                                let code = tiles.code_for(pixels, blocks, last);
                                let channels = (blocks - 1) * tiles.lanes + last;
                                check(code, tiles.lanes, [tiles.lanes, channels], [pixels, blocks], sums, bare);
                            }
                            for stride in STRIDES {
                                let code = tiles.plain(stride, pixels, blocks);
                                check(code, stride, [tiles.lanes, blocks * tiles.lanes], [pixels, blocks], sums, bare);
                            }
                        }
                    }
                }
            }
        }
    }

    /// A bare tile has neither bias nor residual. Lanes behind the last channel do not count.
    fn check(
        code: TileFn,
        pitch: usize,
        [lanes, channels_out]: [usize; 2],
        [pixels, blocks]: [usize; 2],
        sums: [usize; 4],
        bare: bool,
    ) {
        let [taps, channels, rest_taps, rest_channels] = sums;
        let whole = |n: usize, period: usize| (0..n).map(|i| (i % period) as f32 - (period / 2) as f32).collect();
        // Taps lie out of order and overlap.
        let offsets: Vec<u32> = (0..taps + rest_taps).map(|tap| (tap * 5 % 7) as u32).collect();
        let input: Vec<f32> = whole(7 + pixels * pitch + channels.max(rest_channels), 11);
        let weight: Vec<f32> = whole((taps * channels + rest_taps * rest_channels) * blocks * lanes, 7);
        let bias: Vec<f32> = whole(blocks * lanes, 5);
        let block_stride = pixels * lanes + 3;
        let residual: Vec<f32> = whole(blocks * block_stride, 13);
        let mut output = vec![f32::NAN; blocks * block_stride];
        let [low, high] = if bare { [f32::NEG_INFINITY, f32::INFINITY] } else { [-20.0, 30.0] };
        let tile = Tile {
            input: input.as_ptr(),
            offsets: offsets.as_ptr(),
            taps,
            channels,
            rest_taps,
            rest_channels,
            weight: weight.as_ptr(),
            ahead: weight.as_ptr(),
            bias: if bare { std::ptr::null() } else { bias.as_ptr() },
            residual: if bare { std::ptr::null() } else { residual.as_ptr() },
            output: output.as_mut_ptr(),
            block_stride,
            low,
            high,
        };
        // SAFETY: the vectors above have the sizes that the tile reads and writes.
        unsafe { code(&tile) };
        for (i, &found) in output.iter().enumerate() {
            let (b, within) = (i / block_stride, i % block_stride);
            let (p, lane) = (within / lanes, within % lanes);
            if p >= pixels {
                assert!(found.is_nan(), "{pixels}×{blocks}: wrote behind its pixels");
                continue;
            }
            if b * lanes + lane >= channels_out {
                continue;
            }
            let mut sum = if bare { 0.0 } else { bias[b * lanes + lane] };
            let mut row = 0;
            for (tap, &offset) in offsets.iter().enumerate() {
                for channel in 0..if tap < taps { channels } else { rest_channels } {
                    sum += input[offset as usize + p * pitch + channel] * weight[(row * blocks + b) * lanes + lane];
                    row += 1;
                }
            }
            let expected = if bare { sum } else { (sum + residual[i]).clamp(low, high) };
            assert_eq!(found, expected, "{pixels}×{blocks} pitch {pitch} {sums:?} block {b} pixel {p} lane {lane}");
        }
    }

    #[test]
    fn nan_stays_nan() {
        for isa in Isa::available() {
            let tiles = Tiles::of(isa);
            let (input, weight) = ([f32::NAN], vec![1.0f32; tiles.lanes]);
            let mut output = vec![0.0f32; tiles.lanes];
            let tile = Tile {
                input: input.as_ptr(),
                offsets: &0,
                taps: 1,
                channels: 1,
                rest_taps: 0,
                rest_channels: 0,
                weight: weight.as_ptr(),
                ahead: std::ptr::null(),
                bias: std::ptr::null(),
                residual: std::ptr::null(),
                output: output.as_mut_ptr(),
                block_stride: 0,
                low: 0.0,
                high: f32::INFINITY,
            };
            // SAFETY: one pixel of one channel, one vector of weights, one vector of output.
            unsafe { tiles.code(1, 1)(&tile) };
            assert!(output.iter().all(|v| v.is_nan()), "{isa}");
        }
    }
}
