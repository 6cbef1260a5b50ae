//! From findings to one verdict and one sentence.
//!
//! When several apply, the gravest counts: VIOLATION > CRASH > HANG > UNKNOWN > BEYOND_TOLERANCE > SANCTIONED > PASS. `property` names the
//! first finding of that gravity.
//!
//! The two oracles watch each other. An anomaly that clients saw, and that nothing excuses, must have an inner finding in the same
//! partition; if there is none, the finding says that an invariant is missing. An inner violation that no client noticed is counted as a
//! near miss. It fails the run all the same.

use brokerlab_reports::event::EventId;
use brokerlab_reports::verdict::{Finding, Judgement, Verdict};

use super::clients::{Clients, Fate};
use super::ghost::Ghost;
use super::judge::Ending;
use super::l8_availability;
use super::page::{Noted, Page};
use super::setup::{NodeKind, Setup};
use super::symptom::Symptom;

/// Findings that a judgement keeps.
const FINDINGS_MAX: usize = 300;

/// Everything there is to judge.
pub struct Case<'a> {
    /// Who took part.
    pub setup: &'a Setup,
    /// The truth.
    pub ghost: &'a Ghost,
    /// What clients saw.
    pub clients: &'a Clients,
    /// What the checks found.
    pub pages: &'a [Page],
    /// How the run ended.
    pub ending: &'a Ending,
    /// Obligations that were not met.
    pub outstanding: Vec<String>,
    /// The last event.
    pub last: EventId,
    /// Acknowledged records that are gone.
    pub lost: u64,
    /// Records that stand twice.
    pub duplicated: u64,
    /// Records that a group never processed.
    pub unprocessed: u64,
    /// Answers of zombies about where a partition ends.
    pub stale: u64,
}

/// Judges a run, and says how it fails, if it does.
#[must_use]
pub fn judge(case: Case<'_>) -> (Judgement, Option<Symptom>) {
    let mut notes: Vec<Noted> = case.pages.iter().flat_map(|page| page.notes.iter().cloned()).collect();
    notes.sort_by_key(|note| note.finding.event);
    let mutant = case.ghost.mutants.iter().any(|node| is_client(case.clients.kinds[*node]));
    let (near_misses, unexplained) = compare_oracles(&mut notes, mutant);
    notes.extend(end_of_run(&case, &notes));
    let gravest = notes.iter().map(|note| note.finding.verdict).max().unwrap_or(Verdict::Pass);
    let first = notes.iter().find(|note| note.finding.verdict == gravest);
    let counts = counts(&case, near_misses, unexplained);
    let sentence = sentence(&case, gravest, first);
    let property = first.map(|first| first.property.to_string());
    let symptom = first.and_then(|first| Symptom::of(first, case.ghost));
    let checks = case.pages.iter().map(Page::report).collect();
    let findings: Vec<Finding> = notes.into_iter().take(FINDINGS_MAX).map(|note| note.finding).collect();
    (Judgement { verdict: gravest, property, sentence, checks, findings, counts }, symptom)
}

fn is_client(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Producer { .. } | NodeKind::Consumer { .. } | NodeKind::Member { .. })
}

/// Marks what clients saw and no earlier inner finding explains, unless a bug was planted in a client. Returns how many near misses there
/// are, and how many marks.
fn compare_oracles(notes: &mut [Noted], client_mutant: bool) -> (u64, u64) {
    let is_outer = |note: &Noted| note.finding.check.starts_with('B');
    let is_bad = |note: &&Noted| note.finding.verdict == Verdict::Violation;
    let inner: Vec<(Option<usize>, EventId)> =
        notes.iter().filter(is_bad).filter(|note| !is_outer(note)).map(|note| (note.partition, note.finding.event)).collect();
    let outer: Vec<Option<usize>> =
        notes.iter().filter(is_bad).filter(|note| is_outer(note)).map(|note| note.partition).collect();
    let near_misses = inner.iter().filter(|(partition, _)| !outer.contains(partition)).count() as u64;
    let mut unexplained = 0;
    for note in notes.iter_mut().filter(|note| is_outer(note) && note.finding.verdict == Verdict::Violation) {
        // A finding about no partition (a producer id given twice) may be the cause in any.
        let is_cause = |(partition, event): &(Option<usize>, EventId)| {
            *event <= note.finding.event && (partition.is_none() || *partition == note.partition)
        };
        if inner.iter().any(is_cause) {
            continue;
        }
        if client_mutant {
            note.finding.text.push_str("; a bug was planted in a client, which no inner check watches");
        } else {
            unexplained += 1;
            note.finding.text.push_str("; no inner check saw the cause, so an invariant is missing or a client is at fault");
        }
    }
    (near_misses, unexplained)
}

/// What no check can say: crashes, missed obligations without a check of their own, checks that were never exercised.
fn end_of_run(case: &Case<'_>, notes: &[Noted]) -> Vec<Noted> {
    let note = |event, check: &str, property, verdict, text: String| Noted {
        finding: Finding { check: check.to_string(), event, verdict, text },
        property,
        partition: None,
    };
    let mut more = Vec::new();
    more.extend(case.ending.panics.iter().map(|(event, text)| note(*event, "panic", "panic", Verdict::Crash, text.clone())));
    let reported = |reason: &String| notes.iter().any(|known| reason.contains(&known.finding.text));
    let reasons = case.ending.missed.iter().flatten().chain(&case.outstanding);
    let mut told: Vec<&String> = Vec::new();
    for reason in reasons.filter(|reason| !reported(reason)) {
        if !told.contains(&reason) {
            told.push(reason);
            more.push(note(case.last, "settle", "settle", Verdict::Hang, reason.clone()));
        }
    }
    if case.ending.missed.as_ref().is_some_and(Vec::is_empty) && told.is_empty() {
        let text = "the settle phase ended without saying what is missing".to_string();
        more.push(note(case.last, "settle", "settle", Verdict::Hang, text));
    }
    if !case.setup.enabled {
        return more;
    }
    for wanted in &case.setup.must_exercise {
        let page = case.pages.iter().find(|page| page.id() == wanted);
        if page.is_none_or(|page| page.exercised() == 0) {
            let text = if page.is_some() { "was never exercised" } else { "is not a check of this laboratory" };
            let property = page.map_or("unknown-check", Page::id);
            more.push(note(case.last, wanted, property, Verdict::Unknown, format!("{wanted} {text}")));
        }
    }
    more
}

fn counts(case: &Case<'_>, near_misses: u64, unexplained: u64) -> Vec<(String, u64)> {
    let tally = &case.ghost.tally;
    let read: usize = case.clients.finals.iter().map(|read| read.records.len()).sum();
    let counts = [
        ("written", case.clients.writes.len() as u64),
        ("acknowledged", case.clients.count(Fate::Acknowledged)),
        ("indefinite", case.clients.count(Fate::Indefinite)),
        ("failed", case.clients.count(Fate::Failed)),
        ("unresolved", case.clients.count(Fate::Open)),
        ("read", read as u64),
        ("lost", case.lost),
        ("duplicated", case.duplicated),
        ("vanished", told_by(case, &["B3"])),
        ("reordered", told_by(case, &["B6"])),
        ("stale_ends", case.stale),
        ("elections", tally.elections),
        ("unclean_elections", tally.unclean_elections),
        ("isr_changes", tally.isr_changes),
        ("truncations", tally.truncations),
        ("crashes", tally.crashes),
        ("power_losses", tally.power_losses),
        ("redelivered", tally.redelivered),
        ("unprocessed", case.unprocessed),
        ("refused_commits", tally.refused_commits),
        ("interrupted_rebalances", tally.interrupted_rebalances),
        ("near_misses", near_misses),
        ("unexplained", unexplained),
    ];
    counts.into_iter().map(|(name, count)| (name.to_string(), count)).collect()
}

/// Findings of those checks, however they weigh.
fn told_by(case: &Case<'_>, checks: &[&str]) -> u64 {
    case.pages.iter().filter(|page| checks.contains(&page.id())).map(|page| page.notes.len() as u64).sum()
}

fn sentence(case: &Case<'_>, verdict: Verdict, first: Option<&Noted>) -> String {
    let (lost, acknowledged) = (case.lost, case.clients.count(Fate::Acknowledged));
    let Some(first) = first else {
        let elections = case.ghost.tally.elections;
        return format!("every promise was kept: {acknowledged} acknowledged records, {elections} elections");
    };
    let (name, text) = (first.property, &first.finding.text);
    match verdict {
        Verdict::Pass => String::new(),
        Verdict::Sanctioned if case.unprocessed > 0 && lost + case.duplicated == 0 => format!(
            "{} records were left out by their group and none of {acknowledged} is lost, which the configuration allows ({name}): {text}",
            case.unprocessed
        ),
        Verdict::Sanctioned => format!(
            "{lost} of {acknowledged} acknowledged records are lost and {} stand twice, which the configuration allows ({name}): {text}",
            case.duplicated
        ),
        Verdict::BeyondTolerance => format!(
            "{lost} of {acknowledged} acknowledged records are lost, because the faults destroyed more than the cluster tolerates: {text}"
        ),
        Verdict::Unknown => format!("the run proves nothing: {text}"),
        Verdict::Hang if name == l8_availability::ID => format!("the cluster was not as available as promised: {text}"),
        Verdict::Hang => format!("the cluster did not come to rest after healing: {text}"),
        Verdict::Crash => format!("our own bug: {text}"),
        Verdict::Violation => format!("{name} failed: {text}"),
    }
}
