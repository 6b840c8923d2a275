//! t-SNE: many numbers for every example become a place on a plane, such that neighbours stay neighbours.
//!
//! Laurens van der Maaten, Geoffrey Hinton, "Visualizing Data using t-SNE", Journal of Machine Learning Research 9, 2008.
//! This is the exact method, whose time grows with the square of the number of points. Early exaggeration by 12 is from
//! Laurens van der Maaten, "Accelerating t-SNE using Tree-Based Algorithms", JMLR 15, 2014; the learning rate of n/48 and
//! at least 50 from Anna C. Belkina et al., "Automated optimized parameters for T-distributed stochastic neighbor
//! embedding", Nature Communications 10, 2019.
//!
//! The same values and the same seed give the same places, bit for bit, on any number of threads.

mod affinities;
mod forces;
#[cfg(test)]
mod tests;

use cnn_data::Random;
use forces::Forces;

/// The most points: the table of their affinities has as many rows and columns, 100 MB of them.
pub const MAX_TSNE_POINTS: usize = 5000;

/// For how many of the first iterations affinities are larger and momentum is smaller.
const EARLY: usize = 250;
const EXAGGERATION: f32 = 12.0;
/// The standard deviation of the first places.
const SPREAD: f32 = 1e-4;

/// How places are sought.
#[derive(Debug, Clone, PartialEq)]
pub struct TsneOptions {
    /// How many neighbours count, about; from 1. Few points have at most a third of their number.
    pub perplexity: f32,
    /// How often all places are bettered.
    pub iterations: usize,
    /// What the first places are drawn from.
    pub seed: u64,
    /// On how many threads; 0 is all that the machine has. The places do not depend on it.
    pub threads: usize,
}

impl Default for TsneOptions {
    fn default() -> Self {
        Self { perplexity: 30.0, iterations: 1000, seed: 0, threads: 0 }
    }
}

/// What is wrong with the values for t-SNE.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TsneError {
    /// Values that are not whole rows.
    #[error("{values} values are no rows of {width}; give every point {width} values")]
    Rows {
        /// How many values there are.
        values: usize,
        /// How many a row has.
        width: usize,
    },

    /// More points than [`MAX_TSNE_POINTS`].
    #[error(
        "t-SNE of {points} points takes too much memory and time; give at most {MAX_TSNE_POINTS}, chosen at random"
    )]
    Points {
        /// How many there are.
        points: usize,
    },

    /// A value that is not finite, or too large to be squared.
    #[error("point {point} has the value {value} at {index}; leave the point out or look for what made the value")]
    Value {
        /// The point, counted from 0.
        point: usize,
        /// The place of the value in its row, counted from 0.
        index: usize,
        /// The value.
        value: f32,
    },

    /// A perplexity below 1 or not finite.
    #[error("the perplexity is {0}; give a number from 1, such as 30")]
    Perplexity(f32),
}

/// Places on a plane for the rows of `values`, `width` numbers each: for instance the inputs of a network's last layer.
///
/// 2 000 rows of 84 take seconds; the distances between groups and their sizes mean nothing.
///
/// ```
/// use cnn_train::{TsneOptions, tsne};
///
/// # fn main() -> Result<(), cnn_train::TsneError> {
/// // Ten points around (0, 0, 0), ten around (9, 9, 9).
/// let values: Vec<f32> = (0..60).map(|i| if i < 30 { 0.0 } else { 9.0 } + (i * 7 % 5) as f32 * 0.1).collect();
/// let places = tsne(&values, 3, &TsneOptions::default())?;
/// let distance = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
/// assert!(distance(places[0], places[1]) < distance(places[0], places[19]));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the values are not whole rows or not finite, when there are more than [`MAX_TSNE_POINTS`] points, or when the
/// perplexity is below 1.
pub fn tsne(values: &[f32], width: usize, options: &TsneOptions) -> Result<Vec<[f32; 2]>, TsneError> {
    let points = check(values, width, options)?;
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    // No more threads than there are points for them to be worth starting in every iteration.
    let threads = threads.min(points.div_ceil(128)).max(1);
    let perplexity = options.perplexity.min((points.saturating_sub(1)) as f32 / 3.0).max(1.0);
    let affinities = affinities::joint(values, width, perplexity, threads);
    let mut random = Random::new(options.seed);
    let mut axes = [Axis::new(points, &mut random), Axis::new(points, &mut random)];

    let rate = (points as f32 / EXAGGERATION / 4.0).max(50.0);
    let mut forces = vec![Forces::default(); points];
    for iteration in 0..options.iterations {
        let (exaggeration, momentum) = if iteration < EARLY { (EXAGGERATION, 0.5) } else { (1.0, 0.8) };
        forces::compute(&affinities, &axes[0].places, &axes[1].places, threads, &mut forces);
        let total: f64 = forces.iter().map(|forces| f64::from(forces.weight)).sum();
        // One point alone has no weight, and no force that it could divide.
        let scale = if total > 0.0 { (1.0 / total) as f32 } else { 0.0 };
        for (number, axis) in axes.iter_mut().enumerate() {
            for (point, forces) in forces.iter().enumerate() {
                let gradient = 4.0 * (exaggeration * forces.attraction[number] - scale * forces.repulsion[number]);
                axis.step(point, gradient, rate, momentum);
            }
            axis.centre();
        }
    }
    let [x, y] = axes;
    Ok(x.places.into_iter().zip(y.places).map(|(x, y)| [x, y]).collect())
}

/// How many points there are.
fn check(values: &[f32], width: usize, options: &TsneOptions) -> Result<usize, TsneError> {
    if !(options.perplexity >= 1.0 && options.perplexity.is_finite()) {
        return Err(TsneError::Perplexity(options.perplexity));
    }
    if (width == 0 && !values.is_empty()) || !values.len().is_multiple_of(width.max(1)) {
        return Err(TsneError::Rows { values: values.len(), width });
    }
    let points = values.len() / width.max(1);
    if points > MAX_TSNE_POINTS {
        return Err(TsneError::Points { points });
    }
    // Squares of larger values, summed over a row, could be infinite.
    match values.iter().position(|value| value.is_nan() || value.abs() > 1e15) {
        Some(at) => Err(TsneError::Value { point: at / width, index: at % width, value: values[at] }),
        None => Ok(points),
    }
}

/// The points along one axis, and how they move: gradient descent with momentum, and a gain for every point that grows
/// while its direction stays (Robert A. Jacobs, "Increased rates of convergence through learning rate adaptation", 1988).
struct Axis {
    places: Vec<f32>,
    velocity: Vec<f32>,
    gain: Vec<f32>,
}

impl Axis {
    fn new(points: usize, random: &mut Random) -> Self {
        let places = (0..points).map(|_| SPREAD * random.normal()).collect();
        Self { places, velocity: vec![0.0; points], gain: vec![1.0; points] }
    }

    fn step(&mut self, point: usize, gradient: f32, rate: f32, momentum: f32) {
        let (velocity, gain) = (&mut self.velocity[point], &mut self.gain[point]);
        let turns = (gradient > 0.0) == (*velocity > 0.0);
        *gain = if turns { (*gain * 0.8).max(0.01) } else { *gain + 0.2 };
        *velocity = momentum * *velocity - rate * *gain * gradient;
        self.places[point] += *velocity;
    }

    fn centre(&mut self) {
        let mean = self.places.iter().map(|place| f64::from(*place)).sum::<f64>() / self.places.len().max(1) as f64;
        self.places.iter_mut().for_each(|place| *place -= mean as f32);
    }
}
