//! A leader asks for another ISR; only the controller can grant it (KIP-497).
//!
//! The request is a compare-and-set: it names the partition epoch it builds upon, and of two requests that name the same one the
//! second loses. The checks, in this order, because each error tells the leader something else to do:
//!
//! ```text
//!   sender's broker epoch is not current        STALE_BROKER_EPOCH         you have been replaced
//!   no such topic, partition                    UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION
//!   an epoch is ahead of mine                   NOT_CONTROLLER             I may be the one who is behind (KAFKA-14154)
//!   leader epoch behind                         FENCED_LEADER_EPOCH        wait for the metadata
//!   sender does not lead                        INVALID_REQUEST
//!   partition epoch behind                      INVALID_UPDATE_VERSION     wait for the metadata
//!   ISR not a set of replicas with the leader   INVALID_REQUEST
//!   recovering, and more than the leader        INVALID_REQUEST            an uncleanly elected leader first stands alone
//!   recovered already, wants to be recovering   INVALID_REQUEST
//!   a member fenced, shutting down, not         INELIGIBLE_REPLICA         the ISR stays as it was (KIP-841, KIP-903)
//!   registered, or of another life
//! ```
//!
//! The last check is what keeps a dead replica out of the ISR: a broker that has restarted since it was seen caught up may have lost
//! its tail, and the broker epoch the leader saw with its fetch gives it away.

use super::change::{Favourite, Wish};
use super::image::Broker;
use super::partition::{Partition, Recovery, numbers};
use super::state::Controller;
use crate::fact::Fact;
use crate::mutant::Mutant;
use crate::types::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, PartitionId};
use crate::wire::alter_partition_request::{AlterPartitionRequest, BrokerState, PartitionData as Asked};
use crate::wire::alter_partition_response::{AlterPartitionResponse, PartitionData as Answered, TopicData};
use crate::wire::{ErrorCode, Uuid};

/// What a leader wants, in our words.
struct Proposal {
    leader_epoch: LeaderEpoch,
    partition_epoch: PartitionEpoch,
    isr: Vec<Member>,
    recovery: Option<Recovery>,
}

/// A member proposed, and the epoch in which the leader has seen it.
struct Member {
    id: BrokerId,
    epoch: BrokerEpoch,
}

impl Member {
    /// Whether the leader has seen this life of the broker.
    fn is_of(&self, broker: &Broker) -> bool {
        self.epoch == BrokerEpoch::NONE || self.epoch == broker.epoch
    }
}

impl Proposal {
    fn of(asked: &Asked) -> Proposal {
        let without_epochs = asked.new_isr.iter().map(|id| (*id, BrokerEpoch::NONE.0));
        let with_epochs =
            asked.new_isr_with_epochs.iter().map(|BrokerState { broker_id, broker_epoch, .. }| (*broker_id, *broker_epoch));
        let members = with_epochs.chain(without_epochs);
        Proposal {
            leader_epoch: LeaderEpoch(asked.leader_epoch),
            partition_epoch: PartitionEpoch(asked.partition_epoch),
            isr: members.map(|(id, epoch)| Member { id: BrokerId(id), epoch: BrokerEpoch(epoch) }).collect(),
            recovery: Recovery::from_code(asked.leader_recovery_state),
        }
    }

    fn ids(&self) -> Vec<BrokerId> {
        self.isr.iter().map(|member| member.id).collect()
    }
}

impl Controller {
    /// A leader asks for other ISRs.
    pub fn on_alter_partition(&mut self, request: &AlterPartitionRequest) -> AlterPartitionResponse {
        let sender = BrokerId(request.broker_id);
        if let Err(error) = self.expect_current(sender, BrokerEpoch(request.broker_epoch)) {
            self.remark_all(request, error);
            return AlterPartitionResponse { error_code: error.code(), ..AlterPartitionResponse::default() };
        }
        let mut response = AlterPartitionResponse::default();
        for topic in &request.topics {
            let partitions = topic.partitions.iter().map(|asked| self.answer(sender, topic.topic_id, asked)).collect();
            response.topics.push(TopicData { topic_id: topic.topic_id, partitions, ..TopicData::default() });
        }
        response
    }

    fn answer(&mut self, sender: BrokerId, topic: Uuid, asked: &Asked) -> Answered {
        let id = PartitionId { topic, index: asked.partition_index };
        match self.alter(sender, id, &Proposal::of(asked)) {
            Ok(()) => granted(id, self.image.partition(id).expect("it has just been altered")),
            Err(error) => {
                self.remark(Fact::AlterPartitionRefused { partition: id, broker: sender, code: error.code() });
                Answered { partition_index: id.index, error_code: error.code(), ..Answered::default() }
            }
        }
    }

    fn alter(&mut self, sender: BrokerId, id: PartitionId, proposal: &Proposal) -> Result<(), ErrorCode> {
        let topic = self.image.topic(id.topic).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        let partition = topic.partitions.get(&id.index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        check_epochs(sender, partition, proposal)?;
        let recovery = check_isr(sender, partition, proposal)?;
        if !proposal.isr.iter().all(|member| self.is_eligible(member)) {
            let is_same_life = |member: &Member| self.image.broker(member.id).is_some_and(|known| member.is_of(known));
            let ignores = self.config.mutants.is(Mutant::FencedInIsr) && proposal.isr.iter().all(is_same_life);
            if !ignores {
                return Err(ErrorCode::INELIGIBLE_REPLICA);
            }
            self.remark(Mutant::FencedInIsr.acted());
        }
        let wish = Wish { isr: proposal.ids(), recovery, unclean: self.unclean(id), favourite: Favourite::Present };
        self.change_partition(id, wish, |candidate| candidate == sender);
        assert_eq!(self.image.partition(id).and_then(|now| now.leader), Some(sender), "a leader in its ISR goes on leading");
        Ok(())
    }

    fn is_eligible(&self, member: &Member) -> bool {
        self.image.broker(member.id).is_some_and(|broker| broker.is_active() && member.is_of(broker))
    }

    fn remark_all(&mut self, request: &AlterPartitionRequest, error: ErrorCode) {
        for topic in &request.topics {
            for asked in &topic.partitions {
                let partition = PartitionId { topic: topic.topic_id, index: asked.partition_index };
                self.remark(Fact::AlterPartitionRefused { partition, broker: BrokerId(request.broker_id), code: error.code() });
            }
        }
    }
}

fn check_epochs(sender: BrokerId, partition: &Partition, proposal: &Proposal) -> Result<(), ErrorCode> {
    if proposal.leader_epoch > partition.leader_epoch || proposal.partition_epoch > partition.partition_epoch {
        return Err(ErrorCode::NOT_CONTROLLER);
    }
    if proposal.leader_epoch < partition.leader_epoch {
        return Err(ErrorCode::FENCED_LEADER_EPOCH);
    }
    if partition.leader != Some(sender) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    if proposal.partition_epoch < partition.partition_epoch {
        return Err(ErrorCode::INVALID_UPDATE_VERSION);
    }
    Ok(())
}

fn check_isr(sender: BrokerId, partition: &Partition, proposal: &Proposal) -> Result<Recovery, ErrorCode> {
    let isr = proposal.ids();
    let is_set = isr.iter().enumerate().all(|(i, id)| !isr[..i].contains(id));
    if !is_set || !isr.contains(&sender) || !isr.iter().all(|id| partition.replicas.contains(id)) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    match (partition.recovery, proposal.recovery) {
        (_, None) | (Recovery::Recovered, Some(Recovery::Recovering)) => Err(ErrorCode::INVALID_REQUEST),
        (Recovery::Recovering, Some(Recovery::Recovering)) if isr.len() > 1 => Err(ErrorCode::INVALID_REQUEST),
        (Recovery::Recovered | Recovery::Recovering, Some(wanted)) => Ok(wanted),
    }
}

fn granted(id: PartitionId, partition: &Partition) -> Answered {
    Answered {
        partition_index: id.index,
        leader_id: partition.leader_number(),
        leader_epoch: partition.leader_epoch.0,
        isr: numbers(&partition.isr),
        leader_recovery_state: partition.recovery.code(),
        partition_epoch: partition.partition_epoch.0,
        ..Answered::default()
    }
}
