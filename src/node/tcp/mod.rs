//! The real network: an actor behind a TCP port.
//!
//! ```text
//!   accept ──▶ hello ─┐                                   ┌──▶ writer (one task a connection) ──▶ socket
//!   socket ──▶ reader ┴──▶ arrivals ──▶ TcpRim::next ──▶ actor ──▶ carry_out ──▶ threads that may block: sync, replace, read
//!             (one task     (bounded)                                │                                    │
//!              each)  ◀───────────── gate: next request ◀────────────┘      ◀──────── Synced, ReadDone ───┘
//! ```
//!
//! **Memory.** Nothing here grows with what a peer does. The queue of arrivals is bounded, so readers wait for the actor. An accepted
//! connection has a *gate*: its reader gives the actor one request (or a few to Produce, [`crate::wire::window`]) and holds the next one
//! until the response has left for the socket, so a client that does not read its answers is not read from either. A frame may be no larger than `socket.request.max.bytes`; of one that
//! is announced and not sent, only what came is kept. What all connections hold together is bounded too: see `pressure`.
//!
//! **Order.** Frames leave a connection in the order of the sends, those of one step together. One that waits for a ticket holds up those behind it; if the ticket fails,
//! the connection is closed. What a step states about a sync comes before what was promised because of it.

mod connection;
pub mod meters;
mod pressure;
mod reader;
mod rim;
mod storage;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::actor::{Actor, Outbox};
use crate::fact::Fact;
use crate::node::fs::FsDisk;
use crate::operation::{Command, Operation, OperationId, Outcome};

use meters::Meters;
use rim::{Arrival, TcpRim};
use storage::Storage;

/// How long a node that was killed may take to end what it had begun with the disk.
const DISK_PATIENCE: Duration = Duration::from_secs(30);
/// Arrivals that wait for the actor at most.
const ARRIVALS_MAX: usize = 1024;

/// How a node treats those who connect to it.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// Largest request accepted (`socket.request.max.bytes`).
    pub request_bytes_max: usize,
    /// Accepted connections at most (`max.connections`).
    pub connections_max: usize,
    /// An accepted connection from which nothing comes for so long is closed (`connections.max.idle.ms`).
    pub idle_max: Duration,
    /// Bytes of large requests that are on their way in, over all connections (`queued.max.request.bytes`); `None`: no bound.
    pub queued_bytes_max: Option<usize>,
    /// Bytes of responses that peers have not taken, over all connections.
    pub unsent_bytes_max: usize,
    /// Where this node counts what it does.
    pub meters: Arc<Meters>,
}

impl Default for TcpConfig {
    /// Kafka's defaults, but for the number of connections and the memory that they may take, which Kafka does not limit.
    fn default() -> TcpConfig {
        TcpConfig {
            request_bytes_max: 100 << 20,
            connections_max: 20_000,
            idle_max: Duration::from_secs(600),
            queued_bytes_max: Some(256 << 20),
            unsent_bytes_max: 256 << 20,
            meters: Arc::default(),
        }
    }
}

/// Hears every fact that a node states.
pub type FactSink = Box<dyn FnMut(&Fact) + Send>;

/// Hears every request that a node is given, before the step that handles it.
pub type RequestSink = Box<dyn FnMut(&Bytes) + Send>;

/// A node that runs. Dropping the handle kills it, as `kill -9` would.
#[derive(Debug)]
pub struct Running {
    arrivals: mpsc::Sender<Arrival>,
    task: AbortHandle,
    ended: Option<oneshot::Receiver<()>>,
    commands: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

/// Why a node did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It does not run any more.
    #[error("the node has ended")]
    Ended,
    /// It refused, with a code of Kafka's.
    #[error("the node refused with error {0}")]
    Refused(i16),
}

/// Runs an actor on the present tokio runtime; it only connects to others, and keeps nothing.
#[must_use]
pub fn spawn(actor: Box<dyn Actor>, config: TcpConfig) -> Running {
    let (running, life) = prepare(actor, None, config, None, None);
    let task = tokio::spawn(life).abort_handle();
    running(task)
}

/// Runs an actor behind a port that is already bound, on a thread of its own: everything that happens between a socket and the actor
/// happens there, so that no request has to wait until another thread wakes up.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn_server(
    name: &str,
    actor: Box<dyn Actor>,
    listener: TcpListener,
    disk: FsDisk,
    config: TcpConfig,
    facts: FactSink,
    requests: Option<RequestSink>,
) -> io::Result<Running> {
    let listener = listener.into_std()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (running, life) = prepare(actor, Some((listener, disk)), config, Some(facts), requests);
    let task = runtime.spawn(life);
    let mut running = running(task.abort_handle());
    let live = move || {
        // Killed or ended: either way this was its life. What it had begun with the disk ends before anybody may follow it there.
        let _ = runtime.block_on(task);
        runtime.shutdown_timeout(DISK_PATIENCE);
    };
    running.thread = Some(std::thread::Builder::new().name(name.to_owned()).spawn(live)?);
    Ok(running)
}

/// The handle, once the task is known, and the task.
fn prepare(
    mut actor: Box<dyn Actor>,
    server: Option<(std::net::TcpListener, FsDisk)>,
    config: TcpConfig,
    facts: Option<FactSink>,
    requests: Option<RequestSink>,
) -> (impl FnOnce(AbortHandle) -> Running, impl Future<Output = ()> + Send + 'static) {
    let (arrivals, inbox) = mpsc::channel(ARRIVALS_MAX);
    let (farewell, ended) = oneshot::channel();
    let sender = arrivals.clone();
    let (listener, disk) = server.unzip();
    let life = async move {
        let mut out = Outbox::new();
        let mut rim = TcpRim::new(sender, inbox, Storage::new(disk), config, facts, &mut out);
        rim.show_requests(requests);
        match listener.map(TcpListener::from_std).transpose() {
            Ok(listener) => listener.into_iter().for_each(|listener| rim.listen(listener)),
            Err(error) => return tracing::error!(%error, "cannot listen any more"),
        }
        super::run(&mut *actor, &mut rim, &mut out).await;
        // The data directory is unlocked before anybody hears that the node has ended.
        drop(rim);
        let _ = farewell.send(());
    };
    let running = |task| Running { arrivals, task, ended: Some(ended), commands: AtomicU64::new(0), thread: None };
    (running, life)
}

impl Running {
    /// Asks the actor for something and waits for the end of it.
    ///
    /// # Errors
    /// When the node ends before.
    pub async fn ask(&self, operation: Operation) -> Result<Outcome, NodeError> {
        self.begin(operation).await?.await.map_err(|_| NodeError::Ended)
    }

    /// Asks the actor for something; its end will come. What is begun one after the other reaches the actor in that order.
    ///
    /// # Errors
    /// When the node has ended.
    pub async fn begin(&self, operation: Operation) -> Result<oneshot::Receiver<Outcome>, NodeError> {
        let id = OperationId(self.commands.fetch_add(1, Ordering::Relaxed) + 1);
        let (answer, outcome) = oneshot::channel();
        let asked = self.arrivals.send(Arrival::Command(Command { id, operation }, answer)).await;
        asked.map(|()| outcome).map_err(|_| NodeError::Ended)
    }

    /// Stops the node in order: leaders are handed over, logs are synced, the clean mark is written.
    ///
    /// # Errors
    /// When the node ended by itself or refused.
    pub async fn shut_down(mut self) -> Result<(), NodeError> {
        let outcome = self.ask(Operation::Shutdown).await?;
        if let Outcome::Failed { code, .. } = outcome {
            return Err(NodeError::Refused(code));
        }
        self.arrivals.send(Arrival::Stop).await.map_err(|_| NodeError::Ended)?;
        if let Some(ended) = self.ended.take() {
            ended.await.map_err(|_| NodeError::Ended)?;
        }
        Ok(())
    }

    /// Kills the node, as `kill -9` would, and waits until nothing of it is left.
    pub async fn kill(mut self) {
        self.task.abort();
        if let Some(thread) = self.thread.take() {
            // It cannot be joined twice, and whether it panicked is of no interest any more.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Freezes the node until the answer is dropped or used. The system goes on to take in what others send.
    pub async fn pause(&self) -> oneshot::Sender<()> {
        let (resume, resumed) = oneshot::channel();
        let _ = self.arrivals.send(Arrival::Pause(resumed)).await;
        resume
    }

    /// Cuts the node off: its connections break, and there are no others, until it is told otherwise.
    pub async fn isolate(&self, isolated: bool) {
        let _ = self.arrivals.send(Arrival::Isolate(isolated)).await;
    }

    /// From now on whatever waits for the disk waits so much longer.
    pub async fn slow_disk(&self, by: Duration) {
        let _ = self.arrivals.send(Arrival::SlowDisk(by)).await;
    }

    /// Whether the node has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
