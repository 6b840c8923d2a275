//! Ops with several inputs.

use super::Problem;
use cnn_ir::ops::{AddSpec, ConcatSpec, MulSpec};

pub fn problems() -> Vec<Problem> {
    let add = |batch, count, shape: &[usize]| Problem::of_several("add", AddSpec::new(), batch, &vec![shape; count]);
    let mul = |batch, shapes: &[&[usize]]| Problem::of_several("mul", MulSpec::new(), batch, shapes);
    let concat = |dim, shapes: &[&[usize]]| Problem::of_several("concat", ConcatSpec { dim }, 2, shapes);
    vec![
        add(1, 2, &[1]),
        add(3, 2, &[5]),
        add(2, 3, &[3, 7, 5]),
        add(1, 7, &[2, 3, 4, 5]),
        add(2, 2, &[3, 40, 41]),
        mul(3, &[&[5], &[5]]),
        mul(2, &[&[3, 4, 5][..]; 3]),
        mul(2, &[&[3, 7, 5], &[3, 1, 1]]),
        mul(1, &[&[3, 1, 1], &[3, 7, 5]]),
        mul(3, &[&[2, 1, 1], &[2, 5, 5], &[2, 5, 5], &[2, 1, 1]]),
        mul(2, &[&[4, 1, 1], &[4, 1, 1]]),
        mul(1, &[&[3, 40, 41], &[3, 1, 1]]),
        concat(1, &[&[5]]),
        concat(1, &[&[5], &[1], &[3]]),
        concat(1, &[&[3, 4, 5], &[1, 4, 5]]),
        concat(2, &[&[3, 4, 5], &[3, 1, 5], &[3, 2, 5]]),
        concat(3, &[&[3, 4, 5], &[3, 4, 1]]),
        concat(1, &[&[2, 3][..]; 9]),
    ]
}
