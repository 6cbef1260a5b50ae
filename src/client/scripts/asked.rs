//! How scripts print what clients ask.

use super::told::tell_records;
use super::{Script, group};
use crate::wire::{Request, RequestHeader};

impl Script {
    /// A request in one line; `None` for those that every connection opens with.
    #[allow(clippy::wildcard_enum_match_arm)]
    pub(super) fn describe(&self, header: &RequestHeader, request: &Request) -> Option<String> {
        let mut parts = Vec::new();
        match request {
            Request::ApiVersions(_) if header.api_version == 4 => return None,
            Request::Metadata(request) => {
                parts.extend(request.topics.iter().flatten().filter_map(|topic| topic.name.clone()));
            }
            Request::Produce(request) => {
                parts.push(format!("acks={}", request.acks));
                for topic in &request.topic_data {
                    for partition in &topic.partition_data {
                        let name = self.name_of(&topic.name, topic.topic_id);
                        parts.push(format!("{name}-{} {}", partition.index, tell_records(partition.records.as_ref())));
                    }
                }
            }
            Request::Fetch(request) => {
                for topic in &request.topics {
                    for p in &topic.partitions {
                        let name = self.name_of(&topic.topic, topic.topic_id);
                        parts.push(format!("{name}-{}@{} le={}", p.partition, p.fetch_offset, p.current_leader_epoch));
                    }
                }
            }
            Request::ListOffsets(request) => {
                for topic in &request.topics {
                    let asked = topic.partitions.iter();
                    parts.extend(asked.map(|p| format!("{}-{} time={}", topic.name, p.partition_index, p.timestamp)));
                }
            }
            Request::OffsetForLeaderEpoch(request) => {
                for topic in &request.topics {
                    for p in &topic.partitions {
                        let (epoch, current) = (p.leader_epoch, p.current_leader_epoch);
                        parts.push(format!("{}-{} epoch={epoch} le={current}", topic.topic, p.partition));
                    }
                }
            }
            Request::CreateTopics(request) => parts.extend(request.topics.iter().map(|topic| topic.name.clone())),
            Request::DeleteRecords(request) => {
                for topic in &request.topics {
                    parts.extend(
                        topic.partitions.iter().map(|p| format!("{}-{} below={}", topic.name, p.partition_index, p.offset)),
                    );
                }
            }
            Request::ElectLeaders(request) => match &request.topic_partitions {
                Some(topics) => parts.extend(topics.iter().map(|topic| format!("{}-{:?}", topic.topic, topic.partitions))),
                None => parts.push("all".to_owned()),
            },
            Request::DeleteTopics(request) => parts.extend(request.topics.iter().filter_map(|topic| topic.name.clone())),
            other => parts.extend(group::describe(other, |id| self.name_of("", id))),
        }
        Some(format!("{} v{} {}", header.api_key, header.api_version, parts.join(" ")).trim_end().to_owned())
    }
}
