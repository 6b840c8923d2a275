//! Random numbers that depend on a seed, an epoch and an example alone.

/// SplitMix64: a counter and a mixing function.
///
/// Guy L. Steele Jr., Doug Lea, Christine H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
///
/// The project has its own generator so that the numbers stay the same across versions of libraries: a run that is
/// resumed years later sees the same order and the same augmentation. The tests hold its first values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random {
    state: u64,
}

/// The step of the counter: 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    /// The numbers of one seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The numbers of one example in one epoch.
    ///
    /// Each of the three is mixed in by itself, so that streams of neighbouring seeds, epochs and examples do not overlap
    /// as they would if they were only added.
    pub fn of(seed: u64, epoch: u64, index: u64) -> Self {
        let state = mix(seed.wrapping_add(STEP));
        let state = mix((state ^ epoch).wrapping_add(STEP));
        Self { state: mix((state ^ index).wrapping_add(STEP)) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number from 0 up to, without, 1: a multiple of 2⁻²⁴.
    pub fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// A number from `low` to `high`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Whether something of probability `p` happens: never for 0, always for 1.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// A number from the normal distribution of mean 0 and standard deviation 1.
    ///
    /// G. E. P. Box, Mervin E. Muller, "A Note on the Generation of Random Normal Deviates", 1958.
    pub fn normal(&mut self) -> f32 {
        // 1 − u is never 0, whose logarithm would be infinite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }

    /// A whole number below `n`, each as likely as the others; 0 when `n` is 0.
    ///
    /// Daniel Lemire, "Fast Random Integer Generation in an Interval", 2019.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            let low = product as u64;
            // Of the 2⁶⁴ numbers, 2⁶⁴ mod n are too many for n equal shares.
            if low >= n || low >= n.wrapping_neg().checked_rem(n).unwrap_or(0) {
                return (product >> 64) as usize;
            }
        }
    }

    /// Puts the items in random order, each order as likely as the others (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The finaliser of SplitMix64 (David Stafford's thirteenth variant of MurmurHash3's).
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the authors' `SplittableRandom` for the seed 1234567, and what must never change between versions.
    #[test]
    fn the_numbers_stay_the_same() {
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let mut order: Vec<usize> = (0..8).collect();
        Random::of(1, 2, 3).shuffle(&mut order);
        assert_eq!(order, [7, 1, 3, 4, 5, 2, 6, 0]);
    }

    #[test]
    fn streams_differ_in_each_number() {
        let streams = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1)];
        let mut first: Vec<u64> =
            streams.map(|(seed, epoch, index)| Random::of(seed, epoch, index).next_u64()).to_vec();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), streams.len());
    }

    #[test]
    fn whole_numbers_are_equally_likely() {
        let mut random = Random::new(5);
        let mut counts = [0; 7];
        for _ in 0..70_000 {
            counts[random.below(7)] += 1;
        }
        // Four standard deviations of a binomial of 70 000 draws: √(70 000 · 1/7 · 6/7) = 93.
        assert!(counts.iter().all(|count| (9_630..10_370).contains(count)), "{counts:?}");
        assert_eq!((random.below(0), random.below(1)), (0, 0));
    }

    #[test]
    fn fractions_have_their_mean_and_spread() {
        let mut random = Random::new(6);
        let mean = |draw: &mut dyn FnMut() -> f32| (0..40_000).map(|_| f64::from(draw())).sum::<f64>() / 40_000.0;
        assert!((mean(&mut || random.unit()) - 0.5).abs() < 0.01);
        assert!((mean(&mut || random.uniform(-1.0, 3.0)) - 1.0).abs() < 0.03);
        assert!(mean(&mut || random.normal()).abs() < 0.02);
        assert!((mean(&mut || random.normal().powi(2)) - 1.0).abs() < 0.03);
        assert!((0..1000).all(|_| !random.chance(0.0) && random.chance(1.0)));
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<usize> = (0..1000).collect();
        Random::new(7).shuffle(&mut items);
        assert_ne!(items, (0..1000).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
    }
}
