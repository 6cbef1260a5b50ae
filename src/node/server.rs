//! What one process is to be, in Kafka's own property names.
//!
//! ```text
//!   process.roles=controller                         process.roles=broker
//!   node.id=100                                      node.id=1
//!   controller.quorum.voters=100@c:9093              controller.quorum.voters=100@c:9093
//!   listeners=CONTROLLER://c:9093                    listeners=PLAINTEXT://0.0.0.0:9092
//!   log.dirs=/data                                   advertised.listeners=PLAINTEXT://b1:9092
//! ```
//!
//! Every name is checked: one that is unknown is refused with the nearest that is known, because a misspelt `min.insync.replicas` that is
//! silently ignored costs data. Names of Kafka's that have no meaning here (numbers of threads) are accepted and told of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::broker::BrokerConfig;
use crate::controller::ControllerConfig;
use crate::types::{Address, BrokerId};

use super::properties::{Place, PropertyError, Setting, Settings, nearest};
use super::tcp::TcpConfig;

/// Port of a broker that is not told any.
const BROKER_PORT: u16 = 9092;
const CONTROLLER_LISTENERS: &str = "CONTROLLER";

/// Properties of a process that are not a broker's own.
const OURS: &[&str] = &[
    "advertised.listeners",
    "auto.leader.rebalance.enable",
    "broker.id",
    "connections.max.idle.ms",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "inter.broker.listener.name",
    "leader.imbalance.check.interval.seconds",
    "leader.imbalance.per.broker.percentage",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "log.retention.hours",
    "log.retention.minutes",
    "log.roll.hours",
    "max.connections",
    "node.id",
    "process.roles",
    "queued.max.request.bytes",
    "socket.request.max.bytes",
];

/// Kafka's properties that are accepted because they stand in the files it comes with, and that have no effect here.
const WITHOUT_EFFECT: &[&str] = &[
    "background.threads",
    "log.cleaner.enable",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "share.coordinator.state.topic.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "transaction.state.log.min.isr",
    "transaction.state.log.num.partitions",
    "transaction.state.log.replication.factor",
];

/// Longer units of properties that a broker takes in milliseconds: name, its name, milliseconds. The first of a kind that is set counts.
const LONGER_UNITS: &[(&str, &str, i64)] = &[
    ("log.retention.minutes", "log.retention.ms", 60_000),
    ("log.retention.hours", "log.retention.ms", 3_600_000),
    ("log.roll.hours", "log.roll.ms", 3_600_000),
];

/// One process of a cluster.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `node.id`.
    pub id: BrokerId,
    /// Where everything is kept (`log.dirs`).
    pub data: PathBuf,
    /// The cluster's id, if this process was told; else what its data says.
    pub cluster_id: Option<String>,
    /// Where the controller is, which may be in this process (`controller.quorum.voters`).
    pub controller: Address,
    /// The role of a broker.
    pub broker: Option<BrokerRole>,
    /// The role of the controller.
    pub controls: Option<ControllerRole>,
    /// How nodes treat those who connect.
    pub tcp: TcpConfig,
}

/// What a broker needs to know.
#[derive(Clone, Debug)]
pub struct BrokerRole {
    /// Where it listens.
    pub listen: Address,
    /// Where clients and other brokers are told to go; port 0: the one it listens on.
    pub advertised: Address,
    /// Kafka's broker properties.
    pub properties: BTreeMap<String, String>,
}

/// What a controller needs to know.
#[derive(Clone, Debug)]
pub struct ControllerRole {
    /// Where it listens.
    pub listen: Address,
    /// The rest; identity and chance are filled in at the start.
    pub config: ControllerConfig,
}

/// Every property that may be set, sorted.
#[must_use]
pub fn known() -> Vec<&'static str> {
    let mut known: Vec<&str> = BrokerConfig::properties();
    known.extend(OURS.iter().chain(WITHOUT_EFFECT));
    known.sort_unstable();
    known.dedup();
    known
}

/// Checks names and values. Tells those which have no effect.
///
/// # Errors
/// The first that is unknown or has a value out of range.
pub fn check(settings: &Settings) -> Result<Vec<&str>, PropertyError> {
    let (known, brokers) = (known(), BrokerConfig::properties());
    for (key, setting) in settings {
        if known.binary_search(&key.as_str()).is_err() {
            let nearest = nearest(key, known.iter().copied()).unwrap_or_default();
            return Err(wrong(setting, format!("{key} is not a property of this broker; did you mean {nearest}?")));
        }
    }
    broker_properties(settings)?;
    tcp(settings)?;
    let is_vain = |key: &&str| WITHOUT_EFFECT.contains(key) && !brokers.contains(key);
    Ok(settings.keys().map(String::as_str).filter(is_vain).collect())
}

/// The properties that are a broker's own, in its units.
///
/// # Errors
/// The first that has a value out of range.
pub fn broker_properties(settings: &Settings) -> Result<BTreeMap<String, String>, PropertyError> {
    let known = BrokerConfig::properties();
    let mut properties = BTreeMap::new();
    for (key, setting) in settings.iter().filter(|(key, _)| known.contains(&key.as_str())) {
        check_value(key, &setting.value, setting)?;
        properties.insert(key.clone(), setting.value.clone());
    }
    for (key, ours, millis) in LONGER_UNITS {
        if let Some(setting) = settings.get(*key).filter(|_| !properties.contains_key(*ours)) {
            let count = number(key, setting, -1, i64::MAX / millis)?;
            let value = if count < 0 { "-1".to_owned() } else { (count * millis).to_string() };
            check_value(ours, &value, setting)?;
            properties.insert((*ours).to_owned(), value);
        }
    }
    Ok(properties)
}

fn check_value(key: &str, value: &str, setting: &Setting) -> Result<(), PropertyError> {
    let nowhere = Address::new("-", 0);
    let one = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let checked = BrokerConfig::new(BrokerId(1), "", 0, nowhere.clone(), nowhere).with_properties(&one);
    checked.map(drop).map_err(|error| wrong(setting, error.to_string()))
}

/// How nodes treat those who connect.
///
/// # Errors
/// A value out of range.
pub fn tcp(settings: &Settings) -> Result<TcpConfig, PropertyError> {
    let usual = TcpConfig::default();
    let size = |key: &str, least| settings.get(key).map(|setting| number(key, setting, least, i64::from(i32::MAX))).transpose();
    let unsigned = |value: i64| usize::try_from(value).ok();
    let request_bytes_max = size("socket.request.max.bytes", 1)?.and_then(unsigned).unwrap_or(usual.request_bytes_max);
    let connections_max = size("max.connections", 0)?.and_then(unsigned).unwrap_or(usual.connections_max);
    let idle_max = size("connections.max.idle.ms", -1)?.map_or(usual.idle_max, |millis| match u64::try_from(millis) {
        Ok(millis) => Duration::from_millis(millis),
        // As good as never.
        Err(_) => Duration::from_secs(u64::from(u32::MAX)),
    });
    let queued = size("queued.max.request.bytes", -1)?.map_or(usual.queued_bytes_max, unsigned);
    // One request of the largest size must always fit.
    let queued_bytes_max = queued.map(|bytes| bytes.max(request_bytes_max));
    Ok(TcpConfig { request_bytes_max, connections_max, idle_max, queued_bytes_max, ..usual })
}

impl ServerConfig {
    /// One process, as its properties say.
    ///
    /// # Errors
    /// The first property that is unknown, missing or wrong.
    pub fn from_settings(settings: &Settings, cluster_id: Option<String>) -> Result<ServerConfig, PropertyError> {
        check(settings)?;
        let (is_broker, is_controller) = roles(settings)?;
        let (id_key, id) = settings
            .get_key_value("node.id")
            .or(settings.get_key_value("broker.id"))
            .ok_or_else(|| missing("node.id is missing: every process of a cluster has a number of its own, `node.id=1`"))?;
        let id = number(id_key, id, 0, i64::from(i32::MAX))?;
        let listeners = Listeners::read(settings, is_broker, is_controller)?;
        let controller = controller(settings, listeners.controller.as_ref())?;
        Ok(ServerConfig {
            id: BrokerId(i32::try_from(id).unwrap_or(i32::MAX)),
            data: data(settings)?,
            cluster_id,
            controller,
            broker: match listeners.broker {
                Some((listen, advertised)) => Some(BrokerRole { listen, advertised, properties: broker_properties(settings)? }),
                None => None,
            },
            controls: match listeners.controller {
                Some(listen) => Some(ControllerRole { listen, config: controller_config(settings)? }),
                None => None,
            },
            tcp: tcp(settings)?,
        })
    }
}

/// Where this process listens.
struct Listeners {
    /// Where, and where clients are told to go.
    broker: Option<(Address, Address)>,
    controller: Option<Address>,
}

impl Listeners {
    fn read(settings: &Settings, is_broker: bool, is_controller: bool) -> Result<Listeners, PropertyError> {
        if let Some(map) = settings.get("listener.security.protocol.map") {
            let other = map
                .value
                .split(',')
                .find(|pair| pair.rsplit_once(':').is_none_or(|(_, protocol)| protocol.trim() != "PLAINTEXT"));
            if let Some(other) = other {
                return Err(wrong(map, format!("`{other}`: only NAME:PLAINTEXT is served")));
            }
        }
        let names = settings.get("controller.listener.names").map_or(CONTROLLER_LISTENERS, |names| &names.value);
        let is_for_controller = |name: &str| names.split(',').any(|known| known.trim() == name);
        let default = Setting { value: format!("PLAINTEXT://:{BROKER_PORT}"), place: Place::Default };
        let setting = settings.get("listeners").unwrap_or(&default);
        let (controllers, brokers): (Vec<_>, Vec<_>) =
            listeners(setting)?.into_iter().partition(|(name, _)| is_for_controller(name));
        if controllers.len() > 1 || brokers.len() > 1 {
            return Err(wrong(setting, "one listener for clients and brokers is served, and one for the controller".into()));
        }
        let controller = controllers.into_iter().next().map(|(_, address)| address);
        if is_controller && controller.is_none() {
            return Err(wrong(setting, format!("a controller needs a listener: `listeners={names}://127.0.0.1:9093`")));
        }
        let broker = match brokers.into_iter().next().filter(|_| is_broker) {
            Some((_, listen)) => Some((listen.clone(), advertised(settings, setting, listen)?)),
            None if is_broker => {
                return Err(wrong(setting, "a broker needs a listener: `listeners=PLAINTEXT://127.0.0.1:9092`".into()));
            }
            None => None,
        };
        Ok(Listeners { broker, controller: controller.filter(|_| is_controller) })
    }
}

fn advertised(settings: &Settings, listeners_setting: &Setting, listen: Address) -> Result<Address, PropertyError> {
    if let Some(setting) = settings.get("advertised.listeners") {
        let first = listeners(setting)?.into_iter().next();
        return first.map(|(_, address)| address).filter(|address| !is_everywhere(&address.host)).ok_or_else(|| {
            wrong(setting, "it must name an address that clients can reach: `advertised.listeners=PLAINTEXT://host:9092`".into())
        });
    }
    if is_everywhere(&listen.host) {
        let message =
            "listening everywhere, it must be said where clients are to go: `advertised.listeners=PLAINTEXT://host:9092`";
        return Err(wrong(listeners_setting, message.into()));
    }
    Ok(listen)
}

fn is_everywhere(host: &str) -> bool {
    matches!(host, "0.0.0.0" | "::")
}

fn listeners(setting: &Setting) -> Result<Vec<(String, Address)>, PropertyError> {
    let one = |text: &str| {
        let (name, rest) = text.trim().split_once("://")?;
        let (host, port) = rest.rsplit_once(':')?;
        let host = if host.is_empty() { "0.0.0.0" } else { host.trim_matches(['[', ']']) };
        Some((name.to_owned(), Address::new(host, port.parse().ok()?)))
    };
    let each = setting
        .value
        .split(',')
        .map(|text| one(text).ok_or_else(|| wrong(setting, format!("`{text}` is no listener: PLAINTEXT://127.0.0.1:9092"))));
    each.collect()
}

fn roles(settings: &Settings) -> Result<(bool, bool), PropertyError> {
    let Some(setting) = settings.get("process.roles") else {
        return Err(missing("process.roles is missing: `broker`, `controller`, or both"));
    };
    let (mut broker, mut controller) = (false, false);
    for role in setting.value.split(',').map(str::trim) {
        match role {
            "broker" => broker = true,
            "controller" => controller = true,
            other => return Err(wrong(setting, format!("`{other}` is no role: `broker`, `controller`, or both"))),
        }
    }
    Ok((broker, controller))
}

fn controller(settings: &Settings, own: Option<&Address>) -> Result<Address, PropertyError> {
    let given = settings.get("controller.quorum.voters").or(settings.get("controller.quorum.bootstrap.servers"));
    let Some(setting) = given else {
        return own
            .cloned()
            .ok_or_else(|| missing("controller.quorum.voters is missing: `controller.quorum.voters=100@host:9093`"));
    };
    if setting.value.contains(',') {
        return Err(wrong(setting, "one controller is served so far: name a single one".into()));
    }
    let address = setting.value.split_once('@').map_or(&*setting.value, |(_, address)| address).trim();
    let parsed =
        address.rsplit_once(':').and_then(|(host, port)| Some(Address::new(host.trim_matches(['[', ']']), port.parse().ok()?)));
    parsed.ok_or_else(|| wrong(setting, format!("`{}` is no voter: 100@host:9093", setting.value)))
}

fn controller_config(settings: &Settings) -> Result<ControllerConfig, PropertyError> {
    let usual = ControllerConfig::default();
    let nowhere = Address::new("-", 0);
    let broker = BrokerConfig::new(BrokerId(1), "", 0, nowhere.clone(), nowhere);
    let broker = broker.with_properties(&broker_properties(settings)?).map_err(|error| missing(&error.to_string()))?;
    let balance = match settings.get("auto.leader.rebalance.enable") {
        Some(setting) => setting.value.parse().map_err(|_| wrong(setting, "it is true or false".into()))?,
        None => usual.auto_leader_rebalance,
    };
    let count = |key: &str, least, most| settings.get(key).map(|setting| number(key, setting, least, most)).transpose();
    let every = count("leader.imbalance.check.interval.seconds", 1, i64::from(i32::MAX))?;
    let percentage = count("leader.imbalance.per.broker.percentage", 0, 100)?;
    Ok(ControllerConfig {
        session_timeout: broker.session_timeout,
        default_partitions: broker.num_partitions,
        default_replication: broker.default_replication_factor,
        auto_leader_rebalance: balance,
        leader_imbalance_check_interval: every
            .map_or(usual.leader_imbalance_check_interval, |seconds| crate::types::Duration::secs(seconds.unsigned_abs())),
        leader_imbalance_percentage: percentage.and_then(|n| n.try_into().ok()).unwrap_or(usual.leader_imbalance_percentage),
        ..usual
    })
}

fn data(settings: &Settings) -> Result<PathBuf, PropertyError> {
    let Some(setting) = settings.get("log.dirs").or(settings.get("log.dir")) else {
        return Err(missing("log.dirs is missing: where is the data to be kept?"));
    };
    match setting.value.contains(',') {
        true => Err(wrong(setting, "a process has one data directory".into())),
        false => Ok(PathBuf::from(&setting.value)),
    }
}

fn number(key: &str, setting: &Setting, least: i64, most: i64) -> Result<i64, PropertyError> {
    let parsed = setting.value.trim().parse().ok().filter(|number| (least..=most).contains(number));
    parsed.ok_or_else(|| wrong(setting, format!("{key}={}: allowed is a number from {least} to {most}", setting.value)))
}

fn wrong(setting: &Setting, message: String) -> PropertyError {
    PropertyError { place: setting.place.clone(), message }
}

fn missing(message: &str) -> PropertyError {
    PropertyError { place: Place::Default, message: message.to_owned() }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
