//! Doctored histories of compacted logs, each with its healthy twin.

use brokerlab::types::Offset;
use brokerlab_reports::event::{AuditMoment, KeyedRecord};

use super::gallery::{Exhibit, exhibit};
use super::history::History;

/// A record of a compacted log, as an audit tells it.
fn keyed(offset: i64, key: &str) -> KeyedRecord {
    KeyedRecord { offset: Offset(offset), key: xxhash_rust::xxh3::xxh3_64(key.as_bytes()), is_tombstone: false }
}

/// All of them.
pub const COMPACTION: &[Exhibit] = &[
    exhibit("D4", "the newest record of a key is compacted away; right is that an older one is", |step| {
        let mut h = History::new();
        for (key, value) in [("k", "a"), ("k", "b"), ("l", "c")] {
            h.write_under(Some(key), value).append("b1", value).replicate().advance("b1").ack("b1", value);
        }
        h.flush("b1").compact("b1", 2).settle();
        h.audit_torn("b1", AuditMoment::End, |image| {
            // Of the batch of `a` nothing is left.
            image.batches.remove(0);
            image.records = Some(step.of(vec![keyed(2, "l")], vec![keyed(1, "k"), keyed(2, "l")]));
        });
        h
    }),
    exhibit("D5", "what is not committed replaces what is", |step| {
        let mut h = History::new();
        h.commit("a").write("b").append("b1", "b").flush("b1").compact("b1", step.of(2, 1));
        h
    }),
    exhibit("D5", "what a loss of power may take replaces what it may not", |step| {
        let mut h = History::new();
        h.commit("a").flush("b1").commit("b").compact("b1", step.of(2, 1));
        h
    }),
];
