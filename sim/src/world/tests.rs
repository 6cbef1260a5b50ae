//! The world with toy actors: an echo server, and clients that send it numbers.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use brokerlab::actor::{Actor, CloseReason, Event, Now, Outbox};
use brokerlab::digest::Digest;
use brokerlab::disk::{Disk, SyncTarget, read_file};
use brokerlab::operation::{Completion, OperationId, Outcome};
use brokerlab::types::{Address, ConnectionId, Duration, Ticket, Time};
use brokerlab_reports::event::{Delivery, EventId, What, WorldFact};
use brokerlab_reports::verdict::Verdict;
use bytes::Bytes;

use super::cast::{Birth, Member};
use super::*;
use crate::scenario::model::{Fate, Fault, FaultKind, Frames, Network, Target};
use crate::workload::Driver;

const EVERY: Duration = Duration::millis(2);

/// Answers each frame with itself; the correlation ids are written to a file, synced before the answer if asked for.
struct Echo {
    durable: bool,
    count: u64,
    waiting: BTreeMap<Ticket, u64>,
    stopping: Option<OperationId>,
}

impl Actor for Echo {
    fn step(&mut self, _: Now, event: Event, disk: &mut dyn Disk, out: &mut Outbox) {
        match event {
            Event::Frame { connection, frame } if self.durable => {
                let Ok(file) = disk.open("log").or_else(|_| disk.create("log")) else { return };
                let length = disk.len(file).unwrap_or(0);
                if disk.write(file, length, &[&frame[..8]]).is_err() {
                    return;
                }
                let ticket = out.sync(vec![SyncTarget::File(file), SyncTarget::Directory(String::new())]);
                self.waiting.insert(ticket, self.count);
                out.send_after(connection, vec![frame.slice(4..8), frame.slice(8..)], ticket);
            }
            Event::Frame { connection, frame } => {
                self.count += 1;
                out.send(connection, vec![frame.slice(4..8), frame.slice(8..)]);
            }
            Event::Synced { ticket, result } => {
                assert!(self.waiting.remove(&ticket).is_some() && result.is_ok(), "{result:?}");
            }
            Event::Command(command) => {
                self.stopping = Some(command.id);
                out.complete(Completion { id: command.id, outcome: Outcome::Stopped });
            }
            Event::Opened { .. } | Event::Closed { .. } | Event::ReadDone { .. } | Event::Woken => {}
        }
    }

    fn deadline(&self) -> Option<Time> {
        None
    }

    fn digest(&self, hash: &mut Digest) {
        self.count.hash(hash);
    }
}

/// What a client saw, for the tests to look at.
#[derive(Debug, Default)]
struct Seen {
    answered: Vec<(u64, u32)>,
    closed: Vec<CloseReason>,
    woken_early: u64,
}

/// Sends a numbered frame every [`EVERY`] and expects its echo; connects again when the connection ends.
struct Caller {
    seen: Arc<Mutex<Seen>>,
    to: Address,
    line: Option<(ConnectionId, bool)>,
    sent: u32,
    next: Time,
    body: usize,
    panic_at: u32,
}

impl Actor for Caller {
    fn step(&mut self, now: Now, event: Event, _: &mut dyn Disk, out: &mut Outbox) {
        match event {
            Event::Opened { connection, .. } => self.line = Some((connection, true)),
            Event::Closed { reason, .. } => {
                self.seen.lock().unwrap().closed.push(reason);
                self.line = None;
                self.next = now.mono.plus(Duration::millis(100));
            }
            Event::Frame { frame, .. } => {
                assert!(frame.len() >= 4 + self.body, "framing lost bytes");
                let number = u32::from_be_bytes(*frame.first_chunk().unwrap());
                self.seen.lock().unwrap().answered.push((now.mono.0, number));
            }
            Event::Woken => {
                self.seen.lock().unwrap().woken_early += u64::from(now.mono < self.next);
                self.act(now, out);
            }
            Event::Synced { .. } | Event::ReadDone { .. } | Event::Command(_) => {}
        }
    }

    fn deadline(&self) -> Option<Time> {
        Some(self.next)
    }

    fn digest(&self, hash: &mut Digest) {
        self.sent.hash(hash);
    }
}

impl Caller {
    fn act(&mut self, now: Now, out: &mut Outbox) {
        self.next = now.mono.plus(EVERY);
        match self.line {
            None => self.line = Some((out.connect(self.to.clone()), false)),
            Some((_, false)) => {}
            Some((connection, true)) => {
                self.sent += 1;
                assert!(self.sent != self.panic_at, "that was one too many");
                let mut frame = vec![0, 1, 0, 4];
                frame.extend_from_slice(&self.sent.to_be_bytes());
                frame.resize(8 + self.body, 7);
                out.send(connection, vec![Bytes::from(frame)]);
            }
        }
    }
}

struct Toys {
    members: Vec<Member>,
    durable: bool,
    body: usize,
    panic_at: u32,
    /// Whom the callers call.
    server: &'static str,
    seen: Arc<Mutex<Seen>>,
}

impl Toys {
    fn new(callers: usize) -> Toys {
        let names = std::iter::once("b1".to_string()).chain((1..=callers).map(|i| format!("p{i}")));
        let members = names.map(|name| Member { name, role: Role::Toy }).collect();
        Toys { members, durable: false, body: 100, panic_at: u32::MAX, server: "b1", seen: Arc::default() }
    }
}

impl Cast for Toys {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn actor(&self, member: usize, _: Birth) -> Box<dyn Actor> {
        if member == 0 {
            return Box::new(Echo { durable: self.durable, count: 0, waiting: BTreeMap::new(), stopping: None });
        }
        Box::new(Caller {
            seen: self.seen.clone(),
            to: Address::new(self.server, 9092),
            line: None,
            sent: 0,
            next: Time::ZERO,
            body: self.body,
            panic_at: self.panic_at,
        })
    }

    fn driver(&self, _: usize) -> Driver {
        Driver::Nobody
    }
}

fn plan(seed: u64, faults: Vec<Fault>) -> Scenario {
    let network = Network { split_one_in: 3, ..Network::default() };
    let mut plan = Scenario { name: "toys".into(), seed, duration: Duration::secs(5), faults, network, ..Scenario::default() };
    plan.cluster.drift_ppm_max = 500;
    plan
}

fn fault(id: &str, at_ms: u64, lasts_ms: u64, kind: FaultKind) -> Fault {
    Fault { id: id.into(), at: Duration::millis(at_ms), lasts: Duration::millis(lasts_ms), kind }
}

fn node(name: &str) -> Target {
    Target::Node(name.into())
}

/// Every kind of fault that toys can suffer, some of them at once.
fn trouble() -> Vec<Fault> {
    vec![
        fault("f1", 500, 300, FaultKind::Crash { target: node("b1") }),
        fault("f2", 600, 900, FaultKind::Isolate { target: node("p1"), except_clients: false }),
        fault("f3", 1_000, 400, FaultKind::Cut { from: node("b1"), to: node("p1"), one_way: true }),
        fault("f4", 2_000, 200, FaultKind::PowerLoss { target: node("b1") }),
        fault("f5", 2_600, 300, FaultKind::Pause { target: node("b1") }),
        fault("f6", 2_700, 100, FaultKind::Crash { target: node("p2") }),
        fault("f7", 3_000, 500, FaultKind::SlowLink { from: node("b1"), to: node("p2"), by: Duration::millis(50) }),
        fault("f8", 3_600, 200, FaultKind::Restart { target: node("b1") }),
        fault("f9", 4_000, 400, FaultKind::StuckDisk { target: node("b1") }),
        fault("f10", 4_100, 400, FaultKind::PowerLossAtOperation { target: node("b1"), nth: 7 }),
        fault("f11", 4_600, 400, FaultKind::Crash { target: node("nobody") }),
        fault("f12", 100, 300, FaultKind::Frame { frames: echoes(3), fate: Fate::Hold }),
        fault("f13", 150, 400, FaultKind::Frame { frames: echoes(9), fate: Fate::SeverBefore }),
        fault("f14", 1_400, 400, flapping("p1")),
        fault("f15", 1_500, 300, FaultKind::NarrowLink { from: node("b1"), to: None, bandwidth: 8_000 }),
        fault("f16", 1_900, 50, FaultKind::Split { groups: vec![vec![node("b1")], vec![node("p2")]], one_way: true }),
        fault("f17", 3_300, 100, FaultKind::Bridge { target: node("p2") }),
    ]
}

/// Answers of the server, from the `nth` on.
fn echoes(nth: u64) -> Frames {
    Frames { apis: vec!["Fetch".into()], responses: true, from: None, to: Some(node("b1")), nth, count: 2 }
}

fn flapping(from: &str) -> FaultKind {
    let (every, down) = (Duration::millis(100), Duration::millis(30));
    FaultKind::FlappingLink { from: node(from), to: Some(node("b1")), every, down, one_way: false }
}

fn run_toys(plan: &Scenario, toys: Toys, options: RunOptions) -> (RunReport, Seen) {
    let seen = toys.seen.clone();
    let report = run_cast(plan, Box::new(toys), options).unwrap();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (report, seen)
}

fn durable(callers: usize) -> Toys {
    Toys { durable: true, ..Toys::new(callers) }
}

#[test]
fn calm_world_loses_nothing_and_wakes_nobody_early() {
    let (report, seen) = run_toys(&plan(1, vec![]), Toys::new(1), RunOptions::default());
    assert_eq!(report.judgement.verdict, Verdict::Pass, "{:?}", report.judgement);
    let numbers: Vec<u32> = seen.answered.iter().map(|(_, number)| *number).collect();
    assert!(numbers.len() > 2_000, "{}", numbers.len());
    assert!(numbers.iter().copied().eq(1..=numbers.last().copied().unwrap()), "echoes come in order and none is missing");
    assert_eq!((seen.woken_early, seen.closed.len()), (0, 0));
    assert!(report.frames > 4_000);
}

#[test]
fn an_address_that_nobody_has_is_refused() {
    let nowhere = Toys { server: "b9", ..Toys::new(1) };
    let (report, seen) = run_toys(&plan(1, vec![]), nowhere, RunOptions::default());
    assert_eq!(report.judgement.verdict, Verdict::Pass, "{:?}", report.judgement);
    assert!(seen.closed.len() > 10, "it is asked again after each answer: {:?}", seen.closed);
    assert!(seen.closed.iter().all(|reason| *reason == CloseReason::Refused) && seen.answered.is_empty());
}

#[test]
fn same_seed_same_hash_and_another_seed_another() {
    let hash = |seed| run_toys(&plan(seed, trouble()), durable(3), RunOptions::default()).0.hash;
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7), hash(8));
    let elsewhere = std::thread::spawn(move || hash(7)).join().unwrap();
    assert_eq!(elsewhere, hash(7));
}

#[test]
fn the_engines_seed_does_not_matter() {
    let hash = |madsim_seed| {
        let options = RunOptions { madsim_seed, ..RunOptions::default() };
        run_toys(&plan(7, trouble()), durable(3), options).0.hash
    };
    assert_eq!(hash(1), hash(2));
    assert_eq!(hash(1), hash(0xdead_beef));
}

#[test]
fn checks_and_observers_do_not_change_the_run() {
    let usual = run_toys(&plan(7, trouble()), durable(3), RunOptions::default()).0;
    let observer: Observer = Box::new(|_| {});
    let options = RunOptions { checks: false, timeline: true, observer: Some(observer), ..RunOptions::default() };
    let watched = run_toys(&plan(7, trouble()), durable(3), options).0;
    assert_eq!(usual.hash, watched.hash);
    assert!(usual.timeline.is_empty() && !watched.timeline.is_empty());
}

/// Collects events.
fn events(plan: &Scenario, toys: Toys) -> (Vec<brokerlab_reports::event::Event>, RunReport) {
    let all = Arc::new(Mutex::new(Vec::new()));
    let sink = all.clone();
    let observer: Observer = Box::new(move |event| sink.lock().unwrap().push(event.clone()));
    let report = run_toys(plan, toys, RunOptions { observer: Some(observer), ..RunOptions::default() }).0;
    let events = std::mem::take(&mut *all.lock().unwrap());
    (events, report)
}

#[test]
fn causes_come_first_and_frames_name_their_senders_event() {
    let (events, _) = events(&plan(3, trouble()), durable(2));
    for event in &events {
        assert!(event.cause < event.id && event.also < event.id, "{event:?}");
        if let What::Delivered(Delivery::Frame(info)) = &event.what {
            let cause = &events[usize::try_from(event.cause.0).unwrap() - 1];
            assert_eq!(cause.node, Some(info.from), "{event:?} was sent in {cause:?}");
        }
    }
    assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].id.0 + 1 == pair[1].id.0));
}

#[test]
fn every_fault_strikes_once_and_ends() {
    let (events, report) = events(&plan(3, trouble()), durable(2));
    let mut began = BTreeSet::new();
    let mut ended = BTreeSet::new();
    let mut skipped = BTreeSet::new();
    for event in &events {
        if let What::World(WorldFact::FaultBegan { fault, .. }) = &event.what {
            assert!(began.insert(fault.to_string()));
        }
        if let What::World(WorldFact::FaultEnded { fault }) = &event.what {
            assert!(ended.insert(fault.to_string()));
        }
        if let What::World(WorldFact::FaultSkipped { fault, .. }) = &event.what {
            assert!(skipped.insert(fault.to_string()));
        }
    }
    assert_eq!(began, ended);
    assert_eq!(began.len(), 16);
    assert_eq!(skipped, BTreeSet::from(["f11".to_string()]));
    let count = |name| report.counts.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count);
    assert_eq!((count("ProcessCrashed"), count("PowerLost"), count("NodeStopped")), (2, 2, 1));
    assert_eq!((count("Paused"), count("Resumed"), count("Settled")), (1, 1, 1));
    assert_eq!(count("NodeStarted"), 3 + 5);
    assert_eq!(count("FrameStruck"), 4);
}

#[test]
fn a_paused_process_gets_everything_in_order_when_it_goes_on() {
    let faults = vec![fault("f1", 1_000, 1_000, FaultKind::Pause { target: node("b1") })];
    let (_, seen) = run_toys(&plan(1, faults), Toys::new(1), RunOptions::default());
    let numbers: Vec<u32> = seen.answered.iter().map(|(_, number)| *number).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.last().copied().unwrap()));
    let longest = seen.answered.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(longest > 990_000_000, "no answer for a second, but {longest} ns");
    assert!(seen.closed.is_empty());
}

#[test]
fn a_node_that_dies_while_it_stops_comes_back_nevertheless() {
    let faults = vec![
        fault("f1", 1_000, 0, FaultKind::Pause { target: node("b1") }),
        fault("f2", 1_000, 300, FaultKind::Restart { target: node("b1") }),
        fault("f3", 1_000, 600, FaultKind::Crash { target: node("b1") }),
    ];
    let (events, _) = events(&plan(1, faults), Toys::new(1));
    let starts = events.iter().filter(|event| matches!(event.what, What::World(WorldFact::NodeStarted { life: 2 })));
    let at: Vec<u64> = starts.map(|event| event.at.0 / 1_000_000).collect();
    assert_eq!(at, [1_620], "when the longest of the faults is over");
}

#[test]
fn an_answer_waits_for_its_ticket() {
    let faults = vec![fault("f1", 1_000, 1_000, FaultKind::StuckDisk { target: node("b1") })];
    let (_, seen) = run_toys(&plan(1, faults), durable(1), RunOptions::default());
    let longest = seen.answered.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(longest > 990_000_000, "no answer while the disk is stuck, but {longest} ns");
    assert!(seen.closed.is_empty());
}

#[test]
fn what_was_answered_after_its_sync_survives_power_loss() {
    /// Reads the log when it starts and tells how much there is.
    struct Counting(Echo, Arc<Mutex<Vec<usize>>>, bool);
    impl Actor for Counting {
        fn step(&mut self, now: Now, event: Event, disk: &mut dyn Disk, out: &mut Outbox) {
            if !std::mem::replace(&mut self.2, true) {
                self.1.lock().unwrap().push(read_file(disk, "log").map_or(0, |bytes| bytes.len() / 8));
            }
            self.0.step(now, event, disk, out);
        }
        fn deadline(&self) -> Option<Time> {
            None
        }
        fn digest(&self, _: &mut Digest) {}
    }
    struct Cast2(Toys, Arc<Mutex<Vec<usize>>>);
    impl Cast for Cast2 {
        fn members(&self) -> &[Member] {
            self.0.members()
        }
        fn actor(&self, member: usize, birth: Birth) -> Box<dyn Actor> {
            if member > 0 {
                return self.0.actor(member, birth);
            }
            let echo = Echo { durable: true, count: 0, waiting: BTreeMap::new(), stopping: None };
            Box::new(Counting(echo, self.1.clone(), false))
        }
        fn driver(&self, _: usize) -> Driver {
            Driver::Nobody
        }
    }
    for seed in 0..8 {
        let faults = vec![fault("f1", 2_000, 500, FaultKind::PowerLoss { target: node("b1") })];
        let toys = Toys::new(1);
        let (seen, found) = (toys.seen.clone(), Arc::new(Mutex::new(Vec::new())));
        run_cast(&plan(seed, faults), Box::new(Cast2(toys, found.clone())), RunOptions::default()).unwrap();
        let found = found.lock().unwrap().clone();
        let seen = seen.lock().unwrap();
        let before = seen.answered.windows(2).position(|pair| pair[1].0 - pair[0].0 > 300_000_000).unwrap() + 1;
        assert_eq!(found.len(), 2);
        assert!(found[1] >= before, "seed {seed}: {} survived, {before} were answered", found[1]);
    }
}

#[test]
fn a_participants_panic_is_a_crash_with_its_words() {
    let toys = Toys { panic_at: 100, ..Toys::new(1) };
    let (events, report) = events(&plan(1, vec![]), toys);
    assert_eq!(report.judgement.verdict, Verdict::Crash);
    let last = &events.last().unwrap().what;
    assert!(matches!(last, What::World(WorldFact::Panicked { message }) if message.contains("one too many")), "{last:?}");
}

#[test]
fn running_in_circles_is_a_hang() {
    let options = RunOptions { events_max: 5_000, ..RunOptions::default() };
    let (report, _) = run_toys(&plan(1, vec![]), Toys::new(3), options);
    assert_eq!(report.judgement.verdict, Verdict::Hang);
    assert!(report.events < 5_010);
}

#[test]
fn frames_larger_than_the_window_get_through() {
    let toys = Toys { body: 3 * crate::network::WINDOW, ..Toys::new(1) };
    let plan = Scenario { duration: Duration::millis(500), ..plan(1, vec![]) };
    let (_, seen) = run_toys(&plan, toys, RunOptions::default());
    assert!(seen.answered.len() > 20, "{}", seen.answered.len());
    assert!(seen.closed.is_empty());
}

#[test]
fn a_recording_holds_the_events_that_were_hashed() {
    let path = std::env::temp_dir().join(format!("brokerlab-world-{}.rec", std::process::id()));
    let options = RunOptions { record: Some(path.clone()), ..RunOptions::default() };
    let (report, _) = run_toys(&plan(2, trouble()), durable(1), options);
    let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
    let mut recording = brokerlab_reports::recording::Recording::open(file).unwrap();
    let mut count = 0;
    while let Some(event) = recording.next_event().unwrap() {
        count += 1;
        assert_eq!(event.id, EventId(count));
    }
    assert_eq!((count, recording.footer().unwrap().hash), (report.events, report.hash));
    std::fs::remove_file(path).unwrap();
}
