//! The contract every participant obeys: broker, controller, producer, consumer, admin.
//!
//! An actor is told what happened and when; it changes its own state and fills an outbox. It has no clock, no socket, no thread and
//! no chance but the seed it was born with. So the simulator, golden scripts, property tests and production all run the same code.
//!
//! ```text
//!            ┌────────────── node::run, the same loop in both worlds ──────────────┐
//!   bytes ──▶│ framing, muting ──▶ Event ──▶ Actor::step ──▶ Outbox ──▶ rim        │──▶ bytes
//!   timer ──▶│                          (disk: page cache)      │                  │──▶ sync, read
//!            │      Synced, ReadDone  ◀─────────────────────────┘                  │
//!            └─────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! **Order.** What one step puts into the outbox leaves in that order. Sends on one connection are first in, first out; a send that
//! carries `after` waits for that ticket, and everything behind it on the same connection waits with it. If the ticket fails, the
//! connection is closed.
//!
//! **Muting.** On an accepted connection requests are delivered in order, and one at a time: the next frame comes only after the
//! answer was sent or [`Outbox::done`] said that there will be none. So a flood of requests waits in the sender's window instead of in
//! memory. Only Produce requests may follow each other unanswered, a few of them ([`crate::wire::window`]); the actor answers them in the
//! order in which they came.
//!
//! **Crash.** A step may be the last one: when a crash strikes at a disk operation, that and all later operations fail with
//! [`DiskError::Gone`] and the outbox is thrown away.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::disk::{Disk, DiskError, SyncTarget};
use crate::fact::Fact;
use crate::operation::{Command, Completion};
use crate::types::{Address, ConnectionId, Ticket, Time, Timestamp};

/// A participant: a pure state machine over events.
pub trait Actor: Send {
    /// Takes in one event, changes the state, says what is to be done.
    fn step(&mut self, now: Now, event: Event, disk: &mut dyn Disk, out: &mut Outbox);

    /// Another event is there already and follows the next step at once, so whatever serves several as well as one may wait for it.
    /// A hint: an actor that puts something off asks for a deadline that has come, in case the other event is lost.
    fn expect_more(&mut self) {}

    /// Wake me with [`Event::Woken`] then, if nothing happens before. A new actor that wants to act at once returns
    /// `Some(Time::ZERO)`; a deadline in the past means now.
    fn deadline(&self) -> Option<Time>;

    /// Feeds the whole state.
    fn digest(&self, hash: &mut Digest);
}

/// The node's two clocks at the moment of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub struct Now {
    /// Monotonic: for time-outs. Starts anywhere, never goes back while the process lives.
    pub mono: Time,
    /// Wall clock: for timestamps in records only. May jump, backwards too.
    pub wall: Timestamp,
}

/// What can happen to an actor.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A connection stands: one asked for through [`Outbox::connect`], or one that a peer opened.
    Opened {
        /// Its name from now on.
        connection: ConnectionId,
        /// Who is at the other end.
        peer: Address,
        /// True if the peer opened it.
        accepted: bool,
    },
    /// A connection is gone, or could not be opened. It is not named again.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// How it ended.
        reason: CloseReason,
    },
    /// One whole frame, without its length prefix.
    Frame {
        /// Where it came in.
        connection: ConnectionId,
        /// The frame.
        frame: Bytes,
    },
    /// A sync or replace that was asked for has ended.
    Synced {
        /// Which.
        ticket: Ticket,
        /// Durable, or lost.
        result: Result<(), DiskError>,
    },
    /// A cold read that was asked for has ended.
    ReadDone {
        /// Which.
        ticket: Ticket,
        /// The bytes; fewer than asked for only where the file ends.
        result: Result<Bytes, DiskError>,
    },
    /// A person or a workload wants something done (clients; admin commands of a broker).
    Command(Command),
    /// The deadline has come.
    Woken,
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum CloseReason {
    /// Nobody listens there.
    Refused,
    /// No answer in time: the host is unreachable or without power.
    TimedOut,
    /// The peer's kernel aborted it.
    Reset,
    /// The peer closed it in order.
    Eof,
    /// The bytes were not a frame (too large, negative length).
    Garbage,
}

/// What an actor wants done, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    actions: Vec<Action>,
    connections: u64,
    tickets: u64,
}

/// One wish of an actor. `node` and the world carry them out.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open a connection.
    Connect {
        /// Its name.
        connection: ConnectionId,
        /// Where to.
        to: Address,
    },
    /// Send one frame, given in chunks without its length prefix.
    Send {
        /// Where.
        connection: ConnectionId,
        /// The frame's bytes, one chunk after the other.
        chunks: Vec<Bytes>,
        /// Not before this ticket has succeeded.
        after: Option<Ticket>,
    },
    /// The oldest unanswered request on this accepted connection gets no response (acks=0).
    Done {
        /// Where.
        connection: ConnectionId,
    },
    /// Close the connection in order. No `Closed` event follows.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Make durable what was written to these targets before this moment.
    Sync {
        /// Names the end.
        ticket: Ticket,
        /// What.
        targets: Vec<SyncTarget>,
    },
    /// Put a small file in place, all or nothing: write `<path>.tmp`, sync it, rename it to `path`, sync the directory.
    Replace {
        /// Names the end.
        ticket: Ticket,
        /// The file.
        path: String,
        /// Its new content.
        content: Bytes,
    },
    /// Read from the medium without holding up the step.
    Read {
        /// Names the end.
        ticket: Ticket,
        /// The file, by name (handles may be closed meanwhile).
        path: String,
        /// First byte.
        position: u64,
        /// How many at most.
        length: usize,
    },
    /// A command has ended.
    Complete(Completion),
    /// Something the actor states about itself.
    Fact(Fact),
}

impl Outbox {
    /// An outbox for a new process.
    #[must_use]
    pub fn new() -> Outbox {
        Outbox::default()
    }

    /// Asks for a connection; its fate comes as [`Event::Opened`] or [`Event::Closed`].
    pub fn connect(&mut self, to: Address) -> ConnectionId {
        let connection = self.next_connection();
        self.actions.push(Action::Connect { connection, to });
        connection
    }

    /// Sends a frame.
    pub fn send(&mut self, connection: ConnectionId, chunks: Vec<Bytes>) {
        self.actions.push(Action::Send { connection, chunks, after: None });
    }

    /// Sends a frame once `ticket` has succeeded.
    pub fn send_after(&mut self, connection: ConnectionId, chunks: Vec<Bytes>, ticket: Ticket) {
        self.actions.push(Action::Send { connection, chunks, after: Some(ticket) });
    }

    /// Lets the next request of this connection in, without an answer.
    pub fn done(&mut self, connection: ConnectionId) {
        self.actions.push(Action::Done { connection });
    }

    /// Closes a connection.
    pub fn close(&mut self, connection: ConnectionId) {
        self.actions.push(Action::Close { connection });
    }

    /// Asks for durability.
    pub fn sync(&mut self, targets: Vec<SyncTarget>) -> Ticket {
        let ticket = self.next_ticket();
        self.actions.push(Action::Sync { ticket, targets });
        ticket
    }

    /// Asks for an atomic replacement of a small file.
    pub fn replace(&mut self, path: impl Into<String>, content: impl Into<Bytes>) -> Ticket {
        let ticket = self.next_ticket();
        self.actions.push(Action::Replace { ticket, path: path.into(), content: content.into() });
        ticket
    }

    /// Asks for a cold read.
    pub fn read(&mut self, path: impl Into<String>, position: u64, length: usize) -> Ticket {
        let ticket = self.next_ticket();
        self.actions.push(Action::Read { ticket, path: path.into(), position, length });
        ticket
    }

    /// Reports the end of a command.
    pub fn complete(&mut self, completion: Completion) {
        self.actions.push(Action::Complete(completion));
    }

    /// States a fact.
    pub fn fact(&mut self, fact: Fact) {
        self.actions.push(Action::Fact(fact));
    }

    /// Names a connection; used by the rim for accepted ones too, so that names never clash.
    pub fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    /// Takes out what the step wanted, leaving room for the next one.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Action> {
        self.actions.drain(..)
    }

    /// Moves what the step wanted to the end of `actions`.
    pub fn drain_into(&mut self, actions: &mut Vec<Action>) {
        if actions.is_empty() {
            std::mem::swap(&mut self.actions, actions);
        } else {
            actions.append(&mut self.actions);
        }
    }

    /// What the step wants so far.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}
