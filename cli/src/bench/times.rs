//! Times of many runs: how they are taken, and what is said of them.

use crate::failure::Failure;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Medians of the first and the second half of the runs that are closer than this are steady.
const STEADY: f64 = 0.05;

/// Runs that are not steady go on for at most this many times as long.
const PATIENCE: u32 = 3;

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// At least this many runs,
    pub runs: usize,
    /// and at least this long.
    pub time: Duration,
}

/// Seconds of runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Times {
    pub median: f64,
    pub min: f64,
    /// Nine of ten runs took no longer.
    pub p90: f64,
    pub runs: usize,
    /// How far the medians of the two halves of the runs are apart, as a part of the smaller.
    pub drift: f64,
}

impl Times {
    /// The figures of these seconds; all zero when there are none.
    pub fn of(seconds: &[f64]) -> Self {
        let (first, second) = seconds.split_at(seconds.len() / 2);
        let (first, second) = (quantile(first, 0.5), quantile(second, 0.5));
        let (less, more) = (first.min(second), first.max(second));
        Self {
            median: quantile(seconds, 0.5),
            min: quantile(seconds, 0.0),
            p90: quantile(seconds, 0.9),
            runs: seconds.len(),
            drift: if less > 0.0 { more / less - 1.0 } else { 0.0 },
        }
    }

    /// Whether the second half of the runs was like the first.
    pub fn are_steady(&self) -> bool {
        self.drift <= STEADY
    }
}

/// The smallest value that this part of all values does not exceed.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Calls `run` until its times are steady, after a tenth of the time, and three runs, to warm up. What `run` returns is
/// kept of every call that counts, beside the seconds that it took.
pub fn measure<T>(plan: Plan, mut run: impl FnMut() -> Result<T, Failure>) -> Result<(Times, Vec<T>), Failure> {
    let (started, mut warm) = (Instant::now(), 0);
    while warm < 3 || started.elapsed() < plan.time / 10 {
        run()?;
        warm += 1;
    }
    let (mut seconds, mut results) = (Vec::new(), Vec::new());
    let (started, mut longer) = (Instant::now(), 1);
    loop {
        let start = Instant::now();
        let result = run()?;
        seconds.push(start.elapsed().as_secs_f64());
        results.push(result);
        if seconds.len() < plan.runs || started.elapsed() < plan.time * longer {
            continue;
        }
        let times = Times::of(&seconds);
        if times.are_steady() || longer >= PATIENCE {
            return Ok((times, results));
        }
        longer += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_times() {
        let times = Times::of(&[3.0, 1.0, 2.0, 4.0, 5.0, 9.0, 6.0, 7.0, 8.0, 10.0]);
        assert_eq!((times.median, times.min, times.p90, times.runs), (5.0, 1.0, 9.0, 10));
        // 3 before, 8 behind.
        assert!((times.drift - 5.0 / 3.0).abs() < 1e-12 && !times.are_steady());
        assert!(Times::of(&[2.0, 2.0, 2.0, 2.05]).are_steady());
        for few in [&[][..], &[1.0]] {
            assert_eq!(Times::of(few).drift, 0.0);
        }
    }

    #[test]
    fn runs_are_counted_without_the_warm_up() {
        let plan = Plan { runs: 5, time: Duration::ZERO };
        let mut calls = 0;
        let (times, results) = measure(plan, || {
            calls += 1;
            Ok(calls)
        })
        .unwrap_or_else(|_| unreachable!());
        assert_eq!(results.first(), Some(&4), "three runs warm up");
        assert!(times.runs >= 5 && times.runs == results.len());
        assert!(measure(plan, || Err::<(), _>(Failure::Reported)).is_err());
    }
}
