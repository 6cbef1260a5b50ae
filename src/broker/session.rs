//! The broker's standing with the controller: registration, heartbeats, fencing (KIP-631).
//!
//! ```text
//!            registration accepted                heartbeat: caught up           heartbeat: want_shut_down
//!   unknown ───────────────────────▶ fenced ─────────────────────────▶ active ───────────────────────────▶ handing over
//!      ▲                               ▲   want_fence until published     │                                      │
//!      └── the controller does not     └──── silent for a session ────────┘                should_shut_down ─────▶
//!          know this broker epoch
//! ```
//!
//! Each start is a new *incarnation*, and gets a new, higher broker epoch; whatever the former one still has under way is stale from then on.
//! A controller that still hears of the former one within its session refuses (DUPLICATE_BROKER_REGISTRATION); then we try again until that
//! session has run out.
//!
//! Heartbeats have a line of their own: they must not wait behind a request that takes the controller long.

use crate::actor::Outbox;
use crate::channel::{Channel, ChannelConfig};
use crate::fact::Fact;
use crate::types::{BrokerEpoch, ConnectionId, Duration, Offset, Time, Uuid};
use crate::wire::broker_registration_request::Listener;
use crate::wire::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse, ErrorCode, Request,
    Response,
};

use super::config::BrokerConfig;

/// Pause after a registration was refused.
const BACKOFF: Duration = Duration::millis(500);
const REGISTRATION_VERSION: i16 = 4;
const HEARTBEAT_VERSION: i16 = 1;

/// The standing.
#[derive(Debug, Hash)]
pub(super) struct Session {
    channel: Channel<Sent>,
    /// Names this life of the process.
    pub incarnation: Uuid,
    /// Names the data directory.
    pub directory: Uuid,
    /// The broker epoch of a former life that ended in order; -1 if it did not.
    pub previous_epoch: BrokerEpoch,
    epoch: Option<BrokerEpoch>,
    is_fenced: bool,
    /// When to register or beat next.
    due: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sent {
    Registration,
    Heartbeat,
}

/// What a heartbeat tells the controller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// Offset of the last metadata record applied.
    pub applied: Offset,
    /// Not ready to lead or follow yet.
    pub want_fence: bool,
    /// Ready to stop once nothing depends on this broker.
    pub want_shut_down: bool,
}

/// What an answer means for the rest of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing new.
    Nothing,
    /// There is a broker epoch now.
    Registered,
    /// Nothing depends on this broker any more: it may stop.
    MayShutDown,
}

impl Session {
    /// Unknown to the controller.
    pub fn new(config: &BrokerConfig, channel: ChannelConfig, incarnation: Uuid) -> Session {
        Session {
            channel: Channel::new(config.controller.clone(), channel),
            incarnation,
            directory: Uuid::ZERO,
            previous_epoch: BrokerEpoch::NONE,
            epoch: None,
            is_fenced: true,
            due: Time::ZERO,
        }
    }

    /// The broker epoch, if there is one.
    pub fn epoch(&self) -> Option<BrokerEpoch> {
        self.epoch
    }

    /// The broker epoch as messages name it.
    pub fn epoch_or_none(&self) -> BrokerEpoch {
        self.epoch.unwrap_or(BrokerEpoch::NONE)
    }

    /// The next heartbeat carries news: do not wait with it.
    pub fn hurry(&mut self) {
        self.due = Time::ZERO;
    }

    /// Registers or beats, if it is time.
    pub fn pump(&mut self, now: Time, config: &BrokerConfig, wish: Wish, out: &mut Outbox) {
        self.channel.on_deadline(now, out);
        self.channel.open(now, out);
        if !self.channel.is_open() || self.channel.in_flight() > 0 || self.due > now {
            return;
        }
        self.due = now.plus(config.heartbeat_interval);
        let (request, version, sent) = match self.epoch {
            Some(epoch) => (Request::from(heartbeat(config, epoch, wish)), HEARTBEAT_VERSION, Sent::Heartbeat),
            None => (Request::from(self.registration(config)), REGISTRATION_VERSION, Sent::Registration),
        };
        let result = self.channel.request(now, &request, version, config.session_timeout, sent, out);
        result.expect("every field set exists in that version");
    }

    fn registration(&self, config: &BrokerConfig) -> BrokerRegistrationRequest {
        let listener = Listener {
            name: "PLAINTEXT".to_owned(),
            host: config.listen.host.to_string(),
            port: config.listen.port,
            ..Listener::default()
        };
        BrokerRegistrationRequest {
            broker_id: config.id.0,
            cluster_id: config.cluster_id.clone(),
            incarnation_id: self.incarnation,
            listeners: vec![listener],
            rack: None,
            log_dirs: vec![self.directory],
            previous_broker_epoch: self.previous_epoch.0,
            ..BrokerRegistrationRequest::default()
        }
    }

    /// Whether this is our connection.
    pub fn owns(&self, connection: ConnectionId) -> bool {
        self.channel.owns(connection)
    }

    /// The connection stands.
    pub fn on_opened(&mut self, connection: ConnectionId) {
        self.channel.on_opened(connection);
        self.hurry();
    }

    /// The connection is gone.
    pub fn on_closed(&mut self, now: Time, connection: ConnectionId) {
        self.channel.on_closed(now, connection);
    }

    /// An answer.
    pub fn on_frame(&mut self, now: Time, config: &BrokerConfig, frame: &bytes::Bytes, out: &mut Outbox) -> Word {
        match self.channel.on_frame(frame) {
            Ok((_, Response::BrokerRegistration(response))) => self.on_registration(now, config, &response, out),
            Ok((_, Response::BrokerHeartbeat(response))) => self.on_heartbeat(&response),
            Ok(_) | Err(_) => {
                self.channel.reset(now, out);
                Word::Nothing
            }
        }
    }

    fn on_registration(
        &mut self,
        now: Time,
        config: &BrokerConfig,
        response: &BrokerRegistrationResponse,
        out: &mut Outbox,
    ) -> Word {
        if response.error_code != 0 || response.broker_epoch < 0 {
            self.due = now.plus(BACKOFF);
            return Word::Nothing;
        }
        let broker_epoch = BrokerEpoch(response.broker_epoch);
        self.epoch = Some(broker_epoch);
        self.is_fenced = true;
        self.hurry();
        out.fact(Fact::BrokerRegistered { broker: config.id, broker_epoch });
        Word::Registered
    }

    fn on_heartbeat(&mut self, response: &BrokerHeartbeatResponse) -> Word {
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => {
                self.is_fenced = response.is_fenced;
                if response.should_shut_down { Word::MayShutDown } else { Word::Nothing }
            }
            // The controller has forgotten us, or knows a later life of ours; registering again finds out which.
            ErrorCode::STALE_BROKER_EPOCH | ErrorCode::BROKER_ID_NOT_REGISTERED => {
                self.epoch = None;
                self.is_fenced = true;
                Word::Nothing
            }
            _ => Word::Nothing,
        }
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Option<Time> {
        let beat = (self.channel.is_open() && self.channel.in_flight() == 0).then_some(self.due);
        super::metadata_view::earliest([self.channel.deadline(), beat])
    }

    /// Gives up the line.
    pub fn stop(&mut self, now: Time, out: &mut Outbox) {
        self.channel.reset(now, out);
    }
}

fn heartbeat(config: &BrokerConfig, epoch: BrokerEpoch, wish: Wish) -> BrokerHeartbeatRequest {
    BrokerHeartbeatRequest {
        broker_id: config.id.0,
        broker_epoch: epoch.0,
        current_metadata_offset: wish.applied.0,
        want_fence: wish.want_fence,
        want_shut_down: wish.want_shut_down,
        ..BrokerHeartbeatRequest::default()
    }
}
