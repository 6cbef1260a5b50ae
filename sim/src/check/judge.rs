//! The judge: is told every event once, in order, and judges when the run is over.

use brokerlab_reports::event::{Event, EventId, What, WorldFact};
use brokerlab_reports::verdict::{Judgement, Verdict};

use super::clients::Clients;
use super::ghost::{Change, Ghost, Kind};
use super::liveness::OBLIGATIONS;
use super::page::Page;
use super::setup::Setup;
use super::symptom::Symptom;
use super::verdict::{Case, judge};
use super::{
    CATALOGUE, Check, Scene, b1_lost_write, b14_unseen, every_check, l2_open_writes, l5_stable_groups, l6_lag, l10_life,
};

/// Follows one run.
pub struct Judge {
    setup: Setup,
    ghost: Ghost,
    clients: Clients,
    checks: Vec<(Box<dyn Check>, Page)>,
    /// For each kind of change, the checks that watch it: most events concern a few.
    watchers: [Vec<usize>; Kind::COUNT],
    last: EventId,
    ending: Ending,
    sighted: Option<Symptom>,
}

/// What the world said about the end of the run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ending {
    /// The settle phase began.
    pub settling: bool,
    /// Every obligation was met.
    pub settled: bool,
    /// It was not, and why.
    pub missed: Option<Vec<String>>,
    /// Who panicked, and how.
    pub panics: Vec<(EventId, String)>,
}

impl Judge {
    /// Before the first event.
    #[must_use]
    pub fn new(setup: Setup) -> Judge {
        let pages = CATALOGUE.iter().map(|(id, claim)| Page::new(id, claim));
        let checks: Vec<_> = every_check(&setup).into_iter().zip(pages).collect();
        let mut watchers: [Vec<usize>; Kind::COUNT] = Default::default();
        for (number, (check, _)) in checks.iter().enumerate() {
            check.watches().iter().for_each(|kind| watchers[*kind as usize].push(number));
        }
        let (ghost, clients) = (Ghost::new(&setup), Clients::new(&setup));
        Judge { setup, ghost, clients, checks, watchers, last: EventId::NONE, ending: Ending::default(), sighted: None }
    }

    /// Takes in the next event.
    pub fn observe(&mut self, event: &Event) {
        self.last = event.id;
        if let What::World(fact) = &event.what {
            self.note_ending(event, fact);
        }
        if let What::Audit(image) = &event.what
            && self.setup.enabled
            && let Some((at, struck)) = self.ghost.audited(event.node, image)
        {
            self.show(&Change::Audited { at, image, struck });
        }
        let Some(change) = self.ghost.apply(event) else { return };
        self.clients.take(event.id, &change, &self.ghost);
        if self.setup.enabled {
            self.show(&change);
        }
    }

    /// What the settle phase still waits for, each with its reason. The run is over when this is empty after the settle phase began.
    #[must_use]
    pub fn obligations(&self) -> Vec<String> {
        let mut reasons: Vec<String> = Vec::new();
        for (node, life) in self.ghost.nodes.iter().enumerate().filter(|(node, _)| self.clients.open_writes(*node) > 0) {
            reasons.push(format!(
                "{}: {}",
                l2_open_writes::ID,
                l2_open_writes::waits(&life.name, self.clients.open_writes(node))
            ));
        }
        for node in 0..self.ghost.nodes.len() {
            reasons.extend(l10_life::waits(&self.ghost, node).map(|reason| format!("{}: {reason}", l10_life::ID)));
        }
        for obligation in OBLIGATIONS {
            let unmet = self.ghost.living().filter(|(partition, _)| !(obligation.is_met)(&self.ghost, *partition));
            reasons
                .extend(unmet.map(|(partition, _)| format!("{}: {}", obligation.id, (obligation.waits)(&self.ghost, partition))));
        }
        for node in 0..self.ghost.nodes.len() {
            let lag = l6_lag::lag(&self.ghost, &self.clients, node);
            reasons.extend(lag.map(|(partition, position)| {
                format!("{}: {}", l6_lag::ID, l6_lag::waits(&self.ghost, node, partition, position))
            }));
        }
        for group in 0..self.ghost.groups.all.len() {
            reasons
                .extend(l5_stable_groups::waits(&self.ghost, group).map(|reason| format!("{}: {reason}", l5_stable_groups::ID)));
            reasons.extend(b14_unseen::waits(&self.ghost, group).map(|reason| format!("{}: {reason}", b14_unseen::ID)));
        }
        reasons.extend(self.unread().map(|partition| self.waits_for_reader(partition)));
        reasons
    }

    /// All is quiet, so the laboratory's consumer may begin to read every partition from its start. Cheap enough to ask after each event.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let written = (0..self.ghost.nodes.len()).all(|node| self.clients.open_writes(node) == 0);
        written && self.ghost.living().all(|(partition, _)| OBLIGATIONS.iter().all(|one| (one.is_met)(&self.ghost, partition)))
    }

    /// Nothing is outstanding: the same as no [`obligations`](Judge::obligations), but cheap.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let nodes = 0..self.ghost.nodes.len();
        let all_live = nodes.clone().all(|node| l10_life::is_met(&self.ghost, node));
        let none_lags =
            |mut nodes: std::ops::Range<usize>| nodes.all(|node| l6_lag::lag(&self.ghost, &self.clients, node).is_none());
        let is_calm =
            |group| l5_stable_groups::waits(&self.ghost, group).is_none() && b14_unseen::waits(&self.ghost, group).is_none();
        let all_calm = (0..self.ghost.groups.all.len()).all(is_calm);
        self.ending.settling && self.is_quiet() && all_live && none_lags(nodes) && all_calm && self.unread().next().is_none()
    }

    /// The first violation that was seen, as soon as it was.
    #[must_use]
    pub fn sighted(&self) -> Option<&Symptom> {
        self.sighted.as_ref()
    }

    /// Judges the run.
    #[must_use]
    pub fn finish(self) -> Judgement {
        self.conclude().0
    }

    /// Judges the run, and says how it fails, if it does.
    #[must_use]
    pub fn conclude(mut self) -> (Judgement, Option<Symptom>) {
        let at_rest = self.ending.settled || (self.ending.missed.is_none() && self.is_settled());
        if self.setup.enabled {
            let Judge { ghost, clients, checks, ending, last, .. } = &mut self;
            let scene = Scene { event: *last, ghost, clients, settling: ending.settling, at_rest };
            checks.iter_mut().for_each(|(check, page)| check.finish(&scene, page));
        }
        let outstanding = if self.ending.settling && !self.ending.settled { self.obligations() } else { Vec::new() };
        let lost = self.checks.iter().map(|(check, _)| check.lost()).sum();
        let duplicated = self.checks.iter().map(|(check, _)| check.duplicated()).sum();
        let unprocessed = self.checks.iter().map(|(check, _)| check.unprocessed()).sum();
        let stale = self.checks.iter().map(|(check, _)| check.stale()).sum();
        let pages: Vec<Page> = self.checks.into_iter().map(|(_, page)| page).collect();
        judge(Case {
            setup: &self.setup,
            ghost: &self.ghost,
            clients: &self.clients,
            pages: &pages,
            ending: &self.ending,
            outstanding,
            last: self.last,
            lost,
            duplicated,
            unprocessed,
            stale,
        })
    }

    fn show(&mut self, change: &Change<'_>) {
        let Judge { ghost, clients, checks, watchers, ending, last, sighted, .. } = self;
        if change.partition().is_some_and(|partition| ghost.is_deleted(partition)) {
            return;
        }
        let scene = Scene { event: *last, ghost, clients, settling: ending.settling, at_rest: false };
        for number in &watchers[change.kind() as usize] {
            let (check, page) = &mut checks[*number];
            let (noted, violated) = (page.notes.len(), page.violated());
            check.look(&scene, change, page);
            if sighted.is_none() && page.violated() > violated {
                let found = page.notes.iter().skip(noted).find(|note| note.finding.verdict == Verdict::Violation);
                *sighted = found.and_then(|note| Symptom::of(note, ghost));
            }
        }
    }

    fn note_ending(&mut self, event: &Event, fact: &WorldFact) {
        match fact {
            WorldFact::SettleBegan => self.ending.settling = true,
            WorldFact::Settled => self.ending.settled = true,
            WorldFact::SettleFailed { reasons } => self.ending.missed = Some(reasons.clone()),
            WorldFact::Panicked { message } => {
                let who = event.node.map_or("somebody", |node| self.ghost.node_name(usize::from(node.0)));
                self.ending.panics.push((event.id, format!("{who} panicked: {message}")));
            }
            WorldFact::NodeStarted { .. }
            | WorldFact::ProcessCrashed
            | WorldFact::PowerLost { .. }
            | WorldFact::NodeStopped
            | WorldFact::Paused
            | WorldFact::Resumed
            | WorldFact::FaultBegan { .. }
            | WorldFact::FaultEnded { .. }
            | WorldFact::FaultSkipped { .. }
            | WorldFact::FrameStruck { .. }
            | WorldFact::Processed { .. } => {}
        }
    }

    fn unread(&self) -> impl Iterator<Item = usize> {
        let unread = |partition: &usize| {
            let committed = self.ghost.partitions[*partition].readable_end();
            !self.clients.has_read(*partition, committed)
        };
        let read = self.ghost.living().map(|(partition, _)| partition).filter(|partition| !self.ghost.is_internal(*partition));
        read.filter(unread)
    }

    fn waits_for_reader(&self, partition: usize) -> String {
        let read = self.clients.finals.get(partition).map_or(0, |read| read.position().0);
        let (name, end) = (self.ghost.name(partition), self.ghost.partitions[partition].true_high_watermark());
        format!("{}: {name} waits for the laboratory's consumer, which has read up to {read} of {end}", b1_lost_write::ID)
    }
}
