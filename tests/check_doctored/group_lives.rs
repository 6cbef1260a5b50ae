//! Whole lives of consumer groups: what the configuration allows, what is counted and not blamed, and how it all goes well.

use brokerlab::fact::TruncationReason;
use brokerlab::fact::group::{GroupState, RemovalReason};
use brokerlab_reports::verdict::Verdict;
use brokerlab_sim::check::{Commits, Reset};

use super::history::{History, TERMS, Terms, count, found, told};

/// A member of a group that commits "a" and "b" before it processes, and dies after the first of them.
fn dies_at_work(commits: Commits) -> History {
    let mut h = History::group_at_work(commits);
    h.commit_offset("m1", 1, 2).process("m1", 0, 1).gone("m1").wait(11).remove("m1", RemovalReason::SessionExpired);
    h.join("m2").begin(2, &["m2"]).share_out(2, &[("m2", &[0])]).own("m2", 2, &[0]).tell_offset("m2", Some(2)).take(
        "m2",
        2,
        Some(2),
    );
    h.settle();
    h
}

#[test]
fn who_commits_first_may_leave_records_out() {
    dies_at_work(Commits::BeforeProcessing).is_judged(Verdict::Sanctioned, "at-most-once");
    dies_at_work(Commits::AfterProcessing).also_cries("B14").cries("B8");
}

#[test]
fn what_a_group_leaves_out_and_what_it_does_twice_is_counted() {
    let counts = |h: &History| {
        let judgement = h.judgement();
        ["unprocessed", "redelivered", "refused_commits", "interrupted_rebalances"].map(|name| count(&judgement, name))
    };
    assert_eq!(counts(&dies_at_work(Commits::BeforeProcessing)), [1, 0, 0, 0]);
    let mut h = History::group_at_work(Commits::AfterProcessing);
    h.process("m1", 0, 1).commit_offset("m1", 1, 1).process("m1", 1, 2);
    h.wait(11).remove("m1", RemovalReason::SessionExpired).refuse_commit("m1", 1, 2);
    h.join("m2").begin(2, &["m2"]).share_out(2, &[("m2", &[0])]).own("m2", 2, &[0]).tell_offset("m2", Some(1));
    h.take("m2", 2, Some(1)).process("m2", 1, 2);
    assert_eq!(counts(&h), [0, 1, 1, 0]);
    h.enter(GroupState::PreparingRebalance, 2).coordinate_at("b2");
    assert_eq!(counts(&h), [0, 1, 1, 1]);
}

/// KIP-345: no rebalance, no new assignment; what was the former self's is the successor's.
#[test]
fn a_static_member_that_comes_back_owns_what_its_former_self_did() {
    let mut h = History::with_group(Commits::AfterProcessing, Reset::Earliest);
    h.commit("a").join_as("m1", "m1", Some("i")).begin(1, &["m1"]).share_out(1, &[("m1", &[0])]).own("m1", 1, &[0]);
    h.take("m1", 1, None).process("m1", 0, 1).commit_offset("m1", 1, 1).gone("m1");
    h.remove("m1", RemovalReason::Replaced).join_as("m2", "m2", Some("i"));
    h.own("m2", 1, &[0]).tell_offset("m2", Some(1)).take("m2", 1, Some(1)).settle();
    let judgement = h.judgement();
    assert_eq!(judgement.verdict, Verdict::Pass, "{}", told(&judgement));
}

#[test]
fn the_word_of_a_deposed_coordinator_is_counted_and_not_blamed() {
    let mut h = History::group_at_work(Commits::AfterProcessing);
    h.process("m1", 0, 1).commit_offset("m1", 1, 1).process("m1", 1, 2);
    h.lead_offsets("b2").load(&[found(1, &["m1"], Some(1))]).commit_offset("m1", 1, 2);
    h.tell_offset_from("b1", "m2", Some(1));
    let judgement = h.judgement();
    assert_eq!((judgement.verdict, count(&judgement, "stale_ends")), (Verdict::Pass, 1), "{}", told(&judgement));
    h.tell_offset_from("b2", "m2", Some(1)).cries("B11");
}

#[test]
fn a_group_goes_on_after_its_coordinator_has_died() {
    let mut h = History::group_at_work(Commits::AfterProcessing);
    h.process("m1", 0, 1).commit_offset("m1", 1, 1).process("m1", 1, 2).store_offset("m1", 1, 2);
    // The second commit was copied by nobody, so the new coordinator does not know it; nor was it acknowledged.
    h.coordinate_at("b2").load(&[found(1, &["m1"], Some(1))]).heartbeat("m1", 1).commit_offset("m1", 1, 2);
    h.enter(GroupState::PreparingRebalance, 1).join("m2").revoke("m1", 1, &[0]).begin(2, &["m1", "m2"]);
    h.share_out(2, &[("m1", &[]), ("m2", &[0])]).own("m1", 2, &[]).own("m2", 2, &[0]).tell_offset("m2", Some(2));
    h.take("m2", 2, Some(2)).commit("c").process("m2", 2, 3).commit_offset("m2", 2, 3).settle();
    ["G1", "G2", "G5", "G6", "G7", "G8", "G10", "B8", "B9", "B10", "B11", "B14"].iter().for_each(|check| h.satisfies(check));
}

#[test]
fn what_was_assigned_to_a_static_member_is_its_next_selfs() {
    let mut h = History::with_group(Commits::AfterProcessing, Reset::Earliest);
    h.join_as("m1", "m1", Some("i")).begin(1, &["m1"]).share_out(1, &[("m1", &[0])]).own("m1", 1, &[0]).gone("m1");
    h.remove("m1", RemovalReason::Replaced).append_offset();
    h.secure().join_as("m2", "m2", Some("i")).answer_sync("m2", 1, &[0]).own("m2", 1, &[0]).settle();
    assert_eq!(h.judgement().verdict, Verdict::Pass, "{}", told(&h.judgement()));
}

#[test]
fn who_begins_without_a_commit_begins_where_its_leader_does() {
    // b2 has given up more than the leader.
    let mut h = History::with_group(Commits::AfterProcessing, Reset::Earliest);
    h.commit("a").commit("b").commit("c").follow_mark("b2", 2).start_at("b2", 2);
    h.join("m1").begin(1, &["m1"]).share_out(1, &[("m1", &[0])]).own("m1", 1, &[0]).take("m1", 1, None).process("m1", 0, 3);
    assert_eq!(h.judgement().verdict, Verdict::Pass, "{}", told(&h.judgement()));
}

/// "b" was processed and committed, and then lost; "c" stands in its place when `m2` takes over.
fn takes_over_after_a_loss(from: i64) -> History {
    let terms = Terms { min_isr: 1, unclean: true, idempotent: false, ..TERMS };
    let mut h = History::with_group_on(terms, Commits::AfterProcessing, Reset::Earliest);
    h.commit("a").isr(&["b1"]).commit("b").join("m1").begin(1, &["m1"]).share_out(1, &[("m1", &[0])]).own("m1", 1, &[0]);
    h.take("m1", 1, None).process("m1", 0, 2).commit_offset("m1", 1, 2);
    h.elect_unclean("b2").truncate("b1", 1, TruncationReason::Diverged).copy("b1").fetch("b1").copy("b3").fetch("b3");
    h.isr(&["b1", "b2", "b3"]).commit("c").commit("d").gone("m1").wait(11).remove("m1", RemovalReason::SessionExpired);
    h.join("m2").begin(2, &["m2"]).share_out(2, &[("m2", &[0])]).own("m2", 2, &[0]).tell_offset("m2", Some(2));
    h.take("m2", 2, Some(2)).process("m2", from, 3);
    h
}

#[test]
fn who_takes_over_does_not_go_on_behind_what_was_rewritten() {
    takes_over_after_a_loss(2).cries("B9");
    takes_over_after_a_loss(1).is_judged(Verdict::Sanctioned, "unclean-election");
}

#[test]
fn the_zombie_of_a_coordinator_that_has_died_too_is_no_successor() {
    let mut h = History::group_at_work(Commits::AfterProcessing);
    h.lead_offsets("b2").load(&[found(1, &["m1"], None)]).enter(GroupState::PreparingRebalance, 1).begin(2, &["m1"]);
    h.share_out(2, &[("m1", &[0])]).own("m1", 2, &[]).crash("b2");
    // b1 led before, and has heard of nothing.
    let (group, members) = (std::sync::Arc::from("billing"), vec!["m1".into()]);
    h.group_fact("b1", brokerlab::fact::GroupFact::GenerationBegun { group, generation: 2, members });
    assert_eq!(h.judgement().verdict, Verdict::Pass, "{}", told(&h.judgement()));
}
