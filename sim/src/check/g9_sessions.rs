//! G9: who is silent for its session is counted out, and nobody else is.
//!
//! A dead member keeps its partitions from being read until its session has passed, and no longer. A member that heart-beats is alive, whatever
//! else is slow; to count it out costs the whole group a rebalance. A new coordinator cannot know who was silent before it: it gives everybody a
//! whole session. Time is the coordinator's: where a fault moves brokers' clocks, nothing is expected.

use super::ghost::{Change, Ghost, Kind};
use super::groups::{Contact, Group, GroupChange, Member, Term};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::fact::group::{GroupState, RemovalReason};
use brokerlab::types::{Duration, Time};

/// The id.
pub const ID: &str = "G9";
/// What must hold.
pub const CLAIM: &str = "a member that is silent for its session is counted out, and one that heart-beats is not";

/// A coordinator has other things to do as well.
const SLACK: Duration = Duration::secs(5);
/// Clocks run a little fast, and count in whole milliseconds.
const DRIFT: Duration = Duration::millis(50);

/// The check. Exercised by members whose session ends.
#[derive(Default)]
pub struct Sessions;

impl Check for Sessions {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Group(GroupChange::Removed { group, node, member, reason: RemovalReason::SessionExpired, was: Some(was) }) =
            change
        else {
            return;
        };
        let (ghost, known) = (scene.ghost, &scene.ghost.groups.all[*group]);
        let Some(contact) = known.contacts.get(member).filter(|one| one.session > Duration::ZERO && !ghost.broker_clocks_moved)
        else {
            return;
        };
        page.looked(true);
        let alive = contact.heard.filter(|(by, _)| by == node).map_or(was.since, |(_, when)| when.max(was.since));
        let silent = ghost.time.since(alive);
        if silent.0 + DRIFT.0 < contact.session.0 {
            page.found(scene.event, None, Weight::VIOLATION, || {
                let (node, silent) = (scene.node(*node), silent.as_millis());
                let session = contact.session.as_millis();
                format!("{node} counts {member} out of {} after {silent} ms of silence, of {session} ms", known.id)
            });
        }
        let Some(term) = known.term(*node) else { return };
        let silent = silence(ghost, term, was, contact);
        if silent > contact.session.0 + SLACK.0 && !is_held(ghost, *node, contact) {
            page.found(scene.event, None, Weight::VIOLATION, || told_late(scene, known, *node, member, silent, contact));
        }
    }

    /// Whoever is still counted in.
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        let ghost = scene.ghost;
        for group in ghost.groups.all.iter().filter(|_| !ghost.broker_clocks_moved) {
            let Some(term) = group.current().filter(|term| term.state == GroupState::Stable && !term.modern) else { continue };
            for (id, member) in &term.members {
                let Some(contact) = group.contacts.get(id).filter(|contact| contact.session > Duration::ZERO) else { continue };
                let silent = silence(ghost, term, member, contact);
                if silent > contact.session.0 + SLACK.0 && !is_held(ghost, term.node, contact) {
                    page.found(scene.event, None, Weight::VIOLATION, || told_late(scene, group, term.node, id, silent, contact));
                }
            }
        }
    }
}

/// For how long it has been silent at least: while the group changes its state, members wait for it and not it for them.
fn silence(ghost: &Ghost, term: &Term, member: &Member, contact: &Contact) -> u64 {
    let heard: Time = contact.heard.map_or(Time::ZERO, |(_, when)| when);
    let since = member.since.max(contact.answered.1).max(heard).max(term.since);
    ghost.time.since(since).0
}

/// The coordinator was frozen meanwhile, or its disk was held up.
fn is_held(ghost: &Ghost, node: usize, contact: &Contact) -> bool {
    let (holds, last) = ghost.nodes[node].held;
    holds > 0 || last >= contact.answered.0
}

fn told_late(scene: &Scene<'_>, group: &Group, node: usize, member: &str, silent: u64, contact: &Contact) -> String {
    let (node, session) = (scene.node(node), contact.session.as_millis());
    format!("{node} counts {member} in {} for {} ms of silence, of {session} ms", group.id, Duration(silent).as_millis())
}
