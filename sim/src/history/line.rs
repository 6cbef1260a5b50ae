//! One line of a history.

use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Line {
    /// A producer takes part, with these settings of Kafka's.
    Producer {
        /// Its name.
        client: String,
        /// `acks`.
        acks: Acks,
        /// `enable.idempotence`.
        idempotence: bool,
        /// `max.in.flight.requests.per.connection`.
        max_in_flight: u32,
    },
    /// A consumer takes part.
    Consumer {
        /// Its name.
        client: String,
    },
    /// A producer is about to send a record. No two records of a history have the same value.
    Send {
        /// The producer.
        client: String,
        /// Names the record among those of this producer.
        op: u64,
        /// The topic.
        topic: String,
        /// The value.
        value: String,
    },
    /// A producer was told that the record is written.
    Sent {
        /// The producer.
        client: String,
        /// The record.
        op: u64,
        /// Its partition.
        partition: i32,
        /// Its offset; missing with acks=0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset: Option<i64>,
    },
    /// A producer was told that the record is certainly not written.
    Failed {
        /// The producer.
        client: String,
        /// The record.
        op: u64,
    },
    /// A producer has given the record up and does not know whether it is written.
    Unknown {
        /// The producer.
        client: String,
        /// The record.
        op: u64,
    },
    /// A client is gone without a word about what it had begun.
    Gone {
        /// The client.
        client: String,
    },
    /// A consumer begins to read these partitions, instead of those read so far.
    Assign {
        /// The consumer.
        client: String,
        /// Which, and where from.
        partitions: Vec<Place>,
    },
    /// A consumer was given records, in this order.
    Read {
        /// The consumer.
        client: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Offset and value of each; the value is null where the record has none.
        records: Vec<(i64, Option<String>)>,
    },
    /// A client asks where a partition ends.
    AskEnd {
        /// The client.
        client: String,
        /// Names the question among those of this client.
        op: u64,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// It was told.
    End {
        /// The client.
        client: String,
        /// The question.
        op: u64,
        /// The offset after the last record.
        offset: i64,
    },
    /// All is quiet: every record is sent or given up. What this consumer is assigned and reads from here on is the final read,
    /// against which all promises are held.
    Final {
        /// The consumer.
        client: String,
    },
    /// The final read must come this far: the end of the partition after all was quiet.
    MustRead {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Its end.
        offset: i64,
    },
}

/// `acks`, as Kafka writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Acks {
    /// Nobody answers.
    #[serde(rename = "0")]
    None,
    /// The leader answers.
    #[serde(rename = "1")]
    Leader,
    /// All in-sync replicas have it.
    #[serde(rename = "all", alias = "-1")]
    All,
}

impl Acks {
    /// As on the wire.
    #[must_use]
    pub fn code(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// A partition, and where reading begins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first offset; missing: the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
}

impl Line {
    /// Who it is about; `None` for what concerns all.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        match self {
            Line::Producer { client, .. }
            | Line::Consumer { client }
            | Line::Send { client, .. }
            | Line::Sent { client, .. }
            | Line::Failed { client, .. }
            | Line::Unknown { client, .. }
            | Line::Gone { client }
            | Line::Assign { client, .. }
            | Line::Read { client, .. }
            | Line::AskEnd { client, .. }
            | Line::End { client, .. }
            | Line::Final { client } => Some(client),
            Line::MustRead { .. } => None,
        }
    }
}
