//! What a process makes of its properties.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::node::properties::parse;

fn config(text: &str) -> Result<ServerConfig, PropertyError> {
    ServerConfig::from_settings(&parse("server.properties", text).unwrap(), None)
}

fn error(text: &str) -> String {
    config(text).unwrap_err().to_string()
}

const BROKER: &str = "process.roles=broker\nnode.id=3\ncontroller.quorum.voters=100@c:9093\nlog.dirs=/data\n";

#[test]
fn a_broker_listens_everywhere_and_says_where_it_is() {
    let config = config(&format!("{BROKER}advertised.listeners=PLAINTEXT://b3:19092\nnum.partitions=6")).unwrap();
    let broker = config.broker.unwrap();
    assert_eq!((broker.listen, broker.advertised), (Address::new("0.0.0.0", 9092), Address::new("b3", 19092)));
    assert_eq!((config.id, config.controller), (BrokerId(3), Address::new("c", 9093)));
    assert_eq!(broker.properties.get("num.partitions").map(String::as_str), Some("6"));
    assert!(config.controls.is_none());
}

#[test]
fn one_process_may_be_both() {
    let text = "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n\
                log.dirs=/data\nbroker.session.timeout.ms=5000\nlog.retention.hours=2";
    let config = config(text).unwrap();
    assert_eq!(config.controller, Address::new("127.0.0.1", 9093));
    assert_eq!(config.controls.unwrap().config.session_timeout, crate::types::Duration::secs(5));
    assert_eq!(config.broker.unwrap().properties["log.retention.ms"], "7200000");
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_would_be_right() {
    let unknown = error(&format!("{BROKER}min.insync.replica=2"));
    assert_eq!(
        unknown,
        "server.properties:5: min.insync.replica is not a property of this broker; did you mean min.insync.replicas?"
    );
    let value = error(&format!("{BROKER}\nmax.connections=many"));
    assert_eq!(value, "server.properties:6: max.connections=many: allowed is a number from 0 to 2147483647");
    let role = error("process.roles=zookeeper");
    assert_eq!(role, "server.properties:1: `zookeeper` is no role: `broker`, `controller`, or both");
    let everywhere = error(BROKER);
    assert!(everywhere.contains("advertised.listeners=PLAINTEXT://host:9092"), "{everywhere}");
    let tls = error(&format!("{BROKER}listener.security.protocol.map=PLAINTEXT:SSL"));
    assert!(tls.contains("only NAME:PLAINTEXT"), "{tls}");
    let quorum = error(&format!("{BROKER}advertised.listeners=PLAINTEXT://b:1\n").replace("100@c:9093", "1@a:1,2@b:2"));
    assert!(quorum.contains("one controller"), "{quorum}");
}

#[test]
fn what_has_no_effect_is_told() {
    let settings = parse("s", "num.io.threads=8\nnum.partitions=1").unwrap();
    assert_eq!(check(&settings).unwrap(), ["num.io.threads"]);
}

#[test]
fn bounds_of_connections_are_kafkas() {
    let settings = parse("s", "socket.request.max.bytes=1000\nconnections.max.idle.ms=5\nqueued.max.request.bytes=10").unwrap();
    let tcp = tcp(&settings).unwrap();
    assert_eq!((tcp.request_bytes_max, tcp.idle_max), (1000, Duration::from_millis(5)));
    assert_eq!(tcp.queued_bytes_max, Some(1000), "the largest request must fit");
    assert_eq!(super::tcp(&parse("s", "queued.max.request.bytes=-1").unwrap()).unwrap().queued_bytes_max, None);
}
