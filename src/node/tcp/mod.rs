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
//! connection has a *gate*: its reader gives the actor one request and holds the next one until the response has left for the socket, so
//! a client that does not read its answers is not read from either. A frame may be no larger than `socket.request.max.bytes`; of one that
//! is announced and not sent, only what came is kept. What all connections hold together is bounded too: see [`pressure`].
//!
//! **Order.** Frames leave a connection in the order of the sends. One that waits for a ticket holds up those behind it; if the ticket fails,
//! the connection is closed. What a step states about a sync comes before what was promised because of it.

mod connection;
pub mod meters;
mod pressure;
mod reader;
mod rim;
mod storage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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

/// A node that runs. Dropping the handle kills it, as `kill -9` would.
#[derive(Debug)]
pub struct Running {
    arrivals: mpsc::Sender<Arrival>,
    task: AbortHandle,
    ended: Option<oneshot::Receiver<()>>,
    commands: AtomicU64,
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

/// Runs an actor behind a port that is already bound; without one it only connects to others, and without a disk it keeps nothing. It
/// lives on the present tokio runtime.
#[must_use]
pub fn spawn(
    mut actor: Box<dyn Actor>,
    listener: Option<TcpListener>,
    disk: Option<FsDisk>,
    config: TcpConfig,
    facts: Option<FactSink>,
) -> Running {
    let (arrivals, inbox) = mpsc::channel(ARRIVALS_MAX);
    let (farewell, ended) = oneshot::channel();
    let sender = arrivals.clone();
    let task = tokio::spawn(async move {
        let mut out = Outbox::new();
        let mut rim = TcpRim::new(sender, inbox, Storage::new(disk), config, facts, &mut out);
        if let Some(listener) = listener {
            rim.listen(listener);
        }
        super::run(&mut *actor, &mut rim, &mut out).await;
        // The data directory is unlocked before anybody hears that the node has ended.
        drop(rim);
        let _ = farewell.send(());
    });
    Running { arrivals, task: task.abort_handle(), ended: Some(ended), commands: AtomicU64::new(0) }
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
