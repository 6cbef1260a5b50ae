//! Those who give commands: people, applications, and the laboratory's own two clients.
//!
//! ```text
//!   p1 ..  a producer's application     one record every so often, each value unique, until the fault phase ends
//!   r1 ..  a consumer's application     reads all partitions of a topic, poll after poll
//!   g-1 .. a member's application       polls, processes each record, commits
//!   a0     the laboratory's admin       creates the topics, again and again until they exist
//!   lab    the laboratory's reader      after healing, reads every partition from its start to its end
//! ```
//!
//! A driver lives outside its node: it survives crashes and remembers what it asked for. It gives [operations](Operation) and is
//! told how they end; the world numbers them and records both.

use brokerlab::operation::{Completion, Operation};
use brokerlab::types::{Duration, Offset, Time, TopicPartition};

pub mod admin;
pub mod consumer;
pub mod laboratory;
pub mod member;
pub mod producer;

pub use admin::TopicCreator;
pub use consumer::Reader;
pub use laboratory::Laboratory;
pub use member::Worker;
pub use producer::Writer;

/// Without a record for so long a reader no longer gets on.
const STANDSTILL: Duration = Duration::secs(10);

/// Who gives commands to a node.
#[derive(Debug)]
pub enum Driver {
    /// Nobody.
    Nobody,
    /// A producer's application.
    Writer(Writer),
    /// A consumer's application.
    Reader(Reader),
    /// The application of a group's member.
    Worker(Worker),
    /// Creates the topics.
    TopicCreator(TopicCreator),
    /// Reads everything at the end.
    Laboratory(Laboratory),
}

/// What a driver wants next.
#[derive(Debug, Default, PartialEq)]
pub struct Wish {
    /// This operation, now.
    pub operation: Option<Operation>,
    /// To be asked again at that moment.
    pub again: Option<Time>,
    /// Records that a group's application has just processed, in this order.
    pub processed: Vec<(TopicPartition, Offset)>,
}

impl Wish {
    /// Nothing, ever.
    #[must_use]
    pub fn nothing() -> Wish {
        Wish::default()
    }

    /// To be asked again at that moment.
    #[must_use]
    pub fn at(again: Time) -> Wish {
        Wish { again: Some(again), ..Wish::default() }
    }

    /// This operation; its end will be told.
    #[must_use]
    pub fn now(operation: Operation) -> Wish {
        Wish { operation: Some(operation), ..Wish::default() }
    }
}

impl Driver {
    /// The node's process has started, for the first time or again.
    pub fn on_start(&mut self, now: Time) -> Wish {
        match self {
            Driver::Nobody => Wish::nothing(),
            Driver::Writer(writer) => writer.on_start(now),
            Driver::Reader(reader) => reader.on_start(now),
            Driver::Worker(worker) => worker.on_start(now),
            Driver::TopicCreator(creator) => creator.on_start(now),
            Driver::Laboratory(laboratory) => laboratory.on_start(now),
        }
    }

    /// The moment has come.
    pub fn on_time(&mut self, now: Time) -> Wish {
        match self {
            Driver::Nobody => Wish::nothing(),
            Driver::Writer(writer) => writer.on_time(now),
            Driver::Reader(reader) => reader.on_time(now),
            Driver::Worker(worker) => worker.on_time(now),
            Driver::TopicCreator(creator) => creator.on_time(),
            Driver::Laboratory(laboratory) => laboratory.on_time(),
        }
    }

    /// An operation has ended.
    pub fn on_outcome(&mut self, Completion { id, outcome }: &Completion, now: Time) -> Wish {
        match self {
            Driver::Nobody => Wish::nothing(),
            Driver::Writer(writer) => writer.on_outcome(),
            Driver::Reader(reader) => reader.on_outcome(outcome, now),
            Driver::Worker(worker) => worker.on_outcome(*id, outcome, now),
            Driver::TopicCreator(creator) => creator.on_outcome(outcome, now),
            Driver::Laboratory(laboratory) => laboratory.on_outcome(outcome, now),
        }
    }

    /// The node's process has died; what it was asked for will not be answered.
    pub fn on_death(&mut self) {
        match self {
            Driver::Nobody | Driver::Reader(_) | Driver::TopicCreator(_) | Driver::Laboratory(_) => {}
            Driver::Writer(writer) => writer.on_death(),
            Driver::Worker(worker) => worker.on_death(),
        }
    }
}
