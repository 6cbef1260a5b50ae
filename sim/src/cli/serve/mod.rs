//! `brokerlab serve`: the same actors, behind real ports and on a real disk.
//!
//! Without roles it is a whole cluster in one process. With them (`process.roles`, `--node-id`, `--process-roles`) it is one process of a
//! cluster that is spread over processes and hosts.

mod chaos;
mod logs;
mod record;
mod settings;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use brokerlab::node::cluster::{Cluster, ClusterConfig};
use brokerlab::node::metrics::Metrics;
use brokerlab::node::process::Process;
use brokerlab::node::properties::Settings;
use brokerlab::node::server::{self, ServerConfig};
use brokerlab::node::start::Node;
use brokerlab::node::tcp::NodeError;
use brokerlab::types::Address;
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio::net::TcpListener;

use super::Exit;
use super::told::Told;
use chaos::Chaos;
use logs::LogFormat;
use record::Record;

/// Brokers of a cluster, if nobody says how many.
const BROKERS: u16 = 3;
/// A server is asked whether it still lives so often.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After so long a wait it is said what is waited for.
const TELL_AFTER: Duration = Duration::from_secs(5);

/// Serve real Kafka clients: a whole cluster in this process, or one process of a cluster
///
/// A whole cluster: a controller and N brokers on consecutive ports.
///     brokerlab serve --data DIR
///
/// One process of a cluster that is spread over processes and hosts:
///     brokerlab serve --process-roles controller --node-id 100 --listen c:9093 --data DIR
///     brokerlab serve --node-id 1 --controller c:9093 --listen b1:9092 --data DIR
///
/// SIGTERM or Ctrl-C stops it in order: leaders are handed over, logs synced, and the next start is a quick one. The data stays in DIR.
#[derive(clap::Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct Serve {
    /// Where everything is kept (log.dirs); created if it is missing
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Number of brokers of a whole cluster [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=99))]
    brokers: Option<u16>,
    /// Where to listen, of a whole cluster the first broker [default: 127.0.0.1:9092]. An IPv4 address is safest: some clients
    /// resolve `localhost` to ::1
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    listen: Option<Address>,
    /// A file of Kafka's properties (server.properties)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take properties from the environment too, as Kafka's container image does: KAFKA_NUM_PARTITIONS=3
    #[arg(long)]
    env: bool,
    /// One property, which overrules file and environment
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// One process of a cluster: its number (node.id)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    node_id: Option<i32>,
    /// One process of a cluster: where the controller listens (controller.quorum.bootstrap.servers)
    #[arg(long, value_name = "HOST:PORT")]
    controller: Option<String>,
    /// One process of a cluster: `broker`, `controller`, or both (process.roles)
    #[arg(long, value_name = "ROLES")]
    process_roles: Option<String>,
    /// Where clients are told to go, if not to the address listened on (advertised.listeners)
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,
    /// The cluster that a process belongs to; all processes name the same one, or none does
    #[arg(long, value_name = "ID", env = "CLUSTER_ID", hide_env_values = true)]
    cluster_id: Option<String>,
    /// Whole cluster: let it go wrong on the timeline of this scenario; its brokers, properties and topics are the default
    #[arg(long, value_name = "SCENARIO")]
    chaos: Option<PathBuf>,
    /// What chance decides in the scenario of --chaos; default: the scenario's own
    #[arg(long, value_name = "N", requires = "chaos")]
    seed: Option<u64>,
    /// Whole cluster, new: write down every fact of every node, and judge them all with the inner checks
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Show /metrics (for Prometheus) and /health there
    #[arg(long, value_name = "HOST:PORT")]
    metrics: Option<String>,
    /// How to write logs, to standard error; BROKERLAB_LOG=debug says more
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

fn address(text: &str) -> Result<Address, String> {
    let (host, port) = text.rsplit_once(':').ok_or("it needs a host and a port: 127.0.0.1:9092")?;
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
    match host {
        "" => Err("the host is missing: 127.0.0.1:9092".into()),
        host => Ok(Address::new(host.trim_matches(['[', ']']), port)),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has the form name=value")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// What runs.
enum Server {
    Cluster(Cluster, Option<Box<Chaos>>),
    Process(Process),
}

impl Serve {
    /// Serves until it is told to stop.
    pub fn carry_out(self) -> miette::Result<Exit> {
        logs::begin(self.log_format)?;
        let mut settings = settings::gather(&self)?;
        settings::of_process(&self, &mut settings);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().into_diagnostic()?;
        runtime.block_on(self.serve(settings))
    }

    async fn serve(&self, settings: Settings) -> miette::Result<Exit> {
        let mut told = Told::new()?;
        let chaos = self.chaos.as_deref().map(|path| Chaos::load(path, self.seed)).transpose()?;
        let brokers = self.brokers.or(chaos.as_ref().map(Chaos::brokers)).unwrap_or(BROKERS);
        let record = self.record.as_deref().map(|path| Record::begin(path, brokers)).transpose()?;
        let mut server = match settings.contains_key("process.roles") {
            true => Server::Process(self.process(&settings).await?),
            false => {
                let cluster = self.cluster(&settings, brokers, chaos.as_ref(), record.as_ref()).await?;
                Server::Cluster(cluster, chaos.map(Box::new))
            }
        };
        let _metrics = self.metrics(server.nodes()).await?;
        if server.until_ready(&mut told).await? {
            if let Server::Cluster(cluster, Some(chaos)) = &mut server {
                chaos.prepare(cluster).await?;
            }
            println!("ready: {}", server.told());
            server.until_told(&mut told).await?;
        }
        eprintln!("stopping: handing over, syncing (again to stop at once)");
        tokio::select! {
            biased;
            () = told.again() => {}
            result = server.shut_down() => result.into_diagnostic().wrap_err("not everything stopped in order")?,
        }
        record.map_or(Ok(Exit::GOOD), |record| record.finish())
    }

    async fn cluster(
        &self,
        settings: &Settings,
        brokers: u16,
        chaos: Option<&Chaos>,
        record: Option<&Record>,
    ) -> miette::Result<Cluster> {
        let one = "give it a role (--process-roles, --node-id)";
        if self.controller.is_some() || self.advertise.is_some() {
            return Err(miette!("--controller and --advertise are for one process of a cluster: {one}"));
        }
        let listen = self.listen.clone().unwrap_or_else(|| Address::new("127.0.0.1", 9092));
        if matches!(&*listen.host, "0.0.0.0" | "::") {
            return Err(miette!(
                "--listen {listen}: no address that a client could be told; name one of this machine's, or {one}"
            ));
        }
        let data = settings.get("log.dirs").or(settings.get("log.dir")).map(|setting| PathBuf::from(&setting.value));
        let data = data.ok_or_else(|| miette!("where is the data to be kept? --data DIR"))?;
        if record.is_some() && data.exists() {
            return Err(miette!(
                "--record needs a new cluster: {} is there already, and nobody knows what was written to it",
                data.display()
            ));
        }
        let mut properties = chaos.map_or_else(BTreeMap::new, |chaos| chaos.properties().clone());
        properties.extend(server::broker_properties(settings).map_err(|error| miette!("{error}"))?);
        // What is not said follows from the number of brokers: three copies of what is created on demand, if there are three brokers.
        properties.entry("default.replication.factor".into()).or_insert_with(|| brokers.min(3).to_string());
        properties.entry("offsets.topic.replication.factor".into()).or_insert_with(|| brokers.min(3).to_string());
        let tcp = server::tcp(settings).map_err(|error| miette!("{error}"))?;
        let witness = record.map(Record::witness);
        Cluster::start(&ClusterConfig { data, brokers, listen, properties, tcp, witness }).await.into_diagnostic()
    }

    async fn process(&self, settings: &Settings) -> miette::Result<Process> {
        if self.brokers.is_some() || self.chaos.is_some() || self.record.is_some() {
            return Err(miette!("--brokers, --chaos and --record are for a whole cluster in one process; this one has a role"));
        }
        let config = ServerConfig::from_settings(settings, self.cluster_id.clone()).map_err(|error| miette!("{error}"))?;
        Process::start(&config).await.into_diagnostic()
    }

    async fn metrics(&self, nodes: &[Node]) -> miette::Result<Option<Metrics>> {
        let Some(at) = &self.metrics else { return Ok(None) };
        let listener = TcpListener::bind(at).await.into_diagnostic().wrap_err_with(|| format!("cannot listen on {at}"))?;
        println!("metrics: http://{}/metrics", listener.local_addr().into_diagnostic()?);
        Ok(Some(Metrics::serve(listener, nodes)))
    }
}

impl Server {
    fn nodes(&self) -> &[Node] {
        match self {
            Server::Cluster(cluster, _) => cluster.nodes(),
            Server::Process(process) => process.nodes(),
        }
    }

    /// False if it is told to stop before.
    async fn until_ready(&self, told: &mut Told) -> miette::Result<bool> {
        let ready = async {
            match self {
                Server::Cluster(cluster, _) => {
                    cluster.ready().await.into_diagnostic().wrap_err("the cluster did not become ready")
                }
                Server::Process(process) => {
                    process.ready().await;
                    Ok(())
                }
            }
        };
        tokio::pin!(ready);
        let mut impatient = Box::pin(tokio::time::sleep(TELL_AFTER));
        loop {
            tokio::select! {
                biased;
                () = told.again() => return Ok(false),
                result = &mut ready => return result.map(|()| true),
                () = tokio::time::sleep(LOOK_EVERY) => self.check()?,
                () = &mut impatient => {
                    tracing::warn!("not ready yet: is the controller there, and of the same cluster?");
                    impatient = Box::pin(tokio::time::sleep(TELL_AFTER));
                }
            }
        }
    }

    async fn until_told(&mut self, told: &mut Told) -> miette::Result<()> {
        loop {
            let due = async {
                match self {
                    Server::Cluster(_, Some(chaos)) => chaos.due().await,
                    Server::Cluster(_, None) | Server::Process(_) => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = told.again() => return Ok(()),
                () = due => {}
                () = tokio::time::sleep(LOOK_EVERY) => {
                    self.check()?;
                    continue;
                }
            }
            if let Server::Cluster(cluster, Some(chaos)) = self {
                chaos.act(cluster).await?;
            }
        }
    }

    fn check(&self) -> miette::Result<()> {
        match self.nodes().iter().find(|node| node.is_broken()) {
            Some(node) => {
                Err(miette!("{} has ended by itself, or its disk has failed: look at the disk, then start again", node.name))
            }
            None => Ok(()),
        }
    }

    /// Where to connect to, in the words of client properties.
    fn told(&self) -> String {
        match self {
            Server::Cluster(cluster, _) => {
                let bootstrap: Vec<String> = cluster.bootstrap().iter().map(ToString::to_string).collect();
                format!("bootstrap.servers={}", bootstrap.join(","))
            }
            Server::Process(process) => {
                let broker = process.bootstrap().map(|at| format!("bootstrap.servers={at}"));
                let controller = process.controller().map(|at| format!("controller.quorum.bootstrap.servers={at}"));
                broker.into_iter().chain(controller).collect::<Vec<_>>().join(" ")
            }
        }
    }

    async fn shut_down(self) -> Result<(), NodeError> {
        match self {
            Server::Cluster(cluster, _) => cluster.shut_down().await,
            Server::Process(process) => process.shut_down().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_host_and_port() {
        assert_eq!(address("127.0.0.1:9092"), Ok(Address::new("127.0.0.1", 9092)));
        assert_eq!(address("[::1]:1"), Ok(Address::new("::1", 1)));
        for wrong in ["9092", ":9092", "host:port", "host:70000"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
