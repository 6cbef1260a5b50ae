//! What clients of scripts ask about groups, and how the answers are told.
//!
//! Member ids are random; a client remembers the one it was given last, and it is told as `its id`.

use std::fmt::Write as _;

use bytes::Bytes;

use super::arguments::{Arguments, Failure, partition};
use super::stage::Stage;
use crate::wire::consumer_protocol::{ConsumerProtocolSubscription, Embedded};
use crate::wire::join_group_request::JoinGroupRequestProtocol;
use crate::wire::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::wire::offset_fetch_request::OffsetFetchRequestGroup;
use crate::wire::sync_group_request::SyncGroupRequestAssignment;
use crate::wire::{
    ApiKey, DeleteGroupsRequest, DescribeGroupsRequest, ErrorCode, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest, Response, SyncGroupRequest, decode_response,
};

impl Stage {
    fn member_of(&self, arguments: &Arguments) -> Result<String, Failure> {
        Ok(self.members.get(arguments.at(0)?).cloned().unwrap_or_default())
    }

    /// Commands about groups: `WHAT client broker group ...`.
    pub fn ask_about_groups(&mut self, what: &str, arguments: &Arguments) -> Result<(), Failure> {
        let (client, broker) = (arguments.at(0)?.to_owned(), arguments.at(1)?.to_owned());
        let group_id = arguments.at(2).unwrap_or_default().to_owned();
        let (member_id, generation_id) = (self.member_of(arguments)?, arguments.number("generation", 1)?);
        match what {
            "find" => {
                let version = arguments.number("version", 4)?;
                let key_type = arguments.number("type", 0)?;
                let many = version >= 4;
                let key = if many { String::new() } else { group_id };
                let coordinator_keys = if many { arguments.from(2).to_vec() } else { Vec::new() };
                let request = FindCoordinatorRequest { key, key_type, coordinator_keys, ..Default::default() };
                self.ask(&client, &broker, version, request)
            }
            "join" => {
                let subscription = ConsumerProtocolSubscription { topics: vec!["orders".to_owned()], ..Default::default() };
                let metadata = subscription.embed(0)?;
                let request = JoinGroupRequest {
                    group_id,
                    session_timeout_ms: 10_000,
                    rebalance_timeout_ms: 10_000,
                    member_id,
                    protocol_type: "consumer".to_owned(),
                    protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata, ..Default::default() }],
                    ..Default::default()
                };
                self.ask(&client, &broker, arguments.number("version", 5)?, request)
            }
            "sync" => {
                let part = arguments.keyed.get("part").cloned().unwrap_or_default();
                let assignment = Bytes::from(part.into_bytes());
                let own = SyncGroupRequestAssignment { member_id: member_id.clone(), assignment, ..Default::default() };
                let request =
                    SyncGroupRequest { group_id, generation_id, member_id, assignments: vec![own], ..Default::default() };
                self.ask(&client, &broker, 3, request)
            }
            "beat" => {
                self.ask(&client, &broker, 3, HeartbeatRequest { group_id, generation_id, member_id, ..Default::default() })
            }
            "depart" => self.ask(&client, &broker, 2, LeaveGroupRequest { group_id, member_id, ..Default::default() }),
            "commit" => {
                let request = OffsetCommitRequest {
                    group_id,
                    generation_id_or_member_epoch: arguments.number("generation", -1)?,
                    member_id,
                    topics: committed(arguments)?,
                    ..Default::default()
                };
                self.ask(&client, &broker, 7, request)
            }
            "offsets" => self.ask(&client, &broker, arguments.number("version", 8)?, offsets(arguments)?),
            "groups" => self.ask(&client, &broker, 5, ListGroupsRequest::default()),
            "inspect" => {
                let request = DescribeGroupsRequest { groups: arguments.from(2).to_vec(), ..Default::default() };
                self.ask(&client, &broker, arguments.number("version", 5)?, request)
            }
            "dissolve" => {
                let request = DeleteGroupsRequest { groups_names: arguments.from(2).to_vec(), ..Default::default() };
                self.ask(&client, &broker, 2, request)
            }
            other => Err(format!("unknown command {other}").into()),
        }
    }

    /// A client learns its member id.
    pub fn note_member(&mut self, client: &str, api: ApiKey, version: i16, frame: &Bytes) {
        if api != ApiKey::JoinGroup {
            return;
        }
        let Ok((_, Response::JoinGroup(joined))) = decode_response(api, version, frame) else { return };
        if !joined.member_id.is_empty() {
            self.members.insert(client.to_owned(), joined.member_id);
        }
    }

    /// A text with member ids told by whom they belong to.
    pub fn without_ids(&self, text: &str) -> String {
        let own = |text: String, (client, id): (&String, &String)| text.replace(id.as_str(), &format!("<{client}>"));
        self.members.iter().fold(text.to_owned(), own)
    }
}

fn committed(arguments: &Arguments) -> Result<Vec<OffsetCommitRequestTopic>, Failure> {
    let mut topics = Vec::new();
    for text in arguments.from(3) {
        let (place, offset) = text.split_once('@').ok_or("what is committed is written orders-0@5")?;
        let (name, partition_index) = partition(place)?;
        let committed_offset = offset.parse()?;
        let stored = OffsetCommitRequestPartition { partition_index, committed_offset, ..Default::default() };
        topics.push(OffsetCommitRequestTopic { name: name.to_owned(), partitions: vec![stored], ..Default::default() });
    }
    Ok(topics)
}

fn offsets(arguments: &Arguments) -> Result<OffsetFetchRequest, Failure> {
    if arguments.number("version", 8)? < 8 {
        let group_id = arguments.at(2)?.to_owned();
        return Ok(OffsetFetchRequest { group_id, topics: None, ..Default::default() });
    }
    let group = |id: &String| OffsetFetchRequestGroup { group_id: id.clone(), topics: None, ..Default::default() };
    Ok(OffsetFetchRequest { groups: arguments.from(2).iter().map(group).collect(), ..Default::default() })
}

fn error(code: i16) -> String {
    ErrorCode(code).to_string()
}

/// One line for an answer about groups; `None` if it is about something else.
pub(super) fn tell(response: &Response) -> Option<String> {
    #[allow(clippy::wildcard_enum_match_arm)]
    Some(match response {
        Response::FindCoordinator(found) if found.coordinators.is_empty() => {
            format!("{} node={} {}:{}", error(found.error_code), found.node_id, found.host, found.port)
        }
        Response::FindCoordinator(found) => {
            let one = |c: &crate::wire::find_coordinator_response::Coordinator| {
                format!("{} {} node={} {}:{}", c.key, error(c.error_code), c.node_id, c.host, c.port)
            };
            found.coordinators.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Response::JoinGroup(joined) => format!(
            "{} generation={} member={} leader={} members={}",
            error(joined.error_code),
            joined.generation_id,
            joined.member_id,
            joined.leader,
            joined.members.len()
        ),
        Response::SyncGroup(synced) => {
            format!("{} part={}", error(synced.error_code), String::from_utf8_lossy(&synced.assignment))
        }
        Response::Heartbeat(told) => error(told.error_code),
        Response::LeaveGroup(told) => error(told.error_code),
        Response::OffsetCommit(told) => {
            let lines = told.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t, p)));
            lines.map(|(t, p)| format!("{}-{} {}", t.name, p.partition_index, error(p.error_code))).collect::<Vec<_>>().join(", ")
        }
        Response::OffsetFetch(told) => fetched(told),
        Response::ListGroups(told) => {
            let one = |g: &crate::wire::list_groups_response::ListedGroup| format!(" {} {}", g.group_id, g.group_state);
            format!("{}{}", error(told.error_code), told.groups.iter().map(one).collect::<String>())
        }
        Response::DescribeGroups(told) => {
            let one = |g: &crate::wire::describe_groups_response::DescribedGroup| {
                let members = g.members.iter().map(|m| format!(" {} {}", m.client_id, m.client_host));
                format!("{} {} {}{}", g.group_id, error(g.error_code), g.group_state, members.collect::<String>())
            };
            told.groups.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Response::DeleteGroups(told) => {
            let one =
                |r: &crate::wire::delete_groups_response::DeletableGroupResult| format!("{} {}", r.group_id, error(r.error_code));
            told.results.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        _ => return None,
    })
}

fn fetched(told: &crate::wire::OffsetFetchResponse) -> String {
    let mut text = error(told.error_code);
    for topic in &told.topics {
        for line in &topic.partitions {
            let _ = write!(text, " {}-{}@{}", topic.name, line.partition_index, line.committed_offset);
        }
    }
    for group in &told.groups {
        let _ = write!(text, " {} {}", group.group_id, error(group.error_code));
        for topic in &group.topics {
            for line in &topic.partitions {
                let _ = write!(text, " {}-{}@{}", topic.name, line.partition_index, line.committed_offset);
            }
        }
    }
    text
}
