//! More doctored histories: what looks like a violation and is none, beside what looks like none and is one.
//!
//! Each of these checks was once content with too much, or cried too soon. Most of them are about what retention and deletion excuse.

use std::sync::Arc;

use brokerlab::fact::{Fact, TruncationReason};
use brokerlab::types::*;
use brokerlab_reports::event::{AuditMoment, NodeId, WorldFact};
use brokerlab_sim::check::Reset;

use super::gallery::{Exhibit, Step, exhibit, rest};
use super::history::{History, ORDERS, Record, TERMS, Terms};

/// b1 comes back empty at 2, where its log starts, and leads; a producer's last record is taken in again.
fn writes_again_what_it_forgot(h: &mut History) {
    let (log_start, log_end, high_watermark) = (Offset(2), Offset(2), Offset(2));
    h.fact("b1", Fact::LogOpened { partition: ORDERS, log_start, log_end, high_watermark, cut_bytes: 0 });
    h.audit_torn("b1", AuditMoment::AfterRecovery, |image| image.base = Offset(2)).register("b1").elect("b1");
    h.state_append("b1", 2, Record { value: "b", epoch: 1, sequence: 1 }).advance_to("b1", 3, &["b1"]);
}

/// All of them.
pub const LOOK_ALIKES: &[Exhibit] = &[
    exhibit("R12", "promised before it was on a medium that a fault took; right is that it was there", |step| {
        let mut h = History::on(Terms { flush: true, ..TERMS });
        h.write("a").append("b1", "a").replicate().flush("b1").flush("b2");
        if step == Step::Right {
            h.flush("b3");
        }
        let (fault, kind) = (Arc::from("f1"), Arc::from("wipe-disk"));
        h.lose_power("b3", 0).world("b3", WorldFact::FaultBegan { fault, kind, nodes: vec![NodeId(2)] });
        h.advance("b1").boot("b3").ack("b1", "a");
        h
    }),
    exhibit("R12", "promised before it was on every medium; right is that a member has given it up since", |step| {
        let mut h = History::on(Terms { flush: true, ..TERMS });
        h.write("a").append("b1", "a").replicate().flush("b1").flush("b2").advance("b1").follow_mark("b3", 1);
        if step == Step::Right {
            h.start_at("b3", 1);
        }
        h.ack("b1", "a");
        h
    }),
    exhibit("R14", "a follower begins anew though its leader holds what it has", |step| {
        let mut h = History::new();
        let start = step.of(1, 2);
        h.commit("a").commit("b").isr(&["b1", "b2"]).start_at("b1", start);
        h.truncate("b3", start, TruncationReason::BelowLeaderStart);
        h
    }),
    exhibit("R14", "a follower begins anew above its leader's start", |step| {
        let mut h = History::new();
        h.isr(&["b1", "b2"]).commit("a").commit("b").start_at("b1", 1);
        h.truncate("b3", step.of(2, 1), TruncationReason::BelowLeaderStart);
        h
    }),
    exhibit("R14", "a member of the ISR begins anew and drops what is kept", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").start_at("b1", step.of(1, 2));
        // It has not heard of its new leader, so there is nobody to compare it with.
        h.decide("b2", false).follow("b1", "b2").truncate("b1", 2, TruncationReason::BelowLeaderStart);
        h
    }),
    exhibit("R17", "an epoch begins elsewhere; right is only that a torn write zeroed a base offset", |step| {
        let mut h = History::new();
        h.commit("a").elect("b2").fetch("b1").fetch("b3").commit("b").flush("b2");
        let first = (LeaderEpoch(step.of(-1, 0)), Offset(0));
        h.small_files(|files| (files.recovery_point, files.epochs) = (Offset(1), vec![first, (LeaderEpoch(1), Offset(1))]));
        h.audit_torn("b2", AuditMoment::Crash, |image| {
            (image.batches[1].base_offset, image.batches[1].last_offset) = (Offset(0), Offset(0));
        });
        h
    }),
    exhibit("R19", "a retry is appended again; right is that its leader began anew above the first copy", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").start_at("b1", 2);
        if step == Step::Right {
            h.truncate("b2", 2, TruncationReason::BelowLeaderStart);
        }
        h.follow_mark("b2", 2).start_at("b2", 2).elect("b2").fetch("b1").fetch("b3");
        h.append("b2", "b").replicate().advance("b2").write("c").append("b2", "c").replicate().advance("b2");
        h
    }),
    exhibit("R19", "a leader that began anew appends again what it has seen since", |step| {
        let mut h = History::new();
        h.commit("a").start_at("b1", 1).truncate("b2", 1, TruncationReason::BelowLeaderStart).start_at("b2", 1);
        h.commit("b").elect("b2").fetch("b1").fetch("b3").write("c").append("b2", step.of("b", "c")).replicate().advance("b2");
        h
    }),
    exhibit("R19", "a leader forgets a producer over a restart; right is that power took all that was below its start", |step| {
        let mut h = History::on(Terms { min_isr: 1, ..TERMS });
        h.commit("a").commit("b").start_at("b1", 2).isr(&["b1"]).crash("b2").crash("b3");
        if step == Step::Wrong {
            h.flush("b1");
        }
        h.lose_power("b1", 0).boot("b1");
        if step == Step::Wrong {
            h.audit_torn("b1", AuditMoment::BeforeRecovery, |image| image.base = Offset(2));
        }
        let (log_start, log_end, high_watermark) = (Offset(2), Offset(2), Offset(2));
        h.fact("b1", Fact::LogOpened { partition: ORDERS, log_start, log_end, high_watermark, cut_bytes: 0 });
        h.audit_torn("b1", AuditMoment::AfterRecovery, |image| image.base = Offset(2)).register("b1").elect("b1");
        h.state_append("b1", 2, Record { value: "b", epoch: 1, sequence: 1 }).advance_to("b1", 3, &["b1"]);
        h.state_append("b1", 3, Record { value: "c", epoch: 1, sequence: 2 }).advance_to("b1", 4, &["b1"]);
        h
    }),
    exhibit("R19", "a leader forgets what an older segment told; right is that it was not durable, and power took it", |step| {
        let mut h = History::on(Terms { min_isr: 1, ..TERMS });
        h.commit("a").commit("b").start_at("b1", 2).isr(&["b1"]).crash("b2").crash("b3");
        if step == Step::Wrong {
            h.flush("b1");
        }
        h.lose_power("b1", 0).boot("b1").audit_torn("b1", AuditMoment::BeforeRecovery, |image| image.base = Offset(2));
        writes_again_what_it_forgot(&mut h);
        h
    }),
    exhibit("R19", "a leader forgets what lies before its start; right is that it has rotted", |step| {
        let mut h = History::on(Terms { min_isr: 1, ..TERMS });
        h.commit("a").commit("b").flush("b1").start_at("b1", 2).isr(&["b1"]).crash("b2").crash("b3").crash("b1");
        if step == Step::Right {
            h.strike("b1", "bit-rot");
        }
        // What was written is all there, for an auditor who does not see the rot.
        h.boot("b1").rewrite_disk("b1", Vec::clear);
        writes_again_what_it_forgot(&mut h);
        h
    }),
    exhibit("D8", "the last member has lost its log; right is that its disk was wiped, two lives ago", |step| {
        let mut h = History::on(Terms { min_isr: 1, ..TERMS });
        h.commit("a").isr(&["b1"]);
        if step == Step::Right {
            h.strike("b1", "wipe-disk");
        }
        // The next life has made the log, and dies before it can say so.
        let (broker, incarnation, clean) = (BrokerId(1), Uuid(77), false);
        h.lose_log("b1").world("b1", WorldFact::NodeStarted { life: 2 });
        h.fact("b1", Fact::BrokerStarted { broker, incarnation, clean }).crash("b1").restart("b1");
        h
    }),
    exhibit("D10", "the recovery point is beyond the data; right is that they were cut before power was lost", |step| {
        let mut h = History::new();
        h.commit("a").write("x").append("b1", "x").copy("b2").flush("b2").decide("b3", false).act("b3", &["b2"]);
        h.small_files(|files| (files.recovery_point, files.epochs) = (Offset(2), vec![(LeaderEpoch(0), Offset(0))]));
        if step == Step::Right {
            h.truncate("b2", 1, TruncationReason::Diverged);
        }
        h.lose_power("b2", 1).boot("b2");
        h
    }),
    exhibit("D11", "a full disk answers at once; a slow one excuses", |step| {
        let mut h = History::new();
        let (fault, kind) = (Arc::from("f1"), Arc::from(step.of("full-disk", "slow-disk")));
        h.world("b1", WorldFact::FaultBegan { fault, kind, nodes: vec![NodeId(0)] });
        h.commit("a").waited("b2", 1, 1).waited("b1", 9, 1);
        h
    }),
    exhibit("P4", "a producer epoch that was fenced writes again; right is that its leader began anew above it", |step| {
        let mut h = History::new();
        h.commit("a").producer_epoch(1).commit("b").start_at("b1", 2);
        if step == Step::Right {
            h.truncate("b2", 2, TruncationReason::BelowLeaderStart);
        }
        h.follow_mark("b2", 2).start_at("b2", 2).elect("b2").fetch("b1").fetch("b3").producer_epoch(0).commit("c").commit("d");
        h
    }),
    exhibit("L6", "a consumer that retention overtook does not go on at what is kept", |step| {
        let mut h = History::on(Terms { reset: Reset::Earliest, ..TERMS });
        h.assign("reader").commit("a").read("reader", 0, &["a"]).commit("b").commit("c").start_at("b1", 2).begin_to_settle();
        if step == Step::Right {
            h.read("reader", 2, &["c"]);
        }
        rest(&mut h, &["a", "b", "c"]);
        h
    }),
    exhibit("L6", "a consumer that went on at the end stays there", |step| {
        let mut h = History::new();
        h.assign("reader").commit("a").read("reader", 0, &["a"]).commit("b").commit("c").start_at("b1", 2);
        h.list_end("b1", 3).commit("d").begin_to_settle();
        if step == Step::Right {
            h.read("reader", 3, &["d"]);
        }
        rest(&mut h, &["a", "b", "c", "d"]);
        h
    }),
    exhibit("L6", "the end was named to the application alone; right is that it was named twice", |step| {
        let mut h = History::new();
        h.assign("reader").commit("a").read("reader", 0, &["a"]).commit("b").commit("c").start_at("b1", 2).begin_to_settle();
        h.ask_end("reader").list_end("b1", 3);
        if step == Step::Right {
            h.list_end("b1", 3);
        }
        h.told_end("reader", 3);
        rest(&mut h, &["a", "b", "c"]);
        h
    }),
];
