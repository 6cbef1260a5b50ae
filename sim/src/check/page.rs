//! Where one check keeps its score: how often it looked, how often there was something to see, what it found.

use brokerlab_reports::event::EventId;
use brokerlab_reports::verdict::{CheckReport, Finding, Verdict};

/// Findings that one check keeps; later ones are only counted.
const FINDINGS_MAX: usize = 40;

/// A finding, and the name under which a verdict speaks of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Noted {
    /// The finding as it is reported.
    pub finding: Finding,
    /// The check's id, or the name of a sanction (`last-replica-standing`).
    pub property: &'static str,
    /// Index of the partition in the ghost; `None` if it is about no partition.
    pub partition: Option<usize>,
}

/// What a finding counts as.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Weight {
    /// The verdict that it calls for.
    pub verdict: Verdict,
    /// The name of the sanction; empty for the check's own id.
    pub name: &'static str,
}

impl Weight {
    /// A safety property failed inside the contract.
    pub const VIOLATION: Weight = Weight { verdict: Verdict::Violation, name: "" };
    /// Something did not happen in time.
    pub const HANG: Weight = Weight { verdict: Verdict::Hang, name: "" };
}

/// The score of one check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    id: &'static str,
    claim: &'static str,
    evaluated: u64,
    exercised: u64,
    violated: u64,
    /// What it found.
    pub notes: Vec<Noted>,
}

impl Page {
    /// An empty page for a check.
    #[must_use]
    pub fn new(id: &'static str, claim: &'static str) -> Page {
        Page { id, claim, evaluated: 0, exercised: 0, violated: 0, notes: Vec::new() }
    }

    /// The check's id.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// It looked; `worthwhile` says whether it could have failed in an interesting way.
    pub fn looked(&mut self, worthwhile: bool) {
        self.evaluated += 1;
        self.exercised += u64::from(worthwhile);
    }

    /// There was something to see (without another look).
    pub fn saw(&mut self) {
        self.exercised += 1;
    }

    /// How often there was something to see.
    #[must_use]
    pub fn exercised(&self) -> u64 {
        self.exercised
    }

    /// How often it failed inside the contract.
    #[must_use]
    pub fn violated(&self) -> u64 {
        self.violated
    }

    /// It found something. The text is made only if it is kept.
    pub fn found(&mut self, event: EventId, partition: Option<usize>, weight: Weight, text: impl FnOnce() -> String) {
        let inside = matches!(weight.verdict, Verdict::Violation | Verdict::Hang | Verdict::Crash);
        self.violated += u64::from(inside);
        if self.notes.len() < FINDINGS_MAX {
            let property = if weight.name.is_empty() { self.id } else { weight.name };
            let finding = Finding { check: self.id.to_string(), event, verdict: weight.verdict, text: text() };
            self.notes.push(Noted { finding, property, partition });
        }
    }

    /// What is reported.
    #[must_use]
    pub fn report(&self) -> CheckReport {
        let (id, claim) = (self.id.to_string(), self.claim.to_string());
        CheckReport { id, claim, evaluated: self.evaluated, exercised: self.exercised, violated: self.violated }
    }
}
