//! Four processes of this program: a controller and three brokers, each with a directory and a log of its own.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use miette::{IntoDiagnostic, WrapErr, miette};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cli::machine::now;

/// How many brokers there are; their numbers are 1, 2, 3, and 0 is the controller.
pub const BROKERS: usize = 3;
/// Number of the controller.
const CONTROLLER: usize = 0;
/// The controller's `node.id`.
const CONTROLLER_ID: usize = 100;
/// Longest time that a process may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every process is told: it is missed soon, so that there is something to see in a short time.
const SETTINGS: [&str; 4] = [
    "broker.session.timeout.ms=1000",
    "broker.heartbeat.interval.ms=200",
    "replica.lag.time.max.ms=2000",
    "log.segment.bytes=1048576",
];

/// The processes.
#[derive(Debug)]
pub struct Fleet {
    data: PathBuf,
    ports: Vec<u16>,
    members: Vec<Option<Child>>,
    /// The longest that a process took from its start to being ready.
    pub slowest_return: Duration,
}

impl Fleet {
    /// Starts all four and waits until they are ready.
    pub async fn start(data: &Path) -> miette::Result<Fleet> {
        let members = (0..=BROKERS).map(|_| None).collect();
        let mut fleet = Fleet { data: data.to_owned(), ports: free_ports()?, members, slowest_return: Duration::ZERO };
        fleet.revive_all().await?;
        Ok(fleet)
    }

    /// Where clients connect to.
    pub fn bootstrap(&self) -> String {
        let brokers = self.ports[1..].iter().map(|port| format!("127.0.0.1:{port}"));
        brokers.collect::<Vec<_>>().join(",")
    }

    /// `kill -9`.
    pub async fn kill(&mut self, member: usize) -> miette::Result<()> {
        let Some(mut child) = self.members[member].take() else { return Err(miette!("process {member} does not run")) };
        if let Some(status) = child.try_wait().into_diagnostic()? {
            return Err(miette!("process {member} had ended by itself, {status}; its log is {}", self.log(member).display()));
        }
        child.kill().await.into_diagnostic()
    }

    /// Kills all four, one directly after the other.
    pub async fn kill_all(&mut self) -> miette::Result<()> {
        for child in self.members.iter_mut().flatten() {
            child.start_kill().into_diagnostic()?;
        }
        for child in &mut self.members {
            if let Some(mut child) = child.take() {
                child.wait().await.into_diagnostic()?;
            }
        }
        Ok(())
    }

    /// Starts one again and waits until it is ready.
    pub async fn revive(&mut self, member: usize) -> miette::Result<()> {
        let begun = now();
        let mut child = self.spawn(member)?;
        self.until_ready(member, &mut child).await?;
        self.slowest_return = self.slowest_return.max(begun.elapsed());
        self.members[member] = Some(child);
        Ok(())
    }

    /// Starts all four again and waits until they are ready.
    pub async fn revive_all(&mut self) -> miette::Result<()> {
        let begun = now();
        let mut children = Vec::new();
        for member in 0..=BROKERS {
            children.push(self.spawn(member)?);
        }
        for (member, mut child) in children.into_iter().enumerate() {
            self.until_ready(member, &mut child).await?;
            self.members[member] = Some(child);
        }
        self.slowest_return = self.slowest_return.max(begun.elapsed());
        Ok(())
    }

    /// Stops all in order, the controller last.
    pub async fn stop(mut self) -> miette::Result<()> {
        for member in (0..=BROKERS).rev() {
            let Some(mut child) = self.members[member].take() else { continue };
            let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
            if let Some(id) = id {
                rustix::process::kill_process(id, rustix::process::Signal::TERM).into_diagnostic()?;
            }
            let status = timeout(PATIENCE, child.wait()).await.into_diagnostic()?.into_diagnostic()?;
            if !status.success() {
                return Err(miette!(
                    "process {member} did not stop in order: {status}; its log is {}",
                    self.log(member).display()
                ));
            }
        }
        Ok(())
    }

    fn spawn(&self, member: usize) -> miette::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(self.log(member)).into_diagnostic()?;
        let mut command = Command::new(std::env::current_exe().into_diagnostic()?);
        let controller = format!("127.0.0.1:{}", self.ports[CONTROLLER]);
        command.arg("serve").arg("--data").arg(self.data.join(format!("node-{member}")));
        command.args(["--listen", &format!("127.0.0.1:{}", self.ports[member])]);
        match member {
            CONTROLLER => command.args(["--process-roles", "controller", "--node-id", &CONTROLLER_ID.to_string()]),
            broker => command.args(["--node-id", &broker.to_string(), "--controller", &controller]),
        };
        command.args(SETTINGS.iter().flat_map(|setting| ["--set", setting]));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        command.spawn().into_diagnostic().wrap_err("cannot start a process of this program")
    }

    async fn until_ready(&self, member: usize, child: &mut Child) -> miette::Result<()> {
        let log = self.log(member);
        let output = child.stdout.take().ok_or_else(|| miette!("process {member} has no output"))?;
        let mut lines = BufReader::new(output).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.into_diagnostic()? {
                if line.starts_with("ready: ") {
                    return Ok(());
                }
            }
            Err(miette!("process {member} ended; its log is {}", log.display()))
        };
        timeout(PATIENCE, ready)
            .await
            .map_err(|_| miette!("process {member} is not ready after {PATIENCE:?}; its log is {}", log.display()))?
    }

    fn log(&self, member: usize) -> PathBuf {
        self.data.join(format!("node-{member}.log"))
    }
}

/// Ports that are free now; each process keeps its own over all its lives.
fn free_ports() -> miette::Result<Vec<u16>> {
    let listeners: std::io::Result<Vec<_>> = (0..=BROKERS).map(|_| std::net::TcpListener::bind("127.0.0.1:0")).collect();
    let ports: std::io::Result<Vec<u16>> =
        listeners.and_then(|listeners| listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect());
    ports.into_diagnostic().wrap_err("cannot find free ports")
}
