//! Hostile peers at the port of a real broker: whatever they send, others are served meanwhile and memory stays bounded.
//!
//! The figures are those of a whole process (`VmRSS`), in which cluster, victims and attackers live together: what the broker keeps for its
//! attackers is less. One test function, so that nothing else grows beside it; run it with `--nocapture` to see the figures. Of ten thousand
//! idle connections one process often may not hold both ends: see `cli_serve`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use brokerlab::node::cluster::{Cluster, ClusterConfig};
use brokerlab::node::people::{Admin, Producer};
use brokerlab::node::tcp::TcpConfig;
use brokerlab::types::Address;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
/// The slowest that a well-behaved client may be served during an attack.
const SERVED_WITHIN: Duration = Duration::from_secs(2);
const MIB: usize = 1 << 20;
/// Largest request of the cluster under attack.
const REQUEST_BYTES_MAX: usize = 8 * MIB;
/// What requests may take together.
const QUEUED_BYTES_MAX: usize = 32 * MIB;
/// What responses may take together.
const UNSENT_BYTES_MAX: usize = 32 * MIB;

struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

/// A cluster and a client that is served well.
struct Field {
    cluster: Cluster,
    at: Address,
    producer: Producer,
    seed: u64,
}

impl Field {
    async fn new(place: &Place) -> Field {
        let config = ClusterConfig {
            data: place.0.clone(),
            brokers: 1,
            listen: Address::new("127.0.0.1", 0),
            properties: BTreeMap::new(),
            tcp: TcpConfig {
                request_bytes_max: REQUEST_BYTES_MAX,
                queued_bytes_max: Some(QUEUED_BYTES_MAX),
                unsent_bytes_max: UNSENT_BYTES_MAX,
                ..TcpConfig::default()
            },
            witness: None,
        };
        let cluster = Cluster::start(&config).await.unwrap();
        timeout(PATIENCE, cluster.ready()).await.unwrap().unwrap();
        let at = cluster.bootstrap()[0].clone();
        let properties = BTreeMap::from([("bootstrap.servers".to_string(), at.to_string())]);
        let admin = Admin::connect(&properties).unwrap();
        timeout(PATIENCE, admin.create_topic("orders", 1, 1, BTreeMap::new())).await.unwrap().unwrap();
        Field { cluster, at, producer: Producer::connect(&properties).unwrap(), seed: 1 }
    }

    async fn dial(&self) -> TcpStream {
        timeout(PATIENCE, TcpStream::connect((&*self.at.host, self.at.port))).await.unwrap().unwrap()
    }

    fn chance(&mut self) -> ChaCha8Rng {
        self.seed += 1;
        ChaCha8Rng::seed_from_u64(self.seed)
    }

    /// The slowest of some writes of a well-behaved client.
    async fn is_served(&self, writes: usize) -> Duration {
        let mut slowest = Duration::ZERO;
        for _ in 0..writes {
            #[expect(clippy::disallowed_methods, reason = "real time passes for a real cluster")]
            let begun = Instant::now();
            timeout(PATIENCE, self.producer.send("orders", None::<&str>, "still served")).await.unwrap().unwrap();
            slowest = slowest.max(begun.elapsed());
        }
        assert!(slowest < SERVED_WITHIN, "a write took {slowest:?}");
        slowest
    }

    /// What an attack cost: the memory above `before`, and how others were served.
    async fn report(&self, attack: &str, before: usize, bound: usize) {
        let slowest = self.is_served(20).await;
        let grown = resident().saturating_sub(before);
        println!("{attack}: memory grew by {:.1} MiB, slowest write of others {slowest:?}", grown as f64 / MIB as f64);
        assert!(grown < bound, "{attack}: memory grew by {grown} bytes, allowed are {bound}");
    }
}

/// A request frame: length, API key, version, correlation id, no client id, body.
fn frame(api: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(u32::try_from(10 + body.len()).unwrap().to_be_bytes());
    frame.extend(api.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend([0, 0, 0, 7, 0xff, 0xff]);
    frame.extend(body);
    frame
}

/// Sends, then reads until the broker closes or half a second brings nothing.
async fn talk(mut stream: TcpStream, bytes: Vec<u8>) -> usize {
    let _ = timeout(PATIENCE, stream.write_all(&bytes)).await;
    let mut answer = vec![0; 4096];
    let mut read = 0;
    while let Ok(Ok(count @ 1..)) = timeout(Duration::from_millis(500), stream.read(&mut answer)).await {
        read += count;
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attackers_hurt_nobody_else() {
    let path = std::env::temp_dir().join(format!("brokerlab-hostile-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    let place = Place(path);
    let mut field = Field::new(&place).await;
    field.is_served(20).await;
    random_bytes(&mut field).await;
    hostile_counts(&mut field).await;
    cut_and_oversized_frames(&mut field).await;
    slow_loris(&mut field).await;
    requests_that_are_never_finished(&mut field).await;
    answers_that_nobody_reads(&mut field).await;
    let Field { cluster, producer, .. } = field;
    drop(producer);
    timeout(PATIENCE, cluster.shut_down()).await.unwrap().unwrap();
}

/// 400 connections of noise: raw, and behind a length that fits.
async fn random_bytes(field: &mut Field) {
    let before = resident();
    let mut chance = field.chance();
    let mut attacks = Vec::new();
    for number in 0..400 {
        let mut noise = vec![0; 16 + chance.next_u32() as usize % 2000];
        chance.fill_bytes(&mut noise);
        if number % 2 == 0 {
            let length = u32::try_from(noise.len() - 4).unwrap();
            noise[..4].copy_from_slice(&length.to_be_bytes());
        }
        if number % 4 == 0 {
            // A known API, so that the body is decoded.
            noise[4..8].copy_from_slice(&[0, u8::try_from(number / 4 % 4).unwrap(), 0, 9]);
        }
        attacks.push(tokio::spawn(talk(field.dial().await, noise)));
    }
    field.is_served(20).await;
    for attack in attacks {
        timeout(PATIENCE, attack).await.unwrap().unwrap();
    }
    field.report("400 connections of random bytes", before, 16 * MIB).await;
}

/// Counts of 2^31-1 and negative ones where an array or a string begins, in every API from Produce to Metadata, old style and compact.
async fn hostile_counts(field: &mut Field) {
    let before = resident();
    let mut attacks = Vec::new();
    let counts: [&[u8]; 6] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0, 0x7f, 0xff, 0xff, 0xff],
    ];
    for (api, versions) in [(0, 3..=11), (1, 4..=16), (2, 1..=7), (3, 0..=12), (19, 2..=7)] {
        for version in versions {
            for count in counts {
                let body = [count, &[0; 40]].concat();
                attacks.push(tokio::spawn(talk(field.dial().await, frame(api, version, &body))));
            }
        }
    }
    let number = attacks.len();
    for attack in attacks {
        timeout(PATIENCE, attack).await.unwrap().unwrap();
    }
    field.report(&format!("{number} requests with hostile counts"), before, 16 * MIB).await;
}

/// Frames that end before they are whole, and lengths that nobody accepts: the latter end the connection without an answer.
async fn cut_and_oversized_frames(field: &mut Field) {
    let before = resident();
    for cut in 0..40 {
        let whole = frame(3, 9, &[1, 1, 0, 0, 0, 0]);
        let mut stream = field.dial().await;
        stream.write_all(&whole[..whole.len().min(cut % whole.len() + 1)]).await.unwrap();
    }
    for length in [i32::MAX, i32::MIN, -1, i32::try_from(REQUEST_BYTES_MAX + 1).unwrap()] {
        let mut stream = field.dial().await;
        stream.write_all(&length.to_be_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest, b"", "after a length of {length}");
    }
    field.report("frames cut short and oversized", before, 8 * MIB).await;
}

/// 300 connections announce a large request and dribble 100 bytes each, one at a time.
async fn slow_loris(field: &mut Field) {
    let before = resident();
    let mut streams = Vec::new();
    for _ in 0..300 {
        let mut stream = field.dial().await;
        stream.set_nodelay(true).unwrap();
        stream.write_all(&u32::try_from(REQUEST_BYTES_MAX).unwrap().to_be_bytes()).await.unwrap();
        streams.push(stream);
    }
    for _ in 0..100 {
        for stream in &mut streams {
            stream.write_all(&[1]).await.unwrap();
        }
    }
    // Each may pin the memory of one read, and none the megabytes that it announced.
    field.report("300 slow loris", before, 128 * MIB).await;
}

/// 40 connections send all but the last byte of 8 MiB: 320 MiB, of which the broker takes what it may.
async fn requests_that_are_never_finished(field: &mut Field) {
    let before = resident();
    let mut attacks = Vec::new();
    for _ in 0..40 {
        let mut stream = field.dial().await;
        attacks.push(tokio::spawn(async move {
            let _ = stream.write_all(&u32::try_from(REQUEST_BYTES_MAX).unwrap().to_be_bytes()).await;
            let part = vec![1; MIB - 1];
            for _ in 0..8 {
                if !matches!(timeout(Duration::from_secs(2), stream.write_all(&part)).await, Ok(Ok(()))) {
                    break;
                }
            }
            stream
        }));
    }
    let mut streams = Vec::new();
    for attack in attacks {
        streams.push(timeout(PATIENCE, attack).await.unwrap().unwrap());
    }
    // The attackers' own megabytes live in this process too.
    field.report("40 requests of 8 MiB never finished", before, 3 * QUEUED_BYTES_MAX).await;
}

/// 60 consumers ask for 4 MiB and read nothing: 240 MiB of answers, of which the broker keeps what it may.
async fn answers_that_nobody_reads(field: &mut Field) {
    for _ in 0..8 {
        let value = vec![7_u8; 512 << 10];
        timeout(PATIENCE, field.producer.send("orders", None::<&str>, value)).await.unwrap().unwrap();
    }
    let before = resident();
    let mut streams = Vec::new();
    for _ in 0..60 {
        let mut body = Vec::new();
        body.extend((-1_i32).to_be_bytes());
        body.extend([0_i32, 1, 4 << 20].map(i32::to_be_bytes).concat());
        body.extend([0, 0, 0, 0, 1, 0, 6]);
        body.extend(b"orders");
        body.extend([0, 0, 0, 1, 0, 0, 0, 0]);
        body.extend(0_i64.to_be_bytes());
        body.extend((4_i32 << 20).to_be_bytes());
        let mut stream = field.dial().await;
        stream.write_all(&frame(1, 4, &body)).await.unwrap();
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let shed: u64 = field.cluster.nodes().iter().map(|node| node.meters.shed.value()).sum();
    println!("{shed} of 60 readers that do not read were given up");
    assert!(shed > 0, "60 answers of 4 MiB are more than may be kept");
    field.report("60 answers of 4 MiB that nobody reads", before, 4 * UNSENT_BYTES_MAX).await;
}
