//! Doctored histories of what is remembered of producers, each with its healthy twin.

use brokerlab::types::{Offset, ProducerEpoch, ProducerId, Sequence};
use brokerlab_reports::event::{AuditMoment, ProducerSnapshot};

use super::gallery::{Exhibit, exhibit};
use super::history::History;

/// Kafka's OUT_OF_ORDER_SEQUENCE_NUMBER.
const OUT_OF_ORDER: i16 = 45;

/// All of them.
pub const PRODUCERS: &[Exhibit] = &[
    exhibit("D6", "a retry is refused though the batch is there", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").write("c").write("d").refuse("b1", step.of("a", "d"), OUT_OF_ORDER);
        h
    }),
    exhibit("D6", "the next batch is refused after its predecessors were given up", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").start_at("b1", 2).write("c").write("d").refuse("b1", step.of("c", "d"), OUT_OF_ORDER);
        h
    }),
    exhibit("D6", "a snapshot remembers one batch of a producer that has written two", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").flush("b2");
        let batch = |sequence: i32| (ProducerId(9), ProducerEpoch(0), Sequence(sequence), Offset(i64::from(sequence)));
        let batches = step.of(vec![batch(1)], vec![batch(0), batch(1)]);
        h.small_files(|files| files.snapshot = Some(ProducerSnapshot { at: Offset(2), batches }));
        h.audit("b2", AuditMoment::Crash);
        h
    }),
];
