//! The ranges that parameters have: each rule passes a value or says what is allowed.

use crate::Error;
use std::fmt::Debug;

/// A parameter that is being checked: the call it belongs to, and its name.
pub(crate) struct Parameter(pub &'static str, pub &'static str);

impl Parameter {
    /// Any number that is neither infinite nor NaN.
    pub fn finite(self, value: f64) -> Result<(), Error> {
        self.must(value.is_finite(), "a finite number", value)
    }

    /// Above 0.
    pub fn positive(self, value: f64) -> Result<(), Error> {
        self.must(value > 0.0 && value.is_finite(), "a number above 0", value)
    }

    /// 0 or more.
    pub fn not_negative(self, value: f64) -> Result<(), Error> {
        self.must(value >= 0.0 && value.is_finite(), "a number from 0", value)
    }

    /// From 0 up to, without, 1.
    pub fn below_one(self, value: f64) -> Result<(), Error> {
        self.must((0.0..1.0).contains(&value), "from 0 to below 1", value)
    }

    /// From 0 to 1.
    pub fn fraction(self, value: f64) -> Result<(), Error> {
        self.must((0.0..=1.0).contains(&value), "from 0 to 1", value)
    }

    /// A count of at least 1 that has no default; 0 stands for none.
    pub fn given(self, value: u64) -> Result<(), Error> {
        self.must(value >= 1, "given, as a whole number from 1", value)
    }

    /// A rule of its own.
    pub fn must(self, holds: bool, allowed: &'static str, value: impl Debug) -> Result<(), Error> {
        if holds {
            return Ok(());
        }
        let Self(call, parameter) = self;
        Err(Error::Parameter { call: call.into(), parameter: parameter.into(), value: format!("{value:?}"), allowed })
    }
}

/// That a slice has the length that the others have.
pub(crate) fn length(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Length { what, expected, found }) }
}
