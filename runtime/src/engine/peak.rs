//! What one core can do at most: a loop of multiply-adds in registers.

use super::Isa;
use super::simd::{MAX_LANES, Simd, per_isa};
use crate::Error;
use std::hint::black_box;
use std::time::Instant;

/// Chains of multiply-adds that do not wait for each other: enough for two units of four cycles' latency, and few enough
/// for sixteen registers.
const CHAINS: usize = 12;

/// Rounds of one timing, a fraction of a millisecond; and timings, of which the best counts.
const ROUNDS: usize = 1 << 15;
const TIMINGS: usize = 100;

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
}
