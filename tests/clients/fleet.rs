//! A cluster of processes, one of which is killed while a client writes.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::tools;

/// Brokers are 1, 2 and 3; this is the controller.
const CONTROLLER: usize = 0;
const BROKERS: usize = 3;
/// Longest time that a client may take, the death of a broker included.
const PATIENCE: Duration = Duration::from_secs(120);
/// A broker that is gone is missed soon, so that the test is short.
const SETTINGS: [&str; 4] = [
    "broker.session.timeout.ms=1500",
    "broker.heartbeat.interval.ms=300",
    "replica.lag.time.max.ms=3000",
    "group.consumer.heartbeat.interval.ms=500",
];

/// A controller and three brokers.
pub struct Fleet {
    data: PathBuf,
    ports: Vec<u16>,
    processes: Vec<Option<Child>>,
}

impl Fleet {
    /// Whether this build can serve a cluster that is spread over processes.
    pub fn is_possible() -> bool {
        let help = Command::new(env!("CARGO_BIN_EXE_brokerlab")).args(["serve", "--help"]).output().unwrap();
        String::from_utf8_lossy(&help.stdout).contains("--process-roles")
    }

    /// Starts all of them.
    pub fn start(name: &str) -> Fleet {
        let data = tools::scratch().join(format!("fleet-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        let listeners: Vec<TcpListener> = (0..=BROKERS).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(listeners);
        let mut fleet = Fleet { data, ports, processes: (0..=BROKERS).map(|_| None).collect() };
        let children: Vec<Child> = (0..=BROKERS).map(|member| fleet.spawn(member)).collect();
        fleet.processes = children.into_iter().map(|child| Some(ready(child))).collect();
        fleet
    }

    /// Where clients connect to.
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.ports[1..].iter().map(|port| format!("127.0.0.1:{port}")).collect();
        addresses.join(",")
    }

    fn spawn(&self, member: usize) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brokerlab"));
        command.args(["serve", "--listen", &format!("127.0.0.1:{}", self.ports[member]), "--data"]);
        command.arg(self.data.join(format!("node-{member}")));
        match member {
            CONTROLLER => command.args(["--process-roles", "controller", "--node-id", "100"]),
            broker => {
                let controller = format!("127.0.0.1:{}", self.ports[CONTROLLER]);
                command.args(["--node-id", &broker.to_string(), "--controller", &controller])
            }
        };
        command.args(SETTINGS.iter().flat_map(|setting| ["--set", setting]));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn kill(&mut self, member: usize) {
        let mut child = self.processes[member].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Runs a client; when it says `halfway`, a broker is killed, and started again a little later. Gives what else it said.
    pub fn kill_one_while(mut self, program: &mut Command) -> Vec<String> {
        let mut client = program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (said, heard) = mpsc::channel();
        let lines = BufReader::new(client.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));
        let mut rest = Vec::new();
        while let Ok(line) = heard.recv_timeout(PATIENCE) {
            if line != "halfway" {
                rest.push(line);
                continue;
            }
            self.kill(1);
            std::thread::sleep(Duration::from_secs(3));
            let child = self.spawn(1);
            self.processes[1] = Some(ready(child));
        }
        let _ = client.kill();
        let _ = client.wait();
        rest
    }
}

/// Waits for the word of a process that it is ready.
fn ready(mut child: Child) -> Child {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("ready: ")), "a process ended before it was ready");
    // Whatever else it says must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for child in self.processes.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.data);
    }
}
