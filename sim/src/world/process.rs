//! One life of a process as the world keeps it: its connections, what waits to be told to it, what it waits for.
//!
//! Framing and muting live here, on the side of the process, so a crash loses them. The kernel's part (what was already written, what
//! arrived and was not read) lives in the [network](crate::network) and survives.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use brokerlab::actor::{Action, CloseReason};
use brokerlab::disk::DiskError;
use brokerlab::operation::Command;
use brokerlab::types::{ConnectionId, Duration, Ticket, Time};
use brokerlab::wire::frame::Framer;
use brokerlab::wire::window::{WINDOW, weight};
use brokerlab_reports::event::EventId;
use bytes::Bytes;

use super::handover::Fiber;
use crate::network::{Label, Socket};

/// No frame may be larger (Kafka's `socket.request.max.bytes`).
pub const FRAME_BYTES_MAX: usize = 100 << 20;

/// One life of a process.
pub struct Process {
    /// The loop that it runs.
    pub fiber: Fiber,
    /// The name that the next accepted connection gets.
    pub spare: ConnectionId,
    /// Connections that it has asked for to addresses that nobody has, and has not been told of.
    pub unknown: BTreeSet<ConnectionId>,
    /// Its connections by their names; the names are dense.
    lines: Vec<Option<Box<Line>>>,
    /// What is to be told to it, in order. A paused process lets it grow.
    pub pending: VecDeque<Pending>,
    /// Buffer for what a step wants.
    pub actions: Vec<Action>,
    /// When it wants to be woken, by its own clock.
    pub deadline: Option<Time>,
    /// The moment of the world at which it will be, if it will.
    pub alarm: Option<Time>,
    /// The deadline for which that alarm was set, by the process's own clock.
    pub alarm_for: Option<Time>,
    /// Number of that alarm; older ones are void.
    pub alarm_number: u32,
    /// Disk operations under way.
    pub tickets: BTreeSet<Ticket>,
    /// Disk operations that failed.
    pub failed: BTreeSet<Ticket>,
    /// Connections whose next frame waits for a disk operation.
    pub waiting: BTreeMap<Ticket, Vec<ConnectionId>>,
}

/// Something that is to be told to a process.
#[derive(Debug)]
pub enum Pending {
    /// A connection that it asked for stands.
    Opened(ConnectionId, Source),
    /// A peer has connected.
    Accepted(Socket, Source),
    /// A connection may have a frame.
    Ready(ConnectionId),
    /// The window is open again.
    Writable(ConnectionId),
    /// A connection is gone.
    Ended(ConnectionId, CloseReason, Source),
    /// A connection that it asked for leads to an address that nobody has.
    Unknown(ConnectionId, Source),
    /// A sync or replace ended.
    Synced(Ticket, Result<(), DiskError>, Source),
    /// A read ended.
    ReadDone(Ticket, Result<Bytes, DiskError>, Source),
    /// A person wants something.
    Command(Command, Source),
    /// The deadline may have come.
    Woken,
}

impl Pending {
    /// The disk operation that this settles.
    #[must_use]
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Pending::Synced(ticket, ..) | Pending::ReadDone(ticket, ..) => Some(*ticket),
            Pending::Opened(..)
            | Pending::Accepted(..)
            | Pending::Ready(_)
            | Pending::Writable(_)
            | Pending::Ended(..)
            | Pending::Unknown(..)
            | Pending::Command(..)
            | Pending::Woken => None,
        }
    }
}

/// Why something is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Source {
    /// The event that made it happen.
    pub cause: EventId,
    /// The fault that held it up.
    pub also: EventId,
}

impl Source {
    /// Because of that event alone.
    #[must_use]
    pub fn of(cause: EventId) -> Source {
        Source { cause, also: EventId::NONE }
    }
}

/// One connection on the side of a process.
pub struct Line {
    /// The end in the network.
    pub socket: Socket,
    /// The node at the other end.
    pub peer: u16,
    /// The peer opened it: requests come in, as many at a time as the window allows.
    pub accepted: bool,
    /// It stands.
    pub open: bool,
    /// A [`Pending::Ready`] is queued.
    pub is_queued: bool,
    /// Cuts what was read into frames.
    pub framer: Framer,
    /// A whole frame for which the window has no room.
    pub held: Option<Bytes>,
    /// The requests that were delivered and have no answer yet, oldest first.
    pub unanswered: VecDeque<Request>,
    /// Frames that wait for a ticket or for the window.
    pub outgoing: VecDeque<Outgoing>,
}

impl Line {
    /// A new connection.
    #[must_use]
    pub fn new(socket: Socket, peer: u16, accepted: bool) -> Line {
        Line {
            socket,
            peer,
            accepted,
            open: accepted,
            is_queued: false,
            framer: Framer::new(FRAME_BYTES_MAX),
            held: None,
            unanswered: VecDeque::new(),
            outgoing: VecDeque::new(),
        }
    }

    /// Whether the next frame, whatever it may be if it is not there yet, has to wait for an answer.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        !self.may_deliver(self.held.as_deref().map_or(1, weight))
    }

    /// Whether the window has room for a request that takes so much of it.
    #[must_use]
    pub fn may_deliver(&self, wanted: u32) -> bool {
        !self.accepted || self.unanswered.iter().map(|request| weight(&request.frame)).sum::<u32>() + wanted <= WINDOW
    }

    /// The oldest request that is not answered by a frame on its way out gets no answer.
    pub fn let_pass(&mut self) {
        let answered = self.outgoing.iter().filter(|frame| !frame.begun).count();
        self.unanswered.remove(answered);
    }
}

/// A request that was delivered.
#[derive(Clone, Debug)]
pub struct Request {
    /// The event of its delivery.
    pub event: EventId,
    /// What it is.
    pub header: FrameHeader,
    /// Its bytes.
    pub frame: Bytes,
    /// For a fetch of a consumer, its isolation level; `None` for everything else.
    pub isolation: Option<i8>,
    /// World time of its delivery.
    pub at: Time,
    /// For a fetch, how long it may wait for something to fetch.
    pub allowed: Duration,
}

/// What the world reads off every frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Kafka's API key; of the request that it answers, for a response; -1 if the bytes are no request.
    pub api_key: i16,
    /// Version of the API.
    pub api_version: i16,
    /// Correlation id.
    pub correlation: i32,
    /// A response.
    pub response: bool,
}

/// A frame on its way out of a process.
#[derive(Debug)]
pub struct Outgoing {
    /// With its length prefix; what the kernel has taken is cut off.
    pub bytes: Bytes,
    /// Not before this ticket has succeeded.
    pub after: Option<Ticket>,
    /// The event whose step sent it.
    pub cause: EventId,
    /// It has begun to leave: it was tapped, and its fate has a name.
    pub begun: bool,
    /// What it is, for its fate; known once it has begun.
    pub label: Label,
}

impl Process {
    /// A process that has not said anything yet.
    #[must_use]
    pub fn new(fiber: Fiber) -> Process {
        Process {
            fiber,
            spare: ConnectionId(0),
            unknown: BTreeSet::new(),
            lines: Vec::new(),
            pending: VecDeque::new(),
            actions: Vec::new(),
            deadline: None,
            alarm: None,
            alarm_for: None,
            alarm_number: 0,
            tickets: BTreeSet::new(),
            failed: BTreeSet::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// Names a connection.
    pub fn add_line(&mut self, name: ConnectionId, line: Line) {
        let at = index(name);
        if self.lines.len() <= at {
            self.lines.resize_with(at + 1, || None);
        }
        assert!(self.lines[at].is_none(), "{name:?} is named once");
        self.lines[at] = Some(Box::new(line));
    }

    /// The connection of that name, if it is still there.
    pub fn line(&mut self, name: ConnectionId) -> Option<&mut Line> {
        self.lines.get_mut(index(name))?.as_deref_mut()
    }

    /// Requests that were delivered and are not answered.
    pub fn unanswered(&self) -> impl Iterator<Item = &Request> {
        self.lines.iter().flatten().flat_map(|line| &line.unanswered)
    }

    /// The ends of all connections that are there.
    pub fn into_sockets(self) -> impl Iterator<Item = Socket> {
        self.lines.into_iter().flatten().map(|line| line.socket)
    }

    /// Forgets a connection.
    pub fn remove_line(&mut self, name: ConnectionId) -> Option<Box<Line>> {
        self.lines.get_mut(index(name))?.take()
    }
}

fn index(name: ConnectionId) -> usize {
    usize::try_from(name.0).expect("connections of a process are numbered densely")
}
