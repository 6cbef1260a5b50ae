//! Who takes part, and how each is born.
//!
//! ```text
//!   c1            the controller            p1 ..   producers, as the scenario says
//!   b1 .. bn      the brokers               r1 ..   consumers, as the scenario says
//!                                           g-1 ..  members of a group g, as the scenario says
//!   a0            the laboratory's admin    lab     the laboratory's reader
//! ```
//!
//! This is the only file of the world that builds real actors.

use std::collections::BTreeMap;

use brokerlab::actor::Actor;
use brokerlab::broker::{BrokerActor, BrokerConfig};
use brokerlab::client::config::OffsetReset;
use brokerlab::client::{AdminActor, AdminConfig, CommonConfig, ConsumerActor, ConsumerConfig, ProducerActor, ProducerConfig};
use brokerlab::controller::{ControllerActor, ControllerConfig};
use brokerlab::mutant::Mutants;
use brokerlab::types::{Address, BrokerId, Duration};
use thiserror::Error;

use crate::check::{NodeKind, Reset};
use crate::scenario::model::{Consumer, Producer, Scenario};
use crate::workload::{Driver, Laboratory, Reader, TopicCreator, Worker, Writer};

/// The port of every server.
pub const PORT: u16 = 9092;
/// Name of the cluster.
const CLUSTER_ID: &str = "brokerlab";
/// Id of the controller.
const CONTROLLER: BrokerId = BrokerId(1001);
/// Properties that the controller reads; those of them that brokers do not know are kept from these.
pub const CONTROLLER_ONLY: &[&str] = &[
    "auto.leader.rebalance.enable",
    "eligible.leader.replicas.enable",
    "leader.imbalance.check.interval.seconds",
    "leader.imbalance.per.broker.percentage",
];

/// Everybody who takes part in a run.
pub trait Cast: Send {
    /// The participants, in the order of their numbers.
    fn members(&self) -> &[Member];

    /// A new process for a member.
    fn actor(&self, member: usize, birth: Birth) -> Box<dyn Actor>;

    /// Who gives commands to a member.
    fn driver(&self, member: usize) -> Driver;
}

/// One participant.
#[derive(Clone, Debug)]
pub struct Member {
    /// `b1`, `c1`, `p1` ...
    pub name: String,
    /// What it is.
    pub role: Role,
}

impl Member {
    /// Whether it listens for connections.
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(self.role, Role::Broker(_) | Role::Controller(_) | Role::Toy)
    }
}

/// The parts that are played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A broker.
    Broker(BrokerId),
    /// A controller.
    Controller(BrokerId),
    /// A producer: an index into the plan's producers.
    Producer(usize),
    /// A consumer: an index into the plan's consumers.
    Consumer(usize),
    /// A member of a group: an index into the plan's groups, and its number in it from 1.
    Member(usize, u32),
    /// The laboratory's admin.
    Admin,
    /// The laboratory's reader.
    Laboratory,
    /// Something that makes no promise and is made none.
    Toy,
}

/// The circumstances of a birth.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    /// All the chance a process gets: keyed by seed, node and the fault that restarted it.
    pub seed: u64,
    /// Which life of the process, from 1.
    pub life: u32,
}

/// Why a plan cannot be cast.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CastError {
    /// A property is unknown or has a value that is not allowed.
    #[error("{node}: {message}")]
    Property {
        /// Whose.
        node: String,
        /// What is wrong, and what was allowed.
        message: String,
    },
    /// No such planted bug, or this build has none.
    #[error("there is no mutant `{0}` in this build")]
    Mutant(String),
}

/// The real actors that a plan describes. All configurations are read before the run, so no birth can fail.
pub struct Ensemble {
    members: Vec<Member>,
    parts: Vec<Part>,
    plan: Scenario,
}

/// The configuration of one member.
enum Part {
    Controller(ControllerConfig),
    Broker(BrokerConfig),
    Producer(ProducerConfig),
    Consumer(ConsumerConfig),
    Admin(AdminConfig),
}

impl Ensemble {
    /// The cast of this plan.
    ///
    /// # Errors
    /// The first property that no actor takes.
    pub fn new(plan: &Scenario) -> Result<Ensemble, CastError> {
        let mutants = mutants(plan.mutant.as_deref())?;
        let mut ensemble = Ensemble { members: Vec::new(), parts: Vec::new(), plan: plan.clone() };
        ensemble.add("c1", Role::Controller(CONTROLLER), controller(&plan.cluster.config, mutants));
        // Kafka's default needs three brokers.
        let mut properties = plan.cluster.config.clone();
        let copies = plan.cluster.brokers.min(3).to_string();
        properties.entry("offsets.topic.replication.factor".to_owned()).or_insert(copies);
        for number in 1..=plan.cluster.brokers {
            let id = BrokerId(i32::try_from(number).unwrap_or(i32::MAX));
            let name = format!("b{number}");
            let part = broker(id, &name, &properties, mutants)?;
            ensemble.add(&name, Role::Broker(id), part);
        }
        let bootstrap: Vec<Address> =
            (1..=plan.cluster.brokers).map(|number| Address::new(&format!("b{number}"), PORT)).collect();
        let equip = |common: &mut CommonConfig, name: &str| equip(common, name, &bootstrap, mutants);
        for (at, Producer { name, config, .. }) in plan.producers.iter().enumerate() {
            let mut config = ProducerConfig::from_properties(config).map_err(|error| refused(name, &error))?;
            equip(&mut config.common, name);
            ensemble.add(name, Role::Producer(at), Part::Producer(config));
        }
        for (at, Consumer { name, config, .. }) in plan.consumers.iter().enumerate() {
            let mut config = ConsumerConfig::from_properties(config).map_err(|error| refused(name, &error))?;
            equip(&mut config.common, name);
            ensemble.add(name, Role::Consumer(at), Part::Consumer(config));
        }
        for (at, group) in plan.groups.iter().enumerate() {
            for number in 1..=group.members + group.spare {
                let name = group.node(number);
                let properties = group.properties(number);
                let mut config = ConsumerConfig::from_properties(&properties).map_err(|error| refused(&name, &error))?;
                equip(&mut config.common, &name);
                ensemble.add(&name, Role::Member(at, number), Part::Consumer(config));
            }
        }
        let mut admin = AdminConfig::from_properties(&BTreeMap::new()).map_err(|error| refused("a0", &error))?;
        equip(&mut admin.common, "a0");
        ensemble.add("a0", Role::Admin, Part::Admin(admin));
        let patient = BTreeMap::from([("auto.offset.reset".to_string(), "earliest".to_string())]);
        let mut reader = ConsumerConfig::from_properties(&patient).map_err(|error| refused("lab", &error))?;
        equip(&mut reader.common, "lab");
        ensemble.add("lab", Role::Laboratory, Part::Consumer(reader));
        Ok(ensemble)
    }

    fn add(&mut self, name: &str, role: Role, part: Part) {
        self.members.push(Member { name: name.to_string(), role });
        self.parts.push(part);
    }
}

impl Cast for Ensemble {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn actor(&self, member: usize, birth: Birth) -> Box<dyn Actor> {
        let seed = birth.seed;
        match &self.parts[member] {
            Part::Controller(config) => Box::new(ControllerActor::new(ControllerConfig { seed, ..config.clone() })),
            Part::Broker(config) => Box::new(BrokerActor::new(BrokerConfig { seed, ..config.clone() })),
            Part::Producer(config) => {
                let common = CommonConfig { seed, ..config.common.clone() };
                Box::new(ProducerActor::new(ProducerConfig { common, ..config.clone() }))
            }
            Part::Consumer(config) => {
                let common = CommonConfig { seed, ..config.common.clone() };
                Box::new(ConsumerActor::new(ConsumerConfig { common, ..config.clone() }))
            }
            Part::Admin(config) => {
                Box::new(AdminActor::new(AdminConfig { common: CommonConfig { seed, ..config.common.clone() } }))
            }
        }
    }

    fn driver(&self, member: usize) -> Driver {
        let plan = &self.plan;
        match self.members[member].role {
            Role::Producer(at) => Driver::Writer(Writer::new(&plan.producers[at])),
            Role::Consumer(at) => {
                let consumer = &plan.consumers[at];
                let topic = plan.topics.iter().find(|topic| topic.name == consumer.topic);
                Driver::Reader(Reader::new(consumer, topic.map_or(0, |topic| topic.partitions)))
            }
            Role::Member(at, number) => {
                let group = &plan.groups[at];
                Driver::Worker(Worker::new(group, number <= group.members))
            }
            Role::Admin => Driver::TopicCreator(TopicCreator::new(&plan.topics)),
            Role::Laboratory => Driver::Laboratory(Laboratory::default()),
            Role::Broker(_) | Role::Controller(_) | Role::Toy => Driver::Nobody,
        }
    }
}

fn controller(properties: &BTreeMap<String, String>, mutants: Mutants) -> Part {
    let number = |key: &str| properties.get(key).and_then(|value| value.trim().parse::<i64>().ok());
    let usual = ControllerConfig::default();
    Part::Controller(ControllerConfig {
        id: CONTROLLER,
        cluster_id: CLUSTER_ID.to_string(),
        session_timeout: number("broker.session.timeout.ms").map_or(usual.session_timeout, Duration::from_millis_field),
        default_partitions: number("num.partitions").and_then(|n| i32::try_from(n).ok()).unwrap_or(usual.default_partitions),
        default_replication: number("default.replication.factor")
            .and_then(|n| i16::try_from(n).ok())
            .unwrap_or(usual.default_replication),
        auto_leader_rebalance: properties
            .get("auto.leader.rebalance.enable")
            .map_or(usual.auto_leader_rebalance, |value| value.trim() == "true"),
        leader_imbalance_check_interval: number("leader.imbalance.check.interval.seconds")
            .and_then(|n| u64::try_from(n).ok())
            .map_or(usual.leader_imbalance_check_interval, |n| Duration::secs(1).times(n)),
        leader_imbalance_percentage: number("leader.imbalance.per.broker.percentage")
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(usual.leader_imbalance_percentage),
        mutants,
        ..usual
    })
}

fn broker(id: BrokerId, name: &str, properties: &BTreeMap<String, String>, mutants: Mutants) -> Result<Part, CastError> {
    let known = properties.iter().filter(|(key, _)| !CONTROLLER_ONLY.contains(&key.as_str()));
    let known = known.map(|(key, value)| (key.clone(), value.clone())).collect();
    let (listen, controller) = (Address::new(name, PORT), Address::new("c1", PORT));
    let config = BrokerConfig::from_properties(id, CLUSTER_ID, 0, listen, controller, &known);
    config.map(|config| Part::Broker(BrokerConfig { mutants, ..config })).map_err(|error| refused(name, &error))
}

fn equip(common: &mut CommonConfig, name: &str, bootstrap: &[Address], mutants: Mutants) {
    common.client_id = name.to_string();
    common.bootstrap = bootstrap.to_vec();
    common.mutants = mutants;
}

fn refused(node: &str, error: &dyn std::error::Error) -> CastError {
    CastError::Property { node: node.to_string(), message: error.to_string() }
}

#[cfg(feature = "mutants")]
fn mutants(slug: Option<&str>) -> Result<Mutants, CastError> {
    let Some(slug) = slug else { return Ok(Mutants::none()) };
    let mutant = brokerlab::mutant::Mutant::from_slug(slug).ok_or_else(|| CastError::Mutant(slug.to_string()))?;
    Ok(Mutants::only(mutant))
}

#[cfg(not(feature = "mutants"))]
fn mutants(slug: Option<&str>) -> Result<Mutants, CastError> {
    slug.map_or(Ok(Mutants::none()), |slug| Err(CastError::Mutant(slug.to_string())))
}

/// What a producer asks for, with Kafka's defaults.
#[must_use]
pub fn producer_kind(producer: &Producer) -> NodeKind {
    let config = ProducerConfig::from_properties(&producer.config);
    // A plan that cannot be cast never runs, so what is said then does not matter.
    config.map_or(NodeKind::Other, |config| NodeKind::Producer {
        acks: config.acks.code(),
        idempotent: config.idempotence,
        in_flight: u32::try_from(config.in_flight_max).unwrap_or(u32::MAX),
    })
}

/// Where a consumer goes on when its place is gone.
#[must_use]
pub fn reset(properties: &BTreeMap<String, String>) -> Reset {
    let config = ConsumerConfig::from_properties(properties);
    config.map_or(Reset::Latest, |config| match config.reset {
        OffsetReset::Earliest => Reset::Earliest,
        OffsetReset::Latest => Reset::Latest,
        OffsetReset::None => Reset::Nowhere,
    })
}
