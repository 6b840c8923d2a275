//! Dropout (Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014).
//!
//! Whether an element is dropped is a hash of the step's seed, the layer's path, the example and the element: the gradient
//! finds the same elements again, and neither threads nor instruction sets matter.

use super::super::state::Control;
use super::Memory;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use crate::engine::threads::Shared;
use cnn_ir::ops::DropoutSpec;
use std::fmt;
use std::sync::Arc;

/// Elements of each example that a unit of work has.
const UNIT: usize = 256;

/// The layer, and its gradient: both do the same to what they are given.
pub(crate) struct Dropout {
    /// An element is dropped where its hash is below this.
    threshold: u32,
    scale: f32,
    path: u64,
    elements: usize,
    lanes: usize,
    control: Arc<Control>,
    code: DropFn,
}

impl Dropout {
    pub fn new(spec: &DropoutSpec, layer: &Layer<'_>, memory: &Memory) -> Self {
        // With p = 1 what the threshold lets pass is multiplied by 0.
        let threshold = (spec.p * 2f64.powi(32)).round() as u32;
        let scale = if spec.p < 1.0 { (1.0 / (1.0 - spec.p)) as f32 } else { 0.0 };
        Self {
            threshold,
            scale,
            path: hash_of(layer.path),
            elements: layer.output.iter().product(),
            lanes: layer.isa.lanes(),
            control: memory.control.clone(),
            code: drop_of(layer.isa),
        }
    }
}

impl Kernel for Dropout {
    fn may_overwrite(&self) -> usize {
        1
    }

    fn run(&self, call: Call<'_>) {
        let (lanes, blocks, input) = (self.lanes, call.batch / self.lanes, call.input);
        let seed = mix(self.control.settings().seed ^ mix(self.path));
        let units = self.elements.div_ceil(UNIT);
        let output = Shared::new(call.output);
        split(call.threads, blocks * units, 4 * UNIT * lanes, |range| {
            for unit in range {
                let (block, first) = (unit / units, unit % units * UNIT);
                let count = UNIT.min(self.elements - first);
                let (mut low, mut high) = ([0; MAX_LANES], [0; MAX_LANES]);
                for lane in 0..lanes {
                    let key = mix(seed.wrapping_add((block * lanes + lane) as u64));
                    (low[lane], high[lane]) = (key as u32, (key >> 32) as u32);
                }
                let rule = Rule { low, high, threshold: self.threshold, scale: self.scale };
                let start = (block * self.elements + first) * lanes;
                // SAFETY: the unit's elements are this task's alone, and the input may lie there; the instruction set was
                // checked.
                unsafe {
                    let to = output.part(start..start + count * lanes);
                    let from = if input.is_empty() { to.as_ptr() } else { input[start..].as_ptr() };
                    (self.code)(from, to.as_mut_ptr(), first as u32, count, &rule);
                }
            }
        });
    }
}

impl fmt::Debug for Dropout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dropout")
    }
}

/// Which elements of some examples are dropped: a key of each example in two halves, and how much they have to reach.
struct Rule {
    low: [u32; MAX_LANES],
    high: [u32; MAX_LANES],
    threshold: u32,
    scale: f32,
}

type DropFn = unsafe fn(*const f32, *mut f32, u32, usize, &Rule);

per_isa!(fn drop_of(from: *const f32, to: *mut f32, first: u32, count: usize, rule: &Rule) = drop_body);

/// The hash is left to the compiler to vectorise; its factors are those of C. Wellons' search for integer hashes of low bias.
#[inline(always)]
unsafe fn drop_body<S: Simd>(from: *const f32, to: *mut f32, first: u32, count: usize, rule: &Rule) {
    let mut factors = [0.0f32; MAX_LANES];
    let mut i = 0;
    while i < count {
        let element = first.wrapping_add(i as u32).wrapping_mul(0x9e37_79b9);
        let mut lane = 0;
        while lane < S::LANES {
            let mut h = element.wrapping_add(rule.low[lane]);
            h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d) ^ rule.high[lane];
            h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
            h ^= h >> 16;
            factors[lane] = if h < rule.threshold { 0.0 } else { rule.scale };
            lane += 1;
        }
        // SAFETY: there are so many vectors; the CPU has the instruction set.
        unsafe { S::load(from.add(i * S::LANES)).mul(S::load(factors.as_ptr())).store(to.add(i * S::LANES)) };
        i += 1;
    }
}

/// A step of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
fn mix(key: u64) -> u64 {
    let z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The hash of a path: FNV-1a of 64 bits, which stays the same from release to release.
fn hash_of(path: &str) -> u64 {
    path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
