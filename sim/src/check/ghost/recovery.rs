//! How lives end and logs come back.
//!
//! ```text
//!   Crash audit ──▶ PowerLost ──▶ BeforeRecovery audit ──▶ LogOpened (the broker's claim) ──▶ AfterRecovery audit
//!   what it had     what fault      what the medium kept     what it says it found             what it made of it
//!                   struck
//! ```
//!
//! What is missing between the first and the second audit was taken by the fault; what is missing between the second and the third,
//! the broker gave up itself. Only a loss of power (or of the disk) may take anything: a dying process leaves the page cache behind.

use brokerlab::types::Offset;
use brokerlab_reports::event::{AuditMoment, EventId, LogImage, NodeId, WorldFact};

use super::change::{Change, Place};
use super::replica::{Role, Shadow};
use super::{Ghost, NodeLife, Partition};
use crate::check::chain::{Chain, Link};

/// Kinds of faults that destroy what was durable, and for how long what the broker says of its disk cannot be held against it.
///
/// ```text
///   wipe-disk      until the next recovery
///   failed-sync    until the next loss of power: what the cache still shows is not on the medium, whatever later syncs say
///   bit-rot        for ever: it is found when it is read
/// ```
const WIPE: &str = "wipe-disk";
const FAILED_SYNC: &str = "failed-sync";
const BIT_ROT: &str = "bit-rot";
/// Kinds of faults after which nobody knows how old anything is.
const CLOCKS: [&str; 2] = ["clock-jump", "clock-skew"];

/// Kinds of faults that hold up a disk, which then answers late. One that fails or is full answers at once, and excuses no delay.
const HOLDS: [&str; 2] = ["slow-disk", "stuck-disk"];

/// What ended a life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The process ended, in order or not: the page cache lives on.
    Process,
    /// The node lost power.
    Power,
}

/// A replica when its life ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Downfall {
    /// How.
    pub ending: Ending,
    /// Its log at that moment.
    pub log: Chain,
    /// M at that moment.
    pub agreed: Offset,
    /// Everything below must survive: by the audit, or by the broker's own word where that says more.
    pub durable: Offset,
    /// M on the medium, once that was audited.
    survived: Option<Offset>,
    /// Where the medium's log began and ended, once that was audited.
    survived_span: Option<(Offset, Offset)>,
    /// Where the broker says its log starts and ends.
    claimed: Option<(Offset, Offset)>,
    /// A fault struck the disk itself.
    disk_struck: bool,
}

/// What became of a log over a restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// How the last life ended.
    pub ending: Ending,
    /// Log end then.
    pub end_before: Offset,
    /// What had to survive.
    pub durable_before: Offset,
    /// Log end on the medium before recovery, if it was audited.
    pub survived_end: Option<Offset>,
    /// Log end now.
    pub end: Offset,
    /// There is not a single batch, and everything below its end was given up: it merely says where it goes on.
    pub is_given_up: bool,
    /// Log end now, by the broker's word.
    pub claimed_end: Option<Offset>,
    /// How far the log agrees with the former one.
    pub agrees_up_to: Offset,
    /// A fault struck the disk itself: nothing had to survive.
    pub disk_struck: bool,
    /// A batch of it was seen elsewhere after another past.
    pub clashes: bool,
}

impl Ghost {
    pub(super) fn apply_world<'e>(&mut self, node: Option<NodeId>, fact: &'e WorldFact) -> Option<Change<'e>> {
        let node = node.map(|node| usize::from(node.0)).filter(|node| *node < self.nodes.len());
        match (fact, node) {
            (WorldFact::NodeStarted { life }, Some(node)) => {
                let started = &mut self.nodes[node];
                (started.life, started.up, started.registered) = (*life, true, false);
                (started.started, started.known_anew, started.applied) = (false, false, Offset::ZERO);
            }
            (WorldFact::ProcessCrashed, Some(node)) => {
                self.tally.crashes += 1;
                return self.end_life(node, Ending::Process);
            }
            (WorldFact::NodeStopped, Some(node)) => return self.end_life(node, Ending::Process),
            (WorldFact::PowerLost { .. }, Some(node)) => {
                self.tally.power_losses += 1;
                return self.end_life(node, Ending::Power);
            }
            (WorldFact::FaultBegan { kind, nodes, .. }, _) => {
                if CLOCKS.contains(&&**kind) {
                    let is_broker = |node: &NodeId| self.nodes.get(usize::from(node.0)).is_some_and(|node| node.broker.is_some());
                    self.clocks_moved = true;
                    self.broker_clocks_moved |= nodes.iter().any(is_broker);
                }
                nodes.iter().for_each(|node| {
                    if let Some(struck) = self.nodes.get_mut(usize::from(node.0)) {
                        struck.disk_struck |= &**kind == WIPE;
                        struck.cache_lies |= &**kind == FAILED_SYNC;
                        struck.rotten |= &**kind == BIT_ROT;
                    }
                    // It may strike between two lives, or a life that has not loaded its logs: what an audit found there is gone too.
                    let shadows = self.partitions.iter_mut().filter_map(|p| p.shadows.get_mut(usize::from(node.0)));
                    shadows.filter_map(|shadow| shadow.downfall.as_mut()).for_each(|downfall| downfall.suffer(kind));
                });
            }
            (WorldFact::Processed { partition, from, to }, Some(node)) => {
                return self.apply_processed(node, partition, *from, *to).map(Change::Group);
            }
            (WorldFact::SettleBegan, _) => return Some(Change::SettleBegan),
            _ => {}
        }
        self.note_hold(node, fact);
        None
    }

    /// Faults that keep a node from acting in time: it is frozen, or its disk is held up.
    fn note_hold(&mut self, node: Option<usize>, fact: &WorldFact) {
        match (fact, node) {
            (WorldFact::Paused, Some(node)) => self.nodes[node].held.0 += 1,
            (WorldFact::Resumed, Some(node)) => self.nodes[node].let_go(self.now),
            (WorldFact::FaultBegan { fault, kind, nodes }, _) if HOLDS.contains(&&**kind) => {
                let held: Vec<usize> = nodes.iter().map(|node| usize::from(node.0)).filter(|n| *n < self.nodes.len()).collect();
                held.iter().for_each(|node| self.nodes[*node].held.0 += 1);
                self.holds.push((fault.clone(), held));
            }
            (WorldFact::FaultEnded { fault }, _) => {
                let Some(at) = self.holds.iter().position(|(known, _)| known == fault) else { return };
                let (_, held) = self.holds.swap_remove(at);
                held.into_iter().for_each(|node| self.nodes[node].let_go(self.now));
            }
            _ => {}
        }
    }

    fn end_life(&mut self, node: usize, ending: Ending) -> Option<Change<'static>> {
        self.tally.interrupted_rebalances += self.groups.lose_node(node, self.now);
        let life = &mut self.nodes[node];
        (life.up, life.registered, life.known_anew) = (false, false, false);
        life.disk_struck |= life.cache_lies || life.rotten;
        life.cache_lies &= ending != Ending::Power;
        let (disk_struck, broker) = (life.disk_struck, life.broker);
        for p in &mut self.partitions {
            p.shadows[node].fall(ending, disk_struck);
        }
        broker.is_none().then_some(Change::ClientGone { node })
    }

    pub(super) fn apply_audit(&mut self, node: Option<NodeId>, image: &LogImage) -> Option<Change<'static>> {
        let node = usize::from(node?.0);
        if node >= self.nodes.len() {
            return None;
        }
        let partition = self.intern(image.partition);
        let at = Place { node, partition };
        let disk_struck = self.nodes[node].disk_struck;
        let p = &mut self.partitions[partition];
        match image.moment {
            AuditMoment::Crash => {
                let log = p.chain_of(node, image).0;
                let shadow = &mut p.shadows[node];
                let durable = shadow.durable.max(image.durable_end);
                // What it had cut by then stood there when it was counted.
                shadow.durable_once = shadow.durable_once.max(if log.end() < durable { durable } else { Offset::ZERO });
                shadow.durable = durable.min(log.end());
                let before = shadow.agreed;
                // Two lives ago the fault took it, and the last one did not come so far as to open what was left.
                let was_taken = shadow.downfall.as_deref().is_some_and(Downfall::was_taken_unseen);
                // Power was lost in the middle of a step, and what it had appended or cut by then it never said.
                if shadow.known {
                    p.untold.extend_from_slice(log.between(shadow.log.end(), log.end()));
                }
                p.replace(node, log);
                let kept = p.shadows[node].agreed.max(p.kept_from);
                if kept < before && !was_taken {
                    p.shadows[node].given_up.push((kept, before));
                }
                None
            }
            AuditMoment::BeforeRecovery => {
                p.see_medium(node, image, disk_struck);
                None
            }
            AuditMoment::AfterRecovery => {
                self.nodes[node].disk_struck = false;
                self.partitions[partition].recover(node, image, disk_struck).map(|recovery| Change::Recovered { at, recovery })
            }
            AuditMoment::End => {
                let (log, _) = p.chain_of(node, image);
                let stated = &p.shadows[node].log;
                let agreed = stated.agrees_up_to(&log, Offset::ZERO);
                let is_believed = p.shadows[node].known && self.nodes[node].up;
                let differs = (is_believed && agreed < stated.end().max(log.end())).then_some(agreed);
                p.replace(node, log);
                p.shadows[node].known = true;
                Some(Change::Imaged { at, differs })
            }
        }
    }
}

impl NodeLife {
    fn let_go(&mut self, now: EventId) {
        self.held = (self.held.0.saturating_sub(1), now);
    }
}

impl Shadow {
    fn fall(&mut self, ending: Ending, disk_struck: bool) {
        self.role = Role::Idle;
        if !self.present {
            return;
        }
        let harmless = ending == Ending::Process && !disk_struck;
        self.known &= harmless;
        // A second end before the first one was audited (power lost while down, or in the middle of recovery): the first record of what
        // there was stands, the graver ending counts.
        if let Some(downfall) = &mut self.downfall {
            downfall.disk_struck |= disk_struck;
            if ending == Ending::Power {
                downfall.ending = ending;
                downfall.survived = None;
            }
            return;
        }
        let (log, agreed, durable) = (self.log.clone(), self.agreed, self.durable);
        let downfall = Downfall { ending, log, agreed, durable, survived: None, survived_span: None, claimed: None, disk_struck };
        self.downfall = Some(Box::new(downfall));
    }

    /// The broker has given up its log. What it could not read any more a fault has taken from it.
    pub(super) fn remove(&mut self, struck: bool) {
        let former = std::mem::take(self);
        if struck {
            (self.destroyed, self.unlearned) = (former.destroyed, former.unlearned);
            self.note_destroyed(&former.log, former.durable.max(former.durable_once), &Chain::default());
        }
    }

    /// A loss of power may bring back what was before the log began anew: then it holds a whole batch from there. (The batch inside which it
    /// began comes whole, too.)
    fn note_brought_back(&mut self, log: &Chain) {
        let first_end = log.links().first().map_or(log.start(), |first| first.end);
        if first_end <= self.began_anew {
            self.began_anew = self.began_anew.min(log.start());
        }
    }

    /// The broker says where its log ends. Until the audit confirms it, that is believed where it says less.
    pub(super) fn open(&mut self, start: Offset, end: Offset, high_watermark: Offset) {
        if !self.present {
            self.log = Chain::starting_at(start);
        }
        (self.present, self.known, self.high_watermark) = (true, true, high_watermark);
        self.log.cut_to(end);
        self.agreed = self.agreed.min(self.log.end());
        if let Some(downfall) = &mut self.downfall {
            downfall.claimed = Some((start, end));
            // Nothing was there to be audited: the directory itself did not survive.
            if downfall.survived.is_none() && (downfall.ending == Ending::Power || downfall.disk_struck) {
                let former = downfall.log.clone();
                let (durable, left) = (downfall.durable, self.log.clone());
                self.lossy |= left.end() < former.end();
                self.note_destroyed(&former, durable, &left);
            }
        }
        self.durable = self.durable.min(self.log.end());
    }
}

impl Partition {
    /// The log in an image, and whether it clashes with what was seen elsewhere. A batch whose bytes are damaged ends it, and so does one that
    /// does not follow: the base offset and the leader epoch are not under the checksum, and a torn write may have zeroed just them.
    fn chain_of(&mut self, node: usize, image: &LogImage) -> (Chain, bool) {
        let first = image.batches.first().map_or(image.base, |first| first.base_offset);
        let mut chain = Chain::starting_at(if self.cleaned > image.base { image.base } else { first });
        let mut clashes = false;
        for batch in &image.batches {
            let epoch = chain.links().last().map_or(batch.leader_epoch, |last| last.epoch);
            if !batch.valid || batch.leader_epoch < epoch {
                break;
            }
            let link = self.restore(node, &mut chain, Link::of(batch));
            if link.base != chain.end() {
                break;
            }
            clashes |= !self.enter(&mut chain, link).1;
        }
        (chain, clashes)
    }

    /// Appends to a log with the right hash, and notes it for log matching.
    pub(super) fn enter(&mut self, chain: &mut Chain, link: Link) -> (Link, bool) {
        if chain.links().is_empty() && link.base > Offset::ZERO {
            if let Some(hash) = self.known_past(&link) {
                let link = Link { chain: hash, ..link };
                chain.push_hashed(link);
                return (link, true);
            }
            // A log that was given up as a whole goes on: what was before is committed.
            if let Some(hash) = self.log.hash_of_next(&link) {
                let link = Link { chain: hash, ..link };
                chain.push_hashed(link);
                return (link, self.matches_seen(&link));
            }
        }
        let link = chain.push(link);
        (link, self.matches_seen(&link))
    }

    fn replace(&mut self, node: usize, log: Chain) {
        let agreed = log.agrees_up_to(&self.log, Offset::ZERO);
        let shadow = &mut self.shadows[node];
        shadow.present = true;
        shadow.note_brought_back(&log);
        shadow.log = log;
        shadow.agreed = agreed;
    }

    fn see_medium(&mut self, node: usize, image: &LogImage, disk_struck: bool) {
        let (log, _) = self.chain_of(node, image);
        self.losses.iter_mut().for_each(|loss| loss.hear_of_copies(node, |link| log.holds(link)));
        let survived = log.agrees_up_to(&self.log, Offset::ZERO);
        let shadow = &mut self.shadows[node];
        if let Some(downfall) = &mut shadow.downfall {
            let at_fault = downfall.ending == Ending::Power || disk_struck || downfall.disk_struck;
            (downfall.survived, downfall.survived_span) = (Some(survived), Some((image.base, log.end())));
            if at_fault {
                let (former, durable) = (downfall.log.clone(), downfall.durable);
                shadow.note_destroyed(&former, durable, &log);
            }
        }
        (shadow.present, shadow.known) = (true, true);
        shadow.note_brought_back(&log);
        (shadow.log, shadow.agreed) = (log, survived);
    }

    fn recover(&mut self, node: usize, image: &LogImage, disk_struck: bool) -> Option<Recovery> {
        let (log, clashes) = self.chain_of(node, image);
        let end = log.end();
        self.replace(node, log);
        let shadow = &mut self.shadows[node];
        shadow.known = true;
        shadow.durable = image.durable_end.min(end);
        shadow.exempt &= end > shadow.agreed;
        let downfall = shadow.downfall.take()?;
        // The first segment may reach further back than the log does.
        if let Some((start, _)) = downfall.claimed.filter(|(start, _)| *start > shadow.log.start()) {
            shadow.log.start_at(start.min(end));
            shadow.agreed = shadow.log.agrees_up_to(&self.log, shadow.agreed);
        }
        shadow.lossy |= end < downfall.log.end();
        let struck = disk_struck || downfall.disk_struck;
        if let Some(begin) = downfall.lost_below(shadow.log.start(), end, struck) {
            shadow.began_anew = shadow.began_anew.max(begin);
        }
        shadow.account_for(&downfall, struck);
        let agreed = shadow.agreed;
        if downfall.survived.is_none() {
            let log = self.shadows[node].log.clone();
            self.losses.iter_mut().for_each(|loss| loss.hear_of_copies(node, |link| log.holds(link)));
        }
        debug_assert!(agreed <= end, "a log cannot agree beyond its end");
        Some(Recovery {
            ending: downfall.ending,
            end_before: downfall.log.end(),
            durable_before: downfall.owed(),
            survived_end: downfall.survived_span.map(|(_, end)| end),
            end,
            is_given_up: self.shadows[node].log.links().is_empty() && end <= self.kept_from,
            claimed_end: downfall.claimed.map(|(_, end)| end),
            agrees_up_to: downfall.log.agrees_up_to(&self.shadows[node].log, Offset::ZERO),
            disk_struck: struck,
            clashes,
        })
    }
}

impl Downfall {
    /// A fault struck the disk, and no audit has told since what is left.
    fn was_taken_unseen(&self) -> bool {
        self.disk_struck && self.survived.is_none()
    }

    /// A fault strikes a disk whose log was not loaded since.
    fn suffer(&mut self, kind: &str) {
        self.disk_struck |= [WIPE, BIT_ROT].contains(&kind);
        if kind == WIPE {
            (self.survived, self.survived_span) = (None, None);
        }
    }

    /// Below which place a fault took what a log from `start` to `end` could have known producers by, though its start was durably moved beyond: all
    /// of it, or what was not durable of its older segments, or what has rotted there, which no audit sees. What was durable and sound only the
    /// broker itself can have removed.
    fn lost_below(&self, start: Offset, end: Offset, struck: bool) -> Option<Offset> {
        let (base, survived) = self.survived_span?;
        let is_torn = self.ending == Ending::Power && self.durable < base;
        match struck {
            _ if survived < end => Some(end),
            true => Some(start.max(base)),
            false => Some(base).filter(|_| is_torn),
        }
    }

    /// Everything below had to survive; nothing, if the log began above all that was durable.
    fn owed(&self) -> Offset {
        if self.durable <= self.log.start() { Offset::ZERO } else { self.durable.min(self.log.end()) }
    }
}

impl Shadow {
    /// Whose fault is it that less agrees than before? The medium's, where it was audited before recovery; else of what ended the life.
    fn account_for(&mut self, downfall: &Downfall, struck: bool) {
        let by_fault = struck || downfall.ending == Ending::Power;
        match downfall.survived {
            Some(survived) if self.agreed < survived && !struck => self.given_up.push((self.agreed, survived)),
            Some(survived) if self.agreed >= survived => {}
            Some(_) | None if by_fault => {
                let left = self.log.clone();
                self.note_destroyed(&downfall.log, downfall.durable, &left);
            }
            None if self.agreed < downfall.agreed => self.given_up.push((self.agreed, downfall.agreed)),
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BIT_ROT, FAILED_SYNC, HOLDS, WIPE};

    #[test]
    fn the_kinds_of_faults_that_the_ghost_knows_by_name_exist() {
        let known = crate::scenario::reference::fault_kinds();
        for kind in HOLDS.into_iter().chain([WIPE, FAILED_SYNC, BIT_ROT]) {
            assert!(known.contains(&kind), "{kind}");
        }
    }
}
