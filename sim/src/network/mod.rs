//! The simulated network: byte streams between kernels, on links that lie.
//!
//! A polite network finds no bugs. What matters is the difference between what a process was told and what really happened, so each
//! host has a *kernel* apart from the process that runs on it, and a connection is two ends that need not agree:
//!
//! ```text
//!   process ─write─▶ ┌ kernel ┐  Syn  Data  Data  Fin ...   ┌ kernel ┐ ─read─▶ process
//!                    │  end   │ ═══════ pipe, FIFO ════════▶ │  end   │
//!                    │        │ ◀══════ pipe, FIFO ═════════ │        │
//!                    └────────┘    Rst  Credit  SynAck       └────────┘
//! ```
//!
//! | event | what happens |
//! |---|---|
//! | connect, path cut or host without power | hangs; `TimedOut` after [`CONNECT_LIMIT`] |
//! | connect, host up, nobody listens | `Refused` after one round trip |
//! | write | at most [`WINDOW`] bytes in flight and unread; the rest waits in the sender's process |
//! | cut, per direction | everything in the pipe freezes, `Fin` and `Rst` too; after healing it goes on at the next retransmission |
//! | nothing gets through for [`GIVE_UP`] | the sending kernel gives the connection up: `TimedOut` |
//! | process dies | its kernel sends what it has, then `Fin`, or `Rst` if something was left unread |
//! | power is lost | silence; what arrives after the next boot is answered with `Rst` |
//! | close with unread bytes | `Rst`; without: `Fin` |
//! | a frame is held, delayed, or severed from its connection | see [`surgery`] |
//! | bandwidth | segments of a link leave one after the other; what is large delays what comes behind it, on every connection |
//!
//! Retransmission follows TCP: 200 ms after something got stuck, then twice as long each time, up to [`BACKOFF_MAX`] (TCP goes up
//! to two minutes, which no run of ours would live to see). The window opens again when the receiver's `Credit` arrives.
//!
//! The model is pure: it is told what a process or the weather does and at what time, and it answers with moments at which it wants to
//! be called again ([`Fabric::schedule`]) and with news for processes ([`Fabric::notices`]). It knows no frames: framing happens in
//! the processes, which only say where one begins and ends.

use brokerlab::actor::CloseReason;
use brokerlab::types::Duration;

pub mod fabric;
mod kernel;
mod outage;
pub mod pipe;
mod shaper;
pub mod surgery;
#[cfg(test)]
mod tests;
pub mod weather;

pub use fabric::Fabric;
pub use weather::Label;

/// Bytes of one direction that may be in flight or unread.
pub const WINDOW: usize = 256 << 10;
/// A connect without any answer fails after this.
pub const CONNECT_LIMIT: Duration = Duration::secs(10);
/// A kernel that cannot get anything through for this long gives the connection up.
pub const GIVE_UP: Duration = Duration::secs(60);
/// First wait before a retransmission.
pub const BACKOFF: Duration = Duration::millis(200);
/// Longest wait between two retransmissions.
pub const BACKOFF_MAX: Duration = Duration::millis(3_200);

/// A host: an index into the run's nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Host(pub u16);

/// Which of the two ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum End {
    /// The one that asked for it.
    Opener,
    /// The one that was asked.
    Acceptor,
}

impl End {
    /// The other one.
    #[must_use]
    pub fn other(self) -> End {
        match self {
            End::Opener => End::Acceptor,
            End::Acceptor => End::Opener,
        }
    }
}

/// One end of one connection. Connections are numbered over the whole run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Socket {
    /// The connection.
    pub connection: u32,
    /// The end.
    pub end: End,
}

impl Socket {
    /// The other end.
    #[must_use]
    pub fn peer(self) -> Socket {
        Socket { connection: self.connection, end: self.end.other() }
    }
}

/// What the network wants to be told again at a later moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// The first segment of the pipe that leads to this end arrives, if nothing has changed since.
    Arrival {
        /// Where.
        to: Socket,
        /// Number of the pipe's timetable; an older one is void.
        timetable: u32,
    },
    /// The opener has waited long enough.
    ConnectLimit {
        /// Which connection.
        connection: u32,
    },
    /// This end has retried long enough, if it is still stuck for the same reason.
    GiveUp {
        /// The sending end.
        from: Socket,
        /// Number of the pipe's timetable.
        timetable: u32,
    },
}

/// What a process is to hear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notice {
    /// On which host.
    pub host: Host,
    /// About which end.
    pub socket: Socket,
    /// What.
    pub news: News,
    /// The event that caused it at the other side, 0 if none did.
    pub cause: u64,
    /// The fault that held it up, 0 if none did.
    pub held: u64,
}

/// News about an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// The connect has succeeded.
    Opened,
    /// A peer has connected.
    Accepted,
    /// There is something to read, or the end of it.
    Readable,
    /// The window is open again.
    Writable,
    /// It is over, at once, whatever was unread.
    Ended(CloseReason),
}

/// What a read finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Read {
    /// Some bytes.
    Bytes(bytes::Bytes),
    /// Nothing now.
    Empty,
    /// Nothing ever again: the peer has finished.
    Finished {
        /// The event in which it did.
        cause: u64,
    },
}
