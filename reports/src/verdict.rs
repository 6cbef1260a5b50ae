//! How a run is judged, in words that machines and people share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::EventId;

/// The judgement of one run, ordered from the mildest to the gravest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Verdict {
    /// Obligations met, and the checks that matter were really exercised.
    Pass,
    /// Loss or duplication that the configuration allows.
    Sanctioned,
    /// The faults destroyed what was promised.
    BeyondTolerance,
    /// A required check was never exercised: the run proves nothing.
    Unknown,
    /// A liveness obligation was missed after healing.
    Hang,
    /// A participant panicked or failed an assertion.
    Crash,
    /// A safety property failed inside the contract.
    Violation,
}

impl Verdict {
    /// Every verdict, mildest first.
    pub const ALL: [Verdict; 7] = [
        Verdict::Pass,
        Verdict::Sanctioned,
        Verdict::BeyondTolerance,
        Verdict::Unknown,
        Verdict::Hang,
        Verdict::Crash,
        Verdict::Violation,
    ];

    /// Its name in JSON and scenarios.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Sanctioned => "SANCTIONED",
            Verdict::BeyondTolerance => "BEYOND_TOLERANCE",
            Verdict::Unknown => "UNKNOWN",
            Verdict::Hang => "HANG",
            Verdict::Crash => "CRASH",
            Verdict::Violation => "VIOLATION",
        }
    }

    /// The verdict of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.name() == name)
    }

    /// Exit code of a run that ends with it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Pass | Verdict::Sanctioned | Verdict::BeyondTolerance => 0,
            Verdict::Violation => 1,
            Verdict::Crash => 2,
            Verdict::Hang => 3,
            Verdict::Unknown => 4,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The whole judgement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// The gravest that applies.
    pub verdict: Verdict,
    /// The first property that failed, if one did (its id, such as `R12`; `last-replica-standing` and the like for named sanctions).
    pub property: Option<String>,
    /// One sentence: what was promised and what became of it.
    pub sentence: String,
    /// Every check, in a fixed order.
    pub checks: Vec<CheckReport>,
    /// Every finding, in the order of events (at most a few hundred are kept).
    pub findings: Vec<Finding>,
    /// Counts for people: acknowledged, lost, duplicated, elections ... by name, in a fixed order.
    pub counts: Vec<(String, u64)>,
}

/// What one check did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckReport {
    /// `R12`.
    pub id: String,
    /// What must hold, in one sentence.
    pub claim: String,
    /// How often it looked.
    pub evaluated: u64,
    /// How often there was something to see.
    pub exercised: u64,
    /// How often it failed inside the contract.
    pub violated: u64,
}

/// One thing a check found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// The check.
    pub check: String,
    /// The event at which it was found.
    pub event: EventId,
    /// What it counts as.
    pub verdict: Verdict,
    /// What is wrong, with names and numbers.
    pub text: String,
}
