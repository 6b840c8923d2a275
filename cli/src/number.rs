//! Numbers for people.

/// The digits in groups of three: `61 706`.
pub fn grouped(value: u128) -> String {
    cnn::group_digits(value, " ")
}

/// A probability as a percentage with one decimal.
pub fn percent(probability: f64) -> String {
    format!("{:.1} %", 100.0 * probability)
}
