//! Axes: from values to places, and the round numbers beside them.

/// Values beyond this are gaps, as those that are not finite.
const LARGEST: f64 = 1e100;

/// A range of values on an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// The ends: of the values, or of their logarithms to base 10.
    low: f64,
    high: f64,
    log: bool,
    /// Whether there are only whole numbers.
    whole: bool,
}

impl Axis {
    /// An axis for values, a little longer than they need but not beyond the limits. Values that it cannot show are left
    /// out of account; without any it goes from 0 to 1, or from 1 to 10.
    pub fn new(values: impl Iterator<Item = f64>, log: bool, margin: f64, limits: Option<[f64; 2]>) -> Self {
        let mut axis = Self { low: f64::INFINITY, high: f64::NEG_INFINITY, log, whole: true };
        for value in values {
            let Some(scaled) = axis.scaled(value) else { continue };
            axis.low = axis.low.min(scaled);
            axis.high = axis.high.max(scaled);
            axis.whole &= value.fract() == 0.0;
        }
        if axis.low > axis.high {
            (axis.low, axis.high) = (0.0, 1.0);
        }
        let middle = 0.5 * (axis.low + axis.high);
        let least = (0.1 * middle.abs()).max(if log || axis.whole { 1.0 } else { 1e-6 });
        // A line that is constant, but for rounding, lies in the middle.
        if axis.high - axis.low <= 1e-6 * middle.abs().max(f64::MIN_POSITIVE) {
            (axis.low, axis.high) = (middle - 0.5 * least, middle + 0.5 * least);
        }
        let margin = margin * (axis.high - axis.low);
        (axis.low, axis.high) = (axis.low - margin, axis.high + margin);
        if let Some([low, high]) = limits
            && !log
        {
            // What lies at a limit is still inside of the frame.
            (axis.low, axis.high) = (axis.low.max(low - margin), axis.high.min(high + margin));
        }
        axis
    }

    /// Where a value lies: 0 at the low end, 1 at the high one; nowhere, when it cannot be shown.
    pub fn place(&self, value: f64) -> Option<f64> {
        self.scaled(value).map(|scaled| (scaled - self.low) / (self.high - self.low))
    }

    fn scaled(&self, value: f64) -> Option<f64> {
        let is_shown = value.abs() <= LARGEST && (!self.log || value >= 1.0 / LARGEST);
        is_shown.then(|| if self.log { value.log10() } else { value })
    }

    /// Round numbers on the axis, about `most`, with their places from 0 to 1.
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        if self.log { self.log_ticks(most) } else { self.steps(self.low, self.high, most, self.whole) }
    }

    /// Multiples of 1, 2 or 5 times a power of ten.
    fn steps(&self, low: f64, high: f64, most: usize, whole: bool) -> Vec<(f64, String)> {
        let raw = (high - low) / most.max(1) as f64;
        let power = 10f64.powf(raw.log10().floor());
        let mut step = [1.0, 2.0, 5.0].map(|times| times * power).into_iter().find(|step| *step >= 0.7 * raw);
        if whole {
            step = step.map(|step| step.max(1.0)).or_else(|| (10.0 * power < 1.0).then_some(1.0));
        }
        let step = step.unwrap_or(10.0 * power);
        // A little more than the range, for the rounding of the division.
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        let count = (last - first + 1.0).clamp(0.0, 100.0) as usize;
        (0..count)
            .filter_map(|index| {
                let value = (first + index as f64) * step;
                Some((self.place(value)?, number(value, step)))
            })
            .collect()
    }

    /// Powers of ten; with 2 and 5 times them where there are few; on a short range round steps.
    fn log_ticks(&self, most: usize) -> Vec<(f64, String)> {
        let (first, last) = ((self.low - 1e-9).ceil() as i32, (self.high + 1e-9).floor() as i32);
        let decades = (last - first + 1).max(0) as usize;
        let every = decades.div_ceil(most.max(1)).max(1) as i32;
        let factors: &[f64] = if 3 * decades <= most { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        for power in (first - 1..=last).filter(|power| power.rem_euclid(every) == 0) {
            for factor in factors {
                let value = factor * 10f64.powi(power);
                let place = self.place(value).filter(|place| (-1e-9..=1.0 + 1e-9).contains(place));
                ticks.extend(place.map(|place| (place, number(value, value))));
            }
        }
        if ticks.len() >= 2 {
            return ticks;
        }
        self.steps(10f64.powf(self.low), 10f64.powf(self.high), most, false)
    }
}

/// A number of an axis whose numbers are multiples of `step`.
fn number(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let decimals = -(step.abs().log10() + 1e-9).floor();
    if decimals > 4.0 || value.abs() >= 1e6 {
        // As many digits as the step has.
        let digits = (value.abs().log10().floor() + decimals).clamp(0.0, 12.0) as usize;
        return format!("{value:.digits$e}").replace('-', "−");
    }
    format!("{value:.*}", decimals.max(0.0) as usize).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        let mut wrong = Vec::new();
        for (values, log, most, want) in [
            (vec![0.0, 0.9999], false, 5, "0 0.2 0.4 0.6 0.8"),
            (vec![0.13, 2.31], false, 5, "0.5 1.0 1.5 2.0"),
            (vec![1.0, 5.0], false, 8, "1 2 3 4 5"),
            (vec![1.0, 2.0], false, 8, "1 2"),
            (vec![0.0, 12000.0], false, 6, "0 2000 4000 6000 8000 10000 12000"),
            (vec![0.0, 4e6], false, 4, "0 1e6 2e6 3e6 4e6"),
            (vec![0.0, 2e-5], false, 4, "0 5e−6 1.0e−5 1.5e−5 2.0e−5"),
            (vec![-3.0, 3.0], false, 6, "−3 −2 −1 0 1 2 3"),
            (vec![3.0], false, 6, "3"),
            (vec![0.5], false, 2, "0.48 0.50 0.52"),
            (vec![1e-6, 1.0], true, 8, "1e−6 1e−5 0.0001 0.001 0.01 0.1 1"),
            (vec![1e-30, 1.0], true, 4, "1e−24 1e−16 1e−8 1"),
            (vec![0.02, 2.0], true, 8, "0.02 0.05 0.1 0.2 0.5 1 2"),
            (vec![1.1, 1.4], true, 4, "1.1 1.2 1.3 1.4"),
            (vec![], false, 2, "0 1"),
            (vec![f64::NAN, f64::INFINITY, 1e300], false, 2, "0 1"),
            (vec![-1.0, 0.0], true, 2, "1 10"),
        ] {
            let axis = Axis::new(values.iter().copied(), log, 0.0, None);
            let ticks = axis.ticks(most);
            let texts: Vec<_> = ticks.iter().map(|(_, text)| text.as_str()).collect();
            wrong.extend((texts.join(" ") != want).then(|| format!("{values:?}: {}, not {want}", texts.join(" "))));
            assert!(ticks.iter().all(|(place, _)| (-1e-6..=1.000001).contains(place)), "{ticks:?}");
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_shown_has_no_place() {
        let (linear, log) =
            (Axis::new([0.0, 2.0].into_iter(), false, 0.0, None), Axis::new([1.0].into_iter(), true, 0.0, None));
        for (axis, value, want) in [
            (linear, 1.0, Some(0.5)),
            (linear, f64::NAN, None),
            (linear, f64::NEG_INFINITY, None),
            (linear, f64::MAX, None),
            (log, 1.0, Some(0.5)),
            (log, 0.0, None),
            (log, -1.0, None),
        ] {
            assert_eq!(axis.place(value), want, "{value}");
        }
    }
}
