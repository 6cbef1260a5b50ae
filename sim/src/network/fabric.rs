//! Hosts and connections, and what processes do with them.

use std::collections::{BTreeSet, VecDeque};

use brokerlab::types::Time;
use bytes::Bytes;

use super::pipe::{Pipe, Segment};
use super::surgery::Rule;
use super::weather::{Label, Weather};
use super::{CONNECT_LIMIT, End, Host, Notice, Read, Signal, Socket, WINDOW};

/// The network.
#[derive(Debug)]
pub struct Fabric {
    /// The links.
    pub(super) weather: Weather,
    pub(super) hosts: Vec<HostState>,
    connections: Vec<Connection>,
    live: BTreeSet<u32>,
    /// What happens to single frames.
    pub(super) rules: Vec<Rule>,
    /// Moments at which [`Fabric::on_signal`] must be called; whoever uses the network takes them out.
    pub schedule: Vec<(Time, Signal)>,
    /// News for processes, in order; whoever uses the network takes them out.
    pub notices: VecDeque<Notice>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct HostState {
    pub(super) powered: bool,
    pub(super) listening: bool,
    /// The last fault that took its power.
    pub(super) outage: u64,
}

#[derive(Debug)]
pub(super) struct Connection {
    ends: [EndState; 2],
}

#[derive(Debug)]
pub(super) struct EndState {
    pub(super) host: Host,
    pub(super) stage: Stage,
    pub(super) inbox: VecDeque<Bytes>,
    pub(super) unread: usize,
    /// The peer will write no more; the event in which it said so.
    pub(super) finished: Option<u64>,
    /// The fault that held up what was read last.
    pub(super) held: u64,
    /// Leads away from this end.
    pub(super) pipe: Pipe,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Waits for the peer to answer (opener) or to ask (acceptor).
    Waiting,
    /// Stands.
    Open,
    /// Stands, but has said `Fin`: it only reads.
    Finished,
    /// Closed, reset, or its kernel is gone.
    Closed,
}

impl Fabric {
    /// A network of so many hosts as the weather knows, all without power.
    #[must_use]
    pub fn new(weather: Weather, hosts: usize) -> Fabric {
        Fabric {
            weather,
            hosts: vec![HostState::default(); hosts],
            connections: Vec::new(),
            live: BTreeSet::new(),
            rules: Vec::new(),
            schedule: Vec::new(),
            notices: VecDeque::new(),
        }
    }

    /// The process on this host takes connections from now on.
    pub fn listen(&mut self, host: Host) {
        assert!(self.hosts[usize::from(host.0)].powered, "only a running kernel listens");
        self.hosts[usize::from(host.0)].listening = true;
    }

    /// Asks for a connection.
    pub fn connect(&mut self, from: Host, to: Host, cause: u64, now: Time) -> Socket {
        let connection = u32::try_from(self.connections.len()).expect("fewer than 2^32 connections in a run");
        self.connections.push(Connection { ends: [EndState::new(from), EndState::new(to)] });
        self.live.insert(connection);
        let socket = Socket { connection, end: End::Opener };
        self.refreeze(socket, 0, now);
        self.refreeze(socket.peer(), 0, now);
        self.schedule.push((now.plus(CONNECT_LIMIT), Signal::ConnectLimit { connection }));
        self.control(socket, Segment::Syn, cause, now);
        socket
    }

    /// Sends bytes of one frame; says how many the kernel took. The rest has to wait for `News::Writable`.
    pub fn send(&mut self, from: Socket, bytes: &Bytes, label: Label, cause: u64, now: Time) -> usize {
        let unread = self.end(from.peer()).unread;
        let state = self.end_mut(from);
        if state.stage != Stage::Open {
            return bytes.len();
        }
        let room = WINDOW.saturating_sub(state.pipe.bytes() + unread);
        let taken = bytes.len().min(room);
        state.pipe.starved = taken < bytes.len();
        if taken > 0 {
            self.fly(from, &bytes.slice(..taken), label, cause, now);
        }
        taken
    }

    /// Reads what has arrived.
    pub fn read(&mut self, at: Socket, now: Time) -> Read {
        let state = self.end_mut(at);
        let Some(bytes) = state.inbox.pop_front() else {
            return match (state.finished, state.stage) {
                (Some(cause), Stage::Open | Stage::Finished) => Read::Finished { cause },
                (Some(_) | None, Stage::Waiting | Stage::Open | Stage::Finished | Stage::Closed) => Read::Empty,
            };
        };
        state.unread -= bytes.len();
        if self.end(at.peer()).pipe.starved {
            self.end_mut(at.peer()).pipe.starved = false;
            self.control(at, Segment::Credit, 0, now);
        }
        Read::Bytes(bytes)
    }

    /// Whether there is something to read, or the end of it.
    #[must_use]
    pub fn has_news(&self, at: Socket) -> bool {
        let state = self.end(at);
        state.unread > 0 || (state.finished.is_some() && state.stage != Stage::Closed)
    }

    /// Whether this end stands.
    #[must_use]
    pub fn is_open(&self, at: Socket) -> bool {
        matches!(self.end(at).stage, Stage::Open | Stage::Finished)
    }

    /// The host of this end.
    #[must_use]
    pub fn host_of(&self, at: Socket) -> Host {
        self.end(at).host
    }

    /// The fault that held up what was read since the last call, 0 if none did.
    pub fn take_held(&mut self, at: Socket) -> u64 {
        std::mem::take(&mut self.end_mut(at).held)
    }

    /// Will write no more, but goes on reading: shutdown(WR).
    pub fn finish(&mut self, at: Socket, cause: u64, now: Time) {
        if self.end(at).stage == Stage::Open {
            self.end_mut(at).stage = Stage::Finished;
            self.control(at, Segment::Fin, cause, now);
        }
    }

    /// Closes this end. What the kernel already took is still sent; unread bytes make it a reset.
    pub fn close(&mut self, at: Socket, cause: u64, now: Time) {
        let state = self.end_mut(at);
        let goodbye = match (state.stage, state.unread) {
            (Stage::Closed | Stage::Waiting, _) => None,
            (Stage::Open, 0) => Some(Segment::Fin),
            (Stage::Finished, 0) => None,
            (Stage::Open | Stage::Finished, _) => Some(Segment::Rst),
        };
        state.shut();
        if let Some(segment) = goodbye {
            self.control(at, segment, cause, now);
        }
        self.bury(at.connection);
    }

    pub(super) fn route(&self, from: Socket) -> (Host, Host) {
        (self.end(from).host, self.end(from.peer()).host)
    }

    pub(super) fn ends_on(&self, host: Host) -> Vec<Socket> {
        let mut ends = self.all_ends();
        ends.retain(|&socket| self.end(socket).host == host);
        ends
    }

    pub(super) fn all_ends(&self) -> Vec<Socket> {
        let both = |&connection: &u32| [End::Opener, End::Acceptor].map(|end| Socket { connection, end });
        self.live.iter().flat_map(both).collect()
    }

    /// Whether the host has not yet heard of this connection: the `Syn` is still under way, and finds whatever kernel runs then.
    pub(super) fn is_unborn(&self, socket: Socket) -> bool {
        socket.end == End::Acceptor && self.end(socket).stage == Stage::Waiting
    }

    /// Forgets a connection that is over on both sides.
    pub(super) fn bury(&mut self, connection: u32) {
        let ends = &mut self.connections[connection as usize].ends;
        if ends[0].stage == Stage::Closed && ends[0].pipe.is_empty() && ends[1].stage == Stage::Waiting {
            ends[1].shut();
        }
        if ends.iter().all(|end| end.stage == Stage::Closed && end.pipe.is_empty()) {
            ends.iter_mut().for_each(|end| end.pipe.clear());
            self.live.remove(&connection);
        }
    }

    pub(super) fn end(&self, socket: Socket) -> &EndState {
        &self.connections[socket.connection as usize].ends[socket.end as usize]
    }

    pub(super) fn end_mut(&mut self, socket: Socket) -> &mut EndState {
        &mut self.connections[socket.connection as usize].ends[socket.end as usize]
    }
}

impl EndState {
    fn new(host: Host) -> EndState {
        EndState {
            host,
            stage: Stage::Waiting,
            inbox: VecDeque::new(),
            unread: 0,
            finished: None,
            held: 0,
            pipe: Pipe::default(),
        }
    }

    pub(super) fn shut(&mut self) {
        self.stage = Stage::Closed;
        self.inbox = VecDeque::new();
        self.unread = 0;
        self.finished = None;
    }
}
