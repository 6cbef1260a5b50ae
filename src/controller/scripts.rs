//! Golden scripts of the sans-IO controller: a command is a request or a moment; what it printed is its answer and what it wrote.
//!
//! ```text
//!   register b1 life=1 [dir=1] [cluster=other]      BrokerRegistration
//!   beat b1 [be=5] [applied=3] [fence] [stop]       BrokerHeartbeat; applied defaults to the end of the log
//!   up b1 b2 b3                                     register and beat, printing nothing
//!   create orders [partitions=1] [replicas=3] [on=1/2/3] [validate] [key=value ..]
//!   delete orders
//!   configure orders [set:NAME=VALUE ..] [delete:NAME=] [append:..] [subtract:..] [validate]    IncrementalAlterConfigs
//!   replace orders [NAME=VALUE ..]                 AlterConfigs; both: kind=4 for a broker, null is null
//!   more orders count=6 [on=1/2 ..] [validate]     CreatePartitions
//!   alter b1 orders-0 isr=1/2 [le=] [pe=] [be=] [recovery=]  isr=1@17: seen in epoch 17
//!   elect orders-0 .. [unclean]    elect all        ElectLeaders
//!   quorum [topic]                                 DescribeQuorum
//!   balance percentage=10                           leaders are counted now
//!   ids b1 [be=]                                    AllocateProducerIds
//!   time 9s          the clock moves; nothing else happens
//!   wake             the deadline has come: at most one broker is fenced
//!   restart          another process replays the log
//!   brokers, topics, replicas, configs              the image
//! ```

use std::error::Error;
use std::fmt::Write as _;

use goldenscript::{ArgumentConsumer, Command, Context, Runner};

use super::partition::brokers as ids;
use super::{Controller, ControllerConfig, MetadataImage, Partition};
use crate::fact::{Fact, PartitionState};
use crate::types::{BrokerEpoch, BrokerId, Duration, Offset, PartitionId, Time, TopicId, Uuid};
use crate::wire::alter_configs_request::{self, AlterConfigsRequest};
use crate::wire::alter_partition_request::{AlterPartitionRequest, BrokerState, PartitionData, TopicData};
use crate::wire::broker_registration_request::{BrokerRegistrationRequest, Listener};
use crate::wire::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic};
use crate::wire::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use crate::wire::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use crate::wire::describe_quorum_request::{self, DescribeQuorumRequest};
use crate::wire::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use crate::wire::incremental_alter_configs_request::{self, IncrementalAlterConfigsRequest};
use crate::wire::{AllocateProducerIdsRequest, BrokerHeartbeatRequest, ErrorCode, MetadataRecord};

type Output = Result<String, Box<dyn Error>>;

/// A controller, its clock, and everything it ever wrote.
struct Script {
    controller: Controller,
    now: Time,
    log: Vec<MetadataRecord>,
    facts: Vec<Fact>,
    gone: Vec<(TopicId, String)>,
}

impl Script {
    fn new() -> Script {
        let controller = Controller::activate(config(), MetadataImage::new(), Time::ZERO);
        let mut script = Script { controller, now: Time::ZERO, log: Vec::new(), facts: Vec::new(), gone: Vec::new() };
        script.take();
        script
    }

    /// Keeps what was written, and replays it elsewhere: a reader of the log must see the same as who wrote it.
    fn take(&mut self) {
        let written = self.controller.take_written();
        self.log.extend(written.records);
        self.facts.extend(written.facts);
        self.facts.extend(written.remarks);
        assert_eq!(replay(&self.log), *self.controller.image());
    }

    fn end(&self) -> Offset {
        self.controller.image().end()
    }

    fn name_of(&self, partition: PartitionId) -> String {
        let gone = self.gone.iter().find(|(id, _)| *id == partition.topic).map(|(_, name)| name.clone());
        let name = self.controller.image().topic(partition.topic).map(|topic| topic.name.to_string());
        format!("{}-{}", name.or(gone).unwrap_or_else(|| "?".to_owned()), partition.index)
    }

    fn epoch_of(&self, broker: BrokerId) -> BrokerEpoch {
        self.controller.image().broker(broker).map_or(BrokerEpoch::NONE, |broker| broker.epoch)
    }

    fn tell(&self, fact: &Fact) -> String {
        #[allow(clippy::wildcard_enum_match_arm)]
        match fact {
            Fact::RegistrationAccepted { broker, broker_epoch, .. } => format!("{broker:?} registered {broker_epoch:?}"),
            Fact::BrokerFenced { broker, .. } => format!("{broker:?} fenced"),
            Fact::BrokerUnfenced { broker, .. } => format!("{broker:?} unfenced"),
            Fact::TopicCreated { name, min_isr, unclean_election, .. } => {
                format!("{name} created min-isr={min_isr} unclean={unclean_election}")
            }
            Fact::TopicDeleted { topic } => format!("{} deleted", self.name_of(PartitionId { topic: *topic, index: 0 })),
            Fact::PartitionCreated { partition, state, .. } => self.line(*partition, state, "created"),
            Fact::LeaderElected { partition, state, .. } if state.leader.is_none() => self.line(*partition, state, "leaderless"),
            Fact::LeaderElected { partition, state, unclean: false } => self.line(*partition, state, "elected"),
            Fact::LeaderElected { partition, state, .. } => self.line(*partition, state, "elected uncleanly"),
            Fact::IsrShrunk { partition, state } => self.line(*partition, state, "shrunk"),
            Fact::IsrExpanded { partition, state } => self.line(*partition, state, "expanded"),
            Fact::AlterPartitionRefused { partition, broker, code } => {
                format!("{} {broker:?} refused {}", self.name_of(*partition), ErrorCode(*code))
            }
            other => panic!("the state machine does not state {other:?}"),
        }
    }

    fn line(&self, partition: PartitionId, state: &PartitionState, what: &str) -> String {
        let leader = state.leader.map_or("none".to_owned(), |leader| format!("{leader:?}"));
        let (le, pe) = (state.leader_epoch.0, state.partition_epoch.0);
        let name = self.name_of(partition);
        format!("{name:<10} leader={leader:<4} le={le:<2} pe={pe:<2} isr={:<12} {what}", set(&state.isr)).trim_end().to_owned()
    }

    fn partition(&self, name: &str) -> Result<PartitionId, Box<dyn Error>> {
        let (topic, index) = name.rsplit_once('-').ok_or("a partition is written topic-index")?;
        let known = self.controller.image().topic_by_name(topic).map(|topic| topic.id);
        Ok(PartitionId { topic: known.unwrap_or(Uuid(99)), index: index.parse()? })
    }

    // ---- commands ---------------------------------------------------------------------------------------------

    fn register(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let id = broker(args)?;
        let life: u128 = parse(args, "life", 1)?;
        let directory: u128 = parse(args, "dir", id.0.unsigned_abs().into())?;
        self.present(id, life, directory, args.take_key("cluster").unwrap_or("brokerlab"))
    }

    fn present(&mut self, id: BrokerId, life: u128, directory: u128, cluster: &str) -> Output {
        let listener = Listener { name: "PLAINTEXT".to_owned(), host: format!("b{id}"), port: 9092, ..Listener::default() };
        let request = BrokerRegistrationRequest {
            broker_id: id.0,
            cluster_id: cluster.to_owned(),
            incarnation_id: Uuid(life),
            listeners: vec![listener],
            log_dirs: vec![Uuid(directory)],
            ..BrokerRegistrationRequest::default()
        };
        let response = self.controller.on_register(self.now, &request);
        Ok(format!("{id:?} <- {} be={}\n", ErrorCode(response.error_code), response.broker_epoch))
    }

    fn beat(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let id = broker(args)?;
        let mut request = BrokerHeartbeatRequest {
            broker_id: id.0,
            broker_epoch: parse(args, "be", self.epoch_of(id).0)?,
            current_metadata_offset: parse(args, "applied", self.end().0 - 1)?,
            ..BrokerHeartbeatRequest::default()
        };
        while let Some(flag) = args.next_pos() {
            request.want_fence |= flag == "fence";
            request.want_shut_down |= flag == "stop";
        }
        Ok(self.heart(&request))
    }

    fn heart(&mut self, request: &BrokerHeartbeatRequest) -> String {
        let response = self.controller.on_heartbeat(self.now, request);
        let word = |flag: bool, word: &'static str| if flag { word } else { "" };
        format!(
            "{:?} <- {}{}{}{}\n",
            BrokerId(request.broker_id),
            ErrorCode(response.error_code),
            word(response.is_caught_up, " caught-up"),
            word(response.is_fenced, " fenced"),
            word(response.should_shut_down, " stop now")
        )
    }

    fn up(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        while let Some(name) = args.next_pos() {
            let id = named(name)?;
            self.present(id, 1, id.0.unsigned_abs().into(), "brokerlab")?;
            let (broker_epoch, current_metadata_offset) = (self.epoch_of(id).0, self.end().0 - 1);
            let beat = BrokerHeartbeatRequest { broker_id: id.0, broker_epoch, current_metadata_offset, ..Default::default() };
            self.heart(&beat);
            self.take();
        }
        self.facts.clear();
        Ok(String::new())
    }

    fn create(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let mut request = CreateTopicsRequest { validate_only: false, ..CreateTopicsRequest::default() };
        let mut topic = CreatableTopic {
            name: args.next_pos().ok_or("which topic?")?.to_owned(),
            num_partitions: parse(args, "partitions", -1)?,
            replication_factor: parse(args, "replicas", -1)?,
            ..CreatableTopic::default()
        };
        while let Some((name, value)) = args.next_key() {
            if name == "on" {
                let broker_ids = value.split('/').map(str::parse).collect::<Result<_, _>>()?;
                let partition_index = i32::try_from(topic.assignments.len())?;
                topic.assignments.push(CreatableReplicaAssignment { partition_index, broker_ids, ..Default::default() });
                continue;
            }
            let value = (value != "null").then(|| value.to_owned());
            topic.configs.push(CreatableTopicConfig { name: name.to_owned(), value, ..CreatableTopicConfig::default() });
        }
        request.topics.push(topic.clone());
        while let Some(flag) = args.next_pos() {
            match flag {
                "validate" => request.validate_only = true,
                "twice" => request.topics.push(topic.clone()),
                other => return Err(format!("unknown flag {other}").into()),
            }
        }
        let response = self.controller.on_create_topics(&request);
        let mut out = String::new();
        for result in response.topics {
            let message = result.error_message.unwrap_or_default();
            let line = format!("{} <- {} {message}", result.name, ErrorCode(result.error_code));
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(out)
    }

    fn delete(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let mut request = DeleteTopicsRequest::default();
        while let Some(name) = args.next_pos() {
            if let Some(topic) = self.controller.image().topic_by_name(name) {
                self.gone.push((topic.id, name.to_owned()));
            }
            request.topics.push(DeleteTopicState { name: Some(name.to_owned()), ..DeleteTopicState::default() });
        }
        let response = self.controller.on_delete_topics(&request);
        let mut out = String::new();
        for result in response.responses {
            writeln!(out, "{} <- {}", result.name.unwrap_or_default(), ErrorCode(result.error_code))?;
        }
        Ok(out)
    }

    fn configure(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let mut resource = incremental_alter_configs_request::AlterConfigsResource {
            resource_name: args.next_pos().ok_or("which topic?")?.to_owned(),
            resource_type: parse(args, "kind", 2)?,
            ..Default::default()
        };
        while let Some((name, value)) = args.next_key() {
            let (verb, name) = name.split_once(':').ok_or("an entry is written set:NAME=VALUE")?;
            let verbs = ["set", "delete", "append", "subtract"];
            let operation = verbs.iter().position(|known| *known == verb).unwrap_or(verbs.len());
            resource.configs.push(incremental_alter_configs_request::AlterableConfig {
                name: name.to_owned(),
                config_operation: i8::try_from(operation)?,
                value: (value != "null").then(|| value.to_owned()),
                ..Default::default()
            });
        }
        let mut request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        while let Some(flag) = args.next_pos() {
            match flag {
                "validate" => request.validate_only = true,
                "twice" => request.resources.push(request.resources[0].clone()),
                other => return Err(format!("unknown flag {other}").into()),
            }
        }
        let response = self.controller.on_incremental_alter_configs(&request);
        let told = response.responses.iter().map(|r| refusal(&r.resource_name, r.error_code, r.error_message.as_deref()));
        Ok(told.collect())
    }

    fn replace(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let mut resource = alter_configs_request::AlterConfigsResource {
            resource_name: args.next_pos().ok_or("which topic?")?.to_owned(),
            resource_type: parse(args, "kind", 2)?,
            ..Default::default()
        };
        while let Some((name, value)) = args.next_key() {
            let value = (value != "null").then(|| value.to_owned());
            resource.configs.push(alter_configs_request::AlterableConfig { name: name.to_owned(), value, ..Default::default() });
        }
        let request = AlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let response = self.controller.on_alter_configs(&request);
        let told = response.responses.iter().map(|r| refusal(&r.resource_name, r.error_code, r.error_message.as_deref()));
        Ok(told.collect())
    }

    fn more(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let mut topic = CreatePartitionsTopic {
            name: args.next_pos().ok_or("which topic?")?.to_owned(),
            count: parse(args, "count", 0)?,
            assignments: None,
            ..CreatePartitionsTopic::default()
        };
        while let Some((_, value)) = args.next_key() {
            let broker_ids = value.split('/').map(str::parse).collect::<Result<_, _>>()?;
            let assignment = CreatePartitionsAssignment { broker_ids, ..Default::default() };
            topic.assignments.get_or_insert_default().push(assignment);
        }
        let validate_only = args.next_pos().is_some();
        let request = CreatePartitionsRequest { topics: vec![topic], validate_only, ..Default::default() };
        let response = self.controller.on_create_partitions(&request);
        Ok(response.results.iter().map(|r| refusal(&r.name, r.error_code, r.error_message.as_deref())).collect())
    }

    fn quorum(&self, args: &mut ArgumentConsumer<'_>) -> String {
        let topic_name = args.next_pos().unwrap_or("__cluster_metadata").to_owned();
        let partitions = vec![describe_quorum_request::PartitionData::default()];
        let topic = describe_quorum_request::TopicData { topic_name, partitions, ..Default::default() };
        let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
        let response = self.controller.on_describe_quorum(&request);
        let told = &response.topics[0].partitions[0];
        let (error, end) = (ErrorCode(told.error_code), told.high_watermark);
        let voters: Vec<i32> = told.current_voters.iter().map(|voter| voter.replica_id).collect();
        let observers: Vec<i32> = told.observers.iter().map(|observer| observer.replica_id).collect();
        format!("{error} leader={} end={end} voters={voters:?} observers={observers:?}\n", told.leader_id)
    }

    fn configs(&self) -> Output {
        let told = |topic: &super::Topic| {
            let entries: Vec<String> = topic.config.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{}{}\n", topic.name, entries.concat())
        };
        Ok(self.controller.image().topics().map(told).collect())
    }

    fn alter(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let sender = broker(args)?;
        let id = self.partition(args.next_pos().ok_or("which partition?")?)?;
        let known = self.controller.image().partition(id).cloned();
        let members = args.take_key("isr").ok_or("isr=?")?;
        let mut isr: Vec<BrokerState> = Vec::new();
        for member in members.split('/').filter(|member| !member.is_empty()) {
            let (member, seen) = member.split_once('@').map_or((member, None), |(member, seen)| (member, Some(seen)));
            let broker_id: i32 = member.parse()?;
            let broker_epoch = seen.map_or(Ok(self.epoch_of(BrokerId(broker_id)).0), str::parse)?;
            isr.push(BrokerState { broker_id, broker_epoch, ..BrokerState::default() });
        }
        let asked = PartitionData {
            partition_index: id.index,
            leader_epoch: parse(args, "le", known.as_ref().map_or(0, |known| known.leader_epoch.0))?,
            partition_epoch: parse(args, "pe", known.as_ref().map_or(0, |known| known.partition_epoch.0))?,
            leader_recovery_state: parse(args, "recovery", 0)?,
            new_isr_with_epochs: isr,
            ..PartitionData::default()
        };
        let topics = vec![TopicData { topic_id: id.topic, partitions: vec![asked], ..TopicData::default() }];
        let broker_epoch = parse(args, "be", self.epoch_of(sender).0)?;
        let request = AlterPartitionRequest { broker_id: sender.0, broker_epoch, topics, ..Default::default() };
        let response = self.controller.on_alter_partition(&request);
        if response.error_code != 0 {
            return Ok(format!("{sender:?} <- {}\n", ErrorCode(response.error_code)));
        }
        let answered = &response.topics[0].partitions[0];
        let isr = set(&ids(&answered.isr));
        Ok(match answered.error_code {
            0 => format!("{sender:?} <- NONE pe={} isr={isr}\n", answered.partition_epoch),
            code => format!("{sender:?} <- {}\n", ErrorCode(code)),
        })
    }

    fn elect(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let (mut request, mut named) = (ElectLeadersRequest::default(), Vec::new());
        while let Some(word) = args.next_pos() {
            match word {
                "all" => request.topic_partitions = None,
                "unclean" => request.election_type = 1,
                name => {
                    let (topic, index) = name.rsplit_once('-').ok_or("a partition is written topic-index")?;
                    let (topic, partitions) = (topic.to_owned(), vec![index.parse()?]);
                    named.push(TopicPartitions { topic, partitions, ..TopicPartitions::default() });
                }
            }
        }
        request.topic_partitions = request.topic_partitions.map(|_| named);
        let response = self.controller.on_elect_leaders(&request);
        let mut out = String::new();
        for topic in response.replica_election_results {
            for result in topic.partition_result {
                writeln!(out, "{}-{} <- {}", topic.topic, result.partition_id, ErrorCode(result.error_code))?;
            }
        }
        Ok(out)
    }

    fn ids(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let id = broker(args)?;
        let broker_epoch = parse(args, "be", self.epoch_of(id).0)?;
        let request = AllocateProducerIdsRequest { broker_id: id.0, broker_epoch, ..AllocateProducerIdsRequest::default() };
        let response = self.controller.on_allocate_producer_ids(&request);
        let error = ErrorCode(response.error_code);
        Ok(format!("{id:?} <- {error} {}+{}\n", response.producer_id_start, response.producer_id_len))
    }

    fn time(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let span = args.next_pos().ok_or("how long?")?;
        let seconds: u64 = span.strip_suffix('s').ok_or("seconds only")?.parse()?;
        self.now = self.now.plus(Duration::secs(seconds));
        Ok(match self.controller.deadline() {
            Some(deadline) if deadline <= self.now => "a session has run out\n".to_owned(),
            Some(deadline) => format!("next deadline in {}\n", deadline.since(self.now)),
            None => "no deadline\n".to_owned(),
        })
    }

    fn restart(&mut self) -> Output {
        self.controller = Controller::activate(config(), replay(&self.log), self.now);
        Ok(String::new())
    }

    fn brokers(&self) -> Output {
        let mut out = String::new();
        for broker in self.controller.image().brokers() {
            let state = match (broker.is_fenced, broker.is_shutting_down) {
                (true, _) => "fenced",
                (false, true) => "shutting down",
                (false, false) => "active",
            };
            writeln!(out, "{:?} {:?} life={} {state}", broker.id, broker.epoch, broker.incarnation.0)?;
        }
        Ok(out)
    }

    fn topics(&self) -> Output {
        let mut out = String::new();
        for (id, partition) in self.controller.image().partitions() {
            let recovering = if partition.recovery.code() == 1 { "recovering" } else { "" };
            writeln!(out, "{}", self.line(id, &partition.state(), recovering))?;
        }
        Ok(out)
    }

    fn replicas(&self) -> Output {
        let told = |(id, partition): (PartitionId, &Partition)| format!("{} {:?}\n", self.name_of(id), partition.replicas);
        Ok(self.controller.image().partitions().map(told).collect())
    }
}

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Output {
        let mut args = command.consume_args();
        let mut out = match command.name.as_str() {
            "register" => self.register(&mut args)?,
            "beat" => self.beat(&mut args)?,
            "up" => self.up(&mut args)?,
            "create" => self.create(&mut args)?,
            "delete" => self.delete(&mut args)?,
            "configure" => self.configure(&mut args)?,
            "replace" => self.replace(&mut args)?,
            "more" => self.more(&mut args)?,
            "configs" => self.configs()?,
            "quorum" => self.quorum(&mut args),
            "alter" => self.alter(&mut args)?,
            "elect" => self.elect(&mut args)?,
            "balance" => {
                self.controller.config.leader_imbalance_percentage = parse(&mut args, "percentage", 10)?;
                self.controller.balance_due = Some(self.now);
                self.controller.balance(self.now);
                self.controller.balance_due = None;
                String::new()
            }
            "ids" => self.ids(&mut args)?,
            "time" => self.time(&mut args)?,
            "restart" => self.restart()?,
            "brokers" => self.brokers()?,
            "topics" => self.topics()?,
            "replicas" => self.replicas()?,
            "wake" => {
                self.controller.fence_stale(self.now);
                String::new()
            }
            other => return Err(format!("unknown command {other}").into()),
        };
        args.reject_next()?;
        self.take();
        for fact in std::mem::take(&mut self.facts) {
            writeln!(out, "{}", self.tell(&fact).trim_end())?;
        }
        Ok(out)
    }
}

fn config() -> ControllerConfig {
    ControllerConfig { default_replication: 3, auto_leader_rebalance: false, ..ControllerConfig::default() }
}

fn replay(log: &[MetadataRecord]) -> MetadataImage {
    let mut image = MetadataImage::new();
    for (record, offset) in log.iter().zip(0..) {
        image.apply(record, Offset(offset)).expect("what was written can be read");
    }
    image
}

fn refusal(name: &str, code: i16, message: Option<&str>) -> String {
    format!("{}\n", format!("{name} <- {} {}", ErrorCode(code), message.unwrap_or_default()).trim_end())
}

fn set(ids: &[BrokerId]) -> String {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let names: Vec<String> = ids.iter().map(|id| format!("{id:?}")).collect();
    format!("{{{}}}", names.join(" "))
}

fn broker(args: &mut ArgumentConsumer<'_>) -> Result<BrokerId, Box<dyn Error>> {
    named(args.next_pos().ok_or("which broker?")?)
}

fn named(name: &str) -> Result<BrokerId, Box<dyn Error>> {
    Ok(BrokerId(name.strip_prefix('b').ok_or("a broker is written b1")?.parse()?))
}

fn parse<T: std::str::FromStr>(args: &mut ArgumentConsumer<'_>, key: &str, default: T) -> Result<T, Box<dyn Error>>
where
    T::Err: Error + 'static,
{
    Ok(args.take_key(key).map_or(Ok(default), str::parse)?)
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/testscripts/state/", stringify!($name));
                goldenscript::run(&mut Script::new(), path).expect("the script is there");
            }
        )*
    };
}

scripts! {
    elections unclean_elections alter_partition fencing incarnations controlled_shutdown topics topic_refusals producer_ids restart
    elect_leaders alter_configs create_partitions describe_quorum
}
