//! The words of the house: one newtype for every identifier, offset, epoch and moment.
//!
//! Mixing up a leader epoch and a partition epoch is a bug that no test finds by accident, so the compiler
//! is made to find it. Arithmetic goes through named methods: an [`Offset`] can move by a count of records, but
//! nobody can add two offsets.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), prefix $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number!(
    /// A broker or controller of the cluster: `node.id`. Brokers are named `b1`, `b2` ..., controllers `c1` ... in scenarios;
    /// controllers have ids from 1001 on.
    BrokerId(i32), prefix "b"
);
number!(
    /// The number of a record in its partition's log. Ranges are half-open.
    Offset(i64), prefix "@"
);
number!(
    /// Counts the leaders of one partition; given by the controller, stamped on every batch.
    LeaderEpoch(i32), prefix "le"
);
number!(
    /// Counts the changes of one partition's state at the controller (leader, ISR, replicas).
    PartitionEpoch(i32), prefix "pe"
);
number!(
    /// Identifies one registration of a broker: the metadata offset of its registration record.
    BrokerEpoch(i64), prefix "be"
);
number!(
    /// Given to a producer session by `InitProducerId`.
    ProducerId(i64), prefix "pid"
);
number!(
    /// Fences former sessions of the same producer id.
    ProducerEpoch(i16), prefix "pep"
);
number!(
    /// Number of a record within one (producer id, producer epoch, partition); wraps from `i32::MAX` to 0.
    Sequence(i32), prefix "seq"
);
number!(
    /// A moment of a node's monotonic clock (or of the world's), in nanoseconds since its start.
    Time(u64), prefix "t"
);
number!(
    /// A moment of a node's wall clock, in milliseconds since 1970.
    Timestamp(i64), prefix "ts"
);
number!(
    /// One connection as one process sees it; never reused within the life of a process.
    ConnectionId(u64), prefix "#"
);
number!(
    /// Names a disk operation whose end is awaited; never reused within the life of a process.
    Ticket(u64), prefix "ticket"
);

impl BrokerId {
    /// "No broker": the id of a missing leader.
    pub const NONE: BrokerId = BrokerId(-1);
}

impl Offset {
    /// The first offset of every partition.
    pub const ZERO: Offset = Offset(0);

    /// The offset `records` further on.
    #[must_use]
    pub fn plus(self, records: i64) -> Offset {
        Offset(self.0 + records)
    }

    /// The next offset: turns "last" into "end".
    #[must_use]
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }

    /// How many offsets lie from `earlier` up to `self`; negative if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Offset) -> i64 {
        self.0 - earlier.0
    }
}

impl LeaderEpoch {
    /// "No epoch": an empty log has no last epoch.
    pub const NONE: LeaderEpoch = LeaderEpoch(-1);

    /// The epoch of the next leader.
    #[must_use]
    pub fn next(self) -> LeaderEpoch {
        LeaderEpoch(self.0 + 1)
    }
}

impl PartitionEpoch {
    /// The epoch after one more change.
    #[must_use]
    pub fn next(self) -> PartitionEpoch {
        PartitionEpoch(self.0 + 1)
    }
}

impl BrokerEpoch {
    /// "Not registered", and what consumers send in a fetch.
    pub const NONE: BrokerEpoch = BrokerEpoch(-1);
}

impl ProducerId {
    /// "No producer id": the batch carries no sequence.
    pub const NONE: ProducerId = ProducerId(-1);
}

impl Sequence {
    /// The sequence `records` further on, wrapping as Kafka does.
    #[must_use]
    pub fn plus(self, records: i32) -> Sequence {
        Sequence((i64::from(self.0) + i64::from(records)).rem_euclid(1 << 31) as i32)
    }
}

impl Time {
    /// The first moment of a clock.
    pub const ZERO: Time = Time(0);

    /// The moment `duration` later, saturating at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(duration.0))
    }

    /// How long after `earlier` this is; zero if it is not after.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

/// A span of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Duration(pub u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// `n` microseconds.
    #[must_use]
    pub const fn micros(n: u64) -> Duration {
        Duration(n * 1_000)
    }

    /// `n` milliseconds.
    #[must_use]
    pub const fn millis(n: u64) -> Duration {
        Duration(n * 1_000_000)
    }

    /// `n` seconds.
    #[must_use]
    pub const fn secs(n: u64) -> Duration {
        Duration(n * 1_000_000_000)
    }

    /// Milliseconds of a protocol field; a negative count is no time.
    #[must_use]
    pub fn from_millis_field(n: i64) -> Duration {
        Duration(u64::try_from(n).unwrap_or(0).saturating_mul(1_000_000))
    }

    /// Whole milliseconds in this span.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// This span `n` times.
    #[must_use]
    pub fn times(self, n: u64) -> Duration {
        Duration(self.0.saturating_mul(n))
    }

    /// The `n`-th part of this span.
    #[must_use]
    pub fn divided(self, n: u64) -> Duration {
        Duration(self.0 / n)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n % 1_000_000_000 == 0 => write!(f, "{}s", n / 1_000_000_000),
            n if n % 1_000_000 == 0 => write!(f, "{}ms", n / 1_000_000),
            n if n % 1_000 == 0 => write!(f, "{}us", n / 1_000),
            n => write!(f, "{n}ns"),
        }
    }
}

/// 128 bits that name a topic, a directory, an incarnation. All zeros means "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Uuid(pub u128);

impl Uuid {
    /// "None".
    pub const ZERO: Uuid = Uuid(0);
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// URL-safe base64 without padding, as Kafka prints it.
impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for i in 0..22u32 {
            let shift = 122i64 - i64::from(i) * 6;
            let six = if shift >= 0 { self.0 >> shift } else { self.0 << -shift };
            write!(f, "{}", DIGITS[(six & 63) as usize] as char)?;
        }
        Ok(())
    }
}

/// The topic in which group coordinators keep their state. Clients may read it; only coordinators write to it.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Identifies a topic for ever: a topic deleted and created again under the same name has another one.
pub type TopicId = Uuid;

/// One partition, by the identity of its topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId {
    /// The topic.
    pub topic: TopicId,
    /// Number of the partition within its topic, from 0.
    pub index: i32,
}

impl fmt::Debug for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

/// One partition, by the name of its topic: what clients and people say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// Name of the topic.
    pub topic: Arc<str>,
    /// Number of the partition within its topic, from 0.
    pub index: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a node listens: `b1:9092` in the laboratory, `127.0.0.1:9092` in production.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Name or IP address of the host.
    pub host: Arc<str>,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// The address of `host` at `port`.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Address {
        Address { host: Arc::from(host), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_prints_like_kafka() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid(1).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid(u128::MAX).to_string(), "_____________________w");
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(4), Sequence(2));
    }
}
