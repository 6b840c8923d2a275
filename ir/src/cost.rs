//! What a layer or a network costs.

use std::iter::Sum;
use std::ops::Add;

/// Parameters and arithmetic for one example. Sums saturate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Trainable scalars.
    pub params: u64,
    /// Multiply-accumulate operations of convolutions and dense layers, for one example.
    pub macs: u64,
}

impl Add for Cost {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { params: self.params.saturating_add(other.params), macs: self.macs.saturating_add(other.macs) }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}

/// The digits of a number in groups of three.
///
/// ```
/// assert_eq!(cnn_ir::group_digits(61_706, " "), "61 706");
/// ```
pub fn group_digits(value: u128, separator: &str) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push_str(separator);
        }
        text.push(digit);
    }
    text
}
