//! `brokerlab topics | produce | consume`: for a person at a terminal, against our brokers or any other Kafka.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use brokerlab::node::people::{Admin, Consumer, Producer, Properties};
use brokerlab::operation::{PartitionDescription, PolledRecord, Position};
use brokerlab::types::{Offset, TopicPartition};
use bytes::Bytes;
use miette::{IntoDiagnostic, WrapErr};
use serde_json::json;
use tokio::task::JoinSet;

use super::Exit;
use super::output::say;
use super::told::Told;

/// Records on their way at once.
const OPEN_MAX: usize = 1_000;
/// Longest wait for records before looking whether the end was reached.
const WAIT_MS: u64 = 500;

/// What we are called, unless another name is given; ids of members begin with it.
const CLIENT_ID: &str = "brokerlab";

/// Whom to talk to.
#[derive(clap::Args, Debug)]
pub struct Connect {
    /// Brokers to ask first
    #[arg(long, short = 'b', value_name = "HOST:PORT,..", default_value = "127.0.0.1:9092")]
    bootstrap: String,
    /// A client property of Kafka's: `-X request.timeout.ms=5000`
    #[arg(short = 'X', value_name = "NAME=VALUE", value_parser = pair)]
    properties: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has the form name=value")?;
    Ok((name.trim().to_string(), value.trim().to_string()))
}

impl Connect {
    /// As a client is configured.
    pub(super) fn properties(&self) -> Properties {
        let property = |key: &str, value: &str| (key.to_string(), value.to_string());
        let name = [property("client.id", CLIENT_ID)];
        let given = self.properties.iter().cloned();
        name.into_iter().chain(given).chain([property("bootstrap.servers", &self.bootstrap)]).collect()
    }
}

/// Create, describe and delete topics
#[derive(clap::Subcommand, Debug)]
pub enum Topics {
    /// Create a topic
    Create {
        /// Its name
        name: String,
        /// Number of partitions; default: the brokers'
        #[arg(long, short = 'p', default_value_t = -1, allow_negative_numbers = true)]
        partitions: i32,
        /// Replicas of each; default: the brokers'
        #[arg(long, short = 'r', default_value_t = -1, allow_negative_numbers = true)]
        replicas: i16,
        /// A topic property of Kafka's: `--config min.insync.replicas=2`
        #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
        config: Vec<(String, String)>,
        #[command(flatten)]
        connect: Connect,
    },
    /// Show leaders, replicas and ISR of a topic
    Describe {
        /// Its name
        name: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connect: Connect,
    },
    /// Delete a topic and all its records
    Delete {
        /// Its name
        name: String,
        #[command(flatten)]
        connect: Connect,
    },
}

impl Topics {
    /// Does it.
    pub fn carry_out(self) -> miette::Result<Exit> {
        on_runtime(async {
            match self {
                Topics::Create { name, partitions, replicas, config, connect } => {
                    let admin = Admin::connect(&connect.properties()).into_diagnostic()?;
                    let config: BTreeMap<String, String> = config.into_iter().collect();
                    let id = admin.create_topic(&name, partitions, replicas, config).await.into_diagnostic()?;
                    say!("created {name}, topic id {id}");
                }
                Topics::Describe { name, json, connect } => {
                    let admin = Admin::connect(&connect.properties()).into_diagnostic()?;
                    let (id, partitions) = admin.describe_topic(&name).await.into_diagnostic()?;
                    if json {
                        let partitions: Vec<_> = partitions.iter().map(partition_json).collect();
                        say!("{}", json!({ "topic": name, "topic_id": id.to_string(), "partitions": partitions }));
                    } else {
                        say!("{name}, topic id {id}");
                        partitions.iter().for_each(|partition| say!("  {}", partition_line(partition)));
                    }
                }
                Topics::Delete { name, connect } => {
                    let admin = Admin::connect(&connect.properties()).into_diagnostic()?;
                    admin.delete_topic(&name).await.into_diagnostic()?;
                    say!("deleted {name}");
                }
            }
            Ok(Exit::GOOD)
        })
    }
}

fn partition_json(partition: &PartitionDescription) -> serde_json::Value {
    json!({
        "partition": partition.index, "leader": partition.leader, "leader_epoch": partition.leader_epoch.0,
        "replicas": partition.replicas, "isr": partition.isr,
    })
}

fn partition_line(partition: &PartitionDescription) -> String {
    let leader = if partition.leader < 0 { "none".to_string() } else { partition.leader.to_string() };
    format!(
        "partition {}: leader {leader} (epoch {}), replicas {:?}, isr {:?}",
        partition.index, partition.leader_epoch.0, partition.replicas, partition.isr
    )
}

/// Write each line of standard input as a record
#[derive(clap::Args, Debug)]
pub struct Produce {
    /// Where to
    topic: String,
    /// Always this partition; else the key decides
    #[arg(long, short = 'p')]
    partition: Option<i32>,
    /// What stands before this in a line is the record's key
    #[arg(long, short = 'k', value_name = "SEPARATOR")]
    key_separator: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Produce {
    /// Writes until standard input ends.
    pub fn carry_out(self) -> miette::Result<Exit> {
        on_runtime(async {
            let producer = Producer::connect(&self.connect.properties()).into_diagnostic()?;
            let mut open = JoinSet::new();
            let mut written = 0u64;
            for line in std::io::stdin().lock().lines() {
                let line = line.into_diagnostic().wrap_err("standard input is no text")?;
                let (key, value) = self.split(&line);
                while open.len() >= OPEN_MAX {
                    written += wait(&mut open).await?;
                }
                open.spawn(producer.begin(&self.topic, self.partition, key, value).await.into_diagnostic()?.written());
            }
            while !open.is_empty() {
                written += wait(&mut open).await?;
            }
            eprintln!("{written} records written to {}", self.topic);
            Ok(Exit::GOOD)
        })
    }

    fn split(&self, line: &str) -> (Option<Bytes>, Bytes) {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        match self.key_separator.as_deref().and_then(|separator| line.split_once(separator)) {
            Some((key, value)) => (Some(bytes(key)), bytes(value)),
            None => (None, bytes(line)),
        }
    }
}

type Sent = Result<(TopicPartition, Option<Offset>), brokerlab::node::people::ClientError>;

async fn wait(open: &mut JoinSet<Sent>) -> miette::Result<u64> {
    match open.join_next().await {
        Some(sent) => sent.into_diagnostic()?.into_diagnostic().wrap_err("a record was not written").map(|_| 1),
        None => Ok(0),
    }
}

/// Print the records of a topic, all partitions
#[derive(clap::Args, Debug)]
pub struct Consume {
    /// Where from
    topic: String,
    /// `beginning`, `end`, or an offset
    #[arg(long, short = 'o', default_value = "beginning", value_parser = position)]
    from: Position,
    /// Only this partition
    #[arg(long, short = 'p')]
    partition: Option<i32>,
    /// Stop at the end that the partitions have at the start
    #[arg(long, short = 'e')]
    exit_at_end: bool,
    /// Share the partitions with the other members of this group, and go on where it has committed; a record is committed when it is printed
    #[arg(long, short = 'G', value_name = "GROUP", conflicts_with_all = ["partition", "exit_at_end"])]
    group: Option<String>,
    /// Stop after so many records
    #[arg(long, short = 'c', value_name = "RECORDS")]
    count: Option<u64>,
    /// One JSON object a record
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

fn position(text: &str) -> Result<Position, String> {
    match text {
        "beginning" => Ok(Position::Beginning),
        "end" => Ok(Position::End),
        number => {
            number.parse().map(|offset| Position::At(Offset(offset))).map_err(|_| "it is `beginning`, `end`, or an offset".into())
        }
    }
}

impl Consume {
    /// Reads until it is stopped, or to the end.
    pub fn carry_out(self) -> miette::Result<Exit> {
        if let Some(group) = &self.group {
            return on_runtime(self.share(group));
        }
        on_runtime(async {
            let properties = self.connect.properties();
            let mut budget = self.count.unwrap_or(u64::MAX);
            let consumer = Consumer::connect(&properties).into_diagnostic()?;
            let partitions = self.partitions(&properties).await?;
            let mut left = BTreeMap::new();
            if self.exit_at_end {
                for partition in &partitions {
                    let end = consumer.offset(partition.clone(), Position::End).await.into_diagnostic()?;
                    let begin = match self.from {
                        Position::At(offset) => offset,
                        Position::Beginning | Position::End => {
                            consumer.offset(partition.clone(), self.from).await.into_diagnostic()?
                        }
                    };
                    if begin < end {
                        left.insert(partition.index, end);
                    }
                }
            }
            consumer.assign(partitions.into_iter().map(|partition| (partition, self.from)).collect()).await.into_diagnostic()?;
            while budget > 0 && (!self.exit_at_end || !left.is_empty()) {
                for record in consumer.poll(few(budget), WAIT_MS).await.into_diagnostic()? {
                    let end = left.get(&record.partition.index).copied();
                    if end.is_some_and(|end| record.offset.next() >= end) {
                        left.remove(&record.partition.index);
                    }
                    self.show(&record);
                    budget -= 1;
                }
            }
            Ok(Exit::GOOD)
        })
    }

    /// Reads as a member of a group.
    async fn share(&self, group: &str) -> miette::Result<Exit> {
        let reset = match self.from {
            Position::Beginning => "earliest",
            Position::End => "latest",
            Position::At(_) => miette::bail!("a group begins where it has committed; else at `beginning` or `end`"),
        };
        let mut properties = self.connect.properties();
        properties.insert("group.id".to_string(), group.to_string());
        let mut unless_given = |key: &str, value: &str| {
            properties.entry(key.to_string()).or_insert_with(|| value.to_string());
        };
        unless_given("auto.offset.reset", reset);
        unless_given("enable.auto.commit", "false");
        let consumer = Consumer::connect(&properties).into_diagnostic()?;
        let mut told = Told::new()?;
        consumer.subscribe(&[&self.topic]).await.into_diagnostic()?;
        let mut budget = self.count.unwrap_or(u64::MAX);
        while budget > 0 {
            // A poll that is given up was never printed, so it is not committed either.
            let records = tokio::select! {
                records = consumer.poll(few(budget), WAIT_MS) => records.into_diagnostic()?,
                () = told.again() => break,
            };
            records.iter().for_each(|record| self.show(record));
            budget -= records.len() as u64;
            // Whoever reads them now prints them again, if the group has gone on without us.
            if !records.is_empty()
                && let Err(error) = consumer.commit().await
            {
                eprintln!("not committed: {error}");
            }
        }
        consumer.unsubscribe().await.into_diagnostic()?;
        Ok(Exit::GOOD)
    }

    async fn partitions(&self, properties: &Properties) -> miette::Result<Vec<TopicPartition>> {
        let topic: Arc<str> = Arc::from(self.topic.as_str());
        let named = |index| TopicPartition { topic: topic.clone(), index };
        if let Some(index) = self.partition {
            return Ok(vec![named(index)]);
        }
        // Only what an admin knows too is taken over: an admin refuses a consumer's own properties.
        let bootstrap = properties.iter().filter(|(key, _)| *key == "bootstrap.servers");
        let admin = Admin::connect(&bootstrap.map(|(key, value)| (key.clone(), value.clone())).collect()).into_diagnostic()?;
        let described = admin.describe_topic(&self.topic).await.into_diagnostic();
        let (_, partitions) = described.wrap_err_with(|| format!("cannot describe {}", self.topic))?;
        Ok(partitions.iter().map(|partition| named(partition.index)).collect())
    }

    fn show(&self, record: &PolledRecord) {
        let text = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let (key, value) = (text(&record.key), text(&record.value));
        if self.json {
            let (partition, offset, timestamp) = (record.partition.index, record.offset.0, record.timestamp.0);
            say!("{}", json!({ "partition": partition, "offset": offset, "timestamp": timestamp, "key": key, "value": value }));
        } else {
            say!("{}", value.unwrap_or_default());
        }
    }
}

/// No more than so many are wanted.
fn few(budget: u64) -> usize {
    usize::try_from(budget).unwrap_or(usize::MAX).min(OPEN_MAX)
}

/// Carries out what waits for the network.
pub(super) fn on_runtime(work: impl Future<Output = miette::Result<Exit>>) -> miette::Result<Exit> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().into_diagnostic()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_a_word_or_an_offset() {
        assert_eq!(position("beginning"), Ok(Position::Beginning));
        assert_eq!(position("17"), Ok(Position::At(Offset(17))));
        assert!(position("middle").is_err());
    }

    #[test]
    fn a_line_is_parted_at_its_first_separator() {
        let connect = Connect { bootstrap: String::new(), properties: Vec::new() };
        let produce = Produce { topic: String::new(), partition: None, key_separator: Some(":".into()), connect };
        assert_eq!(produce.split("a:b:c"), (Some(Bytes::from("a")), Bytes::from("b:c")));
        assert_eq!(produce.split("none"), (None, Bytes::from("none")));
    }
}
