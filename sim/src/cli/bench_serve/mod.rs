//! `brokerlab bench serve`: what the real server costs, beside what no server could cost less than.
//!
//! ```text
//!   the limit     copy + CRC-32C + write() of the same bytes, in this process, in the same run
//!   RF 1          one broker, acks=all          produce, then consume
//!   RF 3          three brokers, acks=all       produce, then consume
//! ```
//!
//! The limit writes pieces of the size that the batches have: they do not end at page boundaries, and such writes cost the system more than
//! aligned ones. It is measured before, between and after the parts, and each part is compared with the two measurements around it. Before all
//! that as much is written as the largest part writes, and removed again: a virtual machine is given memory when it is first touched, which
//! would be charged to whoever happens to write first.
//!
//! The server runs in a process of its own; its processor time and memory are those that the system counts for it. The load comes from a real
//! client: Kafka's own performance tools if their jars are named, else kcat (librdkafka) if it is installed, else our own clients.

mod load;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use miette::{IntoDiagnostic, WrapErr, miette};
use serde_json::{Value, json};

use super::Exit;
use super::machine::{cpu_seconds, now};
use super::output::say;
use load::{Client, Measured};

/// Bytes of a record's value.
const RECORD_BYTES: usize = 1024;
/// Bytes that are written at once to measure the limit: a batch of Kafka's default size, `batch.size=16384`, holds 15 such records.
const BATCH_BYTES: usize = 61 + 15 * (RECORD_BYTES + 10);
/// Records whose latency is measured, one at a time.
const LATENCY_RECORDS: usize = 2_000;
/// Broker CPU per GB beside the limit's that is aimed at, by number of replicas.
const GOALS: [(u16, f64); 2] = [(1, 3.0), (3, 8.0)];

/// Measure the real server: records a second, latency, processor time per GB, memory, beside the limit
#[derive(clap::Args, Clone, Debug)]
pub struct BenchServe {
    /// Records of 1 KiB per part
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    records: u64,
    /// Where data is kept while measuring; default: a new directory below the temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Jars of Kafka's tools (`DIR/*`), whose performance tools make the load then
    #[arg(long, value_name = "CLASSPATH", env = "KAFKA_CLASSPATH")]
    kafka_classpath: Option<String>,
    /// Use our own clients even if others are there
    #[arg(long, conflicts_with = "kafka_classpath")]
    own_clients: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl BenchServe {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let unique = std::env::temp_dir().join(format!("brokerlab-bench-{}", std::process::id()));
        let data = self.data.clone().unwrap_or(unique);
        std::fs::create_dir_all(&data).into_diagnostic().wrap_err_with(|| format!("cannot use {}", data.display()))?;
        let client = Client::choose(self.kafka_classpath.as_deref(), self.own_clients);
        let measured = self.measure(&data, &client);
        let _ = std::fs::remove_dir_all(&data);
        let measured = measured?;
        if self.json {
            say!("{measured}");
        } else {
            tell(&measured);
        }
        Ok(Exit::GOOD)
    }

    fn measure(&self, data: &Path, client: &Client) -> miette::Result<Value> {
        eprintln!("the limit ...");
        let replicas_max = GOALS.iter().map(|(replicas, _)| u64::from(*replicas)).max().unwrap_or(1);
        limit(data, replicas_max * self.records)?;
        let mut limits = vec![limit(data, self.records)?];
        let mut parts = Vec::new();
        for (replicas, goal) in GOALS {
            eprintln!("RF {replicas}, {} ...", client.name());
            let spent = self.part(&data.join(format!("rf{replicas}")), client, replicas)?;
            limits.push(limit(data, self.records)?);
            parts.push(spent.told(goal, mean(&limits[limits.len() - 2..])));
        }
        Ok(json!({
            "client": client.name(), "records": self.records, "record_bytes": RECORD_BYTES,
            "limit_cpu_s_per_gb": rounded(mean(&limits)), "limits": limits.iter().copied().map(rounded).collect::<Vec<_>>(),
            "parts": parts, "build": super::build_id(),
        }))
    }

    fn part(&self, data: &Path, client: &Client, replicas: u16) -> miette::Result<Part> {
        let mut server = Server::start(data, replicas)?;
        let idle = server.resident_mb();
        let gigabytes = (self.records as usize * RECORD_BYTES) as f64 / 1e9;
        load::create_topic(&server.bootstrap, replicas)?;
        let before = server.cpu_seconds();
        let produced = client.produce(&server.bootstrap, self.records, RECORD_BYTES)?;
        let cpu_produced = (server.cpu_seconds() - before) / gigabytes;
        let before = server.cpu_seconds();
        let consumed = client.consume(&server.bootstrap, self.records)?;
        let cpu_consumed = (server.cpu_seconds() - before) / gigabytes;
        let single = load::latency(&server.bootstrap, LATENCY_RECORDS, RECORD_BYTES)?;
        let peak = server.peak_mb();
        server.stop()?;
        std::fs::remove_dir_all(data).into_diagnostic()?;
        Ok(Part { replicas, produced, cpu_produced, consumed, cpu_consumed, single, idle, peak })
    }
}

/// What one part brought; processor time in seconds per GB.
struct Part {
    replicas: u16,
    produced: Measured,
    cpu_produced: f64,
    consumed: Measured,
    cpu_consumed: f64,
    single: (f64, f64),
    idle: u64,
    peak: u64,
}

impl Part {
    fn told(&self, goal: f64, limit: f64) -> Value {
        json!({
            "replicas": self.replicas,
            "produce": told(&self.produced, self.cpu_produced, limit),
            "consume": told(&self.consumed, self.cpu_consumed, limit),
            "one_at_a_time": { "p50_ms": rounded(self.single.0), "p99_ms": rounded(self.single.1) },
            "goal": goal, "goal_met": self.cpu_produced / limit <= goal,
            "idle_mb": self.idle, "peak_mb": self.peak,
        })
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn told(measured: &Measured, cpu: f64, limit: f64) -> Value {
    let mut value = json!({
        "records_per_s": measured.records_per_s.round(), "broker_cpu_s_per_gb": rounded(cpu), "times_the_limit": rounded(cpu / limit),
    });
    if let Some((p50, p99)) = measured.latency_ms {
        value["p50_ms"] = json!(rounded(p50));
        value["p99_ms"] = json!(rounded(p99));
    }
    value
}

/// Processor seconds per GB of copying, summing and writing.
fn limit(data: &Path, records: u64) -> miette::Result<f64> {
    let bytes = records as usize * RECORD_BYTES;
    let source: Vec<u8> = (0..BATCH_BYTES).map(|index| (index * 31 % 251) as u8).collect();
    let mut copy = vec![0; BATCH_BYTES];
    let path = data.join("limit");
    let mut file = std::fs::File::create(&path).into_diagnostic()?;
    let (before, mut sum) = (cpu_seconds(), 0);
    for _ in 0..bytes / BATCH_BYTES {
        copy.copy_from_slice(&source);
        sum ^= crc32c::crc32c(std::hint::black_box(&copy));
        file.write_all(&copy).into_diagnostic()?;
    }
    std::hint::black_box(sum);
    let spent = cpu_seconds() - before;
    drop(file);
    std::fs::remove_file(path).into_diagnostic()?;
    Ok((spent / (bytes as f64 / 1e9)).max(0.001))
}

/// The server, in a process of its own.
struct Server {
    child: Child,
    bootstrap: String,
}

impl Server {
    fn start(data: &Path, brokers: u16) -> miette::Result<Server> {
        let mut command = Command::new(std::env::current_exe().into_diagnostic()?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--brokers", &brokers.to_string(), "--data"]).arg(data);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().into_diagnostic()?;
        let output = child.stdout.take().ok_or_else(|| miette!("the server has no output"))?;
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(output));
        let said = lines.find_map(|line| line.ok()?.strip_prefix("ready: bootstrap.servers=").map(str::to_owned));
        Ok(Server { child, bootstrap: said.ok_or_else(|| miette!("the server did not start"))? })
    }

    /// Processor time of the server so far.
    fn cpu_seconds(&self) -> f64 {
        super::machine::cpu_seconds_of(self.child.id())
    }

    fn resident_mb(&self) -> u64 {
        super::machine::megabytes_of(self.child.id(), "VmRSS:")
    }

    fn peak_mb(&self) -> u64 {
        super::machine::megabytes_of(self.child.id(), "VmHWM:")
    }

    fn stop(&mut self) -> miette::Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            rustix::process::kill_process(id, rustix::process::Signal::TERM).into_diagnostic()?;
        }
        let status = self.child.wait().into_diagnostic()?;
        if status.success() { Ok(()) } else { Err(miette!("the server did not stop in order: {status}")) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tell(measured: &Value) {
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    say!(
        "{} records of 1 KiB, driven by {}; the limit (copy, CRC-32C, write): {} CPU s per GB\n",
        measured["records"],
        measured["client"].as_str().unwrap_or(""),
        measured["limit_cpu_s_per_gb"]
    );
    say!("{:<5} {:<9} {:>12} {:>9} {:>9} {:>18} {:>10}", "", "", "records/s", "p50 ms", "p99 ms", "broker CPU s/GB", "x limit");
    for part in measured["parts"].as_array().into_iter().flatten() {
        for what in ["produce", "consume"] {
            let one = &part[what];
            let latency = |key: &str| one[key].as_f64().map_or("-".to_owned(), |ms| format!("{ms:.1}"));
            say!(
                "{:<5} {what:<9} {:>12.0} {:>9} {:>9} {:>18.2} {:>10.2}",
                format!("RF {}", part["replicas"]),
                number(&one["records_per_s"]),
                latency("p50_ms"),
                latency("p99_ms"),
                number(&one["broker_cpu_s_per_gb"]),
                number(&one["times_the_limit"])
            );
        }
        let single = &part["one_at_a_time"];
        say!(
            "      one record at a time: p50 {} ms, p99 {} ms; memory {} MB idle, {} MB at most",
            single["p50_ms"],
            single["p99_ms"],
            part["idle_mb"],
            part["peak_mb"]
        );
        let met = if part["goal_met"] == json!(true) { "met" } else { "missed" };
        say!("      goal: produce at no more than {} times the limit: {met}", part["goal"]);
    }
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// How long something took.
fn timed<T>(work: impl FnOnce() -> miette::Result<T>) -> miette::Result<(T, Duration)> {
    let begun = now();
    let done = work()?;
    Ok((done, begun.elapsed()))
}
