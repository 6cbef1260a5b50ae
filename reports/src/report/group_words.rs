//! What happens in consumer groups, in a line each: who comes and goes, what a generation gives to whom, who coordinates.

use std::sync::Arc;

use brokerlab::fact::GroupFact;
use brokerlab::fact::group::{GroupProtocol, GroupState, RemovalReason};
use brokerlab::types::TopicPartition;

/// Members or partitions that a line names.
const NAMED_MAX: usize = 4;

/// How much a story would miss a fact, and what it says; `None`: it happens too often to be told.
#[must_use]
pub fn told(fact: &GroupFact) -> Option<(u8, String)> {
    Some(match fact {
        GroupFact::CoordinatorLoaded { shard, leader_epoch, groups, .. } => {
            let names: Vec<&str> = groups.iter().map(|group| &*group.group).collect();
            let names = if names.is_empty() { "no group yet".into() } else { listed(&names) };
            let weight = if groups.is_empty() { 2 } else { 8 };
            (weight, format!("coordinates from offsets partition {} on (leader epoch {leader_epoch}): {names}", shard.index))
        }
        GroupFact::CoordinatorUnloaded { shard, .. } => {
            (4, format!("coordinates the groups of offsets partition {} no more", shard.index))
        }
        GroupFact::MemberJoined { group, member, instance } => {
            let instance = instance.as_ref().map_or(String::new(), |instance| format!(" as instance {instance}"));
            (6, format!("{group}: {} joins{instance}", short(member)))
        }
        GroupFact::MemberRemoved { group, member, reason } => (7, format!("{group}: {} {}", short(member), removal(*reason))),
        GroupFact::GroupStateChanged { group, state: GroupState::Empty, .. } => (6, format!("{group}: has no members any more")),
        GroupFact::GroupStateChanged { group, state: GroupState::Dead, .. } => (5, format!("{group}: is deleted")),
        GroupFact::GenerationBegun { group, generation, members } => {
            (5, format!("{group}: generation {generation} begins with {} members", members.len()))
        }
        GroupFact::AssignmentDecided { group, generation, assignment, .. } => {
            let owners: Vec<String> =
                assignment.iter().map(|(member, partitions)| format!("{}: {}", short(member), share(partitions))).collect();
            (7, format!("{group}: generation {generation} gives {}", listed(&owners)))
        }
        GroupFact::MemberFenced { group, member, code } => {
            (8, format!("{group}: refuses {} as one of the past (error {code})", who(member)))
        }
        GroupFact::PartitionsLost { group, generation, partitions, .. } if !partitions.is_empty() => {
            (8, format!("{group}: learns that it has lost {} of generation {generation}", share(partitions)))
        }
        GroupFact::CommitRemoved { group, partition, .. } => {
            (3, format!("{group}: its committed offset of {partition} is removed"))
        }
        GroupFact::ProtocolChanged { group, protocol, .. } => {
            let sharer = match protocol {
                GroupProtocol::Classic => "the classic protocol: a member shares out",
                GroupProtocol::Consumer => "the newer protocol: its coordinator shares out",
            };
            (8, format!("{group}: speaks {sharer}"))
        }
        GroupFact::GroupStateChanged { .. }
        | GroupFact::MemberReconciled { .. }
        | GroupFact::CommitStored { .. }
        | GroupFact::PartitionsAssigned { .. }
        | GroupFact::PartitionsRevoked { .. }
        | GroupFact::PartitionsLost { .. }
        | GroupFact::PositionTaken { .. } => return None,
    })
}

fn removal(reason: RemovalReason) -> &'static str {
    match reason {
        RemovalReason::Left => "leaves",
        RemovalReason::SessionExpired => "is counted out: it was silent for its session",
        RemovalReason::RebalanceExpired => "is counted out: it did not join the rebalance in time",
        RemovalReason::SyncExpired => "is counted out: it never asked for its assignment",
        RemovalReason::NeverJoined => "never used the member id it was given",
        RemovalReason::Replaced => "is replaced by a new process of its instance",
        RemovalReason::Administrator => "is removed by an administrator",
    }
}

fn who(member: &Arc<str>) -> &str {
    if member.is_empty() { "somebody" } else { short(member) }
}

/// A member id without most of the random part that coordinators give it: `billing-1-08eb88a1`.
fn short(member: &str) -> &str {
    const RANDOM: usize = 36;
    const SHOWN: usize = 8;
    let random = member.len().checked_sub(RANDOM).and_then(|at| member.get(at..)).filter(|tail| tail.matches('-').count() == 4);
    random.and_then(|tail| member.get(..member.len() - tail.len() + SHOWN)).unwrap_or(member)
}

fn share(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().map(TopicPartition::to_string).collect();
    if names.is_empty() { "nothing".into() } else { names_of(&names, " ") }
}

fn listed(names: &[impl AsRef<str>]) -> String {
    names_of(names, ", ")
}

fn names_of(names: &[impl AsRef<str>], between: &str) -> String {
    let named: Vec<&str> = names.iter().take(NAMED_MAX).map(AsRef::as_ref).collect();
    let more = names.len() - named.len();
    let more = if more > 0 { format!("{between}and {more} more") } else { String::new() };
    format!("{}{more}", named.join(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_ids_are_shortened() {
        assert_eq!(short("billing-1-08eb88a1-5d1a-dba7-ce6f-b8676110b2c8"), "billing-1-08eb88a1");
        assert_eq!((short("m1"), short("")), ("m1", ""));
    }

    #[test]
    fn an_assignment_is_told_in_a_line() {
        let partition = |index| TopicPartition { topic: "orders".into(), index };
        let fact = GroupFact::AssignmentDecided {
            group: "billing".into(),
            generation: 3,
            assignment: vec![("m1".into(), (0..6).map(partition).collect()), ("m2".into(), Vec::new())],
            subscribed: Vec::new(),
        };
        let text = "billing: generation 3 gives m1: orders-0 orders-1 orders-2 orders-3 and 2 more, m2: nothing";
        assert_eq!(told(&fact), Some((7, text.to_string())));
    }
}
