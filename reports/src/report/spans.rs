//! A state over time, as the spans in which it did not change.

/// One span; half-open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span<T> {
    /// Begin, in nanoseconds of world time.
    pub from: u64,
    /// End.
    pub to: u64,
    /// What held.
    pub state: T,
}

/// Spans, one after the other, without two equal neighbours.
#[derive(Clone, Debug)]
pub struct Spans<T> {
    done: Vec<Span<T>>,
    open: Option<(u64, T)>,
}

impl<T> Default for Spans<T> {
    fn default() -> Spans<T> {
        Spans { done: Vec::new(), open: None }
    }
}

impl<T: Clone + PartialEq> Spans<T> {
    /// From `at` on this holds.
    pub fn set(&mut self, at: u64, state: T) {
        if self.current() != Some(&state) {
            self.end(at);
            self.open = Some((at, state));
        }
    }

    /// From `at` on nothing holds.
    pub fn end(&mut self, at: u64) {
        if let Some((from, state)) = self.open.take()
            && at > from
        {
            self.done.push(Span { from, to: at, state });
        }
    }

    /// What holds now.
    #[must_use]
    pub fn current(&self) -> Option<&T> {
        self.open.as_ref().map(|(_, state)| state)
    }

    /// All of them, the last one ending with the run.
    #[must_use]
    pub fn until(mut self, end: u64) -> Vec<Span<T>> {
        self.end(end);
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_one_and_empty_spans_are_none() {
        let mut spans = Spans::default();
        spans.set(1, 'a');
        spans.set(3, 'a');
        spans.set(5, 'b');
        spans.set(5, 'c');
        spans.end(9);
        spans.set(11, 'c');
        let span = |from, to, state| Span { from, to, state };
        assert_eq!(spans.until(12), [span(1, 5, 'a'), span(5, 9, 'c'), span(11, 12, 'c')]);
    }
}
