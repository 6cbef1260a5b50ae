//! The server as a program: what it says, what it refuses, what survives `kill -9`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use brokerlab::node::limits::raise_open_files;
use brokerlab::node::people::Producer;

const PROGRAM: &str = env!("CARGO_BIN_EXE_brokerlab");
/// From the start of the process to its word that it is ready; ten times what it takes on an idle machine.
const START_MAX_MS: u128 = 300;
/// Resident memory of an idle cluster of three brokers.
const IDLE_KILOBYTES_MAX: u64 = 50 * 1024;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("brokerlab-cli-serve-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Place(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        std::fs::create_dir_all(&self.0).unwrap();
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that is killed with the test.
struct Server {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Server {
    fn start(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Server { child, lines }
    }

    /// What follows this word on the next line that begins with it.
    fn said(&mut self, word: &str) -> String {
        let said = self.lines.find_map(|line| line.unwrap().strip_prefix(word).map(str::to_owned));
        said.unwrap_or_else(|| panic!("it never said {word}"))
    }

    fn resident_kilobytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// SIGTERM, and how it ended.
    fn stop(mut self) -> Option<i32> {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(data: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(more);
    command
}

fn refused(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert_eq!(status.code(), Some(64));
    // Whatever the width of a terminal, the words are these.
    let text: String = String::from_utf8(stderr).unwrap().replace(['│', '\n'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn get(url: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_is_ready_soon_and_small_and_ends_in_order() {
    let place = Place::new("ready");
    // The best of three: other tests run beside.
    let mut fastest = u128::MAX;
    for _ in 0..3 {
        #[expect(clippy::disallowed_methods, reason = "how long a start takes is what is promised")]
        let begun = Instant::now();
        let mut server = Server::start(&mut serve(&place.0, &[]));
        assert!(server.said("ready: ").starts_with("bootstrap.servers=127.0.0.1:"));
        fastest = fastest.min(begun.elapsed().as_millis());
        let resident = server.resident_kilobytes();
        assert!(resident <= IDLE_KILOBYTES_MAX, "{resident} kB resident");
        assert_eq!(server.stop(), Some(0));
    }
    assert!(fastest <= START_MAX_MS, "ready after {fastest} ms");
}

/// Most idle connections that are asked of a broker.
const IDLE: usize = 10_000;
/// Memory that one of them may take.
const IDLE_BYTES_MAX: u64 = 8 << 10;
/// The slowest that others may be served beside them.
const SERVED_WITHIN: Duration = Duration::from_secs(2);

/// The slowest of some writes with acks=all, each after the one before.
fn slowest_write(bootstrap: &str) -> Duration {
    let properties = BTreeMap::from([("bootstrap.servers".to_string(), bootstrap.to_string())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let producer = Producer::connect(&properties).unwrap();
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            #[expect(clippy::disallowed_methods, reason = "real time passes for a real server")]
            let begun = Instant::now();
            producer.send("orders", None::<&str>, "still served").await.unwrap();
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    })
}

/// Asks for the versions of all APIs, and reads the whole answer.
fn is_answered(stream: &mut TcpStream) -> bool {
    let request = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
    let mut length = [0; 4];
    let asked = stream.write_all(&request).and_then(|()| stream.read_exact(&mut length));
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    asked.and_then(|()| stream.read_exact(&mut answer)).is_ok_and(|()| answer.starts_with(&[0, 0, 0, 7]))
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_hurt_nobody() {
    // A quarter of the server's files is kept for its logs, and some of ours for everything else.
    let allowed = raise_open_files().map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let number = IDLE.min(allowed / 4 * 3 - 300);
    let place = Place::new("idle");
    let mut server = Server::start(&mut serve(&place.0, &["--brokers", "1"]));
    let bootstrap = server.said("ready: bootstrap.servers=");
    let bootstrap = bootstrap.split(' ').next().unwrap();
    let alone = slowest_write(bootstrap);
    let before = server.resident_kilobytes();
    let mut idle: Vec<TcpStream> = (0..number).map(|_| TcpStream::connect(bootstrap).unwrap()).collect();
    let beside = slowest_write(bootstrap);
    let each = (server.resident_kilobytes() - before) * 1024 / number as u64;
    println!("{number} idle connections take {each} bytes each; slowest of 50 writes: {beside:?}, {alone:?} without them");
    assert!(each < IDLE_BYTES_MAX, "{each} bytes for each connection");
    assert!(beside < SERVED_WITHIN, "a write took {beside:?}");
    assert!(idle.iter_mut().all(is_answered), "every one of them is served when it speaks");
    drop(idle);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_directory_in_use_is_refused_by_name() {
    let place = Place::new("locked");
    let mut server = Server::start(&mut serve(&place.0, &[]));
    server.said("ready: ");
    let refusal = refused(&mut serve(&place.0, &[]));
    assert!(refusal.contains("broker-1") && refusal.contains(&format!("process {}", server.child.id())), "{refusal}");
}

#[test]
fn a_wrong_property_is_named_with_its_place() {
    let place = Place::new("config");
    let file = place.file("server.properties", "# ours\nnum.partitions=3\nmin.insync.replica=2\n");
    let refusal = refused(&mut serve(&place.0, &["--config", file.to_str().unwrap()]));
    let expected = "server.properties:3: min.insync.replica is not a property of this broker; did you mean min.insync.replicas?";
    assert!(refusal.contains(expected), "{refusal}");
    let mut environment = serve(&place.0, &["--env"]);
    let refusal = refused(environment.env("KAFKA_NUM_PARTITION", "3"));
    assert!(refusal.contains("environment variable KAFKA_NUM_PARTITION: num.partition is not"), "{refusal}");
    let refusal = refused(&mut serve(&place.0, &["--set", "num.partitions=0"]));
    assert!(refusal.contains("--set num.partitions=0: num.partitions=0: allowed is"), "{refusal}");
    let refusal = refused(&mut serve(&place.0, &["--node-id", "1"]));
    assert!(refusal.contains("controller.quorum.voters is missing"), "{refusal}");
}

#[test]
fn the_environment_of_a_container_makes_a_broker_with_its_controller() {
    let place = Place::new("container");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--env", "--metrics", "127.0.0.1:0"]).envs([
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_LISTENERS", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"),
        ("KAFKA_LOG_DIRS", place.0.to_str().unwrap()),
        ("KAFKA_NUM_PARTITIONS", "4"),
        ("KAFKA_HEAP_OPTS", "-Xmx1G"),
    ]);
    let mut server = Server::start(&mut command);
    let metrics = server.said("metrics: ");
    let bootstrap = server.said("ready: bootstrap.servers=");
    let bootstrap = bootstrap.split(' ').next().unwrap();
    let created = Command::new(PROGRAM).args(["topics", "create", "orders", "-r", "1", "-b", bootstrap]).output().unwrap();
    assert!(created.status.success(), "{created:?}");
    let page = get(&metrics);
    assert!(page.contains("brokerlab_partitions{node=\"controller\"} 4\n"), "{page}");
    assert!(page.contains("brokerlab_request_seconds_count{node=\"broker-1\",api=\"CreateTopics\"} 1\n"), "{page}");
    let health = get(&metrics.replace("/metrics", "/health"));
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n") && health.ends_with("\r\n\r\nok\n"), "{health}");
    assert!(get(&metrics.replace("/metrics", "/elsewhere")).starts_with("HTTP/1.1 404"));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn nothing_acknowledged_is_lost_when_processes_are_killed() {
    let place = Place::new("kill");
    let output = Command::new(PROGRAM)
        .args(["kill", "--kills", "4", "--massacres", "1", "--json", "--data"])
        .arg(&place.0)
        .output()
        .unwrap();
    let last = String::from_utf8(output.stdout).unwrap();
    let judged: serde_json::Value = serde_json::from_str(last.lines().last().unwrap_or("")).unwrap_or_default();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &judged["verdict"]), (Some(0), &serde_json::json!("PASS")), "{judged}\n{errors}");
    assert!(judged["counts"]["acknowledged"].as_u64() > Some(500), "{judged}");
}

const CHAOS: &str = r#"title = "The leader dies for a moment"
seed = 1
duration = "5s"
[cluster]
brokers = 3
config = { "broker.session.timeout.ms" = 1000, "broker.heartbeat.interval.ms" = 200 }
[[topics]]
name = "orders"
partitions = 1
replicas = 3
config = { "min.insync.replicas" = 2 }
[[faults]]
id = "f1"
at = "500ms"
for = "1500ms"
kind = "crash"
target = "leader of orders-0"
"#;

#[test]
fn a_real_cluster_in_trouble_is_recorded_and_judged() {
    let place = Place::new("record");
    let (scenario, recording) = (place.file("trouble.toml", CHAOS), place.0.join("run.rec"));
    let (scenario, recorded) = (scenario.to_str().unwrap(), recording.to_str().unwrap());
    let mut server = Server::start(&mut serve(&place.0.join("data"), &["--chaos", scenario, "--record", recorded]));
    let bootstrap = server.said("ready: bootstrap.servers=");
    let mut producer = Command::new(PROGRAM);
    producer.args(["produce", "orders", "-p", "0", "-b", &bootstrap]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut producer = producer.spawn().unwrap();
    let mut input = producer.stdin.take().unwrap();
    // Some before, some while and some after the leader is gone.
    for number in 0..350 {
        writeln!(input, "record {number}").unwrap();
        std::io::Write::flush(&mut input).unwrap();
        let _ = server.child.try_wait();
        #[expect(clippy::disallowed_methods, reason = "real time passes for a real cluster")]
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(input);
    assert!(producer.wait().unwrap().success());
    assert_eq!(server.stop(), Some(0));
    let shown = Command::new(PROGRAM).args(["show", "--json"]).arg(&recording).output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["verdict"], "PASS", "{}", shown["findings"]);
    let exercised =
        |id: &str| shown["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap()["exercised"].as_u64();
    for check in ["R1", "R2", "R5a", "R7", "R11"] {
        assert!(exercised(check) > Some(0), "{check} saw nothing: {}", shown["checks"]);
    }
    let elections = shown["counts"]["elections"].as_u64();
    assert!(elections > Some(0), "the crash of a leader brings another one: {}", shown["counts"]);
    let refusal = refused(&mut serve(&place.0.join("data"), &["--record", recorded]));
    assert!(refusal.contains("--record needs a new cluster"), "{refusal}");
}
