//! Once the first batches have been seen, loading allocates nothing within an epoch, on the caller's thread and on all others.

// A test may panic.
#![allow(clippy::unwrap_used)]

use cnn_data::{Arrays, Batch, Bytes, Dataset, Loader, LoaderOptions};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all threads have asked for.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// Counts what is asked for.
struct Counting;

// SAFETY: everything is passed on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Every transform; the sizes that `random_resized_crop` draws differ from picture to picture.
const TRANSFORMS: &str = "resize(20) -> random_crop(16, padding = 2) -> random_resized_crop(12) -> center_crop(14) \
    -> horizontal_flip -> vertical_flip -> rotation(20, interpolation = bilinear) -> grayscale -> rgb \
    -> color_jitter(0.4, 0.4, 0.4, 0.1) -> normalize([0.5, 0.4, 0.3], 0.25) -> random_erasing(value = random)";

/// One test alone, so that no other thread of the test program allocates while it counts.
#[test]
fn an_example_allocates_nothing() {
    const LEN: usize = 2000;
    let shape = [3, 16, 16];
    let size = 3 * 16 * 16;
    let bytes = Bytes::new(shape, vec![7; LEN * size], vec![0; LEN], vec!["one".into()]).unwrap();
    let arrays = Arrays::new(shape, vec![0.5; LEN * size], vec![0; LEN], vec!["one".into()]).unwrap();
    let datasets: [Arc<dyn Dataset>; 2] = [Arc::new(bytes), Arc::new(arrays)];
    for dataset in datasets {
        for workers in [0, 2] {
            let options = LoaderOptions { batch_size: 10, shuffle: true, workers, ..LoaderOptions::default() };
            let mut loader = Loader::new(Arc::clone(&dataset), TRANSFORMS.parse().unwrap(), options).unwrap();
            let mut batch = Batch::default();
            let before = ALLOCATIONS.load(Ordering::SeqCst);
            for _ in 0..100 {
                assert!(loader.load(&mut batch).unwrap());
            }
            // Threads start, and work memory grows to the largest cut that is drawn.
            let first = ALLOCATIONS.load(Ordering::SeqCst);
            assert!(first > before, "the counter counts");
            for _ in 100..190 {
                assert!(loader.load(&mut batch).unwrap());
            }
            let later = ALLOCATIONS.load(Ordering::SeqCst) - first;
            // A cut may still be the largest so far; an allocation for every example would be 900.
            assert!(later < 10, "{later} allocations for 900 examples");
        }
    }
}
