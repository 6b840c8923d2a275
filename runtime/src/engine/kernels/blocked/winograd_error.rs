//! How far Winograd's convolutions are from exact, and which of them a network can afford.
//!
//! The transforms take sums and differences of numbers that are larger than the result, more so the more points there
//! are, and the sums over channels round as those of a direct convolution do. [`error`] is measured against f64, over
//! signed and positive activations, constant and heavy-tailed ones, with weights of the scale of trained networks:
//! `cargo test -p cnn-runtime --lib winograd_error -- --nocapture` prints
//!
//! | in channels | m = 2 | m = 4 | m = 6 |
//! | --- | --- | --- | --- |
//! | 3 | 2.5e-7 | 1.0e-6 | 5.0e-6 |
//! | 64 | 5.4e-7 | 2.2e-6 | 1.0e-5 |
//! | 256 | 9.4e-7 | 3.3e-6 | 2.0e-5 |
//!
//! It is an estimate: outputs that cancel, such as those of an edge filter over a constant map, have no limit relative
//! to themselves, in a direct convolution neither.
//!
//! Networks shall stay within 1e-4 of the largest output. A layer passes on the relative error of its input about as it
//! is, and the roundings of layers are independent: L layers of error e come to √L·e, and to L·e if all err the same way.
//! [`LAYER_TOLERANCE`] is what keeps 16 layers within 1e-4 even then, and 256 layers otherwise. It allows m = 2 always,
//! m = 4 up to 700 channels, and m = 6 never.

/// What a layer may add to the relative error of a network.
pub(crate) const LAYER_TOLERANCE: f64 = 1e-4 / 16.0;

/// The largest error to expect of F(m×m, 3×3), relative to the largest output.
pub(crate) fn error(m: usize, in_channels: usize) -> f64 {
    let points = match m {
        2 => 5e-7,
        4 => 1.8e-6,
        6 => 1.1e-5,
        _ => f64::INFINITY,
    };
    points * (1.0 + in_channels as f64 / 64.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::winograd_tests::{Problem, difference, noise};
    use super::*;
    use crate::Error;
    use crate::engine::{Isa, Threads};

    type Data = fn(f32) -> f32;

    #[test]
    fn is_the_largest_that_is_measured() -> Result<(), Error> {
        let kinds: [Data; 5] = [|x| x, |x| x.max(0.0), |x| 1.0 + 0.1 * x, |x| x.powi(5), |x| 100.0 + x];
        for in_channels in [3, 64, 256] {
            let mut measured = [0.0f64; 3];
            let mut problem = Problem::new([in_channels, 16], [12, 12], [1; 4]);
            for positive_weights in [false, true] {
                if positive_weights {
                    problem.weight.iter_mut().for_each(|w| *w = w.abs());
                }
                for (seed, kind) in (10..).zip(kinds) {
                    let input: Vec<f32> = noise(in_channels * 12 * 12, seed).into_iter().map(kind).collect();
                    let expected = problem.reference(1, &input, &[]);
                    for isa in Isa::available() {
                        for (m, measured) in [2, 4, 6].into_iter().zip(&mut measured) {
                            let kernel = problem.kernel(m, isa)?;
                            let found = problem.run(&kernel, isa, 1, &input, &[], &Threads::one());
                            *measured = measured.max(difference(&found, &expected));
                        }
                    }
                }
            }
            for (m, measured) in [2, 4, 6].into_iter().zip(measured) {
                let expected = error(m, in_channels);
                println!("m = {m}, {in_channels} channels: {measured:.1e}, expected at most {expected:.1e}");
                assert!(
                    (expected / 3.0..expected).contains(&measured),
                    "m = {m}, {in_channels} channels: {measured:e}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn tolerance_allows() {
        let cases = [(2, 4096, true), (4, 3, true), (4, 512, true), (4, 2048, false), (6, 3, false), (3, 3, false)];
        for (m, in_channels, allowed) in cases {
            assert_eq!(error(m, in_channels) <= LAYER_TOLERANCE, allowed, "m={m} C={in_channels}");
        }
    }
}
