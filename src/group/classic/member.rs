//! One member of a group.

use std::sync::Arc;

use bytes::Bytes;

use crate::group::Token;
use crate::types::{Duration, Time};

/// A request that waits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::group) struct Waiting {
    /// Who.
    pub token: Token,
    /// Version of the request.
    pub version: i16,
}

/// A member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in crate::group) struct Member {
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
    /// How its client calls itself.
    pub client_id: Arc<str>,
    /// Where it joined from.
    pub host: Arc<str>,
    /// How long it may be silent.
    pub session: Duration,
    /// How long a rebalance waits for it.
    pub rebalance: Duration,
    /// What it supports, the best first, and what it says to the leading member for each.
    pub protocols: Vec<(Arc<str>, Bytes)>,
    /// Its part.
    pub assignment: Bytes,
    /// It has never been in a generation: it does not know its member id, and so cannot send heartbeats.
    pub is_new: bool,
    /// When it is taken for dead.
    pub expires: Time,
    /// When the alarm for that rings; never later than `expires`.
    pub alarm: Time,
    /// Its JoinGroup that waits.
    pub join: Option<Waiting>,
    /// Its SyncGroup that waits.
    pub sync: Option<Waiting>,
    /// It has asked for the assignment of this generation.
    pub has_synced: bool,
}

impl Member {
    /// What it says for a protocol, if it supports it.
    pub fn metadata_for(&self, protocol: &str) -> Option<&Bytes> {
        self.protocols.iter().find(|(name, _)| &**name == protocol).map(|(_, metadata)| metadata)
    }

    /// Whether it waits for an answer, and so need not show otherwise that it lives.
    pub fn is_excused(&self) -> bool {
        self.sync.is_some() || (self.join.is_some() && !self.is_new)
    }
}
