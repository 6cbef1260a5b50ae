//! The museum is in order: each number and name once, and each switch shown.

use super::*;

#[test]
fn ids_and_slugs_are_unique() {
    for (at, entry) in MUSEUM.iter().enumerate() {
        assert!(MUSEUM[..at].iter().all(|other| other.id != entry.id && other.slug != entry.slug), "{entry:?}");
    }
}

#[test]
fn every_switch_is_shown_once() {
    // The last of the enumeration says how many there are.
    let switches: Vec<Mutant> = Mutant::all().collect();
    assert_eq!(switches.len(), Mutant::EpochlessCommitAfterCoordinatorLoss as usize + 1);
    assert!(switches.is_sorted(), "the enumeration and the museum have one order");
    assert!(switches.iter().all(|mutant| !mutant.entry().caught_by.is_empty()));
}
