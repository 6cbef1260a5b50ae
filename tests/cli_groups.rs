//! Groups on the command line, against a real server: who is there, how far they are, and how they are sent elsewhere.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use brokerlab::node::people::{Admin, Consumer, Properties};
use brokerlab::types::{Offset, TopicPartition};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const PROGRAM: &str = env!("CARGO_BIN_EXE_brokerlab");

/// A cluster that goes away with the test.
struct Cluster {
    child: Child,
    data: PathBuf,
    bootstrap: String,
}

impl Cluster {
    fn start(name: &str) -> Cluster {
        let data = std::env::temp_dir().join(format!("brokerlab-cli-groups-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        let mut command = Command::new(PROGRAM);
        // The first rebalance of a group waits for nobody else.
        command.args([
            "serve",
            "--brokers",
            "2",
            "--listen",
            "127.0.0.1:0",
            "--set",
            "group.initial.rebalance.delay.ms=0",
            "--data",
        ]);
        let mut child = command.arg(&data).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.find_map(|line| line.unwrap().strip_prefix("ready: bootstrap.servers=").map(str::to_owned)).unwrap();
        Cluster { child, data, bootstrap: said.split(' ').next().unwrap().to_owned() }
    }

    /// A topic of two partitions with so many records each.
    fn topic(&self, name: &str, records: usize) {
        self.good(&["topics", "create", name, "-p", "2", "-r", "1"]);
        for partition in ["0", "1"] {
            let mut command = self.command(&["produce", name, "-p", partition]);
            let mut producer = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let mut input = producer.stdin.take().unwrap();
            (0..records).for_each(|number| writeln!(input, "record {number}").unwrap());
            drop(input);
            assert!(producer.wait().unwrap().success());
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["-b", &self.bootstrap]);
        command
    }

    fn good(&self, arguments: &[&str]) -> (String, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(status.code(), Some(0), "{arguments:?}: {stdout}{stderr}");
        (stdout, stderr)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.good(&[arguments, &["--json"]].concat()).0).unwrap()
    }

    /// What is said to somebody who is refused, in one line.
    fn refused(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        assert_eq!(status.code(), Some(64), "{arguments:?}: {}", String::from_utf8_lossy(&stdout));
        let text = String::from_utf8(stderr).unwrap().replace(['│', '\n'], " ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn properties(&self, more: &[(&str, &str)]) -> Properties {
        let given = [("bootstrap.servers", self.bootstrap.as_str())];
        given.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// Lets a group that nobody is in have read so far.
    fn commit(&self, group: &str, offsets: &[(&str, i32, i64)]) {
        let offset = |(topic, index, offset): &(&str, i32, i64)| {
            (TopicPartition { topic: Arc::from(*topic), index: *index }, Offset(*offset))
        };
        let offsets: BTreeMap<TopicPartition, Offset> = offsets.iter().map(offset).collect();
        runtime().block_on(async {
            let admin = Admin::connect(&self.properties(&[])).unwrap();
            admin.commit_for_group(group, &offsets).await.unwrap();
        });
    }

    /// Where a group goes on, by topic and partition.
    fn committed(&self, group: &str) -> Vec<(String, i64, Option<i64>)> {
        let described = self.json(&["groups", "describe", group]);
        let offsets = described["groups"][0]["offsets"].as_array().unwrap().iter();
        let told = |one: &Value| {
            (one["topic"].as_str().unwrap().to_owned(), one["partition"].as_i64().unwrap(), one["committed"].as_i64())
        };
        offsets.map(told).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn at(topic: &str, partition: i64, committed: i64) -> (String, i64, Option<i64>) {
    (topic.to_owned(), partition, Some(committed))
}

#[test]
fn a_group_is_described_while_it_reads_and_after() {
    let cluster = Cluster::start("reads");
    cluster.topic("orders", 5);
    let (runtime, properties) = (
        runtime(),
        cluster.properties(&[
            ("group.id", "billing"),
            ("client.id", "till"),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
        ]),
    );
    let member = runtime.block_on(async {
        let consumer = Consumer::connect(&properties).unwrap();
        consumer.subscribe(&["orders"]).await.unwrap();
        let mut read = 0;
        while read < 10 {
            read += consumer.poll(10, 1_000).await.unwrap().len();
        }
        consumer.commit().await.unwrap();
        consumer
    });
    cluster.topic("refunds", 1);

    let listed = cluster.json(&["groups", "list", "--state", "stable"]);
    let groups: Vec<_> = listed["groups"].as_array().unwrap().iter().map(|group| (&group["group"], &group["type"])).collect();
    assert_eq!(groups, [(&json!("billing"), &json!("classic"))], "{listed}");
    assert_eq!(cluster.json(&["groups", "list", "--type", "consumer"]), json!({ "groups": [] }));

    let described = cluster.json(&["groups", "describe", "billing"]);
    let group = &described["groups"][0];
    assert_eq!((&group["state"], &group["protocol_type"]), (&json!("Stable"), &json!("consumer")), "{group}");
    assert_eq!(group["members"][0]["client_id"], "till");
    assert_eq!(group["members"][0]["assigned"].as_array().unwrap().len(), 2);
    for (index, offset) in group["offsets"].as_array().unwrap().iter().enumerate() {
        let told = ["partition", "committed", "log_end", "lag"].map(|key| offset[key].as_i64().unwrap());
        assert_eq!(told, [index as i64, 5, 5, 0], "{offset}");
        assert_eq!(offset["member_id"], group["members"][0]["member_id"]);
    }
    let (text, _) = cluster.good(&["groups", "describe", "billing"]);
    let columns: Vec<&str> = text.lines().nth(1).unwrap().split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert!(text.starts_with("billing: Stable, 1 member, classic protocol (consumer, "), "{text}");
    assert_eq!(columns, ["topic", "partition", "committed", "log end", "lag", "member", "client", "host"], "{text}");

    // As long as it lives, nobody else says where it goes on.
    let name = group["members"][0]["member_id"].as_str().unwrap();
    for execute in [&["--execute"][..], &[]] {
        let refusal = cluster.refused(&[&["groups", "reset", "billing", "--topic", "orders", "--to-earliest"], execute].concat());
        assert!(refusal.contains("group billing is in use (Stable): member"), "{refusal}");
        assert!(refusal.replace(' ', "").contains(name), "{refusal}");
        assert!(refusal.contains("stop its members first"), "{refusal}");
    }
    let refusal = cluster.refused(&["groups", "delete", "billing"]);
    assert!(refusal.contains("group billing is in use (Stable)"), "{refusal}");
    let refusal = cluster.refused(&["groups", "delete-offsets", "billing", "--topic", "orders"]);
    assert!(refusal.contains("group billing is in use (Stable)"), "{refusal}");

    runtime.block_on(member.unsubscribe()).unwrap();
    let described = cluster.json(&["groups", "describe", "--all"]);
    assert_eq!((&described["groups"][0]["state"], &described["groups"][0]["members"]), (&json!("Empty"), &json!([])));
    assert_eq!(cluster.committed("billing"), [at("orders", 0, 5), at("orders", 1, 5)]);
}

/// Others need not wait for its session.
#[test]
fn a_reader_that_is_told_to_end_leaves_its_group() {
    let cluster = Cluster::start("leaves");
    cluster.topic("orders", 1);
    let mut reader = cluster.command(&["consume", "orders", "-G", "billing"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    assert_eq!(lines.take(2).map(Result::unwrap).collect::<Vec<_>>(), ["record 0", "record 0"]);
    assert!(Command::new("kill").arg(reader.id().to_string()).status().unwrap().success());
    assert_eq!(reader.wait().unwrap().code(), Some(0));
    let described = cluster.json(&["groups", "describe", "billing"]);
    assert_eq!((&described["groups"][0]["state"], &described["groups"][0]["members"]), (&json!("Empty"), &json!([])));
}

#[test]
fn a_reset_is_shown_and_then_done() {
    let cluster = Cluster::start("reset");
    cluster.topic("orders", 10);
    cluster.topic("refunds", 4);
    cluster.commit("billing", &[("orders", 0, 7), ("orders", 1, 2), ("refunds", 0, 4)]);
    let before = [at("orders", 0, 7), at("orders", 1, 2), at("refunds", 0, 4)];

    let reset = ["groups", "reset", "billing", "--topic", "orders"];
    let (shown, remark) = cluster.good(&[&reset[..], &["--to-earliest"]].concat());
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, [["topic", "partition", "committed", "new"], ["orders", "0", "7", "0"], ["orders", "1", "2", "0"]]);
    assert!(remark.contains("nothing was changed"), "{remark}");
    assert_eq!(cluster.committed("billing"), before);

    let execute = |arguments: &[&str]| cluster.good(&[&["groups", "reset", "billing", "--execute"], arguments].concat());
    execute(&["--topic", "orders", "--to-earliest"]);
    assert_eq!(cluster.committed("billing"), [at("orders", 0, 0), at("orders", 1, 0), at("refunds", 0, 4)]);
    execute(&["--topic", "orders:1", "--topic", "refunds:1", "--to-latest"]);
    assert_eq!(cluster.committed("billing"), [at("orders", 0, 0), at("orders", 1, 10), at("refunds", 0, 4), at("refunds", 1, 4)]);
    let (_, remark) = execute(&["--all-topics", "--to-offset", "6"]);
    assert!(remark.contains("refunds-0 has no offset 6: 4 is the nearest"), "{remark}");
    execute(&["--all-topics", "--shift-by", "-1"]);
    assert_eq!(cluster.committed("billing"), [at("orders", 0, 5), at("orders", 1, 5), at("refunds", 0, 3), at("refunds", 1, 3)]);
    execute(&["--topic", "orders:0", "--to-time", "1970-01-02"]);
    execute(&["--topic", "orders:1", "--to-time", "2999-01-01T00:00Z"]);
    assert_eq!(cluster.committed("billing"), [at("orders", 0, 0), at("orders", 1, 10), at("refunds", 0, 3), at("refunds", 1, 3)]);

    // Whoever reads in that group now begins there.
    let (read, _) = cluster.good(&["consume", "orders", "-G", "billing", "-c", "10", "--json"]);
    let partitions: Vec<Value> =
        read.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["partition"].take()).collect();
    assert_eq!(partitions, vec![json!(0); 10]);
}

#[test]
fn groups_and_their_offsets_are_deleted() {
    let cluster = Cluster::start("delete");
    cluster.topic("orders", 1);
    cluster.topic("refunds", 1);
    for group in ["billing", "shipping"] {
        cluster.commit(group, &[("orders", 0, 1), ("refunds", 0, 1)]);
    }
    let (said, _) = cluster.good(&["groups", "delete-offsets", "billing", "--topic", "refunds:0"]);
    assert_eq!(said, "forgotten: billing in refunds-0\n");
    assert_eq!(cluster.committed("billing"), [at("orders", 0, 1)]);
    // What can be done is done, and what cannot is said.
    let output = cluster.command(&["groups", "delete", "billing", "biling", "shipping"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(64), &b"deleted billing\ndeleted shipping\n"[..]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no group biling"));
    assert_eq!(cluster.good(&["groups", "list"]), (String::new(), String::new()));
}

#[test]
fn what_is_not_there_is_named_with_what_may_have_been_meant() {
    let cluster = Cluster::start("wrong");
    cluster.topic("orders", 1);
    cluster.commit("billing", &[("orders", 0, 1)]);
    let refusal = cluster.refused(&["groups", "describe", "bilinng"]);
    assert!(refusal.contains("there is no group bilinng") && refusal.contains("did you mean billing?"), "{refusal}");
    let refusal = cluster.refused(&["groups", "delete", "wholly-different"]);
    assert!(refusal.contains("`brokerlab groups list` shows which there are"), "{refusal}");
    let reset = |arguments: &[&'static str]| [&["groups", "reset", "billing"], arguments].concat();
    let refusal = cluster.refused(&reset(&["--topic", "order", "--to-latest"]));
    assert!(refusal.contains("there is no topic order"), "{refusal}");
    let refusal = cluster.refused(&reset(&["--topic", "orders:7", "--to-latest"]));
    assert!(refusal.contains("there is no partition orders-7") && refusal.contains("orders has 2"), "{refusal}");
    let refusal = cluster.refused(&reset(&["--topic", "orders:1", "--shift-by", "1"]));
    assert!(refusal.contains("group billing has committed nothing for orders-1"), "{refusal}");
    let refusal = cluster.refused(&reset(&["--topic", "orders", "--to-time", "soon"]));
    assert!(refusal.contains("a number of milliseconds since 1970"), "{refusal}");
    for wrong in [&["--topic", "orders"][..], &["--to-latest"], &["--topic", "orders", "--to-latest", "--to-earliest"]] {
        cluster.refused(&reset(wrong));
    }
    // A reset may make a group; but who has mistyped its name learns that before.
    let (_, remark) = cluster.good(&["groups", "reset", "biling", "--topic", "orders", "--to-latest"]);
    assert!(remark.contains("there is no group biling so far: a reset makes it; did you mean billing?"), "{remark}");
    assert_eq!(cluster.json(&["groups", "list"])["groups"].as_array().unwrap().len(), 1);
    let refusal = cluster.refused(&["groups", "reset", "fresh", "--all-topics", "--to-latest"]);
    assert!(refusal.contains("group fresh has committed nothing"), "{refusal}");
}

#[test]
fn who_cannot_be_reached_is_named() {
    let nobody = ["groups", "list", "-b", "127.0.0.1:1", "-X", "default.api.timeout.ms=300"];
    let Output { status, stderr, .. } = Command::new(PROGRAM).args(nobody).output().unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(64));
    assert!(told.contains("127.0.0.1:1") && told.contains("is --bootstrap right"), "{told}");
}
