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
//! Several produce requests of one connection may wait at once (see [`crate::wire::window`]), and are answered in the order in which they came;
//! every other request has its connection for itself. So a request's [`Place`] is its connection and its number. Ordered sets serve as
//! indexes: all watchers of one partition lie side by side, and so do the earliest deadlines.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

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

impl Parked {
    fn is_produce(&self) -> bool {
        matches!(self.request, Waiting::Produce(_))
    }
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

/// Where a request waits: behind those of its connection that were parked before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Place {
    /// Its connection.
    pub connection: ConnectionId,
    number: u64,
}

impl Place {
    fn all_of(connection: ConnectionId) -> RangeInclusive<Place> {
        Place { connection, number: 0 }..=Place { connection, number: u64::MAX }
    }
}

/// All requests that wait.
///
/// Invariant: every parked request has one entry in `watched` for each partition it names, and one in `deadlines` until that has come; nothing
/// else is there.
#[derive(Default, Hash, Debug)]
pub(super) struct Purgatory {
    parked: BTreeMap<Place, Parked>,
    watched: BTreeSet<(PartitionId, Place)>,
    deadlines: BTreeSet<(Time, Place)>,
    /// Woken, and to be looked at when the broker has nothing else to do.
    postponed: BTreeSet<Place>,
    /// How many requests have ever been parked.
    count: u64,
}

impl Purgatory {
    /// Lets a request wait.
    ///
    /// # Panics
    /// When its connection has another one waiting and not both are produce requests: the rim does not deliver that.
    pub fn park(&mut self, parked: Parked) {
        let connection = parked.caller.connection;
        let may_queue = parked.is_produce() && self.all_of(connection).all(Parked::is_produce);
        assert!(may_queue || !self.has_waiting(connection), "{connection:?} has two unanswered requests");
        self.count += 1;
        let place = Place { connection, number: self.count };
        self.deadlines.insert((parked.deadline, place));
        self.watched.extend(parked.request.partitions().map(|partition| (partition, place)));
        self.parked.insert(place, parked);
    }

    /// Whether a request of this connection waits.
    pub fn has_waiting(&self, connection: ConnectionId) -> bool {
        self.all_of(connection).next().is_some()
    }

    fn all_of(&self, connection: ConnectionId) -> impl Iterator<Item = &Parked> {
        self.parked.range(Place::all_of(connection)).map(|(_, parked)| parked)
    }

    /// The oldest request of this connection that waits: the one to be answered next.
    pub fn first_of(&self, connection: ConnectionId) -> Option<(Place, &Parked)> {
        self.parked.range(Place::all_of(connection)).next().map(|(place, parked)| (*place, parked))
    }

    /// Ends the wait of a request, if it has not ended.
    pub fn release(&mut self, place: Place) -> Option<Parked> {
        let parked = self.parked.remove(&place)?;
        self.deadlines.remove(&(parked.deadline, place));
        for partition in parked.request.partitions() {
            self.watched.remove(&(partition, place));
        }
        Some(parked)
    }

    /// Forgets all requests of a connection.
    pub fn forget(&mut self, connection: ConnectionId) {
        while let Some((place, _)) = self.first_of(connection) {
            self.release(place);
        }
    }

    /// A request that waits, to note what has become of it. The partitions it names must stay the same.
    pub fn parked_mut(&mut self, place: Place) -> Option<&mut Parked> {
        self.parked.get_mut(&place)
    }

    /// A request that waits.
    pub fn parked(&self, place: Place) -> Option<&Parked> {
        self.parked.get(&place)
    }

    /// Who watches this partition.
    pub fn watchers(&self, partition: PartitionId) -> impl Iterator<Item = Place> + '_ {
        let (first, last) = (*Place::all_of(ConnectionId(0)).start(), *Place::all_of(ConnectionId(u64::MAX)).end());
        self.watched.range((partition, first)..=(partition, last)).map(|(_, place)| *place)
    }

    /// One request whose deadline has come, if there is one. It still waits, but is not named again.
    pub fn due(&mut self, now: Time) -> Option<Place> {
        let (_, place) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now)?;
        self.deadlines.pop_first();
        assert!(self.parked.contains_key(&place), "the deadline of {place:?} has outlived its request");
        Some(place)
    }

    /// This request is to be looked at later.
    pub fn postpone(&mut self, place: Place) {
        self.postponed.insert(place);
    }

    /// One request that was to be looked at later, if there is one. It may not wait any more.
    pub fn take_postponed(&mut self) -> Option<Place> {
        self.postponed.pop_first()
    }

    /// The next deadline: at once, if something was postponed.
    pub fn deadline(&self) -> Option<Time> {
        match self.postponed.is_empty() {
            true => self.deadlines.first().map(|(deadline, _)| *deadline),
            false => Some(Time::ZERO),
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        let count = self.count;
        *self = Purgatory { count, ..Purgatory::default() };
    }
}
