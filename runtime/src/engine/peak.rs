//! What the machine can do at most: a loop of multiply-adds in registers, and loops that only read.

use super::simd::{MAX_LANES, Simd, per_isa};
use super::{Isa, Threads};
use crate::Error;
use crate::buffer::Buffer;
use std::hint::black_box;
use std::time::Instant;

/// Chains of multiply-adds that do not wait for each other: enough for two units of four cycles' latency, and few enough
/// for sixteen registers.
const CHAINS: usize = 12;

/// Rounds of one timing, a fraction of a millisecond; and timings, of which the best counts.
const ROUNDS: usize = 1 << 15;
const TIMINGS: usize = 100;

/// Sums that do not wait for each other, one for each vector of a step of the reading loop.
const SUMS: usize = 8;

/// Bytes that one timing of the reading loop reads at least, and timings, of which the best counts.
const READ_BYTES: usize = 1 << 23;
const READ_TIMINGS: usize = 8;

impl Isa {
    /// The most floating-point operations per second that one core does with this instruction set, measured now: twice
    /// the multiply-adds of a loop without memory. Takes some 50 ms.
    ///
    /// # Errors
    /// An instruction set that this CPU lacks.
    pub fn peak_flops(self) -> Result<f64, Error> {
        let run = multiply_adds(self.check()?);
        let mut out = [0.0; MAX_LANES];
        let mut best = 0.0f64;
        for _ in 0..TIMINGS {
            let started = Instant::now();
            // SAFETY: the CPU has the instruction set; `out` has room for the widest vector.
            let lanes = unsafe { run(black_box(ROUNDS), black_box(0.5), out.as_mut_ptr()) };
            let seconds = started.elapsed().as_secs_f64();
            black_box(&out);
            best = best.max((2 * CHAINS * lanes * ROUNDS) as f64 / seconds.max(1e-9));
        }
        Ok(best)
    }

    /// The most bytes per second that these threads together read, over and over, from memory of this size, measured
    /// now: from a cache that holds as much, from main memory when none does. Takes some milliseconds, and the memory.
    ///
    /// # Errors
    /// An instruction set that this CPU lacks, or not enough memory.
    pub fn read_rate(self, bytes: usize, threads: &Threads) -> Result<f64, Error> {
        let run = reading(self.check()?);
        let step = SUMS * self.lanes();
        // The same for every thread, in whole steps of the loop.
        let part = (bytes / size_of::<f32>() / threads.count()).next_multiple_of(step).max(step);
        let elements = part.saturating_mul(threads.count());
        let mut memory = Buffer::zeros(elements, "memory to read")?;
        // Pages that were never written can all be the same one.
        memory.as_mut_slice().fill(1.0);
        let memory = memory.as_slice();
        let passes = READ_BYTES.div_ceil(elements * size_of::<f32>());
        let mut best = 0.0f64;
        for _ in 0..READ_TIMINGS {
            let started = Instant::now();
            threads.run(threads.count(), |task, _| {
                let mut out = [0.0; MAX_LANES];
                for _ in 0..passes {
                    let from = black_box(memory[task * part..][..part].as_ptr());
                    // SAFETY: the CPU has the instruction set; the part is whole steps; `out` has room for a vector.
                    unsafe { run(from, part, out.as_mut_ptr()) };
                    black_box(&out);
                }
            });
            let seconds = started.elapsed().as_secs_f64();
            best = best.max((elements * size_of::<f32>() * passes) as f64 / seconds.max(1e-9));
        }
        Ok(best)
    }
}

per_isa! {
    /// Reads whole steps of elements, and stores a sum of them.
    fn reading(from: *const f32, elements: usize, out: *mut f32) = reading_body
}

/// # Safety
/// The CPU has the instruction set; the elements are there, a multiple of `SUMS` vectors; `out` has room for a vector.
#[inline(always)]
unsafe fn reading_body<S: Simd>(from: *const f32, elements: usize, out: *mut f32) {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let mut sums = [S::splat(0.0); SUMS];
        let mut done = 0;
        while done < elements {
            let mut i = 0;
            while i < SUMS {
                sums[i] = sums[i].add(S::load(from.add(done + i * S::LANES)));
                i += 1;
            }
            done += SUMS * S::LANES;
        }
        // Every sum is used, or the compiler would drop it.
        let mut sum = sums[0];
        let mut i = 1;
        while i < SUMS {
            sum = sum.add(sums[i]);
            i += 1;
        }
        sum.store(out);
    }
}

per_isa! {
    /// `rounds` multiply-adds in each chain; gives the lanes of a vector.
    fn multiply_adds(rounds: usize, factor: f32, out: *mut f32) -> usize = multiply_adds_body
}

/// # Safety
/// The CPU has the instruction set; `out` has room for a vector.
#[inline(always)]
unsafe fn multiply_adds_body<S: Simd>(rounds: usize, factor: f32, out: *mut f32) -> usize {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let factor = S::splat(factor);
        let mut chains = [factor; CHAINS];
        let mut round = 0;
        while round < rounds {
            let mut chain = 0;
            while chain < CHAINS {
                chains[chain] = chains[chain].mul_add(factor, factor);
                chain += 1;
            }
            round += 1;
        }
        // Every chain is used, or the compiler would drop it.
        let mut sum = chains[0];
        let mut chain = 1;
        while chain < CHAINS {
            sum = sum.add(chains[chain]);
            chain += 1;
        }
        sum.store(out);
    }
    S::LANES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chain_computes() {
        for isa in Isa::available() {
            let mut out = [0.0; MAX_LANES];
            // SAFETY: the CPU has the instruction set; `out` has room for the widest vector.
            let lanes = unsafe { multiply_adds(isa)(2, 0.5, out.as_mut_ptr()) };
            // (0.5 · 0.5 + 0.5) · 0.5 + 0.5 in each.
            assert!(out[..lanes].iter().all(|value| *value == 0.875 * CHAINS as f32), "{isa}: {out:?}");
            assert!(out[lanes..].iter().all(|value| *value == 0.0), "{isa}: {out:?}");
        }
    }

    #[test]
    fn every_element_is_read() {
        for isa in Isa::available() {
            let (step, mut out) = (SUMS * isa.lanes(), [0.0; MAX_LANES]);
            let memory: Vec<f32> = (0..3 * step).map(|i| i as f32).collect();
            // SAFETY: the CPU has the instruction set; there are three steps; `out` has room for the widest vector.
            unsafe { reading(isa)(memory.as_ptr(), memory.len(), out.as_mut_ptr()) };
            assert_eq!(out.iter().sum::<f32>(), memory.iter().sum::<f32>(), "{isa}");
        }
    }

    #[test]
    fn a_rate_is_found_for_any_size_and_number_of_threads() -> Result<(), Error> {
        for (bytes, threads) in [(0, 1), (1 << 16, 1), (100_001, 3)] {
            let rate = Isa::detect().read_rate(bytes, &Threads::new(threads)?)?;
            assert!(rate.is_finite() && rate > 1e6, "{bytes} bytes, {threads} threads: {rate}");
        }
        Ok(())
    }
}
