//! Which brokers live: sessions, kept alive by heartbeats, and what a heartbeat makes of a broker.
//!
//! ```text
//!                 caught up with its own registration
//!    ┌────────┐ ────────────────────────────────────▶ ┌──────────┐
//!    │ FENCED │                                       │ UNFENCED │
//!    └────────┘ ◀──────────────────────────────────── └──────────┘
//!      ▲    │     session ran out, or it wants a fence     │ wants to shut down: out of every ISR and leadership
//!      │    │ wants to shut down                           ▼
//!      │    │                                      ┌───────────────┐
//!      │    ▼         all active brokers know that │ SHUTTING DOWN │
//!    ┌────────────┐   it left                      └───────────────┘
//!    │ MUST STOP  │ ◀─────────────────────────────────────┘
//!    └────────────┘
//! ```
//!
//! A *fenced* broker neither leads nor counts in an ISR, and clients do not see it. It is fenced from its registration until it has
//! read the metadata log up to there, so that it never acts on what was true in its former life. A broker that shuts down in order
//! first gives away what it has, and stops only when every active broker has heard of it, so that nobody waits for it. (Kafka lets one that
//! leads nothing go at once; waiting costs a heartbeat and spares the others a leader that is gone.)
//!
//! **Known weakness, Kafka's too.** Leaderships go to members of the ISR that are not fenced, and one that lost power a moment ago is not fenced
//! *yet*. If it has lost its tail with its power, and the broker that stops was the last to have it, the records are gone when the
//! new registration shows it. Eligible leader replicas (KIP-966) would know better.
//!
//! Sessions are soft: they are not in the log, and a new controller gives everyone a fresh one. A session lasts while heartbeats come;
//! it ends when it runs out or when the broker is told to stop, and then another life may register under the same id. Sessions that
//! run out together are fenced one per step, each decision seeing the one before (KAFKA-13173).

use std::collections::BTreeMap;

use super::image::{Broker, MetadataImage};
use super::state::Controller;
use crate::types::{BrokerEpoch, BrokerId, Duration, Offset, Time};
use crate::wire::metadata::BrokerRegistrationChangeRecord;
use crate::wire::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};

/// `BrokerRegistrationChangeRecord.fenced`.
const FENCE: i8 = 1;
const UNFENCE: i8 = -1;

/// What the controller knows of one broker's life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Session {
    /// When it was heard of last.
    heard: Time,
    /// The last metadata record it has applied; -1 if unknown.
    applied: Offset,
    /// The last record of its leaving the ISRs, once it shuts down.
    left_at: Option<Offset>,
}

/// The sessions of all brokers that are heard of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sessions {
    timeout: Duration,
    sessions: BTreeMap<BrokerId, Session>,
}

impl Sessions {
    /// Fresh sessions for all brokers that may lead or are on their way out.
    #[must_use]
    pub fn afresh(timeout: Duration, image: &MetadataImage, now: Time) -> Sessions {
        let mut sessions = Sessions { timeout, sessions: BTreeMap::new() };
        for broker in image.brokers().filter(|broker| !broker.is_fenced) {
            sessions.touch(broker.id, now, Offset(-1));
            if broker.is_shutting_down {
                sessions.leave(broker.id, image.end().plus(-1));
            }
        }
        sessions
    }

    /// The broker has been heard of.
    pub fn touch(&mut self, broker: BrokerId, now: Time, applied: Offset) {
        let session = self.sessions.entry(broker).or_insert(Session { heard: now, applied, left_at: None });
        session.heard = now;
        session.applied = applied;
    }

    /// The broker's life begins anew or ends: forget the old one.
    pub fn end(&mut self, broker: BrokerId) {
        self.sessions.remove(&broker);
    }

    /// The broker has left all ISRs with the record at `offset`.
    pub fn leave(&mut self, broker: BrokerId, offset: Offset) {
        if let Some(session) = self.sessions.get_mut(&broker) {
            session.left_at = Some(offset);
        }
    }

    /// Whether the broker's session has not run out.
    #[must_use]
    pub fn is_valid(&self, broker: BrokerId, now: Time) -> bool {
        self.sessions.get(&broker).is_some_and(|session| now < session.heard.plus(self.timeout))
    }

    /// When the first session of a broker that is not fenced runs out.
    #[must_use]
    pub fn deadline(&self, image: &MetadataImage) -> Option<Time> {
        self.stalest(image).map(|(_, heard)| heard.plus(self.timeout))
    }

    fn stalest(&self, image: &MetadataImage) -> Option<(BrokerId, Time)> {
        let is_unfenced = |id: &BrokerId| image.broker(*id).is_some_and(|broker| !broker.is_fenced);
        let unfenced = self.sessions.iter().filter(|(id, _)| is_unfenced(id));
        unfenced.map(|(id, session)| (*id, session.heard)).min_by_key(|(id, heard)| (*heard, *id))
    }

    /// Whether every active broker has applied what `broker` left with.
    fn all_know_it_left(&self, broker: BrokerId, image: &MetadataImage) -> bool {
        let Some(left_at) = self.sessions.get(&broker).and_then(|session| session.left_at) else { return false };
        let mut active = image.brokers().filter(|other| other.is_active());
        active.all(|other| self.sessions.get(&other.id).is_some_and(|session| session.applied >= left_at))
    }
}

/// Where a broker stands after a heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Fenced,
    Unfenced,
    ShuttingDown,
    MustStop,
}

impl Standing {
    fn of(broker: &Broker) -> Standing {
        match (broker.is_fenced, broker.is_shutting_down) {
            (true, _) => Standing::Fenced,
            (false, true) => Standing::ShuttingDown,
            (false, false) => Standing::Unfenced,
        }
    }
}

impl Controller {
    /// A broker shows that it lives and says what it wants.
    pub fn on_heartbeat(&mut self, now: Time, request: &BrokerHeartbeatRequest) -> BrokerHeartbeatResponse {
        let (id, epoch) = (BrokerId(request.broker_id), BrokerEpoch(request.broker_epoch));
        if let Err(error) = self.expect_current(id, epoch) {
            return BrokerHeartbeatResponse { error_code: error.code(), ..BrokerHeartbeatResponse::default() };
        }
        let applied = Offset(request.current_metadata_offset);
        self.sessions.touch(id, now, applied);
        let broker = self.image.broker(id).expect("its epoch was compared above");
        let (present, is_going) = (Standing::of(broker), broker.is_shutting_down);
        let is_caught_up = applied.0 >= epoch.0;
        let next = match present {
            Standing::Fenced if request.want_shut_down => Standing::MustStop,
            Standing::Fenced if request.want_fence || !is_caught_up || is_going => Standing::Fenced,
            Standing::Fenced => Standing::Unfenced,
            Standing::Unfenced if request.want_fence => Standing::Fenced,
            Standing::Unfenced if request.want_shut_down => Standing::ShuttingDown,
            Standing::Unfenced => Standing::Unfenced,
            Standing::ShuttingDown if self.sessions.all_know_it_left(id, &self.image) => Standing::MustStop,
            Standing::ShuttingDown | Standing::MustStop => Standing::ShuttingDown,
        };
        self.move_broker(id, present, next);
        BrokerHeartbeatResponse {
            is_caught_up,
            is_fenced: matches!(next, Standing::Fenced | Standing::MustStop),
            should_shut_down: next == Standing::MustStop,
            ..BrokerHeartbeatResponse::default()
        }
    }

    /// Fences one broker whose session has run out; call again while [`Controller::deadline`] has passed.
    pub fn fence_stale(&mut self, now: Time) {
        if let Some((broker, _)) = self.sessions.stalest(&self.image).filter(|(broker, _)| !self.sessions.is_valid(*broker, now))
        {
            self.sessions.end(broker);
            self.fence(broker);
        }
    }

    fn move_broker(&mut self, id: BrokerId, present: Standing, next: Standing) {
        match next {
            next if next == present => {}
            Standing::Unfenced => self.unfence(id),
            Standing::Fenced => self.fence(id),
            Standing::ShuttingDown => self.begin_shutdown(id),
            Standing::MustStop => {
                self.sessions.end(id);
                if present != Standing::Fenced {
                    self.fence(id);
                }
            }
        }
    }

    // The broker leaves its ISRs before it is fenced and joins nothing before it is unfenced, so that at no offset of the log a fenced
    // broker is in an ISR that has other members.
    fn fence(&mut self, id: BrokerId) {
        self.leave_isrs(id);
        self.write_broker_change(id, |record| record.fenced = FENCE);
        assert!(!self.image.is_active(id), "a fenced broker is not active");
    }

    fn unfence(&mut self, id: BrokerId) {
        self.write_broker_change(id, |record| record.fenced = UNFENCE);
        assert!(self.image.is_active(id), "an unfenced broker that does not shut down is active");
        self.elect_leaderless(id);
    }

    fn begin_shutdown(&mut self, id: BrokerId) {
        self.leave_isrs(id);
        self.write_broker_change(id, |record| record.in_controlled_shutdown = 1);
        self.sessions.leave(id, self.image.end().plus(-1));
    }

    fn write_broker_change(&mut self, id: BrokerId, set: impl FnOnce(&mut BrokerRegistrationChangeRecord)) {
        let broker_epoch = self.image.broker(id).expect("callers name registered brokers").epoch.0;
        let mut record = BrokerRegistrationChangeRecord { broker_id: id.0, broker_epoch, ..Default::default() };
        set(&mut record);
        self.write(record);
    }
}
