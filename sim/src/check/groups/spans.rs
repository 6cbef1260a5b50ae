//! A set of offsets as disjoint spans: what a group has processed.

use brokerlab::types::Offset;

/// Offsets, kept as spans `[from, to)` that neither touch nor overlap, by rising offset.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spans(Vec<(Offset, Offset)>);

impl Spans {
    /// Adds all offsets from `from` to before `to`.
    pub fn add(&mut self, from: Offset, to: Offset) {
        if from >= to {
            return;
        }
        let first = self.0.partition_point(|(_, end)| *end < from);
        let behind = self.0.partition_point(|(start, _)| *start <= to);
        let (mut start, mut end) = (from, to);
        for (known_start, known_end) in self.0.drain(first..behind.max(first)) {
            (start, end) = (start.min(known_start), end.max(known_end));
        }
        self.0.insert(first, (start, end));
    }

    /// Forgets everything from `from` on.
    pub fn cut(&mut self, from: Offset) {
        self.0.retain(|(start, _)| *start < from);
        self.0.iter_mut().for_each(|(_, end)| *end = (*end).min(from));
    }

    /// The first offset in `[from, to)` that is not in the set.
    #[must_use]
    pub fn first_missing(&self, from: Offset, to: Offset) -> Option<Offset> {
        let at = self.0.partition_point(|(_, end)| *end <= from);
        let missing = self.0.get(at).filter(|(start, _)| *start <= from).map_or(from, |(_, end)| *end);
        (missing < to).then_some(missing)
    }

    /// The first offset in `[from, to)` that is in the set.
    #[must_use]
    pub fn first_known(&self, from: Offset, to: Offset) -> Option<Offset> {
        let at = self.0.partition_point(|(_, end)| *end <= from);
        let known = self.0.get(at).map(|(start, _)| (*start).max(from))?;
        (known < to).then_some(known)
    }

    /// How many of the offsets in `[from, to)` are in the set.
    #[must_use]
    pub fn count(&self, from: Offset, to: Offset) -> u64 {
        let first = self.0.partition_point(|(_, end)| *end <= from);
        let within = self.0[first..].iter().take_while(|(start, _)| *start < to);
        within.map(|(start, end)| (*end).min(to).since((*start).max(from)).unsigned_abs()).sum()
    }

    /// Behind the last offset; zero if there is none.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.0.last().map_or(Offset::ZERO, |(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_join_where_they_touch() {
        let mut spans = Spans::default();
        for (from, to) in [(0, 2), (5, 7), (9, 9), (3, 4), (2, 3), (6, 9)] {
            spans.add(Offset(from), Offset(to));
        }
        assert_eq!(spans, Spans(vec![(Offset(0), Offset(4)), (Offset(5), Offset(9))]));
        assert_eq!(spans.first_missing(Offset(0), Offset(9)), Some(Offset(4)));
        assert_eq!(spans.first_missing(Offset(5), Offset(9)), None);
        assert_eq!(spans.first_missing(Offset(8), Offset(10)), Some(Offset(9)));
        assert_eq!(spans.first_known(Offset(4), Offset(9)), Some(Offset(5)));
        assert_eq!(spans.first_known(Offset(4), Offset(5)), None);
        assert_eq!(
            [(0, 9), (3, 6), (4, 5), (8, 20), (9, 20)].map(|(from, to)| spans.count(Offset(from), Offset(to))),
            [8, 2, 0, 1, 0]
        );
        assert_eq!(spans.end(), Offset(9));
        spans.cut(Offset(6));
        assert_eq!(spans, Spans(vec![(Offset(0), Offset(4)), (Offset(5), Offset(6))]));
    }
}
