//! The guarantee matrix: which anomaly which configuration allows, as data, so that it can be proved.
//!
//! Documentation says what a setting guarantees. Here each row is a scenario, each cell a claim, and many seeds are the proof: an anomaly that is
//! *legal* must be witnessed by a seed, which is named, and one that is *never* to happen must not be seen in any. If a legal one cannot be
//! provoked, the laboratory is too polite or the claim too timid; if the other is seen, something is broken.
//!
//! All rows share one cluster, its clients and its weather; a row differs in what it sets, and in the faults that it allows. Budgets are part
//! of the claim: `acks=all` with `min.insync.replicas=2` keeps its promise when one broker loses what it had not synced, as long as it was not the
//! last one left in the ISR: without eligible leader replicas (KIP-966) that one is elected again, whatever it has lost.

use std::fmt::Write;

use crate::scenario::{Scenario, ScenarioError, parse};

/// What a configuration says about an anomaly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// It may happen, and some seed must show it.
    Legal,
    /// It must not happen within the row's faults.
    Never,
}

/// The anomalies: name, and the count of a judgement that tells of them.
pub const ANOMALIES: [(&str, &str); 4] = [
    ("lost write", "lost"),
    ("duplicate", "duplicated"),
    ("vanishing read, two values at one offset", "vanished"),
    ("producer order broken", "reordered"),
];

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Short name: of its scenario, and of its runs.
    pub slug: &'static str,
    /// The configuration in words.
    pub name: &'static str,
    /// `min.insync.replicas` of the topic.
    pub min_isr: u32,
    /// Whether a replica outside the ISR may be elected.
    pub unclean: bool,
    /// `acks` of the producers.
    pub acks: &'static str,
    /// `enable.idempotence`.
    pub idempotent: bool,
    /// `max.in.flight.requests.per.connection`.
    pub in_flight: u32,
    /// Random faults: kinds, and how many.
    pub kinds: &'static [&'static str],
    /// How many of them.
    pub faults: (u32, u32),
    /// The longest of them, and what brokers are patient for: session and replica lag, in milliseconds.
    pub patience: (u32, u32, u32),
    /// Faults that every seed has, in TOML.
    pub fixed: &'static [&'static str],
    /// One claim for each of [`ANOMALIES`].
    pub claims: [Claim; 4],
}

use Claim::{Legal, Never};

/// Faults outlast the patience of brokers: the ISR shrinks.
const HASTY: (u32, u32, u32) = (4000, 2000, 1500);
/// They do not: only a broker that is down for long leaves the ISR.
const PATIENT: (u32, u32, u32) = (1500, 6000, 30_000);

/// What nobody leaves the ISR for: shorter than the session, and than the lag that a follower is allowed.
const BRIEF: &[&str] = &["crash", "cut", "slow-link"];
/// Whatever leaves the disks alone.
const NO_LOSS: &[&str] = &["crash", "restart", "pause", "isolate", "cut", "slow-link"];
/// The same, and whole nodes that lose their power.
const ANY: &[&str] = &["crash", "power-loss", "restart", "pause", "isolate", "cut", "slow-link"];

/// The leader is cut off from the other brokers, but not from its clients: it goes on taking what it may never be able to keep.
const ZOMBIE: &str = r#"
[[faults]]
id = "zombie"
at = "3s"
for = "6s"
kind = "isolate"
target = "leader of orders-0"
except_clients = true
"#;

/// The leader is left alone in the ISR, and then loses its power.
const LAST_STANDING: &str = r#"
[[faults]]
id = "alone"
at = "3s"
for = "6s"
kind = "isolate"
target = "leader of orders-0"
except_clients = true

[[faults]]
id = "dark"
at = "9050ms"
for = "300ms"
kind = "power-loss"
target = "leader of orders-0"
"#;

/// One node loses its power, with what it had not synced, for longer than its session.
const ONE_LOSS: &str = r#"
[[faults]]
id = "dark"
at = "5s"
for = "8s"
kind = "power-loss"
target = "leader of orders-0"
"#;

/// Everything between the first producer and one broker takes longer.
macro_rules! far {
    ($n:literal) => {
        concat!(
            "\n[[faults]]\nid = \"far-",
            $n,
            "\"\nat = \"9s\"\nfor = \"11s\"\nkind = \"slow-link\"\n",
            "from = \"p1\"\nto = \"b",
            $n,
            "\"\nby = \"30ms\"\n"
        )
    };
}

/// The leader hands over, while a follower hears of everything late.
macro_rules! moved {
    ($n:literal, $late:literal, $at:literal) => {
        concat!(
            "\n[[faults]]\nid = \"late-",
            $n,
            "\"\nat = \"",
            $late,
            "\"\nfor = \"600ms\"\n",
            "kind = \"stale-metadata\"\ntarget = \"a follower of orders-0\"\n",
            "\n[[faults]]\nid = \"move-",
            $n,
            "\"\nat = \"",
            $at,
            "\"\nfor = \"800ms\"\n",
            "kind = \"restart\"\ntarget = \"leader of orders-0\"\n"
        )
    };
}

/// A producer far away has several requests on their way when a partition moves to a broker that has not heard of it: it refuses the first, hears
/// of it, and takes the second.
const OVERTAKING: &str = concat!(
    far!(1),
    far!(2),
    far!(3),
    moved!(1, "9480ms", "9500ms"),
    moved!(2, "11980ms", "12s"),
    moved!(3, "14480ms", "14500ms"),
    moved!(4, "16980ms", "17s"),
);

/// The rows, from the weakest promise to the strongest.
pub const ROWS: &[Row] = &[
    Row {
        slug: "acks-0",
        name: "acks=0",
        min_isr: 2,
        unclean: false,
        acks: "0",
        idempotent: false,
        in_flight: 5,
        kinds: NO_LOSS,
        faults: (1, 5),
        patience: HASTY,
        fixed: &[ZOMBIE],
        // Nothing is tried again, so nothing can be overtaken.
        claims: [Legal, Never, Never, Never],
    },
    Row {
        slug: "acks-1",
        name: "acks=1, clean elections, retries without idempotence",
        min_isr: 2,
        unclean: false,
        acks: "1",
        idempotent: false,
        in_flight: 5,
        kinds: NO_LOSS,
        faults: (1, 5),
        patience: HASTY,
        fixed: &[ZOMBIE, OVERTAKING],
        claims: [Legal, Legal, Never, Legal],
    },
    Row {
        slug: "acks-all-min-1",
        name: "acks=all, min ISR 1, clean elections, retries without idempotence",
        min_isr: 1,
        unclean: false,
        acks: "all",
        idempotent: false,
        in_flight: 5,
        kinds: ANY,
        faults: (1, 5),
        patience: HASTY,
        fixed: &[LAST_STANDING, OVERTAKING],
        claims: [Legal, Legal, Legal, Legal],
    },
    Row {
        slug: "acks-all-min-2",
        name: "acks=all, min ISR 2, one lossy crash while the ISR is whole, retries without idempotence, one request in flight",
        min_isr: 2,
        unclean: false,
        acks: "all",
        idempotent: false,
        in_flight: 1,
        kinds: BRIEF,
        faults: (1, 6),
        patience: PATIENT,
        fixed: &[ONE_LOSS],
        claims: [Never, Legal, Never, Never],
    },
    Row {
        slug: "last-standing",
        name: "acks=all, min ISR 2, the last one of a shrunken ISR loses its power (KIP-966: no eligible leader replicas), idempotence",
        min_isr: 2,
        unclean: false,
        acks: "all",
        idempotent: true,
        in_flight: 5,
        kinds: NO_LOSS,
        faults: (1, 5),
        patience: HASTY,
        fixed: &[LAST_STANDING],
        claims: [Legal, Never, Legal, Never],
    },
    Row {
        slug: "unclean",
        name: "acks=all, min ISR 1, unclean elections, retries without idempotence",
        min_isr: 1,
        unclean: true,
        acks: "all",
        idempotent: false,
        in_flight: 5,
        kinds: ANY,
        faults: (1, 5),
        patience: HASTY,
        fixed: &[LAST_STANDING, OVERTAKING],
        claims: [Legal, Legal, Legal, Legal],
    },
    Row {
        slug: "idempotent",
        name: "acks=all, min ISR 2, one lossy crash while the ISR is whole, idempotence, five requests in flight",
        min_isr: 2,
        unclean: false,
        acks: "all",
        idempotent: true,
        in_flight: 5,
        kinds: BRIEF,
        faults: (1, 6),
        patience: PATIENT,
        fixed: &[ONE_LOSS],
        claims: [Never, Never, Never, Never],
    },
];

impl Row {
    /// The scenario of this row.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        parse(self.slug, &self.text())
    }

    /// The same as a file.
    #[must_use]
    pub fn text(&self) -> String {
        let Row { name, min_isr, unclean, acks, idempotent, in_flight, kinds, faults, fixed, .. } = self;
        let (longest, session, lag) = self.patience;
        let fixed = fixed.concat();
        let mut text = String::new();
        let written = write!(
            text,
            r#"title = "What may happen with {name}"
duration = "20s"
expect = {{ verdict = ["PASS", "SANCTIONED", "BEYOND_TOLERANCE"] }}

[cluster]
brokers = 3
[cluster.config]
"broker.heartbeat.interval.ms" = 300
"broker.session.timeout.ms" = {session}
"replica.lag.time.max.ms" = {lag}

[[topics]]
name = "orders"
partitions = 1
replicas = 3
config = {{ "min.insync.replicas" = {min_isr}, "unclean.leader.election.enable" = {unclean} }}
{fixed}
[chaos]
kinds = {kinds:?}
faults = [{}, {}]
lasts = ["200ms", "{longest}ms"]
"#,
            faults.0, faults.1
        );
        written.expect("writing to a string cannot fail");
        for producer in ["p1", "p2"] {
            let written = write!(
                text,
                r#"
[[producers]]
name = "{producer}"
topic = "orders"
every = "15ms"
value_size = "40B"
config = {{ "acks" = "{acks}", "enable.idempotence" = {idempotent}, "max.in.flight.requests.per.connection" = {in_flight}, "linger.ms" = 0, "request.timeout.ms" = 400, "delivery.timeout.ms" = 8000 }}
"#
            );
            written.expect("writing to a string cannot fail");
        }
        text.push_str(
            "\n[[consumers]]\nname = \"r1\"\ntopic = \"orders\"\nevery = \"20ms\"\nconfig = { \"request.timeout.ms\" = 1000 }\n",
        );
        text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_scenario() {
        for row in ROWS {
            let scenario = row.scenario().unwrap_or_else(|error| panic!("{}: {error:?}\n{}", row.slug, row.text()));
            assert_eq!(scenario.name, row.slug);
        }
    }
}
