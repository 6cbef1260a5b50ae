//! The names of a log's files. Segment sets are named by their base offset, in 20 digits so that they sort.

use crate::types::Offset;

/// The mark of a log in which gaps are legal.
const GAPS: &str = "compacted";

/// What a name in a log's directory stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Name {
    /// `.log`: batches from this offset on.
    Segment(Offset),
    /// `.index` of the segment with this base offset.
    Index(Offset),
    /// `.timeindex` of the segment with this base offset.
    TimeIndex(Offset),
    /// `.snapshot`: producer states as of this offset.
    Snapshot(Offset),
    /// `.truncated`: the log was cut here, below a recovery point that may still be on the disk.
    Truncated(Offset),
    /// `.corrupt`: bad bytes were found in the log, at this offset.
    Corrupt(Offset),
    /// `.log.swap`: what compaction has left of the segments from this offset on, not yet in their place.
    Swap(Offset),
    /// `compacted`: gaps between batches are legal in this log.
    Gaps,
    /// What an interrupted replacement, deletion or compaction left behind.
    Leftover,
    /// Anything else: left alone.
    Other,
}

impl Name {
    /// Reads a name.
    pub(super) fn parse(name: &str) -> Name {
        if name == GAPS {
            return Name::Gaps;
        }
        if [".tmp", ".deleted", ".cleaned"].iter().any(|suffix| name.ends_with(suffix)) {
            return Name::Leftover;
        }
        let Some((digits, kind)) = name.split_once('.') else { return Name::Other };
        if digits.len() != 20 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Name::Other;
        }
        let Ok(offset) = digits.parse().map(Offset) else { return Name::Other };
        match kind {
            "log" => Name::Segment(offset),
            "log.swap" => Name::Swap(offset),
            "index" => Name::Index(offset),
            "timeindex" => Name::TimeIndex(offset),
            "snapshot" => Name::Snapshot(offset),
            "truncated" => Name::Truncated(offset),
            "corrupt" => Name::Corrupt(offset),
            _ => Name::Other,
        }
    }
}

/// The file that holds the batches from `base` on.
pub(super) fn segment(dir: &str, base: Offset) -> String {
    format!("{dir}/{:020}.log", base.0)
}

/// What compaction is writing of the segments from `base` on.
pub(super) fn cleaned(dir: &str, base: Offset) -> String {
    format!("{dir}/{:020}.log.cleaned", base.0)
}

/// The same when it is whole, durable and on its way into their place.
pub(super) fn swap(dir: &str, base: Offset) -> String {
    format!("{dir}/{:020}.log.swap", base.0)
}

/// The mark of a log in which gaps are legal.
pub(super) fn gaps(dir: &str) -> String {
    format!("{dir}/{GAPS}")
}

/// The index of that file.
pub(super) fn index(dir: &str, base: Offset) -> String {
    format!("{dir}/{:020}.index", base.0)
}

/// The time index of that file.
pub(super) fn time_index(dir: &str, base: Offset) -> String {
    format!("{dir}/{:020}.timeindex", base.0)
}

/// The producer states as of `offset`.
pub(super) fn snapshot(dir: &str, offset: Offset) -> String {
    format!("{dir}/{:020}.snapshot", offset.0)
}

/// The mark of a cut at `offset`.
pub(super) fn truncated(dir: &str, offset: Offset) -> String {
    format!("{dir}/{:020}.truncated", offset.0)
}

/// The mark of bad bytes found at `offset`.
pub(super) fn corrupt(dir: &str, offset: Offset) -> String {
    format!("{dir}/{:020}.corrupt", offset.0)
}

/// The directory that holds `dir`; "" is the data directory.
pub(super) fn parent(dir: &str) -> String {
    dir.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_written() {
        let base = Offset(1234);
        assert_eq!(segment("orders-0", base), "orders-0/00000000000000001234.log");
        assert_eq!(Name::parse("00000000000000001234.log"), Name::Segment(base));
        assert_eq!(Name::parse("00000000000000001234.index"), Name::Index(base));
        assert_eq!(time_index("orders-0", base), "orders-0/00000000000000001234.timeindex");
        assert_eq!(Name::parse("00000000000000001234.timeindex"), Name::TimeIndex(base));
        assert_eq!(Name::parse("00000000000000001234.snapshot"), Name::Snapshot(base));
        assert_eq!(Name::parse("00000000000000001234.truncated"), Name::Truncated(base));
        assert_eq!(corrupt("orders-0", base), "orders-0/00000000000000001234.corrupt");
        assert_eq!(Name::parse("00000000000000001234.corrupt"), Name::Corrupt(base));
        assert_eq!(Name::parse("00000000000000001234.log.deleted"), Name::Leftover);
        assert_eq!(cleaned("orders-0", base), "orders-0/00000000000000001234.log.cleaned");
        assert_eq!(Name::parse("00000000000000001234.log.cleaned"), Name::Leftover);
        assert_eq!(Name::parse("00000000000000001234.log.swap"), Name::Swap(base));
        assert_eq!(Name::parse("compacted"), Name::Gaps);
        assert_eq!(Name::parse("leader-epoch-checkpoint.tmp"), Name::Leftover);
        assert_eq!(Name::parse("leader-epoch-checkpoint"), Name::Other);
        assert_eq!(Name::parse("99999999999999999999.log"), Name::Other, "no offset is that large");
        assert_eq!(Name::parse("1.log"), Name::Other);
    }
}
