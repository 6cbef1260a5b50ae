//! What clients asked for, and how it ended.

use std::collections::BTreeMap;

use brokerlab::operation::{Certainty, Operation, OperationId, Outcome};

use crate::event::{Event, NodeId, What, WorldFact};

/// Bins at most; a chart has a few pixels for each.
const BINS_MAX: usize = 512;

/// How something that a client asked for ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ending {
    /// A write was acknowledged.
    Acknowledged,
    /// A write certainly had no effect.
    Failed,
    /// Nobody knows whether a write had an effect.
    Unknown,
    /// Records were read (counted one by one) before healing began; after that the laboratory reads everything at once.
    Read,
}

impl Ending {
    /// All of them.
    pub const ALL: [Ending; 4] = [Ending::Acknowledged, Ending::Failed, Ending::Unknown, Ending::Read];
}

/// Counts over time, in bins that grow with the run.
#[derive(Clone, Debug)]
pub struct Bins {
    /// Width of a bin in nanoseconds.
    pub width: u64,
    /// Counts.
    pub counts: Vec<u64>,
    /// Sum.
    pub total: u64,
}

impl Default for Bins {
    fn default() -> Bins {
        Bins { width: 100_000_000, counts: Vec::new(), total: 0 }
    }
}

impl Bins {
    /// Counts `n` at that moment.
    pub fn add(&mut self, at: u64, n: u64) {
        if n == 0 {
            return;
        }
        while at / self.width >= BINS_MAX as u64 {
            self.width *= 2;
            self.counts = self.counts.chunks(2).map(|pair| pair.iter().sum()).collect();
        }
        let bin = usize::try_from(at / self.width).expect("there are few bins");
        if self.counts.len() <= bin {
            self.counts.resize(bin + 1, 0);
        }
        self.counts[bin] += n;
        self.total += n;
    }

    /// The same in wider bins.
    #[must_use]
    pub fn widened(mut self, width: u64) -> Bins {
        while self.width < width {
            self.width *= 2;
            self.counts = self.counts.chunks(2).map(|pair| pair.iter().sum()).collect();
        }
        self
    }
}

/// Clients, as far as the recording was read.
#[derive(Debug, Default)]
pub struct Clients {
    /// Writes that have not ended.
    waiting: BTreeMap<(NodeId, OperationId), u64>,
    bins: BTreeMap<Ending, Bins>,
    /// When writes were wanted and none was acknowledged: since when.
    silent_since: Option<u64>,
    silence: Option<(u64, u64)>,
    is_healing: bool,
}

/// The same when all was read.
#[derive(Clone, Debug)]
pub struct ClientsRead {
    /// Endings over time, all in bins of one width.
    pub bins: BTreeMap<Ending, Bins>,
    /// The longest time in which writes waited and none was acknowledged: from, to.
    pub silence: Option<(u64, u64)>,
}

impl Clients {
    /// Takes in an event.
    #[allow(clippy::wildcard_enum_match_arm, reason = "only writes and reads are counted")]
    pub fn observe(&mut self, event: &Event) {
        self.is_healing |= matches!(event.what, What::World(WorldFact::SettleBegan));
        let Some(node) = event.node else { return };
        let at = event.at.0;
        match &event.what {
            What::Invoked(command) => {
                if matches!(command.operation, Operation::Produce { .. }) {
                    self.silent_since.get_or_insert(at);
                    self.waiting.insert((node, command.id), at);
                }
            }
            What::Completed(completion) => {
                let is_write = self.waiting.remove(&(node, completion.id)).is_some();
                match &completion.outcome {
                    Outcome::Produced { .. } => {
                        self.end_silence(at);
                        self.count(at, Ending::Acknowledged, 1);
                    }
                    Outcome::Failed { certainty: Certainty::Definite, .. } if is_write => self.count(at, Ending::Failed, 1),
                    Outcome::Failed { .. } if is_write => self.count(at, Ending::Unknown, 1),
                    Outcome::Polled { .. } if self.is_healing => {}
                    Outcome::Polled { records } => self.count(at, Ending::Read, records.len() as u64),
                    _ => {}
                }
                if self.waiting.is_empty() {
                    self.silent_since = None;
                }
            }
            What::Delivered(_) | What::Fact(_) | What::World(_) | What::Tap(_) | What::Audit(_) => {}
        }
    }

    /// Nothing more will come.
    #[must_use]
    pub fn finish(mut self, end: u64) -> ClientsRead {
        if !self.waiting.is_empty() {
            self.end_silence(end);
        }
        let width = self.bins.values().map(|bins| bins.width).max().unwrap_or(1).max(end / (BINS_MAX as u64 / 2));
        let bins = self.bins.into_iter().map(|(ending, bins)| (ending, bins.widened(width))).collect();
        ClientsRead { bins, silence: self.silence }
    }

    fn count(&mut self, at: u64, ending: Ending, n: u64) {
        self.bins.entry(ending).or_default().add(at, n);
    }

    fn end_silence(&mut self, at: u64) {
        if let Some(since) = self.silent_since {
            let longest = self.silence.map_or(0, |(from, to)| to - from);
            if at.saturating_sub(since) > longest {
                self.silence = Some((since, at));
            }
            self.silent_since = (!self.waiting.is_empty()).then_some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_grow_with_the_run_and_lose_nothing() {
        let mut bins = Bins::default();
        (0..10_000u64).for_each(|second| bins.add(second * 1_000_000_000, 3));
        assert!(bins.counts.len() <= BINS_MAX);
        assert_eq!((bins.total, bins.counts.iter().sum::<u64>()), (30_000, 30_000));
    }
}
