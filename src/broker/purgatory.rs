//! Requests that wait: for followers, for records, or for time to pass.
//!
//! A produce with acks=all waits until the high watermark has passed its records; a fetch waits until there is enough to bring home. Both
//! name the partitions they watch and a deadline; so does the deletion of records, which waits for followers too. Nobody polls: whatever
//! happens to a partition wakes those who watch it, and only those.
//!
//! ```text
//!    park ──▶ parked (by connection) ──┬── a watched partition changed: look again, answer or stay
//!                                      ├── the deadline has come: answer with what there is
//!                                      └── the connection is gone: forget
//! ```
//!
//! A connection has at most one unanswered request, so the connection is the key. Ordered sets serve as indexes: all watchers of one
//! partition lie side by side, and so do the earliest deadlines.

use std::collections::{BTreeMap, BTreeSet};

use crate::replica::Changes;
use crate::types::{ConnectionId, PartitionId, Time};

use super::delete_records::WaitingDeletion;
use super::fetch::WaitingFetch;
use super::produce::WaitingProduce;
use super::reply::Caller;

/// A request that waits.
#[derive(Hash, Debug)]
pub(super) struct Parked {
    /// Who waits.
    pub caller: Caller,
    /// Until when at the latest.
    pub deadline: Time,
    /// What for.
    pub request: Waiting,
}

/// What a request waits for.
#[derive(Hash, Debug)]
pub(super) enum Waiting {
    /// That promises are kept.
    Produce(WaitingProduce),
    /// That enough records are there.
    Fetch(WaitingFetch),
    /// That all replicas have given up records.
    Deletion(WaitingDeletion),
}

impl Waiting {
    /// Whether what happened to a partition may end the wait. Records count for followers when they are there, for consumers when they are
    /// below the high watermark.
    pub fn is_concerned_by(&self, changes: Changes) -> bool {
        changes.role
            || match self {
                Waiting::Produce(_) => changes.high_watermark,
                Waiting::Fetch(fetch) if fetch.is_followers() => changes.log_end,
                Waiting::Fetch(_) => changes.high_watermark,
                Waiting::Deletion(_) => changes.low_watermark,
            }
    }

    fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        let (produce, fetch, deletion) = match self {
            Waiting::Produce(produce) => (Some(produce.partitions()), None, None),
            Waiting::Fetch(fetch) => (None, Some(fetch.partitions()), None),
            Waiting::Deletion(deletion) => (None, None, Some(deletion.partitions())),
        };
        produce.into_iter().flatten().chain(fetch.into_iter().flatten()).chain(deletion.into_iter().flatten())
    }
}

/// All requests that wait.
///
/// Invariant: every parked request has one entry in `deadlines` and one in `watched` for each partition it names, and nothing else is there.
#[derive(Default, Hash, Debug)]
pub(super) struct Purgatory {
    parked: BTreeMap<ConnectionId, Parked>,
    watched: BTreeSet<(PartitionId, ConnectionId)>,
    deadlines: BTreeSet<(Time, ConnectionId)>,
}

impl Purgatory {
    /// Lets a request wait.
    ///
    /// # Panics
    /// When its connection has a request waiting already: the rim delivers one at a time.
    pub fn park(&mut self, parked: Parked) {
        let connection = parked.caller.connection;
        self.deadlines.insert((parked.deadline, connection));
        self.watched.extend(parked.request.partitions().map(|partition| (partition, connection)));
        let other = self.parked.insert(connection, parked);
        assert!(other.is_none(), "{connection:?} has two unanswered requests");
    }

    /// Ends the wait of this connection's request, if it has one waiting.
    pub fn release(&mut self, connection: ConnectionId) -> Option<Parked> {
        let parked = self.parked.remove(&connection)?;
        self.deadlines.remove(&(parked.deadline, connection));
        for partition in parked.request.partitions() {
            self.watched.remove(&(partition, connection));
        }
        Some(parked)
    }

    /// A request that waits, to note what has become of it. The partitions it names must stay the same.
    pub fn parked_mut(&mut self, connection: ConnectionId) -> Option<&mut Parked> {
        self.parked.get_mut(&connection)
    }

    /// A request that waits.
    pub fn parked(&self, connection: ConnectionId) -> Option<&Parked> {
        self.parked.get(&connection)
    }

    /// Who watches this partition.
    pub fn watchers(&self, partition: PartitionId) -> impl Iterator<Item = ConnectionId> + '_ {
        let range = (partition, ConnectionId(0))..=(partition, ConnectionId(u64::MAX));
        self.watched.range(range).map(|(_, connection)| *connection)
    }

    /// Ends the wait of one request whose deadline has come, if there is one.
    pub fn expire(&mut self, now: Time) -> Option<Parked> {
        let (_, connection) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now)?;
        let parked = self.release(connection);
        assert!(parked.is_some(), "the deadline of {connection:?} has outlived its request");
        parked
    }

    /// The next deadline.
    pub fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Purgatory::default();
    }
}
