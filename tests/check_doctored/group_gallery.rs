//! Doctored histories of consumer groups, each with its healthy twin.

use std::sync::Arc;

use brokerlab::fact::GroupFact;
use brokerlab::fact::group::{GroupProtocol, GroupState, RemovalReason};
use brokerlab_sim::check::{Commits, Reset};

use super::gallery::{Exhibit, Step, exhibit, rest};
use super::history::{History, found, partitions};

const AFTER: Commits = Commits::AfterProcessing;

/// `m1` has processed "a" and "b" and committed the first; the partition goes to `m2` in generation 2.
fn handed_over() -> History {
    let mut h = History::group_at_work(AFTER);
    h.process("m1", 0, 1).commit_offset("m1", 1, 1).process("m1", 1, 2);
    h.enter(GroupState::PreparingRebalance, 1).join("m2").revoke("m1", 1, &[0]).begin(2, &["m1", "m2"]);
    h.share_out(2, &[("m1", &[]), ("m2", &[0])]).own("m1", 2, &[]).own("m2", 2, &[0]);
    h
}

/// All of them.
pub const GROUP_GALLERY: &[Exhibit] = &[
    exhibit("G1", "a generation comes twice", |step| {
        let mut h = History::group_at_work(AFTER);
        h.enter(GroupState::PreparingRebalance, 1).begin(step.of(1, 2), &["m1"]);
        h
    }),
    exhibit("G1", "a new coordinator gives a generation once more that members have lived by", |step| {
        let mut h = History::group_at_work(AFTER);
        h.coordinate_at("b2").load(&[found(1, &["m1"], None)]).enter(GroupState::PreparingRebalance, 1).begin(2, &["m1"]);
        h.share_out(2, &[("m1", &[0])]).own("m1", 2, &[0]);
        // The coordinator has crashed and comes again without a word of what it found.
        h.coordinate_at("b1");
        if step == Step::Right {
            h.load(&[found(2, &["m1"], None)]);
        }
        h.join("m1").begin(step.of(1, 3), &["m1"]);
        h
    }),
    exhibit("G2", "a partition is given to two members", |step| {
        let mut h = History::with_group(AFTER, Reset::Earliest);
        h.join("m1").join("m2").begin(1, &["m1", "m2"]).share_out(1, &[("m1", &[0]), ("m2", step.of::<&[i32]>(&[0], &[]))]);
        h
    }),
    exhibit("G2", "a partition is given to nobody", |step| {
        let mut h = History::with_group(AFTER, Reset::Earliest);
        h.wait(20).join("m1").begin(1, &["m1"]).share_out(1, &[("m1", step.of::<&[i32]>(&[], &[0]))]);
        h
    }),
    exhibit("G3", "two members of a generation own the same partition", |step| {
        let mut h = History::with_group(AFTER, Reset::Earliest);
        h.join("m1").join("m2").begin(1, &["m1", "m2"]).share_out(1, &[("m1", &[0]), ("m2", &[1])]).own("m1", 1, &[0]);
        h.own("m2", 1, step.of::<&[i32]>(&[0], &[1]));
        h
    }),
    exhibit("G3", "an owner keeps what the next generation gave to another; right is that it was counted out", |step| {
        let mut h = History::group_at_work(AFTER);
        h.enter(GroupState::PreparingRebalance, 1).join("m2");
        let members: &[&str] = step.of(&["m1", "m2"], &["m2"]);
        if step == Step::Right {
            h.remove("m1", RemovalReason::RebalanceExpired);
        }
        h.begin(2, members).share_out(2, &[("m2", &[0])]);
        if step == Step::Wrong {
            h.own("m1", 2, &[]);
        }
        h.own("m2", 2, &[0]).revoke("m1", 1, &[0]).join("m1").begin(3, &["m1", "m2"]).own("m1", 3, &[]).own("m2", 3, &[]);
        h.own("m1", 3, &[1]);
        h
    }),
    exhibit("G3", "newer protocol: two members own a partition, each in its own epoch", |step| {
        let mut h = newer_group();
        h.join("m2").own("m1", 5, &[0]).own("m2", 4, &[step.of(0, 1)]);
        h
    }),
    exhibit("G5", "newer protocol: a commit in another epoch than the member's is stored", |step| {
        let mut h = newer_group();
        h.reconcile("m1", 3).own("m1", 3, &[0]).take("m1", 3, None).process("m1", 0, 1).commit_offset("m1", step.of(2, 3), 1);
        h
    }),
    exhibit("B10", "newer protocol: two members work on a partition, each in its own epoch", |step| {
        let mut h = newer_group();
        h.join("m2").own("m1", 5, &[0]).take("m1", 5, None).process("m1", 0, 1);
        if step == Step::Right {
            h.revoke("m1", 5, &[0]);
        }
        h.take("m2", 4, None).process("m2", 0, 1);
        h
    }),
    exhibit("G4", "a group is called stable before a member has come so far", |step| {
        let mut h = History::with_group(AFTER, Reset::Earliest);
        h.enter(GroupState::Assigning, 0).join("m1").enter(GroupState::Reconciling, 1);
        let (group, member, assigned) = (Arc::from("billing"), Arc::from("m1"), partitions(&[0]));
        let assignment = vec![(Arc::from("m1"), partitions(&[0]))];
        let subscribed = partitions(&[0]);
        let decided = GroupFact::AssignmentDecided { group: Arc::from("billing"), generation: 1, assignment, subscribed };
        h.group_fact("b1", decided);
        let revoking = step.of(partitions(&[1]), Vec::new());
        h.group_fact("b1", GroupFact::MemberReconciled { group, member, epoch: 1, assigned, revoking });
        h.enter(GroupState::Stable, 1);
        h
    }),
    exhibit("G5", "a commit of a generation of the past is stored", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1).enter(GroupState::PreparingRebalance, 1).join("m1").begin(2, &["m1"]).share_out(2, &[("m1", &[0])]);
        h.own("m1", 2, &[]).commit_offset("m1", step.of(1, 2), 1);
        h
    }),
    exhibit("G5", "a commit is stored while the new assignment is awaited", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1).enter(GroupState::PreparingRebalance, 1).join("m1").begin(2, &["m1"]);
        if step == Step::Right {
            h.share_out(2, &[("m1", &[0])]);
        }
        h.commit_offset("m1", 2, 1);
        h
    }),
    exhibit("G5", "somebody who is no member commits; right is that the group has none", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1).commit_offset("m1", 1, 1).revoke("m1", 1, &[0]);
        if step == Step::Right {
            h.remove("m1", RemovalReason::Left).enter(GroupState::Empty, 2);
        }
        h.commit_offset("m2", -1, 0);
        h
    }),
    exhibit("G6", "a commit is beyond the high watermark", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 2).commit_offset("m1", 1, step.of(3, 2));
        h
    }),
    exhibit("G6", "a commit goes back", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 2).commit_offset("m1", 1, 2).commit_offset("m1", 1, step.of(1, 2));
        h
    }),
    exhibit("G6", "a commit goes back; right is that retention overtook its member, and the next leader has more", |step| {
        let mut h = History::group_at_work(AFTER);
        h.commit("c").process("m1", 0, 2).commit_offset("m1", 1, 2);
        if step == Step::Right {
            h.start_at("b1", 3);
        }
        h.elect("b2").fetch("b1").fetch("b3").commit_offset("m1", 1, 1);
        h
    }),
    exhibit("G6", "a commit goes back though retention overtook; right is that the group resets to the beginning", |step| {
        let mut h = History::with_group(AFTER, step.of(Reset::Latest, Reset::Earliest));
        h.commit("a").commit("b").commit("c").join("m1").begin(1, &["m1"]).share_out(1, &[("m1", &[0])]).own("m1", 1, &[0]);
        h.take("m1", 1, None).process("m1", 0, 2).commit_offset("m1", 1, 2).start_at("b1", 3);
        h.elect("b2").fetch("b1").fetch("b3").commit_offset("m1", 1, 1);
        h
    }),
    exhibit("G6", "who has given a partition up commits it behind its next owner", |step| {
        let mut h = handed_over();
        h.commit("c").tell_offset("m2", Some(1)).take("m2", 2, Some(1)).process("m2", 1, 3).commit_offset("m2", 2, 3);
        h.commit_offset("m1", 2, step.of(2, 3));
        h
    }),
    exhibit("G7", "a new coordinator has forgotten everything", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1).commit_offset("m1", 1, 1).coordinate_at("b2");
        h.load(&step.of(vec![], vec![found(1, &["m1"], Some(1))]));
        h
    }),
    exhibit("G7", "a new coordinator has read an older commit only", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 2).commit_offset("m1", 1, 1).commit_offset("m1", 1, 2).coordinate_at("b2");
        h.load(&[found(1, &["m1"], Some(step.of(1, 2)))]);
        h
    }),
    exhibit("G7", "a new coordinator does not know a member", |step| {
        let mut h = History::with_group(AFTER, Reset::Earliest);
        h.join("m1").join("m2").begin(1, &["m1", "m2"]).share_out(1, &[("m1", &[0]), ("m2", &[])]).coordinate_at("b2");
        h.load(&[found(1, step.of::<&[&str]>(&["m1"], &["m1", "m2"]), None)]);
        h
    }),
    exhibit("G8", "a partition is given away before it is given up", |step| {
        let mut h = History::group_at_work(AFTER);
        h.enter(GroupState::PreparingRebalance, 1).join("m2").begin(2, &["m1", "m2"]).share_out(2, &[("m1", &[]), ("m2", &[0])]);
        if step == Step::Right {
            h.revoke("m1", 1, &[0]);
        }
        h.own("m2", 2, &[0]);
        h
    }),
    exhibit("G8", "a member keeps what its successor gets; right is that it was counted out", |step| {
        let mut h = History::group_at_work(AFTER);
        h.enter(GroupState::PreparingRebalance, 1).join("m2");
        if step == Step::Right {
            h.remove("m1", RemovalReason::RebalanceExpired);
        }
        h.begin(2, &["m2"]).share_out(2, &[("m2", &[0])]).own("m2", 2, &[0]);
        h
    }),
    exhibit("G9", "a member that heart-beats is counted out", |step| {
        let mut h = History::group_at_work(AFTER);
        h.wait(8).heartbeat("m1", 1).wait(step.of(4, 11)).remove("m1", RemovalReason::SessionExpired);
        h
    }),
    exhibit("G9", "a silent member is counted out late", |step| {
        let mut h = History::group_at_work(AFTER);
        h.wait(8).heartbeat("m1", 1).wait(step.of(30, 11)).remove("m1", RemovalReason::SessionExpired);
        h
    }),
    exhibit("G10", "a commit is acknowledged before it is committed", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1).store_offset("m1", 1, 1);
        if step == Step::Right {
            h.secure();
        }
        h.answer_commit("m1", 1, 1).secure();
        h
    }),
    exhibit("G10", "an assignment is handed out before it is committed", |step| {
        let mut h = History::with_group(AFTER, Reset::Earliest);
        h.join("m1").begin(1, &["m1"]).decide_shares(1, &[("m1", &[0])]);
        if step == Step::Right {
            h.secure();
        }
        h.answer_sync("m1", 1, &[0]).secure();
        h
    }),
    exhibit("G10", "a commit is acknowledged that was never stored", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1);
        if step == Step::Right {
            h.store_offset("m1", 1, 1).secure();
        }
        h.answer_commit("m1", 1, 1);
        h
    }),
    exhibit("G10", "a static member is told that it has its former place before that is committed", |step| {
        let mut h = History::with_group(AFTER, Reset::Earliest);
        h.join_as("m1", "m1", Some("i")).begin(0, &["m1"]).share_out(0, &[("m1", &[0])]).own("m1", 0, &[0]);
        h.remove("m1", RemovalReason::Replaced).append_offset();
        if step == Step::Right {
            h.secure();
        }
        h.join_as("m2", "m2", Some("i")).secure();
        h
    }),
    exhibit("G11", "one instance is two members", |step| {
        let mut h = History::with_group(AFTER, Reset::Earliest);
        h.join_as("m1", "m1", Some("i"));
        if step == Step::Right {
            h.remove("m1", RemovalReason::Replaced);
        }
        h.join_as("m2", "m2", Some("i"));
        h
    }),
    exhibit("B8", "what is committed was not processed", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1).commit_offset("m1", 1, step.of(2, 1));
        h
    }),
    exhibit("B8", "a record in the middle was not processed; right is that retention took it", |step| {
        let mut h = History::group_at_work(AFTER);
        h.commit("c").process("m1", 0, 1);
        if step == Step::Right {
            h.start_at("b1", 2);
        }
        h.process("m1", 2, 3).commit_offset("m1", 1, 3);
        h
    }),
    exhibit("B9", "a member begins at what was overwritten", |step| {
        let mut h = handed_over();
        h.commit_offset("m2", 2, 1);
        let place = step.of(None, Some(1));
        h.tell_offset("m2", Some(1)).take("m2", 2, place);
        h
    }),
    exhibit("B9", "a member leaves a record out", |step| {
        let mut h = handed_over();
        h.commit("c").tell_offset("m2", Some(1)).take("m2", 2, Some(1)).process("m2", step.of(2, 1), 3);
        h
    }),
    exhibit("B9", "a member begins before its place", |step| {
        let mut h = handed_over();
        h.tell_offset("m2", Some(1)).take("m2", 2, Some(1)).process("m2", step.of(0, 1), 2);
        h
    }),
    exhibit("B10", "who has given a partition up goes on", |step| {
        let mut h = handed_over();
        h.commit("c").tell_offset("m2", Some(1)).take("m2", 2, Some(1)).process("m2", 1, 2);
        h.process(step.of("m1", "m2"), 2, 3);
        h
    }),
    exhibit("B11", "a committed offset is forgotten", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1).commit_offset("m1", 1, 1).tell_offset("m1", step.of(None, Some(1)));
        h
    }),
    exhibit("B11", "an older committed offset is told", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 2).commit_offset("m1", 1, 1).commit_offset("m1", 1, 2).tell_offset("m1", Some(step.of(1, 2)));
        h
    }),
    exhibit("B11", "an offset is told that may yet be lost", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1).store_offset("m1", 1, 1);
        if step == Step::Right {
            h.secure();
        }
        h.tell_offset("m1", Some(1));
        h
    }),
    exhibit("B13", "a record comes twice to the same owner; right is once more to the next one", |step| {
        let mut h = handed_over();
        h.tell_offset("m2", Some(1)).take("m2", 2, Some(1)).process("m2", 1, 2);
        if step == Step::Wrong {
            h.process("m2", 1, 2);
        }
        h
    }),
    exhibit("B13", "a record comes twice; right is that retention sent its owner to the beginning", |step| {
        let mut h = History::group_at_work(AFTER);
        h.commit("c").process("m1", 0, 2);
        if step == Step::Right {
            h.start_at("b1", 3);
        }
        h.elect("b2").fetch("b1").fetch("b3").process("m1", 0, 1);
        h
    }),
    exhibit("B13", "a record below an acknowledged commit comes again", |step| {
        let mut h = handed_over();
        h.commit("c").tell_offset("m2", Some(1)).take("m2", 2, Some(1)).process("m2", 1, 3);
        if step == Step::Wrong {
            h.process("m2", 0, 1);
        }
        h
    }),
    exhibit("B14", "a record is never processed", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 1).begin_to_settle();
        if step == Step::Right {
            h.process("m1", 1, 2);
        }
        rest(&mut h, &["a", "b"]);
        h
    }),
    exhibit("L5", "a rebalance never ends", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 2).enter(GroupState::PreparingRebalance, 1).begin_to_settle();
        if step == Step::Right {
            h.begin(2, &["m1"]).share_out(2, &[("m1", &[0])]).own("m1", 2, &[]);
        }
        rest(&mut h, &["a", "b"]);
        h
    }),
    exhibit("L5", "nobody owns a partition", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 2).revoke("m1", 1, &[0]).begin_to_settle();
        if step == Step::Right {
            h.own("m1", 1, &[0]);
        }
        rest(&mut h, &["a", "b"]);
        h
    }),
    exhibit("L7", "rebalances go on", |step| {
        let mut h = History::group_at_work(AFTER);
        h.process("m1", 0, 2).begin_to_settle();
        for generation in 2..step.of(20, 4) {
            h.enter(GroupState::PreparingRebalance, generation - 1).begin(generation, &["m1"]);
            h.share_out(generation, &[("m1", &[0])]).own("m1", generation, &[]);
        }
        rest(&mut h, &["a", "b"]);
        h
    }),
];

/// A group of the newer protocol with the member `m1`; "a" and "b" are there.
fn newer_group() -> History {
    let mut h = History::with_group(AFTER, Reset::Earliest);
    let (group, protocol) = (Arc::from("billing"), GroupProtocol::Consumer);
    h.commit("a").commit("b").group_fact("b1", GroupFact::ProtocolChanged { group, protocol, generation: 0 }).join("m1");
    h
}
