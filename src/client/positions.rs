//! Where a consumer reads in one partition, and what must happen before it may go on reading there.
//!
//! ```text
//!              At(offset)                             a newer leader epoch is noticed
//!   Assign ──────────────────────▶ Reading ───────────────────────────────────▶ Validating
//!     │                             ▲  ▲  │ ▲                                        │
//!     │ Beginning, End              │  │  │ └──────────── the position still exists ─┤
//!     ▼                             │  │  │ offset out of range                      │
//!   Locating ───────────────────────┘  │  ├───────────▶ Locating or Stuck            │
//!             ListOffsets              │                                             │
//!                                      └── at the point of divergence, or Stuck ◀────┘ it was cut off
//! ```
//!
//! A member of a group begins in Recalling: the group's coordinator knows the committed offset, which then is the position, or there is
//! none, and the reset policy decides.
//!
//! A position is an offset *and* the leader epoch of the record before it. After an unclean election the offset alone may exist again
//! with other records before it, and a consumer that does not look would silently skip what was rewritten (KIP-320). So when the
//! partition has a newer leader, the position is compared with the leader's own history of epochs first. Where we are stricter than
//! Kafka's client: an answer with a lower epoch than the one asked for means divergence too, even if the offset exists; the position then
//! goes back to the first record that was read of an epoch which that leader does not know.

use crate::types::{LeaderEpoch, Offset, Time, TopicPartition};
use crate::wire::ErrorCode;
use crate::wire::offset_for_leader_epoch_response::EpochEndOffset;

use super::config::{Backoff, OffsetReset};
use super::fetched::{Fetched, ReadPosition};

/// One end of a partition, as ListOffsets names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// The first record still there.
    First,
    /// The high watermark, or the last stable offset.
    Last,
}

impl End {
    /// The timestamp that asks for it.
    #[must_use]
    pub fn timestamp(self) -> i64 {
        match self {
            End::First => -2,
            End::Last => -1,
        }
    }
}

/// What a partition is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// The group's coordinator is asked for the committed offset.
    Recalling,
    /// The position is asked for.
    Locating(End),
    /// The position is compared with the log of a new leader.
    Validating,
    /// Records are fetched.
    Reading,
    /// Nothing can be read until the consumer is assigned anew.
    Stuck(ErrorCode),
}

/// One assigned partition.
#[derive(Hash, Debug)]
pub struct Place {
    /// Its number among the [places](super::places::Places).
    pub number: u64,
    /// Which.
    pub partition: TopicPartition,
    /// What it is doing.
    pub stage: Stage,
    /// How far it was given to polls; meaningless while locating.
    pub position: ReadPosition,
    /// The leader epoch against which the position was last checked.
    pub leader_epoch: LeaderEpoch,
    /// It is being given up: nothing of it is fetched or handed out any more.
    pub suspended: bool,
    /// What was fetched and not polled so far.
    pub fetched: Option<Fetched>,
    /// The request about it that is on its way; answers to others are of no interest any more.
    pub asked: Option<u64>,
    /// Not to be asked about before.
    pub retry_at: Time,
    failures: u32,
}

impl Place {
    /// A partition to be read from an end of its log on.
    #[must_use]
    pub fn at_end(partition: TopicPartition, end: End) -> Place {
        Place::new(partition, Stage::Locating(end), Offset::ZERO)
    }

    /// A partition to be read from this offset on.
    #[must_use]
    pub fn at(partition: TopicPartition, offset: Offset) -> Place {
        Place::new(partition, Stage::Reading, offset)
    }

    /// A partition to be read from the group's committed offset on.
    #[must_use]
    pub fn recalling(partition: TopicPartition) -> Place {
        Place::new(partition, Stage::Recalling, Offset::ZERO)
    }

    fn new(partition: TopicPartition, stage: Stage, offset: Offset) -> Place {
        Place {
            number: 0,
            suspended: false,
            partition,
            stage,
            position: ReadPosition::new(offset, LeaderEpoch::NONE),
            leader_epoch: LeaderEpoch::NONE,
            fetched: None,
            asked: None,
            retry_at: Time::ZERO,
            failures: 0,
        }
    }

    /// Whether its position has to be found or compared first.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        matches!(self.stage, Stage::Locating(_) | Stage::Validating)
    }

    /// Whether its position says how far it was given to polls.
    #[must_use]
    pub fn has_position(&self) -> bool {
        matches!(self.stage, Stage::Reading | Stage::Validating)
    }

    /// Whether it waits for a fetch.
    #[must_use]
    pub fn is_hungry(&self) -> bool {
        self.stage == Stage::Reading && !self.suspended && self.asked.is_none() && self.fetched.is_none()
    }

    /// The partition has this leader epoch now. A former leader is not waited for; and unless nothing was read so far, the position
    /// must be compared with the new leader's log, and what was fetched is not to be trusted until then.
    pub fn on_leader_epoch(&mut self, current: LeaderEpoch) {
        if self.stage != Stage::Reading || current <= self.leader_epoch {
            return;
        }
        self.asked = None;
        if self.position.epoch == LeaderEpoch::NONE {
            self.leader_epoch = current;
        } else {
            self.stage = Stage::Validating;
            self.fetched = None;
        }
    }

    /// The offset alone has to do, whatever the log of this leader holds before it.
    pub fn trust(&mut self, leader_epoch: LeaderEpoch) {
        self.leader_epoch = leader_epoch;
        self.stage = Stage::Reading;
    }

    /// ListOffsets has answered.
    pub fn on_located(&mut self, offset: Offset, epoch: LeaderEpoch, leader_epoch: LeaderEpoch) {
        self.succeed();
        self.stage = Stage::Reading;
        self.position = ReadPosition::new(offset, epoch);
        self.leader_epoch = leader_epoch;
    }

    /// The coordinator has said what is committed. The leader epoch makes the position one to be compared with the leader's log.
    pub fn on_committed(&mut self, offset: Option<Offset>, epoch: LeaderEpoch, reset: OffsetReset) {
        match offset {
            Some(offset) => {
                self.stage = Stage::Reading;
                self.position = ReadPosition::new(offset, epoch);
            }
            None => self.reset(reset, ErrorCode::OFFSET_OUT_OF_RANGE),
        }
    }

    /// OffsetForLeaderEpoch has answered.
    pub fn on_validated(&mut self, answer: &EpochEndOffset, leader_epoch: LeaderEpoch, reset: OffsetReset) {
        self.succeed();
        let (epoch, end) = (LeaderEpoch(answer.leader_epoch), Offset(answer.end_offset));
        if epoch.0 < 0 || end.0 < 0 {
            return self.reset(reset, ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        self.leader_epoch = leader_epoch;
        self.stage = Stage::Reading;
        if end < self.position.offset || epoch < self.position.epoch {
            if reset == OffsetReset::None {
                self.stage = Stage::Stuck(ErrorCode::OFFSET_OUT_OF_RANGE);
            }
            self.position.go_back(epoch, end);
        }
    }

    /// The position does not exist.
    pub fn reset(&mut self, reset: OffsetReset, error: ErrorCode) {
        self.fetched = None;
        self.stage = match reset {
            OffsetReset::Earliest => Stage::Locating(End::First),
            OffsetReset::Latest => Stage::Locating(End::Last),
            OffsetReset::None => Stage::Stuck(error),
        };
    }

    /// A request about it was answered well.
    pub fn succeed(&mut self) {
        self.asked = None;
        self.failures = 0;
        self.retry_at = Time::ZERO;
    }

    /// A request about it failed, or was lost.
    pub fn fail(&mut self, now: Time, backoff: Backoff) {
        self.asked = None;
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.plus(backoff.after(self.failures));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn validated(reset: OffsetReset, leader_epoch: i32, end_offset: i64) -> Place {
        let mut place = Place::at(TopicPartition { topic: Arc::from("t"), index: 0 }, Offset(10));
        place.position = ReadPosition::new(Offset(10), LeaderEpoch(3));
        place.on_leader_epoch(LeaderEpoch(4));
        assert_eq!(place.stage, Stage::Validating);
        place.on_validated(&EpochEndOffset { leader_epoch, end_offset, ..EpochEndOffset::default() }, LeaderEpoch(4), reset);
        place
    }

    #[test]
    fn a_position_that_still_exists_is_read_on() {
        let mut place = validated(OffsetReset::Latest, 3, 10);
        assert_eq!((place.stage, place.position.offset), (Stage::Reading, Offset(10)));
        place.on_leader_epoch(LeaderEpoch(4));
        assert_eq!(place.stage, Stage::Reading);
        place.on_leader_epoch(LeaderEpoch(5));
        assert_eq!(place.stage, Stage::Validating);
    }

    #[test]
    fn a_position_that_was_cut_off_goes_back_to_where_the_logs_part() {
        let place = validated(OffsetReset::Latest, 3, 7);
        assert_eq!((place.stage, place.position.offset), (Stage::Reading, Offset(7)));
    }

    #[test]
    fn a_leader_that_wrote_nothing_is_not_missed() {
        let place = validated(OffsetReset::Latest, 2, 20);
        assert_eq!((place.stage, place.position.offset, place.position.epoch), (Stage::Reading, Offset(10), LeaderEpoch(2)));
    }

    #[test]
    fn without_reset_policy_a_cut_is_reported() {
        assert_eq!(validated(OffsetReset::None, 3, 7).stage, Stage::Stuck(ErrorCode::OFFSET_OUT_OF_RANGE));
        assert_eq!(validated(OffsetReset::None, 2, 20).stage, Stage::Stuck(ErrorCode::OFFSET_OUT_OF_RANGE));
    }

    #[test]
    fn an_unknown_epoch_follows_the_reset_policy() {
        assert_eq!(validated(OffsetReset::Earliest, -1, -1).stage, Stage::Locating(End::First));
    }
}
