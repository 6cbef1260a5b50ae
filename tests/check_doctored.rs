//! A checker is trusted only after a doctored history made it cry, and a healthy one left it silent though it had something to see.
//!
//! Each history reads as an explanation of what the property means. The doctored ones contain one wrong step; the check in question must be
//! the first to cry.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "check_doctored/compaction.rs"]
mod compaction;
#[path = "check_doctored/gallery.rs"]
mod gallery;
#[path = "check_doctored/group_gallery.rs"]
mod group_gallery;
#[path = "check_doctored/group_lives.rs"]
mod group_lives;
#[path = "check_doctored/history.rs"]
mod history;
#[path = "check_doctored/look_alikes.rs"]
mod look_alikes;
#[path = "check_doctored/losses.rs"]
mod losses;
#[path = "check_doctored/producers.rs"]
mod producers;

use brokerlab::fact::{Fact, TruncationReason};
use brokerlab::operation::Certainty;
use brokerlab::types::{BrokerId, LeaderEpoch, Offset};
use brokerlab_reports::event::{AuditMoment, NodeId, WorldFact};
use brokerlab_reports::verdict::Verdict;
use brokerlab_sim::check::CATALOGUE;
use compaction::COMPACTION;
use gallery::{Exhibit, GALLERY, Step};
use group_gallery::GROUP_GALLERY;
use history::{History, ORDERS, Record, TERMS, Terms, count, report, told};
use look_alikes::LOOK_ALIKES;
use producers::PRODUCERS;

const FREE: Terms = Terms { idempotent: false, ..TERMS };

/// A healthy life with a crash, an election, a truncation, a restart and a retry.
fn eventful() -> History {
    let mut h = History::new();
    h.commit("a").commit("b").expose("b1", 0).read("reader", 0, &["a", "b"]);
    h.follow_mark("b2", 1).follow_mark("b3", 2);
    h.write("c").append("b1", "c").crash("b1");
    h.isr(&["b2", "b3"]).elect("b2").fetch("b3");
    h.append("b2", "c").replicate().advance("b2").answer("b2", "c", 2).ack("b2", "c");
    h.commit("d").read("reader", 2, &["c", "d"]);
    h.boot("b1").recover("b1").register("b1").follow("b1", "b2");
    h.truncate("b1", 2, TruncationReason::Diverged).copy("b1").fetch("b1").isr(&["b1", "b2", "b3"]).commit("e");
    h.ask_end("reader").list_end("b2", 5).told_end("reader", 5);
    h
}

#[test]
fn healthy_life_passes_every_check() {
    let mut h = eventful();
    h.settle();
    for (name, moment) in [("b1", AuditMoment::End), ("b2", AuditMoment::End), ("b3", AuditMoment::End)] {
        h.audit(name, moment);
    }
    // Nothing was lost, left in doubt, given up, waited for, or still to heal; and the disks have no small files.
    let unseen = [
        "R15", "R17", "R23", "D3", "D4", "D5", "D6", "D7", "D9", "D10", "D11", "D12", "Q13", "Q14", "P3", "B4", "L1", "L2", "L3",
        "L4", "L6", "L8", "L9", "L10",
    ];
    // Nor are there groups.
    let of_groups = ["B8", "B9", "B10", "B11", "B13", "B14", "L5", "L7"];
    let is_of_groups = |check: &str| check.starts_with('G') || of_groups.contains(&check);
    for (check, _) in CATALOGUE.iter().filter(|(check, _)| !unseen.contains(check) && !is_of_groups(check)) {
        h.satisfies(check);
    }
    let judgement = h.judgement();
    assert_eq!((count(&judgement, "acknowledged"), count(&judgement, "lost"), count(&judgement, "elections")), (5, 0, 1));
}

/// Every doctored history is named right, every healthy twin passes with something to see, and no check is without a pair.
#[test]
fn every_doctored_history_is_named_right() {
    let mut wrong: Vec<String> = Vec::new();
    for Exhibit { check, about, history } in
        GALLERY.iter().chain(COMPACTION).chain(PRODUCERS).chain(LOOK_ALIKES).chain(GROUP_GALLERY)
    {
        let verdict = if check.starts_with('L') { Verdict::Hang } else { Verdict::Violation };
        let doctored = history(Step::Wrong).judgement();
        if (doctored.verdict, doctored.property.as_deref()) != (verdict, Some(*check)) {
            wrong.push(format!("{check} ({about}) should cry: {}", told(&doctored)));
        }
        let twin = history(Step::Right).judgement();
        if twin.verdict != Verdict::Pass || report(&twin, check).exercised == 0 {
            wrong
                .push(format!("{check} ({about}) should be content with the twin, having had something to see: {}", told(&twin)));
        }
    }
    let shown: Vec<&str> =
        GALLERY.iter().chain(COMPACTION).chain(PRODUCERS).chain(GROUP_GALLERY).map(|exhibit| exhibit.check).collect();
    let unshown = CATALOGUE.iter().filter(|(check, _)| !shown.contains(check));
    wrong.extend(unshown.map(|(check, _)| format!("{check} has no doctored history")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn l8_is_silent_where_nothing_is_promised_or_nothing_more_is_asked_for() {
    let mut h = History::new();
    h.commit("a").wait(60).commit("b").settle();
    assert_eq!(report(&h.judgement(), "L8").evaluated, 0);
    let mut done = History::new();
    done.promise_pace(1, 5).commit("a").wait(4).commit("b").wait(4).commit("c").wait(60).settle();
    done.satisfies("L8");
}

#[test]
fn l8_a_refused_write_is_no_progress() {
    let mut h = History::on(FREE);
    h.promise_pace(1, 5).commit("a").wait(4).write("b").failed("b", Certainty::Definite).wait(4).commit("c").settle();
    h.is_judged(Verdict::Hang, "L8");
}

// ---- R: replication -------------------------------------------------------------------------------------------

#[test]
fn r14_and_r9_a_follower_cuts_at_its_high_watermark() {
    // TR-01: what b3 was counted for goes, because it has not yet heard that it is committed.
    let mut h = History::new();
    h.commit("a").elect("b2").truncate("b3", 0, TruncationReason::ToHighWatermark);
    h.also_cries("R14").cries("R9");
}

#[test]
fn r14_a_leader_truncates() {
    let mut h = History::new();
    h.write("a").append("b1", "a").truncate("b1", 0, TruncationReason::Diverged);
    h.cries("R14");
}

#[test]
fn r15_the_controller_cannot_know_before_the_new_life_registers() {
    let mut h = History::new();
    h.commit("a").lose_power("b3", 0).boot("b3").recover("b3").isr(&["b2", "b3"]).decide("b3", false).fence("b3");
    h.isr(&["b2"]).elect("b2").register("b3").follow("b3", "b2").copy("b3").fetch("b3").isr(&["b2", "b3"]).commit("b");
    h.satisfies("R15");
}

#[test]
fn r20_a_replica_stays_behind_for_good() {
    let mut h = History::new();
    h.commit("a").isr(&["b1", "b2"]).commit("b");
    h.isr(&["b1", "b2", "b3"]).settle();
    h.also_cries("R20");
}

// ---- D: disks -------------------------------------------------------------------------------------------------------

#[test]
fn d8_what_was_durable_is_gone() {
    let mut h = History::new();
    h.write("a").append("b1", "a").copy("b3").flush("b3").lose_power("b3", 0).restart("b3");
    h.cries("D8");
    let mut well = History::new();
    well.commit("a").isr(&["b1", "b2"]).lose_power("b3", 0).restart("b3").follow("b3", "b1");
    well.copy("b3").fetch("b3").isr(&["b1", "b2", "b3"]).settle();
    well.satisfies("D8");
}

#[test]
fn d8_the_broker_claims_another_end_than_its_disk_has() {
    let mut h = History::new();
    h.write("a").append("b1", "a").crash("b1").boot("b1").recover("b1");
    h.crash("b1").boot("b1").rewrite_disk("b1", |log| log.push(Record { value: "y", epoch: 0, sequence: 5 })).recover("b1");
    h.cries("D8");
}

// ---- B: what clients saw --------------------------------------------------------------------------------------------

#[test]
fn b1_an_acknowledged_record_is_gone_and_no_fact_says_why() {
    let mut h = History::new();
    h.commit("a").commit("b").elect("b2").fetch("b1").fetch("b3").advance("b2");
    h.settle_reading(&["a", "z"]);
    let judgement = h.judgement();
    assert!(report(&judgement, "B1").violated == 1 && report(&judgement, "B1").exercised == 2);
    assert_eq!((count(&judgement, "lost"), count(&judgement, "unexplained")), (1, 2), "{}", told(&judgement));
}

#[test]
fn b1_follows_from_an_early_acknowledgement() {
    // BA-01: R12 sees the lie when it is told, B1 when it comes out.
    let mut h = History::new();
    h.write("a").append("b1", "a").ack("b1", "a").crash("b1").isr(&["b2", "b3"]).elect("b2").fetch("b3").commit("b");
    h.restart("b1").follow("b1", "b2").truncate("b1", 0, TruncationReason::Diverged).copy("b1").fetch("b1");
    h.isr(&["b1", "b2", "b3"]).settle();
    h.cries("R12");
    h.also_cries("B1");
    assert_eq!(count(&h.judgement(), "unexplained"), 0);
}

#[test]
fn b1_what_retention_gave_up_is_not_owed() {
    let mut h = History::new();
    h.commit("a").commit("b").start_at("b1", 1);
    h.begin_to_settle().read("lab", 1, &["b"]).world("c1", WorldFact::Settled);
    assert!(report(&h.judgement(), "B1").violated == 0 && count(&h.judgement(), "lost") == 0);
}

#[test]
fn b1_what_retention_left_is_owed_and_so_is_what_was_not_committed() {
    let mut h = History::new();
    h.commit("a").commit("b").commit("c").start_at("b1", 1);
    h.begin_to_settle().read("lab", 2, &["c"]).world("c1", WorldFact::Settled);
    assert_eq!((report(&h.judgement(), "B1").violated, count(&h.judgement(), "lost")), (1, 1));
    let mut h = History::new();
    h.start_at("b1", 2).commit("a").commit("b");
    h.begin_to_settle().read("lab", 1, &["b"]).world("c1", WorldFact::Settled);
    assert_eq!(report(&h.judgement(), "B1").violated, 1);
}

#[test]
fn b3_a_record_that_was_read_vanishes() {
    let mut h = History::new();
    h.commit("a").read("reader", 0, &["a", "b"]).settle().cries("B3");
}

#[test]
fn b7_a_consumer_reads_on_over_a_cut() {
    // KIP-320: "b" was cut off and "c" stands in its place, so who has read "b" is not to go on behind it.
    let goes_on_at = |from, values: &[&'static str]| {
        let mut h = loss(Terms { min_isr: 1, unclean: true, ..FREE });
        h.read("reader", 0, &["a", "b"]).elect_unclean("b2");
        h.copy("b3").fetch("b3").isr(&["b2", "b3"]).commit("c").commit("d").read_in("reader", 1, from, values);
        h
    };
    goes_on_at(2, &["d"]).cries("B7");
    goes_on_at(1, &["c", "d"]).is_judged(Verdict::Sanctioned, "unclean-election");
}

// ---- verdicts -------------------------------------------------------------------------------------------------------

/// b1 alone has "b" committed, dies, and b2 without it must lead.
fn loss(terms: Terms) -> History {
    let mut h = History::on(terms);
    h.commit("a").isr(&["b1"]).commit("b").crash("b1");
    h
}

fn go_on_after_loss(h: &mut History) {
    h.copy("b3").fetch("b3").isr(&["b2", "b3"]).commit("c");
    h.restart("b1").follow("b1", "b2").truncate("b1", 1, TruncationReason::Diverged).copy("b1").fetch("b1");
    h.isr(&["b1", "b2", "b3"]).commit("d").settle();
}

#[test]
fn unclean_election_sanctions_the_loss_where_it_is_allowed() {
    let mut h = loss(Terms { min_isr: 1, unclean: true, ..FREE });
    h.elect_unclean("b2");
    go_on_after_loss(&mut h);
    h.is_judged(Verdict::Sanctioned, "unclean-election");
    assert_eq!(count(&h.judgement(), "lost"), 1);

    let mut h = loss(Terms { min_isr: 1, ..FREE });
    h.elect_unclean("b2");
    go_on_after_loss(&mut h);
    h.also_cries("R8").also_cries("B1").cries("R9");
}

#[test]
fn an_unclean_leader_need_not_know_what_retention_took() {
    let lead_without = |unclean| {
        let mut h = History::on(Terms { min_isr: 1, unclean, ..FREE });
        h.commit("a").crash("b3").isr(&["b1", "b2"]).commit("b").commit("c");
        h.follow_mark("b2", 3).start_at("b1", 2).start_at("b2", 2).crash("b1").crash("b2").restart("b3").elect_unclean("b3");
        h
    };
    lead_without(true).is_judged(Verdict::Sanctioned, "unclean-election");
    lead_without(false).also_cries("R8").cries("R9");
}

#[test]
fn the_zombie_of_an_unclean_election_is_sanctioned_too() {
    let mut h = History::on(Terms { min_isr: 1, unclean: true, ..FREE });
    h.commit("a").isr(&["b1"]).commit("b");
    // b2 leads from now on, but b1 has not heard of it: it commits, promises and shows what is lost already.
    h.isr_by_decree(&["b2"]).decide("b2", true).act("b2", &["b3"]).copy("b3").fetch("b3");
    h.write("c").append("b1", "c").advance_over("b1", &["b1"]).ack("b1", "c").expose("b1", 0).read("reader", 0, &["a", "b", "c"]);
    h.follow("b1", "b2").truncate("b1", 1, TruncationReason::Diverged).fetch("b1").isr(&["b1", "b2", "b3"]).commit("d").settle();
    h.is_judged(Verdict::Sanctioned, "unclean-election");
    assert_eq!(count(&h.judgement(), "lost"), 2);
}

/// After an unclean election a follower goes back epoch by epoch: the first cut may leave what the new leader never had.
fn cut_after_an_unclean_election(to: &[i64]) -> History {
    let mut h = History::on(Terms { min_isr: 1, unclean: true, ..FREE });
    h.commit("a").crash("b1").isr(&["b2", "b3"]).elect("b2").commit("b").commit("c").crash("b2");
    h.restart("b1").elect_unclean("b1").write("x").append("b1", "x").write("y").append("b1", "y").advance_over("b1", &["b1"]);
    let (log_end, high_watermark, leader) = (Offset(3), Offset(3), Some(BrokerId(1)));
    h.fact("b3", Fact::BecameFollower { partition: ORDERS, leader_epoch: LeaderEpoch(3), leader, log_end, high_watermark });
    to.iter().for_each(|to| {
        h.truncate("b3", *to, TruncationReason::Diverged);
    });
    h
}

#[test]
fn a_follower_may_cut_twice_after_an_unclean_election() {
    cut_after_an_unclean_election(&[2]).is_judged(Verdict::Sanctioned, "unclean-election");
    cut_after_an_unclean_election(&[2, 1]).copy("b3").follow_mark("b3", 3).is_judged(Verdict::Sanctioned, "unclean-election");
}

#[test]
fn r6_a_follower_cuts_once_where_it_must_cut_twice() {
    cut_after_an_unclean_election(&[2]).follow_mark("b3", 2).cries("R6");
}

#[test]
fn every_copy_destroyed_is_beyond_tolerance() {
    let mut h = History::on(FREE);
    h.commit("a").flush("b1").flush("b2").flush("b3").commit("b");
    h.lose_power("b1", 1).lose_power("b2", 1).lose_power("b3", 1);
    // The controller takes a broker out of the ISR when it registers anew, but never the last one.
    h.boot("b1").recover("b1").isr(&["b2", "b3"]).register("b1").boot("b2").recover("b2").isr(&["b3"]).register("b2");
    h.restart("b3").elect("b3");
    h.copy("b1").fetch("b1").copy("b2").fetch("b2").isr(&["b1", "b2", "b3"]).commit("c").settle();
    h.is_judged(Verdict::BeyondTolerance, "beyond-tolerance");
    assert_eq!(count(&h.judgement(), "lost"), 1);
}

#[test]
fn what_was_committed_in_a_log_that_was_lost_may_be_answered_late() {
    // b1 hears of the new leader, and in the same step answers what it had committed while it led.
    let mut h = History::on(FREE);
    h.commit("a").flush("b2").commit("b").isr(&["b2"]).lose_power("b2", 1).restart("b2");
    h.decide("b2", false).act("b2", &["b3"]).follow("b1", "b2").answer("b1", "b", 1);
    for name in ["b1", "b3"] {
        h.truncate(name, 1, TruncationReason::Diverged).copy(name).fetch(name);
    }
    h.isr(&["b1", "b2", "b3"]).commit("c").settle();
    h.is_judged(Verdict::Sanctioned, "last-replica-standing");
}

#[test]
fn what_was_given_up_is_not_lost_with_the_disk_that_knew_it() {
    // All that was committed is given up; then the last member of the ISR gets a new disk, and offsets begin at zero again.
    let alone = || {
        let mut h = History::on(Terms { min_isr: 1, ..FREE });
        h.commit("a").commit("b").start_at("b1", 2).isr(&["b1"]).crash("b2").crash("b3");
        h
    };
    let mut h = alone();
    let (fault, kind) = ("f1".into(), "wipe-disk".into());
    h.lose_power("b1", 0).world("b1", WorldFact::FaultBegan { fault, kind, nodes: vec![NodeId(0)] });
    h.restart("b1").elect("b1").restart("b2").restart("b3").follow("b2", "b1").follow("b3", "b1");
    for name in ["b2", "b3"] {
        h.truncate(name, 0, TruncationReason::Diverged).fetch(name);
    }
    h.isr(&["b1", "b2", "b3"]).commit("c").settle();
    h.is_judged(Verdict::Sanctioned, "last-replica-standing");
    let judgement = h.judgement();
    assert_eq!(count(&judgement, "lost"), 0, "{}", told(&judgement));

    // Nobody took its disk: it has forgotten by itself.
    let mut h = alone();
    h.crash("b1").rewrite_disk("b1", Vec::clear).restart("b1").elect("b1");
    h.also_cries("R9").also_cries("R8");
}

#[test]
fn last_replica_standing_is_sanctioned_only_if_it_stood_alone() {
    let mut h = History::on(FREE);
    h.commit("a").flush("b1").commit("b").isr(&["b1", "b2"]).crash("b3").isr(&["b1"]).crash("b2");
    h.lose_power("b1", 1).restart("b1").elect("b1").restart("b2").restart("b3").follow("b2", "b1").follow("b3", "b1");
    for name in ["b2", "b3"] {
        h.truncate(name, 1, TruncationReason::Diverged).copy(name).fetch(name);
    }
    h.isr(&["b1", "b2", "b3"]).commit("c").settle();
    h.is_judged(Verdict::Sanctioned, "last-replica-standing");

    let mut h = History::on(FREE);
    h.commit("a").flush("b1").commit("b").lose_power("b1", 1).restart("b1");
    h.cries("R9");
    h.elect("b1").also_cries("R8");
}

#[test]
fn a_copy_that_turns_up_later_decides_between_beyond_and_violation() {
    let lost = |survivor: usize| {
        let mut h = History::new();
        h.commit("a").flush("b1").flush("b2").flush("b3").commit("b");
        h.lose_power("b1", 1)
            .lose_power("b2", survivor)
            .lose_power("b3", 1)
            .isr(&["b2", "b3"])
            .boot("b1")
            .recover("b1")
            .register("b1");
        h.isr(&["b2", "b3"]).elect("b1").isr(&["b1"]).restart("b2").judgement()
    };
    assert_eq!(report(&lost(1), "R8").violated, 0);
    assert_eq!(report(&lost(2), "R8").violated, 1);
}

#[test]
fn acks_one_may_lose_what_its_leader_took_along() {
    let mut h = History::on(Terms { acks: 1, ..FREE });
    h.commit("a").write("b").append("b1", "b").ack("b1", "b").crash("b1").isr(&["b2", "b3"]).elect("b2").fetch("b3").commit("c");
    h.restart("b1").follow("b1", "b2").truncate("b1", 1, TruncationReason::Diverged).copy("b1").fetch("b1");
    h.isr(&["b1", "b2", "b3"]).settle();
    h.is_judged(Verdict::Sanctioned, "acks-1");
    let mut same_leader = History::on(Terms { acks: 1, ..FREE });
    same_leader.commit("a").commit("b").settle_reading(&["a", "x"]).also_cries("B1");
}

#[test]
fn acks_zero_promises_nothing() {
    let mut h = History::on(Terms { acks: 0, ..FREE });
    h.commit("a").write("b").acknowledged("b", None).settle();
    h.is_judged(Verdict::Sanctioned, "acks-0");
}

#[test]
fn a_duplicate_without_idempotence_is_sanctioned() {
    let mut h = History::on(FREE);
    h.write("a").append("b1", "a").append("b1", "a").replicate().advance("b1").ack("b1", "a").settle();
    h.is_judged(Verdict::Sanctioned, "retries-without-idempotence");
    assert_eq!(count(&h.judgement(), "duplicated"), 1);
}

#[test]
fn what_proves_nothing_is_unknown() {
    let mut h = History::new();
    h.must_exercise("R11").must_exercise("B1").commit("a").settle();
    h.is_judged(Verdict::Unknown, "B1");
    let mut h = eventful();
    h.must_exercise("R11").must_exercise("B1").settle();
    assert_eq!(h.judgement().verdict, Verdict::Pass);
}

#[test]
fn the_gravest_verdict_counts_and_its_first_finding_names_it() {
    let mut h = History::new();
    h.must_exercise("B1").commit("a").settle();
    h.world("b1", WorldFact::Panicked { message: "assertion".to_string() });
    h.is_judged(Verdict::Crash, "panic");
    h.write("b").append("b1", "b").ack("b1", "b");
    let judgement = h.judgement();
    assert_eq!((judgement.verdict, judgement.verdict.exit_code()), (Verdict::Violation, 1));
    assert!(judgement.sentence.starts_with("R12 failed: b1 acknowledges [1, 2) of orders-0"), "{}", judgement.sentence);
}

#[test]
fn each_verdict_has_its_exit_code() {
    let codes: Vec<(&str, u8)> = Verdict::ALL.iter().map(|verdict| (verdict.name(), verdict.exit_code())).collect();
    let graver_last =
        [("PASS", 0), ("SANCTIONED", 0), ("BEYOND_TOLERANCE", 0), ("UNKNOWN", 4), ("HANG", 3), ("CRASH", 2), ("VIOLATION", 1)];
    assert_eq!(codes, graver_last);
}

// ---- liveness -----------------------------------------------------------------------------------------------------

#[test]
fn obligations_say_what_waits_for_what() {
    let mut h = History::new();
    h.commit("a").crash("b1").isr(&["b2", "b3"]).decide("b2", false).write("b");
    h.begin_to_settle();
    assert_eq!(
        h.judge().obligations(),
        [
            "L2: p1 waits for the end of 1 writes",
            "L10: b1 waits to be started",
            "L1: orders-0 waits for b2 to hear that b2 leads it in epoch 2",
            "L3: orders-0 waits for a leader before anything is committed",
            "L4: orders-0 waits for its full ISR: missing b1 (down)",
            "B1: orders-0 waits for the laboratory's consumer, which has read up to 0 of 1",
        ]
    );
    assert_eq!(h.judgement().verdict, Verdict::Hang);
    assert_eq!(h.judgement().property.as_deref(), Some("L1"));
}

#[test]
fn obligations_end_when_all_is_read() {
    let mut h = eventful();
    assert!(h.judge().is_quiet() && !h.judge().is_settled());
    h.begin_to_settle();
    assert!(h.judge().is_quiet() && !h.judge().is_settled());
    h.read("lab", 0, &["a", "b", "c"]);
    assert_eq!(h.judge().obligations(), ["B1: orders-0 waits for the laboratory's consumer, which has read up to 3 of 5"]);
    h.read("lab", 3, &["d", "e"]);
    assert!(h.judge().is_settled() && h.judge().obligations().is_empty());
}

#[test]
fn each_missed_obligation_hangs_under_its_own_name() {
    let mut l3 = History::new();
    l3.commit("a").write("b").append("b1", "b").failed("b", Certainty::Indefinite).begin_to_settle();
    l3.is_judged(Verdict::Hang, "L3");
    let mut l4 = History::new();
    l4.commit("a").isr(&["b1", "b2"]).begin_to_settle();
    l4.is_judged(Verdict::Hang, "L4");
    let mut l2 = History::new();
    l2.commit("a").write("b").begin_to_settle();
    l2.is_judged(Verdict::Hang, "L2");
    let mut reader = History::new();
    reader.commit("a").begin_to_settle();
    reader.is_judged(Verdict::Hang, "settle");
}

#[test]
fn liveness_is_exercised_where_something_had_to_heal() {
    let mut h = History::new();
    h.commit("a").crash("b1").isr(&["b2", "b3"]).decide("b2", false).write("b").begin_to_settle();
    h.everybody_hears("b2").fetch("b3").append("b2", "b").replicate().advance("b2").ack("b2", "b");
    h.restart("b1").follow("b1", "b2").copy("b1").fetch("b1").isr(&["b1", "b2", "b3"]);
    h.read("lab", 0, &["a", "b"]).world("c1", WorldFact::Settled);
    for check in ["L1", "L2", "L4"] {
        h.satisfies(check);
    }
}

#[test]
fn what_nobody_watches_still_ends() {
    let mut h = eventful();
    h.unwatched().begin_to_settle().read("lab", 0, &["a", "b", "c", "d", "e"]);
    assert!(h.judge().is_settled());
    assert_eq!(h.judgement().verdict, Verdict::Pass);
}

// ---- retention ------------------------------------------------------------------------------------------------------

/// Everybody gives up "a" and "b", a follower late, another one begins anew where the leader's log begins.
fn retained() -> History {
    let mut h = History::new();
    h.commit("a").commit("b").commit("c").crash("b3").isr(&["b1", "b2"]).commit("d");
    h.start_at("b1", 2).follow_mark("b2", 4).start_at("b2", 2).read("reader", 2, &["c"]);
    h
}

#[test]
fn what_retention_took_is_not_missed() {
    let mut h = retained();
    h.restart("b3")
        .follow("b3", "b1")
        .copy("b3")
        .fetch("b3")
        .isr(&["b1", "b2", "b3"])
        .elect("b2")
        .fetch("b1")
        .fetch("b3")
        .commit("e");
    h.begin_to_settle().read("lab", 2, &["c", "d", "e"]).world("c1", WorldFact::Settled);
    for name in ["b1", "b2", "b3"] {
        h.audit(name, AuditMoment::End);
    }
    for check in ["B1", "R20", "D3"] {
        h.satisfies(check);
    }
    assert_eq!(count(&h.judgement(), "lost"), 0);
}

#[test]
fn what_retention_left_is_missed() {
    let mut h = retained();
    h.elect("b2").fetch("b1").advance("b2").begin_to_settle().read("lab", 2, &["c", "x"]);
    h.world("c1", WorldFact::Settled).also_cries("B1");
    assert_eq!(count(&h.judgement(), "lost"), 1);
}

#[test]
fn a_log_of_which_nothing_is_left_needs_no_reader() {
    let mut h = History::new();
    h.commit("a").follow_mark("b2", 1).follow_mark("b3", 1);
    h.start_at("b1", 1).start_at("b2", 1).start_at("b3", 1).begin_to_settle();
    assert!(h.judge().is_settled(), "{:?}", h.judge().obligations());
    h.world("c1", WorldFact::Settled).satisfies("D3");
}

#[test]
fn a_zombies_end_is_counted_and_not_blamed() {
    let mut h = History::new();
    h.commit("a").isr_by_decree(&["b2", "b3"]).decide("b2", false).act("b2", &["b3"]).fetch("b3").commit("b");
    h.ask_end("reader").list_end("b1", 1).told_end("reader", 1);
    h.satisfies("B12");
    assert_eq!(count(&h.judgement(), "stale_ends"), 1);
}

#[test]
fn what_a_frozen_broker_does_not_answer_is_no_leak() {
    let mut h = History::new();
    h.commit("a").world("b1", WorldFact::Paused).waited("b1", 9, 1).world("b1", WorldFact::Resumed);
    h.commit("b").waited("b1", 1, 1).satisfies("D11");
}

#[test]
fn an_outer_finding_needs_an_earlier_inner_one() {
    // The client was told of the wrong end before anything was wrong inside.
    let mut h = History::new();
    h.commit("a").commit("b").read("reader", 0, &["a", "b"]).ask_end("reader").told_end("reader", 1);
    h.write("c").append("b1", "c").ack("b1", "c");
    assert_eq!(count(&h.judgement(), "unexplained"), 1, "{}", told(&h.judgement()));
}
