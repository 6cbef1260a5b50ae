//! Clients for people: the producer, consumer and admin actors behind async handles.
//!
//! A handle gives [operations](crate::operation::Operation) to its actor and waits for their ends. All rules (retries, idempotence,
//! batching, what a failure says about the effect) are the actor's, so what the laboratory tests is what an application uses.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! use brokerlab::node::people::{Admin, Producer};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let bootstrap = BTreeMap::from([("bootstrap.servers".to_string(), "127.0.0.1:9092".to_string())]);
//! Admin::connect(&bootstrap)?.create_topic("orders", 3, 3, BTreeMap::new()).await?;
//! let producer = Producer::connect(&bootstrap)?;
//! let (partition, offset) = producer.send("orders", Some("alice"), "2 apples").await?;
//! println!("written to {partition:?} at {offset:?}");
//! # Ok(())
//! # }
//! ```
//!
//! Groups are administered without an actor: nobody in the laboratory does it, and there is nothing to keep between two questions but the
//! connections. `brokers` asks, `line` is a connection, [`groups`] and [`offsets`] say what is asked.

mod brokers;
pub mod groups;
mod line;
pub mod offsets;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, oneshot};

use crate::actor::Actor;
use crate::client::{AdminActor, AdminConfig, ConfigError, ConsumerActor, ConsumerConfig, ProducerActor, ProducerConfig};
use crate::operation::{Certainty, CommitMode, OffsetToCommit, Operation, Outcome, PartitionDescription, PolledRecord, Position};
use crate::types::{Offset, TopicId, TopicPartition};
use crate::wire::ErrorCode;

use super::start::chance;
use super::tcp::{self, NodeError, Running, TcpConfig};
use brokers::Brokers;

/// Kafka's client properties; `bootstrap.servers` is needed.
pub type Properties = BTreeMap<String, String>;

/// Why an operation did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClientError {
    /// The cluster refused, or did not answer in time.
    #[error("{}", told(*code, *certainty))]
    Failed {
        /// Kafka's error code, or 0 when no broker ever answered.
        code: i16,
        /// Whether it certainly had no effect.
        certainty: Certainty,
    },
    /// The client has ended.
    #[error("the client has ended")]
    Ended,
}

fn told(code: i16, certainty: Certainty) -> String {
    let what = match code {
        0 => "no broker answered in time".to_owned(),
        code => format!("error {code} ({})", ErrorCode(code)),
    };
    match certainty {
        Certainty::Definite => what,
        Certainty::Indefinite => format!("{what}; it may have been carried out"),
    }
}

/// Writes records. Sends may run side by side; those of one partition are written in the order in which they were asked for.
#[derive(Debug)]
pub struct Producer(Running);

/// Reads records of the partitions that it is given, by the application or by its group.
#[derive(Debug)]
pub struct Consumer(Running);

/// Creates, describes and deletes topics, and [groups]. Questions about groups are asked one after the other.
#[derive(Debug)]
pub struct Admin {
    actor: Running,
    brokers: Mutex<Brokers>,
}

impl Producer {
    /// A producer. Nothing is sent before the first record.
    ///
    /// # Errors
    /// When a property is unknown or wrong.
    pub fn connect(properties: &Properties) -> Result<Producer, ConfigError> {
        let mut config = ProducerConfig::from_properties(properties)?;
        config.common.seed = chance();
        Ok(Producer(run(Box::new(ProducerActor::new(config)))))
    }

    /// Writes a record where its key belongs, and waits until it is written as `acks` demands. The offset is `None` with acks=0.
    ///
    /// # Errors
    /// When it was refused, or its fate is not known in time.
    pub async fn send(
        &self,
        topic: &str,
        key: Option<impl AsRef<[u8]>>,
        value: impl AsRef<[u8]>,
    ) -> Result<(TopicPartition, Option<Offset>), ClientError> {
        let key = key.map(|key| Bytes::copy_from_slice(key.as_ref()));
        self.send_to(topic, None, key, Bytes::copy_from_slice(value.as_ref())).await
    }

    /// The same, to this very partition if one is named.
    ///
    /// # Errors
    /// As [`Producer::send`].
    pub async fn send_to(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<Bytes>,
        value: Bytes,
    ) -> Result<(TopicPartition, Option<Offset>), ClientError> {
        self.begin(topic, partition, key, value).await?.written().await
    }

    /// Hands a record over and does not wait for its fate: so many may be on their way. Records of one partition are written in the order
    /// in which they were handed over.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn begin(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<Bytes>,
        value: Bytes,
    ) -> Result<Sending, ClientError> {
        let operation = Operation::Produce { topic: Arc::from(topic), partition, key, value };
        self.0.begin(operation).await.map(Sending).map_err(|_| ClientError::Ended)
    }
}

/// A record on its way.
#[derive(Debug)]
pub struct Sending(oneshot::Receiver<Outcome>);

impl Sending {
    /// Waits until the record is written as `acks` demands.
    ///
    /// # Errors
    /// As [`Producer::send`].
    pub async fn written(self) -> Result<(TopicPartition, Option<Offset>), ClientError> {
        let outcome = ended(self.0.await.map_err(|_| NodeError::Ended))?;
        let Outcome::Produced { partition, offset } = outcome else { unreachable!("a producer does not answer {outcome:?}") };
        Ok((partition, offset))
    }
}

impl Consumer {
    /// A consumer that reads nothing yet.
    ///
    /// # Errors
    /// When a property is unknown or wrong.
    pub fn connect(properties: &Properties) -> Result<Consumer, ConfigError> {
        let mut config = ConsumerConfig::from_properties(properties)?;
        config.common.seed = chance();
        Ok(Consumer(run(Box::new(ConsumerActor::new(config)))))
    }

    /// Reads these partitions from there on, instead of those read so far.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn assign(&self, partitions: Vec<(TopicPartition, Position)>) -> Result<(), ClientError> {
        ask(&self.0, Operation::Assign { partitions }).await.map(drop)
    }

    /// Reads these topics as a member of the group `group.id`, instead of whatever is read so far. The partitions come with later polls, and go:
    /// what a poll brought counts as processed when the next one is asked for.
    ///
    /// # Errors
    /// When there is no `group.id`.
    pub async fn subscribe(&self, topics: &[&str]) -> Result<(), ClientError> {
        let topics = topics.iter().map(|topic| Arc::from(*topic)).collect();
        ask(&self.0, Operation::Subscribe { topics }).await.map(drop)
    }

    /// Leaves the group in order: what was polled counts as processed, and is committed if `enable.auto.commit` says so.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn unsubscribe(&self) -> Result<(), ClientError> {
        ask(&self.0, Operation::Unsubscribe).await.map(drop)
    }

    /// Stores for the group how far everything was polled, and waits until that is done. Gives what was stored.
    ///
    /// # Errors
    /// When the group has gone on without us, or no coordinator answers in time.
    pub async fn commit(&self) -> Result<Vec<OffsetToCommit>, ClientError> {
        self.commit_with(None).await
    }

    /// The same for these offsets.
    ///
    /// # Errors
    /// As [`Consumer::commit`].
    pub async fn commit_offsets(&self, offsets: Vec<OffsetToCommit>) -> Result<Vec<OffsetToCommit>, ClientError> {
        self.commit_with(Some(offsets)).await
    }

    async fn commit_with(&self, offsets: Option<Vec<OffsetToCommit>>) -> Result<Vec<OffsetToCommit>, ClientError> {
        let outcome = ask(&self.0, Operation::Commit { offsets, mode: CommitMode::Sync }).await?;
        let Outcome::Committed { offsets } = outcome else {
            unreachable!("a consumer does not answer a commit with {outcome:?}")
        };
        Ok(offsets)
    }

    /// What has come, at most `records_max` records; waits up to `wait_ms` milliseconds for the first.
    ///
    /// # Errors
    /// When a partition cannot be read.
    pub async fn poll(&self, records_max: usize, wait_ms: u64) -> Result<Vec<PolledRecord>, ClientError> {
        let outcome = ask(&self.0, Operation::Poll { records_max, wait_ms }).await?;
        let Outcome::Polled { records } = outcome else { unreachable!("a consumer does not answer a poll with {outcome:?}") };
        Ok(records)
    }

    /// Where a partition begins or ends.
    ///
    /// # Errors
    /// When no leader answers in time.
    pub async fn offset(&self, partition: TopicPartition, position: Position) -> Result<Offset, ClientError> {
        let outcome = ask(&self.0, Operation::ListOffset { partition, position }).await?;
        let Outcome::Offset { offset, .. } = outcome else {
            unreachable!("a consumer does not answer where a partition ends with {outcome:?}")
        };
        Ok(offset)
    }
}

impl Admin {
    /// An admin client.
    ///
    /// # Errors
    /// When a property is unknown or wrong.
    pub fn connect(properties: &Properties) -> Result<Admin, ConfigError> {
        let mut config = AdminConfig::from_properties(properties)?;
        config.common.seed = chance();
        let brokers = Mutex::new(Brokers::new(config.common.clone()));
        Ok(Admin { actor: run(Box::new(AdminActor::new(config))), brokers })
    }

    /// Creates a topic; `config` holds Kafka's topic properties.
    ///
    /// # Errors
    /// When it was refused, or its fate is not known in time.
    pub async fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        replicas: i16,
        config: Properties,
    ) -> Result<TopicId, ClientError> {
        let outcome = ask(&self.actor, Operation::CreateTopic { name: Arc::from(name), partitions, replicas, config }).await?;
        let Outcome::TopicCreated { topic } = outcome else {
            unreachable!("an admin does not answer a creation with {outcome:?}")
        };
        Ok(topic)
    }

    /// Deletes a topic.
    ///
    /// # Errors
    /// As [`Admin::create_topic`].
    pub async fn delete_topic(&self, name: &str) -> Result<(), ClientError> {
        ask(&self.actor, Operation::DeleteTopic { name: Arc::from(name) }).await.map(drop)
    }

    /// What the cluster says of a topic.
    ///
    /// # Errors
    /// When there is none, or nobody answers in time.
    pub async fn describe_topic(&self, name: &str) -> Result<(TopicId, Vec<PartitionDescription>), ClientError> {
        let outcome = ask(&self.actor, Operation::DescribeTopic { name: Arc::from(name) }).await?;
        let Outcome::TopicDescribed { topic, partitions } = outcome else {
            unreachable!("an admin does not answer a description with {outcome:?}")
        };
        Ok((topic, partitions))
    }
}

fn run(actor: Box<dyn Actor>) -> Running {
    tcp::spawn(actor, TcpConfig::default())
}

async fn ask(client: &Running, operation: Operation) -> Result<Outcome, ClientError> {
    ended(client.ask(operation).await)
}

fn ended(outcome: Result<Outcome, NodeError>) -> Result<Outcome, ClientError> {
    match outcome {
        Ok(Outcome::Failed { code, certainty }) => Err(ClientError::Failed { code, certainty }),
        Ok(outcome) => Ok(outcome),
        Err(NodeError::Ended | NodeError::Refused(_)) => Err(ClientError::Ended),
    }
}
