//! `/metrics` in the text format of Prometheus, and `/health`, on a port of their own.
//!
//! ```text
//!   GET /metrics    200, every count of every node in this process
//!   GET /health     200 ok           every node works
//!                   503 and why      it starts, it has ended, or its disk has failed
//! ```
//!
//! The port is opened only when asked for. It understands no more of HTTP than that, answers one request a connection, and takes few at once.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::wire::ApiKey;

use super::start::Node;
use super::tcp::meters::{LATENCY_BOUNDS, Meters};
use super::watch::{Condition, Watch};

/// Requests answered side by side.
const SERVED_MAX: usize = 16;
/// Bytes of a request that are read at most.
const REQUEST_BYTES_MAX: usize = 8 << 10;
/// Longest time that a request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One node as it is shown.
#[derive(Clone, Debug)]
struct Shown {
    name: String,
    watch: Arc<Watch>,
    meters: Arc<Meters>,
}

/// The page that shows some nodes. Dropping it closes the port.
#[derive(Debug)]
pub struct Metrics {
    task: AbortHandle,
}

impl Metrics {
    /// Shows these nodes to whoever asks there.
    #[must_use]
    pub fn serve(listener: TcpListener, nodes: &[Node]) -> Metrics {
        let shown =
            nodes.iter().map(|node| Shown { name: node.name.clone(), watch: node.watch.clone(), meters: node.meters.clone() });
        let shown: Arc<[Shown]> = shown.collect();
        Metrics { task: tokio::spawn(accept(listener, shown)).abort_handle() }
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shown: Arc<[Shown]>) {
    let places = Arc::new(Semaphore::new(SERVED_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shown = shown.clone();
                tokio::spawn(async move {
                    let _ = timeout(PATIENCE, answer(stream, &shown)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, shown: &[Shown]) -> io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        let count = stream.read(&mut part).await?;
        if count == 0 {
            break;
        }
        request.extend_from_slice(&part[..count]);
    }
    let line = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    let (status, body) = match line.split(' ').collect::<Vec<_>>()[..] {
        ["GET" | "HEAD", "/metrics", _] => ("200 OK", page(shown)),
        ["GET" | "HEAD", "/health", _] => health(shown),
        ["GET" | "HEAD", _, _] => ("404 Not Found", "there is /metrics and /health\n".to_owned()),
        _ => ("400 Bad Request", "GET /metrics or /health\n".to_owned()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    if !line.starts_with("HEAD") {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}

fn health(shown: &[Shown]) -> (&'static str, String) {
    let wrong = |node: &Shown| match node.watch.condition() {
        Condition::Working => None,
        Condition::Starting => Some(format!("{} is starting\n", node.name)),
        Condition::Failed => Some(format!("the disk of {} has failed\n", node.name)),
    };
    let wrong: String = shown.iter().filter_map(wrong).collect();
    if wrong.is_empty() { ("200 OK", "ok\n".to_owned()) } else { ("503 Service Unavailable", wrong) }
}

/// Name, explanation, and where its value is.
type Counter = (&'static str, &'static str, fn(&Meters) -> u64);

fn page(shown: &[Shown]) -> String {
    let mut page = String::new();
    process(&mut page);
    let meters: [Counter; 8] = [
        ("network_received_bytes_total", "Bytes read from sockets", |m| m.bytes_in.value()),
        ("network_sent_bytes_total", "Bytes written to sockets", |m| m.bytes_out.value()),
        ("connections_accepted_total", "Connections that peers opened", |m| m.accepted.value()),
        ("connections_closed_total", "Connections of peers that are over", |m| m.ended.value()),
        ("connections_refused_total", "Connections turned away, there being too many", |m| m.refused.value()),
        ("connections_timed_out_total", "Connections closed for being idle too long", |m| m.timed_out.value()),
        ("connections_garbage_total", "Connections closed for bytes that are no request", |m| m.garbage.value()),
        ("connections_shed_total", "Connections closed for not taking responses while memory was short", |m| m.shed.value()),
    ];
    for (name, help, value) in meters {
        family(&mut page, name, "counter", help, shown.iter().map(|node| (&*node.name, value(&node.meters))));
    }
    let open = |m: &Meters| m.accepted.value().saturating_sub(m.ended.value());
    family(&mut page, "connections", "gauge", "Connections of peers", shown.iter().map(|node| (&*node.name, open(&node.meters))));
    sums(&mut page, shown);
    latencies(&mut page, shown);
    page
}

fn sums(page: &mut String, shown: &[Shown]) {
    let (controllers, brokers): (Vec<&Shown>, Vec<&Shown>) =
        shown.iter().partition(|node| node.name == super::start::CONTROLLER_NAME);
    let sums = |nodes: &[&Shown], value: fn(&super::watch::Summary) -> u64| -> Vec<(String, u64)> {
        nodes.iter().map(|node| (node.name.clone(), value(&node.watch.summary()))).collect()
    };
    let mut show = |nodes: &[&Shown], name, kind, help, value| {
        let values = sums(nodes, value);
        family(page, name, kind, help, values.iter().map(|(node, value)| (&**node, *value)));
    };
    show(&brokers, "replicas", "gauge", "Partitions of which the broker holds a replica", |s| s.replicas.len() as u64);
    show(&brokers, "leaders", "gauge", "Partitions that the broker leads", |s| s.led() as u64);
    show(&brokers, "records_appended_total", "counter", "Records appended as leader", |s| s.records_led);
    show(&brokers, "records_replicated_total", "counter", "Records appended as follower", |s| s.records_followed);
    show(&brokers, "log_truncations_total", "counter", "Logs cut by a follower", |s| s.truncations);
    show(&controllers, "partitions", "gauge", "Partitions of the cluster", |s| s.partitions.len() as u64);
    show(&controllers, "offline_partitions", "gauge", "Partitions without a leader", |s| s.offline() as u64);
    show(&controllers, "under_replicated_partitions", "gauge", "Partitions with a replica out of sync", |s| {
        s.under_replicated() as u64
    });
    show(&controllers, "active_brokers", "gauge", "Brokers that may lead", |s| s.unfenced as u64);
    show(&controllers, "leader_elections_total", "counter", "Leaders elected", |s| s.elections);
    show(&controllers, "unclean_leader_elections_total", "counter", "Leaders elected from outside the ISR", |s| {
        s.unclean_elections
    });
    show(&controllers, "isr_shrinks_total", "counter", "Times an ISR lost members", |s| s.isr_shrinks);
    show(&controllers, "isr_expansions_total", "counter", "Times an ISR gained members", |s| s.isr_expansions);
}

fn latencies(page: &mut String, shown: &[Shown]) {
    head(page, "request_seconds", "histogram", "Time from a request to its response, waiting included");
    for node in shown {
        for (key, answers) in node.meters.answers() {
            let api = ApiKey::from_code(key).map_or_else(|| key.to_string(), |api| api.name().to_owned());
            let labels = format!("node=\"{}\",api=\"{api}\"", node.name);
            let mut so_far = 0;
            for (bound, count) in LATENCY_BOUNDS.iter().zip(answers.within) {
                so_far += count;
                line(page, format_args!("brokerlab_request_seconds_bucket{{{labels},le=\"{bound}\"}} {so_far}"));
            }
            line(page, format_args!("brokerlab_request_seconds_bucket{{{labels},le=\"+Inf\"}} {}", answers.count));
            line(page, format_args!("brokerlab_request_seconds_sum{{{labels}}} {}", answers.seconds));
            line(page, format_args!("brokerlab_request_seconds_count{{{labels}}} {}", answers.count));
        }
    }
}

/// What the system says of this process, where it tells in the way of Linux.
fn process(page: &mut String) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|line| line.split_whitespace().next());
    if let Some(kilobytes) = kilobytes.and_then(|number| number.parse::<u64>().ok()) {
        head_of(page, "process_resident_memory_bytes", "gauge", "Resident memory");
        line(page, format_args!("process_resident_memory_bytes {}", kilobytes * 1024));
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        head_of(page, "process_open_fds", "gauge", "Open files and connections");
        line(page, format_args!("process_open_fds {}", files.count()));
    }
}

fn family<'a>(page: &mut String, name: &str, kind: &str, help: &str, values: impl Iterator<Item = (&'a str, u64)>) {
    let mut values = values.peekable();
    if values.peek().is_some() {
        head(page, name, kind, help);
        values.for_each(|(node, value)| line(page, format_args!("brokerlab_{name}{{node=\"{node}\"}} {value}")));
    }
}

fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    head_of(page, &format!("brokerlab_{name}"), kind, help);
}

fn head_of(page: &mut String, name: &str, kind: &str, help: &str) {
    line(page, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(page, "{text}").expect("a string takes everything");
}
