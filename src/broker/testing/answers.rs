//! Answers in one line each.

use std::fmt::Write as _;

use bytes::Bytes;

use super::describe::{tell_cluster, tell_configs, tell_moves, tell_page, tell_resources, tell_sizes};
use crate::wire::record::batches;
use crate::wire::{ApiKey, ErrorCode, FetchResponse, MetadataResponse, ProduceResponse, Response, decode_response};

/// What a broker answered.
pub(super) fn tell_answer(api: ApiKey, version: i16, frame: &Bytes) -> String {
    let known = if api == ApiKey::ApiVersions && version > 4 { 0 } else { version };
    let (_, response) = decode_response(api, known, frame).expect("brokers speak the protocol");
    if let Some(told) = super::groups::tell(&response) {
        return told;
    }
    #[allow(clippy::wildcard_enum_match_arm)]
    match response {
        Response::Produce(response) => tell_produce(&response),
        Response::Fetch(response) => tell_fetch(&response),
        Response::Metadata(response) => tell_metadata(&response),
        Response::ListOffsets(response) => {
            let answer = &response.topics[0].partitions[0];
            let time = if answer.timestamp < 0 { String::new() } else { format!(" at={}", answer.timestamp) };
            format!("{} offset={} le={}{time}", ErrorCode(answer.error_code), answer.offset, answer.leader_epoch)
        }
        Response::DeleteRecords(response) => {
            let answer = &response.topics[0].partitions[0];
            format!("{} low-watermark={}", ErrorCode(answer.error_code), answer.low_watermark)
        }
        Response::OffsetForLeaderEpoch(response) => {
            let answer = &response.topics[0].partitions[0];
            format!("{} le={} end={}", ErrorCode(answer.error_code), answer.leader_epoch, answer.end_offset)
        }
        Response::InitProducerId(response) => {
            format!("{} pid={} epoch={}", ErrorCode(response.error_code), response.producer_id, response.producer_epoch)
        }
        Response::CreateTopics(response) => {
            let told = |topic: &crate::wire::create_topics_response::CreatableTopicResult| {
                format!("{} {}", topic.name, ErrorCode(topic.error_code))
            };
            response.topics.iter().map(told).collect::<Vec<_>>().join(", ")
        }
        Response::ApiVersions(response) => {
            let first = response.api_keys.first().map(|key| (key.api_key, key.min_version, key.max_version));
            format!("{} {} APIs, first {first:?}", ErrorCode(response.error_code), response.api_keys.len())
        }
        Response::DescribeConfigs(response) => tell_configs(&response),
        Response::DescribeCluster(response) => tell_cluster(&response),
        Response::DescribeTopicPartitions(response) => tell_page(&response),
        Response::DescribeLogDirs(response) => tell_sizes(&response),
        Response::ListConfigResources(response) => tell_resources(&response),
        Response::AlterReplicaLogDirs(response) => tell_moves(&response),
        other => format!("{other:?}"),
    }
}

fn tell_produce(response: &ProduceResponse) -> String {
    let mut text = String::new();
    for topic in &response.responses {
        for answer in &topic.partition_responses {
            let error = ErrorCode(answer.error_code);
            write!(text, "{}-{} {error} base={} ", topic.name, answer.index, answer.base_offset).expect("a string takes all");
            if answer.current_leader.leader_id >= 0 {
                let leader = &answer.current_leader;
                write!(text, "leader=b{}@{} ", leader.leader_id, leader.leader_epoch).expect("a string takes all");
            }
        }
    }
    text.trim_end().to_owned()
}

fn tell_fetch(response: &FetchResponse) -> String {
    let mut text = String::new();
    if response.error_code != 0 {
        write!(text, "{} ", ErrorCode(response.error_code)).expect("a string takes all");
    }
    for topic in &response.responses {
        for answer in &topic.partitions {
            let (error, name, index) = (ErrorCode(answer.error_code), &topic.topic, answer.partition_index);
            write!(text, "{name}-{index} {error} hw={} [", answer.high_watermark).expect("a string takes all");
            text.push_str(&values(answer.records.as_ref().unwrap_or(&Bytes::new())));
            text.push_str("] ");
        }
    }
    text.trim_end().to_owned()
}

fn values(records: &Bytes) -> String {
    let mut values = Vec::new();
    for batch in batches(records) {
        for record in batch.expect("brokers serve whole batches").records().expect("the script does not compress") {
            let record = record.expect("brokers serve whole batches");
            values.push(String::from_utf8_lossy(&record.value.unwrap_or_default()).into_owned());
        }
    }
    values.join(" ")
}

fn tell_metadata(response: &MetadataResponse) -> String {
    let mut text = String::from("brokers");
    response.brokers.iter().for_each(|broker| write!(text, " b{}", broker.node_id).expect("a string takes all"));
    write!(text, " controller=b{}", response.controller_id).expect("a string takes all");
    for topic in &response.topics {
        let name = topic.name.as_deref().unwrap_or("?");
        let internal = if topic.is_internal { " internal" } else { "" };
        write!(text, "; {name} {}{internal}", ErrorCode(topic.error_code)).expect("a string takes all");
        for partition in &topic.partitions {
            let (error, index, leader) = (ErrorCode(partition.error_code), partition.partition_index, partition.leader_id);
            write!(text, " {index}:{error} leader={leader} isr={:?}", partition.isr_nodes).expect("a string takes all");
        }
    }
    text
}
