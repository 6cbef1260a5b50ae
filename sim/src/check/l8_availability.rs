//! L8: while faults last, clients get on.
//!
//! Safety is cheap for a cluster that refuses everything, and what settles after healing says nothing of the time before. Yet most lessons claim
//! just that: a leader dies, and after so many seconds another one takes writes; a broker is restarted, and nobody notices much. Only the author
//! of a scenario knows what his faults leave possible, so he promises a [pace](super::setup::Pace), and it is judged by what producers heard
//! (the idea is Redpanda's `progress_during_fault`):
//!
//! ```text
//!   progress = { acknowledged = 2, within = "5s" }
//!
//!   first write asked for                                         faults end, or nothing more is asked for
//!        ├──a─a──a──a─────────────────a───a──a─a────────────────────┤
//!                   └──── 5 s ────┘     a window without two of them: the promise is broken
//! ```
//!
//! Every window of that length counts, wherever it begins, and every producer is judged by itself: one that waits for nobody (acks=1) must not
//! hide one that waits. An unknown outcome is no progress. A producer that was killed begins anew with its next write.

use std::collections::VecDeque;

use super::clients::Fate;
use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::setup::Pace;
use super::{Check, Scene};
use brokerlab::operation::Operation;
use brokerlab::types::{Duration, Time};

/// The id.
pub const ID: &str = "L8";
/// What must hold.
pub const CLAIM: &str =
    "while faults last each producer gets as many writes acknowledged, in as much time, as the scenario promises";

/// The check. Exercised by every acknowledgement from the moment on at which its producer has been watched for a whole window.
pub struct Availability {
    promised: Option<Pace>,
    /// By node.
    producers: Vec<Option<Watch>>,
}

/// One producer, from its first write on.
struct Watch {
    since: Time,
    /// When it was last asked to write.
    asked: Time,
    /// The last acknowledgements, as many as are promised in a window, and before them the moment from which they are counted.
    acknowledged: VecDeque<Time>,
}

impl Availability {
    /// Before the first event.
    #[must_use]
    pub fn new(promised: Option<Pace>) -> Availability {
        Availability { promised, producers: Vec::new() }
    }

    fn asked(&mut self, node: usize, now: Time) {
        if self.producers.len() <= node {
            self.producers.resize_with(node + 1, || None);
        }
        let begins = || Watch { since: now, asked: now, acknowledged: VecDeque::from([now]) };
        self.producers[node].get_or_insert_with(begins).asked = now;
    }
}

impl Watch {
    /// Takes in an acknowledgement. The time that the last of a window's worth took, if that was too long.
    fn acknowledge(&mut self, now: Time, pace: Pace) -> Option<Duration> {
        self.acknowledged.push_back(now);
        if self.acknowledged.len() <= pace.acknowledged {
            return None;
        }
        let from = self.acknowledged.pop_front().expect("there are more than are promised");
        let took = now.since(from);
        (took > pace.within).then(|| {
            // What was late is told once.
            self.acknowledged = VecDeque::from([now]);
            took
        })
    }

    /// The window that is open in the end: how long it lasts already, if that is too long.
    fn conclude(&self, end: Time, pace: Pace) -> Option<Duration> {
        let waited = end.since(*self.acknowledged.front()?);
        (waited > pace.within).then_some(waited)
    }
}

impl Check for Availability {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Invoked, Kind::Completed, Kind::ClientGone, Kind::SettleBegan]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Some(pace) = self.promised else { return };
        let now = scene.ghost.time;
        if matches!(change, Change::SettleBegan) {
            return self.conclude(scene, pace, page);
        }
        if scene.settling {
            return;
        }
        if let Change::Invoked { node, what: Operation::Produce { .. }, .. } = change {
            self.asked(*node, now);
        } else if let Change::Completed { node, .. } = change {
            let acknowledged = scene.clients.ended.is_some_and(|write| scene.clients.writes[write].fate == Fate::Acknowledged);
            let watch = self.producers.get_mut(*node).and_then(Option::as_mut).filter(|_| acknowledged);
            let Some(watch) = watch else { return };
            page.looked(now.since(watch.since) >= pace.within);
            if let Some(took) = watch.acknowledge(now, pace) {
                page.found(scene.event, None, Weight::HANG, || too_slow(scene.node(*node), took, pace));
            }
        } else if let Change::ClientGone { node } = change
            && let Some(watch) = self.producers.get_mut(*node)
        {
            *watch = None;
        }
    }
}

impl Availability {
    /// Faults are over, and with them the promise: what comes now is for the obligations of the settle phase.
    fn conclude(&mut self, scene: &Scene<'_>, pace: Pace, page: &mut Page) {
        for (node, watch) in self.producers.drain(..).enumerate() {
            let Some(watch) = watch else { continue };
            // A producer that has written all it had to waits for nothing.
            let end = if scene.clients.open_writes(node) > 0 { scene.ghost.time } else { watch.asked };
            if let Some(waited) = watch.conclude(end, pace) {
                page.found(scene.event, None, Weight::HANG, || too_slow(scene.node(node), waited, pace));
            }
        }
        self.promised = None;
    }
}

fn too_slow(producer: &str, took: Duration, pace: Pace) -> String {
    let Pace { acknowledged, within } = pace;
    let took = Duration::millis(took.as_millis());
    format!("{producer} had to wait {took} for {acknowledged} acknowledged writes, which were promised within {within}")
}
