//! What the museum says of one bug.

use super::Mutant;

/// One exhibit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Number in the museum.
    pub id: &'static str,
    /// Name on the command line.
    pub slug: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// The properties of which one must catch it, or an earlier inner one.
    pub caught_by: &'static [&'static str],
    /// Whether it exists here.
    pub standing: Standing,
}

/// Whether a bug can exist here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// There is a switch.
    Applicable(Mutant),
    /// There is a switch, but alone, or with the clients we have, it does no harm: why. It can be planted, and does not count.
    Latent(Mutant, &'static str),
    /// No switch is needed: a scenario shows it, or would.
    Configuration(&'static str),
    /// It cannot: why.
    NotApplicable(&'static str),
}

impl Entry {
    /// The switch, if there is one.
    #[must_use]
    pub fn mutant(&self) -> Option<Mutant> {
        match self.standing {
            Standing::Applicable(mutant) | Standing::Latent(mutant, _) => Some(mutant),
            Standing::Configuration(_) | Standing::NotApplicable(_) => None,
        }
    }

    /// Whether the laboratory must be able to find it.
    #[must_use]
    pub fn counts(&self) -> bool {
        matches!(self.standing, Standing::Applicable(_))
    }
}
