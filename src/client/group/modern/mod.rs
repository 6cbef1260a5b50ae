//! The newer protocol (KIP-848) as one member lives through it: the coordinator shares out, and there is one request.
//!
//! ```text
//!           the application polls             heartbeat, epoch 0: everything about us
//!   Out ───────────────────────▶ Entering ───────────────────────────────────────────▶ In ◀──────────┐
//!    ▲                              ▲                                                   │ told less   │ given up
//!    │ lost                         │ the application polls                             ▼             │
//!    └── any ◀──────────────────────┴──────────────────────────────────────────── GivingUp ──────────┘
//! ```
//!
//! **Who we are.** The member makes its own id (KIP-1082) and keeps it as long as its process lives: a heartbeat that is repeated never makes a
//! second member. With each answer comes the *member epoch*, which every later request has to bear. Epoch 0 joins, -1 leaves; a static member
//! leaves with -2, and finds its partitions again if it is back before its session ends.
//!
//! **What we say.** The first heartbeat says everything: subscription, time-out, assignor, owned partitions. Later ones name what has changed, at
//! once, and nothing at all in between, in the interval that the coordinator sets. Whatever fails, the next one says everything again: nobody
//! knows what of the last one arrived.
//!
//! **What we are told** is the whole of what we may own, by topic ids, and nothing if it is as before. The application takes it in while it waits in a
//! poll, as in the classic protocol: what is not among it is given up first, after a commit if `enable.auto.commit` says so. That we own it no longer
//! is the acknowledgement, and goes out at once; only then others are given it, and we what others have given up. So the assignment that we know is
//! always free for us, and what is new in it can be taken without asking.
//!
//! **Losing.** FENCED_MEMBER_EPOCH and UNKNOWN_MEMBER_ID mean that the coordinator goes on without us, and so does GROUP_ID_NOT_FOUND for somebody who was
//! in it: all is lost, and we join again with epoch 0. UNRELEASED_INSTANCE_ID means that our former self has not left so far; we try again until its
//! session is over, and polls are told. (Kafka's consumer ends there.)
//!
//! **Commits** bear the member epoch, which may rise while one is on its way. STALE_MEMBER_EPOCH says no more than that, so the commit is repeated with
//! the newer epoch. What has been given up meanwhile must not be committed under it, so a commit that has not ended by then fails.
//!
//! Simplified: no regular expressions, no racks; a coordinator must speak version 1, in which members make their ids.

mod heartbeat;
mod reconcile;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::Arc;

use super::attempt::Attempt;
use crate::digest::Digest;
use crate::types::{Time, TopicId, Uuid};

/// Partitions by topic.
type Partitions = BTreeMap<TopicId, BTreeSet<i32>>;

/// The talk with the coordinator.
#[derive(Hash, Debug, Default)]
pub struct Talk {
    attempt: Attempt,
    /// When to speak next if there is nothing to say.
    next: Time,
    /// What the heartbeat on its way says.
    saying: Option<Said>,
    /// What the coordinator knows; `None`: it has to be told everything.
    known: Option<Said>,
    /// All that we may own, as told last.
    assigned: Partitions,
    /// The topics of what we own.
    ids: BTreeMap<Arc<str>, TopicId>,
}

/// What about us may change.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Said {
    topics: BTreeSet<Arc<str>>,
    owned: Partitions,
}

impl Talk {
    /// The coordinator knows us no longer, nor we it. A pause that was begun goes on.
    pub fn forget(&mut self) {
        let attempt = if self.attempt.is_asked() { Attempt::default() } else { std::mem::take(&mut self.attempt) };
        *self = Talk { attempt, ..Talk::default() };
    }

    /// The coordinator seems to know more than we do: asks it soon.
    pub fn hasten(&mut self, now: Time) {
        self.next = self.next.min(now);
    }

    /// Whether a heartbeat is on its way.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        self.attempt.is_asked()
    }
}

/// The id that a member makes for itself.
#[must_use]
pub fn member_id(seed: u64) -> Arc<str> {
    let mut digest = Digest::new();
    (seed, "member id").hash(&mut digest);
    // Half of all ids suffice, and none of these begins with a dash.
    Arc::from(Uuid(digest.value() >> 1).to_string())
}
