//! One suite, two worlds: what an actor is promised of its network and its disk holds on simulated streams and on loopback TCP, on the
//! simulated disk and on the real one.
//!
//! The network part is two actors that talk to each other, the very same in both worlds, and note what they are told; the notes must be
//! equal, word for word. The disk part is a list of small claims, each carried out on both disks.

#![cfg(madsim)]
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use brokerlab::actor::{Actor, CloseReason, Event, Now, Outbox};
use brokerlab::digest::Digest;
use brokerlab::disk::{Disk, DiskError, SyncTarget, read_file};
use brokerlab::node::fs::FsDisk;
use brokerlab::node::tcp::{TcpConfig, spawn, spawn_server};
use brokerlab::types::{Address, ConnectionId, Ticket, Time};
use brokerlab_sim::disk::{DiskKey, SimDisk};
use brokerlab_sim::scenario::model::{DiskWeather, Scenario};
use brokerlab_sim::workload::Driver;
use brokerlab_sim::world::cast::{Birth, Cast, Member, Role};
use brokerlab_sim::world::{RunOptions, run_cast};
use bytes::Bytes;

// ---- network ------------------------------------------------------------------------------------------------------------------------

/// What both sides were told, in order, by side.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<[Vec<String>; 2]>>);

impl Notes {
    fn note(&self, side: usize, text: impl Into<String>) {
        self.0.lock().unwrap()[side].push(text.into());
    }

    fn all(&self) -> [Vec<String>; 2] {
        self.0.lock().unwrap().clone()
    }

    fn is_over(&self) -> bool {
        self.0.lock().unwrap()[1].iter().any(|line| line == "the end")
    }
}

/// What the client asks for, one letter a request.
const ECHO: u8 = b'e';
/// Answer once something is durable.
const AFTER_SYNC: u8 = b's';
/// No answer.
const DONE: u8 = b'd';
/// Answer half a second later.
const LATER: u8 = b'l';
/// A request to produce: answered together with the next one, which must come before.
const PAIR: u8 = b'p';
/// Close the connection instead of answering.
const CLOSE: u8 = b'c';
/// What the client says at once, when its connection stands: the answers must come in this order.
const BURST: [u8; 8] = [ECHO, LATER, AFTER_SYNC, DONE, ECHO, PAIR, PAIR, CLOSE];

/// A request: a header that every world can read, and a letter.
fn request(number: u8, letter: u8) -> Vec<Bytes> {
    let api = u8::from(letter != PAIR);
    // In two pieces: that must not be seen at the other end.
    vec![Bytes::copy_from_slice(&[0, api, 0, 4, 0, 0, 0, number]), Bytes::copy_from_slice(&[letter])]
}

/// Does as it is told, and notes when it is told what.
struct Server {
    notes: Notes,
    waiting: Option<(ConnectionId, Bytes, Time)>,
    first_of_pair: Option<Bytes>,
    synced: Option<Ticket>,
}

impl Server {
    fn on_frame(&mut self, now: Now, connection: ConnectionId, frame: &Bytes, disk: &mut dyn Disk, out: &mut Outbox) {
        let letter = frame[8];
        assert!(self.waiting.is_none(), "a request came in while the one before is unanswered");
        self.notes.note(0, format!("asked for {} by {}", letter as char, frame[7]));
        let answer = frame.slice(4..);
        match letter {
            ECHO => out.send(connection, vec![answer]),
            LATER => self.waiting = Some((connection, answer, now.mono.plus(brokerlab::types::Duration::millis(500)))),
            AFTER_SYNC => {
                let file = disk.create("file").unwrap();
                disk.write(file, 0, &[b"durable"]).unwrap();
                let ticket = out.sync(vec![SyncTarget::File(file), SyncTarget::Directory(String::new())]);
                self.synced = Some(ticket);
                // What stands behind it waits with it.
                out.send_after(connection, vec![answer], ticket);
            }
            DONE => out.done(connection),
            PAIR => match self.first_of_pair.take() {
                Some(first) => [first, answer].into_iter().for_each(|answer| out.send(connection, vec![answer])),
                None => self.first_of_pair = Some(answer),
            },
            _ => out.close(connection),
        }
    }
}

impl Actor for Server {
    fn step(&mut self, now: Now, event: Event, disk: &mut dyn Disk, out: &mut Outbox) {
        match event {
            Event::Opened { accepted, .. } => self.notes.note(0, format!("opened, accepted: {accepted}")),
            Event::Frame { connection, frame } => self.on_frame(now, connection, &frame, disk, out),
            Event::Synced { ticket, result } => {
                assert_eq!((Some(ticket), result), (self.synced, Ok(())));
                self.notes.note(0, "synced");
            }
            Event::Closed { .. } => self.notes.note(0, "closed"),
            Event::Woken | Event::ReadDone { .. } | Event::Command(_) => {}
        }
        if let Some((connection, answer, at)) = self.waiting.clone()
            && at <= now.mono
        {
            self.waiting = None;
            out.send(connection, vec![answer]);
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.waiting.as_ref().map(|(_, _, at)| *at)
    }

    fn digest(&self, _: &mut Digest) {}
}

/// Says everything at once, then closes a connection itself.
struct Client {
    notes: Notes,
    server: Address,
    stage: u8,
    asked: Option<ConnectionId>,
}

impl Actor for Client {
    fn step(&mut self, _: Now, event: Event, _: &mut dyn Disk, out: &mut Outbox) {
        match event {
            Event::Woken if self.stage == 0 => {
                self.stage = 1;
                self.asked = Some(out.connect(self.server.clone()));
            }
            Event::Opened { connection, accepted, .. } => {
                assert_eq!(Some(connection), self.asked);
                self.notes.note(1, format!("opened, accepted: {accepted}"));
                match self.stage {
                    1 => (1..).zip(BURST).for_each(|(number, letter)| out.send(connection, request(number, letter))),
                    _ => {
                        // What was sent before a close arrives all the same; no word of the close comes back to who closes.
                        out.send(connection, request(100, DONE));
                        out.close(connection);
                        self.notes.note(1, "the end");
                    }
                }
            }
            Event::Frame { frame, .. } => self.notes.note(1, format!("answer {} to {}", frame[4] as char, frame[3])),
            Event::Closed { connection, reason } => {
                assert_eq!(Some(connection), self.asked);
                // A peer that closes with something unread may be seen to abort: both are the end.
                let reason = if reason == CloseReason::Reset { CloseReason::Eof } else { reason };
                self.notes.note(1, format!("closed, {reason:?}"));
                self.stage += 1;
                self.asked = Some(out.connect(self.server.clone()));
            }
            Event::Woken | Event::Synced { .. } | Event::ReadDone { .. } | Event::Command(_) => {}
        }
    }

    fn deadline(&self) -> Option<Time> {
        (self.stage == 0).then_some(Time::ZERO)
    }

    fn digest(&self, _: &mut Digest) {}
}

struct Pair {
    members: [Member; 2],
    notes: Notes,
}

impl Cast for Pair {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn actor(&self, member: usize, _: Birth) -> Box<dyn Actor> {
        let notes = self.notes.clone();
        match member {
            0 => Box::new(Server { notes, waiting: None, first_of_pair: None, synced: None }),
            // A client has no port of its own.
            _ => Box::new(Client { notes, server: Address::new("b1", 9092), stage: 0, asked: None }),
        }
    }

    fn driver(&self, _: usize) -> Driver {
        Driver::Nobody
    }
}

/// What is noted on simulated streams.
fn simulated() -> [Vec<String>; 2] {
    let notes = Notes::default();
    let members = ["b1", "p1"].map(|name| Member { name: name.into(), role: Role::Toy });
    let plan =
        Scenario { name: "conformance".into(), seed: 1, duration: brokerlab::types::Duration::secs(5), ..Scenario::default() };
    let report = run_cast(&plan, Box::new(Pair { members, notes: notes.clone() }), RunOptions::default()).unwrap();
    assert_eq!(report.judgement.findings, [], "{}", report.judgement.sentence);
    notes.all()
}

/// What is noted on loopback TCP.
fn real() -> [Vec<String>; 2] {
    let place = Place::new("tcp");
    let notes = Notes::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server_at = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
        let disk = FsDisk::new(&place.0).unwrap();
        let server = Server { notes: notes.clone(), waiting: None, first_of_pair: None, synced: None };
        let server =
            spawn_server("server", Box::new(server), listener, disk, TcpConfig::default(), Box::new(|_| {}), None).unwrap();
        let client = Client { notes: notes.clone(), server: server_at, stage: 0, asked: None };
        let client = spawn(Box::new(client), TcpConfig::default());
        let over = async {
            while !notes.is_over() || notes.all()[0].iter().filter(|line| *line == "closed").count() < 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), over).await.unwrap();
        drop(client);
        server.kill().await;
    });
    notes.all()
}

#[test]
fn an_actor_is_told_the_same_on_simulated_streams_and_on_tcp() {
    let (simulated, real) = (simulated(), real());
    assert_eq!(simulated, real);
    let [server, client] = real;
    assert_eq!(
        client,
        [
            "opened, accepted: false",
            "answer e to 1",
            "answer l to 2",
            "answer s to 3",
            "answer e to 5",
            "answer p to 6",
            "answer p to 7",
            "closed, Eof",
            "opened, accepted: false",
            "the end"
        ],
        "one answer after the other, though all was asked for at once"
    );
    assert_eq!(server.iter().filter(|line| line.starts_with("asked for")).count(), BURST.len() + 1, "{server:?}");
}

// ---- disk ---------------------------------------------------------------------------------------------------------------------------

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("brokerlab-conformance-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One claim of the contract.
type Claim = (&'static str, fn(&mut dyn Disk));

const CLAIMS: &[Claim] = &[
    ("what was written is read, a gap as zeros", |disk| {
        let file = disk.create("a").unwrap();
        disk.write(file, 2, &[b"one", b"", b"two"]).unwrap();
        assert_eq!(disk.len(file), Ok(8));
        assert_eq!(&disk.read(file, 0, 100).unwrap()[..], b"\0\0onetwo");
        assert_eq!(&disk.read(file, 5, 2).unwrap()[..], b"tw");
    }),
    ("a read beyond the end is short, not an error", |disk| {
        let file = disk.create("a").unwrap();
        disk.write(file, 0, &[b"abc"]).unwrap();
        assert_eq!(disk.read(file, 2, 10).unwrap().len(), 1);
        assert_eq!(disk.read(file, 50, 10).unwrap().len(), 0);
    }),
    ("a write may overwrite, and large ones are whole", |disk| {
        let (file, large) = (disk.create("a").unwrap(), vec![7; 200_000]);
        disk.write(file, 0, &[&large, b"end"]).unwrap();
        disk.write(file, 1, &[b"x"]).unwrap();
        let read = disk.read(file, 0, usize::MAX).unwrap();
        assert_eq!((read.len(), &read[..3], &read[200_000..]), (200_003, &[7, b'x', 7][..], &b"end"[..]));
    }),
    ("a file is cut and grown", |disk| {
        let file = disk.create("a").unwrap();
        disk.write(file, 0, &[b"abcdef"]).unwrap();
        disk.set_len(file, 2).unwrap();
        disk.set_len(file, 4).unwrap();
        assert_eq!(&read_file(disk, "a").unwrap()[..], b"ab\0\0");
    }),
    ("a name is taken once, and its directory must be there", |disk| {
        disk.create("a").unwrap();
        assert_eq!(disk.create("a"), Err(DiskError::Exists));
        assert_eq!(disk.create("missing/a"), Err(DiskError::NotFound));
        assert_eq!(disk.open("b"), Err(DiskError::NotFound));
        disk.create_dir("d").unwrap();
        assert_eq!(disk.create_dir("d"), Err(DiskError::Exists));
    }),
    ("names are listed in order, below their directory only", |disk| {
        disk.create_dir("d").unwrap();
        for name in ["d/b", "d/a", "c"] {
            disk.create(name).unwrap();
        }
        assert_eq!(disk.list("").unwrap(), ["c", "d"]);
        assert_eq!(disk.list("d").unwrap(), ["a", "b"]);
        assert_eq!(disk.list("e"), Err(DiskError::NotFound));
    }),
    ("a rename replaces", |disk| {
        for (name, text) in [("a", b"old"), ("b", b"new")] {
            let file = disk.create(name).unwrap();
            disk.write(file, 0, &[text]).unwrap();
        }
        disk.rename("b", "a").unwrap();
        assert_eq!(&read_file(disk, "a").unwrap()[..], b"new");
        assert_eq!(disk.rename("b", "a"), Err(DiskError::NotFound));
    }),
    ("a directory goes when it is empty", |disk| {
        disk.create_dir("d").unwrap();
        disk.create("d/a").unwrap();
        assert_eq!(disk.remove_dir("d"), Err(DiskError::Exists));
        disk.remove("d/a").unwrap();
        disk.remove_dir("d").unwrap();
        assert_eq!(disk.remove_dir("d"), Err(DiskError::NotFound));
        assert_eq!(disk.remove("d/a"), Err(DiskError::NotFound));
    }),
    ("an open file outlives its name, a closed handle nothing", |disk| {
        let file = disk.create("a").unwrap();
        disk.remove("a").unwrap();
        disk.write(file, 0, &[b"still"]).unwrap();
        assert_eq!(&disk.read(file, 0, 10).unwrap()[..], b"still");
        disk.close(file);
        assert_eq!(disk.len(file), Err(DiskError::Gone));
        assert_eq!(disk.read(file, 0, 1), Err(DiskError::Gone));
        assert_eq!(disk.write(file, 0, &[b"x"]), Err(DiskError::Gone));
    }),
];

#[test]
fn every_claim_holds_on_the_simulated_and_on_the_real_disk() {
    for (number, (claim, carry_out)) in CLAIMS.iter().enumerate() {
        println!("{claim}: on the simulated disk");
        carry_out(&mut SimDisk::new(DiskKey { seed: 1, node: 1 }, DiskWeather::default()).process(1));
        println!("{claim}: on the real disk");
        let place = Place::new(&format!("disk-{number}"));
        carry_out(&mut FsDisk::new(&place.0).unwrap());
    }
}
