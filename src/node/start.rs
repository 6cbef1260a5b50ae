//! What every way to start nodes needs: ports, data directories, the name of the cluster.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngCore;
use tokio::net::TcpListener;

use crate::actor::Actor;
use crate::broker::{BrokerActor, BrokerConfig, ConfigError};
use crate::controller::{ControllerActor, ControllerConfig};
use crate::node::fs::FsDisk;
use crate::node::limits;
use crate::node::tcp::meters::Meters;
use crate::node::tcp::{self, FactSink, NodeError, RequestSink, Running, TcpConfig};
use crate::node::watch::Watch;
use crate::node::witness::{Happening, Witness};
use crate::types::{Address, Uuid};

/// The file that names the cluster.
const IDENTITY_FILE: &str = "cluster.properties";
const IDENTITY_KEY: &str = "cluster.id=";

/// Why nodes do not start.
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
    /// The data belongs to another cluster.
    #[error("{} belongs to cluster {found}, not to {wanted}", path.display())]
    OtherCluster {
        /// Where it says so.
        path: PathBuf,
        /// The cluster it belongs to.
        found: String,
        /// The cluster that was named.
        wanted: String,
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
    /// The system gives no thread, or no file for it.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// A node that runs, and what can be seen of it.
#[derive(Debug)]
pub struct Node {
    /// `broker-1`, `controller`: the name of its data directory.
    pub name: String,
    /// What its facts add up to.
    pub watch: Arc<Watch>,
    /// What it counts.
    pub meters: Arc<Meters>,
    /// `None`: it was stopped or killed.
    pub(super) running: Option<Running>,
    /// Its place in the cluster, and who hears what happens to it.
    witness: Option<(usize, Witness)>,
}

impl Node {
    /// A node that does not run yet.
    pub(super) fn unborn(name: String, witness: Option<(usize, Witness)>) -> Node {
        Node { name, watch: Watch::new(), meters: Arc::default(), running: None, witness }
    }

    /// The same node, which does not run.
    pub(super) fn body(&self) -> Node {
        let Node { name, watch, meters, witness, .. } = self;
        Node { name: name.clone(), watch: watch.clone(), meters: meters.clone(), running: None, witness: witness.clone() }
    }

    /// The same node in a new life, as a broker.
    pub(super) fn with_broker(
        self,
        config: BrokerConfig,
        listener: TcpListener,
        disk: FsDisk,
        tcp: &TcpConfig,
    ) -> Result<Node, StartError> {
        let actor = BrokerActor::new(BrokerConfig { seed: chance(), ..config });
        self.live(Box::new(actor), listener, disk, tcp)
    }

    /// The same node in a new life, as a controller.
    pub(super) fn with_controller(
        self,
        config: ControllerConfig,
        listener: TcpListener,
        disk: FsDisk,
        tcp: &TcpConfig,
    ) -> Result<Node, StartError> {
        let actor = ControllerActor::new(ControllerConfig { seed: chance(), ..config });
        let connections_max = tcp.connections_max.min(limits::CONTROLLER_CONNECTIONS_MAX);
        self.live(Box::new(actor), listener, disk, &TcpConfig { connections_max, ..tcp.clone() })
    }

    fn live(self, actor: Box<dyn Actor>, listener: TcpListener, disk: FsDisk, tcp: &TcpConfig) -> Result<Node, StartError> {
        let config = TcpConfig { meters: self.meters.clone(), ..tcp.clone() };
        self.tell(Happening::Started);
        let running = tcp::spawn_server(&self.name, actor, listener, disk, config, self.sink(), self.requests());
        Ok(Node { running: Some(running.map_err(StartError::Thread)?), ..self })
    }

    fn sink(&self) -> FactSink {
        let (mut watch, witness) = (self.watch.sink(), self.witness.clone());
        Box::new(move |fact| {
            watch(fact);
            if let Some((place, witness)) = &witness {
                witness.hear(*place, Happening::Fact(fact));
            }
        })
    }

    fn requests(&self) -> Option<RequestSink> {
        let (place, witness) = self.witness.clone()?;
        Some(Box::new(move |request| witness.hear(place, Happening::Request(request))))
    }

    fn tell(&self, happening: Happening<'_>) {
        if let Some((place, witness)) = &self.witness {
            witness.hear(*place, happening);
        }
    }

    /// Whether it has ended by itself, or lost its disk. One that was killed on purpose has not.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        let Some(running) = &self.running else { return false };
        running.is_over() || self.watch.condition() == super::watch::Condition::Failed
    }

    /// Stops it in order, if it runs.
    pub(super) async fn shut_down(&mut self) -> Result<(), NodeError> {
        match self.running.take() {
            Some(running) => {
                let result = running.shut_down().await;
                self.tell(Happening::Stopped);
                result
            }
            None => Ok(()),
        }
    }

    /// Kills it, if it runs.
    pub(super) async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill().await;
            self.tell(Happening::Killed);
        }
    }
}

/// Name of the controller's data directory.
pub(super) const CONTROLLER_NAME: &str = "controller";

/// Name of a broker's data directory.
pub(super) fn broker_name(config: &BrokerConfig) -> String {
    format!("broker-{}", config.id.0)
}

/// Binds a port; with port 0 the address says which one.
pub(super) async fn bind(address: &Address) -> Result<(TcpListener, Address), StartError> {
    let bound = async {
        let listener = TcpListener::bind((&*address.host, address.port)).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, Address::new(&address.host, port)))
    };
    bound.await.map_err(|error| StartError::Listen { address: address.clone(), error })
}

/// Takes possession of a data directory.
pub(super) fn disk(data: &Path, name: &str) -> Result<FsDisk, StartError> {
    let path = data.join(name);
    FsDisk::new(&path).map_err(|error| StartError::Data { path, error })
}

/// The same broker, which can tell where its data lies.
pub(super) fn kept_in(data: &Path, broker: BrokerConfig) -> BrokerConfig {
    let directory = data.join(broker_name(&broker));
    let absolute = std::path::absolute(&directory).unwrap_or(directory);
    BrokerConfig { log_dir: absolute.to_string_lossy().into_owned(), ..broker }
}

/// The only chance that a node gets.
pub(super) fn chance() -> u64 {
    rand::rngs::OsRng.next_u64()
}

/// A name for a new cluster.
pub(super) fn new_cluster_id() -> String {
    Uuid(u128::from(chance()) << 64 | u128::from(chance())).to_string()
}

/// The cluster's id, which is given once and then stays with the data.
pub(super) fn identity(data: &Path, wanted: Option<&str>, fresh: impl FnOnce() -> String) -> Result<String, StartError> {
    let path = data.join(IDENTITY_FILE);
    let found = read_identity(data, &path, || wanted.map_or_else(fresh, str::to_owned));
    let found = found.map_err(|error| StartError::Data { path: path.clone(), error })?;
    match wanted {
        Some(wanted) if wanted != found => Err(StartError::OtherCluster { path, found, wanted: wanted.to_owned() }),
        Some(_) | None => Ok(found),
    }
}

fn read_identity(data: &Path, path: &Path, fresh: impl FnOnce() -> String) -> io::Result<String> {
    std::fs::create_dir_all(data)?;
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let id = text.lines().find_map(|line| line.strip_prefix(IDENTITY_KEY)).map(str::trim).filter(|id| !id.is_empty());
            let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("it has no line `{IDENTITY_KEY}...`"));
            id.map(str::to_owned).ok_or_else(damaged)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = fresh();
            let content = format!("{IDENTITY_KEY}{id}\n");
            super::fs::replace(data, IDENTITY_FILE, content.as_bytes()).map_err(io::Error::other)?;
            Ok(id)
        }
        Err(error) => Err(error),
    }
}
