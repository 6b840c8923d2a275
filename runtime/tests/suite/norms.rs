//! Norms with every option.

use super::Problem;
use cnn_ir::Op;
use cnn_ir::ops::BatchNormSpec;

pub fn problems() -> Vec<Problem> {
    let mut cases: Vec<(Op, Vec<usize>)> = Vec::new();
    let mut on = |shape: &[usize], op: Op| cases.push((op, shape.to_vec()));

    for shape in [&[1][..], &[37], &[5, 9], &[3, 7, 5], &[2, 3, 4, 5], &[3, 1, 1], &[2, 40, 41]] {
        let norm = || BatchNormSpec::new(shape[0]);
        on(shape, norm().into());
        on(shape, BatchNormSpec { affine: false, ..norm() }.into());
        on(shape, BatchNormSpec { eps: 0.25, momentum: 0.5, ..norm() }.into());
    }

    // Batches of 1, 2 and 3 in turn.
    let cases = cases.into_iter().enumerate();
    cases.map(|(i, (op, shape))| Problem::computed(&format!("norm {i}"), op, 1 + i % 3, &shape, 2.0)).collect()
}
