//! Many seeds on all cores, with a result that does not depend on how many cores there are.
//!
//! Workers take the next seed, run it on a thread of its own (std's hash tables are reproducible only on a fresh thread), and hand the
//! result to the caller's thread. What is kept is sorted by seed. With `until_failure` the sweep ends at its *lowest* failing seed, not
//! at the first that a worker came across: seeds below it are still finished, seeds above it are thrown away.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// Seeds.
    pub seeds: Range<u64>,
    /// Worker threads.
    pub jobs: usize,
    /// End at the lowest failing seed.
    pub until_failure: bool,
}

/// What the caller is told now and then.
#[derive(Debug)]
pub struct Progress<'p, T> {
    /// Seeds finished.
    pub done: u64,
    /// The result that has just come in, if one has.
    pub latest: Option<(u64, &'p T)>,
    /// The seed that has been running for longest, and for how long.
    pub slowest: Option<(u64, Duration)>,
}

struct Shared {
    next: AtomicU64,
    /// The lowest failing seed so far; beyond it nothing is begun.
    limit: AtomicU64,
    running: Mutex<BTreeMap<u64, Instant>>,
}

/// Runs every seed of the order. `run` says what a seed brought; `failed` whether that is a failure.
///
/// # Errors
/// The error of the lowest seed that had one.
///
/// # Panics
/// When a run panics: the laboratory itself has a bug then.
pub fn sweep<T: Send, E: Send>(
    order: &Order,
    run: impl Fn(u64) -> Result<T, E> + Sync,
    failed: impl Fn(&T) -> bool + Sync,
    mut watch: impl FnMut(&Progress<'_, T>),
) -> Result<BTreeMap<u64, T>, E> {
    let shared =
        Shared { next: AtomicU64::new(order.seeds.start), limit: AtomicU64::new(u64::MAX), running: Mutex::new(BTreeMap::new()) };
    let mut results: BTreeMap<u64, Result<T, E>> = BTreeMap::new();
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..order.jobs.max(1) {
            let sender = sender.clone();
            let (run, failed, shared) = (&run, &failed, &shared);
            scope.spawn(move || work(order, shared, run, failed, &sender));
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(Duration::from_secs(1)) {
                Ok((seed, result)) => {
                    results.insert(seed, result);
                    let latest = results[&seed].as_ref().ok().map(|latest| (seed, latest));
                    watch(&Progress { done: results.len() as u64, latest, slowest: shared.slowest() });
                }
                Err(RecvTimeoutError::Timeout) => {
                    watch(&Progress { done: results.len() as u64, latest: None, slowest: shared.slowest() });
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    let limit = shared.limit.load(Ordering::SeqCst);
    results.into_iter().filter(|(seed, _)| *seed <= limit).map(|(seed, result)| Ok((seed, result?))).collect()
}

fn work<T, E>(
    order: &Order,
    shared: &Shared,
    run: &impl Fn(u64) -> Result<T, E>,
    failed: &impl Fn(&T) -> bool,
    sender: &Sender<(u64, Result<T, E>)>,
) {
    loop {
        let seed = shared.next.fetch_add(1, Ordering::SeqCst);
        if seed >= order.seeds.end || seed > shared.limit.load(Ordering::SeqCst) {
            return;
        }
        shared.begin(seed);
        let result = catch_unwind(AssertUnwindSafe(|| run(seed))).unwrap_or_else(|panic| {
            eprintln!("the laboratory itself failed at seed {seed}");
            resume_unwind(panic)
        });
        shared.running.lock().expect("nothing panics while holding it").remove(&seed);
        if result.is_err() || (order.until_failure && result.as_ref().is_ok_and(failed)) {
            shared.limit.fetch_min(seed, Ordering::SeqCst);
        }
        if sender.send((seed, result)).is_err() {
            return;
        }
    }
}

impl Shared {
    #[expect(clippy::disallowed_methods, reason = "the sweep watches real time, the runs do not see it")]
    fn begin(&self, seed: u64) {
        self.running.lock().expect("nothing panics while holding it").insert(seed, Instant::now());
    }

    fn slowest(&self) -> Option<(u64, Duration)> {
        let running = self.running.lock().expect("nothing panics while holding it");
        running.iter().map(|(seed, since)| (*seed, since.elapsed())).max_by_key(|(_, since)| *since)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn run(order: &Order) -> Vec<(u64, u64)> {
        // Odd seeds take longer, so workers finish in another order than they began.
        let slow = |seed: u64| {
            (0..(seed % 2) * 200_000).for_each(|n| {
                std::hint::black_box(n);
            });
            Ok::<u64, ()>(seed * 10)
        };
        sweep(order, slow, |result| *result == 370 || *result == 420, |_| {}).unwrap().into_iter().collect()
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_workers() {
        let order = |jobs, until_failure| Order { seeds: 30..60, jobs, until_failure };
        let all: Vec<(u64, u64)> = (30..60).map(|seed| (seed, seed * 10)).collect();
        for jobs in [1, 2, 3, 8] {
            assert_eq!(run(&order(jobs, false)), all);
            assert_eq!(run(&order(jobs, true)), all[..8], "up to the lowest failing seed, 37");
        }
    }

    #[test]
    fn the_error_of_the_lowest_seed_is_reported() {
        let order = Order { seeds: 0..50, jobs: 4, until_failure: false };
        let result = sweep(&order, |seed| if seed % 10 == 9 { Err(seed) } else { Ok(()) }, |()| false, |_| {});
        assert_eq!(result, Err(9));
    }

    #[test]
    fn every_result_is_shown_once() {
        let order = Order { seeds: 5..25, jobs: 3, until_failure: false };
        let mut seen = Vec::new();
        sweep(&order, Ok::<u64, ()>, |_| false, |progress| seen.extend(progress.latest.map(|(seed, _)| seed))).unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (5..25).collect::<Vec<_>>());
    }
}
