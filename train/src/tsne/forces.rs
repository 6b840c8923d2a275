//! What draws every point to the others and what drives it from them.

/// How many pairs are computed side by side; it fixes the order of the sums.
const LANES: usize = 8;

/// Sums over all other points j, with w = 1 / (1 + d²) of the distance d on the plane.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forces {
    /// p(i, j)·w·(y(i) − y(j)).
    pub attraction: [f32; 2],
    /// w²·(y(i) − y(j)), to be divided by the weight of all points.
    pub repulsion: [f32; 2],
    /// w.
    pub weight: f32,
}

/// The forces on all points. A point's forces do not depend on the thread that computes them.
pub fn compute(affinities: &[f32], x: &[f32], y: &[f32], threads: usize, forces: &mut [Forces]) {
    let points = forces.len();
    let share = points.div_ceil(threads).max(1);
    let work = |first: usize, forces: &mut [Forces]| {
        for (i, forces) in (first..).zip(forces) {
            *forces = of_point(&affinities[i * points..][..points], x, y, [x[i], y[i]]);
        }
    };
    if threads == 1 {
        return work(0, forces);
    }
    std::thread::scope(|scope| {
        for (index, forces) in forces.chunks_mut(share).enumerate() {
            scope.spawn(move || work(index * share, forces));
        }
    });
}

fn of_point(affinities: &[f32], x: &[f32], y: &[f32], own: [f32; 2]) -> Forces {
    let mut lanes = [[0.0; LANES]; 5];
    let (p_rows, p_rest) = affinities.as_chunks::<LANES>();
    let (x_rows, x_rest) = x.as_chunks::<LANES>();
    let (y_rows, y_rest) = y.as_chunks::<LANES>();
    for ((p, x), y) in p_rows.iter().zip(x_rows).zip(y_rows) {
        add(&mut lanes, p, x, y, own);
    }
    let mut sums = lanes.map(|lanes| lanes.iter().sum::<f32>());
    let mut rest = [[0.0; 1]; 5];
    for ((p, x), y) in p_rest.iter().zip(x_rest).zip(y_rest) {
        add(&mut rest, &[*p], &[*x], &[*y], own);
    }
    for (sum, [rest]) in sums.iter_mut().zip(rest) {
        *sum += rest;
    }
    // The point itself has the weight 1 and no forces.
    Forces { attraction: [sums[0], sums[1]], repulsion: [sums[2], sums[3]], weight: sums[4] - 1.0 }
}

#[inline(always)]
fn add<const N: usize>(sums: &mut [[f32; N]; 5], p: &[f32; N], x: &[f32; N], y: &[f32; N], own: [f32; 2]) {
    for lane in 0..N {
        let (dx, dy) = (own[0] - x[lane], own[1] - y[lane]);
        let weight = 1.0 / (1.0 + dx * dx + dy * dy);
        let (pull, push) = (p[lane] * weight, weight * weight);
        sums[0][lane] += pull * dx;
        sums[1][lane] += pull * dy;
        sums[2][lane] += push * dx;
        sums[3][lane] += push * dy;
        sums[4][lane] += weight;
    }
}
