//! `brokerlab groups describe`: a group's members, what they own, and how far behind the log ends its committed offsets are.
//!
//! A line for every partition that the group has committed an offset for or that a member owns, and one for each member that owns nothing. The
//! *lag* is the log end (the high watermark, as consumers see it) less the committed offset: records that are still to be read. It is not known
//! where nothing is committed, or where nobody leads the partition; and it is negative where records were lost that had been read.

use std::collections::{BTreeMap, BTreeSet};

use brokerlab::node::people::Admin;
use brokerlab::node::people::groups::{GroupDescription, GroupError, GroupProtocol, MemberDescription};
use brokerlab::node::people::offsets::{CommittedOffset, Found, OffsetSpec};
use brokerlab::types::{Offset, TopicPartition};
use serde_json::{Value, json};

use super::super::Exit;
use super::super::output::say;
use super::super::people::Connect;
use super::table::table;
use super::{all_or, complaint, complaint_about};

/// Show members, what they own, and how far behind they are
#[derive(clap::Args, Debug)]
pub struct Describe {
    /// Their names
    #[arg(required_unless_present = "all")]
    groups: Vec<String>,
    /// All groups
    #[arg(long, short = 'a', conflicts_with = "groups")]
    all: bool,
    /// One JSON object, with the epochs of the newer protocol, instance ids, and what is stored beside offsets
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// What is told of one group.
struct Told {
    group: GroupDescription,
    progress: Vec<Progress>,
}

/// How far a group is in one partition.
struct Progress {
    partition: TopicPartition,
    committed: Option<CommittedOffset>,
    end: Found,
    /// The member that owns it, by its place among the members.
    owner: Option<usize>,
}

impl Progress {
    fn lag(&self) -> Option<i64> {
        Some(self.end.ok()??.since(self.committed.as_ref()?.offset))
    }
}

impl Describe {
    pub(super) async fn carry_out(self) -> miette::Result<Exit> {
        let admin = self.connect.admin()?;
        let groups = match self.all {
            true => all(&admin).await?,
            false => self.groups,
        };
        let (mut told, mut refusals) = (Vec::new(), Vec::new());
        for group in &groups {
            match tell(&admin, group).await {
                Ok(one) => told.push(one),
                // It was there when they were listed.
                Err(GroupError::NotFound { .. }) if self.all => {}
                Err(error) => refusals.push(complaint_about(&admin, error).await),
            }
        }
        if self.json {
            say!("{}", json!({ "groups": told.iter().map(Told::json).collect::<Vec<_>>() }));
        } else {
            told.iter().for_each(Told::show);
        }
        all_or(refusals)
    }
}

/// All groups that can be described. Kafka has other kinds, whose members do not commit offsets.
async fn all(admin: &Admin) -> miette::Result<Vec<String>> {
    let (consumers, others): (Vec<_>, Vec<_>) = admin
        .list_groups()
        .await
        .map_err(complaint)?
        .into_iter()
        .partition(|group| ["", "classic", "consumer"].contains(&group.kind.to_lowercase().as_str()));
    others.iter().for_each(|group| eprintln!("{} is not described: it is a group of type {}", group.group, group.kind));
    Ok(consumers.into_iter().map(|group| group.group).collect())
}

async fn tell(admin: &Admin, name: &str) -> Result<Told, GroupError> {
    let group = admin.describe_group(name).await?;
    let mut owners = BTreeMap::new();
    for (at, member) in group.members.iter().enumerate() {
        owners.extend(member.assigned.iter().map(|partition| (partition.clone(), at)));
    }
    let committed = admin.committed_offsets(name).await?;
    let mut committed: BTreeMap<_, _> = committed.into_iter().map(|one| (one.partition.clone(), one)).collect();
    let partitions: BTreeSet<TopicPartition> = owners.keys().chain(committed.keys()).cloned().collect();
    let ends = admin.find_offsets(&partitions, OffsetSpec::Latest).await?;
    let progress = ends.into_iter().map(|(partition, end)| {
        let (committed, owner) = (committed.remove(&partition), owners.get(&partition).copied());
        Progress { partition, committed, end, owner }
    });
    Ok(Told { progress: progress.collect(), group })
}

impl Told {
    fn show(&self) {
        let group = &self.group;
        say!("{}: {}", group.group, headline(group));
        let mut rows: Vec<Vec<String>> = self.progress.iter().map(|progress| self.row(progress)).collect();
        rows.extend(group.members.iter().filter(|member| member.assigned.is_empty()).map(|member| {
            let nothing = vec![String::new(); 5];
            nothing.into_iter().chain(named(Some(member))).collect()
        }));
        if !rows.is_empty() {
            let headings = ["topic", "partition", "committed", "log end", "lag", "member", "client", "host"];
            table(&headings, &rows).iter().for_each(|line| say!("  {line}"));
        }
        for progress in &self.progress {
            if let Err(error) = progress.end {
                eprintln!("where {} ends is not known: {error}", progress.partition);
            }
        }
        if group.is_in_use() && group.state != "Stable" {
            eprintln!("{} is between two assignments: who owns what is about to change", group.group);
        }
    }

    fn row(&self, progress: &Progress) -> Vec<String> {
        let text = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        let committed = progress.committed.as_ref().map(|committed| committed.offset.0);
        let end = progress.end.ok().flatten().map(|end| end.0);
        let partition = &progress.partition;
        let cells = [partition.topic.to_string(), partition.index.to_string(), text(committed), text(end), text(progress.lag())];
        let owner = progress.owner.map(|at| &self.group.members[at]);
        cells.into_iter().chain(named(owner)).collect()
    }

    fn json(&self) -> Value {
        let group = &self.group;
        let mut told = json!({
            "group": group.group, "state": group.state,
            "coordinator": { "broker": group.coordinator.broker.0, "address": group.coordinator.address.to_string() },
            "members": group.members.iter().map(member_json).collect::<Vec<_>>(),
            "offsets": self.progress.iter().map(|progress| self.progress_json(progress)).collect::<Vec<_>>(),
        });
        match &group.protocol {
            GroupProtocol::Classic { protocol_type, assignor } => {
                told["type"] = json!("classic");
                told["protocol_type"] = json!(protocol_type);
                told["assignor"] = json!(assignor);
            }
            GroupProtocol::Consumer { assignor, group_epoch, assignment_epoch } => {
                told["type"] = json!("consumer");
                told["protocol_type"] = json!("consumer");
                told["assignor"] = json!(assignor);
                told["group_epoch"] = json!(group_epoch);
                told["assignment_epoch"] = json!(assignment_epoch);
            }
        }
        told
    }

    fn progress_json(&self, progress: &Progress) -> Value {
        let committed = progress.committed.as_ref();
        json!({
            "topic": progress.partition.topic, "partition": progress.partition.index,
            "committed": committed.map(|committed| committed.offset.0),
            "committed_leader_epoch": committed.map(|committed| committed.leader_epoch.0).filter(|epoch| *epoch >= 0),
            "metadata": committed.map(|committed| &committed.metadata),
            "log_end": progress.end.ok().flatten().map(|Offset(end)| end), "lag": progress.lag(),
            "log_end_error": progress.end.err().map(|error| error.to_string()),
            "member_id": progress.owner.map(|at| &self.group.members[at].member_id),
        })
    }
}

/// What holds for the whole group.
fn headline(group: &GroupDescription) -> String {
    let members = match group.members.len() {
        0 => "no members".to_owned(),
        1 => "1 member".to_owned(),
        more => format!("{more} members"),
    };
    let protocol = match &group.protocol {
        GroupProtocol::Classic { protocol_type, assignor } if !assignor.is_empty() => {
            format!("classic protocol ({protocol_type}, {assignor})")
        }
        GroupProtocol::Classic { protocol_type, .. } if !protocol_type.is_empty() => {
            format!("classic protocol ({protocol_type})")
        }
        GroupProtocol::Classic { .. } => "classic protocol".to_owned(),
        GroupProtocol::Consumer { assignor, group_epoch, assignment_epoch } => {
            format!("consumer protocol ({assignor}), epoch {group_epoch}, assigned in {assignment_epoch}")
        }
    };
    format!("{}, {members}, {protocol}, coordinator {} at {}", group.state, group.coordinator.broker.0, group.coordinator.address)
}

/// Who a member is: id, client, host.
fn named(member: Option<&MemberDescription>) -> [String; 3] {
    member
        .map_or_else(Default::default, |member| [member.member_id.clone(), member.client_id.clone(), member.client_host.clone()])
}

fn member_json(member: &MemberDescription) -> Value {
    let partitions = |partitions: &Vec<TopicPartition>| -> Vec<Value> {
        partitions.iter().map(|partition| json!({ "topic": partition.topic, "partition": partition.index })).collect()
    };
    json!({
        "member_id": member.member_id, "instance_id": member.instance_id, "client_id": member.client_id,
        "client_host": member.client_host, "epoch": member.epoch, "assigned": partitions(&member.assigned),
        "target": member.target.as_ref().map(partitions),
    })
}
