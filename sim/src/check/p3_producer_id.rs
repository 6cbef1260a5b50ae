//! P3: a producer id is given to one session.
//!
//! Leaders tell a retry from a new record by producer id, epoch and sequence (KIP-98). Two sessions under one id and epoch number their records
//! alike, and what one of them writes is taken for a retry of the other: lost without a trace. So no broker answers two requests for an id with
//! the same id and epoch, across all restarts of brokers and controllers. Taken from the frames.

use std::collections::BTreeMap;

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{ProducerEpoch, ProducerId};

/// The id.
pub const ID: &str = "P3";
/// What must hold.
pub const CLAIM: &str = "no producer id is given twice in the same epoch";

/// The check. Exercised by every id given after the first.
#[derive(Default)]
pub struct ProducerIdUnique {
    given: BTreeMap<(ProducerId, ProducerEpoch), usize>,
}

impl Check for ProducerIdUnique {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::ProducerIdGiven]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::ProducerIdGiven { node, id, epoch, producer } = change else { return };
        page.looked(!self.given.is_empty());
        if let Some(other) = self.given.insert((*id, *epoch), *producer) {
            page.found(scene.event, None, Weight::VIOLATION, || {
                let (node, producer, other) = (scene.node(*node), scene.node(*producer), scene.node(other));
                format!("{node} gives producer id {id} epoch {epoch} to {producer}, though {other} already got it")
            });
        }
    }
}
