//! What only the controller can do: requests are passed on to it, and its answers passed back.
//!
//! A client may send what only the controller can do (CreateTopics, IncrementalAlterConfigs, ...) to any broker. The broker puts the request as it came, header and all, into an Envelope
//! (KIP-590) and hands the controller's answer back unread. On the same line it asks for topics to be created on demand and for blocks
//! of producer ids.
//!
//! ```text
//!   client ──CreateTopics──▶ broker ──Envelope(CreateTopics)──▶ controller
//!          ◀──────────────── answer as it came ◀───────────────
//! ```
//!
//! If the line breaks after the request was sent, nobody knows whether it was carried out. There is one honest answer that every client
//! understands: its connection is closed.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use crate::actor::Outbox;
use crate::channel::{Channel, ChannelConfig};
use crate::types::{BrokerEpoch, ConnectionId, Duration, Time};
use crate::wire::create_topics_request::CreatableTopic;
use crate::wire::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, ApiKey, CreateTopicsRequest, EnvelopeRequest, EnvelopeResponse,
    Request, RequestHeader, Response, encode_request, join,
};

use super::config::BrokerConfig;
use super::metadata_view::earliest;

/// Pause after the controller says that it cannot now.
const BACKOFF: Duration = Duration::millis(100);
/// Version in which we create topics on demand.
const CREATE_TOPICS_VERSION: i16 = 7;

/// The line to the controller, and what waits for it.
#[derive(Debug, Hash)]
pub(super) struct Forwarding {
    channel: Channel<Forwarded>,
    queue: VecDeque<Forwarded>,
    not_before: Option<Time>,
    /// Topics that were asked for and not yet answered.
    creating: BTreeSet<String>,
}

/// One request to the controller, kept until it is answered.
#[derive(Debug, Clone, Hash)]
struct Forwarded {
    purpose: Purpose,
    /// The request for an envelope; empty if it needs none.
    frame: Bytes,
    give_up_at: Time,
}

/// Whom the answer is for.
#[derive(Debug, Clone, Hash)]
enum Purpose {
    /// A client.
    Client(ConnectionId),
    /// Nobody: the client that made us ask will ask again.
    Create(String),
    /// The block of producer ids.
    ProducerIds,
}

/// What an answer, or the lack of one, means for the rest of the broker.
#[derive(Debug)]
pub(super) enum Answered {
    /// Pass this to the client.
    Client(ConnectionId, Bytes),
    /// Its fate is unknown.
    ClientLost(ConnectionId),
    /// A block of producer ids, or the reason why not.
    ProducerIds(AllocateProducerIdsResponse),
    /// The block did not come.
    ProducerIdsLost,
}

impl Forwarding {
    /// Nothing to pass on yet.
    pub fn new(config: &BrokerConfig, channel: ChannelConfig) -> Forwarding {
        let channel = Channel::new(config.controller.clone(), channel);
        Forwarding { channel, queue: VecDeque::new(), not_before: None, creating: BTreeSet::new() }
    }

    /// Passes on a client's request, its frame as it came.
    pub fn forward(&mut self, connection: ConnectionId, frame: Bytes, give_up_at: Time) {
        self.queue.push_back(Forwarded { purpose: Purpose::Client(connection), frame, give_up_at });
    }

    /// Asks for a topic, unless that is under way.
    pub fn create_topic(&mut self, topic: CreatableTopic, give_up_at: Time) {
        if self.creating.insert(topic.name.clone()) {
            let purpose = Purpose::Create(topic.name.clone());
            self.queue.push_back(Forwarded { purpose, frame: create_topic(topic), give_up_at });
        }
    }

    /// Asks for a block of producer ids.
    pub fn allocate_producer_ids(&mut self, give_up_at: Time) {
        self.queue.push_back(Forwarded { purpose: Purpose::ProducerIds, frame: Bytes::new(), give_up_at });
    }

    /// Sends what is waiting, gives up what has waited too long.
    pub fn pump(&mut self, now: Time, config: &BrokerConfig, epoch: BrokerEpoch, out: &mut Outbox) -> Vec<Answered> {
        let lost = self.channel.on_deadline(now, out);
        let mut answered = self.lost(lost);
        self.channel.open(now, out);
        self.not_before = self.not_before.filter(|at| *at > now);
        if self.queue.iter().any(|forwarded| forwarded.give_up_at <= now) {
            let (overdue, queue): (Vec<_>, _) = std::mem::take(&mut self.queue).into_iter().partition(|f| f.give_up_at <= now);
            self.queue = queue.into();
            answered.extend(self.lost(overdue));
        }
        if self.channel.is_open() && self.not_before.is_none() {
            for forwarded in std::mem::take(&mut self.queue) {
                self.send(now, config, epoch, forwarded, out);
            }
        }
        answered
    }

    fn send(&mut self, now: Time, config: &BrokerConfig, epoch: BrokerEpoch, forwarded: Forwarded, out: &mut Outbox) {
        let request = match &forwarded.purpose {
            Purpose::ProducerIds => Request::from(AllocateProducerIdsRequest {
                broker_id: config.id.0,
                broker_epoch: epoch.0,
                ..AllocateProducerIdsRequest::default()
            }),
            Purpose::Client(_) | Purpose::Create(_) => {
                Request::from(EnvelopeRequest { request_data: forwarded.frame.clone(), ..EnvelopeRequest::default() })
            }
        };
        let patience = forwarded.give_up_at.since(now);
        let sent = self.channel.request(now, &request, 0, patience, forwarded, out);
        sent.expect("both messages have one version, which carries all fields");
    }

    /// Whether something waits to be passed on.
    pub fn has_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether this is our connection.
    pub fn owns(&self, connection: ConnectionId) -> bool {
        self.channel.owns(connection)
    }

    /// The connection stands.
    pub fn on_opened(&mut self, connection: ConnectionId) {
        self.channel.on_opened(connection);
    }

    /// The connection is gone.
    pub fn on_closed(&mut self, now: Time, connection: ConnectionId) -> Vec<Answered> {
        let lost = self.channel.on_closed(now, connection).unwrap_or_default();
        self.lost(lost)
    }

    /// An answer.
    pub fn on_frame(&mut self, now: Time, frame: &Bytes, out: &mut Outbox) -> Vec<Answered> {
        match self.channel.on_frame(frame) {
            Ok((forwarded, Response::Envelope(response))) => self.on_envelope(now, forwarded, response),
            Ok((_, Response::AllocateProducerIds(response))) => vec![Answered::ProducerIds(response)],
            Ok((forwarded, _)) => {
                let mut lost = vec![forwarded];
                lost.extend(self.channel.reset(now, out));
                self.lost(lost)
            }
            Err(_) => {
                let lost = self.channel.reset(now, out);
                self.lost(lost)
            }
        }
    }

    fn on_envelope(&mut self, now: Time, forwarded: Forwarded, response: EnvelopeResponse) -> Vec<Answered> {
        let refused = response.error_code != 0;
        match (&forwarded.purpose, response.response_data.filter(|_| !refused)) {
            (Purpose::Client(connection), Some(data)) => vec![Answered::Client(*connection, data)],
            (Purpose::Client(_), None) => {
                // The controller did not look at it (it is starting, or not in office): ask again until the time is up.
                self.not_before = Some(now.plus(BACKOFF));
                self.queue.push_front(forwarded);
                Vec::new()
            }
            (Purpose::Create(_) | Purpose::ProducerIds, _) => self.lost(vec![forwarded]),
        }
    }

    fn lost(&mut self, lost: Vec<Forwarded>) -> Vec<Answered> {
        let mut answered = Vec::new();
        for forwarded in lost {
            match forwarded.purpose {
                Purpose::Client(connection) => answered.push(Answered::ClientLost(connection)),
                Purpose::ProducerIds => answered.push(Answered::ProducerIdsLost),
                Purpose::Create(name) => {
                    self.creating.remove(&name);
                }
            }
        }
        answered
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Option<Time> {
        let overdue = self.queue.iter().map(|forwarded| forwarded.give_up_at).min();
        earliest([self.channel.deadline(), self.not_before, overdue])
    }

    /// Gives up the line.
    pub fn stop(&mut self, now: Time, out: &mut Outbox) {
        self.channel.reset(now, out);
        self.queue.clear();
        self.creating.clear();
    }
}

fn create_topic(topic: CreatableTopic) -> Bytes {
    let header = RequestHeader::new(ApiKey::CreateTopics, CREATE_TOPICS_VERSION, 0);
    let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
    join(&encode_request(&header, &Request::from(request)).expect("a valid topic name fits into every version"))
}
