//! In which terms two runs fail alike.
//!
//! A shorter run that fails by another property, or of which another kind of thing is the victim, shows another bug. So a failure is named by its verdict, by
//! the property that failed first, and by what that finding is about: a partition of some topic, a partition that the cluster keeps for itself
//! (`__consumer_offsets`), or no partition at all. Which partition, which broker and which offset it is does not matter: a run with one broker less
//! has other ones.

use brokerlab_reports::verdict::Verdict;

use super::ghost::Ghost;
use super::page::Noted;

/// What a finding is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A partition of a topic that people write to.
    Partition,
    /// A partition that the cluster keeps for itself.
    InternalPartition,
    /// A group, a node, the whole cluster: the property says which.
    Other,
}

/// How a run fails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symptom {
    /// The verdict.
    pub verdict: Verdict,
    /// The property that failed first.
    pub property: String,
    /// What it is about.
    pub subject: Subject,
}

impl Symptom {
    /// What a finding shows; `None` if nothing is wrong about it.
    #[must_use]
    pub(super) fn of(noted: &Noted, ghost: &Ghost) -> Option<Symptom> {
        let verdict = noted.finding.verdict;
        let subject = match noted.partition {
            Some(partition) if ghost.is_internal(partition) => Subject::InternalPartition,
            Some(_) => Subject::Partition,
            None => Subject::Other,
        };
        is_failure(verdict).then(|| Symptom { verdict, property: noted.property.to_string(), subject })
    }
}

/// How far a run is followed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Follow {
    /// To its end.
    #[default]
    End,
    /// To the first violation, if there is one.
    Violation,
    /// The same, and no further than until faults end.
    Settle,
}

/// Whether something is wrong with a run of that verdict.
#[must_use]
pub fn is_failure(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Violation | Verdict::Crash | Verdict::Hang)
}
