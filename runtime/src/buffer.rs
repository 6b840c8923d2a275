//! Memory for kernels: f32 on cache-line boundaries.

use crate::Error;
use memmap2::{Mmap, MmapMut, MmapRaw};
use std::sync::{Arc, Mutex, PoisonError};

/// Elements of one cache line, and of the widest vector register.
pub(crate) const LINE: usize = 16;

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// From here on a buffer is taken from the system in large pages, which cost less to take and to address: 2 MiB.
const LARGE: usize = 1 << 21;

/// A vector of f32 that starts on a 64-byte boundary. Growing keeps nothing and zeroes all.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    #[cfg(all(test, unix))]
    Guarded(crate::guard::Guarded),
    Lines(Vec<Line>),
    /// Whole lines, on a page boundary.
    Pages(MmapMut),
    /// Lines of a chunk that are this buffer's alone.
    Part {
        chunk: Arc<MmapRaw>,
        first: usize,
        lines: usize,
    },
    /// Lines of a file, which are read only.
    File {
        map: Arc<Mmap>,
        first: usize,
        lines: usize,
    },
}

impl Default for Memory {
    fn default() -> Self {
        Self::Lines(Vec::new())
    }
}

impl Memory {
    /// This many lines of zeros.
    fn zeros(lines: usize, what: &'static str) -> Result<Self, Error> {
        let bytes = lines.saturating_mul(size_of::<Line>());
        let none = || Error::OutOfMemory { what, bytes };
        // No allocator gives more than that.
        isize::try_from(bytes).map_err(|_| none())?;
        #[cfg(all(test, unix))]
        if let Some(guarded) = crate::guard::Guarded::buffer(lines * LINE) {
            return Ok(Self::Guarded(guarded));
        }
        if bytes >= LARGE {
            return map(bytes).map(Self::Pages).ok_or_else(none);
        }
        let mut memory = Vec::new();
        memory.try_reserve_exact(lines).map_err(|_| none())?;
        memory.resize(lines, Line([0.0; LINE]));
        Ok(Self::Lines(memory))
    }

    fn lines(&self) -> usize {
        match self {
            #[cfg(all(test, unix))]
            Self::Guarded(guarded) => guarded.len() / LINE,
            Self::Lines(lines) => lines.len(),
            Self::Pages(pages) => pages.len() / size_of::<Line>(),
            Self::Part { lines, .. } | Self::File { lines, .. } => *lines,
        }
    }
}

/// Zeroed memory from the system, of large pages where it has them: the system aligns whole large pages alone.
fn map(bytes: usize) -> Option<MmapMut> {
    let bytes = bytes.checked_next_multiple_of(if bytes >= LARGE { LARGE } else { size_of::<Line>() })?;
    let pages = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    if bytes >= LARGE {
        // Where the system knows no large pages, small ones do.
        let _ = pages.advise(memmap2::Advice::HugePage);
    }
    Some(pages)
}

/// Where buffers come from that live equally long. They share pages, which are touched as they are needed; none is used
/// twice.
#[derive(Debug)]
pub(crate) struct Slab {
    /// What is taken from the system at once, at least.
    chunk: usize,
    /// The chunk at hand, and how many of its lines are taken.
    current: Mutex<Option<(Arc<MmapRaw>, usize)>>,
}

impl Slab {
    /// For buffers of about so many bytes together. Much is taken at once, since only what is touched costs memory.
    pub fn new(bytes: usize) -> Self {
        Self { chunk: bytes.clamp(1 << 16, 1 << 30), current: Mutex::default() }
    }

    /// At least `elements` zeros.
    pub fn zeros(&self, elements: usize, what: &'static str) -> Result<Buffer, Error> {
        #[cfg(all(test, unix))]
        if crate::guard::is_on() {
            return Buffer::zeros(elements, what);
        }
        let lines = elements.div_ceil(LINE);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = |(chunk, first): &(Arc<MmapRaw>, usize)| lines <= chunk.len() / size_of::<Line>() - first;
        if !current.as_ref().is_some_and(has_room) {
            let bytes = lines.saturating_mul(size_of::<Line>());
            let none = || Error::OutOfMemory { what, bytes };
            isize::try_from(bytes).map_err(|_| none())?;
            // Where memory is limited, just what is needed.
            let chunk = map(bytes.max(self.chunk)).or_else(|| map(bytes));
            *current = Some((Arc::new(chunk.ok_or_else(none)?.into()), 0));
        }
        let memory = match current.as_mut() {
            Some((chunk, first)) => {
                *first += lines;
                Memory::Part { chunk: chunk.clone(), first: *first - lines, lines }
            }
            None => Memory::default(),
        };
        Ok(Buffer { memory })
    }
}

impl Buffer {
    /// At least `elements` zeros.
    pub fn zeros(elements: usize, what: &'static str) -> Result<Self, Error> {
        Ok(Self { memory: Memory::zeros(elements.div_ceil(LINE), what)? })
    }

    /// Makes room for at least `elements`; does nothing when there is room.
    pub fn grow(&mut self, elements: usize, what: &'static str) -> Result<(), Error> {
        let lines = elements.div_ceil(LINE);
        if lines > self.memory.lines() {
            // Freed first: the old elements are of no use and the peak matters.
            self.memory = Memory::default();
            self.memory = Memory::zeros(lines, what)?;
        }
        Ok(())
    }

    /// Some 64-byte lines of a file; `None` when it does not have them.
    pub fn mapped(map: Arc<Mmap>, first: usize, lines: usize) -> Option<Self> {
        let end = first.checked_add(lines)?.checked_mul(size_of::<Line>())?;
        (end <= map.len()).then_some(Self { memory: Memory::File { map, first, lines } })
    }

    /// Whether the elements lie in a file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.memory, Memory::File { .. })
    }

    /// The elements as they lie in memory.
    pub fn as_bytes(&self) -> &[u8] {
        let elements = self.as_slice();
        // SAFETY: f32 have no padding, and every byte is a u8.
        unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) }
    }

    /// The elements as pairs of 16-bit ones; none of a buffer in a file.
    pub fn as_mut_halves(&mut self) -> &mut [u16] {
        let elements = self.as_mut_slice();
        // SAFETY: an f32 is two u16 without padding and aligned for them, and every bit pattern is valid for both.
        unsafe { std::slice::from_raw_parts_mut(elements.as_mut_ptr().cast(), 2 * elements.len()) }
    }

    pub fn as_slice(&self) -> &[f32] {
        let start: *const f32 = match &self.memory {
            #[cfg(all(test, unix))]
            Memory::Guarded(guarded) => guarded.as_ptr(),
            Memory::Lines(lines) => lines.as_ptr().cast(),
            Memory::Pages(pages) => pages.as_ptr().cast(),
            Memory::Part { chunk, first, .. } => chunk.as_ptr().cast::<f32>().wrapping_add(first * LINE),
            Memory::File { map, first, .. } => map.as_ptr().cast::<f32>().wrapping_add(first * LINE),
        };
        // SAFETY: `Line` is `repr(C)`, 64 bytes of f32 without padding, so n lines are 16·n valid f32; pages begin on a
        // page boundary, hold whole lines, and every bit pattern is an f32; a part lies within
        // its chunk of pages or its file.
        unsafe { std::slice::from_raw_parts(start, self.memory.lines() * LINE) }
    }

    /// The elements; none of a buffer in a file.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        let elements = self.memory.lines() * LINE;
        let start: *mut f32 = match &mut self.memory {
            #[cfg(all(test, unix))]
            Memory::Guarded(guarded) => guarded.as_ptr(),
            Memory::Lines(lines) => lines.as_mut_ptr().cast(),
            Memory::Pages(pages) => pages.as_mut_ptr().cast(),
            Memory::Part { chunk, first, .. } => chunk.as_mut_ptr().cast::<f32>().wrapping_add(*first * LINE),
            Memory::File { .. } => return &mut [],
        };
        // SAFETY: as in `as_slice`; the mutable borrow makes it the only one, and no other buffer has a part's lines.
        unsafe { std::slice::from_raw_parts_mut(start, elements) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_zeroed_and_aligned() {
        for elements in [0, 1, 15, 16, 17, 1000, 1 << 19, (1 << 19) + 1] {
            let mut buffer = Buffer::zeros(elements, "a test").unwrap();
            assert!(buffer.as_slice().len() >= elements);
            assert_eq!(buffer.as_slice().as_ptr() as usize % 64, 0);
            buffer.as_mut_slice().fill(1.0);
            buffer.grow(buffer.as_slice().len() + 1, "a test").unwrap();
            assert!(buffer.as_slice().iter().all(|&v| v == 0.0));
        }
    }

    #[test]
    fn parts_of_a_slab_are_zeroed_aligned_and_apart() {
        let slab = Slab::new(1 << 16);
        let sizes = [0, 1, 16, 17, 1000, 20_000, 1 << 20, 3];
        let mut buffers: Vec<Buffer> = sizes.iter().map(|&elements| slab.zeros(elements, "a test").unwrap()).collect();
        for (i, (buffer, elements)) in buffers.iter_mut().zip(sizes).enumerate() {
            assert!(buffer.as_slice().len() >= elements);
            assert_eq!(buffer.as_slice().as_ptr() as usize % 64, 0);
            assert!(buffer.as_slice().iter().all(|&v| v == 0.0));
            buffer.as_mut_slice().fill(i as f32);
        }
        for (i, buffer) in buffers.iter().enumerate() {
            assert!(buffer.as_slice().iter().all(|&v| v == i as f32));
        }
        assert!(slab.zeros(usize::MAX, "a test").is_err());
    }

    #[test]
    fn reports_what_the_memory_was_for() {
        let error = Buffer::zeros(usize::MAX, "the arena").unwrap_err();
        assert!(error.to_string().contains("for the arena"), "{error}");
    }
}
