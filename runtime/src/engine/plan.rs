//! Where values live in the arena.
//!
//! Sizes and offsets are per example: a plan holds for every batch, multiplied by it. Sizes are rounded up to cache
//! lines, so that values start on them for every batch.

use super::kernels::gemm::round_up;

/// A value that needs memory from the step that makes it to the last that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// Elements of one example.
    pub elements: usize,
    pub first: usize,
    pub last: usize,
}

/// Offsets for all values, and the arena's elements per example; `None` when they cannot be counted.
///
/// Largest first, each at the lowest place that is free during its lifetime (Pisarchyk and Lee, "Efficient Memory
/// Management for Deep Neural Net Inference", 2020: greedy by size).
pub(crate) fn plan(values: &[Lifetime]) -> Option<(Vec<usize>, usize)> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(values[i].elements), values[i].first));
    let mut offsets = vec![0; values.len()];
    let mut total = 0usize;
    // What is placed and alive at each step: long networks of short-lived values stay cheap.
    let steps = values.iter().map(|value| value.last + 1).max().unwrap_or(0);
    let mut alive: Vec<Vec<usize>> = vec![Vec::new(); steps];
    for i in order {
        let (value, size) = (values[i], round_up(values[i].elements));
        let mut others: Vec<usize> = alive[value.first..=value.last].concat();
        others.sort_unstable_by_key(|&other| (offsets[other], other));
        others.dedup();
        let mut offset = 0usize;
        for other in others {
            if offset.checked_add(size)? > offsets[other] {
                offset = offset.max(offsets[other].checked_add(round_up(values[other].elements))?);
            }
        }
        offsets[i] = offset;
        total = total.max(offset.checked_add(size)?);
        alive[value.first..=value.last].iter_mut().for_each(|step| step.push(i));
    }
    Some((offsets, total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chain_needs_two_neighbours_at_a_time() {
        let chain: Vec<Lifetime> = (0..5).map(|i| Lifetime { elements: 16, first: i, last: i + 1 }).collect();
        let (offsets, total) = plan(&chain).unwrap();
        assert_eq!(total, 32);
        assert_eq!(offsets, [0, 16, 0, 16, 0]);
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        let huge = Lifetime { elements: usize::MAX - 64, first: 0, last: 1 };
        assert_eq!(plan(&[huge, huge]), None);
    }

    proptest! {
        #[test]
        fn values_alive_together_never_overlap(
            values in prop::collection::vec((1usize..100, 0usize..20, 0usize..5), 1..30)
        ) {
            let values: Vec<Lifetime> =
                values.into_iter().map(|(elements, first, more)| Lifetime { elements, first, last: first + more }).collect();
            let (offsets, total) = plan(&values).unwrap();
            for (i, a) in values.iter().enumerate() {
                prop_assert!(offsets[i] % 16 == 0 && offsets[i] + a.elements <= total);
                for (j, b) in values.iter().enumerate().skip(i + 1) {
                    let together = a.first <= b.last && b.first <= a.last;
                    let apart = offsets[i] + a.elements <= offsets[j] || offsets[j] + b.elements <= offsets[i];
                    prop_assert!(!together || apart);
                }
            }
        }
    }
}
