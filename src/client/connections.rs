//! A line to each broker, and the agreement on versions that opens it.
//!
//! The first request on every connection is ApiVersions: the broker says which versions of which API it speaks, and for every API the
//! highest that both know is used from then on (KIP-35). A broker older than we are cannot read our newest ApiVersions request; it
//! answers in version 0 with UNSUPPORTED_VERSION and its own range, and we ask again (KIP-511). What was agreed holds for
//! one connection only: behind the same address another release may run after a restart.
//!
//! ```text
//!              ready?                 Opened                     ApiVersions
//!   closed ──────────────▶ connecting ─────────▶ shaking hands ──────────────▶ ready
//!      ▲                                          ▲  │ error 35                  │
//!      │                                          └──┘ ask in an older version   │
//!      └──────────────── closed, overdue, senseless frame ◀──────────────────────┘
//! ```
//!
//! Lines are opened when somebody asks whether they are ready, and not kept up otherwise.

use std::collections::BTreeMap;

use bytes::Bytes;
use thiserror::Error;

use crate::actor::{Event, Outbox};
use crate::channel::{Channel, ChannelConfig};
use crate::types::{Address, ConnectionId, Duration, Time};
use crate::wire::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, EncodeError, ErrorCode, Request, Response};

/// What became of a request.
#[derive(Debug)]
pub struct Reply<C> {
    /// What the owner wanted to remember about it.
    pub context: C,
    /// The response; `None` if the connection ended before: the fate of the request is unknown.
    pub response: Option<Response>,
}

/// Why a request was not sent. It had no effect.
#[derive(Debug, Error)]
pub enum SendError {
    /// We and the broker have no version of this API in common.
    #[error("no common version of {0}")]
    NoVersion(ApiKey),
    /// The request does not fit the version agreed on.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// The lines of one client; `C` is what it wants to remember about each request.
#[derive(Hash, Debug)]
pub struct Connections<C> {
    config: ChannelConfig,
    handshake_patience: Duration,
    lines: BTreeMap<Address, Line<C>>,
}

#[derive(Hash, Debug)]
struct Line<C> {
    channel: Channel<Errand<C>>,
    handshake: Handshake,
    /// Somebody has asked for it since the last [`Connections::forget_wishes`].
    wanted: bool,
}

#[derive(Hash, Debug)]
enum Errand<C> {
    Handshake,
    Owner(C),
}

#[derive(Hash, Debug)]
enum Handshake {
    /// Asked in this version of ApiVersions, or not at all.
    Pending(Option<i16>),
    /// For each API the highest common version.
    Done(BTreeMap<ApiKey, i16>),
}

impl<C> Connections<C> {
    /// No line so far.
    #[must_use]
    pub fn new(config: ChannelConfig, handshake_patience: Duration) -> Connections<C> {
        Connections { config, handshake_patience, lines: BTreeMap::new() }
    }

    /// Whether requests can be sent to this address now; sees to it that they can be later.
    pub fn ready(&mut self, address: &Address, now: Time, out: &mut Outbox) -> bool {
        if !self.lines.contains_key(address) {
            let channel = Channel::new(address.clone(), self.config.clone());
            self.lines.insert(address.clone(), Line { channel, handshake: Handshake::Pending(None), wanted: true });
        }
        let line = self.lines.get_mut(address).expect("it was put there if it was missing");
        line.wanted = true;
        line.channel.open(now, out);
        line.is_ready()
    }

    /// Whether requests can be sent to this address now.
    #[must_use]
    pub fn is_ready(&self, address: &Address) -> bool {
        self.lines.get(address).is_some_and(Line::is_ready)
    }

    /// Whether a connection to this address is on its way.
    #[must_use]
    pub fn is_opening(&self, address: &Address) -> bool {
        self.lines.get(address).is_some_and(|line| !line.is_ready() && !line.channel.is_closed())
    }

    /// Requests to this address without a response so far.
    #[must_use]
    pub fn in_flight(&self, address: &Address) -> usize {
        self.lines.get(address).map_or(0, |line| line.channel.in_flight())
    }

    /// The version agreed on with this address.
    #[must_use]
    pub fn version(&self, address: &Address, api: ApiKey) -> Option<i16> {
        match &self.lines.get(address)?.handshake {
            Handshake::Done(versions) => versions.get(&api).copied(),
            Handshake::Pending(_) => None,
        }
    }

    /// Sends a request in `version`; its context comes back in a [`Reply`].
    ///
    /// # Errors
    /// When the version cannot carry the request. Nothing is sent then.
    ///
    /// # Panics
    /// When the line is not ready.
    pub fn send(&mut self, to: &Address, now: Time, parcel: Parcel<C>, out: &mut Outbox) -> Result<(), SendError> {
        let Parcel { request, version, patience, context } = parcel;
        let line = self.lines.get_mut(to).filter(|line| line.is_ready()).expect("the owner asked whether the line is ready");
        match context {
            Some(context) => line.channel.request(now, &request, version, patience, Errand::Owner(context), out)?,
            None => line.channel.request_without_response(&request, version, out)?,
        }
        Ok(())
    }

    /// Nobody wants a line that is closed, until somebody asks again.
    pub fn forget_wishes(&mut self) {
        for line in self.lines.values_mut() {
            line.wanted = false;
        }
    }

    /// Takes in an event, and gives up what is overdue.
    pub fn on_event(&mut self, now: Time, event: &Event, out: &mut Outbox, replies: &mut Vec<Reply<C>>) {
        match event {
            Event::Opened { connection, .. } => self.on_opened(now, *connection, out, replies),
            Event::Closed { connection, .. } => self.on_closed(now, *connection, replies),
            Event::Frame { connection, frame } => self.on_frame(now, *connection, frame, out, replies),
            Event::Synced { .. } | Event::ReadDone { .. } | Event::Command(_) | Event::Woken => {}
        }
        for line in self.lines.values_mut() {
            let lost = line.channel.on_deadline(now, out);
            line.lose(lost, replies);
        }
    }

    /// When to come back at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let live = self.lines.values().filter(|line| line.wanted || !line.channel.is_closed());
        live.filter_map(|line| line.channel.deadline()).min()
    }

    fn line_of(&mut self, connection: ConnectionId) -> Option<&mut Line<C>> {
        self.lines.values_mut().find(|line| line.channel.owns(connection))
    }

    fn on_opened(&mut self, now: Time, connection: ConnectionId, out: &mut Outbox, replies: &mut Vec<Reply<C>>) {
        let patience = self.handshake_patience;
        if let Some(line) = self.line_of(connection) {
            line.channel.on_opened(connection);
            let version = ApiKey::ApiVersions.implemented().expect("clients speak it").max;
            line.shake_hands(now, version, patience, out, replies);
        }
    }

    fn on_closed(&mut self, now: Time, connection: ConnectionId, replies: &mut Vec<Reply<C>>) {
        if let Some(line) = self.line_of(connection) {
            let lost = line.channel.on_closed(now, connection).unwrap_or_default();
            line.lose(lost, replies);
        }
    }

    fn on_frame(&mut self, now: Time, connection: ConnectionId, frame: &Bytes, out: &mut Outbox, replies: &mut Vec<Reply<C>>) {
        let patience = self.handshake_patience;
        let Some(line) = self.line_of(connection) else { return };
        match line.channel.on_frame(frame) {
            Ok((Errand::Owner(context), response)) => replies.push(Reply { context, response: Some(response) }),
            Ok((Errand::Handshake, Response::ApiVersions(response))) => match line.agree(&response) {
                Agreement::Reached => {}
                Agreement::AskIn(version) => line.shake_hands(now, version, patience, out, replies),
                Agreement::Impossible => line.reset(now, out, replies),
            },
            Ok((Errand::Handshake, _)) | Err(_) => line.reset(now, out, replies),
        }
    }
}

/// A request with what it takes to send it.
#[derive(Debug)]
pub struct Parcel<C> {
    /// What is asked.
    pub request: Request,
    /// In which version.
    pub version: i16,
    /// Longest wait for the response.
    pub patience: Duration,
    /// Comes back with the response; `None` for a request that has none.
    pub context: Option<C>,
}

enum Agreement {
    Reached,
    AskIn(i16),
    Impossible,
}

impl<C> Line<C> {
    fn is_ready(&self) -> bool {
        self.channel.is_open() && matches!(self.handshake, Handshake::Done(_))
    }

    fn shake_hands(&mut self, now: Time, version: i16, patience: Duration, out: &mut Outbox, replies: &mut Vec<Reply<C>>) {
        let request = Request::ApiVersions(ApiVersionsRequest {
            client_software_name: env!("CARGO_PKG_NAME").to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ApiVersionsRequest::default()
        });
        self.handshake = Handshake::Pending(Some(version));
        if self.channel.request(now, &request, version, patience, Errand::Handshake, out).is_err() {
            self.reset(now, out, replies);
        }
    }

    fn agree(&mut self, response: &ApiVersionsResponse) -> Agreement {
        let theirs = response.api_keys.iter();
        if ErrorCode(response.error_code) == ErrorCode::UNSUPPORTED_VERSION {
            let range = theirs.clone().find(|range| range.api_key == ApiKey::ApiVersions.code());
            let older = range.map_or(0, |range| range.max_version).max(0);
            // Each time an older one, else a broker that refuses every version would be asked for ever.
            return match self.handshake {
                Handshake::Pending(Some(asked)) if older < asked => Agreement::AskIn(older),
                Handshake::Pending(_) | Handshake::Done(_) => Agreement::Impossible,
            };
        }
        if response.error_code != 0 {
            return Agreement::Impossible;
        }
        let common = theirs.filter_map(|range| {
            let api = ApiKey::from_code(range.api_key)?;
            let ours = api.implemented()?;
            let version = ours.max.min(range.max_version);
            (version >= ours.min.max(range.min_version)).then_some((api, version))
        });
        self.handshake = Handshake::Done(common.collect());
        Agreement::Reached
    }

    fn reset(&mut self, now: Time, out: &mut Outbox, replies: &mut Vec<Reply<C>>) {
        let lost = self.channel.reset(now, out);
        self.lose(lost, replies);
    }

    fn lose(&mut self, lost: Vec<Errand<C>>, replies: &mut Vec<Reply<C>>) {
        if self.channel.is_closed() {
            self.handshake = Handshake::Pending(None);
        }
        replies.extend(lost.into_iter().filter_map(|errand| match errand {
            Errand::Owner(context) => Some(Reply { context, response: None }),
            Errand::Handshake => None,
        }));
    }
}
