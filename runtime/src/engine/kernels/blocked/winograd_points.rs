//! The points of Winograd's convolutions, and what follows from them.
//!
//! F(m×m, 3×3) multiplies polynomials: it evaluates m + 2 inputs and 3 weights at m + 1 points and at infinity, multiplies
//! there, and interpolates m outputs; of 5×5 weights, with the same points, m − 2. With the points 0, ±p₁, …, ±pₙ all three
//! are sums over even and odd powers that a pair of points shares, so one algorithm over N = m/2 pairs serves every m.

/// The points of F(2·N), besides 0 and infinity.
pub(crate) trait Points<const N: usize> {
    const TABLE: Table<N>;
}

/// ±1: all products are exact or halves.
pub(crate) struct F2;
/// ±5/8, ±3/2: of all pairs of sixteenths those with the least error, a third of that of ±1, ±2. Their squares and
/// products are exact in f32.
pub(crate) struct F4;
/// ±1/2, ±1, ±2: of all triples of eighths those with the least error.
pub(crate) struct F6;

impl Points<1> for F2 {
    const TABLE: Table<1> = Table::new([1.0]);
}

impl Points<2> for F4 {
    const TABLE: Table<2> = Table::new([0.625, 1.5]);
}

impl Points<3> for F6 {
    const TABLE: Table<3> = Table::new([0.5, 1.0, 2.0]);
}

/// Coefficients for the points 0, ±p₁, …, ±pₙ and infinity, which are numbered in this order, + before −.
pub(crate) struct Table<const N: usize> {
    pub points: [f64; N],
    /// `power[i][k]` = pₖⁱ.
    pub power: [[f64; N]; 8],
    /// `others[k][j]`: the coefficient of x²ʲ in ∏ (x² − pᵢ²) over i ≠ k; that of the highest power is 1.
    pub others: [[f64; N]; N],
    /// `all[j]`: the coefficient of x²ʲ in ∏ (x² − pᵢ²) over all i, but for the highest power, where it is 1.
    pub all: [f64; N],
}

impl<const N: usize> Table<N> {
    const fn new(points: [f64; N]) -> Self {
        let mut table = Self { points, power: [[1.0; N]; 8], others: [[0.0; N]; N], all: [0.0; N] };
        let mut k = 0;
        while k < N {
            let mut i = 1;
            while i < 8 {
                table.power[i][k] = table.power[i - 1][k] * points[k];
                i += 1;
            }
            table.others[k] = product(&points, k);
            k += 1;
        }
        table.all = product(&points, N);
        table
    }

    /// What a weight's transform divides by at the points ±pₖ: ∏ (p − q) over all other points q.
    pub const fn divisor(&self, k: usize) -> f64 {
        let square = self.points[k] * self.points[k];
        let (mut product, mut i) = (2.0 * square, 0);
        while i < N {
            if i != k {
                product *= square - self.points[i] * self.points[i];
            }
            i += 1;
        }
        product
    }
}

/// The coefficients of ∏ (x² − p²) over the points but one, lowest first; with all N points the highest, 1, is left out.
const fn product<const N: usize>(points: &[f64; N], without: usize) -> [f64; N] {
    let mut product = [0.0; N];
    product[0] = 1.0;
    let mut k = 0;
    while k < N {
        if k != without {
            let square = points[k] * points[k];
            let mut j = N - 1;
            while j > 0 {
                product[j] = product[j - 1] - square * product[j];
                j -= 1;
            }
            product[0] *= -square;
        }
        k += 1;
    }
    product
}
