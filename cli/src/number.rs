//! Numbers for people.

/// The digits in groups of three: `61 706`.
pub fn grouped(value: u128) -> String {
    cnn::group_digits(value, " ")
}

/// A probability as a percentage with one decimal.
pub fn percent(probability: f64) -> String {
    format!("{:.1} %", 100.0 * probability)
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
    use super::size;

    #[test]
    fn sizes_have_the_unit_that_fits() {
        for (bytes, text) in [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB")]
        {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX.into()), "18446744.1 TB");
    }
}
