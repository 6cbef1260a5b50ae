//! What a node keeps for its peers, counted over all connections.
//!
//! Two things grow with what peers do: requests on their way in, and responses that nobody takes. Each has a bound of its own.
//!
//! ```text
//!   in    up to 64 KiB a connection are free; what a larger request needs is borrowed from queued.max.request.bytes, piece by piece as it
//!         comes, and given back when the actor has it. Whoever wants more waits. While somebody waits, a request that has
//!         been on its way for five seconds gives way: its connection is closed.
//!   out   one response a connection. When all that are unsent exceed their bound, the connection that has stood still longest is closed.
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Bytes of a request that every connection may hold without asking.
pub(super) const FREE_BYTES: usize = 64 << 10;
/// After so long on its way a request gives way to those that wait for room.
pub(super) const GIVE_WAY_AFTER: Duration = Duration::from_secs(5);
/// What is borrowed is counted in this unit.
const UNIT: usize = 1 << 10;

/// The bounds of one node, and what is used of them.
#[derive(Debug)]
pub(super) struct Pressure {
    room: Arc<Semaphore>,
    waiting: AtomicUsize,
    unsent: AtomicUsize,
    unsent_max: usize,
    born: Instant,
}

/// What one request has borrowed.
#[derive(Debug, Default)]
pub(super) struct Loan {
    permits: Option<OwnedSemaphorePermit>,
}

/// What one connection has not sent yet.
#[derive(Debug)]
pub(super) struct Backlog {
    pressure: Arc<Pressure>,
    unsent: AtomicUsize,
    /// When it last moved, in milliseconds of the node's life.
    moved: AtomicU64,
}

impl Pressure {
    /// A node with these bounds; `None`: requests may take as much as comes.
    pub fn new(queued_max: Option<usize>, unsent_max: usize) -> Arc<Pressure> {
        let units = queued_max.map_or(Semaphore::MAX_PERMITS, |bytes| bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS));
        let room = Arc::new(Semaphore::new(units));
        Arc::new(Pressure { room, waiting: AtomicUsize::new(0), unsent: AtomicUsize::new(0), unsent_max, born: Instant::now() })
    }

    /// Whether some request waits for room.
    pub fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Whether more is unsent than may be.
    pub fn is_flooded(&self) -> bool {
        self.unsent.load(Ordering::Relaxed) > self.unsent_max
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Loan {
    /// Waits until a request may take `bytes` in all. False if that does not happen in time.
    pub async fn extend(&mut self, bytes: usize, pressure: &Pressure, patience: Duration) -> bool {
        let held = self.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.saturating_sub(FREE_BYTES).div_ceil(UNIT).saturating_sub(held);
        let Some(more) = u32::try_from(more).ok().filter(|more| *more > 0) else { return true };
        let permits = match pressure.room.clone().try_acquire_many_owned(more) {
            Ok(permits) => permits,
            Err(_) => {
                let _waits = Waits::new(&pressure.waiting);
                match tokio::time::timeout(patience, pressure.room.clone().acquire_many_owned(more)).await {
                    Ok(Ok(permits)) => permits,
                    Ok(Err(_)) | Err(_) => return false,
                }
            }
        };
        match &mut self.permits {
            Some(held) => held.merge(permits),
            None => self.permits = Some(permits),
        }
        true
    }

    /// Whether anything is borrowed.
    pub fn is_taken(&self) -> bool {
        self.permits.is_some()
    }
}

/// One that waits, also if it gives up.
struct Waits<'a>(&'a AtomicUsize);

impl Waits<'_> {
    fn new(count: &AtomicUsize) -> Waits<'_> {
        count.fetch_add(1, Ordering::Relaxed);
        Waits(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Backlog {
    /// Nothing to send.
    pub fn new(pressure: Arc<Pressure>) -> Arc<Backlog> {
        Arc::new(Backlog { pressure, unsent: AtomicUsize::new(0), moved: AtomicU64::new(0) })
    }

    /// So much more is to be sent.
    pub fn grow(&self, bytes: usize) {
        if self.unsent.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.moved.store(self.pressure.millis(), Ordering::Relaxed);
        }
        self.pressure.unsent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So much has been sent.
    pub fn shrink(&self, bytes: usize) {
        self.unsent.fetch_sub(bytes, Ordering::Relaxed);
        self.pressure.unsent.fetch_sub(bytes, Ordering::Relaxed);
        self.moved.store(self.pressure.millis(), Ordering::Relaxed);
    }

    /// Since when it has stood still, if there is anything to send.
    pub fn stands_since(&self) -> Option<u64> {
        (self.unsent.load(Ordering::Relaxed) > 0).then(|| self.moved.load(Ordering::Relaxed))
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.pressure.unsent.fetch_sub(*self.unsent.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_requests_need_no_loan() {
        let pressure = Pressure::new(Some(0), 0);
        let mut loan = Loan::default();
        assert!(loan.extend(FREE_BYTES, &pressure, Duration::ZERO).await);
        assert!(!loan.extend(FREE_BYTES + 1, &pressure, Duration::ZERO).await);
        assert!(!loan.is_taken());
        assert!(!pressure.is_short(), "nobody waits any more");
    }

    #[tokio::test]
    async fn what_was_borrowed_comes_back() {
        let pressure = Pressure::new(Some(100 * UNIT), 0);
        let (mut first, mut second) = (Loan::default(), Loan::default());
        assert!(first.extend(FREE_BYTES + 60 * UNIT, &pressure, Duration::ZERO).await);
        assert!(first.extend(FREE_BYTES + 61 * UNIT, &pressure, Duration::ZERO).await, "only the rest is asked for");
        assert!(!second.extend(FREE_BYTES + 40 * UNIT, &pressure, Duration::ZERO).await);
        drop(first);
        assert!(second.extend(FREE_BYTES + 100 * UNIT, &pressure, Duration::ZERO).await);
    }

    #[tokio::test]
    async fn a_backlog_counts_until_it_is_sent_or_dropped() {
        let pressure = Pressure::new(None, 10);
        let (one, two) = (Backlog::new(pressure.clone()), Backlog::new(pressure.clone()));
        one.grow(8);
        two.grow(8);
        assert!(pressure.is_flooded());
        two.shrink(8);
        assert!(!pressure.is_flooded() && two.stands_since().is_none() && one.stands_since().is_some());
        drop(one);
        assert_eq!(pressure.unsent.load(Ordering::Relaxed), 0);
    }
}
