//! Carrying proposals for other in-sync replicas to the controller.
//!
//! Each leading replica decides for itself which ISR it wants ([`crate::replica::isr`]). Here the wishes of all of them are gathered into
//! one AlterPartition request; the next one is sent only after the answer, so that a partition has never two changes under way. The
//! answer is given per partition. If the line breaks, the fate of all that was under way is unknown, and it is asked again: the controller
//! tells a repetition by its partition epoch.

use std::collections::BTreeSet;

use crate::actor::Outbox;
use crate::channel::{Channel, ChannelConfig};
use crate::controller::partition::brokers;
use crate::mutant::Mutant;
use crate::replica::{Proposal, Registration};
use crate::types::{BrokerEpoch, BrokerId, ConnectionId, Duration, LeaderEpoch, PartitionEpoch, PartitionId, Time};
use crate::wire::alter_partition_request::{BrokerState, PartitionData, TopicData};
use crate::wire::alter_partition_response::PartitionData as PartitionAnswer;
use crate::wire::{AlterPartitionRequest, AlterPartitionResponse, ErrorCode, Request, Response};

use super::config::BrokerConfig;
use super::metadata_view::earliest;
use super::partitions::Partitions;
use super::reply::Step;

/// The version that names each member with its broker epoch.
const VERSION: i16 = 3;
/// Pause after a refusal that may pass.
const BACKOFF: Duration = Duration::millis(50);

/// The proposals of one request, in order of partitions.
type Sent = Vec<(PartitionId, Proposal)>;

/// The line for AlterPartition.
#[derive(Debug, Hash)]
pub(super) struct IsrChanges {
    channel: Channel<Sent>,
    /// Partitions that may have something to propose.
    waiting: BTreeSet<PartitionId>,
    not_before: Option<Time>,
}

impl IsrChanges {
    /// Nothing to propose yet.
    pub fn new(config: &BrokerConfig, channel: ChannelConfig) -> IsrChanges {
        let channel = Channel::new(config.controller.clone(), channel);
        IsrChanges { channel, waiting: BTreeSet::new(), not_before: None }
    }

    /// This partition wants another ISR.
    pub fn note(&mut self, partition: PartitionId) {
        self.waiting.insert(partition);
    }

    /// Sends what is waiting, if nothing is under way.
    pub fn pump(&mut self, config: &BrokerConfig, epoch: BrokerEpoch, partitions: &mut Partitions, step: &mut Step<'_>) {
        let now = step.now.mono;
        let lost = self.channel.on_deadline(now, step.out);
        self.on_lost(lost, partitions);
        self.channel.open(now, step.out);
        self.not_before = self.not_before.filter(|at| *at > now);
        // With the planted bug the flag "a request is in flight" is believed to be cleared by the metadata that made a new wish possible.
        let busy = self.channel.in_flight() > 0 && !config.mutants.is(Mutant::InflightFlagClearedByMetadata);
        if self.waiting.is_empty() || !self.channel.is_open() || busy || self.not_before.is_some() {
            return;
        }
        let sent = take_proposals(std::mem::take(&mut self.waiting), partitions);
        if !sent.is_empty() {
            let request = Request::from(request(config.id, epoch, &sent));
            let result = self.channel.request(now, &request, VERSION, config.request_timeout, sent, step.out);
            result.expect("every field set exists in that version");
        }
    }

    /// Whether this is our connection.
    pub fn owns(&self, connection: ConnectionId) -> bool {
        self.channel.owns(connection)
    }

    /// The connection stands.
    pub fn on_opened(&mut self, connection: ConnectionId) {
        self.channel.on_opened(connection);
    }

    /// The connection is gone, and with it the certainty about what was under way.
    pub fn on_closed(&mut self, now: Time, connection: ConnectionId, partitions: &mut Partitions) {
        let lost = self.channel.on_closed(now, connection).unwrap_or_default();
        self.on_lost(lost, partitions);
    }

    fn on_lost(&mut self, lost: Vec<Sent>, partitions: &mut Partitions) {
        for (partition, _) in lost.into_iter().flatten() {
            if let Some((replica, _)) = partitions.touch(partition) {
                replica.proposal_lost();
                self.waiting.insert(partition);
            }
        }
    }

    /// An answer.
    pub fn on_frame(&mut self, frame: &bytes::Bytes, partitions: &mut Partitions, step: &mut Step<'_>) {
        match self.channel.on_frame(frame) {
            Ok((sent, Response::AlterPartition(response))) => self.on_answer(sent, &response, partitions, step),
            Ok(_) | Err(_) => {
                let lost = self.channel.reset(step.now.mono, step.out);
                self.on_lost(lost, partitions);
            }
        }
    }

    fn on_answer(&mut self, sent: Sent, response: &AlterPartitionResponse, partitions: &mut Partitions, step: &mut Step<'_>) {
        for (partition, asked) in sent {
            let Some((replica, members)) = partitions.touch(partition) else { continue };
            let outcome = outcome(partition, response);
            if outcome.is_err() {
                self.not_before = Some(step.now.mono.plus(BACKOFF));
            }
            replica.on_alter_partition(step.now, &asked, outcome, members, step.out);
        }
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Option<Time> {
        earliest([self.channel.deadline(), self.not_before])
    }

    /// Gives up the line.
    pub fn stop(&mut self, now: Time, out: &mut Outbox) {
        self.channel.reset(now, out);
        self.waiting.clear();
    }
}

fn take_proposals(waiting: BTreeSet<PartitionId>, partitions: &mut Partitions) -> Sent {
    let mut sent = Sent::new();
    for partition in waiting {
        let Some((replica, _)) = partitions.touch(partition) else { continue };
        if let Some(proposal) = replica.proposal().cloned() {
            replica.proposal_sent();
            sent.push((partition, proposal));
        }
    }
    sent
}

fn request(id: BrokerId, epoch: BrokerEpoch, sent: &[(PartitionId, Proposal)]) -> AlterPartitionRequest {
    let topic = |group: &[(PartitionId, Proposal)]| TopicData {
        topic_id: group[0].0.topic,
        partitions: group.iter().map(|(partition, proposal)| partition_data(partition.index, proposal)).collect(),
        ..TopicData::default()
    };
    let topics = sent.chunk_by(|a, b| a.0.topic == b.0.topic).map(topic).collect();
    AlterPartitionRequest { broker_id: id.0, broker_epoch: epoch.0, topics, ..AlterPartitionRequest::default() }
}

fn partition_data(index: i32, proposal: &Proposal) -> PartitionData {
    let state = |(member, epoch): &(BrokerId, BrokerEpoch)| BrokerState {
        broker_id: member.0,
        broker_epoch: epoch.0,
        ..BrokerState::default()
    };
    PartitionData {
        partition_index: index,
        leader_epoch: proposal.leader_epoch.0,
        new_isr_with_epochs: proposal.isr.iter().map(state).collect(),
        leader_recovery_state: i8::from(proposal.recovering),
        partition_epoch: proposal.partition_epoch.0,
        ..PartitionData::default()
    }
}

fn outcome(partition: PartitionId, response: &AlterPartitionResponse) -> Result<Registration, ErrorCode> {
    ErrorCode(response.error_code).ok()?;
    let topics = response.topics.iter().filter(|topic| topic.topic_id == partition.topic);
    let mut answers = topics.flat_map(|topic| &topic.partitions).filter(|answer| answer.partition_index == partition.index);
    // Not mentioned: as if the request had never been carried out.
    let answer = answers.next().ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
    ErrorCode(answer.error_code).ok()?;
    Ok(registration(answer))
}

/// The state after the change. The answer does not repeat the assigned replicas.
fn registration(answer: &PartitionAnswer) -> Registration {
    Registration {
        replicas: Vec::new(),
        isr: brokers(&answer.isr),
        leader: (answer.leader_id >= 0).then_some(BrokerId(answer.leader_id)),
        leader_epoch: LeaderEpoch(answer.leader_epoch),
        partition_epoch: PartitionEpoch(answer.partition_epoch),
        recovering: answer.leader_recovery_state != 0,
    }
}
