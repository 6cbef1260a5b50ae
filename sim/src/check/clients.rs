//! What clients saw, and nothing else: the material of the outer oracle.
//!
//! Every record that a producer is asked to write has a value of its own, so a value stands for a write. The laboratory's consumer reads
//! every partition from its start once the cluster has come to rest: the *final read*, against which all promises are held.

use brokerlab::operation::{Certainty, Completion, Operation, Outcome, PolledRecord, Position};
use brokerlab::types::{Offset, TopicPartition};
use brokerlab_reports::event::EventId;
use std::collections::VecDeque;
use xxhash_rust::xxh3::xxh3_64;

use super::ghost::{Change, Ghost};
use super::reader::Reader;
use super::setup::{NodeKind, Setup};

/// Every write and the final read.
#[derive(Debug)]
pub struct Clients {
    /// What each node is.
    pub kinds: Vec<NodeKind>,
    /// Every write that was asked for, in order.
    pub writes: Vec<Write>,
    /// The final read of each partition, by its number in the ghost.
    pub finals: Vec<FinalRead>,
    /// Consumers other than the laboratory's, by node.
    pub readers: Vec<Option<Reader>>,
    /// The write that the present event ended, by its place in `writes`.
    pub ended: Option<usize>,
    open: Vec<VecDeque<(u64, usize)>>,
    settling: bool,
}

/// One record that a producer was asked to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Write {
    /// Hash of its value.
    pub value: u64,
    /// Hash of its key; 0: it has none.
    pub key: u64,
    /// Node of the producer.
    pub node: usize,
    /// What became of it.
    pub fate: Fate,
    /// When that was known.
    pub event: EventId,
    /// When it was asked for.
    pub invoked: EventId,
    /// Number of the partition, once acknowledged.
    pub partition: Option<usize>,
    /// Its offset, once acknowledged with one.
    pub offset: Option<Offset>,
}

/// What a producer knows of a write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fate {
    /// Not ended.
    Open,
    /// It is written.
    Acknowledged,
    /// Nobody knows.
    Indefinite,
    /// It is not written and never will be.
    Failed,
}

/// What the laboratory's consumer read from one partition after healing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FinalRead {
    /// It has begun.
    pub begun: bool,
    /// Offset and hash of the value, by rising offset.
    pub records: Vec<(Offset, u64)>,
}

impl FinalRead {
    /// Where it will go on.
    #[must_use]
    pub fn position(&self) -> Offset {
        self.records.last().map_or(Offset::ZERO, |(last, _)| last.next())
    }

    /// The value read at an offset.
    #[must_use]
    pub fn at(&self, offset: Offset) -> Option<u64> {
        let found = self.records.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        Some(self.records[found].1)
    }
}

fn reader(kind: NodeKind) -> Option<Reader> {
    let NodeKind::Consumer { laboratory: false, reset } = kind else { return None };
    Some(Reader::new(reset))
}

/// A value in 64 bits.
#[must_use]
pub fn value_of(record: &PolledRecord) -> u64 {
    record.value.as_ref().map_or(1, |value| xxh3_64(value))
}

impl Clients {
    /// Before the first event.
    #[must_use]
    pub fn new(setup: &Setup) -> Clients {
        Clients {
            kinds: setup.nodes.iter().map(|node| node.kind).collect(),
            writes: Vec::new(),
            finals: Vec::new(),
            readers: setup.nodes.iter().map(|node| reader(node.kind)).collect(),
            ended: None,
            open: setup.nodes.iter().map(|_| VecDeque::new()).collect(),
            settling: false,
        }
    }

    /// Takes in a change.
    pub fn take(&mut self, event: EventId, change: &Change<'_>, ghost: &Ghost) {
        self.ended = None;
        if let Change::Invoked { node, operation, what } = change {
            self.invoke(event, *node, *operation, what, ghost);
        } else if let Change::Completed { node, completion } = change {
            self.complete(event, *node, completion, ghost);
        } else if let Change::Listed { at, offset, asker, .. } = change {
            if let Some(reader) = self.reader_mut(*asker) {
                reader.hear_end(at.partition, *offset);
            }
        } else if let Change::ClientGone { node } = change {
            self.forget(event, *node);
        }
        self.settling |= matches!(change, Change::SettleBegan);
    }

    /// Writes whose end a living producer still owes.
    #[must_use]
    pub fn open_writes(&self, node: usize) -> usize {
        self.open.get(node).map_or(0, VecDeque::len)
    }

    /// The final read of a partition has come to the end of what is committed.
    #[must_use]
    pub fn has_read(&self, partition: usize, end: Offset) -> bool {
        end == Offset::ZERO || self.finals.get(partition).is_some_and(|read| read.begun && read.position() >= end)
    }

    /// How many writes had that fate.
    #[must_use]
    pub fn count(&self, fate: Fate) -> u64 {
        self.writes.iter().filter(|write| write.fate == fate).count() as u64
    }

    /// Writes ordered by value, to find the one behind a record.
    #[must_use]
    pub fn by_value(&self) -> Vec<(u64, usize)> {
        let mut by_value: Vec<_> = self.writes.iter().enumerate().map(|(index, write)| (write.value, index)).collect();
        by_value.sort_unstable();
        by_value
    }

    fn reader_mut(&mut self, node: usize) -> Option<&mut Reader> {
        self.readers.get_mut(node)?.as_mut()
    }

    fn is_laboratory(&self, node: usize) -> bool {
        matches!(self.kinds.get(node), Some(NodeKind::Consumer { laboratory: true, .. }))
    }

    fn invoke(&mut self, event: EventId, node: usize, operation: u64, what: &Operation, ghost: &Ghost) {
        if let Operation::Produce { key, value, .. } = what {
            let Some(open) = self.open.get_mut(node) else { return };
            open.push_back((operation, self.writes.len()));
            let (value, key) = (xxh3_64(value), key.as_ref().map_or(0, |key| xxh3_64(key).max(1)));
            let (partition, offset, invoked) = (None, None, event);
            self.writes.push(Write { value, key, node, fate: Fate::Open, event, invoked, partition, offset });
        }
        match (what, self.reader_mut(node)) {
            (Operation::Assign { partitions }, Some(reader)) => {
                let beginning = partitions.iter().filter(|(_, position)| *position == Position::Beginning);
                reader.assign(beginning.filter_map(|(name, _)| ghost.named_once(name)));
            }
            (Operation::ListOffset { partition, position: Position::End }, Some(reader)) => {
                ghost.named_once(partition).into_iter().for_each(|partition| reader.ask(partition));
            }
            (_, _) => {}
        }
        if let (Operation::Assign { partitions }, true) = (what, self.settling && self.is_laboratory(node)) {
            for (partition, _) in partitions {
                if let Some(read) = self.final_read(partition, ghost) {
                    *read = FinalRead { begun: true, records: Vec::new() };
                }
            }
        }
    }

    fn complete(&mut self, event: EventId, node: usize, completion: &Completion, ghost: &Ghost) {
        if let Outcome::Polled { records } = &completion.outcome {
            if self.settling && self.is_laboratory(node) {
                records.iter().for_each(|record| self.note_final(record, ghost));
            } else if let Some(reader) = self.reader_mut(node) {
                for run in records.chunk_by(|a, b| a.partition == b.partition) {
                    let next = run[run.len() - 1].offset.next();
                    ghost.named_once(&run[0].partition).into_iter().for_each(|partition| reader.read(partition, next));
                }
            }
            return;
        }
        if let Some(reader) = self.reader_mut(node) {
            reader.end_of_question(matches!(completion.outcome, Outcome::Offset { .. }));
        }
        let Some(open) = self.open.get_mut(node) else { return };
        let Some(at) = open.iter().position(|(operation, _)| *operation == completion.id.0) else { return };
        let Some((_, index)) = open.remove(at) else { return };
        let write = &mut self.writes[index];
        (write.event, self.ended) = (event, Some(index));
        match &completion.outcome {
            Outcome::Produced { partition, offset } => {
                (write.fate, write.offset) = (Fate::Acknowledged, *offset);
                write.partition = ghost.named_once(partition);
            }
            Outcome::Failed { certainty: Certainty::Definite, .. } => write.fate = Fate::Failed,
            Outcome::Failed { certainty: Certainty::Indefinite, .. } => write.fate = Fate::Indefinite,
            Outcome::Assigned
            | Outcome::Subscribed
            | Outcome::Unsubscribed
            | Outcome::Committed { .. }
            | Outcome::Polled { .. }
            | Outcome::Offset { .. }
            | Outcome::TopicCreated { .. }
            | Outcome::TopicDeleted
            | Outcome::RecordsDeleted { .. }
            | Outcome::LeadersElected { .. }
            | Outcome::TopicDescribed { .. }
            | Outcome::Stopped => write.fate = Fate::Indefinite,
        }
    }

    /// A producer that is gone can no longer say what became of its writes.
    fn forget(&mut self, event: EventId, node: usize) {
        self.reader_mut(node).into_iter().for_each(Reader::forget);
        for (_, index) in self.open[node].drain(..) {
            (self.writes[index].fate, self.writes[index].event) = (Fate::Indefinite, event);
        }
    }

    fn note_final(&mut self, record: &PolledRecord, ghost: &Ghost) {
        let (offset, value) = (record.offset, value_of(record));
        if let Some(read) = self.final_read(&record.partition, ghost)
            && (read.records.is_empty() || offset >= read.position())
        {
            read.begun = true;
            read.records.push((offset, value));
        }
    }

    fn final_read(&mut self, name: &TopicPartition, ghost: &Ghost) -> Option<&mut FinalRead> {
        let partition = ghost.named(name)?;
        if self.finals.len() <= partition {
            self.finals.resize(partition + 1, FinalRead::default());
        }
        self.finals.get_mut(partition)
    }
}
