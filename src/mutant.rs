//! Planted bugs, one switch each (decision 8).
//!
//! A mutant re-introduces a historical or typical protocol bug at the very decision it spoils. Which one is on is part of an actor's
//! configuration, never a static, so two clusters in one process may differ. In the lean build (feature `mutants` off) [`Mutants::is`]
//! is constant false and no slug is in the binary.
//!
//! At a decision point:
//!
//! ```ignore
//! if self.mutants.is(Mutant::AckBeforeReplication) { out.fact(self.mutants.acted()); ... }
//! ```
//!
//! The hidden fact [`MutantActed`](crate::fact::Fact::MutantActed) is recorded only when the switch really changed a decision,
//! so that explanations can be graded.

use serde::{Deserialize, Serialize};

/// The bugs that can be planted. Names and ids are those of the bug museum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Mutant {
    /// BA-01: acks=all is answered after the local append.
    AckBeforeReplication,
    /// BA-02: consumers may read up to the log end.
    ExposeUncommitted,
    /// TR-01 (KIP-101): a new follower cuts its log at its own high watermark instead of asking where the epochs part.
    HwTruncation,
}

/// The switch board of one actor: at most one bug at a time, so that a finding has one cause.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Mutants {
    #[cfg(feature = "mutants")]
    on: Option<Mutant>,
}

impl Mutants {
    /// A correct actor.
    #[must_use]
    pub const fn none() -> Mutants {
        Mutants {
            #[cfg(feature = "mutants")]
            on: None,
        }
    }

    /// An actor with one planted bug.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub const fn only(mutant: Mutant) -> Mutants {
        Mutants { on: Some(mutant) }
    }

    /// Whether this bug is planted here.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn is(self, mutant: Mutant) -> bool {
        self.on == Some(mutant)
    }

    /// Whether this bug is planted here: never, in the lean build.
    #[cfg(not(feature = "mutants"))]
    #[must_use]
    pub fn is(self, _: Mutant) -> bool {
        false
    }
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// Every bug, in the order of the museum.
    pub const ALL: &[Mutant] = &[Mutant::AckBeforeReplication, Mutant::ExposeUncommitted, Mutant::HwTruncation];

    /// Number in the museum.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Mutant::AckBeforeReplication => "BA-01",
            Mutant::ExposeUncommitted => "BA-02",
            Mutant::HwTruncation => "TR-01",
        }
    }

    /// Name on the command line.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Mutant::AckBeforeReplication => "ack-before-replication",
            Mutant::ExposeUncommitted => "expose-uncommitted",
            Mutant::HwTruncation => "hw-truncation",
        }
    }

    /// What the switch does, in one sentence.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Mutant::AckBeforeReplication => "acks=all is answered after the local append",
            Mutant::ExposeUncommitted => "consumers may read up to the log end",
            Mutant::HwTruncation => "a new follower truncates to its own high watermark instead of the end of the common epoch",
        }
    }

    /// The properties of which one must catch it, or an earlier inner one.
    #[must_use]
    pub fn caught_by(self) -> &'static [&'static str] {
        match self {
            Mutant::AckBeforeReplication => &["R12", "B1"],
            Mutant::ExposeUncommitted => &["R13", "B3"],
            Mutant::HwTruncation => &["R9", "R8", "B1", "R14"],
        }
    }

    /// The bug of that name.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Mutant> {
        Mutant::ALL.iter().copied().find(|mutant| mutant.slug() == slug)
    }
}
