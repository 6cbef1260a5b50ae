//! The cluster as a client deals with it: lines to its brokers, and metadata kept fresh.
//!
//! Metadata are asked for when a topic is not known yet, when an error says that they are old, when a connection is lost, and when
//! they have reached their age. One request is on its way at a time; after each answer the next waits for the back-off, so a
//! partition without leader costs a few requests a second and not thousands. Any broker will do: the ready one with the least
//! to do, else up to `DIALS_MAX` are dialled at once, beginning with another each time, so that a dead one does not hold us up.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::config::{Backoff, CommonConfig};
use super::connections::{Connections, Parcel, Reply, SendError};
use super::metadata::{Leader, Metadata};
use crate::actor::{Event, Outbox};
use crate::digest::Digest;
use crate::types::{Address, BrokerId, Duration, Time};
use crate::wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use crate::wire::{ApiKey, Request, Response};

/// So many brokers are dialled at once when any one will do.
const DIALS_MAX: usize = 3;

/// Lines and metadata of one client.
#[derive(Hash, Debug)]
pub struct Cluster<C> {
    bootstrap: Vec<Address>,
    request_timeout: Duration,
    auto_create: bool,
    metadata: Metadata,
    connections: Connections<Errand<C>>,
    refresh: Refresh,
    /// Turned after every choice among brokers of which any will do.
    turn: u64,
}

#[derive(Hash, Debug)]
enum Errand<C> {
    Metadata,
    Owner(C),
}

/// When to ask for metadata.
#[derive(Hash, Debug)]
struct Refresh {
    /// Topics somebody cares for.
    topics: BTreeSet<Arc<str>>,
    due: bool,
    asked: bool,
    not_before: Time,
    failures: u32,
    /// When the last answer came.
    answered: Option<Time>,
    backoff: Backoff,
    age_max: Duration,
}

impl<C> Cluster<C> {
    /// Nothing known but where to ask first.
    #[must_use]
    pub fn new(config: &CommonConfig) -> Cluster<C> {
        let mut hash = Digest::new();
        (config.seed, "turn").hash(&mut hash);
        Cluster {
            bootstrap: config.bootstrap.clone(),
            request_timeout: config.request_timeout,
            auto_create: config.auto_create,
            metadata: Metadata::default(),
            connections: Connections::new(config.channel(), config.request_timeout),
            refresh: Refresh {
                topics: BTreeSet::new(),
                due: false,
                asked: false,
                not_before: Time::ZERO,
                failures: 0,
                answered: None,
                backoff: config.retry_backoff,
                age_max: config.metadata_age_max,
            },
            turn: hash.finish(),
        }
    }

    /// What is known.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Somebody cares for this topic from now on.
    pub fn follow(&mut self, topic: &Arc<str>) {
        if !self.refresh.topics.contains(topic) {
            self.refresh.topics.insert(Arc::clone(topic));
            self.refresh.due = true;
            self.refresh.failures = 0;
        }
    }

    /// The topics that somebody cares for.
    pub fn followed(&self) -> impl Iterator<Item = &Arc<str>> {
        self.refresh.topics.iter()
    }

    /// Nobody cares for this topic any more.
    pub fn unfollow(&mut self, topic: &str) {
        self.refresh.topics.remove(topic);
    }

    /// What is known may be old: ask as soon as the back-off allows.
    pub fn refresh(&mut self) {
        self.refresh.due = true;
    }

    /// A broker told in passing who leads.
    pub fn learn_leader(&mut self, topic: &str, index: i32, leader: i32, epoch: i32) {
        self.metadata.learn_leader(topic, index, leader, epoch);
    }

    /// Something is missing in what is known: ask, unless an answer is on its way.
    pub fn miss(&mut self) {
        self.refresh.due |= !self.refresh.asked;
    }

    /// The leader of a partition, if it is known. If not, metadata are asked for.
    pub fn leader(&mut self, topic: &str, index: i32) -> Option<Leader> {
        let leader = self.metadata.leader(topic, index);
        if leader.is_none() {
            self.miss();
        }
        leader
    }

    /// The version agreed on with this broker, if requests can be sent to it now; sees to it that they can be later.
    pub fn version(&mut self, broker: BrokerId, api: ApiKey, now: Time, out: &mut Outbox) -> Option<Contact> {
        let address = self.metadata.address(broker)?.clone();
        self.connections.ready(&address, now, out).then(|| self.contact(address, api))
    }

    /// Any broker to which requests can be sent now; sees to it that there will be one.
    pub fn any(&mut self, api: ApiKey, now: Time, out: &mut Outbox) -> Option<Contact> {
        let candidates = self.candidates();
        let ready = candidates.iter().filter(|address| self.connections.is_ready(address));
        if let Some(address) = ready.min_by_key(|address| self.connections.in_flight(address)) {
            let contact = self.contact(address.clone(), api);
            self.turn = self.turn.wrapping_add(1);
            return Some(contact);
        }
        let mut dialled = candidates.iter().filter(|address| self.connections.is_opening(address)).count();
        for address in &candidates {
            if dialled < DIALS_MAX && !self.connections.is_opening(address) {
                self.connections.ready(address, now, out);
                dialled += usize::from(self.connections.is_opening(address));
            }
        }
        self.turn = self.turn.wrapping_add(1);
        None
    }

    /// Every known address once, beginning where the turn stands.
    fn candidates(&self) -> Vec<Address> {
        let all: BTreeSet<&Address> = self.metadata.addresses().chain(&self.bootstrap).collect();
        let mut candidates: Vec<Address> = all.into_iter().cloned().collect();
        if !candidates.is_empty() {
            let start = self.turn % (candidates.len() as u64);
            candidates.rotate_left(usize::try_from(start).expect("smaller than a length"));
        }
        candidates
    }

    fn contact(&self, address: Address, api: ApiKey) -> Contact {
        Contact { version: self.connections.version(&address, api), in_flight: self.connections.in_flight(&address), address }
    }

    /// Sends a request in `version`; its context comes back in a [`Reply`]. Without context, no response is expected.
    ///
    /// # Errors
    /// When the version cannot carry the request. Nothing is sent then.
    pub fn send(
        &mut self,
        to: &Address,
        version: i16,
        request: Request,
        context: Option<C>,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        let patience = self.request_timeout;
        let parcel = Parcel { request, version, patience, context: context.map(Errand::Owner) };
        self.connections.send(to, now, parcel, out)
    }

    /// Takes in an event; gives what it brought for the owner.
    pub fn on_event(&mut self, now: Time, event: &Event, out: &mut Outbox) -> Vec<Reply<C>> {
        let mut replies = Vec::new();
        self.connections.on_event(now, event, out, &mut replies);
        self.connections.forget_wishes();
        // Where a connection ends, a broker may have ended: somebody else leads, or soon will.
        self.refresh.due |= matches!(event, Event::Closed { .. }) && !self.refresh.topics.is_empty();
        let mut owned = Vec::with_capacity(replies.len());
        for Reply { context, response } in replies {
            match context {
                Errand::Owner(context) => {
                    self.refresh.due |= response.is_none();
                    owned.push(Reply { context, response });
                }
                Errand::Metadata => self.on_metadata(now, response),
            }
        }
        owned
    }

    fn on_metadata(&mut self, now: Time, response: Option<Response>) {
        let healthy = match response {
            Some(Response::Metadata(response)) => {
                self.refresh.answered = Some(now);
                self.metadata.merge(&response)
            }
            _ => false,
        };
        self.refresh.asked = false;
        self.refresh.due |= !healthy;
        self.refresh.failures = if healthy { 1 } else { self.refresh.failures.saturating_add(1) };
        self.refresh.not_before = now.plus(self.refresh.backoff.after(self.refresh.failures));
    }

    /// Asks for metadata if it is time to. To be called in each step.
    pub fn drive(&mut self, now: Time, out: &mut Outbox) {
        if !self.refresh.is_wanted(now) || now < self.refresh.not_before {
            return;
        }
        let Some(contact) = self.any(ApiKey::Metadata, now, out) else { return };
        let Some(version) = contact.version else { return };
        let request = self.metadata_request(version);
        let parcel = Parcel { request, version, patience: self.request_timeout, context: Some(Errand::Metadata) };
        self.refresh.due = false;
        self.refresh.asked = self.connections.send(&contact.address, now, parcel, out).is_ok();
    }

    fn metadata_request(&self, version: i16) -> Request {
        let topic = |name: &Arc<str>| MetadataRequestTopic { name: Some(name.to_string()), ..MetadataRequestTopic::default() };
        Request::Metadata(MetadataRequest {
            topics: Some(self.refresh.topics.iter().map(topic).collect()),
            // Before version 4 there is no choice: the broker creates if it is configured so.
            allow_auto_topic_creation: self.auto_create || version < 4,
            ..MetadataRequest::default()
        })
    }

    /// When to come back at the latest, if nothing happens before. To be asked after [`Cluster::drive`]: what is due already waits
    /// for a connection, not for the clock.
    #[must_use]
    pub fn deadline(&self, now: Time) -> Option<Time> {
        let refresh = self.refresh.deadline().filter(|at| *at > now);
        [self.connections.deadline(), refresh].into_iter().flatten().min()
    }
}

impl Refresh {
    fn is_wanted(&self, now: Time) -> bool {
        let aged = self.answered.is_some_and(|at| at.plus(self.age_max) <= now);
        !self.asked && !self.topics.is_empty() && (self.due || aged)
    }

    fn deadline(&self) -> Option<Time> {
        if self.asked || self.topics.is_empty() {
            return None;
        }
        if self.due { Some(self.not_before) } else { self.answered.map(|at| at.plus(self.age_max)) }
    }
}

/// A broker that can be asked now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// Where.
    pub address: Address,
    /// In which version; `None` if there is none in common.
    pub version: Option<i16>,
    /// Requests it has not answered so far.
    pub in_flight: usize,
}
