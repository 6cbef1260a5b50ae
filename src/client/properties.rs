//! Kafka's properties: names and values as text, checked one by one.
//!
//! A property that nobody reads is a mistake of the person who wrote it (a misspelt `ack` must not silently leave the default in
//! force), so [`Properties::finish`] refuses what was not asked for, and every error says what was allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use thiserror::Error;

use crate::types::{Address, Duration};

/// Why properties make no configuration.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ConfigError {
    /// No such property.
    #[error("unknown property `{key}`; allowed are {allowed}")]
    Unknown {
        /// As it was written.
        key: String,
        /// The properties there are.
        allowed: String,
    },
    /// The value is not one of those allowed.
    #[error("`{key}` is `{value}`; allowed is {allowed}")]
    Value {
        /// The property.
        key: &'static str,
        /// Its value as it was written.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// Two properties contradict each other.
    #[error("`{key}` contradicts `{other}`: {rule}")]
    Conflict {
        /// The one that is refused.
        key: &'static str,
        /// The one it does not go with.
        other: &'static str,
        /// What has to hold.
        rule: &'static str,
    },
}

/// Properties that are read one after the other.
pub(super) struct Properties<'a> {
    given: &'a BTreeMap<String, String>,
    known: BTreeSet<&'static str>,
}

impl<'a> Properties<'a> {
    /// Nothing read so far.
    pub(super) fn new(given: &'a BTreeMap<String, String>) -> Properties<'a> {
        Properties { given, known: BTreeSet::new() }
    }

    /// The value as it was written.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'a str> {
        self.known.insert(key);
        self.given.get(key).map(|value| value.trim())
    }

    /// A whole number within `range`.
    pub(super) fn number(&mut self, key: &'static str, default: i64, range: RangeInclusive<i64>) -> Result<i64, ConfigError> {
        let Some(text) = self.text(key) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| bad(key, text, format!("a whole number from {} to {}", range.start(), range.end())))
    }

    /// A size or count that fits 32 bits.
    pub(super) fn size(&mut self, key: &'static str, default: i32) -> Result<i32, ConfigError> {
        let number = self.number(key, i64::from(default), 0..=i64::from(i32::MAX))?;
        Ok(i32::try_from(number).expect("the range was checked"))
    }

    /// A span of time, written as milliseconds.
    pub(super) fn millis(&mut self, key: &'static str, default: u64) -> Result<Duration, ConfigError> {
        let number = self.number(key, i64::try_from(default).expect("defaults are small"), 0..=i64::from(i32::MAX))?;
        Ok(Duration::from_millis_field(number))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, default: T, words: &[(&str, T)]) -> Result<T, ConfigError> {
        let Some(text) = self.text(key) else { return Ok(default) };
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let allowed: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            bad(key, text, format!("one of {}", allowed.join(", ")))
        })
    }

    /// A list of such words, separated by commas.
    pub(super) fn choices<T: Copy>(
        &mut self,
        key: &'static str,
        default: &[T],
        words: &[(&str, T)],
    ) -> Result<Vec<T>, ConfigError> {
        let Some(text) = self.text(key) else { return Ok(default.to_vec()) };
        let find = |part: &str| words.iter().find(|(word, _)| *word == part.trim()).map(|(_, value)| *value);
        let found: Option<Vec<T>> = text.split(',').map(find).collect();
        found.ok_or_else(|| {
            let allowed: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            bad(key, text, format!("a list of {}", allowed.join(", ")))
        })
    }

    /// A list of `host:port`, separated by commas.
    pub(super) fn addresses(&mut self, key: &'static str) -> Result<Vec<Address>, ConfigError> {
        let Some(text) = self.text(key) else { return Ok(Vec::new()) };
        let address = |part: &str| {
            let (host, port) = part.trim().rsplit_once(':')?;
            Some(Address::new(host, port.parse().ok()?)).filter(|_| !host.is_empty())
        };
        let addresses: Option<Vec<Address>> = text.split(',').map(address).collect();
        addresses.ok_or_else(|| bad(key, text, "a list of host:port, separated by commas".to_owned()))
    }

    /// Refuses what nobody has asked for.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        match self.given.keys().find(|key| !self.known.contains(key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let allowed: Vec<&str> = self.known.into_iter().collect();
                Err(ConfigError::Unknown { key: key.clone(), allowed: allowed.join(", ") })
            }
        }
    }
}

fn bad(key: &'static str, value: &str, allowed: String) -> ConfigError {
    ConfigError::Value { key, value: value.to_owned(), allowed }
}
