//! A log as the checkers see it: batches at absolute offsets, each with a hash over everything up to it.
//!
//! ```text
//!   offset   0        3    4            9
//!            ├────────┼────┼────────────┤
//!   link       A         B       C            chain(C) = H(H(H(0, A), B), C)
//! ```
//!
//! Two logs whose chains are equal at one offset are equal below it (up to a collision of 64 bits), so log matching is one
//! comparison. A batch is identified by its offsets, its leader epoch and its checksum: the payload itself is not kept.

use brokerlab::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use brokerlab_reports::event::TappedBatch;

/// Producer id, producer epoch and first sequence of a batch.
pub type Stamp = (ProducerId, ProducerEpoch, Sequence);

/// One batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// First offset.
    pub base: Offset,
    /// End offset, exclusive.
    pub end: Offset,
    /// Leader epoch stamped on it.
    pub epoch: LeaderEpoch,
    /// Checksum.
    pub crc: u32,
    /// Hash over this batch and all before it; set by [`Chain::push`].
    pub chain: u64,
    /// Who wrote it, with idempotence.
    pub producer: Option<Stamp>,
}

impl Link {
    /// A batch that is in no log yet.
    #[must_use]
    pub fn new(base: Offset, last: Offset, epoch: LeaderEpoch, crc: u32, producer: Option<Stamp>) -> Link {
        Link { base, end: last.next(), epoch, crc, chain: 0, producer }
    }

    /// A batch as the laboratory read it from a frame or a disk.
    #[must_use]
    pub fn of(batch: &TappedBatch) -> Link {
        let producer = (batch.producer.0 != ProducerId::NONE && batch.producer.0.0 >= 0).then_some(batch.producer);
        Link::new(batch.base_offset, batch.last_offset, batch.leader_epoch, batch.crc, producer)
    }

    /// The same batch at the same place. What stood before it does not matter.
    #[must_use]
    pub fn is(&self, other: &Link) -> bool {
        (self.base, self.end, self.epoch, self.crc) == (other.base, other.end, other.epoch, other.crc)
    }
}

/// A log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chain {
    start: Offset,
    links: Vec<Link>,
}

impl Chain {
    /// An empty log that begins at `start`.
    #[must_use]
    pub fn starting_at(start: Offset) -> Chain {
        Chain { start, links: Vec::new() }
    }

    /// First offset.
    #[must_use]
    pub fn start(&self) -> Offset {
        self.start
    }

    /// End offset, exclusive.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.links.last().map_or(self.start, |link| link.end)
    }

    /// All batches.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Appends a batch, wherever it says it stands, and returns it with its hash. An empty log begins where its first batch does.
    pub fn push(&mut self, link: Link) -> Link {
        let before = self.links.last().map_or(0, |last| last.chain);
        if self.links.is_empty() {
            self.start = link.base;
        }
        let link = Link { chain: mix(before, &link), ..link };
        self.links.push(link);
        link
    }

    /// Appends a batch whose hash is known, because another log that reaches further back holds it.
    pub fn push_hashed(&mut self, link: Link) {
        if self.links.is_empty() {
            self.start = link.base;
        }
        self.links.push(link);
    }

    /// The hash of a batch that follows those of this log; `None` if they do not end where it begins.
    #[must_use]
    pub fn hash_of_next(&self, link: &Link) -> Option<u64> {
        let behind = self.links.partition_point(|own| own.end <= link.base);
        let before = self.links.get(behind.checked_sub(1)?).filter(|before| before.end == link.base)?;
        Some(mix(before.chain, link))
    }

    /// Gives up everything from `to` on; a batch across that place goes too.
    pub fn cut_to(&mut self, to: Offset) {
        let kept = self.links.partition_point(|link| link.end <= to);
        self.links.truncate(kept);
        if self.links.is_empty() {
            self.start = self.start.min(to);
        }
    }

    /// Gives up everything from `to` on. Of a batch across that place the first part stays: what is below was deleted in the middle of it.
    pub fn cut_at(&mut self, to: Offset) {
        let across = self.links.iter().rfind(|link| link.base < to && to < link.end).copied();
        self.cut_to(to);
        self.links.extend(across.map(|link| Link { end: to, ..link }));
    }

    /// Gives up everything below `to`. The batch across that place stays whole, as it does on a disk.
    pub fn start_at(&mut self, to: Offset) {
        let gone = self.links.partition_point(|link| link.end <= to);
        self.links.drain(..gone);
        self.start = to;
    }

    /// Leader epoch of the batch that holds that offset; `None` if there is none.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let found = self.links.get(self.links.partition_point(|link| link.end <= offset))?;
        (found.base <= offset).then_some(found.epoch)
    }

    /// The batch that begins there.
    #[must_use]
    pub fn beginning_at(&self, base: Offset) -> Option<&Link> {
        let found = self.links.get(self.links.partition_point(|link| link.base < base))?;
        (found.base == base).then_some(found)
    }

    /// Leader epoch of the batch that ends there.
    #[must_use]
    pub fn epoch_up_to(&self, end: Offset) -> Option<LeaderEpoch> {
        let behind = self.links.partition_point(|link| link.end <= end);
        let last = self.links.get(behind.checked_sub(1)?)?;
        (last.end == end).then_some(last.epoch)
    }

    /// Whether this very batch stands in this log.
    #[must_use]
    pub fn holds(&self, link: &Link) -> bool {
        self.beginning_at(link.base).is_some_and(|own| own.is(link))
    }

    /// The whole batches within `[from, to)`.
    #[must_use]
    pub fn between(&self, from: Offset, to: Offset) -> &[Link] {
        let first = self.links.partition_point(|link| link.base < from);
        let behind = self.links.partition_point(|link| link.end <= to);
        self.links.get(first..behind).unwrap_or(&[])
    }

    /// The batches that a log lacks of which only what is below `from` agrees with this one, up to `to`. That may be in the middle of a batch: it
    /// may have been given up up to there.
    #[must_use]
    pub fn lacking(&self, from: Offset, to: Offset) -> &[Link] {
        let first = self.links.partition_point(|link| link.end <= from);
        let behind = self.links.partition_point(|link| link.end <= to);
        self.links.get(first..behind).unwrap_or(&[])
    }

    /// The batch that begins below that place and ends above it.
    fn across(&self, at: Offset) -> Option<&Link> {
        let behind = self.links.partition_point(|link| link.base < at);
        self.links.get(behind.checked_sub(1)?).filter(|link| link.end > at)
    }

    /// How far two logs agree, given that they agree below `from`. What one of them has given up at its start counts as equal.
    #[must_use]
    pub fn agrees_up_to(&self, other: &Chain, from: Offset) -> Offset {
        let from = from.max(self.start.min(self.end())).max(other.start.min(other.end()));
        // The batch in the middle of which one of them begins may be the last one of the other.
        let from = match (self.across(from), other.across(from)) {
            (Some(a), Some(b)) if a.is(b) => a.end,
            _ => from,
        };
        let mine = self.links.get(self.links.partition_point(|link| link.base < from)..).unwrap_or(&[]);
        let theirs = other.links.get(other.links.partition_point(|link| link.base < from)..).unwrap_or(&[]);
        let equal = mine.iter().zip(theirs).take_while(|(a, b)| a.is(b)).count();
        let agreed = if equal == 0 { from } else { mine[equal - 1].end };
        // Of a batch across the place where one of them was cut the first part stands there.
        let agreed = match (mine.get(equal), theirs.get(equal)) {
            (Some(a), Some(b)) if (a.base, a.epoch, a.crc) == (b.base, b.epoch, b.crc) => a.end.min(b.end),
            _ => agreed,
        };
        agreed.min(self.end()).min(other.end())
    }
}

/// One round of a multiplicative hash (the finalizer of splitmix64): enough to tell logs apart, cheap enough for every append.
fn mix(before: u64, link: &Link) -> u64 {
    let epoch_and_crc = (u64::from(link.epoch.0.cast_unsigned()) << 32) | u64::from(link.crc);
    let mut hash = before ^ epoch_and_crc.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ link.base.0.cast_unsigned().rotate_left(17);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^ (hash >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn link(base: i64, last: i64, epoch: i32, crc: u32) -> Link {
        Link::new(Offset(base), Offset(last), LeaderEpoch(epoch), crc, None)
    }

    fn chain(links: &[Link]) -> Chain {
        let mut chain = Chain::default();
        for link in links {
            chain.push(*link);
        }
        chain
    }

    #[test]
    fn equal_logs_have_equal_hashes_and_others_do_not() {
        let a = chain(&[link(0, 2, 0, 7), link(3, 3, 0, 8)]);
        let b = chain(&[link(0, 2, 0, 7), link(3, 3, 1, 8)]);
        let c = chain(&[link(0, 2, 0, 9), link(3, 3, 0, 8)]);
        assert_eq!(a.links()[0].chain, b.links()[0].chain);
        assert_ne!(a.links()[1].chain, b.links()[1].chain);
        assert_ne!(a.links()[1].chain, c.links()[1].chain, "same last batch on another past");
        assert_eq!(a.agrees_up_to(&b, Offset(0)), Offset(3));
        assert_eq!(a.agrees_up_to(&c, Offset(0)), Offset(0));
        assert_eq!(a.agrees_up_to(&a.clone(), Offset(3)), Offset(4));
    }

    #[test]
    fn logs_agree_above_the_later_of_their_starts() {
        let whole = chain(&[link(0, 2, 0, 7), link(3, 5, 0, 8), link(6, 6, 1, 9)]);
        let mut late = whole.clone();
        late.start_at(Offset(4));
        assert_eq!((late.start(), late.end(), late.links().len()), (Offset(4), Offset(7), 2));
        assert_eq!(late.agrees_up_to(&whole, Offset(0)), Offset(7));
        assert!(late.holds(&whole.links()[2]) && !late.holds(&whole.links()[0]));
        let mut cut = whole.clone();
        cut.cut_to(Offset(6));
        assert_eq!(late.agrees_up_to(&cut, Offset(0)), Offset(6), "the batch across the start is the last one");
        let mut part = whole.clone();
        part.cut_at(Offset(5));
        assert_eq!(
            (part.end(), whole.agrees_up_to(&part, Offset(0))),
            (Offset(5), Offset(5)),
            "a part of the batch across the cut is left"
        );
        late.start_at(Offset(7));
        assert_eq!((late.start(), late.end()), (Offset(7), Offset(7)));
        assert_eq!(late.agrees_up_to(&whole, Offset(0)), Offset(7));
    }

    #[test]
    fn a_cut_takes_the_batch_across_it() {
        let mut a = chain(&[link(0, 2, 0, 7), link(3, 5, 0, 8)]);
        a.cut_to(Offset(4));
        assert_eq!(a.end(), Offset(3));
        assert_eq!(a.beginning_at(Offset(0)).unwrap().crc, 7);
        a.cut_to(Offset(0));
        assert_eq!(a.end(), Offset(0));
    }
}
