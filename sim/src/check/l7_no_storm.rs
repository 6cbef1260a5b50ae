//! L7: calm follows healing.
//!
//! Each election and each rebalance stops work for a while. A few of them after the last fault are what healing is made of; if they go on, one brings
//! about the next: time-outs shorter than what they wait for, members that join again because the group has changed because they joined (KAFKA-7610).

use std::collections::BTreeMap;

use super::ghost::{Change, Decision, Kind};
use super::groups::GroupChange;
use super::page::{Page, Weight};
use super::{Check, Scene};

/// The id.
pub const ID: &str = "L7";
/// What must hold.
pub const CLAIM: &str = "after healing there are few elections and rebalances";

/// Elections of one partition.
const ELECTIONS_MAX: u32 = 20;
/// Rebalances of one group, beside those that its members may cause.
const REBALANCES_MAX: u32 = 8;
/// Rebalances that one member may cause by coming, going and giving up.
const REBALANCES_PER_MEMBER: u32 = 4;

/// The check. Exercised by groups that rebalance after healing.
#[derive(Default)]
pub struct NoStorm {
    elections: BTreeMap<usize, u32>,
    rebalances: BTreeMap<usize, u32>,
}

impl Check for NoStorm {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Decided, Kind::Group]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if !scene.settling {
            return;
        }
        if let Change::Decided { partition, decision: Decision::Elected, .. } = change {
            let count = self.elections.entry(*partition).or_default();
            *count += 1;
            if *count == ELECTIONS_MAX + 1 {
                page.found(scene.event, Some(*partition), Weight::HANG, || {
                    format!(
                        "{} has had {ELECTIONS_MAX} elections since healing, and there is another",
                        scene.ghost.name(*partition)
                    )
                });
            }
        }
        if let Change::Group(GroupChange::Begun { group, generation, .. }) = change {
            page.looked(true);
            let known = &scene.ghost.groups.all[*group];
            let nodes = known.contacts.values().map(|contact| contact.node);
            let members = std::collections::BTreeSet::from_iter(nodes).len();
            let most = REBALANCES_MAX + REBALANCES_PER_MEMBER * u32::try_from(members).unwrap_or(u32::MAX / 8);
            let count = self.rebalances.entry(*group).or_default();
            *count += 1;
            if *count == most + 1 {
                page.found(scene.event, None, Weight::HANG, || {
                    format!("{} has had {most} rebalances since healing, and generation {generation} is another", known.id)
                });
            }
        }
    }
}
