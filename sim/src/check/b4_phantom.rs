//! B4: nothing is read that was not written.
//!
//! A record must have been sent by somebody, and not have failed for certain: a client that says "not written" of a record that is there
//! has treated an unknown outcome as a known one. An indefinite outcome may or may not be there; both are right.

use super::clients::Fate;
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "B4";
/// What must hold.
pub const CLAIM: &str = "every record read was sent, and its write did not certainly fail";

/// The check.
#[derive(Default)]
pub struct Phantom;

impl Check for Phantom {
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        let by_value = scene.clients.by_value();
        let some_in_doubt = scene.clients.writes.iter().any(|write| write.fate != Fate::Acknowledged);
        for (partition, read) in scene.clients.finals.iter().enumerate() {
            for (offset, value) in &read.records {
                let first = by_value.partition_point(|(known, _)| known < value);
                let mut writers = by_value[first..].iter().take_while(|(known, _)| known == value).map(|(_, writer)| *writer);
                let all_failed = writers.clone().all(|writer| scene.clients.writes[writer].fate == Fate::Failed);
                page.looked(some_in_doubt);
                if all_failed {
                    let who = writers.next().map(|writer| scene.clients.writes[writer].node);
                    page.found(scene.event, Some(partition), Weight::VIOLATION, || {
                        let name = scene.ghost.name(partition);
                        match who {
                            Some(node) => format!(
                                "the record at {offset} of {name} is there, though its write by {} failed",
                                scene.node(node)
                            ),
                            None => format!("the record at {offset} of {name} was never sent"),
                        }
                    });
                }
            }
        }
    }
}
