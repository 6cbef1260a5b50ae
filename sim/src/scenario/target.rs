//! Targets and kinds of faults in words: `leader of orders-0`, `power-loss`.
//!
//! A target stays semantic in a plan. Who leads when the fault fires is found out then, so a plan that lost some of its faults still
//! strikes where it hurts.

use std::fmt;

use super::model::{FaultKind, Target};

/// How targets are written.
pub const FORMS: [&str; 10] = [
    "b1, c1, p1 (a node by name)",
    "broker 2",
    "any broker",
    "controller",
    "leader of orders-0",
    "a follower of orders-0",
    "a follower in the isr of orders-0",
    "coordinator of group billing",
    "a member of group billing",
    "the owner of orders-0 in billing",
];

/// Words before the partition.
const LEADER: &str = "leader of ";
const FOLLOWER: &str = "a follower of ";
const FOLLOWER_IN_ISR: &str = "a follower in the isr of ";
const OWNER: &str = "the owner of ";
/// Words before the group.
const COORDINATOR: &str = "coordinator of group ";
const MEMBER: &str = "a member of group ";
/// Word between the partition and the group.
const IN: &str = " in ";

impl Target {
    /// Reads a target; `None` if it is none of the [`FORMS`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Target> {
        let text = text.trim();
        if text == "any broker" {
            return Some(Target::AnyBroker);
        }
        if text == "controller" {
            return Some(Target::Controller);
        }
        if let Some(number) = text.strip_prefix("broker ") {
            return number.parse::<u32>().ok().map(|number| Target::Node(format!("b{number}")));
        }
        let of = |prefix: &str| text.strip_prefix(prefix).map(partition);
        if let Some(found) = of(FOLLOWER_IN_ISR) {
            return found.map(|(topic, index)| Target::FollowerInIsr(topic, index));
        }
        if let Some(found) = of(FOLLOWER) {
            return found.map(|(topic, index)| Target::Follower(topic, index));
        }
        if let Some(found) = of(LEADER) {
            return found.map(|(topic, index)| Target::Leader(topic, index));
        }
        let group = |prefix: &str| text.strip_prefix(prefix).map(|group| is_node_name(group).then(|| group.to_string()));
        if let Some(found) = group(COORDINATOR) {
            return found.map(Target::Coordinator);
        }
        if let Some(found) = group(MEMBER) {
            return found.map(Target::Member);
        }
        if let Some((owned, group)) = text.strip_prefix(OWNER).and_then(|rest| rest.split_once(IN)) {
            let (topic, partition) = partition(owned)?;
            return is_node_name(group).then(|| Target::Owner { topic, partition, group: group.to_string() });
        }
        is_node_name(text).then(|| Target::Node(text.to_string()))
    }

    /// The partition that it is about, if it is about one.
    #[must_use]
    pub fn partition(&self) -> Option<(&str, u32)> {
        match self {
            Target::Leader(topic, index) | Target::FollowerInIsr(topic, index) | Target::Follower(topic, index) => {
                Some((topic, *index))
            }
            Target::Owner { topic, partition, .. } => Some((topic, *partition)),
            Target::Node(_) | Target::AnyBroker | Target::Controller | Target::Coordinator(_) | Target::Member(_) => None,
        }
    }

    /// The group that it is about, if it is about one.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        match self {
            Target::Coordinator(group) | Target::Member(group) | Target::Owner { group, .. } => Some(group),
            Target::Node(_)
            | Target::AnyBroker
            | Target::Controller
            | Target::Leader(..)
            | Target::FollowerInIsr(..)
            | Target::Follower(..) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Node(name) => f.write_str(name),
            Target::AnyBroker => f.write_str("any broker"),
            Target::Controller => f.write_str("controller"),
            Target::Leader(topic, index) => write!(f, "{LEADER}{topic}-{index}"),
            Target::Follower(topic, index) => write!(f, "{FOLLOWER}{topic}-{index}"),
            Target::FollowerInIsr(topic, index) => write!(f, "{FOLLOWER_IN_ISR}{topic}-{index}"),
            Target::Coordinator(group) => write!(f, "{COORDINATOR}{group}"),
            Target::Member(group) => write!(f, "{MEMBER}{group}"),
            Target::Owner { topic, partition, group } => write!(f, "{OWNER}{topic}-{partition}{IN}{group}"),
        }
    }
}

impl FaultKind {
    /// Its name in scenarios.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            FaultKind::Crash { .. } => "crash",
            FaultKind::Outage => "outage",
            FaultKind::PowerLoss { .. } => "power-loss",
            FaultKind::PowerLossAtOperation { .. } => "power-loss-at-operation",
            FaultKind::CrashLoop { .. } => "crash-loop",
            FaultKind::FailedSync { .. } => "failed-sync",
            FaultKind::IoError { .. } => "io-error",
            FaultKind::FullDisk { .. } => "full-disk",
            FaultKind::BitRot { .. } => "bit-rot",
            FaultKind::WipeDisk { .. } => "wipe-disk",
            FaultKind::ClockJump { .. } => "clock-jump",
            FaultKind::ClockSkew { .. } => "clock-skew",
            FaultKind::Pause { .. } => "pause",
            FaultKind::Restart { .. } => "restart",
            FaultKind::Isolate { .. } => "isolate",
            FaultKind::Cut { .. } => "cut",
            FaultKind::SlowLink { .. } => "slow-link",
            FaultKind::SlowDisk { .. } => "slow-disk",
            FaultKind::StuckDisk { .. } => "stuck-disk",
            FaultKind::Frame { .. } => "frame",
            FaultKind::StaleMetadata { .. } => "stale-metadata",
            FaultKind::Split { .. } => "split",
            FaultKind::Bridge { .. } => "bridge",
            FaultKind::MajoritiesRing => "majorities-ring",
            FaultKind::FlappingLink { .. } => "flapping-link",
            FaultKind::CutClients { .. } => "cut-clients",
            FaultKind::NarrowLink { .. } => "narrow-link",
            FaultKind::ElectPreferred { .. } => "elect-preferred",
            FaultKind::DeleteRecords { .. } => "delete-records",
            FaultKind::RecreateTopic { .. } => "recreate-topic",
            FaultKind::MemberJoins { .. } => "member-joins",
            FaultKind::MemberLeaves { .. } => "member-leaves",
            FaultKind::SlowProcessing { .. } => "slow-processing",
        }
    }

    /// Whom it strikes, each with its key: one target, the two ends of a link, groups.
    #[must_use]
    pub fn targets(&self) -> Vec<(&'static str, &Target)> {
        match self {
            FaultKind::CrashLoop { target, .. }
            | FaultKind::FailedSync { target, .. }
            | FaultKind::IoError { target, .. }
            | FaultKind::FullDisk { target, .. }
            | FaultKind::BitRot { target, .. }
            | FaultKind::WipeDisk { target }
            | FaultKind::ClockJump { target, .. }
            | FaultKind::ClockSkew { target, .. }
            | FaultKind::Crash { target }
            | FaultKind::PowerLoss { target }
            | FaultKind::PowerLossAtOperation { target, .. }
            | FaultKind::Pause { target }
            | FaultKind::Restart { target }
            | FaultKind::Isolate { target, .. }
            | FaultKind::SlowDisk { target, .. }
            | FaultKind::StuckDisk { target }
            | FaultKind::ElectPreferred { target }
            | FaultKind::RecreateTopic { target }
            | FaultKind::MemberJoins { target }
            | FaultKind::MemberLeaves { target }
            | FaultKind::SlowProcessing { target, .. }
            | FaultKind::DeleteRecords { target, .. }
            | FaultKind::StaleMetadata { target, .. }
            | FaultKind::Bridge { target } => vec![("target", target)],
            FaultKind::Cut { from, to, .. } | FaultKind::SlowLink { from, to, .. } => vec![("from", from), ("to", to)],
            FaultKind::FlappingLink { from, to, .. } | FaultKind::NarrowLink { from, to, .. } => {
                std::iter::once(("from", from)).chain(to.iter().map(|to| ("to", to))).collect()
            }
            FaultKind::Frame { frames, .. } => {
                let (from, to) = (frames.from.iter(), frames.to.iter());
                from.map(|from| ("from", from)).chain(to.map(|to| ("to", to))).collect()
            }
            FaultKind::Split { groups, .. } => groups.iter().flatten().map(|member| ("groups", member)).collect(),
            FaultKind::CutClients { targets, .. } => targets.iter().map(|target| ("targets", target)).collect(),
            FaultKind::MajoritiesRing | FaultKind::Outage => Vec::new(),
        }
    }

    /// Whom it strikes, in the same order, to be renamed.
    #[must_use]
    pub fn targets_mut(&mut self) -> Vec<&mut Target> {
        match self {
            FaultKind::CrashLoop { target, .. }
            | FaultKind::FailedSync { target, .. }
            | FaultKind::IoError { target, .. }
            | FaultKind::FullDisk { target, .. }
            | FaultKind::BitRot { target, .. }
            | FaultKind::WipeDisk { target }
            | FaultKind::ClockJump { target, .. }
            | FaultKind::ClockSkew { target, .. }
            | FaultKind::Crash { target }
            | FaultKind::PowerLoss { target }
            | FaultKind::PowerLossAtOperation { target, .. }
            | FaultKind::Pause { target }
            | FaultKind::Restart { target }
            | FaultKind::Isolate { target, .. }
            | FaultKind::SlowDisk { target, .. }
            | FaultKind::StuckDisk { target }
            | FaultKind::ElectPreferred { target }
            | FaultKind::RecreateTopic { target }
            | FaultKind::MemberJoins { target }
            | FaultKind::MemberLeaves { target }
            | FaultKind::SlowProcessing { target, .. }
            | FaultKind::DeleteRecords { target, .. }
            | FaultKind::StaleMetadata { target, .. }
            | FaultKind::Bridge { target } => vec![target],
            FaultKind::Cut { from, to, .. } | FaultKind::SlowLink { from, to, .. } => vec![from, to],
            FaultKind::FlappingLink { from, to, .. } | FaultKind::NarrowLink { from, to, .. } => {
                std::iter::once(from).chain(to).collect()
            }
            FaultKind::Frame { frames, .. } => frames.from.iter_mut().chain(&mut frames.to).collect(),
            FaultKind::Split { groups, .. } => groups.iter_mut().flatten().collect(),
            FaultKind::CutClients { targets, .. } => targets.iter_mut().collect(),
            FaultKind::MajoritiesRing | FaultKind::Outage => Vec::new(),
        }
    }
}

fn partition(text: &str) -> Option<(String, u32)> {
    let (topic, index) = text.rsplit_once('-')?;
    let digits = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
    if digits && is_topic_name(topic) { Some((topic.to_string(), index.parse().ok()?)) } else { None }
}

/// Small letters, digits and dashes, a letter first.
#[must_use]
pub fn is_node_name(text: &str) -> bool {
    text.len() <= 32 && is_lesson_name(text)
}

/// The same, but a claim needs more room.
#[must_use]
pub fn is_lesson_name(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Kafka's rule for topic names.
#[must_use]
pub fn is_topic_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.len() <= 249 && text != "." && text != ".." && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        for text in [
            "b2",
            "p1",
            "any broker",
            "controller",
            "leader of orders-0",
            "a follower of my-topic-12",
            "a follower in the isr of t-1",
            "coordinator of group billing",
            "a member of group my-group-2",
            "the owner of my-topic-12 in my-group-2",
        ] {
            assert_eq!(Target::parse(text).map(|target| target.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Target::parse("broker 2"), Some(Target::Node("b2".into())));
        assert_eq!(Target::parse("leader of my-topic-12"), Some(Target::Leader("my-topic".into(), 12)));
    }

    #[test]
    fn nonsense_is_no_target() {
        for text in [
            "",
            "the owner of orders in billing",
            "the owner of orders-0",
            "a member of group",
            "a member of group B",
            "the leader",
            "leader of orders",
            "leader of orders-",
            "leader of orders-x",
            "broker two",
            "B1",
            "leader of -0",
        ] {
            assert_eq!(Target::parse(text), None, "{text}");
        }
    }
}
