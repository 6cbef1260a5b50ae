//! What every assignor must do, for random groups: complete, disjoint, balanced; and for the sticky ones: nothing moves for nothing.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

type Topics = BTreeMap<Arc<str>, i32>;

fn topics(counts: &[i32]) -> Topics {
    counts.iter().enumerate().map(|(n, count)| (Arc::from(format!("t{n}")), *count)).collect()
}

fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition { topic: Arc::from(topic), index }
}

/// Members `m0`, `m1` ..., each with the topics whose bits are set.
fn members(wants: &[u8]) -> Members {
    let member = |bits: u8| Subscription {
        topics: (0..8).filter(|n| bits >> n & 1 == 1).map(|n| Arc::from(format!("t{n}"))).collect(),
        generation: -1,
        ..Subscription::default()
    };
    wants.iter().enumerate().map(|(n, bits)| (Arc::from(format!("m{n}")), member(*bits))).collect()
}

/// What was assigned becomes what is owned.
fn own(members: &mut Members, assignment: &Assignment, generation: i32) {
    for (id, member) in members {
        member.owned = assignment.get(id).cloned().unwrap_or_default();
        member.generation = generation;
    }
}

fn loads(assignment: &Assignment) -> Vec<usize> {
    assignment.values().map(BTreeSet::len).collect()
}

fn spread(assignment: &Assignment) -> usize {
    let loads = loads(assignment);
    loads.iter().max().unwrap_or(&0) - loads.iter().min().unwrap_or(&0)
}

/// Disjoint, to subscribers only, and nothing is left over that somebody wants.
fn check(topics: &Topics, members: &Members, assignment: &Assignment) {
    let mut seen = BTreeSet::new();
    assert!(assignment.keys().eq(members.keys()));
    for (id, partitions) in assignment {
        for partition in partitions {
            assert!(seen.insert(partition.clone()), "{partition} is assigned twice");
            assert!(members[id].topics.contains(&partition.topic), "{id} does not want {partition}");
            assert!((0..topics[&partition.topic]).contains(&partition.index));
        }
    }
    let wanted = |partition: &TopicPartition| members.values().any(|member| member.topics.contains(&partition.topic));
    assert!(partitions(topics).filter(wanted).all(|partition| seen.contains(&partition)), "something is left over");
}

/// Partitions that somebody owned, and now somebody else does.
fn moves(members: &Members, assignment: &Assignment) -> usize {
    let owned = members.iter().flat_map(|(id, member)| member.owned.iter().map(move |partition| (id, partition)));
    owned.filter(|(id, partition)| !assignment[*id].contains(*partition)).count()
}

/// The least number of moves that makes these loads, and `orphans` more partitions, differ by at most one.
fn moves_needed(mut owned: Vec<usize>, orphans: usize) -> usize {
    owned.sort_unstable_by(|a, b| b.cmp(a));
    let total = owned.iter().sum::<usize>() + orphans;
    let (floor, more) = (total / owned.len(), total % owned.len());
    owned.iter().enumerate().map(|(at, load)| load.saturating_sub(floor + usize::from(at < more))).sum()
}

fn counts() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(0..9_i32, 1..5)
}

use proptest::strategy::Strategy;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn eager_assignors_are_complete_and_disjoint(counts in counts(), wants in prop::collection::vec(any::<u8>(), 1..7)) {
        let (topics, members) = (topics(&counts), members(&wants));
        for strategy in [super::Strategy::Range, super::Strategy::RoundRobin, super::Strategy::Sticky] {
            check(&topics, &members, &strategy.assign(&topics, &members, Mutants::none()));
        }
    }

    #[test]
    fn equal_subscriptions_are_balanced(counts in counts(), size in 1..7_usize) {
        let (topics, members) = (topics(&counts), members(&vec![u8::MAX; size]));
        for strategy in [super::Strategy::RoundRobin, super::Strategy::Sticky] {
            prop_assert!(spread(&strategy.assign(&topics, &members, Mutants::none())) <= 1);
        }
        // Ranges are balanced within each topic.
        let ranges = super::Strategy::Range.assign(&topics, &members, Mutants::none());
        for topic in topics.keys() {
            let of_topic = |all: &BTreeSet<TopicPartition>| all.iter().filter(|one| one.topic == *topic).cloned().collect();
            let only = ranges.iter().map(|(id, all)| (Arc::clone(id), of_topic(all))).collect();
            prop_assert!(spread(&only) <= 1);
        }
    }

    #[test]
    fn sticky_moves_no_more_than_balance_needs(
        counts in counts(), owners in prop::collection::vec(0..8_usize, 40), size in 1..7_usize,
    ) {
        let topics = topics(&counts);
        let mut members = members(&vec![u8::MAX; size]);
        // Owners that are gone leave orphans behind.
        for (partition, owner) in partitions(&topics).zip(owners) {
            if let Some(member) = members.get_mut(format!("m{owner}").as_str()) {
                member.owned.insert(partition);
            }
        }
        let assignment = super::Strategy::Sticky.assign(&topics, &members, Mutants::none());
        check(&topics, &members, &assignment);
        prop_assert!(spread(&assignment) <= 1);
        let owned: Vec<usize> = members.values().map(|member| member.owned.len()).collect();
        let orphans = partitions(&topics).count() - owned.iter().sum::<usize>();
        prop_assert_eq!(moves(&members, &assignment), moves_needed(owned, orphans));
    }

    /// No member could give a partition to another that has two less and wants it.
    #[test]
    fn unequal_subscriptions_leave_nothing_to_improve(counts in counts(), wants in prop::collection::vec(any::<u8>(), 1..7)) {
        let (topics, members) = (topics(&counts), members(&wants));
        let assignment = super::Strategy::Sticky.assign(&topics, &members, Mutants::none());
        for (id, partitions) in &assignment {
            for (other, theirs) in assignment.iter().filter(|(_, theirs)| theirs.len() + 2 <= partitions.len()) {
                let may_take = partitions.iter().find(|partition| members[other].topics.contains(&partition.topic));
                prop_assert!(may_take.is_none(), "{} could take {:?} from {}: {:?}", other, may_take, id, theirs);
            }
        }
    }

    /// Whatever members come, go and claim: nobody is given what another claims, and after a second round all is handed out.
    #[test]
    fn cooperative_needs_two_rounds(
        counts in counts(), before in 1..7_usize, after in 1..7_usize, strays in prop::collection::vec((0..7_usize, 0..40_usize), 0..4),
    ) {
        let topics = topics(&counts);
        let mut old = members(&vec![u8::MAX; before]);
        let first = super::Strategy::CooperativeSticky.assign(&topics, &old, Mutants::none());
        own(&mut old, &first, 1);
        let mut group = members(&vec![u8::MAX; after]);
        for (id, member) in &mut group {
            if let Some(known) = old.get(id) {
                member.clone_from(known);
            }
        }
        // Claims of members that have missed a generation.
        for (who, what) in strays {
            let claimed = partitions(&topics).nth(what);
            if let (Some(member), Some(claimed)) = (group.get_mut(format!("m{who}").as_str()), claimed) {
                member.owned.insert(claimed);
            }
        }
        for round in [2, 3] {
            let assignment = super::Strategy::CooperativeSticky.assign(&topics, &group, Mutants::none());
            for (id, partitions) in &assignment {
                for (other, member) in group.iter().filter(|(other, _)| *other != id) {
                    let both = partitions.intersection(&member.owned).next();
                    prop_assert!(both.is_none(), "{:?} goes to {} before {} has dropped it", both, id, other);
                }
            }
            own(&mut group, &assignment, round);
            if round == 3 {
                check(&topics, &group, &assignment);
                prop_assert!(spread(&assignment) <= 1);
                let again = super::Strategy::CooperativeSticky.assign(&topics, &group, Mutants::none());
                prop_assert_eq!(moves(&group, &again), 0);
            }
        }
    }
}

#[test]
fn ranges_of_topics_that_are_alike_are_cut_alike() {
    let assignment = super::Strategy::Range.assign(&topics(&[7, 7]), &members(&[3, 3, 3]), Mutants::none());
    let of = |id: &str, topic: &str| -> Vec<i32> {
        assignment[id].iter().filter(|partition| *partition.topic == *topic).map(|partition| partition.index).collect()
    };
    for topic in ["t0", "t1"] {
        assert_eq!((of("m0", topic), of("m1", topic), of("m2", topic)), (vec![0, 1, 2], vec![3, 4], vec![5, 6]));
    }
}

#[test]
fn static_members_keep_their_range_under_another_id() {
    let mut group = members(&[1, 1]);
    group.get_mut("m1").unwrap().instance = Some(Arc::from("i"));
    let before = super::Strategy::Range.assign(&topics(&[2]), &group, Mutants::none());
    assert!(before["m1"].contains(&partition("t0", 0)));
    let back = group.remove("m1").unwrap();
    group.insert(Arc::from("zz"), back);
    assert_eq!(super::Strategy::Range.assign(&topics(&[2]), &group, Mutants::none())["zz"], before["m1"]);
}

#[test]
fn rounds_pass_over_whoever_does_not_subscribe() {
    let assignment = super::Strategy::RoundRobin.assign(&topics(&[2, 2]), &members(&[1, 3, 2]), Mutants::none());
    assert_eq!(assignment["m0"], [partition("t0", 0)].into());
    assert_eq!(assignment["m1"], [partition("t0", 1), partition("t1", 1)].into());
    assert_eq!(assignment["m2"], [partition("t1", 0)].into());
}

/// `m0` has all of t0, which only `m0` and `m1` want; `m2` wants t1 alone, which `m1` has.
#[test]
fn a_chain_of_moves_reaches_who_cannot_take_directly() {
    let topics = topics(&[4, 3]);
    let mut group = members(&[1, 3, 2]);
    group.get_mut("m0").unwrap().owned = (0..4).map(|index| partition("t0", index)).collect();
    group.get_mut("m1").unwrap().owned = (0..3).map(|index| partition("t1", index)).collect();
    assert_eq!(loads(&super::Strategy::Sticky.assign(&topics, &group, Mutants::none())), [3, 2, 2]);
}

#[test]
fn a_member_that_missed_a_generation_does_not_get_its_partition_back() {
    let topics = topics(&[2]);
    let mut group = members(&[1, 1]);
    *group.get_mut("m0").unwrap() = Subscription { owned: [partition("t0", 0)].into(), generation: 4, ..group["m0"].clone() };
    *group.get_mut("m1").unwrap() = Subscription { owned: [partition("t0", 0)].into(), generation: 5, ..group["m1"].clone() };
    assert!(super::Strategy::Sticky.assign(&topics, &group, Mutants::none())["m1"].contains(&partition("t0", 0)));
    // Cooperative: the right owner has to wait until the wrong one has noticed.
    let assignment = super::Strategy::CooperativeSticky.assign(&topics, &group, Mutants::none());
    assert!(assignment.values().all(|partitions| !partitions.contains(&partition("t0", 0))));
}

#[test]
fn a_thousand_members_are_shared_out_in_time() {
    let topics = topics(&[3000]);
    let mut group: Members = (0..1000).map(|n| (Arc::from(format!("m{n}")), members(&[1])["m0"].clone())).collect();
    let assignment = super::Strategy::Sticky.assign(&topics, &group, Mutants::none());
    own(&mut group, &assignment, 1);
    group.remove("m7");
    let again = super::Strategy::Sticky.assign(&topics, &group, Mutants::none());
    assert_eq!((spread(&again), moves(&group, &again)), (1, 0));
}
