//! Who takes part, and how each is born.
//!
//! This is the only file of the world that builds real actors.

use brokerlab::actor::Actor;

use brokerlab::types::BrokerId;

use crate::check::NodeKind;
use crate::scenario::model::Producer;
use crate::workload::Driver;

/// Everybody who takes part in a run.
pub trait Cast: Send {
    /// The participants, in the order of their numbers.
    fn members(&self) -> &[Member];

    /// A new process for a member.
    fn actor(&self, member: usize, birth: Birth) -> Box<dyn Actor>;

    /// Who gives commands to a member.
    fn driver(&self, member: usize) -> Driver;
}

/// One participant.
#[derive(Clone, Debug)]
pub struct Member {
    /// `b1`, `c1`, `p1` ...
    pub name: String,
    /// What it is.
    pub role: Role,
}

impl Member {
    /// Whether it listens for connections.
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(self.role, Role::Broker(_) | Role::Controller(_) | Role::Toy)
    }
}

/// The parts that are played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A broker.
    Broker(BrokerId),
    /// A controller.
    Controller(BrokerId),
    /// A producer: an index into the plan's producers.
    Producer(usize),
    /// A consumer: an index into the plan's consumers.
    Consumer(usize),
    /// The laboratory's admin.
    Admin,
    /// The laboratory's reader.
    Laboratory,
    /// Something that makes no promise and is made none.
    Toy,
}

/// The circumstances of a birth.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    /// All the chance a process gets: keyed by seed, node and the fault that restarted it.
    pub seed: u64,
    /// Which life of the process, from 1.
    pub life: u32,
}

/// What a producer asks for, with Kafka's defaults.
#[must_use]
pub fn producer_kind(producer: &Producer) -> NodeKind {
    let value = |key: &str| producer.config.get(key).map(String::as_str);
    let acks = match value("acks").unwrap_or("all") {
        "all" | "-1" => -1,
        number => number.parse().unwrap_or(-1),
    };
    let idempotent = value("enable.idempotence").map_or(acks == -1, |value| value == "true");
    let in_flight = value("max.in.flight.requests.per.connection").and_then(|value| value.parse().ok()).unwrap_or(5);
    NodeKind::Producer { acks, idempotent, in_flight }
}
