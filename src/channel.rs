//! One line to a peer: opens the connection on demand, numbers the requests, matches the responses, gives up on those that take too long.
//!
//! Kafka's protocol answers the requests of a connection in order, so the oldest request in flight is the one that a response belongs
//! to; another correlation id means that the peer is not speaking the protocol, and the connection is dropped. Whatever was in flight
//! when a connection ends has an unknown fate: the owner gets its contexts back and decides.
//!
//! ```text
//!            open                    Opened
//!   Closed ────────▶ Connecting ─────────────▶ Open ──┐ request, response
//!     ▲  ▲               │                      │  ▲──┘
//!     │  └───────────────┘ refused, timed out   │
//!     └─────────────────────────────────────────┘ closed, a request overdue, a frame that makes no sense
//!      (the next attempt waits for the back-off, doubling up to its maximum)
//! ```

use std::collections::VecDeque;

use bytes::Bytes;
use thiserror::Error;

use crate::actor::Outbox;
use crate::types::{Address, ConnectionId, Duration, Time};
use crate::wire::{ApiKey, DecodeError, EncodeError, Request, RequestHeader, Response, decode_response, encode_request};

/// How patient a channel is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ChannelConfig {
    /// Named in every request header.
    pub client_id: String,
    /// Longest wait for a connection (`socket.connection.setup.timeout.ms`).
    pub connect_timeout: Duration,
    /// Wait after the first failure (`reconnect.backoff.ms`).
    pub backoff: Duration,
    /// Longest wait after many failures (`reconnect.backoff.max.ms`).
    pub backoff_max: Duration,
}

impl Default for ChannelConfig {
    fn default() -> ChannelConfig {
        ChannelConfig {
            client_id: String::new(),
            connect_timeout: Duration::secs(10),
            backoff: Duration::millis(50),
            backoff_max: Duration::secs(1),
        }
    }
}

/// A line to one peer; `C` is what the owner wants to remember about each request.
#[derive(Debug, Hash)]
pub struct Channel<C> {
    config: ChannelConfig,
    to: Address,
    state: State,
    failures: u32,
    correlation: i32,
    in_flight: VecDeque<InFlight<C>>,
}

#[derive(Debug, Hash)]
enum State {
    Closed { retry_at: Time },
    Connecting { connection: ConnectionId, give_up_at: Time },
    Open { connection: ConnectionId },
}

#[derive(Debug, Hash)]
struct InFlight<C> {
    correlation: i32,
    api_key: ApiKey,
    version: i16,
    overdue_at: Time,
    context: C,
}

/// Why a response cannot be used. The channel must be [reset](Channel::reset).
#[derive(Debug, Error)]
pub enum ChannelError {
    /// A frame came although nothing was asked.
    #[error("a response although nothing was asked")]
    Unasked,
    /// It answers another request than the oldest.
    #[error("a response to request {found}, expected {expected}")]
    OutOfOrder {
        /// In the frame.
        found: i32,
        /// Of the oldest request in flight.
        expected: i32,
    },
    /// It does not decode.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
}

impl<C> Channel<C> {
    /// A closed line to `to`.
    #[must_use]
    pub fn new(to: Address, config: ChannelConfig) -> Channel<C> {
        let state = State::Closed { retry_at: Time::ZERO };
        Channel { config, to, state, failures: 0, correlation: 0, in_flight: VecDeque::new() }
    }

    /// The peer.
    #[must_use]
    pub fn peer(&self) -> &Address {
        &self.to
    }

    /// Whether requests can be sent now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether there is no connection, and none on its way.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Whether this is our connection.
    #[must_use]
    pub fn owns(&self, connection: ConnectionId) -> bool {
        match self.state {
            State::Connecting { connection: ours, .. } | State::Open { connection: ours } => ours == connection,
            State::Closed { .. } => false,
        }
    }

    /// Requests without a response so far.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The contexts of the requests in flight, oldest first.
    pub fn contexts(&self) -> impl Iterator<Item = &C> {
        self.in_flight.iter().map(|request| &request.context)
    }

    /// Sees to it that there is, or will be, a connection; respects the back-off.
    pub fn open(&mut self, now: Time, out: &mut Outbox) {
        if let State::Closed { retry_at } = self.state
            && retry_at <= now
        {
            let connection = out.connect(self.to.clone());
            self.state = State::Connecting { connection, give_up_at: now.plus(self.config.connect_timeout) };
        }
    }

    /// Sends a request; its context comes back with the response, or when the connection ends.
    ///
    /// # Errors
    /// When the request has a value that this version cannot carry. Nothing is sent then.
    ///
    /// # Panics
    /// When the channel is not open: the owner asks [`Channel::is_open`] first.
    pub fn request(
        &mut self,
        now: Time,
        request: &Request,
        version: i16,
        patience: Duration,
        context: C,
        out: &mut Outbox,
    ) -> Result<(), EncodeError> {
        let State::Open { connection } = self.state else { panic!("request on a channel to {} that is not open", self.to) };
        let chunks = self.encode(request, version)?;
        let correlation = self.correlation;
        let overdue_at = now.plus(patience);
        self.in_flight.push_back(InFlight { correlation, api_key: request.api_key(), version, overdue_at, context });
        out.send(connection, chunks);
        Ok(())
    }

    /// Sends a request that has no response (produce with acks=0).
    ///
    /// # Errors
    /// As [`Channel::request`].
    ///
    /// # Panics
    /// As [`Channel::request`].
    pub fn request_without_response(&mut self, request: &Request, version: i16, out: &mut Outbox) -> Result<(), EncodeError> {
        let State::Open { connection } = self.state else { panic!("request on a channel to {} that is not open", self.to) };
        let chunks = self.encode(request, version)?;
        out.send(connection, chunks);
        Ok(())
    }

    fn encode(&mut self, request: &Request, version: i16) -> Result<Vec<Bytes>, EncodeError> {
        self.correlation = self.correlation.wrapping_add(1) & i32::MAX;
        let mut header = RequestHeader::new(request.api_key(), version, self.correlation);
        header.client_id = Some(self.config.client_id.clone());
        encode_request(&header, request)
    }

    /// The connection stands. False if it is not ours.
    pub fn on_opened(&mut self, connection: ConnectionId) -> bool {
        if !self.owns(connection) {
            return false;
        }
        self.state = State::Open { connection };
        self.failures = 0;
        true
    }

    /// Our connection is gone; gives back what was in flight, oldest first. `None` if it was not ours.
    pub fn on_closed(&mut self, now: Time, connection: ConnectionId) -> Option<Vec<C>> {
        self.owns(connection).then(|| self.drop_connection(now))
    }

    /// A frame came in on our connection.
    ///
    /// # Errors
    /// When it is not the response that is due. [Reset](Channel::reset) the channel then.
    pub fn on_frame(&mut self, frame: &Bytes) -> Result<(C, Response), ChannelError> {
        let oldest = self.in_flight.front().ok_or(ChannelError::Unasked)?;
        let (header, response) = decode_response(oldest.api_key, oldest.version, frame)?;
        if header.correlation_id != oldest.correlation {
            return Err(ChannelError::OutOfOrder { found: header.correlation_id, expected: oldest.correlation });
        }
        let oldest = self.in_flight.pop_front().expect("there was a front a moment ago");
        Ok((oldest.context, response))
    }

    /// Closes the connection from our side; gives back what was in flight, oldest first.
    pub fn reset(&mut self, now: Time, out: &mut Outbox) -> Vec<C> {
        match self.state {
            State::Connecting { connection, .. } | State::Open { connection } => {
                out.close(connection);
                self.drop_connection(now)
            }
            State::Closed { .. } => Vec::new(),
        }
    }

    /// Gives up what is overdue: a connection that does not come, or a request without response. All that was in flight comes back,
    /// because behind an unanswered request nothing will be answered either.
    pub fn on_deadline(&mut self, now: Time, out: &mut Outbox) -> Vec<C> {
        let overdue = match self.state {
            State::Connecting { give_up_at, .. } => give_up_at <= now,
            State::Open { .. } => self.in_flight.iter().any(|request| request.overdue_at <= now),
            State::Closed { .. } => false,
        };
        if overdue { self.reset(now, out) } else { Vec::new() }
    }

    /// When [`Channel::on_deadline`] has something to do; while closed, when [`Channel::open`] may try again.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Connecting { give_up_at, .. } => Some(give_up_at),
            State::Open { .. } => self.in_flight.iter().map(|request| request.overdue_at).min(),
            State::Closed { retry_at } => Some(retry_at),
        }
    }

    fn drop_connection(&mut self, now: Time) -> Vec<C> {
        let doubled = self.config.backoff.times(1 << self.failures.min(16));
        self.state = State::Closed { retry_at: now.plus(doubled.min(self.config.backoff_max)) };
        self.failures += 1;
        self.in_flight.drain(..).map(|request| request.context).collect()
    }
}
