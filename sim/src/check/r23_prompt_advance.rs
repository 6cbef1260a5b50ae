//! R23: the high watermark waits for nobody but those who count.
//!
//! It is the smallest log end over the maximal ISR and over those who may join it: caught up, unfenced, not shutting down. Who is fenced cannot
//! join, so its log end is nobody's business; a leader that waits for it all the same stops every write with acks=all until the replica has
//! lagged for long enough, 30 s by default (KAFKA-15021). Nothing is lost by that and all comes to rest, so only a bound on the delay sees it.
//!
//! ```text
//!   leader b1   log end 90                       ISR {b1, b2}, b3 is fenced and b1 has applied that
//!          b2   has fetched at 90
//!          b3   had fetched at 70                the high watermark must be 90 by now, not 70
//! ```
//!
//! The leader's knowledge is known from outside: the fetches that were delivered to it, the ISR that it learned, the metadata that it has applied.
//! A fetch counts here if the follower's log agrees with the leader's up to there and nothing lower was heard from it since; a healthy
//! leader then advances within the same step, and `PATIENCE` is only for what this reasoning does not know. With anybody outside the ISR
//! who is not fenced the leader may be waiting for good reason, and is not judged.

use std::collections::BTreeMap;

use super::ghost::{Change, Ghost, Kind, Place};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{Duration, Offset, Time};

/// The id.
pub const ID: &str = "R23";
/// What must hold.
pub const CLAIM: &str = "a leader's high watermark follows what its maximal ISR has, and does not wait for a fenced replica";

/// For so long it may lag behind.
const PATIENCE: Duration = Duration::millis(1000);

/// The check. Exercised by every fetch that a leader hears while a replica outside the ISR is fenced.
#[derive(Default)]
pub struct PromptAdvance {
    /// What is owed, and since when.
    owed: BTreeMap<Place, (Offset, Time)>,
}

impl Check for PromptAdvance {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Heard, Kind::Advanced, Kind::Began]
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "a check is shown only what it watches")]
    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        match change {
            Change::Began { at, .. } | Change::Advanced { at, .. } => {
                self.owed.remove(at);
            }
            Change::Heard { at } => self.judge(scene, *at, page),
            _ => {}
        }
    }
}

impl PromptAdvance {
    fn judge(&mut self, scene: &Scene<'_>, at: Place, page: &mut Page) {
        let (ghost, now) = (scene.ghost, scene.ghost.time);
        let mark = ghost.shadow(at).high_watermark;
        let Some(due) = due(ghost, at).filter(|due| *due > mark) else {
            self.owed.remove(&at);
            return;
        };
        page.looked(true);
        let (owed, since) = *self.owed.entry(at).or_insert((due, now));
        if now.since(since) > PATIENCE && mark < owed && ghost.nodes[at.node].held.0 == 0 {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name, waited) = (scene.node(at.node), scene.name(at), now.since(since).as_millis());
                format!("all that count for {name} have everything below {owed}, but its leader {node} has stayed at {mark} for {waited} ms")
            });
            self.owed.remove(&at);
        }
    }
}

/// Where the high watermark of a leader should be; `None` if that cannot be told from outside, or somebody may be about to join.
fn due(ghost: &Ghost, at: Place) -> Option<Offset> {
    let (p, shadow) = (ghost.partition(at), ghost.shadow(at));
    let leading = shadow.leading()?;
    if p.is_exempt(leading.epoch) || leading.isr.len() < ghost.min_isr(at.partition) {
        return None;
    }
    let flush = p.topic.is_some_and(|topic| ghost.topics[topic].flush_each_batch);
    let mut due = if flush { shadow.durable.min(shadow.log.end()) } else { shadow.log.end() };
    let mut is_anybody_out = false;
    for replica in p.replicas.iter().filter(|replica| ghost.node_of(**replica) != Some(at.node)) {
        let node = ghost.node_of(*replica)?;
        if !leading.isr.contains(replica) && !leading.proposed.contains(replica) {
            is_anybody_out = true;
            let is_known_fenced = ghost.nodes[node].fenced_at.is_some_and(|fenced| fenced <= ghost.nodes[at.node].applied);
            if !is_known_fenced {
                return None;
            }
            continue;
        }
        let fetched = leading.fetched_by(*replica)?;
        let heard = fetched.last;
        let shared = p.shadows[node].log.agrees_up_to(&shadow.log, p.shadows[node].agreed.min(shadow.agreed));
        // A fetch from where the logs have parted is told so, and does not count.
        if heard > shared || fetched.parts {
            return None;
        }
        due = due.min(heard);
    }
    is_anybody_out.then_some(due)
}
