//! Instruction sets, found at run time.

use super::simd::{self, Simd};
use crate::Error;
use std::fmt;
use std::str::FromStr;

/// An instruction set that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isa {
    /// What every CPU of the architecture has.
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512F and VL, AVX2, FMA and F16C.
    Avx512,
}

impl Isa {
    /// All of them, slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Whether this CPU has it.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        let (avx2, avx512) = (
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c"),
            is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl"),
        );
        #[cfg(not(target_arch = "x86_64"))]
        let (avx2, avx512) = (false, false);
        match self {
            Isa::Portable => true,
            Isa::Avx2 => avx2,
            Isa::Avx512 => avx2 && avx512,
        }
    }

    /// f32 in a vector; also the channels in a block of a blocked map.
    pub fn lanes(self) -> usize {
        match self {
            Isa::Portable => simd::Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => simd::Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => simd::Avx512::LANES,
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => simd::Portable::LANES,
        }
    }

    /// Those that this CPU has, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available())
    }

    /// The fastest that this CPU has.
    pub fn detect() -> Self {
        Self::available().last().unwrap_or(Self::Portable)
    }

    /// Itself, when this CPU has it.
    ///
    /// # Errors
    /// An instruction set that this CPU lacks.
    pub fn check(self) -> Result<Self, Error> {
        if self.is_available() { Ok(self) } else { Err(Self::error(&self.to_string(), "is not there")) }
    }

    fn error(name: &str, reason: &'static str) -> Error {
        let available = Self::available().map(|isa| isa.to_string()).collect::<Vec<_>>().join(", ");
        Error::Isa { name: name.to_owned(), reason, available }
    }
}

/// `portable`, `avx2`, `avx512`.
impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        })
    }
}

impl FromStr for Isa {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|isa| isa.to_string().eq_ignore_ascii_case(name))
            .ok_or_else(|| Self::error(name, "is not known"))
    }
}
