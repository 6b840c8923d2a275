//! Which learning rate suits, by the losses of a search in which the rate rises by the same factor from step to step.

/// The share of its beginning by which a loss must fall: less says nothing of a rate.
pub const LEAST_FALL: f64 = 0.2;
/// How much of what was won must be lost again for a valley to be over.
const LOST: f64 = 0.5;
/// How many times the loss before the first step is too much for a beginning.
const EXPLODED: f64 = 4.0;
/// Where the fall begins: with this share of it.
const BEGUN: f64 = 0.1;
/// Steps of which the smoothed loss of one is the mean, as a share of all: so many on either side.
const WIDTH: f64 = 1.0 / 25.0;

/// A step of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub rate: f64,
    pub loss: f64,
    /// Once the search is over; see [`smooth`].
    pub smoothed: f64,
}

/// What the losses say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// They fall fastest here.
    Falls(Point),
    /// They fall by this share at most, which says nothing.
    Flat(f64),
    /// They rise before they fall.
    Rises,
}

/// Sets every step's smoothed loss: the mean of those around it, the nearer the heavier. Both sides count, so that the curve
/// lags in neither direction.
pub fn smooth(points: &mut [Point]) {
    let reach = ((points.len() as f64 * WIDTH).round() as usize).max(2);
    for at in 0..points.len() {
        let around = at.saturating_sub(reach)..(at + reach + 1).min(points.len());
        let (mut sum, mut weights) = (0.0, 0.0);
        for other in around {
            let weight = (reach + 1 - at.abs_diff(other)) as f64;
            sum += weight * points[other].loss;
            weights += weight;
        }
        points[at].smoothed = sum / weights;
    }
}

/// The usual loss at the beginning of a search; not a number where there are no steps.
pub fn beginning(points: &[Point]) -> f64 {
    median(points.iter().take(some_of(points.len())).map(|point| point.loss))
}

/// The usual loss at the end of some steps; not a number where there are none.
pub fn ending(losses: &[f64]) -> f64 {
    median(losses.iter().rev().take(some_of(losses.len())).copied())
}

/// How many steps are taken together.
fn some_of(steps: usize) -> usize {
    (steps / 10).max(5)
}

/// What single bad batches do not change.
fn median(losses: impl Iterator<Item = f64>) -> f64 {
    let mut losses: Vec<f64> = losses.collect();
    losses.sort_by(f64::total_cmp);
    losses.get(losses.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Where the smoothed loss falls fastest with the logarithm of the rate: within its first valley that is deep enough, from
/// where it has begun to fall to the bottom.
pub fn judge(points: &[Point]) -> Verdict {
    if points.is_empty() {
        return Verdict::Flat(0.0);
    }
    let start = beginning(points);
    // The first loss is that before any step.
    if points.first().is_some_and(|first| start > EXPLODED * first.loss) {
        return Verdict::Rises;
    }
    let mut bottom = 0;
    for (at, point) in points.iter().enumerate() {
        if point.smoothed < points[bottom].smoothed {
            bottom = at;
        }
        let won = start - points[bottom].smoothed;
        if won > LEAST_FALL * start && point.smoothed - points[bottom].smoothed > LOST * won {
            break;
        }
    }
    let won = start - points[bottom].smoothed;
    if won <= LEAST_FALL * start.abs() {
        let end = points.last().map_or(start, |point| point.smoothed);
        let rises = end > (1.0 + LEAST_FALL) * start || !end.is_finite();
        return if rises { Verdict::Rises } else { Verdict::Flat((won / start).max(0.0)) };
    }
    let begun = (0..bottom).rev().find(|at| points[*at].smoothed >= start - BEGUN * won).unwrap_or(0);
    let slope = |at: &usize| points[(at + 1).min(bottom)].smoothed - points[at.saturating_sub(1).max(begun)].smoothed;
    let fastest = (begun..=bottom).min_by(|a, b| slope(a).total_cmp(&slope(b)));
    fastest.map_or(Verdict::Flat(0.0), |at| Verdict::Falls(points[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnn_data::Random;

    /// A search of so many steps from 1e-6 to 10, with noise on the losses.
    fn search(steps: usize, noise: f64, loss: impl Fn(f64) -> f64) -> Vec<Point> {
        let (mut random, mut points) = (Random::new(7), Vec::new());
        for step in 0..steps {
            let rate = 10f64.powf(-6.0 + 7.0 * step as f64 / (steps - 1) as f64);
            let loss = loss(rate) + noise * (f64::from(random.unit()) - 0.5);
            points.push(Point { rate, loss, smoothed: loss });
        }
        smooth(&mut points);
        points
    }

    /// From 2.3 down to 0.7 around a rate.
    fn fall(rate: f64, around: f64) -> f64 {
        2.3 - 1.6 / (1.0 + (around / rate).powi(2))
    }

    #[test]
    fn the_steepest_fall_of_the_first_valley_is_found() {
        for (name, steps, noise, loss, expected) in [
            ("clean", 250, 0.0, &(|rate| fall(rate, 1e-2)) as &dyn Fn(f64) -> f64, 1e-2),
            ("few steps", 60, 0.1, &|rate| fall(rate, 1e-2), 1e-2),
            ("noisy", 250, 0.4, &|rate| fall(rate, 1e-3), 1e-3),
            ("diverging", 250, 0.1, &|rate| if rate < 0.1 { fall(rate, 1e-3) } else { 40.0 * rate }, 1e-3),
            // What it learnt is lost, and the noise above falls steeply again and again.
            (
                "lost",
                250,
                0.2,
                &|rate| if rate < 0.03 { fall(rate, 1e-3) } else { 2.3 + (60.0 * rate).sin().abs() },
                1e-3,
            ),
            // A little falls early, most of it late.
            ("twice", 500, 0.05, &|rate| fall(rate, 1e-2) + 0.1 / (1.0 + (rate / 1e-4).powi(2)), 1e-2),
        ] {
            let Verdict::Falls(point) = judge(&search(steps, noise, loss)) else { panic!("{name}: nothing is found") };
            assert!((0.4..2.5).contains(&(point.rate / expected)), "{name}: {point:?}");
        }
    }

    #[test]
    fn where_there_is_no_valley_no_rate_is_made_up() {
        for (name, noise, loss, expected) in [
            ("flat", 0.0, &(|_| 2.3) as &dyn Fn(f64) -> f64, Verdict::Flat(0.0)),
            ("rising", 0.1, &|rate| 2.3 + rate, Verdict::Rises),
            ("at once", 0.1, &|rate| if rate < 1.1e-6 { 2.3 } else { 1e6 / (rate + 1.0) }, Verdict::Rises),
            ("infinite", 0.1, &|rate| if rate < 1.0 { 2.3 } else { f64::INFINITY }, Verdict::Rises),
        ] {
            assert_eq!(judge(&search(250, noise, loss)), expected, "{name}");
        }
        for (name, noise, depth) in [("noise alone", 0.3, 0.0), ("a shallow valley", 0.1, 0.15)] {
            let verdict = judge(&search(250, noise, |rate| 2.3 - 2.3 * depth / (1.0 + 1e-2 / rate)));
            assert!(matches!(verdict, Verdict::Flat(fall) if fall < LEAST_FALL), "{name}: {verdict:?}");
        }
        assert_eq!(judge(&[]), Verdict::Flat(0.0));
    }
}
