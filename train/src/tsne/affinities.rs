//! How near every two points are to each other, as probabilities.

/// How often the width of a point's neighbourhood is halved in the search.
const SEARCH: usize = 64;

/// The joint probabilities p(i, j) of all pairs, row after row, which sum to 1: the mean of the conditional ones.
pub fn joint(values: &[f32], width: usize, perplexity: f32, threads: usize) -> Vec<f32> {
    let points = values.len() / width.max(1);
    let conditional = conditional(values, width, perplexity, threads);
    let mut joint = vec![0.0; points * points];
    for i in 0..points {
        for j in 0..points {
            joint[i * points + j] = (conditional[i * points + j] + conditional[j * points + i]) / (2 * points) as f32;
        }
    }
    joint
}

/// The probabilities p(j | i): a row for every point i, whose sum is 1 and whose perplexity is the given one.
pub fn conditional(values: &[f32], width: usize, perplexity: f32, threads: usize) -> Vec<f32> {
    let points = values.len() / width.max(1);
    let mut rows = vec![0.0; points * points];
    let share = points.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        for (index, rows) in rows.chunks_mut((share * points).max(1)).enumerate() {
            scope.spawn(move || {
                for (i, row) in (index * share..).zip(rows.chunks_exact_mut(points)) {
                    let own = &values[i * width..][..width];
                    for (distance, other) in row.iter_mut().zip(values.chunks_exact(width)) {
                        *distance = squared_distance(own, other);
                    }
                    neighbourhood(row, i, perplexity);
                }
            });
        }
    });
    rows
}

fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a_rows, a_rest) = a.as_chunks::<LANES>();
    let (b_rows, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_rows.iter().zip(b_rows) {
        for lane in 0..LANES {
            sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b)).sum();
    sums.iter().sum::<f32>() + rest
}

/// Turns the squared distances from a point to all into probabilities: of a normal distribution whose width is sought by
/// halving until it has the perplexity.
fn neighbourhood(row: &mut [f32], own: usize, perplexity: f32) {
    let others = |row: &[f32]| -> Vec<f64> {
        row.iter().enumerate().filter(|(j, _)| *j != own).map(|(_, distance)| f64::from(*distance)).collect()
    };
    let distances = others(row);
    // Differences to the nearest leave the probabilities as they are, and the largest exponential 1.
    let nearest = distances.iter().copied().fold(f64::INFINITY, f64::min);
    let mean = distances.iter().map(|distance| distance - nearest).sum::<f64>() / distances.len().max(1) as f64;
    let target = f64::from(perplexity).ln();
    // The precision in units of the distances' own scale.
    let (mut low, mut high, mut beta) = (0.0, f64::INFINITY, 1.0 / if mean > 0.0 { mean } else { 1.0 });
    for _ in 0..SEARCH {
        let (mut sum, mut weighted) = (0.0, 0.0);
        for distance in &distances {
            let weight = (-beta * (distance - nearest)).exp();
            sum += weight;
            weighted += weight * (distance - nearest);
        }
        let entropy = sum.ln() + beta * weighted / sum;
        if (entropy - target).abs() < 1e-5 {
            break;
        }
        if entropy > target {
            low = beta
        } else {
            high = beta
        }
        beta = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * beta };
    }
    let sum: f64 = distances.iter().map(|distance| (-beta * (distance - nearest)).exp()).sum();
    for (j, value) in row.iter_mut().enumerate() {
        let weight = (-beta * (f64::from(*value) - nearest)).exp() / sum;
        *value = if j == own { 0.0 } else { weight as f32 };
    }
}
