//! The one place that says what may stand in a scenario file. The parser checks against it and `brokerlab scenarios --reference`
//! prints it, so neither can know something that the other does not.

use std::fmt::Write;

use brokerlab::wire::ApiKey;

pub use super::fault_reference::FAULTS;
use super::fault_reference::{AT, FOR, ID, KIND};
use super::group::CommitPolicy;
use super::properties::{CLUSTER, CONSUMER, MEMBER, PRODUCER, Property, TOPIC};
use super::target::FORMS;
use super::units::{DURATION_FORM, SIZE_FORM};

/// A table of the file and its keys.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// `[[topics]]`; for a kind of fault the kind's name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub shape: Shape,
    /// What happens without it.
    pub need: Need,
    /// What it does.
    pub about: &'static str,
}

/// What happens without a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// The file is refused.
    Required,
    /// There is none, or nothing of it.
    Optional,
    /// This value holds, in TOML.
    Default(&'static str),
}

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any text.
    Text,
    /// The name of a node.
    NodeName,
    /// The name of a scenario.
    LessonName,
    /// The name of a topic.
    TopicName,
    /// The id of a fault.
    FaultId,
    /// A seed: a whole number, or one in quotes if it is too large for TOML.
    Seed,
    /// A duration with its unit.
    Duration,
    /// A size with its unit.
    Size,
    /// A whole number between two bounds.
    Count(u64, u64),
    /// `true` or `false`.
    Flag,
    /// Whom a fault strikes.
    Target,
    /// One target, or a list of them.
    Targets,
    /// A list of lists of targets.
    Groups,
    /// One of these words.
    OneOf(fn() -> Vec<&'static str>),
    /// One of these words, or a list of them.
    SomeOf(fn() -> Vec<&'static str>),
    /// A table from such words to numbers of occurrences.
    Tally(fn() -> Vec<&'static str>),
    /// A table of Kafka's properties.
    Config(&'static [Property]),
    /// `[smallest, largest]` of a count.
    Counts(u64, u64),
    /// `[shortest, longest]` of a duration.
    Durations,
    /// A list of durations.
    Moments,
    /// A table from settings to lists of values.
    Swarm,
    /// A table with keys of its own.
    Table(&'static Section),
    /// A list of tables with keys of their own.
    Tables(&'static Section),
    /// The name of a topic, or a list of them.
    Topics,
    /// A list of faults, whose keys depend on their kind.
    Faults,
}

pub(super) const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, need: Need::Required, about }
}

pub(super) const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, need: Need::Optional, about }
}

pub(super) const fn default(name: &'static str, shape: Shape, value: &'static str, about: &'static str) -> Key {
    Key { name, shape, need: Need::Default(value), about }
}

/// The file itself.
pub const FILE: Section = Section {
    name: "(top of the file)",
    about: "one lesson, or the plan of one run",
    keys: &[
        optional(
            "name",
            Shape::LessonName,
            "identity of the run; in a scenario the file's own name, in a plan that of its scenario",
        ),
        required("title", Shape::Text, "the claim of the lesson"),
        default("lesson", Shape::Text, "\"\"", "what the reader should learn"),
        default("seed", Shape::Seed, "1", "seed of `run` if none is given; in a plan the seed of the weather"),
        required("duration", Shape::Duration, "length of the fault phase"),
        optional("must_exercise", Shape::SomeOf(properties), "checks that must have had something to see, else UNKNOWN"),
        optional("progress", Shape::Table(&PROGRESS), "how producers get on while faults last (L8)"),
        optional("expect", Shape::Table(&EXPECT), "what every seed must bring"),
        optional("mutant", Shape::OneOf(mutants), "a planted bug"),
        required("cluster", Shape::Table(&CLUSTER_SECTION), "the nodes"),
        required("topics", Shape::Tables(&TOPIC_SECTION), "topics, created before the fault phase"),
        optional("producers", Shape::Tables(&PRODUCER_SECTION), "writers"),
        optional("consumers", Shape::Tables(&CONSUMER_SECTION), "readers"),
        optional("groups", Shape::Tables(&GROUP_SECTION), "groups of consumers"),
        optional("faults", Shape::Faults, "what goes wrong, and when"),
        optional("network", Shape::Table(&NETWORK), "latency of every link"),
        optional("disk", Shape::Table(&DISK), "speed and mischief of every disk"),
        optional("chaos", Shape::Table(&CHAOS), "random faults and settings, decided by the seed"),
    ],
};

/// `progress`.
pub const PROGRESS: Section = Section {
    name: "progress",
    about: "what each producer is promised from its first write until faults end, in any stretch of time; else HANG (L8)",
    keys: &[
        default("acknowledged", Shape::Count(1, 1_000_000), "1", "so many writes are acknowledged, at least"),
        required(
            "within",
            Shape::Duration,
            "the length of the stretch: the longest pause that the faults leave, if one is promised",
        ),
    ],
};

/// `expect`.
pub const EXPECT: Section = Section {
    name: "expect",
    about: "what every seed must bring; else exit code 6",
    keys: &[
        default("verdict", Shape::SomeOf(verdicts), "\"PASS\"", "accepted verdicts"),
        optional("property", Shape::OneOf(failures), "the property that fails first"),
        optional("facts", Shape::Tally(facts), "facts and counts, at least so often"),
        optional("at_most", Shape::Tally(facts), "facts and counts, at most so often"),
        optional("never", Shape::SomeOf(facts), "facts and counts that must not happen"),
    ],
};

/// `cluster`.
pub const CLUSTER_SECTION: Section = Section {
    name: "cluster",
    about: "brokers b1, b2 ... and the controller c1, all on port 9092",
    keys: &[
        required("brokers", Shape::Count(1, 9), "how many brokers"),
        optional("config", Shape::Config(CLUSTER), "Kafka's broker and controller properties"),
        default("drift_ppm_max", Shape::Count(0, 100_000), "100", "clocks drift by at most so many parts per million"),
    ],
};

/// `[[topics]]`.
pub const TOPIC_SECTION: Section = Section {
    name: "[[topics]]",
    about: "a topic",
    keys: &[
        required("name", Shape::TopicName, "its name"),
        default("partitions", Shape::Count(1, 64), "1", "how many partitions"),
        required("replicas", Shape::Count(1, 9), "replicas of each"),
        optional("config", Shape::Config(TOPIC), "Kafka's topic properties"),
    ],
};

/// `[[producers]]`.
pub const PRODUCER_SECTION: Section = Section {
    name: "[[producers]]",
    about: "writes unique records until the fault phase ends, or at moments of its own",
    keys: &[
        required("name", Shape::NodeName, "its node"),
        required("topic", Shape::TopicName, "where to"),
        optional("every", Shape::Duration, "time between two records"),
        optional("at", Shape::Moments, "writes exactly then instead, counted from the begin of the fault phase"),
        optional("records", Shape::Count(0, 1 << 40), "how many at most"),
        default("value_size", Shape::Size, "\"64B\"", "size of a value"),
        optional("partition", Shape::Count(0, 63), "always this one; else the partitioner decides"),
        default("keys", Shape::Count(0, 1 << 20), "0", "number of distinct keys; 0: no keys"),
        optional("config", Shape::Config(PRODUCER), "Kafka's producer properties"),
    ],
};

/// `[[consumers]]`.
pub const CONSUMER_SECTION: Section = Section {
    name: "[[consumers]]",
    about: "reads all partitions of a topic while it grows",
    keys: &[
        required("name", Shape::NodeName, "its node"),
        required("topic", Shape::TopicName, "where from"),
        required("every", Shape::Duration, "time between two polls"),
        optional("config", Shape::Config(CONSUMER), "Kafka's consumer properties"),
    ],
};

/// Most members of a group that take part from the beginning, or stand by.
const MEMBERS_MAX: u64 = 1000;

/// `[[groups]]`.
pub const GROUP_SECTION: Section = Section {
    name: "[[groups]]",
    about: "consumers that share the partitions of some topics and process every record: nodes NAME-1, NAME-2 ...",
    keys: &[
        required("name", Shape::NodeName, "its group.id, and the beginning of its members' names"),
        required("topics", Shape::Topics, "where from"),
        required("members", Shape::Count(0, MEMBERS_MAX), "how many members there are from the beginning"),
        default("spare", Shape::Count(0, MEMBERS_MAX), "0", "how many more stand by until a fault `member-joins` calls them in"),
        default("static", Shape::Flag, "false", "members have a group.instance.id each: their names"),
        default("processing", Shape::Duration, "\"1ms\"", "how long it takes to process a record"),
        default("every", Shape::Duration, "\"0s\"", "time between two polls, beside that for processing"),
        default(
            "commit",
            Shape::OneOf(CommitPolicy::names),
            "\"after\"",
            "when what a poll brought is committed: after it was processed (and wait for that or not), before, or by the client itself",
        ),
        optional("config", Shape::Config(MEMBER), "Kafka's consumer properties"),
        optional("spare_config", Shape::Config(MEMBER), "those of the members that stand by, instead of `config`"),
    ],
};

/// `network`.
pub const NETWORK: Section = Section {
    name: "network",
    about: "latency of every link, one way",
    keys: &[
        default("latency", Shape::Duration, "\"300us\"", "smallest latency"),
        default("jitter", Shape::Duration, "\"400us\"", "uniform jitter on top"),
        default("tail_one_in", Shape::Count(0, 1 << 30), "200", "one in so many frames takes the tail instead; 0: never"),
        default("tail", Shape::Duration, "\"20ms\"", "latency of the tail"),
        default("split_one_in", Shape::Count(0, 1 << 30), "16", "one in so many frames arrives in pieces; 0: never"),
        optional("bandwidth", Shape::Size, "bytes that each link carries per second, in each direction; without: no limit"),
    ],
};

/// `disk`.
pub const DISK: Section = Section {
    name: "disk",
    about: "every disk",
    keys: &[
        default("sync", Shape::Duration, "\"2ms\"", "shortest sync"),
        default("jitter", Shape::Duration, "\"3ms\"", "uniform jitter on top"),
        default("harsh", Shape::Flag, "false", "on power loss names survive as any subset, not as a prefix"),
        optional("capacity", Shape::Size, "bytes that fit on it; else as many as there are"),
    ],
};

/// `[chaos]`.
pub const CHAOS: Section = Section {
    name: "chaos",
    about: "random faults: each seed enables a random subset of the kinds, with rates of its own",
    keys: &[
        required("kinds", Shape::SomeOf(fault_kinds), "kinds that may be enabled"),
        required("faults", Shape::Counts(0, 1000), "number of faults in a run, smallest and largest"),
        optional("at_most", Shape::Tally(fault_kinds), "kinds of which a run has no more than so many"),
        required("lasts", Shape::Durations, "length of a fault, shortest and longest"),
        default(
            "storms",
            Shape::Counts(0, 100),
            "[0, 0]",
            "storms in a run, fewest and most: the leader of a partition changes again and again while news and answers are late",
        ),
        optional("swarm", Shape::Swarm, "settings that each seed draws anew, and the values to choose from"),
    ],
};

/// Groups of a split at most: with the servers in no group they are one more.
pub const GROUPS_MAX: usize = 3;

/// Names of the kinds.
#[must_use]
pub fn fault_kinds() -> Vec<&'static str> {
    FAULTS.iter().map(|kind| kind.name).collect()
}

/// Ids of the properties that checks may watch.
#[must_use]
pub fn properties() -> Vec<&'static str> {
    vec![
        "R1", "R2", "R3", "R4", "R5a", "R5b", "R5c", "R6", "R7", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15", "R16",
        "R17", "R18", "R19", "R20", "R21", "R22", "R23", "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11",
        "D12", "Q7", "Q9", "Q13", "Q14", "P1", "P2", "P3", "P4", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G10",
        "G11", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12", "B13", "B14", "L1", "L2", "L3", "L4",
        "L5", "L6", "L7", "L8", "L9", "L10",
    ]
}

/// What a run may fail by: a property, somebody's panic, or that it does not come to rest.
#[must_use]
pub fn failures() -> Vec<&'static str> {
    let mut names = properties();
    names.extend(["panic", "settle"]);
    names
}

/// Names of the APIs that are spoken here.
#[must_use]
pub fn apis() -> Vec<&'static str> {
    ApiKey::ALL.iter().filter(|api| api.implemented().is_some()).map(|api| api.name()).collect()
}

fn verdicts() -> Vec<&'static str> {
    brokerlab_reports::verdict::Verdict::ALL.iter().map(|verdict| verdict.name()).collect()
}

#[cfg(feature = "mutants")]
fn mutants() -> Vec<&'static str> {
    brokerlab::mutant::Mutant::all().map(brokerlab::mutant::Mutant::slug).collect()
}

#[cfg(not(feature = "mutants"))]
fn mutants() -> Vec<&'static str> {
    Vec::new()
}

/// What `expect.facts` may count: facts of actors, facts of the world, counts of the judgement.
#[must_use]
pub fn facts() -> Vec<&'static str> {
    [FACTS, GROUP_FACTS, WORLD_FACTS, COUNTS].concat()
}

/// Facts of actors.
pub const FACTS: &[&str] = &[
    "BrokerStarted",
    "BrokerRegistered",
    "MetadataApplied",
    "LogOpened",
    "BatchAppended",
    "LogTruncated",
    "LogFlushed",
    "LogStartMoved",
    "CompactionBegan",
    "Compacted",
    "LogRemoved",
    "CorruptionFound",
    "LogFailed",
    "BecameLeader",
    "BecameFollower",
    "HighWatermarkAdvanced",
    "HighWatermarkFollowed",
    "IsrProposed",
    "IsrLearned",
    "ControllerActivated",
    "RegistrationAccepted",
    "BrokerUnfenced",
    "BrokerFenced",
    "TopicCreated",
    "TopicDeleted",
    "PartitionCreated",
    "LeaderElected",
    "IsrShrunk",
    "IsrExpanded",
    "AlterPartitionRefused",
    "MetadataCommitted",
    "Reached",
    "MutantActed",
];

/// Facts of coordinators and members.
pub const GROUP_FACTS: &[&str] = &[
    "CoordinatorLoaded",
    "CoordinatorUnloaded",
    "MemberJoined",
    "MemberRemoved",
    "GroupStateChanged",
    "GenerationBegun",
    "AssignmentDecided",
    "MemberReconciled",
    "CommitStored",
    "CommitRemoved",
    "MemberFenced",
    "PartitionsAssigned",
    "PartitionsRevoked",
    "PartitionsLost",
    "PositionTaken",
    "ProtocolChanged",
];

/// Facts of the world.
pub const WORLD_FACTS: &[&str] = &[
    "NodeStarted",
    "ProcessCrashed",
    "PowerLost",
    "NodeStopped",
    "Paused",
    "Resumed",
    "FaultBegan",
    "FaultEnded",
    "FaultSkipped",
    "SettleBegan",
    "Settled",
    "SettleFailed",
    "Panicked",
    "FrameStruck",
    "Processed",
];

/// Counts of the judgement.
pub const COUNTS: &[&str] = &[
    "written",
    "acknowledged",
    "indefinite",
    "failed",
    "unresolved",
    "read",
    "lost",
    "duplicated",
    "elections",
    "unclean_elections",
    "isr_changes",
    "truncations",
    "crashes",
    "power_losses",
    "redelivered",
    "unprocessed",
    "refused_commits",
    "interrupted_rebalances",
    "near_misses",
];

/// The whole reference, for people.
#[must_use]
pub fn text() -> String {
    let mut out = String::from("What may stand in a scenario file\n");
    for section in [
        &FILE,
        &PROGRESS,
        &EXPECT,
        &CLUSTER_SECTION,
        &TOPIC_SECTION,
        &PRODUCER_SECTION,
        &CONSUMER_SECTION,
        &GROUP_SECTION,
        &NETWORK,
        &DISK,
        &CHAOS,
    ] {
        section_text(&mut out, section, section.keys);
    }
    out.push_str("\n[[faults]]: what goes wrong; every kind has id, at, for and kind\n");
    for kind in FAULTS {
        let own: Vec<Key> =
            kind.keys.iter().filter(|key| ![ID.name, AT.name, FOR.name, KIND.name].contains(&key.name)).copied().collect();
        section_text(&mut out, kind, &own);
    }
    let _ = writeln!(out, "\nTargets: {}", FORMS.join("; "));
    let _ = writeln!(out, "Durations: {DURATION_FORM}\nSizes: {SIZE_FORM}");
    let _ = writeln!(out, "Settings of chaos.swarm: {}", super::settings::FORMS);
    for (title, list) in
        [("topics", TOPIC), ("cluster", CLUSTER), ("producers", PRODUCER), ("consumers", CONSUMER), ("groups", MEMBER)]
    {
        let _ = writeln!(out, "\nKafka's properties in the config of {title}");
        for property in list {
            let _ = writeln!(out, "  {:<45} {} ({})", property.name, property.about, property.form.text());
        }
    }
    out
}

fn section_text(out: &mut String, section: &Section, keys: &[Key]) {
    let _ = writeln!(out, "\n{}: {}", section.name, section.about);
    for key in keys {
        let need = match key.need {
            Need::Required => "required".to_string(),
            Need::Optional => "optional".to_string(),
            Need::Default(value) => format!("default {value}"),
        };
        let _ = writeln!(out, "  {:<16} {} ({}; {need})", key.name, key.about, key.shape.text());
    }
}

impl Shape {
    /// What is allowed, in words.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Shape::Text => "text in quotes".into(),
            Shape::NodeName | Shape::LessonName => "small letters, digits and dashes, a letter first".into(),
            Shape::TopicName => "letters, digits, dots, underscores and dashes".into(),
            Shape::FaultId => "letters, digits, dots and dashes".into(),
            Shape::Seed => "a whole number from 0, in quotes if larger than 2^63-1".into(),
            Shape::Duration => "a duration such as \"500ms\"".into(),
            Shape::Size => "a size such as \"1KiB\"".into(),
            Shape::Count(low, high) => format!("a whole number from {low} to {high}"),
            Shape::Flag => "true or false".into(),
            Shape::Target => "a target such as \"leader of orders-0\"".into(),
            Shape::Targets => "a target, or a list of targets".into(),
            Shape::Groups => format!("a list of up to {GROUPS_MAX} lists of targets"),
            Shape::OneOf(words) => words().join(", "),
            Shape::SomeOf(words) => format!("one or a list of {}", words().join(", ")),
            Shape::Tally(words) => format!("a table from names to counts: {}", words().join(", ")),
            Shape::Config(_) => "a table of Kafka's properties, see below".into(),
            Shape::Counts(low, high) => format!("two whole numbers from {low} to {high}, the smaller first"),
            Shape::Durations => "two durations, the shorter first".into(),
            Shape::Moments => "a list of durations such as [\"500ms\", \"2s\"]".into(),
            Shape::Swarm => "a table from settings to lists of values".into(),
            Shape::Table(section) => format!("a table, see {}", section.name),
            Shape::Tables(section) => format!("tables, see {}", section.name),
            Shape::Faults => "tables, see [[faults]]".into(),
            Shape::Topics => "the name of a topic, or a list of them".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_that_an_actor_can_state_may_be_expected() {
        let source = include_str!("../../../src/fact.rs");
        let listed: Vec<&str> =
            source.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).filter(|name| !name.contains(' ')).collect();
        assert!(listed.len() > 20);
        assert_eq!(listed, FACTS);
        let source = include_str!("../../../src/fact/group.rs");
        let listed: Vec<&str> = source.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(listed, GROUP_FACTS);
    }

    #[test]
    fn the_reference_names_every_key_and_kind() {
        let text = text();
        for kind in FAULTS {
            assert!(text.contains(&format!("\n{}: ", kind.name)));
        }
        assert!(text.contains("except_clients") && text.contains("min.insync.replicas"));
    }
}
