//! Real clients against `brokerlab serve`: each writes and reads 5,000 records and tries what it can administer.
//!
//! What a client does is a program of its own in `tests/clients/`, in the client's language; it prints `ok WHAT` or `failed WHAT: WHY`.
//! Clients are fetched from their registries at a pinned version and kept below the target directory. Where the tools for that are
//! missing, or the registry cannot be reached, the test says so and passes.
//!
//! `docs/clients.md` has a row for each client with what it can do. A test fails if its row says anything else than what has just been
//! tried; `UPDATE_CLIENTS=1 cargo test --test clients` writes the rows anew, and what the README has of them.

#![allow(clippy::unwrap_used)]
// Real processes take real time.
#![allow(clippy::disallowed_methods)]

#[path = "clients/fleet.rs"]
mod fleet;
#[path = "clients/suites.rs"]
mod suites;
#[path = "clients/table.rs"]
mod table;
#[path = "clients/tools.rs"]
mod tools;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fleet::Fleet;
use tools::{Missing, output_within};

/// The clients whose programs can also be told to write while a broker is killed.
const SURVIVORS: [&str; 4] = ["confluent-kafka", "kafka-python", "Java kafka-clients 3.9", "Java kafka-clients 4.1"];
/// What they do then; only some speak the newer protocol of groups.
const DEATHS: [&str; 3] = ["broker-stop", "coordinator-stop", "newer-coordinator-stop"];
/// Those that do.
const NEWER: [&str; 2] = ["confluent-kafka", "Java kafka-clients 4.1"];
/// How long a client may take for everything it tries.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster of three brokers in a process of its own, which goes away with the test.
struct Server {
    process: Child,
    bootstrap: String,
    data: PathBuf,
}

impl Server {
    /// Three brokers.
    fn start(name: &str) -> Server {
        let sessions = ["group.consumer.session.timeout.ms=6000", "group.consumer.heartbeat.interval.ms=500"];
        let sessions = sessions.iter().flat_map(|setting| ["--set", setting]);
        Server::start_as(name, &["--brokers", "3"].into_iter().chain(sessions).collect::<Vec<_>>())
    }

    /// One process with these flags.
    fn start_as(name: &str, flags: &[&str]) -> Server {
        let data = tools::scratch().join(format!("data-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        let mut process = Command::new(env!("CARGO_BIN_EXE_brokerlab"))
            .arg("serve")
            .args(flags)
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines.next().expect("it tells when it is ready").unwrap();
        let listens = ready.split_once("bootstrap.servers=").expect("it tells where it listens").1;
        let bootstrap = listens.split_whitespace().next().expect("it names a server").to_string();
        Server { process, bootstrap, data }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// Lets a client work while a broker is killed: one that it writes to, one that coordinates its group. Its own library must get over that;
/// nothing acknowledged may be lost, nothing committed read again.
fn survive(name: &str, prepare: impl Fn() -> Result<Command, Missing>) -> Vec<String> {
    let mut survived = Vec::new();
    for what in deaths(name) {
        let fleet = Fleet::start(&name.replace(['/', ' '], "-"));
        let Ok(mut program) = prepare() else { return survived };
        program.arg(fleet.bootstrap()).arg(what);
        let told = fleet.kill_one_while(&mut program);
        assert_eq!(told, [format!("ok {what}")], "{name}");
        survived.push(what.to_owned());
    }
    survived
}

fn deaths(name: &str) -> impl Iterator<Item = &'static str> {
    let all = NEWER.contains(&name);
    DEATHS.into_iter().filter(move |what| all || !what.starts_with("newer"))
}

/// Lets a client do all it can, and compares that with what the table says of it.
fn check(name: &str, version: &str, prepare: impl Fn() -> Result<Command, Missing>) {
    let mut program = match prepare() {
        Ok(program) => program,
        Err(Missing(why)) => return println!("skipped {name}: {why}"),
    };
    let server = Server::start(&name.replace(['/', ' '], "-"));
    program.arg(&server.bootstrap);
    match name {
        "kcat" => drop(program.arg(tools::scratch().join("kcat"))),
        "kafkajs" | "@platformatic/kafka" => drop(program.arg(tools::scratch().join("node"))),
        _ => {}
    }
    let (told, errors) = output_within(&mut program, PATIENCE).unwrap_or_else(|error| panic!("{name}: {error}"));
    let failed: Vec<&str> = told.lines().filter(|line| line.starts_with("failed ")).collect();
    assert!(failed.is_empty(), "{name}:\n{}\n{errors}", failed.join("\n"));
    let done: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("ok ")).collect();
    let mut done: Vec<String> = done.into_iter().map(str::to_owned).collect();
    drop(server);
    let mut untried = Vec::new();
    match SURVIVORS.contains(&name) {
        true if Fleet::is_possible() => done.extend(survive(name, prepare)),
        true => untried.extend(deaths(name)),
        false => {}
    }
    let done: Vec<&str> = done.iter().map(String::as_str).collect();
    table::compare(name, version, &done, &untried);
}

#[test]
fn kcat() {
    check("kcat", "1.7", || tools::script("kcat.sh", &["kcat", "awk", "seq"]));
}

#[test]
fn confluent_kafka() {
    check("confluent-kafka", "2.16.1", || tools::python("confluent.py"));
}

#[test]
fn kafka_python() {
    check("kafka-python", "3.0.12", || tools::python("kafka_python.py"));
}

#[test]
fn kafkajs() {
    check("kafkajs", "2.2.4", || tools::node("kafkajs.mjs"));
}

#[test]
fn platformatic() {
    check("@platformatic/kafka", "1.35.0", || tools::node("platformatic.mjs"));
}

#[test]
fn java_3_9() {
    check("Java kafka-clients 3.9", "3.9.1", || tools::java("3.9.1"));
}

#[test]
fn java_4_1() {
    check("Java kafka-clients 4.1", "4.1.1", || tools::java("4.1.1"));
}

#[test]
fn the_suite_of_kafka_python() {
    suites::kafka_python();
}

#[test]
fn answers_differ_from_kafkas_only_where_it_is_written() {
    suites::differences();
}

#[test]
fn the_readme_says_in_short_what_the_table_says() {
    table::compare_in_short();
}
