//! Memory for kernels: f32 on cache-line boundaries.

use crate::Error;

/// Elements of one cache line, and of the widest vector register.
pub(crate) const LINE: usize = 16;

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A vector of f32 that starts on a 64-byte boundary. Growing keeps nothing and zeroes all.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    lines: Vec<Line>,
}

impl Buffer {
    /// At least `elements` zeros.
    pub fn zeros(elements: usize, what: &'static str) -> Result<Self, Error> {
        let mut buffer = Self::default();
        buffer.grow(elements, what)?;
        Ok(buffer)
    }

    /// Makes room for at least `elements`; does nothing when there is room.
    pub fn grow(&mut self, elements: usize, what: &'static str) -> Result<(), Error> {
        let lines = elements.div_ceil(LINE);
        if lines <= self.lines.len() {
            return Ok(());
        }
        // Freed first: the old elements are of no use and the peak matters.
        self.lines = Vec::new();
        let bytes = lines.saturating_mul(size_of::<Line>());
        self.lines.try_reserve_exact(lines).map_err(|_| Error::OutOfMemory { what, bytes })?;
        self.lines.resize(lines, Line([0.0; LINE]));
        Ok(())
    }

    /// A buffer that starts with these elements.
    pub fn copy_of(elements: &[f32]) -> Result<Self, Error> {
        let mut buffer = Self::zeros(elements.len(), "packed weights")?;
        buffer.as_mut_slice()[..elements.len()].copy_from_slice(elements);
        Ok(buffer)
    }

    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: `Line` is `repr(C)`, 64 bytes of f32 without padding, so n lines are 16·n valid f32.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * LINE) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as in `as_slice`; the mutable borrow makes it the only one.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * LINE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_zeroed_and_aligned() {
        for elements in [0, 1, 15, 16, 17, 1000] {
            let mut buffer = Buffer::zeros(elements, "a test").unwrap();
            assert!(buffer.as_slice().len() >= elements);
            assert_eq!(buffer.as_slice().as_ptr() as usize % 64, 0);
            buffer.as_mut_slice().fill(1.0);
            buffer.grow(elements + 17, "a test").unwrap();
            assert!(buffer.as_slice().iter().all(|&v| v == 0.0));
        }
    }

    #[test]
    fn reports_what_the_memory_was_for() {
        let error = Buffer::zeros(usize::MAX, "the arena").unwrap_err();
        assert!(error.to_string().contains("for the arena"), "{error}");
    }
}
