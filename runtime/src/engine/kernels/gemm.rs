//! The register-tiled product at the bottom of convolutions and dense layers.
//!
//! One tile is C = init + A·B, with as many rows and vectors of C as fit the registers. A is packed: `rows` values per
//! step of the depth. B is read through a table of offsets, one per step, so that a convolution's B need not be copied
//! together: a tap of the kernel is an offset into the input. Every element of C is summed in the order of the depth,
//! whatever the tile's size, so results do not depend on how work is cut into tiles.

use crate::buffer::LINE;
use crate::engine::Isa;
#[cfg(target_arch = "x86_64")]
use crate::engine::simd::{Avx2, Avx512};
use crate::engine::simd::{MAX_LANES, Portable, Simd};
use std::ops::Range;

/// The operands of one tile. `rows` and `vectors` are those that its function was chosen for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tile {
    /// Steps of the sum.
    pub depth: usize,
    /// `[depth][rows]`.
    pub a: *const f32,
    /// Where offsets count from; at each, `vectors` whole vectors are read.
    pub b: *const f32,
    /// `[depth]`: where each step's row of B starts.
    pub offsets: *const u32,
    /// Start values: row `i`, vector `v` starts from the vector at `init + i·init_row + v·init_vector`.
    pub init: *const f32,
    pub init_row: usize,
    pub init_vector: usize,
    /// Where row `i`, vector `v` is stored: `c + i·c_row + v·LANES`.
    pub c: *mut f32,
    pub c_row: usize,
}

/// A tile's code for one number of rows and of vectors.
///
/// # Safety
/// The CPU has the instruction set, and all memory that [`Tile`] describes is valid.
pub(crate) type TileFn = unsafe fn(&Tile);

// Plain counted loops are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(t: &Tile) {
    // SAFETY: the caller's `Tile` describes valid memory, and the CPU has the instruction set.
    unsafe {
        let mut sums = [[S::splat(0.0); VECTORS]; ROWS];
        for i in 0..ROWS {
            for v in 0..VECTORS {
                sums[i][v] = S::load(t.init.add(i * t.init_row + v * t.init_vector));
            }
        }
        let mut a = t.a;
        for k in 0..t.depth {
            let b = t.b.add(*t.offsets.add(k) as usize);
            let mut row = [S::splat(0.0); VECTORS];
            for v in 0..VECTORS {
                row[v] = S::load(b.add(v * S::LANES));
            }
            for i in 0..ROWS {
                let x = S::splat(*a.add(i));
                for v in 0..VECTORS {
                    sums[i][v] = x.mul_add(row[v], sums[i][v]);
                }
            }
            a = a.add(ROWS);
        }
        for i in 0..ROWS {
            for v in 0..VECTORS {
                sums[i][v].store(t.c.add(i * t.c_row + v * S::LANES));
            }
        }
    }
}

unsafe fn portable<const ROWS: usize, const VECTORS: usize>(t: &Tile) {
    // SAFETY: the caller keeps `tile`'s conditions.
    unsafe { tile::<Portable, ROWS, VECTORS>(t) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const ROWS: usize, const VECTORS: usize>(t: &Tile) {
    // SAFETY: the CPU has AVX2 and FMA, and the caller keeps `tile`'s conditions.
    unsafe { tile::<Avx2, ROWS, VECTORS>(t) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512<const ROWS: usize, const VECTORS: usize>(t: &Tile) {
    // SAFETY: the CPU has AVX-512F, and the caller keeps `tile`'s conditions.
    unsafe { tile::<Avx512, ROWS, VECTORS>(t) }
}

/// The tiles of one instruction set.
#[derive(Debug)]
pub(crate) struct Tiles {
    /// f32 per vector.
    pub lanes: usize,
    /// `code[rows − 1][vectors − 1]`; the sums, one row of B and one value of A fit the registers.
    code: &'static [&'static [TileFn]],
}

/// The most rows of any tile.
pub(crate) const MAX_ROWS: usize = 8;

/// The most elements of one row of a tile.
pub(crate) const MAX_WIDTH: usize = 8 * MAX_LANES;

macro_rules! tiles {
    ($f:ident, $lanes:expr, [$($rows:literal: $($vectors:literal)*,)*]) => {
        Tiles { lanes: $lanes, code: &[$(&[$($f::<$rows, $vectors>),*]),*] }
    };
}

static PORTABLE: Tiles = tiles!(portable, Portable::LANES, [
    1: 1 2 3 4 5 6, 2: 1 2 3 4, 3: 1 2 3, 4: 1 2, 5: 1 2, 6: 1 2,
]);

#[cfg(target_arch = "x86_64")]
static AVX2: Tiles = tiles!(avx2, Avx2::LANES, [
    1: 1 2 3 4 5 6 7 8, 2: 1 2 3 4 5, 3: 1 2 3, 4: 1 2 3, 5: 1 2, 6: 1 2,
]);

#[cfg(target_arch = "x86_64")]
static AVX512: Tiles = tiles!(avx512, Avx512::LANES, [
    1: 1 2 3 4 5 6 7 8, 2: 1 2 3 4 5 6 7 8, 3: 1 2 3 4 5 6 7, 4: 1 2 3 4 5 6,
    5: 1 2 3 4 5, 6: 1 2 3 4, 7: 1 2 3, 8: 1 2 3,
]);

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

    /// The most rows.
    pub fn max_rows(&self) -> usize {
        self.code.len()
    }

    /// The most vectors of a tile with this many rows, which is at least 1 and at most [`Self::max_rows`].
    pub fn max_vectors(&self, rows: usize) -> usize {
        self.code[rows - 1].len()
    }

    /// The code for this many rows and vectors, both within their limits.
    pub fn code(&self, rows: usize, vectors: usize) -> TileFn {
        self.code[rows - 1][vectors - 1]
    }
}

/// Cuts `total` into the fewest parts of at most `most`, as even as can be, larger ones first.
pub(crate) fn cut(total: usize, most: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let parts = total.div_ceil(most);
    let (size, larger) = (total.checked_div(parts).unwrap_or(0), total.checked_rem(parts).unwrap_or(0));
    (0..parts).map(move |i| {
        let start = i * size + i.min(larger);
        start..start + size + usize::from(i < larger)
    })
}

/// A row-major `[rows][depth]` matrix packed for tiles: groups of rows, `[depth][rows of the group]` each.
pub(crate) fn pack_rows(matrix: &[f32], depth: usize, groups: impl Iterator<Item = Range<usize>>, to: &mut [f32]) {
    let mut to = to.iter_mut();
    for group in groups {
        for k in 0..depth {
            for (row, to) in group.clone().zip(&mut to) {
                *to = matrix[row * depth + k];
            }
        }
    }
}

/// The next multiple of a cache line.
pub(crate) fn round_up(elements: usize) -> usize {
    elements.saturating_add(LINE - 1) / LINE * LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_evenly_and_wholly() {
        for total in 0..50 {
            for most in 1..9 {
                let parts: Vec<_> = cut(total, most).collect();
                assert_eq!(parts.iter().map(Range::len).sum::<usize>(), total);
                assert!(parts.iter().all(|part| (1..=most).contains(&part.len())));
                assert!(parts.windows(2).all(|w| w[0].end == w[1].start && w[0].len() >= w[1].len()));
            }
        }
    }

    #[test]
    fn every_tile_equals_the_plain_sum() {
        for isa in Isa::available() {
            let tiles = Tiles::of(isa);
            for rows in 1..=tiles.max_rows() {
                for vectors in 1..=tiles.max_vectors(rows) {
                    for depth in [0, 1, 2, 7] {
                        check_tile(tiles, rows, vectors, depth);
                    }
                }
            }
        }
    }

    fn check_tile(tiles: &Tiles, rows: usize, vectors: usize, depth: usize) {
        let width = vectors * tiles.lanes;
        let a: Vec<f32> = (0..depth * rows).map(|i| (i % 7) as f32 - 3.0).collect();
        let b: Vec<f32> = (0..depth * width).map(|i| (i % 5) as f32 - 2.0).collect();
        let init: Vec<f32> = (0..rows * MAX_LANES).map(|i| (i / MAX_LANES) as f32).collect();
        let offsets: Vec<u32> = (0..depth).map(|k| (k * width) as u32).collect();
        let mut c = vec![f32::NAN; rows * width];
        let operands = Tile {
            depth,
            a: a.as_ptr(),
            b: b.as_ptr(),
            offsets: offsets.as_ptr(),
            init: init.as_ptr(),
            init_row: MAX_LANES,
            init_vector: 0,
            c: c.as_mut_ptr(),
            c_row: width,
        };
        // SAFETY: the vectors above have exactly the sizes that the tile reads and writes.
        unsafe { tiles.code(rows, vectors)(&operands) };
        for (i, row) in c.chunks_exact(width).enumerate() {
            for (j, &found) in row.iter().enumerate() {
                let sum: f32 = (0..depth).map(|k| a[k * rows + i] * b[k * width + j]).sum();
                assert_eq!(found, sum + i as f32, "{rows}×{vectors} depth {depth}");
            }
        }
    }
}
