//! G10: nothing is answered before the records behind it are committed.
//!
//! A coordinator that answers from its memory takes its word with it when it dies (KAFKA-2017): commits that the application counts on are gone, and
//! members live by a generation that the next coordinator gives once more. So an acknowledged commit, and an assignment that was handed out, stand
//! below the true high watermark of the shard; so does the change of a member id, when a static member of a stable group comes back (KAFKA-10284).

use super::ghost::{Change, Kind};
use super::groups::{GroupChange, RecordPlace};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "G10";
/// What must hold.
pub const CLAIM: &str = "a coordinator answers that it has stored something only when that is committed";

/// The check. Exercised by every answer that rests on a record.
#[derive(Default)]
pub struct ReplyAfterCommit;

impl Check for ReplyAfterCommit {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Group(GroupChange::CommitAnswered { group, node, member, partition, offset, place }) = change {
            let what = || format!("the commit of {offset} of {partition} to {member:?}");
            judge(scene, page, (*group, *node), Some(*place), what);
        }
        if let Change::Group(GroupChange::GenerationTold { group, node, member, generation, place }) = change {
            let what = || format!("the assignment of generation {generation} to {member}");
            judge(scene, page, (*group, *node), place.map(Some), what);
        }
        if let Change::Group(GroupChange::PlaceTold { group, node, member, place }) = change {
            judge(scene, page, (*group, *node), Some(Some(*place)), || format!("the place of its former self to {member}"));
        }
    }
}

/// `place`: `None` if nobody knows whether there is a record, `Some(None)` if there is none.
fn judge(
    scene: &Scene<'_>,
    page: &mut Page,
    (group, node): (usize, usize),
    place: Option<Option<RecordPlace>>,
    what: impl Fn() -> String,
) {
    let (ghost, known) = (scene.ghost, &scene.ghost.groups.all[group]);
    let (Some(shard), Some(place)) = (known.shard, place) else { return };
    page.looked(true);
    let text = |why: &str| format!("{} promises {} of {}, {why}", scene.node(node), what(), known.id);
    match place {
        Some(place) if ghost.is_committed(shard, place) => {}
        Some(place) => {
            let weight = ghost.excuse(shard, place.at, Some(place.epoch)).unwrap_or(Weight::VIOLATION);
            page.found(scene.event, Some(shard), weight, || text(&format!("whose record at {} is not committed", place.at)));
        }
        None => page.found(scene.event, Some(shard), Weight::VIOLATION, || text("of which there is no record")),
    }
}
