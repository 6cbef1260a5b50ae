//! Where to begin: the committed offset of each new partition becomes its position.
//!
//! A committed offset carries the leader epoch of the record before it. So a consumer that comes back after an unclean election is not
//! fooled by an offset that exists again with other records before it: the position is compared with the leader's log before anything is read
//! (KIP-320), as if the consumer had been there all the time. Where nothing is committed, `auto.offset.reset` decides.
//!
//! A coordinator that was deposed and has not heard of it would tell what was committed in its time. So we say as whom we ask; one that does not
//! know us, or us in another generation, is not asked again before the coordinator was looked for. If it is right, heartbeats will say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answers::{self, Committed};
use super::line::{Asked, Ready};
use super::requests::{self, Signature};
use super::{Desk, Membership, Phase};
use crate::client::positions::Stage;
use crate::fact::GroupFact;
use crate::types::TopicPartition;
use crate::wire::{ApiKey, ErrorCode, Response};

impl Membership {
    /// Asks for the committed offsets of all partitions that have no position, if it is time to.
    pub(super) fn ask_for_offsets(&mut self, desk: &mut Desk<'_>) {
        let is_in = matches!(self.phase, Phase::In) && self.lost.is_none();
        if !is_in || !self.recall.is_due(desk.now) || !desk.places.iter().any(|place| place.stage == Stage::Recalling) {
            return;
        }
        let Ready::Version(version) = self.line.ready(ApiKey::OffsetFetch, desk.now, desk.out) else { return };
        let number = self.line.next_number();
        let wanted = desk.places.iter().filter(|place| place.stage == Stage::Recalling).map(|place| &place.partition);
        let who = Signature { config: &self.config, member: &self.member, generation: self.generation };
        let request = requests::offsets(who, version, self.is_stable, wanted);
        if self.line.send(request, version, None, Asked::Offsets(number), desk.now, desk.out) {
            self.recall.sent(number);
        } else {
            self.recall.fail(desk.now, self.common.retry_backoff);
            self.complaint = Some(ErrorCode::UNSUPPORTED_VERSION);
        }
    }

    pub(super) fn on_offsets(&mut self, number: u64, response: Option<Response>, desk: &mut Desk<'_>) {
        if !self.recall.ends_with(number) {
            return;
        }
        let answer = match &response {
            Some(Response::OffsetFetch(response)) => answers::committed(response, &self.config.id),
            Some(_) | None => Err(ErrorCode::NETWORK_EXCEPTION),
        };
        match answer {
            Ok(committed) => self.take_positions(&committed, desk),
            Err(error) => {
                self.recall.fail(desk.now, self.common.retry_backoff);
                if error == ErrorCode::STALE_MEMBER_EPOCH {
                    self.talk.hasten(desk.now);
                } else if is_of_another_time(error) {
                    self.line.forget(desk.now);
                } else if !self.on_common_error(desk.now, error) && !error.is_retriable() {
                    self.complaint = Some(error);
                }
            }
        }
    }

    fn take_positions(&mut self, answer: &BTreeMap<TopicPartition, Result<Committed, ErrorCode>>, desk: &mut Desk<'_>) {
        self.line.trust();
        let mut taken = Vec::new();
        for place in desk.places.iter_mut().filter(|place| place.stage == Stage::Recalling) {
            // An offset that a transaction may still change, or a topic that is just being created: ask again.
            if let Some(Ok(committed)) = answer.get(&place.partition) {
                place.on_committed(committed.offset, committed.leader_epoch, self.reset);
                taken.push((place.partition.clone(), committed.offset));
            }
        }
        for (partition, committed) in taken {
            let (group, member) = (Arc::clone(&self.config.id), Arc::clone(&self.owned.member));
            let generation = self.owned.generation;
            self.state(GroupFact::PositionTaken { group, member, generation, partition, committed }, desk);
        }
        match desk.places.iter().any(|place| place.stage == Stage::Recalling) {
            true => self.recall.fail(desk.now, self.common.retry_backoff),
            false => self.recall.succeed(),
        }
    }
}

/// Whether the answer may be that of a deposed coordinator.
fn is_of_another_time(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION)
}
