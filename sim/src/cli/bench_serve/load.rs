//! Who makes the load of `bench serve`.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::process::{Command, Stdio};

use brokerlab::node::people::{Admin, Consumer, Producer, Properties};
use brokerlab::operation::Position;
use brokerlab::types::TopicPartition;
use bytes::Bytes;
use miette::{IntoDiagnostic, WrapErr, miette};

use super::timed;
use crate::cli::machine::now;

const TOPIC: &str = "bench";
/// Records of our own producer on their way at once.
const OPEN_MAX: usize = 5_000;
const PRODUCER_TOOL: &str = "org.apache.kafka.tools.ProducerPerformance";
const CONSUMER_TOOL: &str = "org.apache.kafka.tools.ConsumerPerformance";

/// The client that makes the load.
#[derive(Debug)]
pub enum Client {
    /// Kafka's performance tools, with these jars.
    KafkaTools(String),
    /// kcat, which is librdkafka.
    Kcat,
    /// Our own producer and consumer, in this process.
    Own,
}

/// What one load brought.
#[derive(Debug)]
pub struct Measured {
    /// Records a second.
    pub records_per_s: f64,
    /// Median and 99th percentile from send to acknowledgement under this load, if the client tells.
    pub latency_ms: Option<(f64, f64)>,
}

impl Client {
    /// The best that there is.
    pub fn choose(classpath: Option<&str>, own: bool) -> Client {
        let has_kcat = || Command::new("kcat").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        match classpath {
            Some(classpath) => Client::KafkaTools(classpath.to_owned()),
            None if !own && has_kcat() => Client::Kcat,
            None => Client::Own,
        }
    }

    /// For people.
    pub fn name(&self) -> &'static str {
        match self {
            Client::KafkaTools(_) => "Kafka's performance tools",
            Client::Kcat => "kcat",
            Client::Own => "our own clients",
        }
    }

    /// Writes so many records with acks=all.
    pub fn produce(&self, bootstrap: &str, records: u64, bytes: usize) -> miette::Result<Measured> {
        match self {
            Client::KafkaTools(classpath) => {
                let (records, bytes) = (records.to_string(), bytes.to_string());
                let server = format!("bootstrap.servers={bootstrap}");
                let output = java(
                    classpath,
                    PRODUCER_TOOL,
                    &[
                        "--topic",
                        TOPIC,
                        "--num-records",
                        &records,
                        "--record-size",
                        &bytes,
                        "--throughput",
                        "-1",
                        "--producer-props",
                        &server,
                        "acks=all",
                    ],
                )?;
                produced(&output)
            }
            Client::Kcat => {
                let line = [vec![b'x'; bytes], vec![b'\n']].concat();
                let (_, took) = timed(|| kcat(bootstrap, &["-P", "-X", "acks=all", "-X", "linger.ms=5"], &line, records))?;
                Ok(Measured { records_per_s: records as f64 / took.as_secs_f64(), latency_ms: None })
            }
            Client::Own => on_runtime(produce(bootstrap, records, bytes)),
        }
    }

    /// Reads them all.
    pub fn consume(&self, bootstrap: &str, records: u64) -> miette::Result<Measured> {
        match self {
            // Its consumer needs a group coordinator; where there is none, kcat or our own reads.
            Client::KafkaTools(classpath) => {
                let count = records.to_string();
                let arguments = ["--bootstrap-server", bootstrap, "--topic", TOPIC, "--messages", &count, "--timeout", "10000"];
                let (output, took) = timed(|| Ok(java(classpath, CONSUMER_TOOL, &arguments).unwrap_or_default()))?;
                match consumed(&output) {
                    Some(read) if read >= records => {
                        Ok(Measured { records_per_s: read as f64 / took.as_secs_f64(), latency_ms: None })
                    }
                    Some(_) | None => Client::choose(None, false).consume(bootstrap, records),
                }
            }
            Client::Kcat => {
                let (_, took) = timed(|| kcat(bootstrap, &["-C", "-e", "-q"], b"", 0))?;
                Ok(Measured { records_per_s: records as f64 / took.as_secs_f64(), latency_ms: None })
            }
            Client::Own => on_runtime(consume(bootstrap, records)),
        }
    }
}

fn java(classpath: &str, class: &str, arguments: &[&str]) -> miette::Result<String> {
    let output = Command::new("java").args(["-cp", classpath, class]).args(arguments).output();
    let output = output.into_diagnostic().wrap_err("cannot run java")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(miette!("{class}: {}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

/// The last line of the tool: `N records sent, X records/sec (...), A ms avg latency, M ms max latency, P ms 50th, ...`.
fn produced(output: &str) -> miette::Result<Measured> {
    let last = output.lines().rfind(|line| line.contains("99th")).ok_or_else(|| miette!("{PRODUCER_TOOL} said: {output}"))?;
    let before = |word: &str| {
        let at = last.find(word)?;
        last[..at].rsplit([',', ' ']).find(|part| !part.is_empty())?.parse::<f64>().ok()
    };
    let records_per_s = before(" records/sec").ok_or_else(|| miette!("{PRODUCER_TOOL} said: {last}"))?;
    Ok(Measured { records_per_s, latency_ms: before(" ms 50th").zip(before(" ms 99th")) })
}

/// Records read: the fifth column of its last line.
fn consumed(output: &str) -> Option<u64> {
    output.lines().last()?.split(',').nth(4)?.trim().parse().ok()
}

fn kcat(bootstrap: &str, arguments: &[&str], line: &[u8], lines: u64) -> miette::Result<()> {
    let mut command = Command::new("kcat");
    command.args(["-b", bootstrap, "-t", TOPIC]).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().into_diagnostic().wrap_err("cannot run kcat")?;
    let input = child.stdin.take().ok_or_else(|| miette!("kcat takes no input"))?;
    let mut input = std::io::BufWriter::with_capacity(1 << 16, input);
    for _ in 0..lines {
        input.write_all(line).into_diagnostic().wrap_err("kcat has ended")?;
    }
    drop(input);
    let status = child.wait().into_diagnostic()?;
    if status.success() { Ok(()) } else { Err(miette!("kcat: {status}")) }
}

fn on_runtime<T>(work: impl Future<Output = miette::Result<T>>) -> miette::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().into_diagnostic()?.block_on(work)
}

fn properties(bootstrap: &str) -> Properties {
    BTreeMap::from([("bootstrap.servers".to_string(), bootstrap.to_string())])
}

/// Creates the topic that is measured with.
pub fn create_topic(bootstrap: &str, replicas: u16) -> miette::Result<()> {
    on_runtime(async {
        let admin = Admin::connect(&properties(bootstrap)).into_diagnostic()?;
        let replicas = i16::try_from(replicas).into_diagnostic()?;
        admin.create_topic(TOPIC, 3, replicas, BTreeMap::new()).await.into_diagnostic().map(drop)
    })
}

/// Median and 99th percentile of records written one at a time with acks=all, in milliseconds.
pub fn latency(bootstrap: &str, records: usize, bytes: usize) -> miette::Result<(f64, f64)> {
    on_runtime(async {
        let producer = Producer::connect(&properties(bootstrap)).into_diagnostic()?;
        let mut took = Vec::with_capacity(records);
        for _ in 0..records {
            let begun = now();
            producer.send(TOPIC, None::<&str>, vec![b'x'; bytes]).await.into_diagnostic()?;
            took.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(percentiles(took))
    })
}

fn percentiles(mut sorted: Vec<f64>) -> (f64, f64) {
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0.0);
    (at(50), at(99))
}

async fn produce(bootstrap: &str, records: u64, bytes: usize) -> miette::Result<Measured> {
    let producer = Producer::connect(&properties(bootstrap)).into_diagnostic()?;
    let value = Bytes::from(vec![b'x'; bytes]);
    let (begun, mut open, mut took) = (now(), VecDeque::new(), Vec::new());
    for number in 0..records {
        if open.len() >= OPEN_MAX {
            finish(&mut open, &mut took).await?;
        }
        let partition = i32::try_from(number / 100 % 3).into_diagnostic()?;
        open.push_back((now(), producer.begin(TOPIC, Some(partition), None, value.clone()).await.into_diagnostic()?));
    }
    while !open.is_empty() {
        finish(&mut open, &mut took).await?;
    }
    let records_per_s = records as f64 / begun.elapsed().as_secs_f64();
    Ok(Measured { records_per_s, latency_ms: Some(percentiles(took)) })
}

type Open = VecDeque<(std::time::Instant, brokerlab::node::people::Sending)>;

async fn finish(open: &mut Open, took: &mut Vec<f64>) -> miette::Result<()> {
    if let Some((begun, sending)) = open.pop_front() {
        sending.written().await.into_diagnostic()?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}

async fn consume(bootstrap: &str, records: u64) -> miette::Result<Measured> {
    let consumer = Consumer::connect(&properties(bootstrap)).into_diagnostic()?;
    let partition = |index| (TopicPartition { topic: TOPIC.into(), index }, Position::Beginning);
    let begun = now();
    consumer.assign((0..3).map(partition).collect()).await.into_diagnostic()?;
    let mut read = 0;
    while read < records {
        read += consumer.poll(10_000, 500).await.into_diagnostic()?.len() as u64;
    }
    Ok(Measured { records_per_s: records as f64 / begun.elapsed().as_secs_f64(), latency_ms: None })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_tool_is_understood() {
        let text = "50 records sent, 10.0 records/sec (0.01 MB/sec), 2.0 ms avg latency, 3.0 ms max latency.\n\
                    1000000 records sent, 123456.7 records/sec (120.56 MB/sec), 10.15 ms avg latency, 250.00 ms max latency, 8 ms 50th, 30 ms 95th, 44 ms 99th, 60 ms 99.9th.";
        let measured = produced(text).unwrap();
        assert_eq!((measured.records_per_s, measured.latency_ms), (123_456.7, Some((8.0, 44.0))));
        assert!(produced("it failed").is_err());
    }

    #[test]
    fn percentiles_are_of_the_sorted() {
        assert_eq!(percentiles((0..=100).rev().map(f64::from).collect()), (50.0, 99.0));
        assert_eq!(percentiles(Vec::new()), (0.0, 0.0));
    }
}
