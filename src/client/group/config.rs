//! How a member of a group is configured: Kafka's property names and defaults.

use std::sync::Arc;

use crate::client::assignor::{Discipline, Strategy};
use crate::client::properties::{ConfigError, Properties};
use crate::types::Duration;

/// Java's classes are named in full.
const PACKAGE: &str = "org.apache.kafka.clients.consumer.";

/// Which protocol a member speaks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Protocol {
    /// `classic`: generations, and a leading member that shares out.
    Classic,
    /// `consumer`: member epochs, and a coordinator that shares out (KIP-848).
    Consumer {
        /// `group.remote.assignor`: how the coordinator is to share out; `None`: as it likes.
        assignor: Option<&'static str>,
    },
}

/// A member's configuration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GroupConfig {
    /// `group.id`.
    pub id: Arc<str>,
    /// `group.instance.id`: a static member (KIP-345), which keeps its place over restarts.
    pub instance: Option<Arc<str>>,
    /// `group.protocol`.
    pub protocol: Protocol,
    /// `session.timeout.ms`: a member silent for so long is removed.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`. With the newer protocol both are the coordinator's business.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: an application that does not poll for so long is taken out; and so long a rebalance waits for it.
    pub poll_interval_max: Duration,
    /// `auto.commit.interval.ms`, if `enable.auto.commit`.
    pub auto_commit: Option<Duration>,
    /// `partition.assignment.strategy`: the one liked best first.
    pub strategies: Vec<Strategy>,
}

impl GroupConfig {
    /// Reads it; `None` without `group.id`.
    ///
    /// # Errors
    /// When a value is not allowed, or two contradict each other.
    pub(in crate::client) fn read(properties: &mut Properties<'_>) -> Result<Option<GroupConfig>, ConfigError> {
        let id = properties.text("group.id").filter(|id| !id.is_empty());
        let instance = properties.text("group.instance.id").map(Arc::from);
        let wanted = properties.choice("enable.auto.commit", None, &[("true", Some(true)), ("false", Some(false))])?;
        let interval = properties.millis("auto.commit.interval.ms", 5_000)?;
        let protocol = protocol(properties)?;
        let config = GroupConfig {
            id: Arc::from(id.unwrap_or_default()),
            instance,
            protocol,
            session_timeout: properties.millis("session.timeout.ms", 45_000)?,
            heartbeat_interval: properties.millis("heartbeat.interval.ms", 3_000)?,
            poll_interval_max: properties.millis("max.poll.interval.ms", 300_000)?,
            auto_commit: wanted.unwrap_or(true).then_some(interval),
            strategies: strategies(properties)?,
        };
        if id.is_none() {
            let rule = "there is no group in which offsets could be committed";
            let conflict = ConfigError::Conflict { key: "enable.auto.commit", other: "group.id", rule };
            return if wanted == Some(true) { Err(conflict) } else { Ok(None) };
        }
        if config.heartbeat_interval >= config.session_timeout {
            let rule = "it must be smaller, else the session is over before the first heartbeat";
            return Err(ConfigError::Conflict { key: "heartbeat.interval.ms", other: "session.timeout.ms", rule });
        }
        Ok(Some(config))
    }

    /// Whether it speaks the newer protocol.
    #[must_use]
    pub fn is_modern(&self) -> bool {
        matches!(self.protocol, Protocol::Consumer { .. })
    }

    /// How the member prepares for a rebalance: cooperatively only if all its assignors can.
    #[must_use]
    pub fn discipline(&self) -> Discipline {
        let all = self.strategies.iter().all(|strategy| strategy.discipline() == Discipline::Cooperative);
        if all { Discipline::Cooperative } else { Discipline::Eager }
    }
}

/// Assignors of coordinators.
const REMOTE_ASSIGNORS: [(&str, Option<&str>); 2] = [("uniform", Some("uniform")), ("range", Some("range"))];
/// What the coordinator decides in the newer protocol.
const CLASSIC_ONLY: [&str; 3] = ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"];

fn protocol(properties: &mut Properties<'_>) -> Result<Protocol, ConfigError> {
    let is_modern = properties.choice("group.protocol", false, &[("classic", false), ("consumer", true)])?;
    let assignor = properties.choice("group.remote.assignor", None, &REMOTE_ASSIGNORS)?;
    let conflict = |key, rule| Err(ConfigError::Conflict { key, other: "group.protocol", rule });
    if !is_modern {
        return match assignor {
            None => Ok(Protocol::Classic),
            Some(_) => conflict("group.remote.assignor", "members of the classic protocol share out themselves"),
        };
    }
    match CLASSIC_ONLY.iter().find(|key| properties.text(key).is_some()) {
        Some(key) => conflict(key, "with `consumer` the coordinator decides this"),
        None => Ok(Protocol::Consumer { assignor }),
    }
}

fn strategies(properties: &mut Properties<'_>) -> Result<Vec<Strategy>, ConfigError> {
    let full: Vec<String> = Strategy::ALL.iter().map(|one| format!("{PACKAGE}{}", one.class())).collect();
    let mut words: Vec<(&str, Strategy)> = Strategy::ALL.iter().map(|one| (one.name(), *one)).collect();
    words.extend(full.iter().map(String::as_str).zip(Strategy::ALL));
    words.extend(Strategy::ALL.iter().map(|one| (one.class(), *one)));
    let usual = [Strategy::Range, Strategy::CooperativeSticky];
    properties.choices("partition.assignment.strategy", &usual, &words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::client::ConsumerConfig;

    fn read(given: &[(&str, &str)]) -> Result<Option<GroupConfig>, ConfigError> {
        let given = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ConsumerConfig::from_properties(&given).map(|config| config.group)
    }

    #[test]
    fn defaults_are_those_of_kafka() {
        let config = read(&[("group.id", "g")]).unwrap().unwrap();
        assert_eq!((config.session_timeout, config.heartbeat_interval), (Duration::secs(45), Duration::secs(3)));
        assert_eq!((config.poll_interval_max, config.auto_commit), (Duration::secs(300), Some(Duration::secs(5))));
        assert_eq!((config.strategies.len(), config.discipline()), (2, Discipline::Eager));
    }

    #[test]
    fn without_a_group_nothing_is_committed() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&[("enable.auto.commit", "false")]).unwrap(), None);
        assert!(read(&[("enable.auto.commit", "true")]).is_err());
    }

    #[test]
    fn assignors_have_short_names_and_classes() {
        let of = |value| read(&[("group.id", "g"), ("partition.assignment.strategy", value)]).map(|c| c.unwrap().strategies);
        assert_eq!(of("cooperative-sticky").unwrap(), [Strategy::CooperativeSticky]);
        let both = "org.apache.kafka.clients.consumer.StickyAssignor, roundrobin";
        assert_eq!(of(both).unwrap(), [Strategy::Sticky, Strategy::RoundRobin]);
        let error = of("fair").unwrap_err().to_string();
        assert!(
            error.starts_with("`partition.assignment.strategy` is `fair`; allowed is a list of `range`, `roundrobin`"),
            "{error}"
        );
    }

    #[test]
    fn what_the_coordinator_decides_is_not_configured() {
        let of = |more: &[(&str, &str)]| read(&[&[("group.id", "g"), ("group.protocol", "consumer")], more].concat());
        assert_eq!(read(&[("group.id", "g")]).unwrap().unwrap().protocol, Protocol::Classic);
        assert_eq!(of(&[]).unwrap().unwrap().protocol, Protocol::Consumer { assignor: None });
        let range = Protocol::Consumer { assignor: Some("range") };
        assert_eq!(of(&[("group.remote.assignor", "range")]).unwrap().unwrap().protocol, range);
        for key in CLASSIC_ONLY {
            let value = if key.starts_with("partition") { "range" } else { "1000" };
            assert!(matches!(of(&[(key, value)]), Err(ConfigError::Conflict { .. })), "{key}");
        }
        assert!(read(&[("group.id", "g"), ("group.remote.assignor", "uniform")]).is_err());
    }

    #[test]
    fn heartbeats_come_more_often_than_sessions_end() {
        assert!(read(&[("group.id", "g"), ("session.timeout.ms", "3000")]).is_err());
        assert!(read(&[("group.id", "g"), ("session.timeout.ms", "3001")]).is_ok());
    }
}
