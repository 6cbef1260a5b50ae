//! Golden scripts for coordinators: one shard, its log in memory, clients that say what the script says.
//!
//! A client is called `A`, `B` ... and remembers the member id and generation it was given last. The first member id that begins with `A`
//! is told as `A.1`, the next as `A.2`; that of a static member begins with its instance id.
//!
//! | command | what happens |
//! |---|---|
//! | `begin [delay=3s] [size=N] [retention=1s] [check=1s] [metadata=N] [mutant=slug]` | a fresh shard over an empty log |
//! | `topics orders=3`, `drop orders` | topics of the cluster |
//! | `join A [session=10s] [rebalance=60s] [instance=i] [id=A.1] [protocols="range:orders/payments,sticky:orders"] [type=consumer] [version=9]` | JoinGroup |
//! | `enter A ...` | `join`, and again with the member id that was given |
//! | `sync A [A=orders-0/orders-1] [B=...] [generation=] [id=] [instance=]` | SyncGroup, with the assignment from the leading member |
//! | `beat A [generation=] [id=] [instance=]` | Heartbeat |
//! | `hear A [joins] [epoch=] [topics=orders/payments] [regex="o.*"] [owns=all] [instance=] [id=] [assignor=range]` | ConsumerGroupHeartbeat; the member id is the client's name |
//! | `consumers` | ConsumerGroupDescribe |
//! | `leave A [instance=] [version=]`, `leave A B` | LeaveGroup |
//! | `commit A orders-0=100 [generation=] [id=] [metadata=text] [epoch=]`, `commit admin orders-0=1` | OffsetCommit, by a member or by nobody |
//! | `fetch [orders-0 ...] [id=A.1] [generation=1]` | OffsetFetch, by nobody or by a member |
//! | `forget orders-0`, `delete` | OffsetDelete, DeleteGroups |
//! | `list [states=stable/empty] [types=consumer]`, `show [g ...] [version=5]` | ListGroups; groups described, or all |
//! | `commits off`, `commits on`, `watermark 5` | whether the high watermark follows by itself; where it is |
//! | `refuse CODE`, `refuse nothing` | what the log answers from now on |
//! | `failover [end=N] [slowly]` | another broker leads, whose log ends there, and has loaded it (`slowly`: not yet) |
//! | `load` | the next piece is loaded |
//! | `journal` | the records in the log |
//! | `wait 10s` | time passes |
//! | `facts on` | facts are told |
//!
//! Every command takes `group=`, which is `g` if it is missing.

mod replay;
mod stage;
mod words;

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use goldenscript::{Argument, Command, Context, Runner};

use crate::group::{GroupConfig, GroupRequest};
use crate::mutant::Mutants;
use crate::types::{Duration, Offset};
use crate::wire::consumer_group_heartbeat_request::TopicPartitions as OwnedPartitions;
use crate::wire::consumer_group_heartbeat_response::TopicPartitions;
use crate::wire::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, Embedded, TopicPartition as AssignedTopic,
};
use crate::wire::join_group_request::JoinGroupRequestProtocol;
use crate::wire::leave_group_request::MemberIdentity;
use crate::wire::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::wire::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use crate::wire::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::wire::sync_group_request::SyncGroupRequestAssignment;
use crate::wire::{
    ConsumerGroupHeartbeatRequest, ErrorCode, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest,
    OffsetDeleteRequest, SyncGroupRequest,
};

use stage::Stage;

type Failure = Box<dyn Error>;

/// The arguments of a command: in order, and by key.
struct Arguments {
    plain: Vec<String>,
    keyed: Vec<(String, String)>,
}

impl Arguments {
    fn of(command: &Command) -> Arguments {
        let (mut plain, mut keyed) = (Vec::new(), Vec::new());
        for argument in &command.args {
            match argument {
                Argument::Positional(value) => plain.push(value.clone()),
                Argument::KeyValue(key, value) => keyed.push((key.clone(), value.clone())),
                // The library may invent more kinds.
                _ => {}
            }
        }
        Arguments { plain, keyed }
    }

    fn key(&self, key: &str) -> Option<&str> {
        self.keyed.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn who(&self) -> Result<&str, Failure> {
        self.plain.first().map(String::as_str).ok_or_else(|| "who?".into())
    }

    fn number<N: std::str::FromStr>(&self, key: &str, default: N) -> Result<N, Failure> {
        self.key(key).map_or(Ok(default), |value| value.parse().map_err(|_| format!("{key}={value} is no number").into()))
    }

    fn span(&self, key: &str, default: Duration) -> Result<Duration, Failure> {
        self.key(key).map_or(Ok(default), span)
    }

    fn group(&self) -> String {
        self.key("group").unwrap_or("g").to_owned()
    }

    fn instance(&self) -> Option<String> {
        self.key("instance").map(str::to_owned)
    }
}

fn span(text: &str) -> Result<Duration, Failure> {
    match text.strip_suffix("ms") {
        Some(millis) => Ok(Duration::millis(millis.parse()?)),
        None => Ok(Duration::secs(text.strip_suffix('s').ok_or("a time ends in s or ms")?.parse()?)),
    }
}

fn partition(text: &str) -> Result<(String, i32), Failure> {
    let (topic, index) = text.rsplit_once('-').ok_or("a partition is called orders-0")?;
    Ok((topic.to_owned(), index.parse()?))
}

fn subscription(topics: &str) -> Bytes {
    let topics = topics.split('/').filter(|topic| !topic.is_empty()).map(str::to_owned).collect();
    let subscription = ConsumerProtocolSubscription { topics, ..Default::default() };
    subscription.embed(0).expect("version 0 has both fields")
}

fn assigned(partitions: &str) -> Result<Bytes, Failure> {
    let mut assignment = ConsumerProtocolAssignment::default();
    for text in partitions.split('/').filter(|text| !text.is_empty()) {
        let (topic, index) = partition(text)?;
        assignment.assigned_partitions.push(AssignedTopic { topic, partitions: vec![index], ..Default::default() });
    }
    Ok(assignment.embed(0)?)
}

impl Stage {
    fn begin(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        *self = Stage::default();
        let usual = GroupConfig::default();
        self.config = GroupConfig {
            initial_rebalance_delay: arguments.span("delay", usual.initial_rebalance_delay)?,
            members_max: arguments.number("size", usual.members_max)?,
            metadata_bytes_max: arguments.number("metadata", usual.metadata_bytes_max)?,
            offsets_retention: arguments.span("retention", usual.offsets_retention)?,
            retention_check_interval: arguments.span("check", usual.retention_check_interval)?,
            mutants: mutants(arguments.key("mutant"))?,
            ..usual
        };
        self.fail_over(None);
        Ok(())
    }

    fn id_of(&self, arguments: &Arguments) -> Result<String, Failure> {
        let who = arguments.who()?;
        Ok(match arguments.key("id") {
            Some("none") => String::new(),
            Some(name) => self.ids.get(name).map_or(name, |id| id).to_owned(),
            None => self.member_ids.get(who).cloned().unwrap_or_default(),
        })
    }

    fn generation_of(&self, arguments: &Arguments) -> Result<i32, Failure> {
        arguments.number("generation", self.generations.get(arguments.who()?).copied().unwrap_or(-1))
    }

    fn join(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let protocols = arguments.key("protocols").unwrap_or("range:orders").split(',').map(|protocol| {
            let (name, topics) = protocol.split_once(':').unwrap_or((protocol, ""));
            JoinGroupRequestProtocol { name: name.to_owned(), metadata: subscription(topics), ..Default::default() }
        });
        let request = JoinGroupRequest {
            group_id: arguments.group(),
            session_timeout_ms: arguments.span("session", Duration::secs(10))?.as_millis() as i32,
            rebalance_timeout_ms: arguments.span("rebalance", Duration::secs(60))?.as_millis() as i32,
            member_id: self.id_of(arguments)?,
            group_instance_id: arguments.instance(),
            protocol_type: arguments.key("type").unwrap_or("consumer").to_owned(),
            protocols: protocols.collect(),
            ..JoinGroupRequest::default()
        };
        self.ask(arguments.who()?, "joins", arguments.number("version", 9)?, GroupRequest::Join(request));
        Ok(())
    }

    fn enter(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        self.join(arguments)?;
        self.told.clear();
        self.join(arguments)
    }

    /// A heartbeat of the newer protocol. A member is called by its client's name.
    fn hear(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let who = arguments.who()?.to_owned();
        let joins = arguments.plain.iter().any(|word| word == "joins");
        let epoch = if joins { 0 } else { self.generations.get(&who).copied().unwrap_or(-1) };
        let named = |names: &str| names.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let topics = arguments.key("topics").map(named);
        let subscribed_topic_regex = arguments.key("regex").map(str::to_owned);
        let usual = (joins && topics.is_none() && subscribed_topic_regex.is_none()).then(|| vec!["orders".to_owned()]);
        let request = ConsumerGroupHeartbeatRequest {
            group_id: arguments.group(),
            member_id: arguments.key("id").unwrap_or(&who).to_owned(),
            member_epoch: arguments.number("epoch", epoch)?,
            instance_id: arguments.instance(),
            rebalance_timeout_ms: if joins { arguments.span("rebalance", Duration::secs(60))?.as_millis() as i32 } else { -1 },
            subscribed_topic_names: topics.or(usual),
            subscribed_topic_regex,
            server_assignor: arguments.key("assignor").map(str::to_owned),
            topic_partitions: self.owned_by(&who, joins, arguments)?,
            ..ConsumerGroupHeartbeatRequest::default()
        };
        self.ask(&who, "hears", arguments.number("version", 1)?, GroupRequest::ConsumerHeartbeat(request));
        Ok(())
    }

    /// What a member says it owns: `owns=all` what it was told last, `owns=orders-0/orders-1`, or nothing said.
    fn owned_by(&self, who: &str, joins: bool, arguments: &Arguments) -> Result<Option<Vec<OwnedPartitions>>, Failure> {
        match arguments.key("owns") {
            None => Ok(joins.then(Vec::new)),
            Some("nothing") => Ok(Some(Vec::new())),
            Some("all") => {
                let told = self.owned.get(who).map(|told| told.topic_partitions.as_slice()).unwrap_or_default();
                let topic = |topic: &TopicPartitions| OwnedPartitions {
                    topic_id: topic.topic_id,
                    partitions: topic.partitions.clone(),
                    ..Default::default()
                };
                Ok(Some(told.iter().map(topic).collect()))
            }
            Some(text) => {
                let mut owned = Vec::new();
                for place in text.split('/') {
                    let (name, index) = partition(place)?;
                    let topic_id = self.topics.named(&name).ok_or("no such topic")?.id;
                    owned.push(OwnedPartitions { topic_id, partitions: vec![index], ..Default::default() });
                }
                Ok(Some(owned))
            }
        }
    }

    fn sync(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let mut assignments = Vec::new();
        for (key, value) in arguments.keyed.iter().filter(|(key, _)| key.starts_with(|c: char| c.is_ascii_uppercase())) {
            let member_id = self.member_ids.get(key).ok_or("a member that has no id")?.clone();
            assignments.push(SyncGroupRequestAssignment { member_id, assignment: assigned(value)?, ..Default::default() });
        }
        let request = SyncGroupRequest {
            group_id: arguments.group(),
            generation_id: self.generation_of(arguments)?,
            member_id: self.id_of(arguments)?,
            group_instance_id: arguments.instance(),
            protocol_type: arguments.key("type").map(str::to_owned),
            protocol_name: arguments.key("protocol").map(str::to_owned),
            assignments,
            ..SyncGroupRequest::default()
        };
        self.ask(arguments.who()?, "syncs", 5, GroupRequest::Sync(request));
        Ok(())
    }

    fn beat(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let request = HeartbeatRequest {
            group_id: arguments.group(),
            generation_id: self.generation_of(arguments)?,
            member_id: self.id_of(arguments)?,
            group_instance_id: arguments.instance(),
            ..HeartbeatRequest::default()
        };
        self.ask(arguments.who()?, "beats", 4, GroupRequest::Heartbeat(request));
        Ok(())
    }

    fn leave(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let id = |who: &String| self.member_ids.get(who).cloned().unwrap_or_default();
        let mut members: Vec<MemberIdentity> =
            arguments.plain.iter().map(|who| MemberIdentity { member_id: id(who), ..Default::default() }).collect();
        if let Some(instance) = arguments.instance() {
            let member_id = self.id_of(arguments)?;
            members = vec![MemberIdentity { member_id, group_instance_id: Some(instance), ..Default::default() }];
        }
        let version = arguments.number("version", 5)?;
        let member_id = if version < 3 { members[0].member_id.clone() } else { String::new() };
        let request = LeaveGroupRequest { group_id: arguments.group(), member_id, members, ..Default::default() };
        self.ask(arguments.who()?, "leaves", version, GroupRequest::Leave(request));
        Ok(())
    }

    fn commit(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let mut topics = Vec::new();
        for (key, value) in arguments.keyed.iter().filter(|(key, _)| key.contains('-')) {
            let (name, partition_index) = partition(key)?;
            let stored = OffsetCommitRequestPartition {
                partition_index,
                committed_offset: value.parse()?,
                committed_leader_epoch: arguments.number("epoch", -1)?,
                committed_metadata: arguments.key("metadata").map(str::to_owned),
                ..Default::default()
            };
            topics.push(OffsetCommitRequestTopic { name, partitions: vec![stored], ..Default::default() });
        }
        let request = OffsetCommitRequest {
            group_id: arguments.group(),
            generation_id_or_member_epoch: self.generation_of(arguments)?,
            member_id: self.id_of(arguments)?,
            group_instance_id: arguments.instance(),
            retention_time_ms: arguments.number("keep", -1)?,
            topics,
            ..OffsetCommitRequest::default()
        };
        self.ask(arguments.who()?, "commits", arguments.number("version", 8)?, GroupRequest::Commit(request));
        Ok(())
    }

    fn forget(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let mut topics = Vec::new();
        for text in &arguments.plain {
            let (name, partition_index) = partition(text)?;
            let partitions = vec![OffsetDeleteRequestPartition { partition_index, ..Default::default() }];
            topics.push(OffsetDeleteRequestTopic { name, partitions, ..Default::default() });
        }
        let request = OffsetDeleteRequest { group_id: arguments.group(), topics, ..Default::default() };
        self.ask("admin", "forgets", 0, GroupRequest::DeleteOffsets(request));
        Ok(())
    }

    fn fetch(&mut self, arguments: &Arguments) -> Result<String, Failure> {
        let mut topics = Vec::new();
        for text in &arguments.plain {
            let (name, index) = partition(text)?;
            topics.push(OffsetFetchRequestTopics { name, partition_indexes: vec![index], ..Default::default() });
        }
        let topics = Some(topics).filter(|topics| !topics.is_empty());
        let member_id = arguments.key("id").map(|name| self.ids.get(name).map_or(name, |id| id).to_owned());
        let member_epoch = arguments.key("generation").map_or(Ok(-1), str::parse)?;
        let request =
            OffsetFetchRequestGroup { group_id: arguments.group(), member_id, member_epoch, topics, ..Default::default() };
        let shard = self.shard.as_ref().ok_or("nobody coordinates")?;
        Ok(words::offsets(&shard.fetch_offsets(&request)))
    }

    fn list(&mut self, arguments: &Arguments) -> Result<String, Failure> {
        let names = |key| arguments.key(key).map(|text| text.split('/').map(str::to_owned).collect()).unwrap_or_default();
        let (states, types): (Vec<String>, Vec<String>) = (names("states"), names("types"));
        let shard = self.shard.as_ref().ok_or("nobody coordinates")?;
        Ok(match shard.list_groups(&states, &types) {
            Ok(groups) => groups
                .iter()
                .map(|group| format!("{} {:?} {} {}\n", group.group_id, group.protocol_type, group.group_state, group.group_type))
                .collect(),
            Err(error) => format!("{error}\n"),
        })
    }

    fn failover(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let end = arguments.key("end").map(str::parse).transpose()?.map(Offset);
        self.fail_over(end);
        if arguments.plain.iter().all(|word| word != "slowly") {
            while self.load() {}
        }
        Ok(())
    }

    fn set(&mut self, name: &str, arguments: &Arguments) -> Result<(), Failure> {
        let word = arguments.plain.first().map_or("", String::as_str);
        match name {
            "commits" => self.follows = word == "on",
            "watermark" => self.high_watermark = Offset(word.parse()?),
            "facts" => self.tell_facts = word == "on",
            _ => {
                let known = ErrorCode::ALL.iter().copied();
                self.log.refusal = known.clone().find(|code| code.to_string() == word);
                return if word == "nothing" || self.log.refusal.is_some() { Ok(()) } else { Err("no such code".into()) };
            }
        }
        self.step(|_, _| ());
        Ok(())
    }
}

#[cfg(feature = "mutants")]
fn mutants(slug: Option<&str>) -> Result<Mutants, Failure> {
    use crate::mutant::Mutant;
    Ok(match slug {
        None => Mutants::none(),
        Some(slug) => Mutants::only(Mutant::from_slug(slug).ok_or("no such mutant")?),
    })
}

#[cfg(not(feature = "mutants"))]
fn mutants(_: Option<&str>) -> Result<Mutants, Failure> {
    Ok(Mutants::none())
}

/// A command as written; each method takes it apart itself.
struct Shown(Command);

impl TryFrom<&Command> for Shown {
    type Error = Failure;

    fn try_from(command: &Command) -> Result<Shown, Failure> {
        Ok(Shown(command.clone()))
    }
}

impl Runner for Stage {
    type Command = Shown;

    fn run(&mut self, Shown(command): &Shown, _: &Context) -> Result<String, Failure> {
        let arguments = Arguments::of(command);
        let mut text = String::new();
        match command.name.as_str() {
            "begin" => self.begin(&arguments)?,
            "topics" => {
                for (name, count) in &arguments.keyed {
                    self.set_topic(name, count.parse()?);
                }
            }
            "drop" => self.drop_topics(&arguments.plain),
            "join" => self.join(&arguments)?,
            "enter" => self.enter(&arguments)?,
            "sync" => self.sync(&arguments)?,
            "beat" => self.beat(&arguments)?,
            "hear" => self.hear(&arguments)?,
            "consumers" => text = self.consumers(&arguments.group()),
            "leave" => self.leave(&arguments)?,
            "commit" => self.commit(&arguments)?,
            "forget" => self.forget(&arguments)?,
            "delete" => self.ask("admin", "deletes", 2, GroupRequest::Delete(arguments.group())),
            "fetch" => text = self.fetch(&arguments)?,
            "list" => text = self.list(&arguments)?,
            "show" => text = self.described(&arguments.plain, arguments.number("version", 5)?),
            "journal" => text = self.journal(),
            "failover" => self.failover(&arguments)?,
            "load" => drop(self.load()),
            "wait" => self.wait(span(arguments.who()?)?),
            "commits" | "watermark" | "refuse" | "facts" => self.set(&command.name, &arguments)?,
            other => return Err(format!("unknown command {other}").into()),
        }
        Ok(std::mem::take(&mut self.told) + &text)
    }
}

/// Runs every script of this module.
#[test]
fn scripts() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/group/testscripts");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).expect("the scripts are beside this file") {
        let path = entry.expect("an entry can be read").path();
        if path.to_string_lossy().contains("mutant") && !cfg!(feature = "mutants") {
            continue;
        }
        goldenscript::run(&mut Stage::default(), &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count += 1;
    }
    assert!(count >= 20, "only {count} scripts were found");
}

/// Names of members are told apart by what they begin with.
#[test]
fn member_ids_begin_with_the_name_of_their_client() {
    let mut ids = super::member_ids::MemberIds::new(
        1,
        crate::types::PartitionId { topic: crate::types::Uuid(1), index: 0 },
        crate::types::LeaderEpoch(0),
    );
    let (one, two): (Arc<str>, Arc<str>) = (ids.draw("app"), ids.draw("app"));
    assert_ne!(one, two);
    assert!(one.starts_with("app-") && one.len() == "app-".len() + 36, "{one}");
}
