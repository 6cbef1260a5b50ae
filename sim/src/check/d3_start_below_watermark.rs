//! D3: only what is committed is given up.
//!
//! Retention and DeleteRecords move the log start. Beyond the high watermark nobody knows yet which records are real: a replica that gave some of
//! them up could never agree with the others again, and records that were never committed would be called deleted. A follower follows its
//! leader's log start, at most to its own high watermark. After a loss the next leader that is chosen uncleanly may have given up all of the past that
//! was lost: its followers begin where it does.

use super::ghost::{Change, Ghost, Kind, Place};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "D3";
/// What must hold.
pub const CLAIM: &str = "the log start rises, and never beyond what is committed";

/// The check. Exercised whenever a log start moves.
#[derive(Default)]
pub struct StartBelowWatermark;

impl Check for StartBelowWatermark {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::StartMoved]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::StartMoved { at, to, before, mark } = change else { return };
        let (p, shadow) = (scene.ghost.partition(*at), scene.ghost.shadow(*at));
        page.looked(*to > Offset::ZERO);
        let committed = p.true_high_watermark();
        let is_exempt = shadow.exempt || p.is_exempt(shadow.epoch());
        let why = if to < before {
            format!("it started at {before} already")
        } else if to > mark {
            format!("its high watermark is {mark}")
        } else if *to > committed && !is_exempt && !is_brought_back(scene.ghost, *at, *to) {
            format!("only what is below {committed} is committed")
        } else {
            return;
        };
        page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
            format!("{} lets {} start at {to}, but {why}", scene.node(at.node), scene.name(*at))
        });
    }
}

/// Everything below was committed once, and lost since; the present leader had given it up before it began to lead.
fn is_brought_back(ghost: &Ghost, at: Place, to: Offset) -> bool {
    let p = ghost.partition(at);
    let leader = p.election(p.acting).and_then(|election| ghost.node_of(election.leader));
    let has_given_up = |leader: usize| leader != at.node && p.shadows[leader].log.start() >= to;
    p.losses.iter().any(|loss| to <= loss.to) && leader.is_some_and(has_given_up)
}
