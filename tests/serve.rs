//! A cluster behind real ports, and our own clients: what is acknowledged survives a restart, and hostile peers hurt nobody else.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use brokerlab::node::cluster::{Cluster, ClusterConfig};
use brokerlab::node::people::{Admin, ClientError, Consumer, Producer, Properties};
use brokerlab::node::tcp::TcpConfig;
use brokerlab::operation::Position;
use brokerlab::types::{Address, Offset, TopicPartition};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const TOPIC_ALREADY_EXISTS: i16 = 36;

/// A data directory that goes away with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("brokerlab-serve-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn start(place: &Place, brokers: u16) -> Cluster {
    let config = ClusterConfig {
        data: place.0.clone(),
        brokers,
        listen: Address::new("127.0.0.1", 0),
        properties: BTreeMap::new(),
        tcp: TcpConfig { request_bytes_max: 1 << 20, connections_max: 50, ..TcpConfig::default() },
        witness: None,
    };
    let cluster = Cluster::start(&config).await.unwrap();
    timeout(PATIENCE, cluster.ready()).await.unwrap().unwrap();
    cluster
}

fn properties(cluster: &Cluster, more: &[(&str, &str)]) -> Properties {
    let bootstrap: Vec<String> = cluster.bootstrap().iter().map(ToString::to_string).collect();
    let mut properties = BTreeMap::from([("bootstrap.servers".to_string(), bootstrap.join(","))]);
    properties.extend(more.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())));
    properties
}

/// Number of partitions of the topic, once the broker that is asked has heard of it: the controller does not wait for that.
async fn described(admin: &Admin) -> usize {
    let heard = async {
        loop {
            match admin.describe_topic("orders").await {
                Ok((_, partitions)) => return partitions.len(),
                Err(ClientError::Failed { code: UNKNOWN_TOPIC_OR_PARTITION, .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(PATIENCE, heard).await.unwrap()
}

async fn read_all(cluster: &Cluster, partitions: i32) -> BTreeMap<(i32, Offset), Vec<u8>> {
    let consumer = Consumer::connect(&properties(cluster, &[])).unwrap();
    let name = |index| TopicPartition { topic: "orders".into(), index };
    let mut left: BTreeMap<i32, Offset> = BTreeMap::new();
    for index in 0..partitions {
        let end = timeout(PATIENCE, consumer.offset(name(index), Position::End)).await.unwrap().unwrap();
        if end > Offset::ZERO {
            left.insert(index, end);
        }
    }
    consumer.assign((0..partitions).map(|index| (name(index), Position::Beginning)).collect()).await.unwrap();
    let mut read = BTreeMap::new();
    while !left.is_empty() {
        for record in timeout(PATIENCE, consumer.poll(1_000, 500)).await.unwrap().unwrap() {
            let index = record.partition.index;
            if left.get(&index).is_some_and(|end| record.offset.next() >= *end) {
                left.remove(&index);
            }
            let before = read.insert((index, record.offset), record.value.unwrap().to_vec());
            assert_eq!(before, None, "an offset is read once");
        }
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_restart() {
    let place = Place::new("restart");
    let cluster = start(&place, 3).await;
    let admin = Admin::connect(&properties(&cluster, &[])).unwrap();
    let durable = BTreeMap::from([("min.insync.replicas".to_string(), "2".to_string())]);
    timeout(PATIENCE, admin.create_topic("orders", 3, 3, durable)).await.unwrap().unwrap();
    assert_eq!(described(&admin).await, 3);
    let producer = Producer::connect(&properties(&cluster, &[])).unwrap();
    let mut written = BTreeMap::new();
    for n in 0..300 {
        let value = format!("record {n}");
        let sent = producer.send("orders", Some(format!("key {}", n % 7)), &value);
        let (partition, offset) = timeout(PATIENCE, sent).await.unwrap().unwrap();
        assert_eq!(written.insert((partition.index, offset.unwrap()), value.into_bytes()), None, "an offset is given once");
    }
    assert_eq!(read_all(&cluster, 3).await, written);
    drop((producer, admin));
    timeout(PATIENCE, cluster.shut_down()).await.unwrap().unwrap();
    for broker in 1..=3 {
        assert!(place.0.join(format!("broker-{broker}/.kafka_cleanshutdown")).exists(), "broker {broker} stopped in order");
    }

    let cluster = start(&place, 3).await;
    assert_eq!(read_all(&cluster, 3).await, written, "after the restart");
    timeout(PATIENCE, cluster.shut_down()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_peers_are_cut_off_and_others_served() {
    let place = Place::new("hostile");
    let cluster = start(&place, 1).await;
    let at = cluster.bootstrap()[0].clone();
    let dial = || async { TcpStream::connect((&*at.host, at.port)).await.unwrap() };
    for bytes in [
        &[0xff, 0xff, 0xff, 0xff, 0, 0][..],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0, 0, 0, 4, 0x7f, 0x7f, 0, 0],
        &[0, 0, 0, 0],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = dial().await;
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        // Closed in order or aborted; either way it ends, and no answer comes.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest, b"", "after {bytes:?}");
    }
    // One that announces a megabyte and dribbles, and as many idle ones as are let in.
    let mut slow = dial().await;
    slow.write_all(&[0, 0x0f, 0xff, 0xff, 1]).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(dial().await);
    }
    let admin = Admin::connect(&properties(&cluster, &[])).unwrap();
    timeout(PATIENCE, admin.create_topic("orders", 1, 1, BTreeMap::new())).await.unwrap().unwrap();
    let producer = Producer::connect(&properties(&cluster, &[])).unwrap();
    timeout(PATIENCE, producer.send("orders", None::<&str>, "still served")).await.unwrap().unwrap();
    let refused = timeout(PATIENCE, admin.create_topic("orders", 1, 1, BTreeMap::new())).await.unwrap();
    assert!(matches!(refused, Err(ClientError::Failed { code: TOPIC_ALREADY_EXISTS, .. })), "{refused:?}");
    drop((slow, idle, producer, admin));
    timeout(PATIENCE, cluster.shut_down()).await.unwrap().unwrap();
}
