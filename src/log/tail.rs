//! The newest batches, kept in memory as they came: followers and tail readers are served without touching the disk.
//!
//! A piece is what one append brought. On a follower its bytes are the log's bytes. On a leader the first 16 bytes of its one batch
//! (base offset, length, leader epoch) are another than those that the producer sent, so they are kept beside; the rest is a
//! slice of the request frame, shared and never copied by the append. The first reader that wants a leader's piece as one run of
//! bytes pays for a copy, the next ones share it; a reader that wants several pieces gets a copy of them, as from a page cache.
//!
//! Simplified: a piece keeps the whole frame alive of which it is a slice; only its own bytes are counted.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use crate::types::Offset;
use crate::wire::record::BatchHeader;

/// Bytes of a batch that a leader patches: base offset, length, leader epoch.
pub(super) const PATCHED_BYTES: usize = 16;

/// One append.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    /// Offset of its first record.
    pub(super) base: Offset,
    /// The offset after its last record.
    pub(super) end: Offset,
    /// What stands in the log instead of the first bytes; then the piece is a single batch.
    pub(super) head: Option<[u8; PATCHED_BYTES]>,
    /// The batches.
    pub(super) bytes: Bytes,
}

/// The newest pieces, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Tail {
    pieces: VecDeque<Piece>,
    bytes: usize,
    bytes_max: usize,
}

/// What a reader wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wish {
    /// First offset.
    pub(super) from: Offset,
    /// End: no record at or beyond it.
    pub(super) up_to: Offset,
    /// Bytes at most.
    pub(super) bytes_max: usize,
    /// Even if it is larger, the first batch is given.
    pub(super) at_least_one_batch: bool,
}

impl Wish {
    /// Whether a batch may be given after `taken` bytes.
    pub(super) fn allows(&self, last_offset: Offset, taken: usize, bytes: usize) -> bool {
        last_offset < self.up_to && (taken + bytes <= self.bytes_max || (taken == 0 && self.at_least_one_batch))
    }
}

impl Tail {
    /// An empty tail of at most `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> Tail {
        Tail { pieces: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Takes in what was appended; what no longer fits is forgotten, oldest first.
    pub(super) fn push(&mut self, piece: Piece) {
        assert!(self.pieces.back().is_none_or(|last| last.end <= piece.base), "pieces must follow each other");
        self.bytes += piece.bytes.len();
        self.pieces.push_back(piece);
        while self.bytes > self.bytes_max {
            let oldest = self.pieces.pop_front().expect("bytes are those of the pieces");
            self.bytes -= oldest.bytes.len();
        }
    }

    /// The log now ends at `end`.
    pub(super) fn truncate(&mut self, end: Offset) {
        let kept = self.pieces.partition_point(|piece| piece.end <= end);
        self.bytes -= self.pieces.drain(kept..).map(|piece| piece.bytes.len()).sum::<usize>();
    }

    /// What lies below `start` stands in the log in another form now.
    pub(super) fn forget_below(&mut self, start: Offset) {
        let gone = self.pieces.partition_point(|piece| piece.base < start);
        self.bytes -= self.pieces.drain(..gone).map(|piece| piece.bytes.len()).sum::<usize>();
    }

    /// The batches wished for; `None` if the first of them is not here.
    pub(super) fn read(&mut self, wish: &Wish) -> Option<Bytes> {
        let first = self.pieces.partition_point(|piece| piece.end <= wish.from);
        let piece = self.pieces.get_mut(first).filter(|piece| piece.base <= wish.from)?;
        let range = piece.range(wish, 0);
        let mut taken = range.len();
        let mut last = first;
        if range.end == piece.bytes.len() {
            while let Some(next) = self.continuation(last, wish, taken) {
                taken += next;
                last += 1;
            }
        }
        if last == first {
            return Some(self.pieces[first].share(range));
        }
        Some(self.join(first..=last, range.start, taken))
    }

    /// How many bytes of the piece after `at` may be added.
    fn continuation(&self, at: usize, wish: &Wish, taken: usize) -> Option<usize> {
        let (piece, next) = (self.pieces.get(at)?, self.pieces.get(at + 1)?);
        if piece.end != next.base || piece.end >= wish.up_to || taken >= wish.bytes_max {
            return None;
        }
        // A piece of which only a part fits is left to the next read.
        let bytes = next.range(wish, taken).len();
        (bytes == next.bytes.len()).then_some(bytes)
    }

    fn join(&self, pieces: std::ops::RangeInclusive<usize>, skip: usize, taken: usize) -> Bytes {
        let mut joined = BytesMut::with_capacity(skip + taken);
        for piece in self.pieces.range(pieces) {
            match &piece.head {
                Some(head) => {
                    joined.put_slice(head);
                    joined.put_slice(&piece.bytes[PATCHED_BYTES..]);
                }
                None => joined.put_slice(&piece.bytes),
            }
        }
        joined.freeze().slice(skip..skip + taken)
    }
}

impl Piece {
    /// The bytes of the batches wished for, if `taken` bytes were taken before.
    fn range(&self, wish: &Wish, taken: usize) -> Range<usize> {
        let (mut start, mut position) = (0, 0);
        while position < self.bytes.len() {
            let header = BatchHeader::parse(&self.bytes[position..]).expect("only verified batches are appended");
            // The producer's own offset means nothing; then there is this batch only.
            let base = if self.head.is_some() { self.base } else { header.base_offset };
            let last = base.plus(i64::from(header.last_offset_delta));
            if last < wish.from {
                start = position + header.size();
            } else if !wish.allows(last, taken + position - start, header.size()) {
                break;
            }
            position += header.size();
        }
        start..position
    }

    /// A part of the piece as it stands in the log.
    fn share(&mut self, range: Range<usize>) -> Bytes {
        if let Some(head) = self.head.take() {
            let mut bytes = BytesMut::with_capacity(self.bytes.len());
            bytes.put_slice(&head);
            bytes.put_slice(&self.bytes[PATCHED_BYTES..]);
            self.bytes = bytes.freeze();
        }
        self.bytes.slice(range)
    }
}

/// What is cached decides whether a read touches the disk, so its extent belongs to the state; its content is the log's.
impl Hash for Tail {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for piece in &self.pieces {
            (piece.base, piece.end, piece.bytes.len()).hash(state);
        }
    }
}
