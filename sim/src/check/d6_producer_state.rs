//! D6: what a leader remembers of a producer is what its log says.
//!
//! A leader that has forgotten a batch takes its retry for a new one, or for a gap. The first stores it twice, which R19 sees. The second is a
//! refusal, OUT_OF_ORDER_SEQUENCE_NUMBER, and what a client makes of it is its own affair: one starts a new session and stores its records
//! again (KAFKA-5793, KIP-360), another gives up records that are in the log. So the refusal itself is judged: it is wrong for a batch that
//! is one of the last five of its session, and for the batch that comes next.
//!
//! ```text
//!   appended   [0..2] [3..3] [4..8]            refused 3..3      wrong: it is here
//!                                              refused 9..9      wrong: nothing is missing before it
//!                                              refused 11..11    right
//! ```
//!
//! The snapshots of producers are what is remembered over a restart, so they are looked at too: the newest one, where a life ends, must tell of every
//! batch that was among the last five of its session when it was written. Kafka's tell of one (PR-05).
//!
//! The fold is what the replica appended in this life, and what its log held when the life began. Records that retention takes are not
//! forgotten by that: the snapshots tell of their producers. A truncation and a log that begins anew leave only what the log holds. An answer may
//! leave long after it was decided, so only what was there when the request came counts, if it is still there.
//!
//! Compaction keeps the last batch of each session, empty if no record of it is left, so that the log alone tells of it (KAFKA-5490). The disks are
//! looked at for that.
//!
//! Producers expire by the wall clock. A run in which a fault has moved clocks is not judged.

use std::collections::{BTreeMap, VecDeque};

use super::chain::Link;
use super::ghost::{Answer, Change, Kind, Place};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::{Offset, ProducerEpoch, ProducerId, Sequence};
use brokerlab_reports::event::{EventId, LogImage, ProducerSnapshot};

/// The id.
pub const ID: &str = "D6";
/// What must hold.
pub const CLAIM: &str = "the last five batches of each producer are remembered, by leaders and in snapshots: none is refused as out of order, nor the next";

/// Kafka's OUT_OF_ORDER_SEQUENCE_NUMBER.
const OUT_OF_ORDER: i16 = 45;
/// Kafka's UNKNOWN_PRODUCER_ID.
const UNKNOWN_PRODUCER: i16 = 59;
/// Batches that a leader remembers of each producer.
const WINDOW: usize = 5;

/// The check. Exercised by every refusal of a batch of a session that the log knows, and by every snapshot of more than one batch.
#[derive(Default)]
pub struct ProducerState {
    replicas: BTreeMap<Place, Fold>,
}

/// What one replica must remember.
#[derive(Default)]
struct Fold {
    sessions: BTreeMap<ProducerId, Session>,
    /// Where the newest batch ends.
    end: Offset,
}

struct Session {
    epoch: ProducerEpoch,
    batches: VecDeque<Known>,
}

/// One batch, and since when it was there.
struct Known {
    first: Sequence,
    next: Sequence,
    end: Offset,
    since: EventId,
}

impl Check for ProducerState {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Appended, Kind::Truncated, Kind::Recovered, Kind::Registered, Kind::Answered, Kind::Audited]
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "a check is shown only what it watches")]
    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        match change {
            Change::Appended { at, link, .. } => match self.replicas.entry(*at).or_default() {
                // It goes on below where it ended: the log before was lost as a whole.
                fold if link.base < fold.end => self.read_again(scene, *at),
                fold => fold.take(link, scene.event),
            },
            Change::Truncated { at, .. } | Change::Recovered { at, .. } => self.read_again(scene, *at),
            Change::Registered { node } => {
                (0..scene.ghost.partitions.len()).for_each(|partition| self.read_again(scene, Place { node: *node, partition }));
            }
            Change::Answered(answer) if [OUT_OF_ORDER, UNKNOWN_PRODUCER].contains(&answer.error) => {
                self.judge(scene, answer, page);
            }
            Change::Audited { at, image, struck: false } if !scene.ghost.clocks_moved => {
                if let Some(snapshot) = &image.small_files.snapshot {
                    self.judge_snapshot(scene, *at, snapshot, page);
                }
                if image.records.is_some() {
                    judge_compacted(scene, *at, image, page);
                }
            }
            _ => {}
        }
    }
}

impl ProducerState {
    fn read_again(&mut self, scene: &Scene<'_>, at: Place) {
        let mut fold = Fold::default();
        scene.ghost.shadow(at).log.links().iter().for_each(|link| fold.take(link, scene.event));
        self.replicas.insert(at, fold);
    }

    fn judge_snapshot(&self, scene: &Scene<'_>, at: Place, snapshot: &ProducerSnapshot, page: &mut Page) {
        let shadow = scene.ghost.shadow(at);
        if !shadow.present || !shadow.known || snapshot.at > shadow.log.end() {
            return;
        }
        let cleaned = scene.ghost.partition(at).cleaned;
        let mut then = Fold::default();
        let links = shadow.log.links().iter().take_while(|link| link.end <= snapshot.at);
        links.for_each(|link| then.take(link, EventId::NONE));
        // Of whom nothing is left in the log the replica still knows what it appended in this life.
        let gone = self.replicas.get(&at).into_iter().flat_map(|fold| &fold.sessions);
        let gone = gone.filter(|(id, session)| !then.sessions.contains_key(id) && session.end() <= snapshot.at);
        let sessions: Vec<(&ProducerId, &Session)> = then.sessions.iter().chain(gone).collect();
        page.looked(sessions.iter().any(|(_, session)| session.batches.len() > 1));
        let told = |id: ProducerId, epoch: ProducerEpoch, known: &Known| {
            snapshot.batches.contains(&(id, epoch, known.first, Offset(known.end.0 - 1)))
        };
        for (id, session) in sessions {
            // A follower that copies a compacted log is not shown every batch below the cleaned point.
            let forgotten = |known: &&Known| known.end > cleaned && !told(*id, session.epoch, known);
            let Some(known) = session.batches.iter().find(forgotten) else { continue };
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name, first, written) = (scene.node(at.node), scene.name(at), known.first, snapshot.at);
                format!("the snapshot of {name} that {node} wrote at {written} has forgotten sequence {first} of producer {id}")
            });
            return;
        }
    }

    fn judge(&self, scene: &Scene<'_>, answer: &Answer<'_>, page: &mut Page) {
        let shadow = scene.ghost.shadow(answer.at);
        let is_leading = shadow.leading().is_some() && shadow.known;
        let Some(fold) = self.replicas.get(&answer.at).filter(|_| is_leading && !scene.ghost.clocks_moved) else { return };
        let (producer, epoch, first) = answer.batch.producer;
        let Some(session) = fold.sessions.get(&producer).filter(|session| session.epoch == epoch) else { return };
        page.looked(true);
        let records = i32::try_from(answer.batch.last_offset.since(answer.batch.base_offset) + 1).unwrap_or(i32::MAX);
        if let Some(why) = session.refutes(first, first.plus(records), answer.request) {
            page.found(scene.event, Some(answer.at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(answer.at.node), scene.name(answer.at));
                format!(
                    "{node} refuses sequence {first} of producer {producer} epoch {epoch} for {name} as out of order, but {why}"
                )
            });
        }
    }
}

/// Compaction leaves the last batch of each session, though it may be empty.
fn judge_compacted(scene: &Scene<'_>, at: Place, image: &LogImage, page: &mut Page) {
    let (p, shadow) = (scene.ghost.partition(at), scene.ghost.shadow(at));
    if p.cleaned == Offset::ZERO || !p.losses.is_empty() || shadow.lossy || !shadow.known {
        return;
    }
    let end = image.batches.last().map_or(Offset::ZERO, |last| last.last_offset.next());
    let mut fold = Fold::default();
    shadow.log.links().iter().take_while(|link| link.end <= end).for_each(|link| fold.take(link, EventId::NONE));
    for (id, session) in &fold.sessions {
        let last = session.end();
        page.looked(last <= p.cleaned);
        if last > p.cleaned || image.batches.iter().any(|batch| batch.last_offset.next() == last) {
            continue;
        }
        page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
            let (node, name) = (scene.node(at.node), scene.name(at));
            format!("{node} has compacted away the last batch of producer {id} in {name}, which ended at {last}")
        });
        return;
    }
}

impl Fold {
    fn take(&mut self, link: &Link, since: EventId) {
        self.end = link.end;
        let Some((producer, epoch, first)) = link.producer else { return };
        let records = i32::try_from(link.end.since(link.base)).unwrap_or(i32::MAX);
        let session = self.sessions.entry(producer).or_insert_with(|| Session { epoch, batches: VecDeque::new() });
        if session.epoch != epoch {
            *session = Session { epoch, batches: VecDeque::new() };
        }
        if session.batches.len() == WINDOW {
            session.batches.pop_front();
        }
        session.batches.push_back(Known { first, next: first.plus(records), end: link.end, since });
    }
}

impl Session {
    /// Where its newest batch ends.
    fn end(&self) -> Offset {
        self.batches.back().map_or(Offset::ZERO, |known| known.end)
    }

    /// Why a batch of these sequences, which came with `request`, is not out of order; `None` if it is.
    fn refutes(&self, first: Sequence, next: Sequence, request: EventId) -> Option<&'static str> {
        let was_there = |known: &&Known| known.since < request;
        if self.batches.iter().filter(was_there).any(|known| (known.first, known.next) == (first, next)) {
            return Some("that very batch is in its log");
        }
        let last = self.batches.back().filter(was_there);
        last.is_some_and(|last| last.next == first).then_some("it comes next")
    }
}
