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
