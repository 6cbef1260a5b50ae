//! A whole cluster in one process: a controller and N brokers, each the very actor that the laboratory runs.
//!
//! ```text
//!   DIR/cluster.properties     cluster.id, made at the first start
//!   DIR/controller/            the metadata log
//!   DIR/broker-1/ ...          a data directory each, locked while it is used
//! ```
//!
//! Brokers listen on consecutive ports, or with port 0 on any free ones; the controller takes any, as only brokers talk to it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::broker::BrokerConfig;
use crate::controller::ControllerConfig;
use crate::node::tcp::{NodeError, Running, TcpConfig};
use crate::types::{Address, BrokerId};

use super::limits;
use super::start::{CONTROLLER_NAME, Node, bind, broker_name, disk, identity, kept_in, new_cluster_id};
use super::witness::Witness;

pub use super::start::StartError;

/// Id of the controller of an embedded cluster.
const CONTROLLER: BrokerId = BrokerId(1001);

/// What a cluster is to be like.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Where everything is kept.
    pub data: PathBuf,
    /// How many brokers.
    pub brokers: u16,
    /// Host that brokers listen on and tell clients, and port of the first.
    pub listen: Address,
    /// Kafka's broker properties.
    pub properties: BTreeMap<String, String>,
    /// How nodes treat those who connect.
    pub tcp: TcpConfig,
    /// Who hears everything that happens.
    pub witness: Option<Witness>,
}

/// A cluster that runs.
#[derive(Debug)]
pub struct Cluster {
    /// The controller first.
    nodes: Vec<Node>,
    /// How each came into the world.
    births: Vec<Birth>,
    data: PathBuf,
    tcp: TcpConfig,
}

/// What a node is, apart from chance.
#[derive(Clone, Debug)]
enum Birth {
    Controller(ControllerConfig, Address),
    Broker(Box<BrokerConfig>),
}

impl Cluster {
    /// Starts all nodes. Ports are bound and directories locked when it returns.
    ///
    /// # Errors
    /// When a port, a directory or a property cannot be used. Nothing is left running then.
    pub async fn start(config: &ClusterConfig) -> Result<Cluster, StartError> {
        let cluster_id = identity(&config.data, None, new_cluster_id)?;
        let mut tcp = config.tcp.clone();
        tcp.connections_max = limits::connections(tcp.connections_max, limits::raise_open_files(), usize::from(config.brokers));
        let (inner, controller_at) = bind(&Address::new(&config.listen.host, 0)).await?;
        let mut brokers = Vec::with_capacity(usize::from(config.brokers));
        for (number, wanted) in (1..).zip(addresses(config)?) {
            let (listener, address) = bind(&wanted).await?;
            let broker = BrokerConfig::new(BrokerId(number), &cluster_id, 0, address, controller_at.clone());
            let broker = kept_in(&config.data, broker.with_properties(&config.properties)?);
            let disk = disk(&config.data, &broker_name(&broker))?;
            brokers.push((broker, listener, disk));
        }
        let controller_disk = disk(&config.data, CONTROLLER_NAME)?;
        let controller = controller_config(&cluster_id, brokers.first().map(|(broker, ..)| broker));
        let mut births = vec![Birth::Controller(controller.clone(), controller_at)];
        let witness = |place: usize| Some(place).zip(config.witness.clone());
        let unborn = Node::unborn(CONTROLLER_NAME.to_owned(), witness(0));
        let mut nodes = vec![unborn.with_controller(controller, inner, controller_disk, &tcp)?];
        for (broker, listener, disk) in brokers {
            births.push(Birth::Broker(Box::new(broker.clone())));
            let unborn = Node::unborn(broker_name(&broker), witness(nodes.len()));
            nodes.push(unborn.with_broker(broker, listener, disk, &tcp)?);
        }
        Ok(Cluster { nodes, births, data: config.data.clone(), tcp })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn bootstrap(&self) -> Vec<Address> {
        let listens = |birth: &Birth| match birth {
            Birth::Broker(broker) => Some(broker.listen.clone()),
            Birth::Controller(..) => None,
        };
        self.births.iter().filter_map(listens).collect()
    }

    /// What runs, the controller first; broker N is at N.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Waits until every broker may lead.
    ///
    /// # Errors
    /// When the controller ends before.
    pub async fn ready(&self) -> Result<(), NodeError> {
        let Some(controller) = self.nodes.first().filter(|node| !node.is_broken()) else { return Err(NodeError::Ended) };
        controller.watch.unfenced(self.nodes.len() - 1).await;
        Ok(())
    }

    /// Whether some node has ended by itself, or lost its disk.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.nodes.iter().any(Node::is_broken)
    }

    /// Stops everything in order: brokers first, each handing over what it leads, then the controller.
    ///
    /// # Errors
    /// The first that did not stop as it should; all others were told to.
    pub async fn shut_down(mut self) -> Result<(), NodeError> {
        let mut result = Ok(());
        for node in 1..self.nodes.len() {
            result = result.and(self.stop(node).await);
        }
        result.and(self.stop(0).await)
    }

    // ---- one node by its place ------------------------------------------------------------------------------------------------

    /// Stops a node in order.
    ///
    /// # Errors
    /// When it ended by itself or refused.
    pub async fn stop(&mut self, node: usize) -> Result<(), NodeError> {
        self.nodes[node].shut_down().await
    }

    /// Kills a node, as `kill -9` would: what it wrote stays.
    pub async fn kill(&mut self, node: usize) {
        self.nodes[node].kill().await;
    }

    /// Starts a node that was stopped or killed again, where it was.
    ///
    /// # Errors
    /// When its port or its directory cannot be used.
    pub async fn revive(&mut self, node: usize) -> Result<(), StartError> {
        if self.nodes[node].running.is_some() {
            return Ok(());
        }
        let (birth, tcp) = (self.births[node].clone(), self.tcp.clone());
        let body = self.nodes[node].body();
        self.nodes[node] = match birth {
            Birth::Controller(config, at) => {
                let (listener, _) = bind(&at).await?;
                body.with_controller(config, listener, disk(&self.data, CONTROLLER_NAME)?, &tcp)?
            }
            Birth::Broker(config) => {
                let (listener, _) = bind(&config.listen).await?;
                let disk = disk(&self.data, &broker_name(&config))?;
                body.with_broker(*config, listener, disk, &tcp)?
            }
        };
        Ok(())
    }

    /// A node that runs, to freeze it, cut it off or slow its disk down.
    #[must_use]
    pub fn running(&self, node: usize) -> Option<&Running> {
        self.nodes.get(node)?.running.as_ref()
    }
}

fn addresses(config: &ClusterConfig) -> Result<Vec<Address>, StartError> {
    let (first, brokers) = (config.listen.port, config.brokers);
    let port = |number: u16| match first {
        0 => Ok(0),
        _ => first.checked_add(number).ok_or(StartError::Ports { brokers, first }),
    };
    (0..brokers).map(|number| Ok(Address::new(&config.listen.host, port(number)?))).collect()
}

fn controller_config(cluster_id: &str, like: Option<&BrokerConfig>) -> ControllerConfig {
    let usual = ControllerConfig { id: CONTROLLER, cluster_id: cluster_id.to_owned(), ..ControllerConfig::default() };
    match like {
        Some(broker) => ControllerConfig {
            session_timeout: broker.session_timeout,
            default_partitions: broker.num_partitions,
            default_replication: broker.default_replication_factor,
            ..usual
        },
        None => usual,
    }
}
