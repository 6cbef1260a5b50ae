//! The async rim: runs an actor over byte streams and a disk.
//!
//! There is one loop, the same in both worlds. What differs is the [`Rim`]: over TCP and files in production, over the simulated
//! network and disk in the laboratory. A rim frames and mutes (see [`crate::actor`]), keeps the two clocks, and carries out what the
//! outbox says.

use std::future::Future;

use crate::actor::{Actor, Event, Now, Outbox};
use crate::disk::Disk;
use crate::types::Time;

pub mod cluster;
pub mod fs;
pub mod limits;
pub mod metrics;
pub mod people;
mod probe;
pub mod process;
pub mod properties;
pub mod server;
pub mod start;
pub mod tcp;
pub mod watch;
pub mod witness;

/// The world as one process sees it.
pub trait Rim {
    /// Waits for the next event, at the longest until `deadline` of the node's monotonic clock, which then brings
    /// [`Event::Woken`]. `None`: the process is to end.
    fn next(&mut self, deadline: Option<Time>) -> impl Future<Output = Option<(Now, Event)>> + Send;

    /// Whether another event is there already, which comes next.
    fn has_more(&self) -> bool;

    /// The node's disk, for one step.
    fn disk(&mut self) -> &mut dyn Disk;

    /// Carries out what the step wanted, in order, and leaves the outbox empty.
    fn carry_out(&mut self, out: &mut Outbox) -> impl Future<Output = ()> + Send;
}

/// Runs an actor until its rim says that the process is to end.
pub async fn run(actor: &mut dyn Actor, rim: &mut impl Rim, out: &mut Outbox) {
    while let Some((now, event)) = rim.next(actor.deadline()).await {
        if rim.has_more() {
            actor.expect_more();
        }
        actor.step(now, event, rim.disk(), out);
        rim.carry_out(out).await;
    }
}
