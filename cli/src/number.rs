//! Numbers for people.

/// The digits in groups of three: `61 706`.
pub fn grouped(value: u128) -> String {
    cnn::group_digits(value, " ")
}

/// A probability as a percentage with one decimal.
pub fn percent(probability: f64) -> String {
    format!("{:.1} %", 100.0 * probability)
}

/// A loss with four decimals, and with four digits where it is large: `0.1234`, `1.234e12`.
pub fn loss(loss: f64) -> String {
    if loss.abs() < 1e5 { format!("{loss:.4}") } else { format!("{loss:.3e}") }
}

/// A learning rate with four digits: `0.001`, `3.162e-5`, `1e30`.
pub fn rate(rate: f64) -> String {
    if !(1e-4..1e3).contains(&rate) {
        let text = format!("{rate:.3e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", short(digits));
    }
    let digits = (3.0 - rate.log10().floor()).clamp(0.0, 9.0) as usize;
    short(&format!("{rate:.digits$}")).to_owned()
}

/// Without noughts at the end of a fraction.
fn short(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Bytes in the largest decimal unit that leaves at least 1: `4.7 MB`.
pub fn size(bytes: u128) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        // What would be shown as 1000 is 1 of the next.
        if value < 999.95 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::{loss, rate, size};

    #[test]
    fn rates_have_four_digits() {
        for (number, text) in [
            (1e-3, "0.001"),
            (0.1, "0.1"),
            (1.0, "1"),
            (100.0, "100"),
            (0.012_345, "0.01235"),
            (3.162_3e-5, "3.162e-5"),
            (1e30, "1e30"),
        ] {
            assert_eq!(rate(number), text);
        }
    }

    #[test]
    fn losses_fit_into_their_column() {
        for (number, text) in [(0.123_45, "0.1235"), (99_999.5, "99999.5000"), (1.234_56e12, "1.235e12")] {
            assert_eq!(loss(number), text);
        }
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        for (bytes, text) in [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB")]
        {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX.into()), "18446744.1 TB");
    }
}
