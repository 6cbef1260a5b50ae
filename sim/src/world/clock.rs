//! The clocks of a node, none of which is right.
//!
//! ```text
//!   monotonic   starts anywhere at boot, runs a little too fast or too slow for as long as the kernel lives
//!   wall        a real date, off by a constant; timestamps in records are made of it
//! ```
//!
//! Faults make it worse: a wall clock jumps, forwards or backwards ([`NodeClock::jump`]), a monotonic clock runs at another rate for a while
//! ([`NodeClock::race`]); it never jumps.
//!
//! Actors see only these. Their deadlines are moments of the monotonic clock and have to be turned into moments of the world,
//! rounded up, so that nobody is ever woken before his own clock shows the deadline.

use brokerlab::actor::Now;
use brokerlab::types::{Time, Timestamp};

use super::chance::{Chance, Tag};

/// Wall clock at the begin of the world: 2026-01-01.
pub const EPOCH_MS: i64 = 1_767_225_600_000;
/// Wall clocks are off by no more than this.
const SKEW_MS_MAX: u64 = 400;
/// The monotonic clock shows no more than this at boot.
const FIRST_READING_NS_MAX: u64 = 1_000_000_000_000;
const MILLION: i128 = 1_000_000;
/// No clock runs faster or slower than this, whatever faults add up to.
const DRIFT_PPM_MAX: i64 = 900_000;

/// The clocks of one node, for one life of its kernel.
#[derive(Clone, Copy, Debug)]
pub struct NodeClock {
    booted: Time,
    first_reading: u64,
    /// Of this crystal.
    drift_ppm: i64,
    /// What faults add to it.
    race_ppm: i64,
    skew_ms: i64,
}

impl NodeClock {
    /// The clocks of `node`'s kernel, booted now for the `boot`-th time.
    #[must_use]
    pub fn boot(chance: Chance, node: u16, boot: u32, drift_ppm_max: u32, now: Time) -> NodeClock {
        let mut crystal = chance.about(Tag::Clock, [u64::from(node), 0, 0, 0]);
        let drift = crystal.up_to(2 * u64::from(drift_ppm_max));
        let skew = crystal.up_to(2 * SKEW_MS_MAX);
        let first_reading = chance.about(Tag::Clock, [u64::from(node), 1, u64::from(boot), 0]).up_to(FIRST_READING_NS_MAX);
        NodeClock {
            booted: now,
            first_reading,
            drift_ppm: drift.cast_signed() - i64::from(drift_ppm_max),
            race_ppm: 0,
            skew_ms: skew.cast_signed() - SKEW_MS_MAX.cast_signed(),
        }
    }

    /// From now on the wall clock is off by so much more.
    pub fn jump(&mut self, by_ms: i64) {
        self.skew_ms = self.skew_ms.saturating_add(by_ms);
    }

    /// From now on the monotonic clock runs so much faster (slower, if negative) than its crystal; what it shows does not jump.
    pub fn race(&mut self, ppm: i64, now: Time) {
        let before = self.now(now);
        (self.first_reading, self.booted, self.race_ppm) = (before.mono.0, now, ppm);
    }

    fn rate_ppm(&self) -> i64 {
        self.drift_ppm.saturating_add(self.race_ppm).clamp(-DRIFT_PPM_MAX, DRIFT_PPM_MAX)
    }

    /// What both clocks show at this moment of the world.
    #[must_use]
    pub fn now(&self, world: Time) -> Now {
        let wall = EPOCH_MS + self.skew_ms + (world.0 / 1_000_000).cast_signed();
        Now { mono: self.local(world), wall: Timestamp(wall) }
    }

    /// What the monotonic clock shows at this moment of the world.
    #[must_use]
    pub fn local(&self, world: Time) -> Time {
        let elapsed = world.since(self.booted).0;
        let drifted = (i128::from(elapsed) * i128::from(self.rate_ppm())).div_euclid(MILLION);
        Time(self.first_reading + u64::try_from(i128::from(elapsed) + drifted).expect("drift is far below a million ppm"))
    }

    /// The first moment of the world, from `not_before` on, at which the monotonic clock shows `local` or more.
    #[must_use]
    pub fn world(&self, local: Time, not_before: Time) -> Time {
        if self.local(not_before) >= local {
            return not_before;
        }
        let wanted = i128::from(local.0 - self.first_reading);
        let elapsed = (wanted * MILLION).div_euclid(MILLION + i128::from(self.rate_ppm()));
        let mut world = Time(self.booted.0.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX))).max(not_before);
        while world.0 < u64::MAX && self.local(world) < local {
            world.0 += 1;
        }
        world
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(drift_ppm: i64) -> NodeClock {
        NodeClock { booted: Time(5_000), first_reading: 777, drift_ppm, race_ppm: 0, skew_ms: 0 }
    }

    #[test]
    fn a_deadline_is_never_early_and_at_most_a_moment_late() {
        for drift in [-5_000, -321, -1, 0, 1, 17, 5_000] {
            let clock = clock(drift);
            for wait in [1, 2, 999, 1_000_003, 30_000_000_007, 86_400_000_000_000] {
                let local = Time(777 + wait);
                let world = clock.world(local, Time(5_000));
                assert!(clock.local(world) >= local, "drift {drift}, wait {wait}");
                assert!(clock.local(Time(world.0 - 1)) < local, "drift {drift}, wait {wait}");
            }
        }
    }

    #[test]
    fn a_fast_clock_is_early_in_world_time() {
        let second = Time(777 + 1_000_000_000);
        assert!(clock(100).world(second, Time(0)) < clock(-100).world(second, Time(0)));
    }

    #[test]
    fn a_past_deadline_means_now() {
        assert_eq!(clock(3).world(Time::ZERO, Time(123_456)), Time(123_456));
    }

    #[test]
    fn a_racing_clock_goes_on_from_what_it_shows() {
        let mut clock = clock(0);
        let second = Time(1_000_000_000);
        let before = clock.now(second).mono;
        clock.race(500_000, second);
        assert_eq!(clock.now(second).mono, before);
        assert_eq!(clock.local(Time(3 * second.0)).0 - before.0, 3 * second.0);
        clock.race(-500_000, Time(3 * second.0));
        assert_eq!(clock.local(Time(5 * second.0)).0 - before.0, 4 * second.0);
        let deadline = Time(before.0 + 5 * second.0);
        assert!(clock.local(clock.world(deadline, Time(5 * second.0))) >= deadline);
    }

    #[test]
    fn rates_that_add_up_never_stop_a_clock() {
        let mut clock = clock(-5_000);
        clock.race(-3_000_000, Time(5_000));
        assert!(clock.local(Time(1_000_000_000)) > clock.local(Time(5_000)));
    }

    #[test]
    fn only_the_wall_clock_jumps() {
        let mut clock = clock(0);
        let before = clock.now(Time(9_000));
        clock.jump(-3_600_000);
        let after = clock.now(Time(9_000));
        assert_eq!((after.mono, after.wall.0), (before.mono, before.wall.0 - 3_600_000));
    }

    #[test]
    fn each_boot_starts_elsewhere_but_drifts_alike() {
        let chance = Chance::new(3);
        let first = NodeClock::boot(chance, 2, 1, 200, Time(0));
        let second = NodeClock::boot(chance, 2, 2, 200, Time(9));
        assert_eq!((first.drift_ppm, first.skew_ms), (second.drift_ppm, second.skew_ms));
        assert_ne!(first.first_reading, second.first_reading);
        assert!(first.drift_ppm.abs() <= 200);
    }
}
