//! How the elements of a value lie in memory.

use super::Isa;

/// The order of a value's elements, for one example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    /// Row-major, NCHW for maps.
    Plain,
    /// Maps in blocks of channels, one vector of them for each pixel: NCHWc. The lanes behind the last channel hold
    /// anything. Only values over channels, height and width are laid out so.
    Blocked,
}

impl Layout {
    /// Elements that one example takes; `None` when they cannot be counted.
    pub fn elements(self, shape: &[usize], isa: Isa) -> Option<usize> {
        let mut sizes = shape.to_vec();
        if let (Self::Blocked, Some(channels)) = (self, sizes.first_mut()) {
            *channels = channels.checked_next_multiple_of(isa.lanes())?;
        }
        sizes.into_iter().try_fold(1usize, usize::checked_mul)
    }

    /// Whether a value is the same in both layouts, but for lanes behind the last channel: it has one pixel.
    pub fn is_same(shape: &[usize]) -> bool {
        matches!(shape, [_, 1, 1])
    }
}
