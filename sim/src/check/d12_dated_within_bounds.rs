//! D12: no record is dated further ahead than its topic allows.
//!
//! Retention by time believes the timestamps of records, and those are written by clients. One record dated next year keeps its segment, and all
//! that stand behind it, for a year: the disk fills up, and what was to be forgotten is not (KIP-937). So a leader refuses what is dated more than
//! `message.timestamp.after.max.ms` ahead of its own clock, one hour by default.
//!
//! The timestamps are those that consumers read. A record was appended before it is read, so it may be dated at most that much ahead of the moment
//! of reading; `SLACK` is for clocks that drift. Once a fault has moved the clock of a broker, its word for what the time is is as good as
//! any, and nothing is judged.

use brokerlab::operation::Outcome;

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::setup::Dating;
use super::{Check, Scene};

/// The id.
pub const ID: &str = "D12";
/// What must hold.
pub const CLAIM: &str = "no record that is read is dated further ahead than message.timestamp.after.max.ms allows";

/// Clocks without a fault differ by less than this.
const SLACK_MS: i64 = 5_000;

/// The check. Exercised by every record that was dated ahead of the time at which it is read.
#[derive(Default)]
pub struct DatedWithinBounds;

impl Check for DatedWithinBounds {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Completed]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Completed { completion, .. } = change else { return };
        let Outcome::Polled { records } = &completion.outcome else { return };
        let Dating { epoch_ms, ahead_max_ms } = scene.ghost.dating;
        let now = epoch_ms.saturating_add_unsigned(scene.ghost.time.0 / 1_000_000);
        let latest = now.saturating_add(ahead_max_ms).saturating_add(SLACK_MS);
        for record in records.iter().filter(|record| record.timestamp.0 > now && !scene.ghost.broker_clocks_moved) {
            page.looked(true);
            if record.timestamp.0 > latest {
                page.found(scene.event, scene.ghost.named(&record.partition), Weight::VIOLATION, || {
                    let (ahead, name) = ((record.timestamp.0 - now) / 1_000, &record.partition);
                    format!("the record at {} of {name} is dated {ahead} s ahead, and was taken in all the same", record.offset)
                });
            }
        }
    }
}
