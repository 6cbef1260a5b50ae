//! Bandwidth: a wire that carries so many bytes in a second. What is sent while it is busy waits.

use brokerlab::types::{Duration, Time};

/// One wire, in one direction.
#[derive(Clone, Debug, Default)]
pub struct Shaper {
    /// Faults that narrow it, with what they leave of it, in bytes per second.
    narrow: Vec<(u64, u64)>,
    /// When everything that was sent so far has left.
    free: Time,
}

impl Shaper {
    /// No more than that gets through while this fault lasts.
    pub fn narrow(&mut self, fault: u64, rate: u64) {
        self.narrow.push((fault, rate));
    }

    /// This fault is over, and nothing waits any more.
    pub fn widen(&mut self, fault: u64) {
        self.narrow.retain(|(by, _)| *by != fault);
        self.free = Time::ZERO;
    }

    /// When the last of so many bytes has left, if they begin to at `at`, and the fault that made them wait, 0 if none did.
    pub fn pass(&mut self, usual: Option<u64>, bytes: u64, at: Time) -> (Time, u64) {
        let narrowest = self.narrow.iter().min_by_key(|(_, rate)| *rate).copied();
        let (fault, rate) = match (narrowest, usual) {
            (None, None) => return (at, 0),
            (None, Some(usual)) => (0, usual),
            (Some((fault, rate)), usual) => (fault, rate.min(usual.unwrap_or(rate))),
        };
        let takes = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
        let takes = Duration(u64::try_from(takes).unwrap_or(u64::MAX));
        self.free = Time(at.max(self.free).0.saturating_add(takes.0));
        (self.free, fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn what_is_sent_while_the_wire_is_busy_waits() {
        let mut shaper = Shaper::default();
        assert_eq!(shaper.pass(Some(1000), 500, Time(0)), (Time(SECOND / 2), 0));
        assert_eq!(shaper.pass(Some(1000), 100, Time(1)), (Time(SECOND * 6 / 10), 0));
        assert_eq!(shaper.pass(Some(1000), 100, Time(SECOND)), (Time(SECOND * 11 / 10), 0));
    }

    #[test]
    fn the_narrowest_fault_counts_and_without_any_nothing_waits() {
        let mut shaper = Shaper::default();
        assert_eq!(shaper.pass(None, 1 << 40, Time(7)), (Time(7), 0));
        shaper.narrow(1, 1000);
        shaper.narrow(2, 10);
        assert_eq!(shaper.pass(Some(500), 10, Time(0)), (Time(SECOND), 2));
        shaper.widen(2);
        assert_eq!(shaper.pass(Some(500), 500, Time(SECOND)), (Time(2 * SECOND), 1));
        shaper.widen(1);
        assert_eq!(shaper.pass(None, 500, Time(SECOND)), (Time(SECOND), 0));
    }
}
