//! What the words of a script mean.

use std::collections::BTreeMap;
use std::error::Error;

use goldenscript::{Argument, Command};

use crate::types::{BrokerId, Duration};

use super::stage::Who;

pub(super) type Failure = Box<dyn Error>;

/// The arguments of a command: in order, and by key.
pub(super) struct Arguments {
    pub plain: Vec<String>,
    pub keyed: BTreeMap<String, String>,
}

impl Arguments {
    pub fn of(command: &Command) -> Arguments {
        let (mut plain, mut keyed) = (Vec::new(), BTreeMap::new());
        for argument in &command.args {
            match argument {
                Argument::Positional(value) => plain.push(value.clone()),
                Argument::KeyValue(key, value) => drop(keyed.insert(key.clone(), value.clone())),
                // The library may invent more kinds.
                _ => {}
            }
        }
        Arguments { plain, keyed }
    }

    pub fn at(&self, place: usize) -> Result<&str, Failure> {
        self.plain.get(place).map(String::as_str).ok_or_else(|| format!("argument {place} is missing").into())
    }

    pub fn from(&self, place: usize) -> &[String] {
        self.plain.get(place..).unwrap_or_default()
    }

    pub fn take(&mut self, key: &str) -> Option<String> {
        self.keyed.remove(key)
    }

    pub fn number<N: std::str::FromStr>(&self, key: &str, default: N) -> Result<N, Failure> {
        match self.keyed.get(key) {
            Some(value) => value.parse().map_err(|_| format!("{key}={value} is no number").into()),
            None => Ok(default),
        }
    }

    pub fn time(&self, key: &str, default: Duration) -> Result<Duration, Failure> {
        self.keyed.get(key).map_or(Ok(default), |value| time(value))
    }
}

pub(super) fn time(text: &str) -> Result<Duration, Failure> {
    match text.strip_suffix("ms") {
        Some(millis) => Ok(Duration::millis(millis.parse()?)),
        None => Ok(Duration::secs(text.strip_suffix('s').ok_or("a time ends in s or ms")?.parse()?)),
    }
}

pub(super) fn broker(text: &str) -> Result<BrokerId, Failure> {
    Ok(BrokerId(text.strip_prefix('b').ok_or("a broker is called b1, b2 ...")?.parse()?))
}

pub(super) fn who(text: &str) -> Result<Who, Failure> {
    match text.strip_prefix('c') {
        Some("") => Ok(Who::Controller),
        Some(_) => Ok(Who::Client(text.to_owned())),
        None => Ok(Who::Broker(broker(text)?)),
    }
}

pub(super) fn numbers(text: &str) -> Result<Vec<i32>, Failure> {
    Ok(text.split('/').map(str::parse).collect::<Result<_, _>>()?)
}

pub(super) fn partition(text: &str) -> Result<(&str, i32), Failure> {
    let (topic, index) = text.rsplit_once('-').ok_or("a partition is called topic-0")?;
    Ok((topic, index.parse()?))
}
