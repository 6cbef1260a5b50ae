//! One process of a cluster that is spread over processes and hosts: a broker, the controller, or both.
//!
//! ```text
//!   host c                        host b1                        host b2
//!   controller ◀── metadata, ──── broker 1 ◀──── fetch ───────── broker 2
//!              heartbeats, ISR
//!   DIR/controller/               DIR/broker-1/                  DIR/broker-2/      each with DIR/cluster.properties
//! ```
//!
//! Processes find each other by the controller's address alone. They may start in any order: who finds no controller yet tries again.

use crate::broker::BrokerConfig;
use crate::controller::ControllerConfig;
use crate::node::tcp::NodeError;
use crate::types::Address;

use super::server::{BrokerRole, ControllerRole, ServerConfig};
use super::start::{CONTROLLER_NAME, Node, StartError, bind, broker_name, disk, identity, kept_in};
use super::{limits, probe};

/// The cluster to which processes belong that were not told any other: the one that Kafka's container image uses.
pub const CLUSTER_ID: &str = "5L6g3nShT-eMCtK--X86sw";

/// A process that serves.
#[derive(Debug)]
pub struct Process {
    nodes: Vec<Node>,
    /// The broker's id, and where clients and we ourselves reach it.
    broker: Option<Served>,
    controller: Option<Address>,
}

#[derive(Debug)]
struct Served {
    id: crate::types::BrokerId,
    advertised: Address,
    listen: Address,
}

impl Process {
    /// Starts what the process is to be, on the present tokio runtime. Ports are bound and directories locked when it returns.
    ///
    /// # Errors
    /// When a port, a directory or a property cannot be used. Nothing is left running then.
    pub async fn start(config: &ServerConfig) -> Result<Process, StartError> {
        let cluster_id = identity(&config.data, config.cluster_id.as_deref(), || CLUSTER_ID.to_owned())?;
        let mut config = config.clone();
        config.tcp.connections_max = limits::connections(config.tcp.connections_max, limits::raise_open_files(), 1);
        let mut process = Process { nodes: Vec::new(), broker: None, controller: None };
        if let Some(role) = &config.controls {
            process.start_controller(&config, role, &cluster_id).await?;
        }
        if let Some(role) = &config.broker {
            process.start_broker(&config, role, &cluster_id).await?;
        }
        Ok(process)
    }

    async fn start_controller(
        &mut self,
        config: &ServerConfig,
        role: &ControllerRole,
        cluster_id: &str,
    ) -> Result<(), StartError> {
        let (listener, address) = bind(&role.listen).await?;
        let disk = disk(&config.data, CONTROLLER_NAME)?;
        let id = crate::types::BrokerId(config.id.0);
        let actor = ControllerConfig { id, cluster_id: cluster_id.to_owned(), ..role.config.clone() };
        self.nodes.push(Node::unborn(CONTROLLER_NAME.to_owned(), None).with_controller(actor, listener, disk, &config.tcp)?);
        self.controller = Some(address);
        Ok(())
    }

    async fn start_broker(&mut self, config: &ServerConfig, role: &BrokerRole, cluster_id: &str) -> Result<(), StartError> {
        let (listener, listen) = bind(&role.listen).await?;
        let advertised = match role.advertised.port {
            0 => Address::new(&role.advertised.host, listen.port),
            _ => role.advertised.clone(),
        };
        // If the controller is here and took any port, only we know which.
        let controller = self.controller.clone().filter(|_| config.controller.port == 0).unwrap_or(config.controller.clone());
        let broker = BrokerConfig::new(config.id, cluster_id, 0, advertised.clone(), controller);
        let broker = kept_in(&config.data, broker.with_properties(&role.properties)?);
        let disk = disk(&config.data, &broker_name(&broker))?;
        self.broker = Some(Served { id: broker.id, advertised, listen });
        self.nodes.push(Node::unborn(broker_name(&broker), None).with_broker(broker, listener, disk, &config.tcp)?);
        Ok(())
    }

    /// Waits until the controller is in office and the broker takes part in the cluster, whichever of them is here.
    pub async fn ready(&self) {
        for node in &self.nodes {
            node.watch.works().await;
        }
        if let Some(Served { id, listen, .. }) = &self.broker {
            let here = if listen.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_unspecified()) {
                "127.0.0.1"
            } else {
                &listen.host
            };
            probe::takes_part(*id, &Address::new(here, listen.port)).await;
        }
    }

    /// Where clients connect to, if there is a broker here.
    #[must_use]
    pub fn bootstrap(&self) -> Option<&Address> {
        self.broker.as_ref().map(|broker| &broker.advertised)
    }

    /// Where brokers connect to, if the controller is here.
    #[must_use]
    pub fn controller(&self) -> Option<&Address> {
        self.controller.as_ref()
    }

    /// What runs here.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Stops everything in order: the broker first, which hands over what it leads, then the controller.
    ///
    /// # Errors
    /// The first that did not stop as it should; all others were told to.
    pub async fn shut_down(mut self) -> Result<(), NodeError> {
        let mut result = Ok(());
        while let Some(mut node) = self.nodes.pop() {
            result = result.and(node.shut_down().await);
        }
        result
    }
}
