//! Golden scripts for replication: one partition on a few brokers, a controller that says what the script says, every message by hand.
//!
//! | command | what happens |
//! |---|---|
//! | `cluster brokers=3 min-isr=2 [lag=30s] [flush] [mutant=slug]` | fresh replicas of one partition, all brokers alive |
//! | `elect b1 [epoch=N] [isr=b1/b2] [unclean] [to=b1/b3]` | the controller's next state: every replica (or those named) hears it |
//! | `isr b1/b2 [to=...]` | the controller commits this ISR; the leader epoch stays |
//! | `produce b1 a b [acks=all] [pid=P seq=S]` | a client writes one batch; the promise is remembered |
//! | `promises` | what has become of all promises |
//! | `fetch b2 [from=b1] [hold=NAME]` | one round of fetching: request, answer, append or truncate. `hold` keeps the answer back |
//! | `release NAME` | the answer kept back arrives |
//! | `consume b1 OFFSET` | what a consumer gets |
//! | `latest b1` | what ListOffsets(latest) says |
//! | `answer b1 accept|CODE [isr=...]` | the controller's answer to the leader's proposal |
//! | `member b3 down|up|epoch=N` | what the metadata says of a broker |
//! | `sync b1` | everything asked of the disk so far has ended |
//! | `wait 10s` | time passes; then every leader looks for laggards |
//! | `show` | one line per broker |

// A script wants the few facts and actions that it names.
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

use bytes::Bytes;
use goldenscript::{ArgumentConsumer, Command, Context, Runner};

use crate::actor::{Action, Now, Outbox};
use crate::fact::Fact;
use crate::log::{Log, LogConfig};
use crate::mutant::Mutants;
use crate::testing::MemoryDisk;
use crate::types::{
    BrokerEpoch, BrokerId, Duration, LeaderEpoch, Offset, PartitionEpoch, PartitionId, Time, Timestamp, TopicPartition, Uuid,
};
use crate::wire::ErrorCode;
use crate::wire::record::{BatchBuilder, batches};

use super::follower::Answer;
use super::serve::Budget;
use super::{FetchFrom, Isr, Member, Members, Promise, Proposal, Reader, Registration, Replica, Role, Settings};

type Failure = Box<dyn Error>;

struct Node {
    replica: Replica,
    disk: MemoryDisk,
    out: Outbox,
    unanswered: Vec<Action>,
    sent: Option<Proposal>,
}

struct Held {
    follower: BrokerId,
    asked: FetchFrom,
    answer: Answer,
}

#[derive(Default)]
struct Stage {
    now: Time,
    nodes: BTreeMap<BrokerId, Node>,
    members: Members,
    state: Option<Registration>,
    promises: Vec<(BrokerId, String, Promise)>,
    held: BTreeMap<String, Held>,
    facts: String,
}

fn broker(text: &str) -> Result<BrokerId, Failure> {
    Ok(BrokerId(text.strip_prefix('b').ok_or("a broker is called b1, b2 ...")?.parse()?))
}

fn brokers(text: &str) -> Result<Vec<BrokerId>, Failure> {
    text.split('/').map(broker).collect()
}

fn span(text: &str) -> Result<Duration, Failure> {
    Ok(Duration::secs(text.strip_suffix('s').ok_or("a time is given in seconds: 10s")?.parse()?))
}

fn parsed<T: std::str::FromStr<Err: Error + 'static>>(args: &mut ArgumentConsumer<'_>, key: &str) -> Result<Option<T>, Failure> {
    Ok(args.take_key(key).map(str::parse).transpose()?)
}

/// A command as written; each method takes it apart itself.
struct Shown(Command);

impl TryFrom<&Command> for Shown {
    type Error = Failure;

    fn try_from(command: &Command) -> Result<Shown, Failure> {
        Ok(Shown(command.clone()))
    }
}

fn names(brokers: &[BrokerId]) -> String {
    brokers.iter().map(|id| format!("{id:?}")).collect::<Vec<_>>().join(" ")
}

fn values(bytes: &Bytes) -> Result<String, Failure> {
    let mut text = String::new();
    for batch in batches(bytes) {
        let batch = batch?;
        for record in batch.records()? {
            let value = record?.value.map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default();
            write!(text, " {}@{}", value, batch.header.leader_epoch)?;
        }
    }
    Ok(if text.is_empty() { " nothing".to_string() } else { text })
}

impl Stage {
    fn now(&self) -> Now {
        Now { mono: self.now, wall: Timestamp(1_000_000 + self.now.0 as i64 / 1_000_000) }
    }

    fn node(&mut self, id: BrokerId) -> Result<&mut Node, Failure> {
        self.nodes.get_mut(&id).ok_or_else(|| format!("there is no {id:?}").into())
    }

    /// Notes facts, keeps what the disk was asked for.
    fn settle(&mut self, id: BrokerId) -> Result<(), Failure> {
        let node = self.nodes.get_mut(&id).ok_or("no such broker")?;
        node.replica.sync(&mut node.out);
        let actions: Vec<Action> = node.out.drain().collect();
        for action in actions {
            match action {
                Action::Fact(fact) => self.facts.push_str(&tell(id, &fact)),
                other => node.unanswered.push(other),
            }
        }
        Ok(())
    }

    fn cluster(&mut self, command: &Command) -> Result<(), Failure> {
        let mut args = command.consume_args();
        let count: i32 = parsed(&mut args, "brokers")?.unwrap_or(3);
        let settings = Settings {
            min_isr: parsed(&mut args, "min-isr")?.unwrap_or(1),
            replica_lag_max: args.take_key("lag").map_or(Ok(Duration::secs(30)), span)?,
            flush_each_batch: args.next_pos() == Some("flush"),
            mutants: mutants(args.take_key("mutant"))?,
        };
        args.reject_next()?;
        *self = Stage::default();
        let partition = PartitionId { topic: Uuid(7), index: 0 };
        let name = TopicPartition { topic: "orders".into(), index: 0 };
        for id in (1..=count).map(BrokerId) {
            let mut disk = MemoryDisk::new();
            let flush_messages = settings.flush_each_batch.then_some(1);
            let log = Log::create(&mut disk, "orders-0", partition.topic, LogConfig { flush_messages, ..LogConfig::default() })?;
            let replica = Replica::new(partition, name.clone(), id, settings, log, Offset::ZERO);
            self.nodes.insert(id, Node { replica, disk, out: Outbox::new(), unanswered: Vec::new(), sent: None });
            self.members.insert(id, Member { broker_epoch: BrokerEpoch(i64::from(id.0)), active: true });
        }
        let all: Vec<BrokerId> = self.nodes.keys().copied().collect();
        for id in &all {
            self.settle(*id)?;
            self.sync(*id)?;
        }
        self.state = Some(Registration {
            isr: all.clone(),
            replicas: all,
            leader: None,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
            recovering: false,
        });
        Ok(())
    }

    fn elect(&mut self, command: &Command) -> Result<(), Failure> {
        let mut args = command.consume_args();
        let leader = args.next_pos().map(broker).transpose()?;
        let state = self.state.as_mut().ok_or("say `cluster` first")?;
        state.leader = leader;
        state.leader_epoch = parsed(&mut args, "epoch")?.map_or(state.leader_epoch.next(), LeaderEpoch);
        state.partition_epoch = state.partition_epoch.next();
        state.recovering = args.next_pos() == Some("unclean");
        if let Some(isr) = args.take_key("isr") {
            state.isr = brokers(isr)?;
        }
        let to = args.take_key("to").map(brokers).transpose()?;
        args.reject_next()?;
        self.announce(to)
    }

    fn isr(&mut self, command: &Command) -> Result<(), Failure> {
        let mut args = command.consume_args();
        let state = self.state.as_mut().ok_or("say `cluster` first")?;
        state.isr = brokers(args.next_pos().ok_or("which brokers?")?)?;
        state.partition_epoch = state.partition_epoch.next();
        let to = args.take_key("to").map(brokers).transpose()?;
        args.reject_next()?;
        self.announce(to)
    }

    fn announce(&mut self, to: Option<Vec<BrokerId>>) -> Result<(), Failure> {
        let (now, state) = (self.now(), self.state.clone().ok_or("say `cluster` first")?);
        for id in to.unwrap_or_else(|| state.replicas.clone()) {
            let members = self.members.clone();
            let node = self.node(id)?;
            node.replica.on_registration(now, &state, &members, &mut node.disk, &mut node.out);
            self.settle(id)?;
        }
        Ok(())
    }

    fn produce(&mut self, command: &Command) -> Result<String, Failure> {
        let mut args = command.consume_args();
        let id = broker(args.next_pos().ok_or("which broker?")?)?;
        let acks = match args.take_key("acks") {
            None | Some("all") => -1,
            Some(number) => number.parse()?,
        };
        let pid: i64 = parsed(&mut args, "pid")?.unwrap_or(-1);
        let sequence: i32 = parsed(&mut args, "seq")?.unwrap_or(-1);
        let words: Vec<&str> = std::iter::from_fn(|| args.next_pos()).collect();
        args.reject_next()?;
        let mut builder = BatchBuilder::new();
        if pid >= 0 {
            builder =
                builder.producer(crate::types::ProducerId(pid), crate::types::ProducerEpoch(0), crate::types::Sequence(sequence));
        }
        let now = self.now();
        for word in &words {
            builder.push(now.wall, None, Some(word.as_bytes()), &[]);
        }
        let batch = builder.build();
        let members = self.members.clone();
        let node = self.node(id)?;
        let outcome = node.replica.append(now, batch, acks, &members, &mut node.disk, &mut node.out);
        self.settle(id)?;
        Ok(match outcome {
            Ok(promise) => {
                self.promises.push((id, words.join(" "), promise));
                String::new()
            }
            Err(code) => format!("{}: {code}\n", words.join(" ")),
        })
    }

    fn promises(&mut self) -> Result<String, Failure> {
        let mut text = String::new();
        for (id, words, promise) in &self.promises {
            let outcome = match self.nodes[id].replica.promise_outcome(promise) {
                None => "waits".to_string(),
                Some(Ok(())) => format!("acknowledged at {}", promise.base_offset),
                Some(Err(code)) => format!("{code}"),
            };
            writeln!(text, "{words}: {outcome}")?;
        }
        Ok(text)
    }

    fn fetch(&mut self, command: &Command) -> Result<String, Failure> {
        let mut args = command.consume_args();
        let id = broker(args.next_pos().ok_or("which broker?")?)?;
        let from = args.take_key("from").map(broker).transpose()?;
        let hold = args.take_key("hold").map(str::to_string);
        args.reject_next()?;
        let Some((leader, asked)) = self.node(id)?.replica.next_fetch() else { return Ok(format!("{id:?} does not fetch\n")) };
        let leader = from.unwrap_or(leader);
        let (now, members) = (self.now(), self.members.clone());
        let reader = Reader::Follower { broker: id, broker_epoch: members[&id].broker_epoch };
        let budget = Budget { bytes_max: 1 << 20, at_least_one: true };
        let node = self.node(leader)?;
        let fetched = node.replica.fetch(now, &asked, reader, budget, &members, &mut node.disk, &mut node.out);
        self.settle(leader)?;
        let mut text = format!("{id:?} asks {leader:?} from {}", asked.offset);
        match (fetched.error, fetched.diverging) {
            (ErrorCode::NONE, None) => write!(text, ":{}", values(&fetched.records)?)?,
            (ErrorCode::NONE, Some((epoch, end))) => write!(text, ": parts after epoch {epoch} ends at {end}")?,
            (code, _) => write!(text, ": {code}")?,
        }
        let answer = Answer {
            error: fetched.error,
            high_watermark: fetched.high_watermark,
            log_start: fetched.log_start,
            diverging: fetched.diverging,
            records: fetched.records,
        };
        let held = Held { follower: id, asked, answer };
        match hold {
            Some(name) => {
                self.held.insert(name, held);
            }
            None => write!(text, "{}", self.arrive(&held)?)?,
        }
        Ok(text + "\n")
    }

    fn arrive(&mut self, held: &Held) -> Result<String, Failure> {
        let node = self.node(held.follower)?;
        let verdict = node.replica.on_fetched(&held.asked, &held.answer, &mut node.disk, &mut node.out);
        self.settle(held.follower)?;
        Ok(match verdict {
            super::Verdict::Continue => String::new(),
            super::Verdict::BackOff => " (backs off)".to_string(),
            super::Verdict::Overtaken => " (overtaken)".to_string(),
        })
    }

    fn consume(&mut self, command: &Command) -> Result<String, Failure> {
        let mut args = command.consume_args();
        let id = broker(args.next_pos().ok_or("which broker?")?)?;
        let offset = Offset(args.next_pos().ok_or("from where?")?.parse()?);
        let last_epoch = args.take_key("last").map(|epoch| epoch.parse().map(LeaderEpoch)).transpose()?;
        args.reject_next()?;
        let from = FetchFrom { leader_epoch: None, offset, last_epoch, log_start: Offset(-1) };
        let (now, members) = (self.now(), self.members.clone());
        let budget = Budget { bytes_max: 1 << 20, at_least_one: true };
        let node = self.node(id)?;
        let reader = Reader::Consumer { committed_only: false };
        let fetched = node.replica.fetch(now, &from, reader, budget, &members, &mut node.disk, &mut node.out);
        self.settle(id)?;
        Ok(match (fetched.error, fetched.diverging) {
            (ErrorCode::NONE, None) => format!("consumer gets{}\n", values(&fetched.records)?),
            (ErrorCode::NONE, Some((epoch, end))) => format!("consumer hears that epoch {epoch} ends at {end}\n"),
            (code, _) => format!("consumer gets {code}\n"),
        })
    }

    fn delete(&mut self, command: &Command) -> Result<String, Failure> {
        let mut args = command.consume_args();
        let id = broker(args.next_pos().ok_or("which broker?")?)?;
        let to = Offset(args.next_pos().ok_or("up to where?")?.parse()?);
        args.reject_next()?;
        let node = self.node(id)?;
        let answer = node.replica.delete_records(to, &mut node.out);
        self.settle(id)?;
        Ok(answer.map_or_else(|code| format!("{code}\n"), |_| String::new()))
    }

    fn latest(&mut self, command: &Command) -> Result<String, Failure> {
        let mut args = command.consume_args();
        let id = broker(args.next_pos().ok_or("which broker?")?)?;
        args.reject_next()?;
        let node = self.node(id)?;
        let reader = Reader::Consumer { committed_only: false };
        Ok(match node.replica.list_offset(-1, None, reader, &mut node.disk, &mut node.out) {
            Ok((_, offset, _)) => format!("latest is {offset}\n"),
            Err(code) => format!("{code}\n"),
        })
    }

    /// The controller answers what the leader proposed; `accept` commits it (the metadata record itself arrives with `isr` or `elect`).
    fn answer(&mut self, command: &Command) -> Result<(), Failure> {
        let mut args = command.consume_args();
        let id = broker(args.next_pos().ok_or("which broker?")?)?;
        let word = args.next_pos().ok_or("accept, or an error code?")?.to_string();
        args.reject_next()?;
        let (now, members) = (self.now(), self.members.clone());
        let node = self.node(id)?;
        let asked = match node.sent.take() {
            Some(sent) => sent,
            None => node.replica.proposal().cloned().ok_or("nothing was proposed")?,
        };
        let state = self.state.as_mut().ok_or("say `cluster` first")?;
        let answer = match word.as_str() {
            "accept" => {
                state.isr = asked.isr.iter().map(|(member, _)| *member).collect();
                state.partition_epoch = state.partition_epoch.next();
                Ok(state.clone())
            }
            code => Err(named(code)?),
        };
        let node = self.node(id)?;
        node.replica.proposal_sent();
        node.replica.on_alter_partition(now, &asked, answer, &members, &mut node.out);
        self.settle(id)
    }

    /// The proposal leaves; its answer comes later.
    fn propose(&mut self, command: &Command) -> Result<(), Failure> {
        let mut args = command.consume_args();
        let id = broker(args.next_pos().ok_or("which broker?")?)?;
        args.reject_next()?;
        let node = self.node(id)?;
        node.sent = Some(node.replica.proposal().cloned().ok_or("nothing is proposed")?);
        node.replica.proposal_sent();
        Ok(())
    }

    fn member(&mut self, command: &Command) -> Result<(), Failure> {
        let mut args = command.consume_args();
        let id = broker(args.next_pos().ok_or("which broker?")?)?;
        let epoch = parsed::<i64>(&mut args, "epoch")?;
        let state = args.next_pos();
        args.reject_next()?;
        let member = self.members.get_mut(&id).ok_or("no such broker")?;
        member.broker_epoch = epoch.map_or(member.broker_epoch, BrokerEpoch);
        member.active = state.map_or(member.active, |state| state == "up");
        Ok(())
    }

    fn sync(&mut self, id: BrokerId) -> Result<(), Failure> {
        let (now, members) = (self.now(), self.members.clone());
        let node = self.node(id)?;
        for action in std::mem::take(&mut node.unanswered) {
            let ticket = match action {
                Action::Sync { ticket, .. } => ticket,
                Action::Replace { ticket, path, content } => {
                    node.disk.replace(&path, &content);
                    ticket
                }
                other => return Err(format!("a replica has no use for {other:?}").into()),
            };
            assert!(node.replica.on_synced(ticket, Ok(()), now, &members, &mut node.out));
        }
        self.settle(id)
    }

    fn wait(&mut self, command: &Command) -> Result<(), Failure> {
        let mut args = command.consume_args();
        self.now = self.now.plus(span(args.next_pos().ok_or("how long?")?)?);
        args.reject_next()?;
        let (now, members) = (self.now(), self.members.clone());
        for id in self.nodes.keys().copied().collect::<Vec<_>>() {
            let node = self.node(id)?;
            node.replica.on_tick(now, &members, &mut node.out);
            self.settle(id)?;
        }
        Ok(())
    }

    fn show(&mut self) -> Result<String, Failure> {
        let mut text = String::new();
        for (id, node) in &mut self.nodes {
            let replica = &mut node.replica;
            let role = match replica.role() {
                Role::Waiting => "waiting".to_string(),
                Role::Leader(leader) => format!("leader@{}", leader.epoch),
                Role::Follower(follower) => format!("follower@{}", follower.epoch),
            };
            let isr = match replica.role() {
                Role::Leader(leader) => match &leader.isr {
                    Isr::Committed(isr) => format!(" isr={{{}}}", names(isr)),
                    pending @ Isr::Pending { .. } => format!(" isr={{{}}}?", names(&pending.maximal())),
                },
                Role::Follower(_) | Role::Waiting => String::new(),
            };
            let (leo, hw) = (replica.log_end(), replica.high_watermark());
            let start = replica.log_start();
            let records = replica.log_mut().read(&mut node.disk, start, leo, 1 << 20, true)?;
            writeln!(text, "{id:?} {role:<11} leo={leo} hw={hw}{isr} log:{}", values(&records)?)?;
        }
        Ok(text)
    }
}

fn named(code: &str) -> Result<ErrorCode, Failure> {
    let known = [
        ErrorCode::INELIGIBLE_REPLICA,
        ErrorCode::INVALID_UPDATE_VERSION,
        ErrorCode::FENCED_LEADER_EPOCH,
        ErrorCode::NOT_CONTROLLER,
    ];
    known.into_iter().find(|known| known.to_string() == code).ok_or_else(|| format!("unknown code {code}").into())
}

#[cfg(feature = "mutants")]
fn mutants(slug: Option<&str>) -> Result<Mutants, Failure> {
    use crate::mutant::Mutant;
    match slug {
        None => Ok(Mutants::none()),
        Some(slug) => Ok(Mutants::only(Mutant::from_slug(slug).ok_or("no such mutant")?)),
    }
}

#[cfg(not(feature = "mutants"))]
fn mutants(_: Option<&str>) -> Result<Mutants, Failure> {
    Ok(Mutants::none())
}

/// The facts that a reader of a script wants to see.
fn tell(id: BrokerId, fact: &Fact) -> String {
    match fact {
        Fact::LogTruncated { from, to, .. } => format!("{id:?} truncates {from} -> {to}\n"),
        Fact::LogStartMoved { log_start, .. } => format!("{id:?} starts at {log_start}\n"),
        Fact::HighWatermarkAdvanced { from, to, .. } => format!("{id:?} high watermark {from} -> {to}\n"),
        Fact::HighWatermarkFollowed { to, .. } => format!("{id:?} hears of high watermark {to}\n"),
        Fact::IsrProposed { isr, .. } => format!("{id:?} proposes isr {{{}}}\n", names(isr)),
        Fact::IsrLearned { isr, .. } => format!("{id:?} learns isr {{{}}}\n", names(isr)),
        Fact::MutantActed { .. } => format!("{id:?} the planted bug acts\n"),
        _ => String::new(),
    }
}

impl Runner for Stage {
    type Command = Shown;

    fn run(&mut self, Shown(command): &Shown, _: &Context) -> Result<String, Failure> {
        let text = match command.name.as_str() {
            "cluster" => self.cluster(command).map(|()| String::new())?,
            "elect" => self.elect(command).map(|()| String::new())?,
            "isr" => self.isr(command).map(|()| String::new())?,
            "produce" => self.produce(command)?,
            "promises" => self.promises()?,
            "fetch" => self.fetch(command)?,
            "release" => {
                let mut args = command.consume_args();
                let name = args.next_pos().ok_or("which answer?")?.to_string();
                args.reject_next()?;
                let held = self.held.remove(&name).ok_or("no such answer is held")?;
                format!("{name} arrives at {:?}{}\n", held.follower, self.arrive(&held)?)
            }
            "consume" => self.consume(command)?,
            "delete" => self.delete(command)?,
            "latest" => self.latest(command)?,
            "answer" => self.answer(command).map(|()| String::new())?,
            "propose" => self.propose(command).map(|()| String::new())?,
            "member" => self.member(command).map(|()| String::new())?,
            "sync" => {
                let mut args = command.consume_args();
                let id = broker(args.next_pos().ok_or("which broker?")?)?;
                args.reject_next()?;
                self.sync(id).map(|()| String::new())?
            }
            "wait" => self.wait(command).map(|()| String::new())?,
            "show" => self.show()?,
            other => return Err(format!("unknown command {other}").into()),
        };
        Ok(text + &std::mem::take(&mut self.facts))
    }
}

/// Runs every script of this module.
#[test]
fn scripts() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/replica/testscripts");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).expect("the scripts are beside this file") {
        let path = entry.expect("an entry can be read").path();
        if path.to_string_lossy().contains("mutant") && !cfg!(feature = "mutants") {
            continue;
        }
        goldenscript::run(&mut Stage::default(), &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count += 1;
    }
    assert!(count >= 8, "only {count} scripts were found");
}
