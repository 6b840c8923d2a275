//! Random numbers that depend on a seed, a name and an index alone.

/// SplitMix64 as a function of its counter: number `i` is `mix(key + (i + 1)·STEP)`, so that values can be drawn in any
/// order.
///
/// Guy L. Steele Jr., Doug Lea, Christine H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
pub(crate) struct Random {
    key: u64,
}

/// The step of the counter: 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    /// The numbers of a name. Seed and name are mixed in by themselves, so that the streams of neighbouring seeds do not
    /// overlap.
    pub fn named(seed: u64, name: &str) -> Self {
        let state = mix(seed.wrapping_add(STEP));
        Self { key: mix((state ^ fnv1a(name)).wrapping_add(STEP)) }
    }

    /// The 64 bits of one index.
    pub fn bits(&self, index: u64) -> u64 {
        mix(self.key.wrapping_add(index.wrapping_add(1).wrapping_mul(STEP)))
    }

    /// A number from 0 up to, without, 1: a multiple of 2⁻⁵³.
    pub fn unit(&self, index: u64) -> f64 {
        (self.bits(index) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Two numbers from the normal distribution of mean 0 and standard deviation 1: those of the indices `2·pair` and
    /// `2·pair + 1`.
    ///
    /// G. E. P. Box, Mervin E. Muller, "A Note on the Generation of Random Normal Deviates", 1958.
    pub fn normals(&self, pair: u64) -> [f64; 2] {
        // 1 − u is never 0, whose logarithm would be infinite.
        let radius = (-2.0 * (1.0 - self.unit(2 * pair)).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.unit(2 * pair + 1)).sin_cos();
        [radius * cosine, radius * sine]
    }
}

/// The finaliser of SplitMix64 (David Stafford's thirteenth variant of MurmurHash3's).
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The hash FNV-1a of 64 bits (Glenn Fowler, Landon Curt Noll, Kiem-Phong Vo).
fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of the authors' `SplittableRandom` for the seed 1234567, and FNV's published test vectors.
    #[test]
    fn the_numbers_are_those_of_the_papers() {
        let random = Random { key: 1_234_567 };
        let first = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([0, 1, 2].map(|index| random.bits(index)), first);
        assert_eq!((fnv1a(""), fnv1a("a")), (0xCBF2_9CE4_8422_2325, 0xAF63_DC4C_8601_EC8C));
    }

    #[test]
    fn streams_differ_by_seed_and_name() {
        let streams = [(0, "0.weight"), (1, "0.weight"), (0, "0.bias"), (0, "1.weight"), (0, "")];
        let mut first = streams.map(|(seed, name)| Random::named(seed, name).bits(0)).to_vec();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), streams.len());
    }

    /// The two numbers of a pair are as independent as any others: four standard errors of 20 000 products.
    #[test]
    fn normal_numbers_of_a_pair_are_independent() {
        let random = Random::named(1, "pairs");
        let products = |of: fn(f64) -> f64| {
            (0..20_000).map(|pair| random.normals(pair).map(of).iter().product::<f64>()).sum::<f64>() / 20_000.0
        };
        assert!(products(|x| x).abs() < 0.029);
        // The squares, less their mean 1, have the variance 2.
        assert!(products(|x| x * x - 1.0).abs() < 0.057);
    }
}
