//! A topic's configuration: strings under Kafka's names, checked when the topic is created, read through typed questions.
//!
//! Only what was set explicitly is stored, as in Kafka; everything else has the default of Kafka 4.0. All properties a topic can have
//! are known by name and checked, also those that change nothing here, so that a scenario or a tool written for Kafka works and a
//! misspelt name is refused instead of being ignored.

use std::collections::BTreeMap;

/// The type of a property's value, with Kafka's number for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueKind {
    /// `true` or `false`.
    Boolean = 1,
    /// Text.
    String = 2,
    /// A 32-bit number.
    Int = 3,
    /// A 16-bit number.
    Short = 4,
    /// A 64-bit number.
    Long = 5,
    /// A fraction.
    Double = 6,
    /// Words, separated by commas.
    List = 7,
}

/// A property that a topic can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Property {
    /// Kafka's name.
    pub name: &'static str,
    /// The value of Kafka 4.0 where nothing is set.
    pub default: &'static str,
    /// The type of its value.
    pub kind: ValueKind,
}

/// What a property may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Domain {
    /// `true` or `false`.
    Bool,
    /// A 32-bit number, not less than this.
    Int(i32),
    /// A 64-bit number, not less than this.
    Long(i64),
    /// A fraction from 0 to 1.
    Fraction,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One or several of these words, separated by commas.
    Words(&'static [&'static str]),
    /// Any words, separated by commas.
    Texts,
}

/// Every property with its default and domain, in order of names.
const PROPERTIES: &[(&str, &str, Domain)] = &[
    ("cleanup.policy", "delete", Domain::Words(&["delete", "compact"])),
    ("compression.gzip.level", "-1", Domain::Int(-1)),
    ("compression.lz4.level", "9", Domain::Int(1)),
    ("compression.type", "producer", Domain::Word(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])),
    ("compression.zstd.level", "3", Domain::Int(-131_072)),
    ("delete.retention.ms", "86400000", Domain::Long(0)),
    ("file.delete.delay.ms", "60000", Domain::Long(0)),
    ("flush.messages", "9223372036854775807", Domain::Long(1)),
    ("flush.ms", "9223372036854775807", Domain::Long(0)),
    ("follower.replication.throttled.replicas", "", Domain::Texts),
    ("index.interval.bytes", "4096", Domain::Int(0)),
    ("leader.replication.throttled.replicas", "", Domain::Texts),
    ("local.retention.bytes", "-2", Domain::Long(-2)),
    ("local.retention.ms", "-2", Domain::Long(-2)),
    ("max.compaction.lag.ms", "9223372036854775807", Domain::Long(1)),
    ("max.message.bytes", "1048588", Domain::Int(0)),
    ("message.timestamp.after.max.ms", "3600000", Domain::Long(0)),
    ("message.timestamp.before.max.ms", "9223372036854775807", Domain::Long(0)),
    ("message.timestamp.type", "CreateTime", Domain::Word(&["CreateTime", "LogAppendTime"])),
    ("min.cleanable.dirty.ratio", "0.5", Domain::Fraction),
    ("min.compaction.lag.ms", "0", Domain::Long(0)),
    ("min.insync.replicas", "1", Domain::Int(1)),
    ("preallocate", "false", Domain::Bool),
    ("remote.log.copy.disable", "false", Domain::Bool),
    ("remote.log.delete.on.disable", "false", Domain::Bool),
    ("remote.storage.enable", "false", Domain::Bool),
    ("retention.bytes", "-1", Domain::Long(-1)),
    ("retention.ms", "604800000", Domain::Long(-1)),
    ("segment.bytes", "1073741824", Domain::Int(14)),
    ("segment.index.bytes", "10485760", Domain::Int(4)),
    ("segment.jitter.ms", "0", Domain::Long(0)),
    ("segment.ms", "604800000", Domain::Long(1)),
    ("unclean.leader.election.enable", "false", Domain::Bool),
];

/// Why a property cannot be set.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such property.
    #[error("Unknown topic config name: {name}")]
    Unknown {
        /// The name given.
        name: String,
    },
    /// A property without a value.
    #[error("Null value not supported for topic config: {name}")]
    Null {
        /// Which property.
        name: String,
    },
    /// The value is not of the kind this property holds.
    #[error("Invalid value {value} for configuration {name}: {domain}")]
    Value {
        /// Which property.
        name: String,
        /// The value given.
        value: String,
        /// What would have been allowed.
        domain: String,
    },
    /// Two properties that cannot both hold.
    #[error("conflict topic config setting {low} ({low_value}) > {high} ({high_value})")]
    Conflict {
        /// What must not be larger.
        low: &'static str,
        /// Its value.
        low_value: i64,
        /// Than this.
        high: &'static str,
        /// Its value.
        high_value: i64,
    },
    /// A property is named twice.
    #[error("Duplicate topic config name: {name}")]
    Twice {
        /// Which property.
        name: String,
    },
}

/// What was set for a topic; everything else has its default.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct TopicConfig {
    set: BTreeMap<String, String>,
}

impl TopicConfig {
    /// The configuration made of these properties.
    ///
    /// # Errors
    /// If one is unknown, named twice, null, or its value is outside its domain.
    pub fn checked<'a>(entries: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Result<TopicConfig, ConfigError> {
        let mut config = TopicConfig::default();
        for (name, value) in entries {
            let name = name.to_owned();
            let Some(value) = value else { return Err(ConfigError::Null { name }) };
            check(&name, value)?;
            if config.set.insert(name.clone(), value.to_owned()).is_some() {
                return Err(ConfigError::Twice { name });
            }
        }
        config.check_lags()?;
        Ok(config)
    }

    /// All properties a topic can have, in order of names.
    pub fn properties() -> impl Iterator<Item = Property> {
        PROPERTIES.iter().map(|(name, default, domain)| Property { name, default, kind: domain.kind() })
    }

    /// Whether this property holds a list, to which can be added.
    #[must_use]
    pub fn is_list(name: &str) -> bool {
        property(name).is_some_and(|(_, domain)| domain.kind() == ValueKind::List)
    }

    fn check_lags(&self) -> Result<(), ConfigError> {
        let (low, high) = ("min.compaction.lag.ms", "max.compaction.lag.ms");
        let (low_value, high_value) = (self.number(low), self.number(high));
        match low_value <= high_value {
            true => Ok(()),
            false => Err(ConfigError::Conflict { low, low_value, high, high_value }),
        }
    }

    /// Sets or, with `None`, removes a property, as a record of the metadata log says.
    ///
    /// # Errors
    /// If a known property gets a value outside its domain. Names from a newer node are kept without being understood.
    pub fn apply(&mut self, name: &str, value: Option<&str>) -> Result<(), ConfigError> {
        let Some(value) = value else {
            self.set.remove(name);
            return Ok(());
        };
        if property(name).is_some() {
            check(name, value)?;
        }
        self.set.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// What was set, in order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value that was set for a property.
    #[must_use]
    pub fn own(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str)
    }

    /// Whether a value was set for a property.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    /// The value in force for a property that exists, set or default.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str).or_else(|| property(name).map(|(default, _)| default))
    }

    /// `min.insync.replicas`: with fewer in sync, `acks=all` is refused. Not yet limited by the number of replicas.
    #[must_use]
    pub fn min_isr(&self) -> u32 {
        u32::try_from(self.number("min.insync.replicas")).expect("checked to lie from 1 to i32::MAX")
    }

    /// `unclean.leader.election.enable`.
    #[must_use]
    pub fn unclean_election(&self) -> bool {
        self.flag("unclean.leader.election.enable")
    }

    /// `flush.messages`: sync after that many records; 1 makes every acknowledgement durable.
    #[must_use]
    pub fn flush_messages(&self) -> u64 {
        self.number("flush.messages").unsigned_abs()
    }

    /// `flush.messages=1`: what is acknowledged is durable.
    #[must_use]
    pub fn flush_each_batch(&self) -> bool {
        self.flush_messages() == 1
    }

    /// `segment.bytes`: a segment is rolled before it grows beyond this.
    #[must_use]
    pub fn segment_bytes(&self) -> u64 {
        self.number("segment.bytes").unsigned_abs()
    }

    /// `segment.ms`: a segment is rolled when its first record is this old.
    #[must_use]
    pub fn segment_ms(&self) -> u64 {
        self.number("segment.ms").unsigned_abs()
    }

    /// `index.interval.bytes`: one index entry per so many bytes of log.
    #[must_use]
    pub fn index_interval_bytes(&self) -> u64 {
        self.number("index.interval.bytes").unsigned_abs()
    }

    /// `retention.ms`: older segments are deleted; `None` is for ever.
    #[must_use]
    pub fn retention_ms(&self) -> Option<u64> {
        u64::try_from(self.number("retention.ms")).ok()
    }

    /// `retention.bytes`: the oldest segments are deleted while the log is larger; `None` is without limit.
    #[must_use]
    pub fn retention_bytes(&self) -> Option<u64> {
        u64::try_from(self.number("retention.bytes")).ok()
    }

    /// `max.message.bytes`: a larger batch is refused.
    #[must_use]
    pub fn max_message_bytes(&self) -> usize {
        usize::try_from(self.number("max.message.bytes")).expect("checked not to be negative")
    }

    /// Whether `cleanup.policy` contains `delete`.
    #[must_use]
    pub fn deletes(&self) -> bool {
        self.policies().any(|policy| policy == "delete")
    }

    /// Whether `cleanup.policy` contains `compact`.
    #[must_use]
    pub fn compacts(&self) -> bool {
        self.policies().any(|policy| policy == "compact")
    }

    /// `min.cleanable.dirty.ratio` in thousandths, rounded down.
    #[must_use]
    pub fn min_cleanable_dirty_permille(&self) -> u32 {
        let value = self.value("min.cleanable.dirty.ratio").map_or("", str::trim);
        let (whole, part) = value.split_once('.').unwrap_or((value, ""));
        let thousandths = part.bytes().chain([b'0'; 3]).take(3).fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        whole.parse::<u32>().expect("0 or 1, checked when it was set") * 1000 + thousandths
    }

    /// `min.compaction.lag.ms`: how old a record must be before it is compacted.
    #[must_use]
    pub fn min_compaction_lag_ms(&self) -> u64 {
        self.number("min.compaction.lag.ms").unsigned_abs()
    }

    /// `max.compaction.lag.ms`: how old a record may become before it is compacted.
    #[must_use]
    pub fn max_compaction_lag_ms(&self) -> u64 {
        self.number("max.compaction.lag.ms").unsigned_abs()
    }

    /// `delete.retention.ms`: how long a tombstone stays after it was first met.
    #[must_use]
    pub fn delete_retention_ms(&self) -> u64 {
        self.number("delete.retention.ms").unsigned_abs()
    }

    /// Whether `message.timestamp.type` lets the leader stamp records.
    #[must_use]
    pub fn log_append_time(&self) -> bool {
        self.value("message.timestamp.type") == Some("LogAppendTime")
    }

    /// `message.timestamp.before.max.ms`: how far in the past a record may be dated.
    #[must_use]
    pub fn timestamp_before_ms(&self) -> u64 {
        self.number("message.timestamp.before.max.ms").unsigned_abs()
    }

    /// `message.timestamp.after.max.ms`: how far in the future a record may be dated.
    #[must_use]
    pub fn timestamp_after_ms(&self) -> u64 {
        self.number("message.timestamp.after.max.ms").unsigned_abs()
    }

    fn policies(&self) -> impl Iterator<Item = &str> {
        self.value("cleanup.policy").unwrap_or_default().split(',').map(str::trim)
    }

    fn number(&self, name: &str) -> i64 {
        self.value(name).and_then(|value| value.trim().parse().ok()).expect("a known number, checked when it was set")
    }

    fn flag(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }
}

fn property(name: &str) -> Option<(&'static str, Domain)> {
    let at = PROPERTIES.binary_search_by(|(known, _, _)| (*known).cmp(name)).ok()?;
    let (_, default, domain) = PROPERTIES[at];
    Some((default, domain))
}

fn check(name: &str, value: &str) -> Result<(), ConfigError> {
    let Some((_, domain)) = property(name) else { return Err(ConfigError::Unknown { name: name.to_owned() }) };
    match domain.holds(value.trim()) {
        true => Ok(()),
        false => {
            let (name, value) = (name.to_owned(), value.to_owned());
            Err(ConfigError::Value { domain: domain.told(&value), name, value })
        }
    }
}

impl Domain {
    fn kind(self) -> ValueKind {
        match self {
            Domain::Bool => ValueKind::Boolean,
            Domain::Int(_) => ValueKind::Int,
            Domain::Long(_) => ValueKind::Long,
            Domain::Fraction => ValueKind::Double,
            Domain::Word(_) => ValueKind::String,
            Domain::Words(_) | Domain::Texts => ValueKind::List,
        }
    }

    /// What is wrong with a value, in Kafka's words.
    fn told(self, value: &str) -> String {
        match self {
            Domain::Bool => "Expected value to be either true or false".to_owned(),
            Domain::Int(least) if value.trim().parse::<i32>().is_ok() => format!("Value must be at least {least}"),
            Domain::Int(_) => "Not a number of type INT".to_owned(),
            Domain::Long(least) if value.trim().parse::<i64>().is_ok() => format!("Value must be at least {least}"),
            Domain::Long(_) => "Not a number of type LONG".to_owned(),
            Domain::Fraction => "Value must be between 0 and 1".to_owned(),
            Domain::Word(words) => format!("String must be one of: {}", words.join(", ")),
            Domain::Words(words) => format!("String must be one of: {}", words.join(", ")),
            Domain::Texts => "Anything is allowed".to_owned(),
        }
    }

    fn holds(self, value: &str) -> bool {
        match self {
            Domain::Bool => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            Domain::Int(least) => value.parse::<i32>().is_ok_and(|number| number >= least),
            Domain::Long(least) => value.parse::<i64>().is_ok_and(|number| number >= least),
            Domain::Fraction => is_fraction(value),
            Domain::Word(words) => words.contains(&value),
            // No policy at all is one: nothing is given up.
            Domain::Words(words) => value.is_empty() || value.split(',').all(|word| words.contains(&word.trim())),
            Domain::Texts => true,
        }
    }
}

/// `0`, `1`, or digits after a point; whole part at most 1.
fn is_fraction(value: &str) -> bool {
    let (whole, part) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(part) && (whole == "0" || whole == "1" && part.bytes().all(|byte| byte == b'0'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_told_in_thousandths() {
        for (ratio, permille) in
            [("0.5", 500), ("0", 0), ("1", 1000), ("1.0", 1000), ("0.0009", 0), ("0.12", 120), ("0.1239", 123)]
        {
            let config = TopicConfig::checked([("min.cleanable.dirty.ratio", Some(ratio))]).unwrap();
            assert_eq!(config.min_cleanable_dirty_permille(), permille, "{ratio}");
        }
        assert_eq!(TopicConfig::default().min_cleanable_dirty_permille(), 500);
    }

    #[test]
    fn properties_are_in_order_and_their_defaults_are_legal() {
        assert!(PROPERTIES.is_sorted_by(|a, b| a.0 < b.0));
        for (name, default, _) in PROPERTIES {
            assert_eq!(check(name, default), Ok(()));
        }
    }

    #[test]
    fn defaults_are_kafkas() {
        let config = TopicConfig::default();
        assert_eq!((config.min_isr(), config.unclean_election(), config.flush_each_batch()), (1, false, false));
        assert_eq!((config.segment_bytes(), config.retention_ms(), config.retention_bytes()), (1 << 30, Some(604_800_000), None));
        assert!(config.deletes() && !config.compacts());
    }

    #[test]
    fn wrong_properties_are_refused_by_name() {
        let refused = |name, value| TopicConfig::checked([(name, value)]).unwrap_err().to_string();
        assert_eq!(refused("min.isr", Some("2")), "Unknown topic config name: min.isr");
        assert_eq!(refused("min.insync.replicas", None), "Null value not supported for topic config: min.insync.replicas");
        for (name, value) in [
            ("min.insync.replicas", "0"),
            ("min.insync.replicas", "two"),
            ("segment.bytes", "99999999999"),
            ("flush.messages", "0"),
            ("unclean.leader.election.enable", "yes"),
            ("cleanup.policy", "delete,forget"),
            ("compression.type", "middle-out"),
            ("min.cleanable.dirty.ratio", "1.5"),
            ("retention.ms", "-2"),
        ] {
            let refusal = refused(name, Some(value));
            assert!(refusal.starts_with(&format!("Invalid value {value} for configuration {name}: ")), "{refusal}");
        }
    }

    #[test]
    fn a_refusal_says_what_would_be_allowed() {
        let refused = |name, value| TopicConfig::checked([(name, Some(value))]).unwrap_err().to_string();
        for (name, value, domain) in [
            ("retention.ms", "soon", "Not a number of type LONG"),
            ("retention.ms", "-2", "Value must be at least -1"),
            ("segment.bytes", "99999999999", "Not a number of type INT"),
            ("message.timestamp.type", "Now", "String must be one of: CreateTime, LogAppendTime"),
        ] {
            assert_eq!(refused(name, value), format!("Invalid value {value} for configuration {name}: {domain}"));
        }
    }

    #[test]
    fn lags_that_contradict_each_other_are_refused() {
        let lags = [("max.compaction.lag.ms", Some("5")), ("min.compaction.lag.ms", Some("6"))];
        assert!(TopicConfig::checked(lags).unwrap_err().to_string().starts_with("conflict topic config setting min.compaction"));
    }

    #[test]
    fn a_property_set_twice_is_refused() {
        let twice = [("retention.ms", Some("1")), ("retention.ms", Some("2"))];
        assert_eq!(TopicConfig::checked(twice).unwrap_err(), ConfigError::Twice { name: "retention.ms".to_owned() });
    }
}
