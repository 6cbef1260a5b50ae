//! R12: an acknowledgement is true.
//!
//! acks=all says: what stands at these offsets is your batch, it is committed, and enough replicas were in sync when it was appended.
//! acks=1 says: it stands in my log. With `flush.messages=1` both also say: it is on the medium of everybody who was counted. The answer is
//! taken from the frame; so is the batch it answers, which makes a duplicate's answer with a wrong offset visible too.

use super::ghost::{Answer, Change, Ghost, Kind, Partition};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R12";
/// What must hold.
pub const CLAIM: &str =
    "an acknowledged batch stands at the named offsets, is committed if acks=all was asked, and durable if promised";

/// The check.
#[derive(Default)]
pub struct LegalAck;

impl Check for LegalAck {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Answered]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Answered(answer) = change else { return };
        let p = scene.ghost.partition(answer.at);
        let shadow = &p.shadows[answer.at.node];
        // It led a log that was lost meanwhile, has just heard of it, and tells now what it had committed before.
        let is_late = shadow.exempt && shadow.leading().is_none();
        if answer.error != 0 || answer.acks == 0 || is_late || p.is_exempt(shadow.epoch()) {
            return;
        }
        page.looked(true);
        let end = answer.base_offset.plus(answer.batch.last_offset.since(answer.batch.base_offset) + 1);
        if let Some(why) = is_false(scene.ghost, p, answer, end) {
            page.found(scene.event, Some(answer.at.partition), Weight::VIOLATION, || {
                format!(
                    "{} acknowledges [{}, {end}) of {} to {} with acks={}, but {why}",
                    scene.node(answer.at.node),
                    answer.base_offset,
                    scene.name(answer.at),
                    scene.node(answer.producer),
                    answer.acks
                )
            });
        }
    }
}

/// What is wrong with a promise, if something is.
fn is_false(ghost: &Ghost, p: &Partition, answer: &Answer<'_>, end: Offset) -> Option<&'static str> {
    let shadow = &p.shadows[answer.at.node];
    let all = answer.acks == -1;
    // The answer was given while it led, and left only now: its log may have been cut since.
    if !all && shadow.leading().is_none() {
        return None;
    }
    let log = if all { &p.log } else { &shadow.log };
    if end > log.end() {
        return Some(if all { "that is not committed yet" } else { "its log ends below" });
    }
    // A retry of what this replica has given up since.
    if answer.base_offset < log.start() {
        return None;
    }
    let batch = answer.batch;
    let stands = log.beginning_at(answer.base_offset);
    let same = stands.is_some_and(|link| {
        let stamp = (batch.producer.0.0 >= 0).then_some(batch.producer);
        link.crc == batch.crc && link.end == end && link.producer == stamp
    });
    if !same {
        return Some("another batch stands there");
    }
    let leading = shadow.leading();
    let in_sync = leading.and_then(|leading| leading.isr_size_at(answer.request));
    if all && in_sync.is_some_and(|in_sync| in_sync < ghost.min_isr(answer.at.partition)) {
        return Some("fewer replicas were in sync than the topic demands");
    }
    let flush = p.topic.is_some_and(|topic| ghost.topics[topic].flush_each_batch);
    if !flush {
        return None;
    }
    let isr = leading.filter(|_| all).map_or(&[][..], |leading| &leading.isr);
    // A fault may have taken the medium since, and of what a member has given up it owes nothing (a retry may be answered long after).
    let volatile = |node: usize| {
        let shadow = &p.shadows[node];
        shadow.durable.max(shadow.durable_once).max(shadow.log.start()) < end
    };
    let someone = isr.iter().filter_map(|member| ghost.node_of(*member)).any(volatile);
    (someone || volatile(answer.at.node)).then_some("it is not yet on every medium that counts")
}
