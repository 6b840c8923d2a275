//! The threads that a program's steps share: a pool made for regions of a few microseconds.
//!
//! A worker that has nothing to do first spins, so that the next step of a program finds it awake, and sleeps after that.
//! A region is open from the moment its tasks can be taken until they are all done; workers that wake too late find it
//! closed and are not waited for.

use crate::Error;
use std::any::Any;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

/// A pool of threads. The thread that asks for a region works in it, so a pool of one has no thread of its own.
///
/// What is computed never depends on the number of threads. A region that is asked for while another session's region
/// runs in the same pool is done by its own thread alone: there are never more threads at work than callers and workers.
/// While several threads of a program run sessions, a pool's workers take part only as far as there are cores beside the
/// callers.
#[derive(Debug)]
pub struct Threads {
    state: Arc<State>,
    workers: Vec<JoinHandle<()>>,
    /// How many threads run programs now; one count for all pools that sessions share.
    callers: Arc<AtomicUsize>,
    /// Whether a region is under way.
    busy: AtomicBool,
}

/// The most threads of a pool.
pub const MAX_THREADS: usize = 256;

/// How often an idle worker looks for a region before it sleeps: some 50 µs.
const SPINS: usize = 1 << 11;
/// And while others work on the region's last tasks, behind which another comes at once: some milliseconds.
const TAIL_SPINS: usize = 1 << 16;

/// In the gate: whether the region is open, and above it how many workers are inside.
const OPEN: u64 = 1;
const ENTRANT: u64 = 2;

/// Multiply-adds of about ten times what a region costs: some 20 µs.
const WORTH: usize = 1 << 20;

type Task<'a> = dyn Fn(usize, usize) + Sync + 'a;

#[derive(Debug, Default)]
struct State {
    gate: AtomicU64,
    /// The region's tasks and the next of them.
    tasks: AtomicUsize,
    next: AtomicUsize,
    /// The most workers in it.
    room: AtomicUsize,
    job: Mutex<Option<Job>>,
    sleeping: AtomicUsize,
    alarm: Condvar,
    bed: Mutex<()>,
    stop: AtomicBool,
    /// What a task panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// The closure of the open region.
#[derive(Clone, Copy)]
struct Job(*const Task<'static>);

// SAFETY: the closure is `Sync`, and is called only while the region is open, which its caller outlives.
unsafe impl Send for Job {}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a region")
    }
}

impl Threads {
    /// A pool of this many threads, the caller's among them.
    ///
    /// # Errors
    /// Zero threads, more than [`MAX_THREADS`], or a thread that the system does not start.
    pub fn new(count: usize) -> Result<Self, Error> {
        Self::with_callers(count, Arc::default())
    }

    fn with_callers(count: usize, callers: Arc<AtomicUsize>) -> Result<Self, Error> {
        if !(1..=MAX_THREADS).contains(&count) {
            return Err(Error::Threads {
                asked: count.to_string(),
                reason: format!("there can be 1 to {MAX_THREADS}"),
            });
        }
        let mut pool = Self::one();
        pool.callers = callers;
        for worker in 1..count {
            let state = pool.state.clone();
            let thread = std::thread::Builder::new().name(format!("cnn-{worker}"));
            let started = thread.spawn(move || state.work(worker));
            // Dropping the pool ends those that have started.
            pool.workers
                .push(started.map_err(|error| Error::Threads { asked: count.to_string(), reason: error.to_string() })?);
        }
        Ok(pool)
    }

    /// The pool of this many threads that all sessions of the process share; made when there is none yet.
    ///
    /// # Errors
    /// See [`Threads::new`].
    pub fn shared(count: usize) -> Result<Arc<Self>, Error> {
        static POOLS: Mutex<Vec<Weak<Threads>>> = Mutex::new(Vec::new());
        static CALLERS: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);
        let mut pools = lock(&POOLS);
        pools.retain(|pool| pool.strong_count() > 0);
        if let Some(pool) = pools.iter().filter_map(Weak::upgrade).find(|pool| pool.count() == count) {
            return Ok(pool);
        }
        let pool = Arc::new(Self::with_callers(count, CALLERS.clone())?);
        pools.push(Arc::downgrade(&pool));
        Ok(pool)
    }

    /// The calling thread alone.
    pub fn one() -> Self {
        let (state, callers) = (Arc::default(), Arc::default());
        Self { state, workers: Vec::new(), callers, busy: AtomicBool::new(false) }
    }

    /// Says that the calling thread runs a program, until what it gets is dropped.
    pub(crate) fn enter(&self) -> Caller<'_> {
        self.callers.fetch_add(1, Ordering::Relaxed);
        Caller(&self.callers)
    }

    /// The calling thread alone, for work inside a task.
    pub(crate) fn alone() -> &'static Self {
        static ALONE: LazyLock<Threads> = LazyLock::new(Threads::one);
        &ALONE
    }

    /// These threads, or the calling one alone for fewer multiply-adds than are worth waking another for.
    pub(crate) fn for_work(&self, multiply_adds: usize) -> &Self {
        if multiply_adds < WORTH { Self::alone() } else { self }
    }

    /// As many as the system lets this process run at once.
    pub fn available() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
    }

    /// How many workers may take part in a region now.
    fn room(&self) -> usize {
        static CORES: LazyLock<usize> = LazyLock::new(Threads::available);
        // Whoever is alone gets what was asked for, be it more than there are cores.
        match self.callers.load(Ordering::Relaxed) {
            0 | 1 => self.workers.len(),
            callers => self.workers.len().min(CORES.saturating_sub(callers)),
        }
    }

    /// How many threads there are; at least one.
    pub fn count(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task` with every number below `tasks` and the number of the thread, which is below [`Self::count`].
    /// Each number comes once, on any thread; all are done at the return.
    pub(crate) fn run(&self, tasks: usize, task: impl Fn(usize, usize) + Sync) {
        let room = if tasks <= 1 { 0 } else { self.room() };
        if room == 0 || self.busy.swap(true, Ordering::Acquire) {
            return (0..tasks).for_each(|number| task(number, 0));
        }
        let job: *const Task<'_> = &task;
        // SAFETY: only the lifetime changes. Workers call the closure inside the region alone, which ends below.
        let job = Job(unsafe { std::mem::transmute::<*const Task<'_>, *const Task<'static>>(job) });
        let state = &*self.state;
        *lock(&state.job) = Some(job);
        state.tasks.store(tasks, Ordering::Relaxed);
        state.next.store(0, Ordering::Relaxed);
        state.room.store(room, Ordering::Relaxed);
        state.gate.fetch_or(OPEN, Ordering::SeqCst);
        if state.sleeping.load(Ordering::SeqCst) > 0 {
            let _awake = lock(&state.bed);
            state.alarm.notify_all();
        }
        let own = catch_unwind(AssertUnwindSafe(|| state.take(0, &task)));
        state.gate.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0usize;
        while state.gate.load(Ordering::Acquire) != 0 {
            pause(&mut spins);
        }
        let panicked = lock(&state.panic).take();
        self.busy.store(false, Ordering::Release);
        if let Some(reason) = own.err().or(panicked) {
            resume_unwind(reason);
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        {
            let _awake = lock(&self.state.bed);
            self.state.alarm.notify_all();
        }
        for worker in self.workers.drain(..) {
            // A worker catches what its tasks panic with.
            let _ = worker.join();
        }
    }
}

impl State {
    /// What a worker does until the pool is dropped.
    fn work(&self, worker: usize) {
        let mut idle = 0usize;
        while !self.stop.load(Ordering::SeqCst) {
            if self.enter() {
                let job = *lock(&self.job);
                if let Some(Job(task)) = job {
                    // SAFETY: the worker is inside the open region, so the closure is alive.
                    let task = unsafe { &*task };
                    if let Err(reason) = catch_unwind(AssertUnwindSafe(|| self.take(worker, task))) {
                        lock(&self.panic).get_or_insert(reason);
                    }
                }
                self.gate.fetch_sub(ENTRANT, Ordering::AcqRel);
                idle = 0;
            } else if idle < if self.is_open() { TAIL_SPINS } else { SPINS } {
                pause(&mut idle);
            } else {
                self.sleep();
                idle = 0;
            }
        }
    }

    fn is_open(&self) -> bool {
        self.gate.load(Ordering::SeqCst) & OPEN != 0
    }

    /// Whether the region is open, has tasks left and takes another worker.
    fn invites(&self, gate: u64) -> bool {
        gate & OPEN != 0
            && self.next.load(Ordering::Relaxed) < self.tasks.load(Ordering::Relaxed)
            && gate / ENTRANT < self.room.load(Ordering::Relaxed) as u64
    }

    /// Enters the region if it invites.
    fn enter(&self) -> bool {
        let gate = self.gate.load(Ordering::SeqCst);
        self.invites(gate)
            && self.gate.compare_exchange(gate, gate + ENTRANT, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Takes tasks until there are none left.
    fn take(&self, worker: usize, task: &Task<'_>) {
        let tasks = self.tasks.load(Ordering::Relaxed);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= tasks {
                return;
            }
            task(number, worker);
        }
    }

    fn sleep(&self) {
        let mut bed = lock(&self.bed);
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        // Whoever opens the next region sees a sleeper that has not seen it open.
        while !(self.stop.load(Ordering::SeqCst) || self.invites(self.gate.load(Ordering::SeqCst))) {
            bed = self.alarm.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleeping.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A thread that runs a program.
pub(crate) struct Caller<'a>(&'a AtomicUsize);

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits a moment; longer the more often it was called, since another thread may need the core.
fn pause(spins: &mut usize) {
    *spins += 1;
    if spins.is_multiple_of(64) {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mutable slice that the tasks of a region share; each takes parts that no other takes.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    slice: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only access is `part`, whose callers keep the parts apart.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub fn new(slice: &'a mut [f32]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// The elements of a range; an empty slice when it is not within the whole.
    ///
    /// # Safety
    /// While the part is used, no other part that overlaps it is.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(&self, range: Range<usize>) -> &'a mut [f32] {
        debug_assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        if range.start > range.end || range.end > self.len {
            return &mut [];
        }
        // SAFETY: the range lies within the slice that is borrowed mutably for 'a; the caller keeps parts apart.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// Where the slice starts.
    pub fn as_ptr(&self) -> *mut f32 {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_task_is_done_once() -> Result<(), Error> {
        for count in [1, 2, 3, 5] {
            let threads = Threads::new(count)?;
            for tasks in [0, 1, 2, 7, 100] {
                for _ in 0..50 {
                    let mut done = vec![0.0f32; tasks];
                    let shared = Shared::new(&mut done);
                    threads.run(tasks, |number, worker| {
                        assert!(worker < count);
                        // SAFETY: every task has its own element.
                        unsafe { shared.part(number..number + 1)[0] += 1.0 };
                    });
                    assert!(done.iter().all(|&n| n == 1.0), "{count} threads, {tasks} tasks: {done:?}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn sleeping_workers_wake() -> Result<(), Error> {
        let threads = Threads::new(2)?;
        for _ in 0..3 {
            while threads.state.sleeping.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            let both = std::sync::Barrier::new(2);
            threads.run(2, |_, _| {
                both.wait();
            });
        }
        Ok(())
    }

    #[test]
    fn a_worker_sleeps_while_another_has_the_last_task() -> Result<(), Error> {
        let threads = Threads::new(2)?;
        for _ in 0..3 {
            // One task waits until the other's thread is asleep.
            let first = AtomicBool::new(true);
            threads.run(2, |_, worker| {
                while worker == 0 && first.swap(false, Ordering::Relaxed) {
                    while threads.state.sleeping.load(Ordering::SeqCst) == 0 {
                        std::thread::yield_now();
                    }
                }
            });
        }
        Ok(())
    }

    #[test]
    fn sessions_share_a_pool() -> Result<(), Error> {
        let threads = Threads::new(3)?;
        let sum = AtomicUsize::new(0);
        let at_work = Mutex::new(HashSet::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        threads.run(5, |number, _| {
                            lock(&at_work).insert(std::thread::current().id());
                            sum.fetch_add(number, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 200 * 10);
        assert!(lock(&at_work).len() <= 4 + 2, "the callers and the pool's two, no others");
        Ok(())
    }

    #[test]
    fn workers_leave_the_cores_to_callers() -> Result<(), Error> {
        let threads = Threads::new(3)?;
        assert_eq!(threads.room(), 2);
        let callers: Vec<Caller<'_>> = (0..Threads::available().max(2)).map(|_| threads.enter()).collect();
        assert_eq!(threads.room(), 0);
        let own = std::thread::current().id();
        threads.run(20, |_, _| assert_eq!(std::thread::current().id(), own));
        drop(callers);
        assert_eq!(threads.room(), 2);
        Ok(())
    }

    #[test]
    fn a_panic_comes_back_to_the_caller_and_the_pool_goes_on() -> Result<(), Error> {
        let threads = Threads::new(2)?;
        let run = || threads.run(8, |number, _| assert!(number != 5));
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        threads.run(8, |_, _| {});
        Ok(())
    }

    #[test]
    fn sessions_of_one_count_share_a_pool_while_it_lives() -> Result<(), Error> {
        let (one, other) = (Threads::shared(4)?, Threads::shared(4)?);
        assert!(Arc::ptr_eq(&one, &other));
        assert!(!Arc::ptr_eq(&one, &Threads::shared(3)?));
        Ok(())
    }

    #[test]
    fn impossible_numbers_are_refused() {
        for count in [0, MAX_THREADS + 1, usize::MAX] {
            let error = Threads::new(count).map(drop).map_err(|error| error.to_string());
            assert!(error.is_err_and(|text| text.contains("1 to 256")));
        }
    }
}
