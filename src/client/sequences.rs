//! Who a producer is, and how it numbers its records.
//!
//! A broker gives out a producer id and an epoch. Within one (id, epoch, partition) records are numbered from 0 without gap, so that a
//! broker recognises a retry and refuses a batch whose predecessor it has not seen (KIP-98). The numbers are the batch's for life:
//! a retry carries the same ones.
//!
//! The trouble is a number whose fate nobody knows: a batch given up after an attempt in doubt may or may not be in the log. To use
//! its number again could lose a record (taken for a duplicate), to skip it would be refused for ever. So the lane *restarts*: it
//! sends nothing more, waits until every request on its way has an answer or a lost connection, and goes on from 0 under a
//! higher epoch (KIP-360). Records in doubt are given up then, because under other numbers a broker could not tell that it has them
//! already.
//!
//! ```text
//!              InitProducerId
//!   Missing ───────────────────▶ Held(id, epoch) ──┐ a lane restarts: epoch + 1
//!      ▲                            │     ▲────────┘
//!      └────────────────────────────┘ epoch fenced or used up
//! ```
//!
//! Each lane moves to the newest epoch only while nothing of it is on its way, as a broker wants 0 as the first number of a new
//! epoch. Where we are stricter than Kafka's client: the first batch of an epoch goes alone. A broker that has no state of the producer
//! accepts any number, hence the second batch could be taken in while the first is being refused (say, for want of replicas), and
//! their order would be lost.

use crate::types::{ProducerEpoch, ProducerId, Sequence, Time};

/// The last epoch that a producer gives itself. Above it a new id is asked for.
const EPOCH_MAX: i16 = i16::MAX - 1;

/// Producer id and epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// Given by a broker.
    pub id: ProducerId,
    /// First given by a broker, then raised by the producer itself.
    pub epoch: ProducerEpoch,
}

/// The numbers of one batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stamp {
    /// In whose name.
    pub identity: Identity,
    /// Of the batch's first record.
    pub sequence: Sequence,
}

/// The producer's own identity.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Session {
    /// There is none; ask for one, but not before this moment.
    Missing {
        /// End of the back-off.
        not_before: Time,
        /// Attempts that failed in a row.
        failures: u32,
    },
    /// Asked for.
    Asked {
        /// Attempts that failed in a row before.
        failures: u32,
    },
    /// In use.
    Held(Identity),
}

/// Why a lane cannot go on with its identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Retirement {
    /// A gap or a doubt in the numbers: a higher epoch helps.
    Gap,
    /// Brokers refuse the identity: a new one is needed.
    Refused,
}

impl Session {
    /// No identity so far.
    #[must_use]
    pub fn new() -> Session {
        Session::Missing { not_before: Time::ZERO, failures: 0 }
    }

    /// The identity for new batches.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        match self {
            Session::Held(identity) => Some(*identity),
            Session::Missing { .. } | Session::Asked { .. } => None,
        }
    }

    /// A lane has stopped using `identity`. Does nothing if it is not the newest any more.
    pub fn retire(&mut self, identity: Identity, why: Retirement) {
        if self.identity() != Some(identity) {
            return;
        }
        *self = match why {
            Retirement::Gap if identity.epoch.0 < EPOCH_MAX => {
                Session::Held(Identity { epoch: ProducerEpoch(identity.epoch.0 + 1), ..identity })
            }
            Retirement::Gap | Retirement::Refused => Session::new(),
        };
    }
}

impl Default for Session {
    fn default() -> Session {
        Session::new()
    }
}

/// The numbering of one partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Numbering {
    identity: Option<Identity>,
    next: Sequence,
    /// A batch of this identity is known to be in the log.
    proved: bool,
    /// Set while the lane waits for the fate of what is on its way, to restart.
    restart: Option<Retirement>,
}

impl Numbering {
    /// Whether a new batch may be numbered under `current`, with `flying` batches on their way.
    #[must_use]
    pub fn may_stamp(&self, current: Identity, flying: usize) -> bool {
        self.restart.is_none() && (flying == 0 || (self.identity == Some(current) && self.proved))
    }

    /// Numbers a batch of `records`.
    pub fn stamp(&mut self, current: Identity, records: i32) -> Stamp {
        assert!(self.restart.is_none(), "a lane that restarts numbers nothing");
        if self.identity != Some(current) {
            *self = Numbering { identity: Some(current), ..Numbering::default() };
        }
        let stamp = Stamp { identity: current, sequence: self.next };
        self.next = self.next.plus(records);
        stamp
    }

    /// A batch with this stamp is in the log.
    pub fn on_appended(&mut self, stamp: Stamp) {
        self.proved |= self.identity == Some(stamp.identity);
    }

    /// The numbers from `stamp` on cannot be continued.
    pub fn request_restart(&mut self, stamp: Stamp, why: Retirement) {
        if self.identity == Some(stamp.identity) && self.restart != Some(Retirement::Refused) {
            self.restart = Some(why);
        }
    }

    /// Whether the lane waits for a restart.
    #[must_use]
    pub fn is_restarting(&self) -> bool {
        self.restart.is_some()
    }

    /// Nothing is on its way any more: the numbering begins anew. Says which identity is not to be used here again.
    pub fn restart(&mut self) -> Option<(Identity, Retirement)> {
        let retired = self.identity.zip(self.restart);
        if retired.is_some() {
            *self = Numbering::default();
        }
        retired
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const P7: Identity = Identity { id: ProducerId(7), epoch: ProducerEpoch(0) };

    #[test]
    fn sequences_wrap_to_zero() {
        let mut numbering = Numbering { identity: Some(P7), next: Sequence(i32::MAX - 1), proved: true, restart: None };
        assert_eq!(numbering.stamp(P7, 3).sequence, Sequence(i32::MAX - 1));
        assert_eq!(numbering.stamp(P7, 1).sequence, Sequence(1));
    }

    #[test]
    fn first_batch_of_an_epoch_goes_alone() {
        let mut numbering = Numbering::default();
        assert!(numbering.may_stamp(P7, 0));
        let first = numbering.stamp(P7, 1);
        assert!(!numbering.may_stamp(P7, 1));
        numbering.on_appended(first);
        assert!(numbering.may_stamp(P7, 1));
    }

    #[test]
    fn restart_raises_the_epoch_once_for_all_lanes() {
        let mut session = Session::Held(P7);
        let mut lanes = [Numbering::default(), Numbering::default()];
        for lane in &mut lanes {
            let stamp = lane.stamp(P7, 1);
            lane.request_restart(stamp, Retirement::Gap);
            assert!(!lane.may_stamp(P7, 0));
            let (identity, why) = lane.restart().unwrap();
            session.retire(identity, why);
        }
        let next = session.identity().unwrap();
        assert_eq!(next.epoch, ProducerEpoch(1));
        assert_eq!(lanes[0].stamp(next, 1).sequence, Sequence(0));
    }

    #[test]
    fn a_refused_or_used_up_identity_is_asked_for_anew() {
        let mut session = Session::Held(P7);
        session.retire(P7, Retirement::Refused);
        assert_eq!(session, Session::new());
        let last = Identity { epoch: ProducerEpoch(EPOCH_MAX), ..P7 };
        let mut session = Session::Held(last);
        session.retire(last, Retirement::Gap);
        assert_eq!(session, Session::new());
    }

    #[test]
    fn an_old_answer_does_not_restart_a_newer_numbering() {
        let mut numbering = Numbering::default();
        let old = numbering.stamp(P7, 1);
        numbering.request_restart(old, Retirement::Gap);
        numbering.restart();
        numbering.stamp(Identity { epoch: ProducerEpoch(1), ..P7 }, 1);
        numbering.request_restart(old, Retirement::Gap);
        assert!(!numbering.is_restarting());
    }
}
