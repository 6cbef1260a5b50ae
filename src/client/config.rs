//! How clients are configured: Kafka's property names, defaults and cross rules (those of Kafka 4.0).
//!
//! `enable.idempotence` is on unless something it needs is given otherwise: asking for `acks=1` alone turns it off, asking for both
//! is a contradiction (KIP-679). The order of retries and the certainty of failures hang on these rules, so they are errors and not
//! corrections.

use std::collections::BTreeMap;

use super::group::GroupConfig;
use super::properties::{ConfigError, Properties};
use crate::channel::ChannelConfig;
use crate::mutant::Mutants;
use crate::types::{Address, Duration};

/// What every client needs to know.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CommonConfig {
    /// `client.id`: named in every request.
    pub client_id: String,
    /// `bootstrap.servers`: where to ask first.
    pub bootstrap: Vec<Address>,
    /// Decides every choice of chance.
    pub seed: u64,
    /// Planted bugs.
    pub mutants: Mutants,
    /// `request.timeout.ms`: longest wait for a response.
    pub request_timeout: Duration,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub retry_backoff: Backoff,
    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
    pub reconnect_backoff: Backoff,
    /// `metadata.max.age.ms`: metadata older than this are asked for again.
    pub metadata_age_max: Duration,
    /// `default.api.timeout.ms`: how long a command without a time-out of its own may take.
    pub api_timeout: Duration,
    /// `allow.auto.create.topics`: whether asking for a topic may create it, if the broker agrees.
    pub auto_create: bool,
}

/// A wait that doubles with every failure up to a maximum. Simplified: Kafka also spreads it by chance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub max: Duration,
}

impl Backoff {
    /// The wait after `failures` failures in a row.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        match failures {
            0 => Duration::ZERO,
            n => self.first.times(1 << (n - 1).min(16)).min(self.max),
        }
    }
}

/// What a producer waits for before a record counts as written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Acks {
    /// Nothing.
    Zero,
    /// The leader's own log.
    One,
    /// Every in-sync replica.
    All,
}

impl Acks {
    /// The number in requests.
    #[must_use]
    pub fn code(self) -> i16 {
        match self {
            Acks::Zero => 0,
            Acks::One => 1,
            Acks::All => -1,
        }
    }
}

/// A producer's configuration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ProducerConfig {
    /// What every client needs.
    pub common: CommonConfig,
    /// `acks`.
    pub acks: Acks,
    /// `enable.idempotence`: brokers recognise retries.
    pub idempotence: bool,
    /// `max.in.flight.requests.per.connection`.
    pub in_flight_max: usize,
    /// `linger.ms`: how long a batch may wait for company.
    pub linger: Duration,
    /// `batch.size`: bytes at which a batch is full.
    pub batch_bytes_max: usize,
    /// `delivery.timeout.ms`: longest time from the command to its end.
    pub delivery_timeout: Duration,
    /// `retries`: attempts after the first.
    pub retries: u32,
}

/// Where a consumer goes on when its position does not exist.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OffsetReset {
    /// The first record still there.
    Earliest,
    /// The high watermark.
    Latest,
    /// Nowhere: the poll fails.
    None,
}

/// Which records a consumer may see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum IsolationLevel {
    /// All below the high watermark.
    ReadUncommitted,
    /// Those below the last stable offset, without aborted ones.
    ReadCommitted,
}

impl IsolationLevel {
    /// The number in requests.
    #[must_use]
    pub fn code(self) -> i8 {
        match self {
            IsolationLevel::ReadUncommitted => 0,
            IsolationLevel::ReadCommitted => 1,
        }
    }
}

/// A consumer's configuration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConsumerConfig {
    /// What every client needs.
    pub common: CommonConfig,
    /// `fetch.min.bytes`: a broker answers when so much is there ...
    pub fetch_bytes_min: i32,
    /// `fetch.max.wait.ms`: ... or after so long.
    pub fetch_wait_max: Duration,
    /// `max.partition.fetch.bytes`.
    pub partition_bytes_max: i32,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: i32,
    /// `auto.offset.reset`.
    pub reset: OffsetReset,
    /// `isolation.level`.
    pub isolation: IsolationLevel,
    /// `max.poll.records`: no poll returns more.
    pub poll_records_max: usize,
    /// The group that it may be a member of.
    pub group: Option<GroupConfig>,
}

/// An admin client's configuration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AdminConfig {
    /// What every client needs.
    pub common: CommonConfig,
}

impl CommonConfig {
    fn read(properties: &mut Properties<'_>) -> Result<CommonConfig, ConfigError> {
        Ok(CommonConfig {
            client_id: properties.text("client.id").unwrap_or_default().to_owned(),
            bootstrap: properties.addresses("bootstrap.servers")?,
            seed: 0,
            mutants: Mutants::none(),
            request_timeout: properties.millis("request.timeout.ms", 30_000)?,
            retry_backoff: Backoff {
                first: properties.millis("retry.backoff.ms", 100)?,
                max: properties.millis("retry.backoff.max.ms", 1_000)?,
            },
            reconnect_backoff: Backoff {
                first: properties.millis("reconnect.backoff.ms", 50)?,
                max: properties.millis("reconnect.backoff.max.ms", 1_000)?,
            },
            metadata_age_max: properties.millis("metadata.max.age.ms", 300_000)?,
            api_timeout: properties.millis("default.api.timeout.ms", 60_000)?,
            auto_create: properties.choice("allow.auto.create.topics", true, &[("true", true), ("false", false)])?,
        })
    }

    /// How patient the lines to brokers are.
    #[must_use]
    pub fn channel(&self) -> ChannelConfig {
        ChannelConfig {
            client_id: self.client_id.clone(),
            backoff: self.reconnect_backoff.first,
            backoff_max: self.reconnect_backoff.max,
            ..ChannelConfig::default()
        }
    }
}

impl ProducerConfig {
    /// The configuration that these properties describe. Seed and mutants are set by the caller, likewise the bootstrap addresses
    /// if `bootstrap.servers` is not among the properties.
    ///
    /// # Errors
    /// When a property is unknown, a value is not allowed, or two contradict each other.
    pub fn from_properties(given: &BTreeMap<String, String>) -> Result<ProducerConfig, ConfigError> {
        let mut properties = Properties::new(given);
        let acks = properties.choice(
            "acks",
            Acks::All,
            &[("all", Acks::All), ("-1", Acks::All), ("1", Acks::One), ("0", Acks::Zero)],
        )?;
        let in_flight_max = properties.number("max.in.flight.requests.per.connection", 5, 1..=i64::from(i32::MAX))?;
        let retries = properties.number("retries", i64::from(i32::MAX), 0..=i64::from(i32::MAX))?;
        let wanted = properties.choice("enable.idempotence", None, &[("true", Some(true)), ("false", Some(false))])?;
        let config = ProducerConfig {
            common: CommonConfig::read(&mut properties)?,
            acks,
            idempotence: idempotence(wanted, acks, in_flight_max, retries)?,
            in_flight_max: usize::try_from(in_flight_max).expect("the range was checked"),
            linger: properties.millis("linger.ms", 5)?,
            batch_bytes_max: usize::try_from(properties.size("batch.size", 16_384)?).expect("a size is not negative"),
            delivery_timeout: properties.millis("delivery.timeout.ms", 120_000)?,
            retries: u32::try_from(retries).expect("the range was checked"),
        };
        properties.finish()?;
        let least = Duration(config.linger.0 + config.common.request_timeout.0);
        if config.delivery_timeout < least {
            let rule = "it must not be smaller than linger.ms + request.timeout.ms";
            return Err(ConfigError::Conflict { key: "delivery.timeout.ms", other: "request.timeout.ms", rule });
        }
        Ok(config)
    }
}

/// Whether the producer is idempotent: if asked, or if nobody said no and the rest allows it.
fn idempotence(wanted: Option<bool>, acks: Acks, in_flight_max: i64, retries: i64) -> Result<bool, ConfigError> {
    let conflict = |key, rule| ConfigError::Conflict { key, other: "enable.idempotence", rule };
    let needed = if acks != Acks::All {
        Err(conflict("acks", "an idempotent producer needs acks=all"))
    } else if in_flight_max > 5 {
        Err(conflict("max.in.flight.requests.per.connection", "an idempotent producer allows at most 5"))
    } else if retries == 0 {
        Err(conflict("retries", "an idempotent producer needs retries"))
    } else {
        Ok(true)
    };
    match (wanted, needed) {
        (Some(false), _) => Ok(false),
        (Some(true), needed) => needed,
        (None, needed) => Ok(needed.is_ok()),
    }
}

impl ConsumerConfig {
    /// The configuration that these properties describe; see [`ProducerConfig::from_properties`].
    ///
    /// # Errors
    /// When a property is unknown or a value is not allowed.
    pub fn from_properties(given: &BTreeMap<String, String>) -> Result<ConsumerConfig, ConfigError> {
        let mut properties = Properties::new(given);
        let resets = [("latest", OffsetReset::Latest), ("earliest", OffsetReset::Earliest), ("none", OffsetReset::None)];
        let levels = [("read_uncommitted", IsolationLevel::ReadUncommitted), ("read_committed", IsolationLevel::ReadCommitted)];
        let config = ConsumerConfig {
            common: CommonConfig::read(&mut properties)?,
            fetch_bytes_min: properties.size("fetch.min.bytes", 1)?,
            fetch_wait_max: properties.millis("fetch.max.wait.ms", 500)?,
            partition_bytes_max: properties.size("max.partition.fetch.bytes", 1 << 20)?,
            fetch_bytes_max: properties.size("fetch.max.bytes", 50 << 20)?,
            reset: properties.choice("auto.offset.reset", OffsetReset::Latest, &resets)?,
            isolation: properties.choice("isolation.level", IsolationLevel::ReadUncommitted, &levels)?,
            poll_records_max: usize::try_from(properties.number("max.poll.records", 500, 1..=i64::from(i32::MAX))?)
                .expect("the range was checked"),
            group: GroupConfig::read(&mut properties)?,
        };
        properties.finish()?;
        Ok(config)
    }
}

impl AdminConfig {
    /// The configuration that these properties describe; see [`ProducerConfig::from_properties`].
    ///
    /// # Errors
    /// When a property is unknown or a value is not allowed.
    pub fn from_properties(given: &BTreeMap<String, String>) -> Result<AdminConfig, ConfigError> {
        let mut properties = Properties::new(given);
        let config = AdminConfig { common: CommonConfig::read(&mut properties)? };
        properties.finish()?;
        Ok(config)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn producer(given: &[(&str, &str)]) -> Result<ProducerConfig, ConfigError> {
        ProducerConfig::from_properties(&given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn defaults_are_those_of_kafka() {
        let config = producer(&[]).unwrap();
        assert_eq!((config.acks, config.idempotence, config.in_flight_max), (Acks::All, true, 5));
        assert_eq!((config.linger, config.delivery_timeout), (Duration::millis(5), Duration::secs(120)));
        assert_eq!(ConsumerConfig::from_properties(&BTreeMap::new()).unwrap().reset, OffsetReset::Latest);
    }

    #[test]
    fn unknown_property_is_named_with_what_was_allowed() {
        let error = producer(&[("ack", "all")]).unwrap_err().to_string();
        assert!(error.starts_with("unknown property `ack`; allowed are acks, allow.auto.create.topics, batch.size"), "{error}");
    }

    #[test]
    fn bad_value_is_named_with_what_was_allowed() {
        let error = producer(&[("acks", "2")]).unwrap_err().to_string();
        assert_eq!(error, "`acks` is `2`; allowed is one of `all`, `-1`, `1`, `0`");
        let error = producer(&[("linger.ms", "soon")]).unwrap_err().to_string();
        assert_eq!(error, "`linger.ms` is `soon`; allowed is a whole number from 0 to 2147483647");
    }

    #[test]
    fn idempotence_gives_way_unless_it_was_asked_for() {
        assert!(!producer(&[("acks", "1")]).unwrap().idempotence);
        assert!(producer(&[("acks", "1"), ("enable.idempotence", "true")]).is_err());
        assert!(producer(&[("max.in.flight.requests.per.connection", "6"), ("enable.idempotence", "true")]).is_err());
    }

    #[test]
    fn delivery_takes_at_least_linger_and_one_request() {
        assert!(producer(&[("delivery.timeout.ms", "30004")]).is_err());
        assert!(producer(&[("delivery.timeout.ms", "30005")]).is_ok());
    }

    #[test]
    fn back_off_doubles_up_to_its_maximum() {
        let backoff = Backoff { first: Duration::millis(100), max: Duration::secs(1) };
        let waits: Vec<u64> = [0, 1, 2, 4, 5, 99].iter().map(|n| backoff.after(*n).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 800, 1000, 1000]);
    }
}
