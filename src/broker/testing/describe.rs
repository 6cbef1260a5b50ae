//! What tools ask, in the words of a script.

use std::fmt::Write as _;

use super::arguments::{Arguments, Failure, partition};
use super::stage::Stage;
use crate::wire::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use crate::wire::describe_configs_request::DescribeConfigsResource;
use crate::wire::describe_configs_response::DescribeConfigsResourceResult;
use crate::wire::describe_topic_partitions_request::{Cursor, TopicRequest};
use crate::wire::{
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeConfigsRequest, DescribeConfigsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, ErrorCode, ListConfigResourcesRequest,
    ListConfigResourcesResponse,
};

impl Stage {
    pub(super) fn configs(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        let name = arguments.at(2)?;
        let keys: Vec<String> = arguments.from(3).to_vec();
        let resource = DescribeConfigsResource {
            resource_type: if name.parse::<i32>().is_ok() { 4 } else { 2 },
            resource_name: name.to_owned(),
            configuration_keys: Some(keys).filter(|keys| !keys.is_empty()),
            ..DescribeConfigsResource::default()
        };
        let include_synonyms = arguments.keyed.contains_key("synonyms");
        let request = DescribeConfigsRequest { resources: vec![resource], include_synonyms, ..Default::default() };
        self.ask(arguments.at(0)?, arguments.at(1)?, 4, request)
    }

    pub(super) fn configure(&mut self, arguments: &Arguments) -> Result<(), Failure> {
        for (name, value) in &arguments.keyed {
            self.controller.configure(arguments.at(0)?, name, Some(value.as_str()).filter(|value| *value != "null"));
        }
        Ok(())
    }

    pub(super) fn describe(&mut self, what: &str, arguments: &Arguments) -> Result<(), Failure> {
        let (client, broker) = (arguments.at(0)?, arguments.at(1)?);
        match what {
            "cluster" => {
                let endpoint_type = arguments.number("endpoint", 1)?;
                let request = DescribeClusterRequest { endpoint_type, include_fenced_brokers: true, ..Default::default() };
                self.ask(client, broker, 2, request)
            }
            "sizes" => self.ask(client, broker, 4, DescribeLogDirsRequest { topics: None, ..Default::default() }),
            "resources" => self.ask(client, broker, arguments.number("version", 1)?, ListConfigResourcesRequest::default()),
            "move" => {
                let (topic, index) = partition(arguments.at(2)?)?;
                let topic = AlterReplicaLogDirTopic { name: topic.to_owned(), partitions: vec![index], ..Default::default() };
                let path = arguments.at(3)?.to_owned();
                let directory = AlterReplicaLogDir { path, topics: vec![topic], ..Default::default() };
                self.ask(client, broker, 2, AlterReplicaLogDirsRequest { dirs: vec![directory], ..Default::default() })
            }
            _ => {
                let named = |name: &String| TopicRequest { name: name.clone(), ..TopicRequest::default() };
                let mut request = DescribeTopicPartitionsRequest {
                    topics: arguments.from(2).iter().map(named).collect(),
                    response_partition_limit: arguments.number("limit", 2000)?,
                    ..Default::default()
                };
                if let Some(from) = arguments.keyed.get("from") {
                    let (topic, partition_index) = partition(from)?;
                    request.cursor = Some(Cursor { topic_name: topic.to_owned(), partition_index, ..Cursor::default() });
                }
                self.ask(client, broker, 0, request)
            }
        }
    }
}

pub(super) fn tell_configs(response: &DescribeConfigsResponse) -> String {
    let result = &response.results[0];
    let message = result.error_message.as_deref().unwrap_or_default();
    let error = format!("{} {message}", ErrorCode(result.error_code));
    let entries = &result.configs;
    if entries.len() > 8 {
        return format!("{} {} entries", error.trim_end(), entries.len());
    }
    entries.iter().fold(error.trim_end().to_owned(), |text, entry| text + &tell_config(entry))
}

fn tell_config(entry: &DescribeConfigsResourceResult) -> String {
    let value = entry.value.as_deref().unwrap_or("null");
    let fixed = if entry.read_only { " read-only" } else { "" };
    let mut text = format!("\n  {}={value} source={} type={}{fixed}", entry.name, entry.config_source, entry.config_type);
    for synonym in &entry.synonyms {
        let value = synonym.value.as_deref().unwrap_or("null");
        write!(text, "\n    {}={value} source={}", synonym.name, synonym.source).expect("a string takes all");
    }
    text
}

pub(super) fn tell_cluster(response: &DescribeClusterResponse) -> String {
    let broker = |b: &crate::wire::describe_cluster_response::DescribeClusterBroker| {
        format!(" b{}@{}:{}{}", b.broker_id, b.host, b.port, if b.is_fenced { " fenced" } else { "" })
    };
    let brokers: String = response.brokers.iter().map(broker).collect();
    let error = ErrorCode(response.error_code);
    format!("{error} {} controller=b{}{brokers}", response.cluster_id, response.controller_id)
}

pub(super) fn tell_page(response: &DescribeTopicPartitionsResponse) -> String {
    let mut text = String::new();
    for topic in &response.topics {
        write!(text, "{} {} ", topic.name.as_deref().unwrap_or("?"), ErrorCode(topic.error_code)).expect("a string takes all");
        for partition in &topic.partitions {
            let (index, leader) = (partition.partition_index, partition.leader_id);
            write!(text, "{index}:b{leader}{:?} ", partition.isr_nodes).expect("a string takes all");
        }
    }
    match &response.next_cursor {
        Some(next) => format!("{text}next={}-{}", next.topic_name, next.partition_index),
        None => text.trim_end().to_owned(),
    }
}

pub(super) fn tell_sizes(response: &DescribeLogDirsResponse) -> String {
    let mut text = String::new();
    for directory in &response.results {
        write!(text, "{} {}", directory.log_dir, ErrorCode(directory.error_code)).expect("a string takes all");
        for topic in &directory.topics {
            for log in &topic.partitions {
                let (index, size, lag) = (log.partition_index, log.partition_size, log.offset_lag);
                write!(text, " {}-{index}={size} lag={lag}", topic.name).expect("a string takes all");
            }
        }
    }
    text
}

pub(super) fn tell_resources(response: &ListConfigResourcesResponse) -> String {
    let told = response.config_resources.iter().map(|resource| format!(" {}:{}", resource.resource_type, resource.resource_name));
    format!("{}{}", ErrorCode(response.error_code), told.collect::<String>())
}

pub(super) fn tell_moves(response: &AlterReplicaLogDirsResponse) -> String {
    let partitions = response.results.iter().flat_map(|topic| topic.partitions.iter().map(move |told| (&topic.topic_name, told)));
    let told = partitions.map(|(name, told)| format!("{name}-{} {}", told.partition_index, ErrorCode(told.error_code)));
    told.collect::<Vec<_>>().join(", ")
}
