//! The line to the coordinator: where it is, and a connection of its own.
//!
//! Any broker can say who coordinates a group (FindCoordinator). The answer is kept until something says that it is old: an error, a lost
//! connection, a session that no heartbeat reached. Then it is asked for again, with growing pauses, for a coordinator on the move is told of
//! before it is ready.
//!
//! The connection is not shared with fetches, even where the same broker leads partitions: a broker answers the requests of a connection one
//! after the other, and a fetch that waits for records would hold up a heartbeat until the session is over. (A JoinGroup that waits for the
//! others holds up what follows it here, too. So does Kafka's.)

use crate::actor::{Event, Outbox};
use crate::client::cluster::Cluster;
use crate::client::config::{Backoff, CommonConfig};
use crate::client::connections::{Connections, Parcel, Reply};
use crate::client::consumer::Errand;
use crate::types::{Address, Duration, Time};
use crate::wire::{ApiKey, ErrorCode, Request};

use super::attempt::Attempt;
use super::requests;

/// What a request to the coordinator was, each with its number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Asked {
    /// JoinGroup.
    Join(u64),
    /// SyncGroup.
    Sync(u64),
    /// Heartbeat.
    Heartbeat(u64),
    /// OffsetCommit.
    Commit(u64),
    /// OffsetFetch.
    Offsets(u64),
    /// LeaveGroup, or the last heartbeat of the newer protocol.
    Leave(u64),
    /// The heartbeat of the newer protocol.
    Epoch(u64),
}

/// Whether the coordinator can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// Not yet; it is being looked for, or dialled.
    NotYet,
    /// In this version.
    Version(i16),
    /// We have no version of this API in common.
    Unsupported,
}

/// The line of one membership.
#[derive(Hash, Debug)]
pub struct CoordinatorLine {
    connections: Connections<Asked>,
    patience: Duration,
    backoff: Backoff,
    at: Option<Address>,
    /// A connection was asked for: when there is none any more, it has failed.
    dialled: bool,
    search: Attempt,
    numbers: u64,
}

impl CoordinatorLine {
    /// Nothing known.
    #[must_use]
    pub fn new(common: &CommonConfig) -> CoordinatorLine {
        CoordinatorLine {
            connections: Connections::new(common.channel(), common.request_timeout),
            patience: common.request_timeout,
            backoff: common.retry_backoff,
            at: None,
            dialled: false,
            search: Attempt::default(),
            numbers: 0,
        }
    }

    /// Whether somebody is believed to coordinate.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.at.is_some()
    }

    /// Takes in an event; gives the answers that it brought.
    pub fn on_event(&mut self, now: Time, event: &Event, out: &mut Outbox) -> Vec<Reply<Asked>> {
        let mut replies = Vec::new();
        self.connections.on_event(now, event, out, &mut replies);
        self.connections.forget_wishes();
        let is_up = |at: &Address| self.connections.is_ready(at) || self.connections.is_opening(at);
        if self.dialled && !self.at.as_ref().is_some_and(is_up) {
            self.forget(now);
        }
        replies
    }

    /// Whoever coordinated does so no longer, or cannot be reached.
    pub fn forget(&mut self, now: Time) {
        self.dialled = false;
        if self.at.take().is_some() {
            self.search.fail(now, self.backoff);
        }
    }

    /// The coordinator has answered as coordinators do: the next search need not wait.
    pub fn trust(&mut self) {
        if self.at.is_some() {
            self.search.succeed();
        }
    }

    /// Asks any broker who coordinates, if that is not known and it is time to.
    pub fn search(&mut self, now: Time, group: &str, cluster: &mut Cluster<Errand>, out: &mut Outbox) {
        if self.at.is_some() || !self.search.is_due(now) {
            return;
        }
        let Some(contact) = cluster.any(ApiKey::FindCoordinator, now, out) else { return };
        let number = self.next_number();
        let sent = contact.version.is_some_and(|version| {
            let request = requests::find_coordinator(version, group);
            cluster.send(&contact.address, version, request, Some(Errand::Coordinator(number)), now, out).is_ok()
        });
        if sent { self.search.sent(number) } else { self.search.fail(now, self.backoff) }
    }

    /// When the next search is due, if nobody is known.
    #[must_use]
    pub fn search_at(&self) -> Option<Time> {
        if self.at.is_some() { None } else { self.search.deadline() }
    }

    /// A broker has said who coordinates, or why it cannot.
    ///
    /// # Errors
    /// What people must know, because trying again will not help.
    pub fn on_found(&mut self, now: Time, number: u64, answer: Result<Address, ErrorCode>) -> Result<(), ErrorCode> {
        if !self.search.ends_with(number) {
            return Ok(());
        }
        match answer {
            Ok(address) => self.at = Some(address),
            Err(error) => {
                self.search.fail(now, self.backoff);
                if !error.is_retriable() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Whether the coordinator can be asked now; sees to it that it can be later.
    pub fn ready(&mut self, api: ApiKey, now: Time, out: &mut Outbox) -> Ready {
        let Some(at) = &self.at else { return Ready::NotYet };
        if !self.connections.ready(at, now, out) {
            self.dialled |= self.connections.is_opening(at);
            return Ready::NotYet;
        }
        self.connections.version(at, api).map_or(Ready::Unsupported, Ready::Version)
    }

    /// A number for the next request.
    pub fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Sends a request that [`CoordinatorLine::ready`] has given a version for. `patience` is the longest wait for its answer, if it
    /// is not the usual one. False if that version cannot carry it.
    pub fn send(
        &mut self,
        request: Request,
        version: i16,
        patience: Option<Duration>,
        asked: Asked,
        now: Time,
        out: &mut Outbox,
    ) -> bool {
        let at = self.at.clone().expect("the owner asked whether the line is ready");
        let patience = patience.unwrap_or(self.patience);
        self.connections.send(&at, now, Parcel { request, version, patience, context: Some(asked) }, out).is_ok()
    }

    /// When to come back at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.connections.deadline()
    }
}
