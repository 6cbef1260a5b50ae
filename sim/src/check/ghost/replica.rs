//! One replica as the checkers believe it to be, from its facts and from audits of its disk.

use brokerlab::types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};
use brokerlab_reports::event::EventId;

use super::recovery::Downfall;
use crate::check::chain::{Chain, Link};

/// A replica.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shadow {
    /// Whether it has a log at all.
    pub present: bool,
    /// False between a loss of power and the next audit: nobody knows what is left.
    pub known: bool,
    /// Its log.
    pub log: Chain,
    /// Everything below survives a loss of power, it says (or an audit found).
    pub durable: Offset,
    /// The same of what a fault took from it, unless it was cut since.
    pub durable_once: Offset,
    /// Where it last began anew, dropping everything that it knew; zero: never.
    pub began_anew: Offset,
    /// Its own high watermark.
    pub high_watermark: Offset,
    /// M: its log agrees with the committed one below this offset.
    pub agreed: Offset,
    /// Leader, follower, neither.
    pub role: Role,
    /// Highest leader epoch in which it ever operated, over all lives.
    pub epoch_ever: LeaderEpoch,
    /// Its tail belongs to a log that was lost; it need not agree before it has truncated.
    pub exempt: bool,
    /// Batches that a fault took from it.
    pub destroyed: Vec<Link>,
    /// Offsets below its log start that it cannot know any more to be given up, because a fault took the start: its log ends below.
    pub unlearned: Vec<(Offset, Offset)>,
    /// Committed offsets that it gave up itself.
    pub given_up: Vec<(Offset, Offset)>,
    /// How its last life ended, until its recovery was audited.
    pub downfall: Option<Box<Downfall>>,
    /// It came back with less than it had, and has not shown since that it caught up.
    pub lossy: bool,
}

/// What a replica does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Nothing (yet).
    #[default]
    Idle,
    /// Follows.
    Follower {
        /// In this leader epoch.
        epoch: LeaderEpoch,
    },
    /// Leads.
    Leader(Box<Leading>),
}

/// What a leader knows in one leader epoch; all of it is forgotten with the epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leading {
    /// The leader epoch.
    pub epoch: LeaderEpoch,
    /// The committed ISR as it knows it.
    pub isr: Vec<BrokerId>,
    /// Size of that ISR from each event on.
    pub isr_sizes: Vec<(EventId, usize)>,
    /// How far each follower said to have its log.
    pub fetched: Vec<Fetched>,
    /// The ISR that it asked for since it last learned of one.
    pub proposed: Vec<BrokerId>,
}

/// What one follower told its leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// Who.
    pub follower: BrokerId,
    /// In which registration: what it said in an earlier one no longer counts.
    pub broker_epoch: BrokerEpoch,
    /// In which life of its process.
    pub life: u32,
    /// The highest offset it fetched at.
    pub offset: Offset,
    /// The offset that it fetched at last.
    pub last: Offset,
    /// The epoch that it named with that is not the one of the leader's batch there (it may have led without writing): it was told that the
    /// logs part, and what it said did not count (KAFKA-13141).
    pub parts: bool,
}

impl Default for Shadow {
    fn default() -> Shadow {
        Shadow {
            present: false,
            known: true,
            log: Chain::default(),
            durable: Offset::ZERO,
            durable_once: Offset::ZERO,
            began_anew: Offset::ZERO,
            high_watermark: Offset::ZERO,
            agreed: Offset::ZERO,
            role: Role::Idle,
            epoch_ever: LeaderEpoch::NONE,
            exempt: false,
            destroyed: Vec::new(),
            unlearned: Vec::new(),
            given_up: Vec::new(),
            downfall: None,
            lossy: false,
        }
    }
}

impl Shadow {
    /// What it knows as leader.
    #[must_use]
    pub fn leading(&self) -> Option<&Leading> {
        match &self.role {
            Role::Leader(leading) => Some(leading),
            Role::Idle | Role::Follower { .. } => None,
        }
    }

    /// The same, to be changed.
    pub fn leading_mut(&mut self) -> Option<&mut Leading> {
        match &mut self.role {
            Role::Leader(leading) => Some(leading),
            Role::Idle | Role::Follower { .. } => None,
        }
    }

    /// The leader epoch in which it operates.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        match &self.role {
            Role::Leader(leading) => leading.epoch,
            Role::Follower { epoch } => *epoch,
            Role::Idle => LeaderEpoch::NONE,
        }
    }

    /// Whether a fault took this very batch from it, or the knowledge that it was given up.
    #[must_use]
    pub fn was_robbed_of(&self, batch: &Link) -> bool {
        self.destroyed.iter().any(|destroyed| destroyed.is(batch)) || covers(&self.unlearned, batch.base)
    }

    /// A fault took from the former log what is not in `left`. Noted batch by batch, committed or not: a leader that has not heard of the
    /// death may commit them only afterwards, counting on what this replica had told it.
    /// `durable` is what had to survive of it.
    pub(super) fn note_destroyed(&mut self, former: &Chain, durable: Offset, left: &Chain) {
        self.durable_once = self.durable_once.max(durable);
        let kept = former.agrees_up_to(left, Offset::ZERO);
        // What is left may begin in the middle of a batch that is gone.
        self.destroyed.extend_from_slice(former.lacking(kept, former.end()));
        if left.end() < former.start() {
            self.unlearned.push((left.end(), former.start()));
        }
    }

    /// Whether it gave up the committed record at `offset` itself.
    #[must_use]
    pub fn gave_up(&self, offset: Offset) -> bool {
        covers(&self.given_up, offset)
    }
}

fn covers(ranges: &[(Offset, Offset)], offset: Offset) -> bool {
    ranges.iter().any(|(from, to)| *from <= offset && offset < *to)
}

impl Leading {
    /// A leader at the beginning of its epoch.
    #[must_use]
    pub fn new(epoch: LeaderEpoch, isr: &[BrokerId], now: EventId) -> Leading {
        Leading { epoch, isr: isr.to_vec(), isr_sizes: vec![(now, isr.len())], fetched: Vec::new(), proposed: Vec::new() }
    }

    /// It learns of an ISR.
    pub fn learn(&mut self, isr: &[BrokerId], now: EventId) {
        if self.isr != isr {
            self.isr = isr.to_vec();
            self.isr_sizes.push((now, isr.len()));
        }
    }

    /// A follower says how far it has come. What it said in an earlier registration is forgotten.
    pub fn hear(&mut self, heard: Fetched) {
        let Some(known) = self.fetched.iter_mut().find(|known| known.follower == heard.follower) else {
            self.fetched.push(heard);
            return;
        };
        if heard.broker_epoch == known.broker_epoch {
            (known.last, known.parts) = (heard.last, heard.parts);
        }
        let further = heard.offset > known.offset && heard.broker_epoch == known.broker_epoch;
        if heard.broker_epoch > known.broker_epoch || further {
            *known = heard;
        }
    }

    /// What a follower said last.
    #[must_use]
    pub fn fetched_by(&self, follower: BrokerId) -> Option<&Fetched> {
        self.fetched.iter().find(|fetched| fetched.follower == follower)
    }

    /// Size of the ISR as this leader knew it when `event` happened; `None` if it did not lead yet.
    #[must_use]
    pub fn isr_size_at(&self, event: EventId) -> Option<usize> {
        self.isr_sizes.iter().rfind(|(since, _)| *since <= event).map(|(_, size)| *size)
    }
}
