//! A whole cluster in one process: a controller and N brokers, each the very actor that the laboratory runs.
//!
//! ```text
//!   DIR/cluster.properties     cluster.id, made at the first start
//!   DIR/controller/            the metadata log
//!   DIR/broker-1/ ...          a data directory each, locked while it is used
//! ```
//!
//! Brokers listen on consecutive ports, or with port 0 on any free ones; the controller takes any, as only brokers talk to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::RngCore;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::broker::{BrokerActor, BrokerConfig, ConfigError};
use crate::controller::{ControllerActor, ControllerConfig};
use crate::fact::Fact;
use crate::node::fs::FsDisk;
use crate::node::tcp::{self, FactSink, NodeError, Running, TcpConfig};
use crate::types::{Address, BrokerId, Uuid};

/// Id of the controller of an embedded cluster.
const CONTROLLER: BrokerId = BrokerId(1001);
/// The file that names the cluster.
const IDENTITY_FILE: &str = "cluster.properties";
const IDENTITY_KEY: &str = "cluster.id=";

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
}

/// Why a cluster does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken, or not ours to take.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: Address,
        /// Why not.
        error: io::Error,
    },
    /// A data directory cannot be used.
    #[error("cannot use {}: {error}", path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// There are too few ports.
    #[error("{brokers} brokers from port {first} on: there is no port above 65535")]
    Ports {
        /// Brokers wanted.
        brokers: u16,
        /// First port.
        first: u16,
    },
    /// A property is wrong.
    #[error(transparent)]
    Property(#[from] ConfigError),
}

/// A cluster that runs.
#[derive(Debug)]
pub struct Cluster {
    bootstrap: Vec<Address>,
    controller: Running,
    brokers: Vec<Running>,
    unfenced: watch::Receiver<BTreeSet<BrokerId>>,
    /// Some disk has failed.
    failed: Arc<AtomicBool>,
}

impl Cluster {
    /// Starts all nodes on the present tokio runtime. Ports are bound and directories locked when it returns.
    ///
    /// # Errors
    /// When a port, a directory or a property cannot be used. Nothing is left running then.
    pub async fn start(config: &ClusterConfig) -> Result<Cluster, StartError> {
        let cluster_id = identity(&config.data)?;
        let (inner, controller_at) = bind(&Address::new(&config.listen.host, 0)).await?;
        let mut brokers = Vec::with_capacity(usize::from(config.brokers));
        for (number, wanted) in (1..).zip(addresses(config)?) {
            let (listener, address) = bind(&wanted).await?;
            let broker = BrokerConfig::new(BrokerId(number), &cluster_id, 0, address, controller_at.clone());
            let broker = kept_in(&config.data, broker.with_properties(&config.properties)?);
            brokers.push((broker, listener, disk(&config.data, &format!("broker-{number}"))?));
        }
        let bootstrap = brokers.iter().map(|(broker, ..)| broker.listen.clone()).collect();
        let controller_disk = disk(&config.data, "controller")?;
        let (seen, unfenced) = watch::channel(BTreeSet::new());
        let controller = ControllerActor::new(controller_config(&cluster_id, brokers.first().map(|(broker, ..)| broker)));
        let sink: FactSink = Box::new(move |fact| note_fencing(&seen, fact));
        let controller = tcp::spawn(Box::new(controller), Some(inner), Some(controller_disk), config.tcp.clone(), Some(sink));
        let failed = Arc::new(AtomicBool::new(false));
        let start = |(broker, listener, disk): (BrokerConfig, TcpListener, FsDisk)| {
            let (failed, id) = (failed.clone(), broker.id);
            let sink: FactSink = Box::new(move |fact| note_failure(&failed, id, fact));
            let actor = BrokerActor::new(BrokerConfig { seed: chance(), ..broker });
            tcp::spawn(Box::new(actor), Some(listener), Some(disk), config.tcp.clone(), Some(sink))
        };
        let brokers = brokers.into_iter().map(start).collect();
        Ok(Cluster { bootstrap, controller, brokers, unfenced, failed })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn bootstrap(&self) -> &[Address] {
        &self.bootstrap
    }

    /// Waits until every broker may lead.
    ///
    /// # Errors
    /// When the controller ends before.
    pub async fn ready(&mut self) -> Result<(), NodeError> {
        let wanted = self.brokers.len();
        self.unfenced.wait_for(|unfenced| unfenced.len() == wanted).await.map(drop).map_err(|_| NodeError::Ended)
    }

    /// Whether some node has ended by itself, or lost its disk.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.brokers.iter().chain([&self.controller]).any(Running::is_over)
    }

    /// Stops everything in order: brokers first, each handing over what it leads, then the controller.
    ///
    /// # Errors
    /// The first that did not stop as it should; all others were told to.
    pub async fn shut_down(self) -> Result<(), NodeError> {
        let mut result = Ok(());
        for broker in self.brokers {
            result = result.and(broker.shut_down().await);
        }
        result.and(self.controller.shut_down().await)
    }
}

/// The same broker, which can tell where its data lies.
fn kept_in(data: &Path, broker: BrokerConfig) -> BrokerConfig {
    let directory = data.join(format!("broker-{}", broker.id));
    let absolute = std::path::absolute(&directory).unwrap_or(directory);
    BrokerConfig { log_dir: absolute.to_string_lossy().into_owned(), ..broker }
}

fn addresses(config: &ClusterConfig) -> Result<Vec<Address>, StartError> {
    let (first, brokers) = (config.listen.port, config.brokers);
    let port = |number: u16| match first {
        0 => Ok(0),
        _ => first.checked_add(number).ok_or(StartError::Ports { brokers, first }),
    };
    (0..brokers).map(|number| Ok(Address::new(&config.listen.host, port(number)?))).collect()
}

async fn bind(address: &Address) -> Result<(TcpListener, Address), StartError> {
    let bound = async {
        let listener = TcpListener::bind((&*address.host, address.port)).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, Address::new(&address.host, port)))
    };
    bound.await.map_err(|error| StartError::Listen { address: address.clone(), error })
}

fn disk(data: &Path, name: &str) -> Result<FsDisk, StartError> {
    let path = data.join(name);
    FsDisk::new(&path).map_err(|error| StartError::Data { path, error })
}

fn controller_config(cluster_id: &str, like: Option<&BrokerConfig>) -> ControllerConfig {
    let usual =
        ControllerConfig { id: CONTROLLER, cluster_id: cluster_id.to_owned(), seed: chance(), ..ControllerConfig::default() };
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

fn note_fencing(seen: &watch::Sender<BTreeSet<BrokerId>>, fact: &Fact) {
    if let Fact::BrokerUnfenced { broker, .. } = fact {
        seen.send_if_modified(|unfenced| unfenced.insert(*broker));
    }
    if let Fact::BrokerFenced { broker, .. } = fact {
        seen.send_if_modified(|unfenced| unfenced.remove(broker));
    }
}

/// A broker whose disk has failed takes no more part in anything: the process should end, so that somebody looks at the disk.
fn note_failure(failed: &AtomicBool, broker: BrokerId, fact: &Fact) {
    if let Fact::LogFailed { partition: None, error } = fact {
        tracing::error!(%broker, %error, "the disk has failed");
        failed.store(true, Ordering::Relaxed);
    }
}

/// The only chance that a node gets.
pub(super) fn chance() -> u64 {
    rand::rngs::OsRng.next_u64()
}

/// The cluster's id, which is made once and then stays with the data.
fn identity(data: &Path) -> Result<String, StartError> {
    let path = data.join(IDENTITY_FILE);
    let read = || -> io::Result<String> {
        std::fs::create_dir_all(data)?;
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let id = text.lines().find_map(|line| line.strip_prefix(IDENTITY_KEY)).map(str::trim).filter(|id| !id.is_empty());
                let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("it has no line `{IDENTITY_KEY}...`"));
                id.map(str::to_owned).ok_or_else(damaged)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = Uuid(u128::from(chance()) << 64 | u128::from(chance())).to_string();
                let content = format!("{IDENTITY_KEY}{id}\n");
                crate::node::fs::replace(data, IDENTITY_FILE, content.as_bytes()).map_err(io::Error::other)?;
                Ok(id)
            }
            Err(error) => Err(error),
        }
    };
    read().map_err(|error| StartError::Data { path: path.clone(), error })
}
