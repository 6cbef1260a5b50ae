//! Groups of consumers in scenarios: one table, many nodes.
//!
//! The members of a group `billing` are the nodes `billing-1`, `billing-2` ... The first `members` of them take part from the beginning; the
//! `spare` ones behind them stand by until a fault `member-joins` calls one in. They may be configured differently (`spare_config`): the next release
//! of the same application, say, with another protocol.

use std::collections::BTreeMap;
use std::fmt;

use brokerlab::client::ConsumerConfig;
use brokerlab::types::Duration;

/// A group of consumers that share the partitions of some topics, and process every record.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Group {
    /// `group.id`, and the beginning of the members' names.
    pub name: String,
    /// Topics.
    pub topics: Vec<String>,
    /// Members from the beginning.
    pub members: u32,
    /// Members that stand by.
    pub spare: u32,
    /// Members have a `group.instance.id` each: their names.
    pub is_static: bool,
    /// Time that it takes to process one record.
    pub processing: Duration,
    /// Time between two polls, beside that for processing.
    pub every: Duration,
    /// When offsets are committed.
    pub commit: CommitPolicy,
    /// Kafka's consumer properties.
    pub config: BTreeMap<String, String>,
    /// Those of the members that stand by, if they have others.
    pub spare_config: Option<BTreeMap<String, String>>,
}

/// When an application commits what it was handed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum CommitPolicy {
    /// `after`: when all records of a poll are processed, and waits for the answer. At least once.
    #[default]
    After,
    /// `after-async`: the same, and does not wait.
    AfterAsync,
    /// `before`: before any is processed. At most once.
    Before,
    /// `auto`: not at all; the client commits by itself every so often.
    Auto,
}

impl CommitPolicy {
    /// All of them.
    pub const ALL: [CommitPolicy; 4] = [CommitPolicy::After, CommitPolicy::AfterAsync, CommitPolicy::Before, CommitPolicy::Auto];

    /// Its name in scenarios.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CommitPolicy::After => "after",
            CommitPolicy::AfterAsync => "after-async",
            CommitPolicy::Before => "before",
            CommitPolicy::Auto => "auto",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<CommitPolicy> {
        CommitPolicy::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// Names of all policies.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        CommitPolicy::ALL.iter().map(|policy| policy.name()).collect()
    }
}

impl fmt::Display for CommitPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Group {
    /// The nodes of its members, those that stand by last.
    pub fn nodes(&self) -> impl Iterator<Item = String> {
        (1..=self.members + self.spare).map(|number| self.node(number))
    }

    /// The node of a member, numbered from 1.
    #[must_use]
    pub fn node(&self, number: u32) -> String {
        format!("{}-{number}", self.name)
    }

    /// Whether some of its members speak the newer protocol (KIP-848).
    #[must_use]
    pub fn has_newer_members(&self) -> bool {
        let mut configs = std::iter::once(&self.config).chain(&self.spare_config);
        configs.any(|config| config.get("group.protocol").is_some_and(|protocol| protocol == "consumer"))
    }

    /// The properties of a member, numbered from 1.
    #[must_use]
    pub fn properties(&self, number: u32) -> BTreeMap<String, String> {
        let is_spare = number > self.members;
        let mut properties = self.spare_config.as_ref().filter(|_| is_spare).unwrap_or(&self.config).clone();
        let mut set = |key: &str, value: &str| properties.insert(key.to_string(), value.to_string());
        set("group.id", &self.name);
        set("enable.auto.commit", if self.commit == CommitPolicy::Auto { "true" } else { "false" });
        if self.is_static {
            set("group.instance.id", &self.node(number));
        }
        properties
    }

    /// What the consumer itself says against its configuration: every property by itself was checked, but some contradict each other.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        contradiction(&self.properties(1))
    }

    /// The same of the configuration of members that stand by. What the group promises must not depend on who is in it.
    #[must_use]
    pub fn spare_contradiction(&self) -> Option<String> {
        let spare = self.spare_config.as_ref()?;
        if self.spare == 0 {
            return Some("no member stands by whose properties these could be: `spare` is 0".to_string());
        }
        let is_other = ["auto.offset.reset", "isolation.level"].into_iter().find(|key| spare.get(*key) != self.config.get(*key));
        if let Some(key) = is_other {
            return Some(format!("`{key}` has to be that of `config`: it is the group's"));
        }
        contradiction(&self.properties(self.members + 1))
    }
}

fn contradiction(properties: &BTreeMap<String, String>) -> Option<String> {
    ConsumerConfig::from_properties(properties).err().map(|error| error.to_string())
}
