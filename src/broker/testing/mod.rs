//! Golden scripts of whole brokers: one or two of them, a scripted controller, and clients that speak the wire protocol.
//!
//! | command | what happens |
//! |---|---|
//! | `start b1 b2 [key=value ...]` | brokers with these properties start, again on their old disks |
//! | `create orders-0 replicas=1/2 [isr=1/2] [key=value ...]` | the controller commits a partition; the first of the ISR leads |
//! | `change orders-0 [leader=2] [isr=2]` | the controller commits another leader or ISR |
//! | `delete orders` | the controller commits the end of a topic |
//! | `refuse CODE` / `refuse nothing` | what AlterPartition is answered from now on |
//! | `produce c1 b1 orders-0 a b [acks=all] [timeout=1s] [version=9] [at=1]` | client c1 sends one batch to b1, dated so |
//! | `fetch c1 b1 orders-0 from=0 [wait=0s] [min=1] [version=12]` | client c1 reads |
//! | `list c1 b1 orders-0 latest` (`earliest`, `youngest`, a time), `epoch c1 b1 orders-0 0` | ListOffsets, OffsetForLeaderEpoch |
//! | `metadata c1 b1 [topics ...] [version=9]`, `versions c1 b1 [version=3]` | Metadata, ApiVersions |
//! | `delete-records c1 b1 orders-0 below=3 [timeout=1s]` | DeleteRecords; -1 is the high watermark |
//! | `configs c1 b1 orders [keys ...] [synonyms=yes]` | DescribeConfigs of a topic, or of a broker if it is called by its number |
//! | `configure orders key=value` | the controller commits a configuration; `null` removes it |
//! | `cluster c1 b1`, `sizes c1 b1`, `page c1 b1 [topics ...] [limit=2] [from=orders-1]` | DescribeCluster, DescribeLogDirs, DescribeTopicPartitions |
//! | `resources c1 b1 [version=1]`, `move c1 b1 orders-0 data` | ListConfigResources, AlterReplicaLogDirs |
//! | `make c1 b1 orders`, `init c1 b1` | CreateTopics, InitProducerId |
//! | `find c1 b1 g ... [version=4] [type=0]` | FindCoordinator |
//! | `join c1 b1 g [version=5]`, `sync c1 b1 g [part=text]`, `beat c1 b1 g [generation=1]`, `depart c1 b1 g` | JoinGroup, SyncGroup, Heartbeat, LeaveGroup |
//! | `commit c1 b1 g orders-0@5 ... [generation=-1]`, `offsets c1 b1 g ... [version=8]` | OffsetCommit, OffsetFetch |
//! | `groups c1 b1`, `inspect c1 b1 g ...`, `dissolve c1 b1 g ...` | ListGroups, DescribeGroups, DeleteGroups |
//! | `raw c1 b1 HEX`, `leave c1` | any bytes; the client closes its connection |
//! | `hold b1 b2`, `release b1 b2` | frames from b1 to b2 wait (`c` is the controller, `c1` a client), and then arrive together |
//! | `disk b1 runs`, `stuck` or `fails` | what becomes of syncs |
//! | `wait 500ms` | time passes |
//! | `stop b1` | shutdown in order; `kill b1` is the death of the process |
//! | `facts on` | facts are told by name from now on |
//! | `flush b1` | all logs are flushed |
//! | `files b1 orders-0` | the directory of a log |
//! | `show` | one line per replica |

mod answers;
mod arguments;
mod controller;
mod describe;
mod groups;
mod stage;

use std::fmt::Write as _;

use bytes::Bytes;
use goldenscript::{Command, Context, Runner};

use crate::actor::Event;
use crate::broker::BrokerConfig;
use crate::disk::Disk;
use crate::operation::{Command as Order, Operation, OperationId};
use crate::types::{Address, BrokerId, Duration, LeaderEpoch, Offset, PartitionId, Timestamp};
use crate::wire::create_topics_request::CreatableTopic;
use crate::wire::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use crate::wire::fetch_request::{FetchPartition, FetchTopic};
use crate::wire::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use crate::wire::metadata_request::MetadataRequestTopic;
use crate::wire::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use crate::wire::produce_request::{PartitionProduceData, TopicProduceData};
use crate::wire::record::BatchBuilder;
use crate::wire::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, DeleteRecordsRequest, ErrorCode, FetchRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest, ProduceRequest, Request, RequestHeader, encode_request,
    join,
};

use arguments::{Arguments, Failure, broker, numbers, partition, time, who};
use stage::{Health, Stage, Who};

impl Stage {
    fn identity(&self, text: &str) -> Result<PartitionId, Failure> {
        let (topic, index) = partition(text)?;
        let topic = self.controller.image.topic_by_name(topic).ok_or("no such topic")?.id;
        Ok(PartitionId { topic, index })
    }

    /// Client `name` sends `request` to a broker.
    fn ask(&mut self, name: &str, to: &str, version: i16, request: impl Into<Request>) -> Result<(), Failure> {
        let request = request.into();
        let wire = self.connect_client(name, broker(to)?);
        let client = self.clients.get_mut(name).ok_or("connected a moment ago")?;
        client.correlation += 1;
        let header = RequestHeader::new(request.api_key(), version, client.correlation);
        let frame = join(&encode_request(&header, &request)?);
        if !matches!(&request, Request::Produce(produce) if produce.acks == 0) {
            client.asked.push_back((request.api_key(), version));
        }
        self.send(wire, frame);
        Ok(())
    }

    fn start_brokers(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        for name in &arguments.plain {
            let (id, seed) = (broker(name)?, self.now.0);
            let (listen, controller) = (Address::new(name, 9092), Address::new("c1", 9092));
            self.start(BrokerConfig::from_properties(id, "lab", seed, listen, controller, &arguments.keyed)?);
        }
        self.run();
        let settled = self.now.plus(Duration::millis(1));
        self.wait_until(settled);
        Ok(())
    }

    fn create(&mut self, arguments: &mut Arguments) -> Result<(), Failure> {
        let replicas = numbers(&arguments.take("replicas").ok_or("replicas=1/2 is missing")?)?;
        let isr = arguments.take("isr").map_or(Ok(replicas.clone()), |isr| numbers(&isr))?;
        let config: Vec<(String, String)> = std::mem::take(&mut arguments.keyed).into_iter().collect();
        let (topic, index) = partition(arguments.at(0)?)?;
        self.controller.create(topic, index, &replicas, &isr, &config);
        Ok(())
    }

    fn change(&mut self, arguments: &mut Arguments) -> Result<(), Failure> {
        let id = self.identity(arguments.at(0)?)?;
        let leader = arguments.take("leader").map(|leader| leader.parse()).transpose()?;
        let isr = arguments.take("isr").map(|isr| numbers(&isr)).transpose()?;
        self.controller.change(id, leader, isr);
        Ok(())
    }

    fn produce(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let acks = match arguments.keyed.get("acks").map(String::as_str) {
            Some("all") | None => -1,
            Some(number) => number.parse()?,
        };
        let (timeout, version) = (arguments.time("timeout", Duration::secs(30))?, arguments.number("version", 9)?);
        let mut batch = BatchBuilder::new().at(Offset::ZERO, LeaderEpoch::NONE);
        let time = Timestamp(arguments.number("at", 1)?);
        arguments.from(3).iter().for_each(|value| batch.push(time, None, Some(value.as_bytes()), &[]));
        let (topic, index) = partition(arguments.at(2)?)?;
        let data = PartitionProduceData { index, records: Some(batch.build()), ..Default::default() };
        let topic = TopicProduceData { name: topic.to_owned(), partition_data: vec![data], ..Default::default() };
        let timeout_ms = timeout.as_millis() as i32;
        let request = ProduceRequest { acks, timeout_ms, topic_data: vec![topic], ..Default::default() };
        self.ask(arguments.at(0)?, arguments.at(1)?, version, request)
    }

    fn fetch(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let (wait, version) = (arguments.time("wait", Duration::ZERO)?, arguments.number("version", 12)?);
        let (topic, index) = partition(arguments.at(2)?)?;
        let wanted = FetchPartition {
            partition: index,
            fetch_offset: arguments.number("from", 0)?,
            current_leader_epoch: arguments.number("epoch", -1)?,
            partition_max_bytes: arguments.number("max", 1 << 20)?,
            ..FetchPartition::default()
        };
        let request = FetchRequest {
            max_wait_ms: wait.as_millis() as i32,
            min_bytes: arguments.number("min", 1)?,
            topics: vec![FetchTopic { topic: topic.to_owned(), partitions: vec![wanted], ..Default::default() }],
            ..FetchRequest::default()
        };
        self.ask(arguments.at(0)?, arguments.at(1)?, version, request)
    }

    fn list(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let version = arguments.number("version", 7)?;
        let (topic, partition_index) = partition(arguments.at(2)?)?;
        let timestamp = match arguments.at(3)? {
            "latest" => -1,
            "earliest" => -2,
            "youngest" => -3,
            millis => millis.parse()?,
        };
        let wanted = ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
        let topic = ListOffsetsTopic { name: topic.to_owned(), partitions: vec![wanted], ..Default::default() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        self.ask(arguments.at(0)?, arguments.at(1)?, version, request)
    }

    fn delete_records(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let (topic, partition_index) = partition(arguments.at(2)?)?;
        let offset = arguments.number("below", -1)?;
        let wanted = DeleteRecordsPartition { partition_index, offset, ..Default::default() };
        let topic = DeleteRecordsTopic { name: topic.to_owned(), partitions: vec![wanted], ..Default::default() };
        let timeout_ms = arguments.time("timeout", Duration::secs(30))?.as_millis() as i32;
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms, ..Default::default() };
        self.ask(arguments.at(0)?, arguments.at(1)?, 2, request)
    }

    fn epoch(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let (topic, partition) = partition(arguments.at(2)?)?;
        let leader_epoch = arguments.at(3)?.parse()?;
        let wanted = OffsetForLeaderPartition { partition, leader_epoch, ..Default::default() };
        let topic = OffsetForLeaderTopic { topic: topic.to_owned(), partitions: vec![wanted], ..Default::default() };
        let request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
        self.ask(arguments.at(0)?, arguments.at(1)?, 4, request)
    }

    fn metadata(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let version = arguments.number("version", 9)?;
        let wanted = |name: &String| MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
        let topics = arguments.from(2).iter().map(wanted).collect();
        let request = MetadataRequest { topics: Some(topics), ..Default::default() };
        self.ask(arguments.at(0)?, arguments.at(1)?, version, request)
    }

    fn versions(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let version: i16 = arguments.number("version", 3)?;
        if version <= 4 {
            return self.ask(arguments.at(0)?, arguments.at(1)?, version, ApiVersionsRequest::default());
        }
        let wire = self.connect_client(arguments.at(0)?, broker(arguments.at(1)?)?);
        let client = self.clients.get_mut(arguments.at(0)?).ok_or("connected a moment ago")?;
        client.asked.push_back((ApiKey::ApiVersions, version));
        let mut frame = Vec::from([0, 18, 0]);
        frame.push(u8::try_from(version)?);
        frame.extend([0, 0, 0, 7, 0xff, 0xff, 0, 1, 2, 3]);
        self.send(wire, Bytes::from(frame));
        Ok(())
    }

    fn raw(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let wire = self.connect_client(arguments.at(0)?, broker(arguments.at(1)?)?);
        let byte = |at: usize| u8::from_str_radix(&arguments.plain[2][at..at + 2], 16);
        let frame = (0..arguments.at(2)?.len()).step_by(2).map(byte).collect::<Result<Vec<u8>, _>>()?;
        self.send(wire, Bytes::from(frame));
        Ok(())
    }

    fn show(&mut self) -> Result<(), Failure> {
        for (id, node) in &self.nodes {
            for replica in node.actor.partitions.replicas() {
                let role = if replica.is_leader() { "leader" } else { "follower" };
                let (name, epoch, end) = (replica.name(), replica.leader_epoch(), replica.log_end());
                write!(self.output, "{id:?} {name} {role}@{epoch} leo={end} hw={}", replica.high_watermark())?;
                match replica.log_start() {
                    Offset::ZERO => writeln!(self.output)?,
                    start => writeln!(self.output, " start={start} segments={:?}", replica.log().segment_bases())?,
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self, id: BrokerId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let (replicas, _) = node.actor.partitions.touch_all();
        for replica in replicas {
            replica.flush(&mut node.out);
        }
        self.happen(id, Event::Woken);
    }

    fn files(&mut self, id: BrokerId, dir: &str) -> Result<(), Failure> {
        let node = self.nodes.get_mut(&id).ok_or("no such broker")?;
        Ok(writeln!(self.output, "{}", node.disk.list(dir)?.join(" "))?)
    }

    fn order(&mut self, command: &Command) -> Result<(), Failure> {
        let mut arguments = Arguments::of(command);
        let arguments = &mut arguments;
        match command.name.as_str() {
            "start" => self.start_brokers(arguments),
            "create" => self.create(arguments),
            "change" => self.change(arguments),
            "produce" => self.produce(arguments),
            "fetch" => self.fetch(arguments),
            "list" => self.list(arguments),
            "delete-records" => self.delete_records(arguments),
            "epoch" => self.epoch(arguments),
            "metadata" => self.metadata(arguments),
            "versions" => self.versions(arguments),
            "configs" => self.configs(arguments),
            "configure" => self.configure(arguments),
            "cluster" | "sizes" | "page" | "resources" | "move" => self.describe(&command.name, arguments),
            "find" | "join" | "sync" | "beat" | "depart" | "commit" | "offsets" | "groups" | "inspect" | "dissolve" => {
                self.ask_about_groups(&command.name, arguments)
            }
            "raw" => self.raw(arguments),
            "show" => self.show(),
            _ => self.order_simply(&command.name, arguments),
        }
    }

    fn order_simply(&mut self, name: &str, arguments: &Arguments) -> Result<(), Failure> {
        match name {
            "delete" => self.controller.delete(arguments.at(0)?),
            "refuse" => {
                self.controller.refusal = ErrorCode::ALL.iter().copied().find(|code| code.name() == Some(&arguments.plain[0]))
            }
            "make" => {
                let topic = CreatableTopic {
                    name: arguments.at(2)?.to_owned(),
                    num_partitions: 1,
                    replication_factor: 1,
                    ..Default::default()
                };
                let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
                self.ask(arguments.at(0)?, arguments.at(1)?, 5, request)?;
            }
            "init" => {
                let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
                self.ask(arguments.at(0)?, arguments.at(1)?, 4, request)?;
            }
            "leave" => self.cut_off(&Who::Client(arguments.at(0)?.to_owned())),
            "hold" => self.hold(who(arguments.at(0)?)?, who(arguments.at(1)?)?),
            "release" => self.release(who(arguments.at(0)?)?, who(arguments.at(1)?)?),
            "disk" => {
                let health = match arguments.at(1)? {
                    "runs" => Health::Runs,
                    "stuck" => Health::Stuck,
                    "fails" => Health::Fails,
                    other => return Err(format!("a disk runs, is stuck or fails, not {other}").into()),
                };
                self.set_health(broker(arguments.at(0)?)?, health);
            }
            "wait" => {
                let end = self.now.plus(time(arguments.at(0)?)?);
                self.wait_until(end);
            }
            "stop" => {
                let order = Order { id: OperationId(1), operation: Operation::Shutdown };
                self.happen(broker(arguments.at(0)?)?, Event::Command(order));
            }
            "kill" => self.kill(broker(arguments.at(0)?)?),
            "flush" => self.flush(broker(arguments.at(0)?)?),
            "files" => self.files(broker(arguments.at(0)?)?, arguments.at(1)?)?,
            "facts" => self.tells_facts = arguments.at(0)? == "on",
            other => return Err(format!("unknown command {other}").into()),
        }
        Ok(())
    }
}

/// Runs one script.
#[derive(Default)]
struct Script(Stage);

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Failure> {
        self.0.order(command)?;
        self.0.run();
        Ok(std::mem::take(&mut self.0.output))
    }
}

macro_rules! scripts {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/broker/testscripts/", stringify!($name));
            goldenscript::run(&mut Script::default(), path).expect("the script runs as recorded");
        }
    )* };
}

scripts! {
    produce_waits_for_followers
    too_few_in_sync_after_the_append
    fetch_long_poll
    leader_change_answers_parked_produce
    versions_fallback
    acks_zero
    one_broker_serves
    shutdown_in_order
    metadata_and_topics
    hostile_frames
    disk_failure
    isr_changes
    recreated_topic
    recreated_topic_after_crash
    leader_down
    fetch_budget
    delete_records
    retention
    no_mark_before_the_first_image
    unclean_stop_forgets_the_high_watermark
    recovery_point_in_flight
    configs
    describe
    offsets_by_time
    produce_requests_follow_each_other
    a_burst_is_one_answer
    coordinators_are_found
    coordinator_routes_and_refuses
    coordinator_answers_when_committed
    coordinator_fails_over
    coordinator_loads_before_it_serves
    coordinator_waits_with_members
    offsets_topic_is_internal
}
