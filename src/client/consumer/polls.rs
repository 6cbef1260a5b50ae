//! Polls: what they are answered with, and when.

use super::ConsumerActor;
use crate::actor::Outbox;
use crate::client::group::Membership;
use crate::client::positions::Stage;
use crate::operation::{Certainty, Completion, Outcome, PolledRecord};
use crate::types::Time;
use crate::wire::ErrorCode;

impl ConsumerActor {
    /// Answers the polls that can be answered. Says whether there was one.
    pub(super) fn serve(&mut self, now: Time, out: &mut Outbox) -> bool {
        let mut served = false;
        while let Some(poll) = self.polls.front() {
            let records = self.collect(now, poll.records_max);
            let poll = self.polls.front().expect("nothing was taken out");
            let outcome = match self.trouble() {
                Some(error) if records.is_empty() => {
                    self.complaint = None;
                    self.group.iter_mut().for_each(Membership::forget_trouble);
                    Outcome::Failed { code: error.code(), certainty: Certainty::Definite }
                }
                _ if records.is_empty() && poll.records_max > 0 && now < poll.expires => break,
                _ => Outcome::Polled { records },
            };
            out.complete(Completion { id: poll.operation, outcome });
            self.polls.pop_front();
            served = true;
        }
        served
    }

    fn trouble(&self) -> Option<ErrorCode> {
        let stuck = self.places.iter().find_map(|place| match place.stage {
            Stage::Stuck(error) => Some(error),
            Stage::Recalling | Stage::Locating(_) | Stage::Validating | Stage::Reading => None,
        });
        self.complaint.or(stuck).or_else(|| self.group.as_ref()?.trouble())
    }

    /// Takes records out of what was fetched: all there is of one partition, then of the next.
    fn collect(&mut self, now: Time, records_max: usize) -> Vec<PolledRecord> {
        let mut records = Vec::new();
        for _ in 0..self.places.len() {
            self.turn %= self.places.len();
            let place = &mut self.places[self.turn];
            let is_open = place.stage == Stage::Reading && !place.suspended;
            let Some(fetched) = place.fetched.as_mut().filter(|_| is_open) else {
                self.turn += 1;
                continue;
            };
            while records.len() < records_max {
                match fetched.next(&mut place.position) {
                    Ok(Some(record)) => records.push(PolledRecord {
                        partition: place.partition.clone(),
                        offset: record.offset,
                        leader_epoch: record.leader_epoch,
                        timestamp: record.timestamp,
                        key: record.key,
                        value: record.value,
                    }),
                    Ok(None) => break,
                    Err(error) => {
                        self.complaint = Some(error);
                        break;
                    }
                }
            }
            if fetched.is_drained() {
                // An answer that brought us no further would be asked for again at once, for ever.
                if fetched.from == place.position.offset {
                    place.fail(now, self.config.common.retry_backoff);
                }
                place.fetched = None;
            }
            if records.len() >= records_max {
                break;
            }
            self.turn += 1;
        }
        records
    }
}
