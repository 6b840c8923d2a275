//! The history that reduce-on-plateau needs.

use crate::schedule::{Curve, Mode, ReduceOnPlateau, Schedule, ThresholdMode};
use serde::{Deserialize, Serialize};

/// What [`ReduceOnPlateau`] has seen: part of a checkpoint. For every other curve it changes nothing.
///
/// ```
/// use cnn_recipe::{Plateau, Schedule};
///
/// let schedule: Schedule = "reduce_on_plateau(factor = 0.5, patience = 1)".parse()?;
/// let mut plateau = Plateau::default();
/// for loss in [1.0, 0.9, 0.95, 0.92] {
///     plateau.observe(&schedule, loss);
/// }
/// assert_eq!(plateau.rate(&schedule, 0.1, 4), 0.05);
/// # Ok::<(), cnn_recipe::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    /// The best metric so far; none before the first that is a number.
    best: Option<f64>,
    /// Observations since then that were no better.
    bad: u64,
    /// Observations that are still not counted.
    cooldown: u64,
    /// How often the rate has fallen.
    falls: u64,
}

impl Plateau {
    /// Takes note of a metric, usually once an epoch. NaN is no better than anything.
    pub fn observe(&mut self, schedule: &Schedule, metric: f64) {
        let Curve::ReduceOnPlateau(plateau) = &schedule.curve else { return };
        if plateau.is_better(metric, self.best) {
            self.best = Some(metric);
            self.bad = 0;
        } else {
            self.bad = self.bad.saturating_add(1);
        }
        if self.cooldown > 0 {
            self.cooldown -= 1;
            self.bad = 0;
        }
        if self.bad > plateau.patience {
            self.falls = self.falls.saturating_add(1);
            self.cooldown = plateau.cooldown;
            self.bad = 0;
        }
    }

    /// The learning rate of a step: [`Schedule::rate`] of the base rate after all falls.
    pub fn rate(&self, schedule: &Schedule, base: f64, step: u64) -> f64 {
        let Curve::ReduceOnPlateau(plateau) = &schedule.curve else { return schedule.rate(base, step) };
        let mut rate = base;
        for _ in 0..self.falls {
            let next = (rate * plateau.factor).max(plateau.min);
            let fall = rate - next;
            if fall.is_nan() || fall <= plateau.eps {
                // All further falls are as small.
                break;
            }
            rate = next;
        }
        schedule.rate(rate, step)
    }
}

impl ReduceOnPlateau {
    fn is_better(&self, metric: f64, best: Option<f64>) -> bool {
        let worst = if self.mode == Mode::Min { f64::INFINITY } else { f64::NEG_INFINITY };
        let best = best.unwrap_or(worst);
        match (self.mode, self.threshold_mode) {
            (Mode::Min, ThresholdMode::Rel) => metric < best * (1.0 - self.threshold),
            (Mode::Min, ThresholdMode::Abs) => metric < best - self.threshold,
            (Mode::Max, ThresholdMode::Rel) => metric > best * (1.0 + self.threshold),
            (Mode::Max, ThresholdMode::Abs) => metric > best + self.threshold,
        }
    }
}
