//! Norms with every option.

use super::Problem;
use cnn_ir::Op;
use cnn_ir::ops::{BatchNormSpec, GroupNormSpec, InstanceNormSpec, LayerNormSpec, LocalResponseNormSpec};

pub fn problems() -> Vec<Problem> {
    let mut cases: Vec<(Op, Vec<usize>)> = Vec::new();
    let mut on = |shape: &[usize], op: Op| cases.push((op, shape.to_vec()));

    for shape in [&[1][..], &[37], &[5, 9], &[3, 7, 5], &[2, 3, 4, 5], &[3, 1, 1], &[2, 40, 41]] {
        let norm = || BatchNormSpec::new(shape[0]);
        on(shape, norm().into());
        on(shape, BatchNormSpec { affine: false, ..norm() }.into());
        on(shape, BatchNormSpec { eps: 0.25, momentum: 0.5, ..norm() }.into());
    }

    for shape in [&[6][..], &[6, 9], &[6, 7, 5], &[6, 3, 4, 5], &[6, 40, 41]] {
        for groups in [1, 2, 3] {
            on(shape, GroupNormSpec::new(groups, 6).into());
        }
        on(shape, GroupNormSpec { affine: false, ..GroupNormSpec::new(2, 6) }.into());
        on(shape, GroupNormSpec { eps: 0.25, ..GroupNormSpec::new(2, 6) }.into());
        for axes in 1..=shape.len() {
            let norm = || LayerNormSpec::new(&shape[shape.len() - axes..]);
            on(shape, norm().into());
            on(shape, LayerNormSpec { elementwise_affine: false, ..norm() }.into());
            on(shape, LayerNormSpec { bias: false, eps: 0.25, ..norm() }.into());
        }
        if shape.len() > 1 {
            on(shape, InstanceNormSpec::new(6).into());
            on(shape, InstanceNormSpec { affine: true, eps: 0.25, ..InstanceNormSpec::new(6) }.into());
            for size in [1, 2, 5, 6, 40] {
                on(shape, LocalResponseNormSpec::new(size).into());
                on(
                    shape,
                    LocalResponseNormSpec { alpha: 0.5, beta: 0.5, k: 2.0, ..LocalResponseNormSpec::new(size) }.into(),
                );
            }
            on(shape, LocalResponseNormSpec { alpha: 0.5, ..LocalResponseNormSpec::new(3) }.into());
        }
    }
    on(&[6, 1, 1], GroupNormSpec::new(2, 6).into());

    // Batches of 1, 2 and 3 in turn.
    let cases = cases.into_iter().enumerate();
    cases.map(|(i, (op, shape))| Problem::computed(&format!("norm {i}"), op, 1 + i % 3, &shape, 2.0)).collect()
}
