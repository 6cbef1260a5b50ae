//! Elections without need: somebody asks for them (ElectLeaders, KIP-183 and KIP-460), or leaders are out of balance.
//!
//! The first replica in an assignment is the *preferred* leader; placement spreads preferred leaders evenly. Elections away from brokers that
//! fail leave the leaderships where they fell, so now and then the preferred leader is elected again. Nobody is fenced for that:
//! the former leader stays in the ISR, hears of the new leader epoch, and follows.
//!
//! ```text
//!   asked for     it leads already, or (unclean) anybody leads    ELECTION_NOT_NEEDED
//!   preferred     it is in the ISR and active                     it leads
//!                 else                                            PREFERRED_LEADER_NOT_AVAILABLE; nothing changes
//!   unclean       no leader; a member of the ISR, else anybody    it leads, whatever the topic's configuration says
//!                 else                                            ELIGIBLE_LEADERS_NOT_AVAILABLE
//! ```
//!
//! Asked for all partitions, those without need are not mentioned.
//!
//! **Balance** (`auto.leader.rebalance.enable`). Every `leader.imbalance.check.interval.seconds`: a broker that does not lead more than
//! `leader.imbalance.per.broker.percentage` of the partitions that prefer it gets all of them that it may lead.

use std::collections::BTreeMap;

use super::change::Wish;
use super::election::Unclean;
use super::partition::Partition;
use super::state::Controller;
use crate::types::{BrokerId, PartitionId, Time};
use crate::wire::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use crate::wire::{ElectLeadersRequest, ElectLeadersResponse, ErrorCode};

/// Which leader is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Election {
    Preferred,
    Unclean,
}

impl Election {
    fn of(code: i8) -> Option<Election> {
        match code {
            0 => Some(Election::Preferred),
            1 => Some(Election::Unclean),
            _ => None,
        }
    }

    fn is_needed(self, partition: &Partition) -> bool {
        match self {
            Election::Preferred => partition.leader != partition.replicas.first().copied(),
            Election::Unclean => partition.leader.is_none(),
        }
    }
}

impl Controller {
    /// Somebody asks for elections.
    pub fn on_elect_leaders(&mut self, request: &ElectLeadersRequest) -> ElectLeadersResponse {
        let Some(election) = Election::of(request.election_type) else {
            return ElectLeadersResponse { error_code: ErrorCode::INVALID_REQUEST.code(), ..ElectLeadersResponse::default() };
        };
        let results = match &request.topic_partitions {
            Some(topics) => topics.iter().map(|topic| self.elect_named(&topic.topic, &topic.partitions, election)).collect(),
            None => self.elect_all(election),
        };
        ElectLeadersResponse { replica_election_results: results, ..ElectLeadersResponse::default() }
    }

    fn elect_named(&mut self, topic: &str, indexes: &[i32], election: Election) -> ReplicaElectionResult {
        let mut results = Vec::with_capacity(indexes.len());
        for index in indexes {
            let known = self.image.topic_by_name(topic).map(|topic| PartitionId { topic: topic.id, index: *index });
            let outcome = match known.filter(|id| self.image.partition(*id).is_some()) {
                Some(id) => self.elect(id, election),
                None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            };
            results.push(result(*index, outcome));
        }
        ReplicaElectionResult { topic: topic.to_owned(), partition_result: results, ..ReplicaElectionResult::default() }
    }

    fn elect_all(&mut self, election: Election) -> Vec<ReplicaElectionResult> {
        let topics: Vec<(String, Vec<PartitionId>)> = self
            .image
            .topics()
            .map(|topic| {
                (
                    topic.name.to_string(),
                    topic.partitions.keys().map(|index| PartitionId { topic: topic.id, index: *index }).collect(),
                )
            })
            .collect();
        let mut all = Vec::new();
        for (topic, partitions) in topics {
            let mut results = Vec::new();
            for id in partitions {
                let outcome = self.elect(id, election);
                if outcome != Err(ErrorCode::ELECTION_NOT_NEEDED) {
                    results.push(result(id.index, outcome));
                }
            }
            if !results.is_empty() {
                all.push(ReplicaElectionResult { topic, partition_result: results, ..ReplicaElectionResult::default() });
            }
        }
        all
    }

    fn elect(&mut self, id: PartitionId, election: Election) -> Result<(), ErrorCode> {
        let present = self.image.partition(id).expect("callers name existing partitions");
        if !election.is_needed(present) {
            return Err(ErrorCode::ELECTION_NOT_NEEDED);
        }
        let before = present.partition_epoch;
        let (wish, unavailable) = match election {
            Election::Preferred => (Wish::preferred(present), ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE),
            Election::Unclean => (Wish::election(present, Unclean::Allowed), ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE),
        };
        let active: Vec<BrokerId> = self.image.brokers().filter(|broker| broker.is_active()).map(|broker| broker.id).collect();
        self.change_partition(id, wish, |candidate| active.contains(&candidate));
        // An election for the preferred leader of a partition without any may bring another one: that counts.
        match self.image.partition(id).is_some_and(|now| now.partition_epoch > before) {
            true => Ok(()),
            false => Err(unavailable),
        }
    }

    /// Gives leaderships back to the brokers that are preferred, where too many have gone astray, if it is time to look.
    pub fn balance(&mut self, now: Time) {
        let Some(due) = self.balance_due.filter(|due| *due <= now) else { return };
        self.balance_due = Some(due.max(now).plus(self.config.leader_imbalance_check_interval));
        for (_, astray) in self.imbalanced() {
            for id in astray {
                // It may be unable to lead now; then at another time.
                let _ = self.elect(id, Election::Preferred);
            }
        }
    }

    /// The partitions that a broker should lead and does not, for each broker that lacks too many of its own.
    fn imbalanced(&self) -> Vec<(BrokerId, Vec<PartitionId>)> {
        let mut preferred: BTreeMap<BrokerId, (u64, Vec<PartitionId>)> = BTreeMap::new();
        for topic in self.image.topics() {
            for (index, partition) in &topic.partitions {
                let Some(first) = partition.replicas.first() else { continue };
                let (count, astray) = preferred.entry(*first).or_default();
                *count += 1;
                if partition.leader != Some(*first) {
                    astray.push(PartitionId { topic: topic.id, index: *index });
                }
            }
        }
        let bound = u64::from(self.config.leader_imbalance_percentage);
        let is_too_much = |(count, astray): &(u64, Vec<PartitionId>)| astray.len() as u64 * 100 > count * bound;
        preferred.into_iter().filter(|(_, of)| is_too_much(of)).map(|(id, (_, astray))| (id, astray)).collect()
    }
}

fn result(partition_id: i32, outcome: Result<(), ErrorCode>) -> PartitionResult {
    let error = outcome.err().unwrap_or(ErrorCode::NONE);
    let error_message = outcome.err().and_then(ErrorCode::name).map(str::to_owned);
    PartitionResult { partition_id, error_code: error.code(), error_message, ..PartitionResult::default() }
}
