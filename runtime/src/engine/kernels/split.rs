//! Work cut into tasks for threads.

use crate::engine::Threads;
use std::ops::Range;

/// Elements that a task touches at least: a few microseconds' work.
const GRAIN: usize = 1 << 17;

/// Fewer tasks than these are not worth waking a thread.
const MIN_TASKS: usize = 4;

/// Calls `task` with parts of `0..units` that cover it. `elements` says how many one unit touches, again and again
/// counted each time.
///
/// What a unit's result is must not depend on its part: the parts depend on the number of threads.
pub(crate) fn split(threads: &Threads, units: usize, elements: usize, task: impl Fn(Range<usize>) + Sync) {
    let size = GRAIN.div_ceil(elements.max(1));
    let tasks = units.div_ceil(size);
    if threads.count() == 1 || tasks < MIN_TASKS {
        return task(0..units);
    }
    threads.run(tasks, |number, _| task(number * size..units.min((number + 1) * size)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_unit_is_done_once() -> Result<(), crate::Error> {
        for threads in [Threads::one(), Threads::new(3)?] {
            for (units, elements) in [(0, 1), (1, usize::MAX), (7, GRAIN), (1000, 1000), (1_000_000, 1), (5, 0)] {
                let done: Vec<AtomicUsize> = (0..units).map(|_| AtomicUsize::new(0)).collect();
                split(&threads, units, elements, |part| {
                    for unit in &done[part] {
                        unit.fetch_add(1, Ordering::Relaxed);
                    }
                });
                assert!(done.iter().all(|unit| unit.load(Ordering::Relaxed) == 1), "{units} of {elements}");
            }
        }
        Ok(())
    }
}
