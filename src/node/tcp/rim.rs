//! What carries out the wishes of an actor on a real machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::actor::{Action, CloseReason, Event, Now, Outbox};
use crate::disk::{Disk, DiskError};
use crate::node::Rim;
use crate::node::fs;
use crate::operation::{Command, Completion, OperationId, Outcome};
use crate::types::{Address, ConnectionId, Duration, Ticket, Time, Timestamp};
use crate::wire::ApiKey;
use crate::wire::frame::prefix;
use crate::wire::window::weight;

use super::connection::{Chunks, Connection, reason};
use super::pressure::{Loan, Pressure};
use super::storage::Storage;
use super::{FactSink, RequestSink, TcpConfig};

/// Pause after the system could not give us a connection (no more file descriptors): it will not help to ask at once.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
/// Of so many connections turned away one is told of.
const REFUSALS_PER_WARNING: u64 = 1_000;
/// After so many events in a row the actor is not told of the next one, if it is there already.
const ROW_MAX: usize = 32;
/// What the monotonic clock shows at the start: no deadline may lie before the beginning of time.
const FIRST_READING: Duration = Duration::secs(1);

/// Something that happens to a node.
pub(super) enum Arrival {
    /// A peer has connected.
    Accepted(TcpStream, SocketAddr),
    /// A connection that was asked for stands, or will not.
    Connected(ConnectionId, Address, Result<TcpStream, CloseReason>),
    /// A frame, and what was borrowed for it.
    Frame(ConnectionId, Bytes, Loan),
    /// A connection is gone.
    Ended(ConnectionId, CloseReason),
    /// A sync or replacement has ended.
    Synced(Ticket, Result<(), DiskError>),
    /// A read has ended.
    ReadDone(Ticket, Result<Bytes, DiskError>),
    /// Somebody wants something.
    Command(Command, oneshot::Sender<Outcome>),
    /// The node is to end.
    Stop,
    /// The node is frozen until this ends.
    Pause(oneshot::Receiver<()>),
    /// The node is cut off, or is no longer.
    Isolate(bool),
    /// The disk takes so much longer.
    SlowDisk(std::time::Duration),
}

/// A connection as the rim keeps it.
enum Line {
    /// Asked for. Dropping gives up.
    Connecting { _task: Abort },
    /// Stands.
    Open(Box<Open>),
}

/// A connection that stands.
struct Open {
    connection: Connection,
    outgoing: VecDeque<(Vec<Bytes>, Option<Ticket>)>,
    accepted: bool,
    /// The requests that wait for their answers, oldest first.
    asked: VecDeque<Asked>,
}

/// A request that waits for its answer.
struct Asked {
    /// What was asked; `None`: what is no API is not counted by its number, which peers choose.
    api_key: Option<i16>,
    since: Instant,
    weight: u32,
}

/// A task that ends when nobody wants it any more.
struct Abort(AbortHandle);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The rim of a real process.
pub(super) struct TcpRim {
    arrivals: mpsc::Sender<Arrival>,
    inbox: mpsc::Receiver<Arrival>,
    storage: Storage,
    config: TcpConfig,
    pressure: Arc<Pressure>,
    facts: Option<FactSink>,
    requests: Option<RequestSink>,
    started: Instant,
    acceptor: Option<Abort>,
    lines: BTreeMap<ConnectionId, Line>,
    accepted: usize,
    /// The name that the next accepted connection gets.
    spare: ConnectionId,
    is_spare_taken: bool,
    /// Disk operations under way, and the connections whose next frame waits for them.
    tickets: BTreeMap<Ticket, Vec<ConnectionId>>,
    failed: BTreeSet<Ticket>,
    is_isolated: bool,
    has_shed: bool,
    disk_delay: std::time::Duration,
    /// Connections on which the present step sends, or that waited for the ticket of which it hears.
    released: Vec<ConnectionId>,
    answers: BTreeMap<OperationId, oneshot::Sender<Outcome>>,
    /// What the node is told next, before anything else that has arrived.
    next: VecDeque<Event>,
    /// The node was promised another event.
    has_more: bool,
    /// Events in a row after each of which another was promised.
    row: usize,
}

impl TcpRim {
    /// A rim without connections.
    #[allow(clippy::disallowed_methods)] // Production: this is where an actor's clock comes from.
    pub fn new(
        arrivals: mpsc::Sender<Arrival>,
        inbox: mpsc::Receiver<Arrival>,
        storage: Storage,
        config: TcpConfig,
        facts: Option<FactSink>,
        out: &mut Outbox,
    ) -> TcpRim {
        let pressure = Pressure::new(config.queued_bytes_max, config.unsent_bytes_max);
        TcpRim {
            arrivals,
            inbox,
            storage,
            config,
            pressure,
            facts,
            requests: None,
            started: Instant::now(),
            acceptor: None,
            lines: BTreeMap::new(),
            accepted: 0,
            spare: out.next_connection(),
            is_spare_taken: false,
            tickets: BTreeMap::new(),
            failed: BTreeSet::new(),
            is_isolated: false,
            has_shed: false,
            disk_delay: std::time::Duration::ZERO,
            released: Vec::new(),
            answers: BTreeMap::new(),
            next: VecDeque::new(),
            has_more: false,
            row: 0,
        }
    }

    /// Shows every request from now on.
    pub fn show_requests(&mut self, requests: Option<RequestSink>) {
        self.requests = requests;
    }

    /// Accepts connections from now on.
    pub fn listen(&mut self, listener: TcpListener) {
        let arrivals = self.arrivals.clone();
        let acceptor = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        if arrivals.send(Arrival::Accepted(stream, peer)).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        });
        self.acceptor = Some(Abort(acceptor.abort_handle()));
    }

    #[allow(clippy::disallowed_methods)] // As above.
    fn now(&self) -> Now {
        let elapsed = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Now {
            mono: Time::ZERO.plus(FIRST_READING).plus(Duration(elapsed)),
            wall: Timestamp(i64::try_from(wall).unwrap_or(i64::MAX)),
        }
    }

    fn moment(&self, deadline: Time) -> tokio::time::Instant {
        let since_start = deadline.0.saturating_sub(FIRST_READING.0);
        (self.started + std::time::Duration::from_nanos(since_start)).into()
    }

    // ---- in -----------------------------------------------------------------------------------------------------------------

    /// An event for the actor. So many in a row may promise another: what is put off must not be put off for ever.
    fn give(&mut self, event: Event) -> (Now, Event) {
        self.row = (self.row + 1) % ROW_MAX;
        self.has_more = self.row != 0 && !(self.next.is_empty() && self.inbox.is_empty());
        (self.now(), event)
    }

    /// What an arrival means to the actor; `None` if nothing, or if the node is to end.
    fn take_in(&mut self, arrival: Arrival) -> Option<Event> {
        match arrival {
            Arrival::Accepted(stream, peer) => self.on_accepted(stream, peer),
            Arrival::Connected(connection, peer, result) => self.on_connected(connection, peer, result),
            Arrival::Frame(connection, frame, _loan) => self.on_frame(connection, frame),
            Arrival::Ended(connection, reason) => self.on_ended(connection, reason),
            Arrival::Synced(ticket, result) => {
                self.settle(ticket, result.is_ok());
                Some(Event::Synced { ticket, result })
            }
            Arrival::ReadDone(ticket, result) => {
                self.settle(ticket, result.is_ok());
                Some(Event::ReadDone { ticket, result })
            }
            Arrival::Command(command, answer) => {
                self.answers.insert(command.id, answer);
                Some(Event::Command(command))
            }
            Arrival::Isolate(isolated) => {
                self.isolate(isolated);
                None
            }
            Arrival::SlowDisk(by) => {
                self.disk_delay = by;
                None
            }
            Arrival::Stop | Arrival::Pause(_) => None,
        }
    }

    fn isolate(&mut self, isolated: bool) {
        self.is_isolated = isolated;
        if isolated {
            let all: Vec<ConnectionId> = self.lines.keys().copied().collect();
            for connection in all {
                self.forget(connection, CloseReason::Reset);
                self.next.push_back(Event::Closed { connection, reason: CloseReason::Reset });
            }
        }
    }

    fn on_accepted(&mut self, stream: TcpStream, peer: SocketAddr) -> Option<Event> {
        if self.is_isolated {
            return None;
        }
        if self.accepted >= self.config.connections_max {
            // Once in a while: whoever knocks too often must not fill the log as well.
            if self.config.meters.refused.value().is_multiple_of(REFUSALS_PER_WARNING) {
                tracing::warn!(%peer, max = self.config.connections_max, "refused: too many connections");
            }
            self.config.meters.refused.add(1);
            return None;
        }
        let connection = self.spare;
        self.is_spare_taken = true;
        self.accepted += 1;
        self.config.meters.accepted.add(1);
        self.open(connection, stream, true);
        let peer = Address::new(&peer.ip().to_string(), peer.port());
        Some(Event::Opened { connection, peer, accepted: true })
    }

    fn on_connected(&mut self, connection: ConnectionId, peer: Address, result: Result<TcpStream, CloseReason>) -> Option<Event> {
        // Given up meanwhile.
        self.lines.remove(&connection)?;
        let result = if self.is_isolated { Err(CloseReason::TimedOut) } else { result };
        match result {
            Ok(stream) => {
                self.open(connection, stream, false);
                Some(Event::Opened { connection, peer, accepted: false })
            }
            Err(reason) => Some(Event::Closed { connection, reason }),
        }
    }

    fn open(&mut self, name: ConnectionId, stream: TcpStream, accepted: bool) {
        let connection = Connection::open(name, stream, accepted, &self.arrivals, &self.config, &self.pressure);
        self.lines
            .insert(name, Line::Open(Box::new(Open { connection, outgoing: VecDeque::new(), accepted, asked: VecDeque::new() })));
    }

    #[allow(clippy::disallowed_methods)] // Production: how long an answer takes is measured here.
    fn on_frame(&mut self, connection: ConnectionId, frame: Bytes) -> Option<Event> {
        let Some(Line::Open(line)) = self.lines.get_mut(&connection) else { return None };
        if line.accepted {
            if let Some(sink) = &mut self.requests {
                sink(&frame);
            }
            let key = frame.first_chunk().map(|key| i16::from_be_bytes(*key));
            let api_key = key.filter(|key| ApiKey::from_code(*key).is_some());
            line.asked.push_back(Asked { api_key, since: Instant::now(), weight: weight(&frame) });
        }
        Some(Event::Frame { connection, frame })
    }

    fn on_ended(&mut self, connection: ConnectionId, reason: CloseReason) -> Option<Event> {
        self.forget(connection, reason)?;
        Some(Event::Closed { connection, reason })
    }

    /// Takes the connection out of everything; `None` if that was done already.
    fn forget(&mut self, connection: ConnectionId, reason: CloseReason) -> Option<Line> {
        let line = self.lines.remove(&connection)?;
        if let Line::Open(open) = &line
            && open.accepted
        {
            self.accepted -= 1;
            self.config.meters.ended(reason);
        }
        Some(line)
    }

    fn settle(&mut self, ticket: Ticket, is_good: bool) {
        self.released.extend(self.tickets.remove(&ticket).unwrap_or_default());
        if !is_good {
            self.failed.insert(ticket);
        }
    }

    // ---- out ----------------------------------------------------------------------------------------------------------------

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect { connection, to } => self.connect(connection, to),
            Action::Send { connection, chunks, after } => {
                if let Some(Line::Open(line)) = self.lines.get_mut(&connection) {
                    line.outgoing.push_back((chunks, after));
                    if line.outgoing.len() == 1 {
                        self.released.push(connection);
                    }
                }
            }
            Action::Done { connection } => {
                if let Some(Line::Open(line)) = self.lines.get_mut(&connection) {
                    // Those before it have answers that only have not left yet.
                    let asked = line.asked.remove(line.outgoing.len());
                    line.connection.answered(note_answer(&self.config, asked));
                }
            }
            Action::Close { connection } => {
                self.flush(connection);
                self.forget(connection, CloseReason::Eof);
            }
            Action::Sync { ticket, targets } => {
                self.tickets.insert(ticket, Vec::new());
                let job = self.storage.sync(&targets);
                self.block(move || Arrival::Synced(ticket, job()));
            }
            Action::Replace { ticket, path, content } => {
                self.tickets.insert(ticket, Vec::new());
                let job = self.storage.below(move |root| fs::replace(root, &path, &content));
                self.block(move || Arrival::Synced(ticket, job()));
            }
            Action::Read { ticket, path, position, length } => {
                self.tickets.insert(ticket, Vec::new());
                let job = self.storage.below(move |root| fs::read(root, &path, position, length));
                self.block(move || Arrival::ReadDone(ticket, job()));
            }
            Action::Complete(Completion { id, outcome }) => {
                if let Some(answer) = self.answers.remove(&id) {
                    // Whoever asked may not wait any more.
                    let _ = answer.send(outcome);
                }
            }
            // Told already.
            Action::Fact(_) => {}
        }
    }

    /// Does something where waiting is allowed, and tells how it ended.
    fn block(&self, job: impl FnOnce() -> Arrival + Send + 'static) {
        let arrivals = self.arrivals.clone();
        let job = move || {
            // Nobody hears of it if the node is gone.
            let _ = arrivals.blocking_send(job());
        };
        if self.disk_delay.is_zero() {
            tokio::task::spawn_blocking(job);
        } else {
            let wait = tokio::time::sleep(self.disk_delay);
            tokio::spawn(async move {
                wait.await;
                let _ = tokio::task::spawn_blocking(job).await;
            });
        }
    }

    fn connect(&mut self, connection: ConnectionId, to: Address) {
        let arrivals = self.arrivals.clone();
        let task = tokio::spawn(async move {
            let result = TcpStream::connect((&*to.host, to.port)).await.map_err(|error| reason(&error));
            let _ = arrivals.send(Arrival::Connected(connection, to, result)).await;
        });
        self.lines.insert(connection, Line::Connecting { _task: Abort(task.abort_handle()) });
    }

    /// Sends what may leave this connection now.
    fn flush(&mut self, name: ConnectionId) {
        let Some(Line::Open(line)) = self.lines.get_mut(&name) else { return };
        let (mut frames, mut answered) = (Chunks::default(), 0);
        while let Some((_, after)) = line.outgoing.front() {
            match after {
                Some(ticket) if self.failed.contains(ticket) || self.tickets.contains_key(ticket) => break,
                Some(_) | None => {}
            }
            if let Some((chunks, _)) = line.outgoing.pop_front() {
                frames.push(prefix(chunks));
                answered += note_answer(&self.config, line.asked.pop_front());
            }
        }
        line.connection.send(frames, answered);
        match line.outgoing.front().and_then(|(_, after)| *after) {
            // What was to be promised can never be.
            Some(ticket) if self.failed.contains(&ticket) => {
                self.forget(name, CloseReason::Reset);
                self.next.push_back(Event::Closed { connection: name, reason: CloseReason::Reset });
            }
            Some(ticket) => self.tickets.entry(ticket).or_default().push(name),
            None => {}
        }
        if self.pressure.is_flooded() {
            self.shed();
        }
    }

    /// Too much is unsent: closes the connection that has stood still longest.
    fn shed(&mut self) {
        let stands = |line: &Line| match line {
            Line::Open(open) if open.accepted => open.connection.stands_since(),
            Line::Open(_) | Line::Connecting { .. } => None,
        };
        let standing = self.lines.iter().filter_map(|(name, line)| Some((stands(line)?, *name)));
        let Some((_, connection)) = standing.min() else { return };
        self.config.meters.shed.add(1);
        self.has_shed = true;
        if let Some(Line::Open(open)) = self.forget(connection, CloseReason::Reset) {
            open.connection.abort();
        }
        self.next.push_back(Event::Closed { connection, reason: CloseReason::Reset });
    }
}

/// A request has its answer. Gives what it took of the window of its connection.
fn note_answer(config: &TcpConfig, asked: Option<Asked>) -> u32 {
    let Some(Asked { api_key, since, weight }) = asked else { return 0 };
    if let Some(api_key) = api_key {
        config.meters.answered(api_key, since.elapsed());
    }
    weight
}

impl Rim for TcpRim {
    async fn next(&mut self, deadline: Option<Time>) -> Option<(Now, Event)> {
        // What was promised comes before what is due.
        let mut promised = std::mem::take(&mut self.has_more);
        loop {
            if let Some(event) = self.next.pop_front() {
                return Some(self.give(event));
            }
            if !std::mem::take(&mut promised) && deadline.is_some_and(|deadline| deadline <= self.now().mono) {
                return Some((self.now(), Event::Woken));
            }
            // Those who read and write must not starve behind an actor that always has something to do.
            tokio::task::consume_budget().await;
            // No timer is set while there is something to do.
            let arrival = match (self.inbox.try_recv(), deadline) {
                (Ok(arrival), _) => Some(arrival),
                (Err(_), Some(deadline)) => match tokio::time::timeout_at(self.moment(deadline), self.inbox.recv()).await {
                    Ok(arrival) => arrival,
                    Err(_) => continue,
                },
                (Err(_), None) => self.inbox.recv().await,
            };
            let arrival = arrival?;
            if matches!(arrival, Arrival::Stop) {
                return None;
            }
            if let Arrival::Pause(resumed) = arrival {
                // Whoever froze it lets it go on by a word, or by being gone.
                let _ = resumed.await;
                continue;
            }
            if let Some(event) = self.take_in(arrival) {
                return Some(self.give(event));
            }
        }
    }

    fn has_more(&self) -> bool {
        self.has_more
    }

    fn disk(&mut self) -> &mut dyn Disk {
        self.storage.disk()
    }

    async fn carry_out(&mut self, out: &mut Outbox) {
        // Before anything leaves that may have effects elsewhere, which are told of later than their causes then.
        for action in out.actions() {
            if let Action::Fact(fact) = action {
                tracing::debug!(?fact);
                if let Some(sink) = &mut self.facts {
                    sink(fact);
                }
            }
        }
        for action in out.drain() {
            self.act(action);
        }
        let mut released = std::mem::take(&mut self.released);
        for connection in released.drain(..) {
            self.flush(connection);
        }
        self.released = released;
        if std::mem::take(&mut self.is_spare_taken) {
            self.spare = out.next_connection();
        }
        if std::mem::take(&mut self.has_shed) {
            // What was given up is held by a task that is to end; until it has, its memory is not free.
            tokio::task::yield_now().await;
        }
    }
}
