//! One doctored history for every check, each with its healthy twin: the two differ in the one step that is wrong.

use brokerlab::fact::{Fact, PartitionState, TruncationReason};
use brokerlab::operation::Certainty;
use brokerlab::types::*;
use brokerlab_reports::event::{AuditMoment, WorldFact};
use brokerlab_sim::check::Reset;

use super::history::{History, ORDERS, Record, TERMS, Terms};

/// A pair of histories.
pub struct Exhibit {
    /// The check that must cry first, and be content with the twin.
    pub check: &'static str,
    /// What is wrong.
    pub about: &'static str,
    /// With the wrong step, and without.
    pub history: fn(Step) -> History,
}

/// Which of the twins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Wrong,
    Right,
}

impl Step {
    pub fn of<T>(self, wrong: T, right: T) -> T {
        if self == Step::Wrong { wrong } else { right }
    }
}

pub const fn exhibit(check: &'static str, about: &'static str, history: fn(Step) -> History) -> Exhibit {
    Exhibit { check, about, history }
}

const FREE: Terms = Terms { idempotent: false, ..TERMS };

/// All of them.
pub const GALLERY: &[Exhibit] = &[
    exhibit("R1", "a replica goes back to an older epoch", |step| {
        let mut h = History::new();
        h.commit("a").elect("b2");
        let (leader_epoch, leader) = (LeaderEpoch(step.of(0, 1)), Some(BrokerId(2)));
        let (log_end, high_watermark) = (Offset(1), Offset(1));
        h.fact("b3", Fact::BecameFollower { partition: ORDERS, leader_epoch, leader, log_end, high_watermark });
        h
    }),
    exhibit("R2", "somebody leads who was not elected", |step| {
        let mut h = History::new();
        h.commit("a").decide("b2", false).act(step.of("b3", "b2"), &[]);
        h
    }),
    exhibit("R2", "the controller gives one epoch twice", |step| {
        let mut h = History::new();
        h.commit("a").decide("b2", false);
        let isr = vec![BrokerId(1), BrokerId(2), BrokerId(3)];
        let (leader, leader_epoch, partition_epoch) = (Some(BrokerId(3)), LeaderEpoch(step.of(1, 2)), PartitionEpoch(2));
        let state = PartitionState { leader, leader_epoch, partition_epoch, isr };
        h.fact("c1", Fact::LeaderElected { partition: ORDERS, state, unclean: false });
        h
    }),
    exhibit("R3", "a fenced broker stays in sync", |step| {
        let mut h = History::new();
        h.commit("a").fence("b3");
        if step == Step::Right {
            h.isr(&["b1", "b2"]);
        }
        h.elect("b2");
        h
    }),
    exhibit("R3", "the leader is not in sync", |step| {
        let mut h = History::new();
        h.commit("a").isr_by_decree(&["b2", "b3"]).decide(step.of("b1", "b2"), false);
        h
    }),
    exhibit("R4", "a follower's high watermark is beyond its log", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").follow_mark("b2", step.of(3, 1));
        h
    }),
    exhibit("R4", "a follower has more than its leader", |step| {
        let mut h = History::new();
        h.write("a").append(step.of("b2", "b1"), "a");
        h.write("b").append("b1", "b").append("b1", "c").copy("b3");
        h.copy_from("b2", "b1");
        h
    }),
    exhibit("R5a", "a deposed leader commits its own record in the place of another", |step| {
        let mut h = History::on(FREE);
        h.commit("a").write("b").append("b1", "b").isr_by_decree(&["b2", "b3"]).decide("b2", false).act("b2", &["b3"]);
        h.fetch("b3").write("c").append("b2", "c").replicate().advance("b2");
        if step == Step::Wrong {
            h.advance_over("b1", &["b1", "b2", "b3"]);
        }
        h.write("d").append("b2", "d").replicate().advance("b2");
        h
    }),
    exhibit("R5b", "a new leader names an end of long ago", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").elect("b2").list_end("b2", step.of(1, 2));
        h
    }),
    exhibit("R5c", "a leader takes its high watermark back", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").advance_to("b1", step.of(1, 2), &["b1", "b2", "b3"]);
        h
    }),
    exhibit("R6", "a follower calls its own tail committed", |step| {
        let mut h = History::on(FREE);
        h.commit("a").write("b").append("b1", "b").crash("b1").isr(&["b2", "b3"]).elect("b2").fetch("b3").write("c");
        h.append("b2", "c").replicate().advance("b2");
        h.restart("b1").follow("b1", "b2").follow_mark("b1", step.of(2, 1));
        h
    }),
    exhibit("R7", "two logs share an epoch but not the past", |step| {
        let mut h = History::new();
        h.commit("a").write("b").append("b1", "b");
        h.append_record("b2", Record { value: step.of("x", "b"), epoch: 0, sequence: 1 });
        h
    }),
    exhibit("R8", "who has nothing is elected before it is asked", |step| {
        let mut h = History::on(Terms { min_isr: 1, ..TERMS });
        h.commit("a").crash("b3").isr(&["b1", "b2"]);
        if step == Step::Wrong {
            h.commit("b");
        }
        h.crash("b1").crash("b2").boot("b3").recover("b3").elect_unclean("b3");
        h
    }),
    exhibit("R9", "a lagging replica joins the ISR", |step| {
        let mut h = History::new();
        h.isr(&["b1", "b2"]).commit("a");
        if step == Step::Right {
            h.copy("b3");
        }
        h.fetch("b3").isr(&["b1", "b2", "b3"]);
        h
    }),
    exhibit("R9", "the leader shrinks before the controller agrees", |step| {
        // IS-01: the leader counts only itself and b2, while b3 is still a member by the controller's word.
        let mut h = History::new();
        if step == Step::Right {
            h.isr(&["b1", "b2"]);
        }
        h.write("a").append("b1", "a").copy("b2").fetch("b2").advance_over("b1", &["b1", "b2"]);
        h
    }),
    exhibit("R10", "the leader does not count a member", |step| {
        let mut h = History::new();
        h.isr(&["b1", "b2"]).fetch("b3").isr(&["b1", "b2", "b3"]).write("a").append("b1", "a").replicate();
        h.advance_over("b1", step.of(&["b1", "b2"], &["b1", "b2", "b3"]));
        if step == Step::Right {
            h.isr(&["b1", "b2"]).commit("b");
        }
        h
    }),
    exhibit("R11", "a member has not fetched", |step| {
        let mut h = History::new();
        h.write("a").append("b1", "a").copy("b2").fetch("b2").copy("b3");
        if step == Step::Right {
            h.fetch("b3");
        }
        h.advance("b1");
        h
    }),
    exhibit("R11", "a fetch of a former epoch does not count", |step| {
        let mut h = History::new();
        h.commit("a").elect("b2").fetch("b1").fetch("b3").elect("b1").write("b").append("b1", "b");
        h.copy("b2").copy("b3").fetch("b2").fetch_from("b3", "b1", step.of(1, 2)).advance("b1");
        h
    }),
    exhibit("R11", "too few are in sync", |step| {
        let mut h = History::new();
        h.isr(step.of(&["b1"], &["b1", "b2"])).write("a").append("b1", "a").replicate().advance("b1");
        h
    }),
    exhibit("R12", "acknowledged before it is committed", |step| {
        let mut h = History::new();
        h.write("a").append("b1", "a");
        if step == Step::Right {
            h.replicate().advance("b1");
        }
        h.ack("b1", "a");
        h
    }),
    exhibit("R12", "acknowledged at another offset", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").answer("b1", "b", step.of(0, 1));
        h
    }),
    exhibit("R12", "accepted with too few in sync", |step| {
        let mut h = History::new();
        h.isr(step.of(&["b1"], &["b1", "b2"])).write("a").append("b1", "a").copy("b2").fetch("b2").isr(&["b1", "b2"]);
        h.advance("b1").ack("b1", "a");
        h
    }),
    exhibit("R12", "promised durable but only in memory", |step| {
        let mut h = History::on(Terms { flush: true, ..TERMS });
        h.write("a").append("b1", "a").replicate().flush("b1").flush("b2");
        if step == Step::Right {
            h.flush("b3");
        }
        h.advance("b1").ack("b1", "a");
        h
    }),
    exhibit("R13", "a consumer sees what is not committed", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").write("c").append("b1", "c");
        if step == Step::Right {
            h.replicate().advance("b1");
        }
        h.expose("b1", 0);
        h
    }),
    exhibit("R14", "a follower cuts what its leader has", |step| {
        let mut h = History::new();
        h.commit("a").isr(&["b1", "b2"]).write("x").append("b1", "x").copy("b3");
        h.elect("b2").truncate("b3", step.of(0, 1), TruncationReason::Diverged);
        h
    }),
    exhibit("R15", "who lost its records is in sync before it has fetched", |step| {
        let mut h = History::new();
        h.commit("a").lose_power("b3", 0).isr(&["b1", "b2"]).restart("b3").follow("b3", "b1").copy("b3");
        if step == Step::Right {
            h.fetch("b3");
        }
        h.isr(&["b1", "b2", "b3"]);
        h
    }),
    exhibit("R15", "a life that lost records is let in; right is that it was over by then, and nobody can know", |step| {
        let mut h = History::new();
        h.commit("a").lose_power("b3", 0).isr(&["b1", "b2"]).restart("b3").follow("b3", "b1").copy("b3");
        if step == Step::Right {
            // Its last fetch is heard when it is gone.
            h.lose_power("b3", 1).fetch("b3");
        }
        h.isr(&["b1", "b2", "b3"]);
        h
    }),
    exhibit("R16", "a leader acts upon an ISR that was never committed", |step| {
        let mut h = History::new();
        h.commit("a").isr(&["b1", "b2"]);
        let (leader_epoch, partition_epoch) = (LeaderEpoch(0), PartitionEpoch(step.of(2, 1)));
        let isr = vec![BrokerId(1), BrokerId(2)];
        h.fact("b1", Fact::IsrLearned { partition: ORDERS, leader_epoch, partition_epoch, isr });
        h
    }),
    exhibit("R16", "a broker is ahead of the committed metadata", |step| {
        let mut h = History::new();
        h.fact("c1", Fact::MetadataCommitted { end: Offset(5) }).fact("b2", Fact::MetadataApplied { end: Offset(4) });
        h.fact("b2", Fact::MetadataApplied { end: Offset(step.of(6, 5)) });
        h
    }),
    exhibit("R17", "the epochs on the medium begin elsewhere than in the log", |step| {
        let mut h = History::new();
        h.commit("a").elect("b2").fetch("b1").fetch("b3").commit("b").flush("b2");
        let second = (LeaderEpoch(1), Offset(step.of(2, 1)));
        h.small_files(|files| (files.recovery_point, files.epochs) = (Offset(2), vec![(LeaderEpoch(0), Offset(0)), second]));
        h.audit("b2", AuditMoment::Crash);
        h
    }),
    exhibit("R17", "the epochs on the medium begin above what was given up", |step| {
        let mut h = History::new();
        h.commit("a").elect("b2").fetch("b1").fetch("b3").commit("b").flush("b2");
        if step == Step::Right {
            h.start_at("b2", 1);
        }
        h.small_files(|files| (files.recovery_point, files.epochs) = (Offset(2), vec![(LeaderEpoch(1), Offset(1))]));
        h.audit("b2", AuditMoment::Crash);
        h
    }),
    exhibit("R18", "a batch leaves a gap", |step| {
        let mut h = History::new();
        h.commit("a").state_append("b1", step.of(2, 1), Record { value: "b", epoch: 0, sequence: 1 });
        h
    }),
    exhibit("R19", "a retry is appended again", |step| {
        let mut h = History::new();
        h.commit("a").write("b").append("b1", step.of("a", "b")).replicate().advance("b1");
        h
    }),
    exhibit("R20", "the disk holds something else", |step| {
        let mut h = History::new();
        h.commit("a").settle();
        if step == Step::Wrong {
            h.rewrite_disk("b2", |log| log[0].value = "x");
        }
        h.audit("b2", AuditMoment::End);
        h
    }),
    exhibit("R21", "who joins the ISR has not fetched in its new life", |step| {
        let mut h = History::new();
        h.commit("a").crash("b3").isr(&["b1", "b2"]).restart("b3").follow("b3", "b1");
        if step == Step::Right {
            h.fetch("b3");
        }
        h.isr(&["b1", "b2", "b3"]);
        h
    }),
    exhibit("R22", "a follower appends a batch from the future", |step| {
        let mut h = History::new();
        h.commit("a").elect("b2").write("b").append("b2", "b");
        h.append_record("b1", Record { value: "b", epoch: step.of(3, 1), sequence: 1 });
        h
    }),
    exhibit("R23", "a leader waits for a replica that is fenced", |step| {
        let mut h = History::new();
        h.commit("a").fence("b3").isr(&["b1", "b2"]).fact("c1", Fact::MetadataCommitted { end: Offset(5) });
        h.fact("b1", Fact::MetadataApplied { end: Offset(5) }).write("b").append("b1", "b").copy("b2").fetch("b2");
        if step == Step::Right {
            h.advance("b1");
        }
        h.wait(2).fetch("b2");
        h
    }),
    exhibit("R23", "a leader waits longer than it must; right is that it has not heard of the fencing", |step| {
        let mut h = History::new();
        h.commit("a").fence("b3").isr(&["b1", "b2"]).fact("c1", Fact::MetadataCommitted { end: Offset(5) });
        h.fact("b1", Fact::MetadataApplied { end: Offset(step.of(5, 4)) }).write("b").append("b1", "b").copy("b2").fetch("b2");
        h.wait(2).fetch("b2");
        if step == Step::Right {
            h.fact("b1", Fact::MetadataApplied { end: Offset(5) }).fetch("b2").advance("b1");
        }
        h
    }),
    exhibit("D3", "retention passes the high watermark", |step| {
        let mut h = History::new();
        h.commit("a").write("b").append("b1", "b").start_at("b1", step.of(2, 1));
        h
    }),
    exhibit("D3", "a follower gives up what it does not know to be committed", |step| {
        let mut h = History::new();
        h.commit("a").write("b").append("b1", "b").replicate().advance("b1").start_at("b1", 2);
        if step == Step::Right {
            // It begins anew where its leader's log begins, and has nothing else.
            h.truncate("b2", 2, TruncationReason::BelowLeaderStart);
        }
        h.start_at("b2", 2);
        h
    }),
    exhibit("D7", "the mark of a clean shutdown is there before the data", |step| {
        let mut h = History::new();
        h.commit("a").small_files(|files| files.clean_mark = true);
        if step == Step::Right {
            h.flush("b2");
        }
        h.audit("b2", AuditMoment::Crash);
        h
    }),
    exhibit("D8", "recovery drops what a dead process had written", |step| {
        let mut h = History::new();
        h.write("a").append("b1", "a").replicate().crash("b3").boot("b3");
        if step == Step::Wrong {
            h.rewrite_disk("b3", Vec::clear);
        }
        h.recover("b3");
        h
    }),
    exhibit("D8", "what was durable is gone", |step| {
        let mut h = History::new();
        h.write("a").append("b1", "a").copy("b3").flush("b3").lose_power("b3", step.of(0, 1)).restart("b3");
        h
    }),
    exhibit("D9", "a rotten batch is taken for the end of the log", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").flush("b3").isr(&["b1", "b2"]);
        h.small_files(|files| (files.recovery_point, files.epochs) = (Offset(2), vec![(LeaderEpoch(0), Offset(0))]));
        h.strike("b3", "bit-rot").crash("b3").boot("b3").rewrite_disk("b3", |log| log.truncate(1));
        if step == Step::Right {
            h.fact("b3", Fact::CorruptionFound { partition: ORDERS, at: Offset(1), below_recovery_point: true });
        }
        h.recover("b3");
        h
    }),
    exhibit("D10", "the recovery point reaches the medium before the data", |step| {
        let mut h = History::new();
        h.commit("a");
        h.small_files(|files| (files.recovery_point, files.epochs) = (Offset(1), vec![(LeaderEpoch(0), Offset(0))]));
        if step == Step::Right {
            h.flush("b2");
        }
        h.audit("b2", AuditMoment::Crash);
        h
    }),
    exhibit("D11", "a parked request is forgotten", |step| {
        let mut h = History::new();
        h.commit("a").waited("b1", step.of(9, 1), 1);
        h
    }),
    exhibit("D12", "a record of next year is taken in; right is one that is a little ahead", |step| {
        let mut h = History::new();
        h.commit("a").read_dated("reader", 0, "a", Timestamp(step.of(31_536_000_000, 60_000)));
        h
    }),
    exhibit("Q7", "a change skips a partition epoch", |step| {
        let mut h = History::new();
        h.commit("a");
        let (leader, leader_epoch, partition_epoch) = (Some(BrokerId(1)), LeaderEpoch(0), PartitionEpoch(step.of(2, 1)));
        let state = PartitionState { leader, leader_epoch, partition_epoch, isr: vec![BrokerId(1), BrokerId(2)] };
        h.fact("c1", Fact::IsrShrunk { partition: ORDERS, state });
        h
    }),
    exhibit("Q7", "a new life of the controller states something else under an old partition epoch", |step| {
        let mut h = History::new();
        h.commit("a");
        let (leader, leader_epoch, partition_epoch) = (Some(BrokerId(1)), LeaderEpoch(0), PartitionEpoch(1));
        let state = |isr: &[i32]| PartitionState {
            leader,
            leader_epoch,
            partition_epoch,
            isr: isr.iter().copied().map(BrokerId).collect(),
        };
        h.fact("c1", Fact::IsrShrunk { partition: ORDERS, state: state(&[1, 2]) });
        h.fact("c1", Fact::IsrShrunk { partition: ORDERS, state: state(step.of(&[1, 3], &[1, 2])) });
        h
    }),
    exhibit("Q9", "a new incarnation gets an old broker epoch", |step| {
        let mut h = History::new();
        h.commit("a").registrations_go_on_from(step.of(3, 4)).accept("b3", 2);
        h
    }),
    exhibit("Q13", "a deposed leader is granted another ISR", |step| {
        let mut h = History::new();
        h.commit("a").elect("b2").answer_isr("b1", (0, 1), &["b1", "b2"], step.of(0, 74));
        h
    }),
    exhibit("Q13", "a heartbeat that comes after the next life has registered is believed", |step| {
        let mut h = History::new();
        h.commit("a").crash("b3").isr(&["b1", "b2"]);
        let before = h.deliver("c1");
        h.boot("b3").recover("b3").accept("b3", 2);
        let after = h.deliver("c1");
        h.answer_heartbeat("b3", 1, step.of(after, before), 0).answer_heartbeat("b3", 1, after, 77);
        h
    }),
    exhibit("Q14", "a change is granted on top of a state that is gone", |step| {
        let mut h = History::new();
        h.commit("a").isr(&["b1", "b2"]).answer_isr("b1", (0, 0), step.of(&["b1", "b3"], &["b1", "b2"]), 0);
        h
    }),
    exhibit("P3", "two sessions get one producer id", |step| {
        let mut h = History::new();
        h.give_id("b1", 5, "p1").give_id("b2", step.of(5, 6), "reader");
        h
    }),
    exhibit("Q9", "one incarnation gets two broker epochs", |step| {
        let mut h = History::new();
        h.commit("a").accept("b3", 2).registrations_go_on_from(step.of(9, 4)).accept("b3", 2);
        h
    }),
    exhibit("P4", "a producer epoch that was fenced writes again", |step| {
        let mut h = History::new();
        h.commit("a").producer_epoch(1).commit("b").producer_epoch(step.of(0, 1)).commit("c");
        h
    }),
    exhibit("B1", "an acknowledged record is gone and no fact says why", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").elect("b2").fetch("b1").fetch("b3").advance("b2").settle_reading(&["a", step.of("a", "b")]);
        h
    }),
    exhibit("B2", "a record stands twice though idempotent", |step| {
        let mut h = History::new();
        h.commit("a").answer("b1", "a", 0).write("b").append("b1", "b").replicate().advance("b1");
        h.failed("b", Certainty::Indefinite).settle_reading(&["a", step.of("a", "b")]);
        h
    }),
    exhibit("B3", "an offset shows two values", |step| {
        let mut h = History::new();
        h.commit("a").read("reader", 0, &[step.of("x", "a")]).write("x").failed("x", Certainty::Indefinite).settle();
        h
    }),
    exhibit("B4", "a record is there though its write failed", |step| {
        let mut h = History::new();
        h.commit("a").write("b").append("b1", "b").replicate().advance("b1");
        h.failed("b", step.of(Certainty::Definite, Certainty::Indefinite)).settle();
        h
    }),
    exhibit("B5", "a later write gets an earlier place", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").write("c").acknowledged("c", Some(step.of(0, 2)));
        h
    }),
    exhibit("B6", "two records of one producer change places", |step| {
        let mut h = History::new();
        h.write("a").write("b").append("b1", "a").append("b1", "b").replicate().advance("b1");
        let (first, second) = step.of(("b", "a"), ("a", "b"));
        h.acknowledged(first, Some(0)).acknowledged(second, Some(1)).settle_reading(&[first, second]);
        h
    }),
    exhibit("B7", "a consumer misses a record", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").commit("c").read("reader", 0, &["a"]);
        let (from, rest) = step.of((2, &["c"][..]), (1, &["b", "c"][..]));
        h.read("reader", from, rest);
        h
    }),
    exhibit("B12", "a client is told that the partition ends before what it has read", |step| {
        let mut h = History::new();
        h.commit("a").commit("b").read("reader", 0, &["a", "b"]).ask_end("reader").told_end("reader", step.of(1, 2));
        h
    }),
    exhibit("L1", "the elected leader never hears of it", |step| {
        let mut h = History::new();
        h.commit("a").decide("b2", false).begin_to_settle();
        if step == Step::Right {
            h.everybody_hears("b2").fetch("b1").fetch("b3").advance("b2");
            rest(&mut h, &["a"]);
        }
        h
    }),
    exhibit("L2", "a write never ends", |step| {
        let mut h = History::new();
        h.commit("a").write("b").begin_to_settle();
        if step == Step::Right {
            h.failed("b", Certainty::Indefinite);
            rest(&mut h, &["a"]);
        }
        h
    }),
    exhibit("L3", "the last record is never committed", |step| {
        let mut h = History::new();
        h.commit("a").write("b").append("b1", "b").failed("b", Certainty::Indefinite).begin_to_settle();
        if step == Step::Right {
            h.replicate().advance("b1");
            rest(&mut h, &["a", "b"]);
        }
        h
    }),
    exhibit("L4", "a replica never returns", |step| {
        let mut h = History::new();
        h.commit("a").isr(&["b1", "b2"]).begin_to_settle();
        if step == Step::Right {
            h.fetch("b3").isr(&["b1", "b2", "b3"]);
            rest(&mut h, &["a"]);
        }
        h
    }),
    exhibit("L6", "a consumer stays behind", |step| {
        let mut h = History::new();
        h.assign("reader").commit("a").read("reader", 0, &["a"]).commit("b").begin_to_settle();
        if step == Step::Right {
            h.read("reader", 1, &["b"]);
        }
        rest(&mut h, &["a", "b"]);
        h
    }),
    exhibit("L6", "a consumer stays behind although what it is to read next is kept", |step| {
        let mut h = History::on(Terms { reset: Reset::Nowhere, ..TERMS });
        h.assign("reader").commit("a").read("reader", 0, &["a"]).commit("b").commit("c").begin_to_settle();
        // Given up under its feet: it may go on nowhere.
        h.start_at("b1", step.of(1, 2));
        rest(&mut h, &["a", "b", "c"]);
        h
    }),
    exhibit("L8", "writers stand still for longer than was promised", |step| {
        let mut h = History::new();
        h.promise_pace(1, 5).commit("a").wait(3).commit("b").wait(step.of(6, 4)).commit("c").settle();
        h
    }),
    exhibit("L8", "writes are acknowledged, but too few of them", |step| {
        let mut h = History::new();
        h.promise_pace(2, 5).commit("a").wait(2).commit("b").wait(2).commit("c").wait(step.of(4, 2)).commit("d").settle();
        h
    }),
    exhibit("L8", "nobody knows what became of a write until faults are over", |step| {
        let mut h = History::new();
        h.promise_pace(1, 5).commit("a").wait(3).commit("b").wait(3).commit("c").write("d").wait(step.of(6, 4)).begin_to_settle();
        h.failed("d", Certainty::Indefinite);
        rest(&mut h, &["a", "b", "c"]);
        h
    }),
    exhibit("L9", "nothing moves any more", |step| {
        let mut h = History::new();
        h.commit("a").write("b").begin_to_settle().failed("b", Certainty::Indefinite);
        if step == Step::Right {
            rest(&mut h, &["a"]);
        } else {
            h.wait(20).world("c1", WorldFact::SettleFailed { reasons: vec!["nobody has read anything".to_string()] });
        }
        h
    }),
    exhibit("L10", "a restarted broker never registers", |step| {
        let mut h = History::new();
        h.commit("a").crash("b3").boot("b3").recover("b3").begin_to_settle();
        if step == Step::Right {
            h.register("b3").follow("b3", "b1");
        }
        rest(&mut h, &["a"]);
        h
    }),
];

/// The laboratory reads everything, and that is the end.
pub fn rest(h: &mut History, values: &[&'static str]) {
    h.read("lab", 0, values).world("c1", WorldFact::Settled);
}
