//! Q9: every life of a broker has a broker epoch of its own.
//!
//! The broker epoch tells a life from the one before: what an earlier one confirmed no longer counts (KIP-903), and what it asks for is refused. It
//! is the offset of the registration's record, so each new one is above all that were ever given, to anybody.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::BrokerEpoch;

/// The id.
pub const ID: &str = "Q9";
/// What must hold.
pub const CLAIM: &str = "a new incarnation has a broker epoch above all before it, and keeps it";

/// The check. Exercised by registrations of brokers that were registered before.
#[derive(Default)]
pub struct BrokerEpochUnique;

impl Check for BrokerEpochUnique {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Accepted]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Accepted { node, now: (incarnation, epoch), before, highest } = change else { return };
        page.looked(before.is_some());
        // The same incarnation asks again when it did not hear the answer. It keeps what it has: under another epoch it would be taken for
        // another life, and refused (KAFKA-16952).
        if let Some((known, given)) = before
            && known == incarnation
        {
            if epoch != given {
                page.found(scene.event, None, Weight::VIOLATION, || {
                    format!("the same incarnation of {} gets broker epoch {epoch:?} after {given:?}", scene.node(*node))
                });
            }
            return;
        }
        if *epoch <= *highest && *highest != BrokerEpoch::NONE {
            page.found(scene.event, None, Weight::VIOLATION, || {
                let node = scene.node(*node);
                format!("a new incarnation of {node} gets broker epoch {epoch:?}, though {highest:?} was given before")
            });
        }
    }
}
