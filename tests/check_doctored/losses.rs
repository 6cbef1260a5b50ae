//! Losses that are sanctioned, and what they drag along.

use brokerlab::fact::TruncationReason;
use brokerlab_reports::verdict::Verdict;

use super::history::{History, TERMS, Terms};

/// The log that was lost had been given up as a whole by whom the next unclean election chooses; a follower begins anew at that start.
fn given_up_lost_and_brought_back(start: i64) -> History {
    let mut h = History::on(Terms { min_isr: 1, unclean: true, ..TERMS });
    h.commit("a").commit("b").isr(&["b1", "b2"]).commit("c").follow_mark("b2", 3).start_at("b2", 3);
    h.elect_unclean("b3").elect_unclean("b2").truncate("b3", start, TruncationReason::BelowLeaderStart).start_at("b3", start);
    h
}

#[test]
fn what_was_given_up_before_it_was_lost_comes_back_as_given_up() {
    given_up_lost_and_brought_back(3).is_judged(Verdict::Sanctioned, "unclean-election");
    given_up_lost_and_brought_back(4).cries("R14");
}

/// b2 has copied "b", is the last of the ISR, and comes back without it; b1, which has not heard of that, commits it.
fn commits_what_the_present_leader_lacks(lose: impl Fn(&mut History)) -> History {
    let mut h = History::on(Terms { min_isr: 1, ..TERMS });
    h.commit("a").isr(&["b1", "b2"]).write("b").append("b1", "b").copy("b2").fetch("b2").isr(&["b2"]);
    lose(&mut h);
    h.decide("b2", false).act("b2", &["b3"]).advance_to("b1", 2, &["b1", "b2"]).fetch("b3").isr(&["b2", "b3"]);
    h
}

#[test]
fn what_a_deposed_leader_commits_may_be_lost_already() {
    let by_power = |h: &mut History| {
        h.lose_power("b2", 1).restart("b2");
    };
    let by_itself = |h: &mut History| {
        h.truncate("b2", 1, TruncationReason::Diverged);
    };
    commits_what_the_present_leader_lacks(by_power).is_judged(Verdict::Sanctioned, "last-replica-standing");
    commits_what_the_present_leader_lacks(by_itself).also_cries("R9");
}

#[test]
fn what_the_leader_lost_with_its_power_another_of_its_isr_may_have() {
    let mut h = History::on(Terms { min_isr: 1, ..TERMS });
    h.commit("a").isr(&["b1", "b2"]).write("b").append("b1", "b").copy("b2").fetch("b2").isr(&["b2"]);
    h.decide("b2", false).act("b2", &["b3"]).copy("b3").fetch("b3").isr(&["b2", "b3"]).advance_to("b2", 2, &["b2", "b3"]);
    h.lose_power("b2", 1).boot("b2").recover("b2").advance_to("b1", 2, &["b1", "b2"]);
    h.isr(&["b3"]).decide("b3", false).act("b3", &["b1", "b2"]);
    h.satisfies("R8");
}

/// b1 is the last of the ISR and loses its disk; b2, which is in no ISR, has begun anew before that.
fn loses_the_last_copy(before: impl Fn(&mut History)) -> History {
    let mut h = History::on(Terms { min_isr: 1, ..TERMS });
    h.commit("a").commit("b").isr(&["b1"]).follow_mark("b2", 2).follow_mark("b3", 2).start_at("b3", 2);
    before(&mut h);
    h.truncate("b2", 0, TruncationReason::BelowLeaderStart).strike("b1", "wipe-disk").lose_log("b1").restart("b1");
    h.decide("b1", false).act("b1", &[]);
    h
}

#[test]
fn who_gives_up_an_empty_log_gives_up_no_copy() {
    let empty = |h: &mut History| {
        h.start_at("b2", 2);
    };
    loses_the_last_copy(empty).is_judged(Verdict::BeyondTolerance, "beyond-tolerance");
    loses_the_last_copy(|_| {}).also_cries("R8");
}
