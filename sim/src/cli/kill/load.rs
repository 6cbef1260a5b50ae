//! Clients under which brokers are killed, and what they write down.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use brokerlab::node::people::{Admin, ClientError, Consumer, Producer, Properties, Sending};
use brokerlab::operation::{Certainty, PolledRecord, Position};
use brokerlab::types::TopicPartition;
use bytes::Bytes;
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::cli::machine::now;
use crate::history::{Acks, Line, Place, Writer};

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 3;
const PRODUCERS: usize = 3;
/// Pause of a producer between two records.
const PAUSE: Duration = Duration::from_millis(4);
/// Records of one producer on their way at once.
const OPEN_MAX: usize = 200;
/// Polls of the reader between two questions where a partition ends.
const ASK_EVERY: u64 = 50;
/// Longest wait for the fate of a record.
const DELIVERY_TIMEOUT_MS: u64 = 60_000;
/// How long the final read may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The load.
#[derive(Debug)]
pub struct Load {
    writer: Arc<Writer>,
    properties: Properties,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    producers: Vec<JoinHandle<miette::Result<()>>>,
    reader: JoinHandle<miette::Result<()>>,
}

impl Load {
    /// Creates the topic and lets the clients begin.
    pub async fn start(bootstrap: &str, history: &Path) -> miette::Result<Load> {
        let properties = BTreeMap::from([("bootstrap.servers".to_string(), bootstrap.to_string())]);
        let admin = Admin::connect(&properties).into_diagnostic()?;
        let durable = BTreeMap::from([("min.insync.replicas".to_string(), "2".to_string())]);
        admin.create_topic(TOPIC, PARTITIONS, 3, durable).await.into_diagnostic().wrap_err("cannot create the topic")?;
        let writer = Arc::new(Writer::create(history).into_diagnostic()?);
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut producers = Vec::new();
        for number in 1..=PRODUCERS {
            let task = Writing {
                name: format!("p{number}"),
                producer: Arc::new(connect(&properties)?),
                writer: writer.clone(),
                acknowledged: acknowledged.clone(),
            };
            producers.push(tokio::spawn(task.run(stop.clone())));
        }
        let reader = tokio::spawn(read_along(properties.clone(), writer.clone(), stop.clone()));
        Ok(Load { writer, properties, stop, acknowledged, producers, reader })
    }

    /// How many records are acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Lets the clients end, then reads everything once more.
    pub async fn finish(self) -> miette::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for producer in self.producers {
            producer.await.into_diagnostic()??;
        }
        self.reader.await.into_diagnostic()??;
        let read = read_finally(&self.properties, &self.writer);
        tokio::time::timeout(PATIENCE, read).await.map_err(|_| miette!("the final read did not end in {PATIENCE:?}"))??;
        self.writer.flush().into_diagnostic()
    }
}

fn connect(properties: &Properties) -> miette::Result<Producer> {
    let mut properties = properties.clone();
    let more = [
        ("acks", "all".to_string()),
        ("enable.idempotence", "true".to_string()),
        ("delivery.timeout.ms", DELIVERY_TIMEOUT_MS.to_string()),
        ("request.timeout.ms", "5000".to_string()),
    ];
    properties.extend(more.map(|(key, value)| (key.to_string(), value)));
    Producer::connect(&properties).into_diagnostic()
}

/// One producer.
struct Writing {
    name: String,
    producer: Arc<Producer>,
    writer: Arc<Writer>,
    acknowledged: Arc<AtomicU64>,
}

impl Writing {
    async fn run(self, stop: Arc<AtomicBool>) -> miette::Result<()> {
        let introduced = Line::Producer { client: self.name.clone(), acks: Acks::All, idempotence: true, max_in_flight: 5 };
        self.writer.write(&introduced).into_diagnostic()?;
        let open = Arc::new(Semaphore::new(OPEN_MAX));
        let this = Arc::new(self);
        for op in 1.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let place = open.clone().acquire_owned().await.into_diagnostic()?;
            let (client, topic, value) = (this.name.clone(), TOPIC.to_string(), format!("{}-{op}", this.name));
            let bytes = Bytes::copy_from_slice(value.as_bytes());
            this.writer.write(&Line::Send { client, op, topic, value }).into_diagnostic()?;
            let partition = i32::try_from(op % 3).expect("it is below 3");
            let sending = this.producer.begin(TOPIC, Some(partition), None, bytes).await.into_diagnostic()?;
            let this = this.clone();
            tokio::spawn(async move {
                let _ = this.note(op, sending).await;
                drop(place);
            });
            tokio::time::sleep(PAUSE).await;
        }
        // All are on nobody's way any more.
        let _all = open.acquire_many(u32::try_from(OPEN_MAX).expect("it is small")).await.into_diagnostic()?;
        Ok(())
    }

    async fn note(&self, op: u64, sending: Sending) -> miette::Result<()> {
        let client = self.name.clone();
        let line = match sending.written().await {
            Ok((partition, offset)) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                Line::Sent { client, op, partition: partition.index, offset: offset.map(|offset| offset.0) }
            }
            Err(ClientError::Failed { certainty: Certainty::Definite, .. }) => Line::Failed { client, op },
            Err(ClientError::Failed { certainty: Certainty::Indefinite, .. } | ClientError::Ended) => {
                Line::Unknown { client, op }
            }
        };
        self.writer.write(&line).into_diagnostic()
    }
}

fn partitions() -> impl Iterator<Item = TopicPartition> {
    (0..PARTITIONS).map(|index| TopicPartition { topic: TOPIC.into(), index })
}

/// Begins to read all partitions from their beginning.
async fn begin_to_read(client: &str, consumer: &Consumer, writer: &Writer) -> miette::Result<()> {
    let places = partitions().map(|one| Place { topic: one.topic.to_string(), partition: one.index, from: None }).collect();
    writer.write(&Line::Assign { client: client.into(), partitions: places }).into_diagnostic()?;
    consumer.assign(partitions().map(|one| (one, Position::Beginning)).collect()).await.into_diagnostic()
}

fn note_read(client: &str, records: &[PolledRecord], writer: &Writer) -> miette::Result<()> {
    for run in records.chunk_by(|a, b| a.partition == b.partition) {
        let text = |record: &PolledRecord| record.value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned());
        let (topic, partition) = (run[0].partition.topic.to_string(), run[0].partition.index);
        let records = run.iter().map(|record| (record.offset.0, text(record))).collect();
        writer.write(&Line::Read { client: client.into(), topic, partition, records }).into_diagnostic()?;
    }
    Ok(())
}

/// Reads along while brokers are killed; a poll that fails is asked again.
async fn read_along(properties: Properties, writer: Arc<Writer>, stop: Arc<AtomicBool>) -> miette::Result<()> {
    let client = "c1";
    writer.write(&Line::Consumer { client: client.into() }).into_diagnostic()?;
    let consumer = Consumer::connect(&properties).into_diagnostic()?;
    begin_to_read(client, &consumer, &writer).await?;
    for turn in 1.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match consumer.poll(1_000, 200).await {
            Ok(records) => note_read(client, &records, &writer)?,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        if turn % ASK_EVERY == 0 {
            ask_end(client, turn, &consumer, &writer).await?;
        }
    }
    Ok(())
}

/// Asks where a partition ends; a question without an answer stays open in the history.
async fn ask_end(client: &str, op: u64, consumer: &Consumer, writer: &Writer) -> miette::Result<()> {
    let index = i32::try_from(op / ASK_EVERY % 3).expect("it is below 3");
    let (client, topic) = (client.to_string(), TOPIC.to_string());
    writer.write(&Line::AskEnd { client: client.clone(), op, topic, partition: index }).into_diagnostic()?;
    let partition = TopicPartition { topic: TOPIC.into(), index };
    if let Ok(offset) = consumer.offset(partition, Position::End).await {
        writer.write(&Line::End { client, op, offset: offset.0 }).into_diagnostic()?;
    }
    Ok(())
}

/// Reads everything once more, up to the end that the partitions have now.
async fn read_finally(properties: &Properties, writer: &Writer) -> miette::Result<()> {
    let client = "final";
    writer.write(&Line::Consumer { client: client.into() }).into_diagnostic()?;
    writer.write(&Line::Final { client: client.into() }).into_diagnostic()?;
    let consumer = Consumer::connect(properties).into_diagnostic()?;
    let mut left = BTreeMap::new();
    for partition in partitions() {
        let end = end_of(&consumer, &partition).await?;
        let (topic, index) = (partition.topic.to_string(), partition.index);
        writer.write(&Line::MustRead { topic, partition: index, offset: end }).into_diagnostic()?;
        if end > 0 {
            left.insert(index, end);
        }
    }
    begin_to_read(client, &consumer, writer).await?;
    while !left.is_empty() {
        let Ok(records) = consumer.poll(1_000, 500).await else { continue };
        note_read(client, &records, writer)?;
        for record in &records {
            if left.get(&record.partition.index).is_some_and(|end| record.offset.0 + 1 >= *end) {
                left.remove(&record.partition.index);
            }
        }
    }
    Ok(())
}

async fn end_of(consumer: &Consumer, partition: &TopicPartition) -> miette::Result<i64> {
    let begun = now();
    loop {
        match consumer.offset(partition.clone(), Position::End).await {
            Ok(offset) => return Ok(offset.0),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error).into_diagnostic(),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
