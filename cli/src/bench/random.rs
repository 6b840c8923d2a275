//! Weights and inputs from a fixed seed, for when only the time of a network matters.

use cnn::{Error, Network, Tensor, Weights};

/// Weights that keep values of the size that they have: uniform with the variance 1 / fan-in for convolutions and dense
/// layers, 1 ± 0.5 for the weights and variances of norms, ± 0.1 for the rest. The same for the same network.
pub fn random_weights(network: &Network) -> Result<Weights, Error> {
    let mut random = Random::default();
    let tensors = network.parameters().into_iter().map(|parameter| {
        let kind = parameter.name.rsplit('.').next().unwrap_or_default();
        let fan_in: usize = parameter.shape.iter().skip(1).product();
        let (centre, spread) = match kind {
            "weight" if parameter.shape.len() > 1 => (0.0, (3.0 / fan_in.max(1) as f32).sqrt()),
            "weight" | "running_var" => (1.0, 0.5),
            _ => (0.0, 0.1),
        };
        let tensor = random.tensor(&parameter.shape, centre, spread)?;
        Ok((parameter.name, tensor))
    });
    Weights::from_tensors(tensors.collect::<Result<Vec<_>, Error>>()?)
}

/// A batch of values from −1 to 1 for each input.
pub fn random_inputs(network: &Network, batch: usize) -> Result<Vec<Tensor>, Error> {
    let mut random = Random::default();
    let shapes = network.inputs.iter().map(|input| [&[batch], &input.shape[..]].concat());
    shapes.map(|shape| random.tensor(&shape, 0.0, 1.0)).collect()
}

/// splitmix64, from Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Debug, Default)]
struct Random(u64);

impl Random {
    /// From −1 to 1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The top 24 bits, which f32 holds exactly.
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn tensor(&mut self, shape: &[usize], centre: f32, spread: f32) -> Result<Tensor, Error> {
        let mut tensor = Tensor::zeros(shape)?;
        tensor.data_mut().fill_with(|| centre + spread * self.next());
        Ok(tensor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fill_the_range_and_repeat() {
        let mut random = Random::default();
        let values: Vec<f32> = (0..10_000).map(|_| random.next()).collect();
        assert!(values.iter().all(|value| (-1.0..1.0).contains(value)));
        let mean = values.iter().sum::<f32>() / 10_000.0;
        let variance = values.iter().map(|value| value * value).sum::<f32>() / 10_000.0;
        assert!(mean.abs() < 0.02 && (variance - 1.0 / 3.0).abs() < 0.01, "{mean} {variance}");
        let mut again = Random::default();
        assert!(values.iter().all(|value| *value == again.next()));
    }
}
