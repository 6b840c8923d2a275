//! For tests: memory between pages that fault when they are touched.

// A test may panic.
#![allow(clippy::unwrap_used)]

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::cell::Cell;

/// Where values lie between the pages that fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// At the first of them.
    Front,
    /// At the last.
    Back,
    /// Near the first, on no boundary of vectors.
    Unaligned,
}

impl Edge {
    pub const ALL: [Self; 3] = [Self::Front, Self::Back, Self::Unaligned];
}

thread_local! {
    /// Where the buffers lie that this thread makes.
    static BUFFERS: Cell<Option<Edge>> = const { Cell::new(None) };
}

/// Calls `f`; the buffers that this thread makes meanwhile are guarded.
pub(crate) fn guarded<T>(edge: Edge, f: impl FnOnce() -> T) -> T {
    BUFFERS.set(Some(edge));
    let made = f();
    BUFFERS.set(None);
    made
}

/// Whether this thread's buffers are guarded.
pub(crate) fn is_on() -> bool {
    BUFFERS.get().is_some()
}

/// f32 in a buffer.
#[derive(Debug)]
pub(crate) struct Guarded {
    pages: Pages,
    start: usize,
    elements: usize,
}

impl Guarded {
    /// Zeros for a buffer, which lie as [`guarded`] wants it. Buffers are aligned to their lines.
    pub fn buffer(elements: usize) -> Option<Self> {
        let edge = BUFFERS.get()?;
        let edge = if edge == Edge::Unaligned { Edge::Front } else { edge };
        let mut pages = Pages::new(Pages::room(elements, 1));
        let start = pages.place(elements, 1, edge, 0.0);
        Some(Self { pages, start, elements })
    }

    pub fn len(&self) -> usize {
        self.elements
    }

    pub fn as_ptr(&self) -> *mut f32 {
        // SAFETY: the place is within the pages.
        unsafe { self.pages.start.add(self.start) }
    }
}

/// Pages that fault, and among them places that do not. Elements are counted from the first page.
#[derive(Debug)]
pub(crate) struct Pages {
    start: *mut f32,
    elements: usize,
    /// The first page behind all places.
    next: usize,
}

// SAFETY: the pages belong to the value alone, as those of a vector do.
unsafe impl Send for Pages {}
// SAFETY: as above; what is shared gives pointers alone.
unsafe impl Sync for Pages {}

/// f32 in a page.
fn page() -> usize {
    rustix::param::page_size() / size_of::<f32>()
}

impl Pages {
    /// Pages of this many elements in all.
    pub fn new(elements: usize) -> Self {
        let bytes = elements * size_of::<f32>();
        // SAFETY: the system chooses where.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, ProtFlags::empty(), MapFlags::PRIVATE) };
        Self { start: start.unwrap().cast(), elements, next: 0 }
    }

    /// The most that a place takes with the pages around it; see [`Self::place`].
    pub fn room(elements: usize, multiple: usize) -> usize {
        (elements.div_ceil(page()) + 3 + multiple) * page()
    }

    /// Makes a place whose first element's number is a multiple of `multiple`, which `elements` is, too, and fills it.
    pub fn place(&mut self, elements: usize, multiple: usize, edge: Edge, value: f32) -> usize {
        let shift = if edge == Edge::Unaligned { multiple } else { 0 };
        let count = (elements + shift).div_ceil(page());
        // A page that faults is before the first.
        let first = match edge {
            Edge::Back => (self.next + 1 + count).next_multiple_of(multiple) - count,
            Edge::Front | Edge::Unaligned => (self.next + 1).next_multiple_of(multiple),
        };
        let end = (first + count) * page();
        self.next = first + count;
        assert!(end + page() <= self.elements, "a page that faults is behind the last");
        // SAFETY: the pages are ours.
        let bytes = unsafe { self.start.add(first * page()) };
        // SAFETY: as above.
        unsafe {
            mprotect(
                bytes.cast(),
                (end - first * page()) * size_of::<f32>(),
                MprotectFlags::READ | MprotectFlags::WRITE,
            )
        }
        .unwrap();
        let start = if edge == Edge::Back { end - elements } else { first * page() + shift };
        // SAFETY: the place can be written, and nobody else knows it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), elements) }.fill(value);
        start
    }

    /// All elements. Those outside of places fault when they are touched.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: the pages are mapped as long as the value lives, and the borrow is the only one.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.elements) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and nothing points to them any more.
        unsafe { munmap(self.start.cast(), self.elements * size_of::<f32>()) }.unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn elements_outside_fault() {
        for (elements, multiple) in [(1, 1), (12, 3), (page(), 1), (5 * page(), 5), (9 * 1000, 9)] {
            for edge in Edge::ALL {
                let mut pages = Pages::new(2 * Pages::room(elements, multiple));
                for _ in 0..2 {
                    let start = pages.place(elements, multiple, edge, 1.0);
                    assert_eq!(start % multiple, 0);
                    let mut file = tempfile::tempfile().unwrap();
                    // The system reads for us, and says so where it faults.
                    let mut reads = |element: usize| {
                        // SAFETY: within the pages, and only the system reads.
                        let element = unsafe { std::slice::from_raw_parts(pages.start.add(element).cast::<u8>(), 4) };
                        file.write(element).is_ok()
                    };
                    assert!(reads(start) && reads(start + elements - 1));
                    assert_eq!(
                        reads(start - 1),
                        edge == Edge::Unaligned || edge == Edge::Back && elements % page() > 0
                    );
                    let ends_inside = edge != Edge::Back && !(start + elements).is_multiple_of(page());
                    assert_eq!(reads(start + elements), ends_inside);
                }
            }
        }
    }
}
