//! `brokerlab serve`: the same actors, behind real ports and on a real disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brokerlab::broker::BrokerConfig;
use brokerlab::node::cluster::{Cluster, ClusterConfig};
use brokerlab::node::tcp::TcpConfig;
use brokerlab::types::{Address, BrokerId};
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio::signal::unix::{SignalKind, signal};

use super::Exit;

/// A cluster is asked whether it still lives so often.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Serve real Kafka clients: a whole cluster in this process
///
/// Starts a controller and N brokers on consecutive ports. SIGTERM or Ctrl-C stops them in order: leaders are handed over, logs
/// synced, and the next start is a quick one. The data stays in DIR.
#[derive(clap::Args, Debug)]
pub struct Serve {
    /// Where everything is kept; created if it is missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Number of brokers
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    brokers: u16,
    /// Host to listen on and to tell clients, and port of the first broker. An IPv4 address is safest: some clients resolve
    /// `localhost` to ::1
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092", value_parser = address)]
    listen: Address,
    /// A file of Kafka's broker properties, `name=value` on each line
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn address(text: &str) -> Result<Address, String> {
    let (host, port) = text.rsplit_once(':').ok_or("it needs a host and a port: 127.0.0.1:9092")?;
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is not a port"))?;
    match host {
        "" => Err("the host is missing: 127.0.0.1:9092".into()),
        "0.0.0.0" | "::" | "[::]" => Err(format!("{host} is no address that a client could be told; name one of this machine's")),
        host => Ok(Address::new(host.trim_matches(['[', ']']), port)),
    }
}

impl Serve {
    /// Serves until it is told to stop.
    pub fn carry_out(self) -> miette::Result<Exit> {
        let properties = self.config.as_deref().map(read_properties).transpose()?.unwrap_or_default();
        let config = ClusterConfig {
            data: self.data,
            brokers: self.brokers,
            listen: self.listen,
            properties: with_sensible_defaults(properties, self.brokers),
            tcp: TcpConfig::default(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().into_diagnostic()?;
        runtime.block_on(serve(config))
    }
}

async fn serve(config: ClusterConfig) -> miette::Result<Exit> {
    let mut terminate = signal(SignalKind::terminate()).into_diagnostic()?;
    let mut interrupt = signal(SignalKind::interrupt()).into_diagnostic()?;
    let mut cluster = Cluster::start(&config).await.into_diagnostic()?;
    cluster.ready().await.into_diagnostic().wrap_err("the cluster did not become ready")?;
    let bootstrap: Vec<String> = cluster.bootstrap().iter().map(ToString::to_string).collect();
    println!("ready: bootstrap.servers={}", bootstrap.join(","));
    loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {
                if cluster.is_broken() {
                    return Err(miette!("a node has ended by itself, or its disk has failed: look at the disk, then start again"));
                }
            }
        }
    }
    eprintln!("stopping: handing over, syncing (again to stop at once)");
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        result = cluster.shut_down() => result.into_diagnostic().wrap_err("not everything stopped in order")?,
    }
    Ok(Exit::GOOD)
}

/// What is not said follows from the number of brokers: three copies of what is created on demand, if there are three brokers.
fn with_sensible_defaults(mut properties: BTreeMap<String, String>, brokers: u16) -> BTreeMap<String, String> {
    properties.entry("default.replication.factor".into()).or_insert_with(|| brokers.min(3).to_string());
    properties
}

/// Reads a file of properties; every line is checked, and a wrong one is named with its number.
fn read_properties(path: &Path) -> miette::Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).into_diagnostic().wrap_err_with(|| format!("cannot read {}", path.display()))?;
    let mut properties = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let place = format!("{}:{number}", path.display());
        let (key, value) = line.split_once('=').ok_or_else(|| miette!("{place}: `{line}` is not of the form name=value"))?;
        let (key, value) = (key.trim(), value.trim());
        check(key, value).map_err(|message| miette!("{place}: {message}"))?;
        if properties.insert(key.to_string(), value.to_string()).is_some() {
            return Err(miette!("{place}: {key} is set twice"));
        }
    }
    Ok(properties)
}

fn check(key: &str, value: &str) -> Result<(), String> {
    let known = BrokerConfig::properties();
    if !known.contains(&key) {
        let nearest = known.iter().max_by(|a, b| strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b)));
        return Err(format!("{key} is not a property of a broker; did you mean {}?", nearest.copied().unwrap_or_default()));
    }
    let nowhere = Address::new("-", 0);
    let config = BrokerConfig::new(BrokerId(1), "", 0, nowhere.clone(), nowhere);
    let one = BTreeMap::from([(key.to_string(), value.to_string())]);
    config.with_properties(&one).map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_host_and_port() {
        assert_eq!(address("127.0.0.1:9092"), Ok(Address::new("127.0.0.1", 9092)));
        assert_eq!(address("[::1]:1"), Ok(Address::new("::1", 1)));
        for wrong in ["9092", ":9092", "host:port", "host:70000", "0.0.0.0:9092"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_misspelt_property_is_named_with_the_nearest_one() {
        assert_eq!(
            check("min.insync.replica", "1"),
            Err("min.insync.replica is not a property of a broker; did you mean min.insync.replicas?".into())
        );
        assert!(check("min.insync.replicas", "0").is_err_and(|message| message.contains("from 1")));
        assert_eq!(check("num.partitions", "6"), Ok(()));
    }
}
