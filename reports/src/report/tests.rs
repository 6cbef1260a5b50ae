//! What holds for every report.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use brokerlab::fact::{Fact, GroupFact, PartitionState, TruncationReason};
use brokerlab::operation::{Certainty, Command, Completion, Operation, OperationId, Outcome};
use brokerlab::types::{BrokerId, LeaderEpoch, Offset, PartitionEpoch, PartitionId, Time, TopicPartition, Uuid};
use bytes::Bytes;

use crate::event::{Event, EventId, NodeId, What, WorldFact};
use crate::recording::{FORMAT, Recorder, Recording, RunHeader};
use crate::testing::Kept;
use crate::verdict::{CheckReport, Finding, Judgement, Verdict};

use super::html;

const HOSTILE: &str = "</title><script src=\"//evil\">alert('x')</script>&\u{202E}\0";

/// What happened to somebody.
type Happened = (Option<NodeId>, What);

fn state(leader: i32, epoch: i32, isr: &[BrokerId]) -> PartitionState {
    PartitionState {
        leader: Some(BrokerId(leader)),
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: PartitionEpoch(epoch),
        isr: isr.to_vec(),
    }
}

fn fact(node: u16, fact: Fact) -> Happened {
    (Some(NodeId(node)), What::Fact(fact))
}

fn world(node: u16, fact: WorldFact) -> Happened {
    (Some(NodeId(node)), What::World(fact))
}

/// A lost write, a crash, an unclean election, a cut log.
fn ending(partition: PartitionId) -> Vec<Happened> {
    let operation = Operation::Produce { topic: Arc::from(HOSTILE), partition: None, key: None, value: Bytes::new() };
    let produced = Outcome::Produced { partition: TopicPartition { topic: Arc::from(HOSTILE), index: 0 }, offset: None };
    let failed = Outcome::Failed { code: 7, certainty: Certainty::Indefinite };
    vec![
        (Some(NodeId(2)), What::Invoked(Command { id: OperationId(1), operation: operation.clone() })),
        (Some(NodeId(2)), What::Completed(Completion { id: OperationId(1), outcome: produced })),
        (Some(NodeId(2)), What::Invoked(Command { id: OperationId(2), operation })),
        (Some(NodeId(2)), What::Completed(Completion { id: OperationId(2), outcome: failed })),
        world(0, WorldFact::ProcessCrashed),
        fact(1, Fact::LeaderElected { partition, state: state(2, 1, &[BrokerId(2)]), unclean: true }),
        world(0, WorldFact::NodeStarted { life: 2 }),
        fact(
            0,
            Fact::LogTruncated {
                partition,
                from: Offset(9),
                to: Offset(3),
                role_epoch: LeaderEpoch(1),
                reason: TruncationReason::Diverged,
            },
        ),
        (None, What::World(WorldFact::SettleFailed { reasons: vec![HOSTILE.into()] })),
    ]
}

/// A run whose every name is hostile: a leader, a crash, an election, a cut log, a lost write, a finding.
fn events(count: u64) -> Vec<Event> {
    let partition = PartitionId { topic: Uuid(7), index: 0 };
    let both = vec![BrokerId(1), BrokerId(2)];
    let mut all = vec![
        world(0, WorldFact::NodeStarted { life: 1 }),
        world(1, WorldFact::NodeStarted { life: 1 }),
        fact(
            0,
            Fact::TopicCreated {
                topic: Uuid(7),
                name: HOSTILE.into(),
                min_isr: 1,
                unclean_election: true,
                flush_each_batch: false,
            },
        ),
        fact(0, Fact::PartitionCreated { partition, replicas: both.clone(), state: state(1, 0, &both) }),
        (
            None,
            What::World(WorldFact::FaultBegan { fault: Arc::from(HOSTILE), kind: Arc::from(HOSTILE), nodes: vec![NodeId(0)] }),
        ),
    ];
    for n in 0..count {
        let node = u16::try_from(n % 2).unwrap();
        let offset = Offset(i64::try_from(n / 2).unwrap());
        all.push(fact(
            node,
            Fact::BatchAppended {
                partition,
                base_offset: offset,
                last_offset: offset,
                leader_epoch: LeaderEpoch(0),
                role_epoch: LeaderEpoch(0),
                crc: 0,
                producer: None,
                as_leader: node == 0,
            },
        ));
    }
    all.extend(ending(partition));
    let number = |(id, (node, what)): (u64, (Option<NodeId>, What))| Event {
        id: EventId(id),
        at: Time(id * 1_000_000),
        node,
        cause: EventId(if id % 3 == 0 { id - 1 } else { 0 }),
        also: EventId::NONE,
        what,
    };
    (1..).zip(all).map(number).collect()
}

fn recorded(events: &[Event]) -> Vec<u8> {
    let header = RunHeader {
        format: FORMAT,
        build: HOSTILE.into(),
        scenario: HOSTILE.into(),
        seed: u64::MAX,
        plan: format!("title = '''{}'''\nmutant = \"x\"", HOSTILE.replace(['\0', '\''], "")),
        nodes: vec!["b1".into(), "b2".into(), HOSTILE.into()],
    };
    let sink = Kept::default();
    let mut recorder = Recorder::writing(Box::new(sink.clone()), &header).unwrap();
    events.iter().for_each(|event| recorder.push(event));
    let finding =
        |event| Finding { check: HOSTILE.into(), event: EventId(event), verdict: Verdict::Violation, text: HOSTILE.into() };
    let judgement = Judgement {
        verdict: Verdict::Violation,
        property: Some(HOSTILE.into()),
        sentence: HOSTILE.into(),
        checks: vec![CheckReport { id: HOSTILE.into(), claim: HOSTILE.into(), evaluated: 1, exercised: 1, violated: 1 }],
        findings: (1..400).map(finding).collect(),
        counts: vec![(HOSTILE.into(), 3), ("lost".into(), 4)],
    };
    recorder.finish(judgement).unwrap();
    sink.bytes()
}

fn report(bytes: &[u8]) -> String {
    html(&mut Recording::open(bytes).unwrap()).unwrap()
}

#[test]
fn the_same_recording_gives_the_same_bytes() {
    let bytes = recorded(&events(500));
    assert_eq!(report(&bytes), report(&bytes));
}

#[test]
fn nothing_in_a_recording_becomes_markup() {
    let page = report(&recorded(&events(50)));
    for word in ["<script", "alert('x')", "\"//evil", "\u{202E}", "\0"] {
        assert!(!page.contains(word), "{word:?} came through");
    }
    assert!(page.contains("&lt;script"), "the name is shown all the same");
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = report(&recorded(&events(50)));
    for word in ["http:", "https:", "src=", "url(", "@import", "<link", "<iframe", "xlink", "javascript:"] {
        let found = page.match_indices(word).map(|(at, _)| &page[at.saturating_sub(40)..(at + 40).min(page.len())]);
        let found: Vec<&str> = found.filter(|around| !around.contains("&quot;")).collect();
        assert!(found.is_empty(), "{word}: {found:?}");
    }
}

/// Two members that both believe to own a partition, one of which dies.
fn group_events() -> Vec<Event> {
    let (group, member): (Arc<str>, Arc<str>) = (Arc::from(HOSTILE), Arc::from("m"));
    let partition = TopicPartition { topic: Arc::from(HOSTILE), index: 0 };
    let assigned = |node, generation| {
        let (group, member, partitions) = (group.clone(), member.clone(), vec![partition.clone()]);
        fact(node, Fact::Group(GroupFact::PartitionsAssigned { group, member, generation, partitions }))
    };
    let members = vec![member.clone()];
    let begun = Fact::Group(GroupFact::GenerationBegun { group: group.clone(), generation: 4, members });
    let processed = WorldFact::Processed { partition: partition.clone(), from: Offset(0), to: Offset(6) };
    let (leader_epoch, id, both) = (LeaderEpoch(0), PartitionId { topic: Uuid(7), index: 0 }, vec![BrokerId(1)]);
    let advanced = Fact::HighWatermarkAdvanced {
        partition: id,
        leader_epoch,
        from: Offset(0),
        to: Offset(8),
        maximal_isr: both.clone(),
        isr: both,
        min_isr: 1,
    };
    let mut all = events(5);
    let next = all.len() as u64 + 1;
    let happened = [
        fact(0, begun),
        assigned(1, 4),
        fact(0, advanced),
        world(1, processed),
        assigned(2, 4),
        world(1, WorldFact::ProcessCrashed),
    ];
    all.extend((next..).zip(happened).map(|(id, (node, what))| Event {
        id: EventId(id),
        at: Time(id * 1_000_000),
        node,
        cause: EventId::NONE,
        also: EventId::NONE,
        what,
    }));
    all
}

#[test]
fn groups_show_who_owned_what_and_how_far_they_came() {
    let page = report(&recorded(&group_events()));
    for words in ["Who owned what in &lt;/title&gt;", "-0 has two owners at 0.0", "most 2", "generation", "href=\"#groups\""] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!report(&recorded(&events(5))).contains("#groups"), "where there is no group none is announced");
}

#[test]
fn every_drawing_has_a_title_and_a_description() {
    let page = report(&recorded(&events(50)));
    let count = |what: &str| page.matches(what).count();
    assert!(count("<svg") >= 5);
    assert_eq!((count("<svg"), count("<svg"), count("<svg")), (count("</svg>"), count("<title id"), count("<desc id")));
}

#[test]
fn the_size_does_not_grow_with_the_run() {
    for count in [2_000, 60_000, 150_000] {
        let bytes = report(&recorded(&events(count))).len();
        assert!(bytes < 200_000, "{count} events make {bytes} bytes");
    }
}

#[test]
fn a_run_in_which_nothing_happened_has_a_report() {
    let page = report(&recorded(&[]));
    assert!(page.contains("No partition was created") && page.ends_with("</html>\n"));
}

#[test]
fn beats_tell_time_nodes_change_and_cause() {
    let page = report(&recorded(&events(10)));
    for words in ["becomes leader UNCLEANLY", "truncates its log from 9 to 3", "kill -9", "because of e", "follows from"] {
        assert!(page.contains(words), "{words}");
    }
}
