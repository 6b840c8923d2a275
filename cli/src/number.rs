//! Numbers for people.

/// The digits in groups of three: `61 706`.
pub fn grouped(value: u128) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A probability as a percentage with one decimal.
pub fn percent(probability: f64) -> String {
    format!("{:.1} %", 100.0 * probability)
}
