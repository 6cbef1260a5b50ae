//! Producer ids, handed out one by one from a block that the controller gave to this broker (KIP-730).
//!
//! Ids are unique because blocks are: the controller writes each into the metadata log before it gives it away. What is left of a block when
//! the broker dies is never used.

use crate::types::ProducerId;
use crate::wire::{AllocateProducerIdsResponse, ErrorCode, InitProducerIdRequest, InitProducerIdResponse};

use super::BrokerActor;
use super::reply::{Caller, Step};

/// The block in use, and who waits for the next.
#[derive(Debug, Default, Hash)]
pub(super) struct ProducerIds {
    next: i64,
    end: i64,
    waiting: Vec<Caller>,
}

impl ProducerIds {
    fn take(&mut self) -> Option<ProducerId> {
        let id = ProducerId(self.next);
        (self.next < self.end).then(|| {
            self.next += 1;
            id
        })
    }
}

impl BrokerActor {
    /// Gives a new producer id with epoch 0, or lets the caller wait for the next block.
    pub(super) fn on_init_producer_id(&mut self, caller: Caller, request: &InitProducerIdRequest, step: &mut Step<'_>) {
        if request.transactional_id.is_some() {
            return refuse(caller, ErrorCode::COORDINATOR_NOT_AVAILABLE, step);
        }
        match self.producer_ids.take() {
            Some(id) => grant(caller, id, step),
            None => {
                if self.producer_ids.waiting.is_empty() {
                    self.forwarding.allocate_producer_ids(step.now.mono.plus(self.config.request_timeout));
                }
                self.producer_ids.waiting.push(caller);
            }
        }
    }

    /// A block, or a refusal, has come for those who wait.
    pub(super) fn on_producer_ids(&mut self, response: &AllocateProducerIdsResponse, step: &mut Step<'_>) {
        let granted = response.error_code == 0 && response.producer_id_start >= 0 && response.producer_id_len > 0;
        if !granted {
            return self.on_producer_ids_lost(step);
        }
        let length = i64::from(response.producer_id_len);
        self.producer_ids.next = response.producer_id_start;
        self.producer_ids.end = response.producer_id_start.saturating_add(length);
        for caller in std::mem::take(&mut self.producer_ids.waiting) {
            if self.clients.contains_key(&caller.connection) {
                self.on_init_producer_id(caller, &InitProducerIdRequest { transactional_id: None, ..Default::default() }, step);
            }
        }
    }

    /// No block: the clients are told to try again.
    pub(super) fn on_producer_ids_lost(&mut self, step: &mut Step<'_>) {
        for caller in std::mem::take(&mut self.producer_ids.waiting) {
            if self.clients.contains_key(&caller.connection) {
                refuse(caller, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, step);
            }
        }
    }
}

fn grant(caller: Caller, id: ProducerId, step: &mut Step<'_>) {
    let response = InitProducerIdResponse { producer_id: id.0, producer_epoch: 0, ..InitProducerIdResponse::default() };
    caller.answer(response, step.out);
}

fn refuse(caller: Caller, error: ErrorCode, step: &mut Step<'_>) {
    let response = InitProducerIdResponse { error_code: error.code(), producer_epoch: -1, ..InitProducerIdResponse::default() };
    caller.answer(response, step.out);
}
