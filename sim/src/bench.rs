//! What `brokerlab bench` measures: three fixed scenarios, and the engine alone.
//!
//! The echo is the limit: two actors that do nothing but bounce frames, through the same heap, hand-over, network and journal. What a
//! scenario is slower than the echo is the price of brokers, logs, disks and checks.

use crate::scenario::{Scenario, ScenarioError, parse};

/// One of the fixed scenarios.
#[derive(Clone, Copy, Debug)]
pub struct Yardstick {
    /// Its name.
    pub name: &'static str,
    /// Seeds that are run when none are asked for.
    pub seeds: u64,
    text: &'static str,
}

/// All of them.
pub const YARDSTICKS: [Yardstick; 3] = [
    Yardstick { name: "small", seeds: 40, text: include_str!("../../scenarios/bench/small.toml") },
    Yardstick { name: "wide", seeds: 3, text: include_str!("../../scenarios/bench/wide.toml") },
    Yardstick { name: "week", seeds: 1, text: include_str!("../../scenarios/bench/week.toml") },
];

impl Yardstick {
    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Yardstick> {
        YARDSTICKS.into_iter().find(|one| one.name == name)
    }

    /// Its scenario.
    ///
    /// # Errors
    /// When the file that was built in is no scenario; a test rules that out.
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        parse(&format!("scenarios/bench/{}.toml", self.name), self.text)
    }
}

/// The engine alone.
#[cfg(madsim)]
pub mod echo {
    use std::io;

    use brokerlab::actor::{Actor, Event, Now, Outbox};
    use brokerlab::digest::Digest;
    use brokerlab::disk::Disk;
    use brokerlab::types::{Address, ConnectionId, Duration, Time};
    use bytes::Bytes;

    use crate::scenario::Scenario;
    use crate::workload::Driver;
    use crate::world::cast::{Birth, Cast, Member, Role};
    use crate::world::{RunOptions, RunReport, run_cast};

    /// Frames on their way at any time.
    const IN_FLIGHT: u32 = 16;

    /// Lets two actors bounce frames for that long.
    ///
    /// # Errors
    /// Never in practice: nothing is recorded.
    pub fn bounce(seed: u64, duration: Duration) -> io::Result<RunReport> {
        let plan = Scenario { name: "echo".into(), seed, duration, ..Scenario::default() };
        let members = ["b1", "p1"].map(|name| Member { name: name.into(), role: Role::Toy });
        run_cast(&plan, Box::new(Pair { members }), RunOptions::default())
    }

    struct Pair {
        members: [Member; 2],
    }

    impl Cast for Pair {
        fn members(&self) -> &[Member] {
            &self.members
        }

        fn actor(&self, member: usize, _: Birth) -> Box<dyn Actor> {
            if member == 0 { Box::new(Wall) } else { Box::new(Player { begun: false, number: 0 }) }
        }

        fn driver(&self, _: usize) -> Driver {
            Driver::Nobody
        }
    }

    /// Answers every frame with its own bytes.
    struct Wall;

    impl Actor for Wall {
        fn step(&mut self, _: Now, event: Event, _: &mut dyn Disk, out: &mut Outbox) {
            if let Event::Frame { connection, frame } = event {
                // A request names its API and version before the correlation id with which a response begins.
                out.send(connection, vec![frame.slice(4..)]);
            }
        }

        fn deadline(&self) -> Option<Time> {
            None
        }

        fn digest(&self, _: &mut Digest) {}
    }

    /// Keeps some frames in the air.
    struct Player {
        begun: bool,
        number: u32,
    }

    impl Player {
        fn throw(&mut self, connection: ConnectionId, out: &mut Outbox) {
            self.number = self.number.wrapping_add(1);
            let mut frame = vec![0, 1, 0, 4];
            frame.extend_from_slice(&self.number.to_be_bytes());
            frame.resize(100, 7);
            out.send(connection, vec![Bytes::from(frame)]);
        }
    }

    impl Actor for Player {
        fn step(&mut self, _: Now, event: Event, _: &mut dyn Disk, out: &mut Outbox) {
            match event {
                Event::Opened { connection, .. } => (0..IN_FLIGHT).for_each(|_| self.throw(connection, out)),
                Event::Frame { connection, .. } => self.throw(connection, out),
                Event::Woken if !self.begun => {
                    self.begun = true;
                    out.connect(Address::new("b1", 9092));
                }
                Event::Woken | Event::Closed { .. } | Event::Synced { .. } | Event::ReadDone { .. } | Event::Command(_) => {}
            }
        }

        fn deadline(&self) -> Option<Time> {
            (!self.begun).then_some(Time::ZERO)
        }

        fn digest(&self, _: &mut Digest) {}
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    mod tests {
        use super::*;

        #[test]
        fn frames_bounce_and_the_same_seed_bounces_alike() {
            let one = bounce(1, Duration::secs(1)).unwrap();
            assert!(one.frames > 5_000, "{}", one.frames);
            assert_eq!(one.hash, bounce(1, Duration::secs(1)).unwrap().hash);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_yardstick_is_a_scenario() {
        for one in YARDSTICKS {
            assert_eq!(one.scenario().unwrap().name, one.name);
        }
    }
}
