//! One file's bytes: what a reader sees, and what the medium holds.
//!
//! Only the visible bytes are kept whole. What the medium holds is kept as the way back to it: a stack of *layers*, one for each
//! stretch of writes between two syncs. A layer remembers the old content of the sectors that it overwrote or cut off (its *shadow*)
//! and the length that the file had when it began. A log is appended to, so there is next to nothing to remember, and a file that is
//! never synced costs its own size once.
//!
//! ```text
//!   visible      ABCDEFGHIJKLMNO          what readers see: all layers done
//!   layer 2      ·········xx·xxx          written since the sync that is under way began
//!   layer 1      ······xxx                written before it began: durable when it ends
//!   medium       ABCDEF                   visible with layers 2 and 1 undone
//! ```
//!
//! The medium's unit is the sector. On power loss each sector that a layer wrote is found new or old, on its own; the length is found
//! old, new, or between. A failed sync drops its layers: their sectors never reach the medium unless they are written again.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::ranges::Ranges;
use crate::scenario::chance::Chance;

/// Bytes that reach the medium all together or not at all.
pub const SECTOR: u64 = 512;

/// What became of unsynced sectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Fates {
    /// Did not reach the medium.
    pub lost: u64,
    /// Did.
    pub kept: u64,
}

/// A file's bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    visible: Vec<u8>,
    layers: VecDeque<Layer>,
    next_layer: u64,
    /// Layers below this number take no more writes.
    sealed: u64,
}

#[derive(Clone, Debug)]
struct Layer {
    number: u64,
    base_length: u64,
    /// Sectors written in this layer.
    dirty: Ranges,
    /// Old bytes of changed sectors below `base_length`. A sector without shadow is as it was when the layer began.
    shadow: BTreeMap<u64, Box<[u8]>>,
    /// Its sync failed.
    dropped: bool,
}

impl Content {
    /// What a reader sees.
    pub fn visible(&self) -> &[u8] {
        &self.visible
    }

    /// Writes the parts one after the other.
    pub fn write(&mut self, position: u64, parts: &[&[u8]]) {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        if total == 0 {
            return;
        }
        let end = position + total as u64;
        self.change(position.min(self.visible.len() as u64), end);
        let mut at = index(position);
        if self.visible.len() < at {
            self.visible.resize(at, 0);
        }
        for part in parts {
            let overwritten = part.len().min(self.visible.len() - at);
            self.visible[at..at + overwritten].copy_from_slice(&part[..overwritten]);
            self.visible.extend_from_slice(&part[overwritten..]);
            at += part.len();
        }
    }

    /// Cuts or extends.
    pub fn set_len(&mut self, length: u64) {
        let old = self.visible.len() as u64;
        if length < old {
            // Cutting writes no sector: until the new length is on the medium, the old tail is still there.
            let Content { visible, .. } = self;
            let visible = std::mem::take(visible);
            self.open_layer(old).save(&visible, length, old);
            self.visible = visible;
        } else if length > old {
            self.change(old, length);
        }
        self.visible.resize(index(length), 0);
    }

    fn change(&mut self, from: u64, to: u64) {
        let visible = std::mem::take(&mut self.visible);
        let layer = self.open_layer(visible.len() as u64);
        layer.save(&visible, from, to);
        layer.dirty.insert(from / SECTOR, to.div_ceil(SECTOR));
        self.visible = visible;
    }

    fn open_layer(&mut self, length: u64) -> &mut Layer {
        if self.layers.back().is_none_or(|layer| layer.number < self.sealed) {
            let layer = Layer {
                number: self.next_layer,
                base_length: length,
                dirty: Ranges::default(),
                shadow: BTreeMap::new(),
                dropped: false,
            };
            self.layers.push_back(layer);
            self.next_layer += 1;
        }
        self.layers.back_mut().expect("just made sure of")
    }

    /// A sync begins: what is written from now on belongs to the next one. Returns the mark to give to [`Content::promote`].
    pub fn seal(&mut self) -> u64 {
        self.sealed = self.next_layer;
        self.sealed
    }

    /// The sync of this mark succeeded: all that was written before it is on the medium.
    pub fn promote(&mut self, mark: u64) {
        let ends: Vec<u64> = (0..self.layers.len()).map(|i| self.length_after(i)).collect();
        let layers = std::mem::take(&mut self.layers);
        for (layer, end) in layers.into_iter().zip(ends) {
            if layer.number >= mark || layer.dropped {
                self.layers.push_back(layer);
                continue;
            }
            for earlier in self.layers.iter_mut().filter(|earlier| earlier.dropped) {
                layer.dirty.iter().for_each(|sector| earlier.forget(sector));
                earlier.base_length = end;
            }
        }
        // A second sync finds no dirty page and says OK, but it does write the length.
        let end =
            self.layers.iter().find(|layer| layer.number >= mark).map_or(self.visible.len() as u64, |layer| layer.base_length);
        self.layers.iter_mut().filter(|layer| layer.dropped).for_each(|layer| layer.base_length = end);
    }

    /// The sync of this mark failed: what was written before it stays visible and never reaches the medium.
    pub fn fail(&mut self, mark: u64) {
        for layer in self.layers.iter_mut().filter(|layer| layer.number < mark && !layer.dropped) {
            for sector in layer.dirty.iter() {
                layer.shadow.entry(sector).or_insert_with(|| Box::from([0; SECTOR as usize]));
            }
            layer.dropped = true;
        }
    }

    fn length_after(&self, layer: usize) -> u64 {
        self.layers.get(layer + 1).map_or(self.visible.len() as u64, |next| next.base_length)
    }

    /// What the medium holds in any case. Of a file that was only appended to, that is the beginning of what is visible.
    pub fn durable(&self) -> Cow<'_, [u8]> {
        match self.appended_since() {
            Some(length) => Cow::Borrowed(&self.visible[..index(length)]),
            None => Cow::Owned(self.without_layers_from(0)),
        }
    }

    /// The length on the medium, if all that happened since is that bytes were appended.
    fn appended_since(&self) -> Option<u64> {
        let ends = self.layers.iter().map(|layer| layer.base_length).chain([self.visible.len() as u64]);
        let is_growing = ends.clone().is_sorted();
        // A failed sync remembers sectors beyond the end too.
        let is_kept =
            |sector: u64, old: &[u8]| self.visible.get(index(sector * SECTOR)..).is_some_and(|rest| rest.starts_with(old));
        let mut shadows = self.layers.iter().flat_map(|layer| &layer.shadow);
        (is_growing && shadows.all(|(sector, old)| is_kept(*sector, old))).then(|| ends.min()).flatten()
    }

    fn without_layers_from(&self, mark: u64) -> Vec<u8> {
        let mut image = self.visible.clone();
        for layer in self.layers.iter().rev().take_while(|layer| layer.number >= mark) {
            image.resize(index(layer.base_length), 0);
            for (&sector, old) in &layer.shadow {
                let at = index(sector * SECTOR);
                let length = old.len().min(image.len().saturating_sub(at));
                if length > 0 {
                    image[at..at + length].copy_from_slice(&old[..length]);
                }
            }
        }
        image
    }

    /// Whole sectors that lie on the medium as a reader sees them, and have done so since the oldest write under way began.
    pub fn settled_sectors(&self) -> Vec<u64> {
        let end = self.layers.iter().map(|layer| layer.base_length).fold(self.visible.len() as u64, u64::min) / SECTOR;
        let is_settled = |sector: &u64| self.layers.iter().all(|layer| !layer.shadow.contains_key(sector));
        let dirty = self.layers.iter().fold(Ranges::default(), |mut all, layer| {
            all.extend(&layer.dirty);
            all
        });
        let mut settled: Vec<u64> = (0..end).filter(is_settled).collect();
        let dirty: std::collections::BTreeSet<u64> = dirty.iter().collect();
        settled.retain(|sector| !dirty.contains(sector));
        settled
    }

    /// The bytes of a settled sector.
    pub fn sector(&self, sector: u64) -> &[u8] {
        &self.visible[index(sector * SECTOR)..index((sector + 1) * SECTOR)]
    }

    /// Turns bits of a settled sector, on the medium and for every reader.
    pub fn turn(&mut self, position: u64, mask: u8) {
        self.visible[index(position)] ^= mask;
    }

    /// Whether everything visible is on the medium.
    pub fn is_clean(&self) -> bool {
        self.layers.is_empty()
    }

    /// Power is lost; `syncing` is the mark of a sync under way. The fate of each sector is drawn from `chance`.
    pub fn lose_power(&mut self, syncing: Option<u64>, chance: Chance) -> Fates {
        if self.is_clean() {
            return Fates::default();
        }
        let (old, new) = (self.durable(), &self.visible);
        let mut survivor = old.to_vec();
        survivor.resize(old.len().max(new.len()), 0);
        if let Some(mark) = syncing {
            let begun = self.without_layers_from(mark);
            let early = self.dirty(|layer| layer.number < mark);
            early
                .iter()
                .filter(|&s| chance.about("sync").number(s).one_in(2))
                .for_each(|s| copy_sector(&begun, &mut survivor, s));
        }
        // How much the device had written back by itself varies from file to file; within it each sector is on its own.
        let eighths = [1, 4, 7][index(chance.about("share").below(3))];
        let mut fates = Fates::default();
        for sector in self.dirty(|_| true).iter() {
            if chance.number(sector).below(8) < eighths {
                copy_sector(new, &mut survivor, sector);
                fates.kept += 1;
            } else {
                fates.lost += 1;
            }
        }
        survivor.truncate(index(surviving_length(old.len() as u64, new.len() as u64, chance.about("length"))));
        *self = Content { visible: survivor, ..Content::default() };
        fates
    }

    /// Unsynced sectors; those that a failed sync dropped are not among them.
    fn dirty(&self, which: impl Fn(&Layer) -> bool) -> Ranges {
        let mut sectors = Ranges::default();
        self.layers.iter().filter(|layer| !layer.dropped && which(layer)).for_each(|layer| sectors.extend(&layer.dirty));
        sectors
    }

    /// Number of unsynced sectors.
    pub fn dirty_sectors(&self) -> u64 {
        self.dirty(|_| true).iter().count() as u64
    }
}

impl Layer {
    /// Remembers how the sectors of `from..to` looked when the layer began.
    fn save(&mut self, visible: &[u8], from: u64, to: u64) {
        let last = to.min(self.base_length).div_ceil(SECTOR);
        for sector in from / SECTOR..last {
            let (start, end) = (index(sector * SECTOR), index((sector * SECTOR + SECTOR).min(self.base_length)));
            self.shadow.entry(sector).or_insert_with(|| Box::from(&visible[start..end]));
        }
    }

    fn forget(&mut self, sector: u64) {
        self.dirty.remove(sector);
        self.shadow.remove(&sector);
    }
}

fn copy_sector(from: &[u8], to: &mut [u8], sector: u64) {
    let start = index(sector * SECTOR).min(to.len());
    let end = (start + SECTOR as usize).min(to.len());
    for (at, byte) in to[start..end].iter_mut().enumerate() {
        *byte = from.get(start + at).copied().unwrap_or(0);
    }
}

fn surviving_length(old: u64, new: u64, chance: Chance) -> u64 {
    match chance.below(4) {
        0 => old,
        1 => chance.about("between").between(old.min(new), old.max(new)),
        _ => new,
    }
}

fn index(position: u64) -> usize {
    usize::try_from(position).expect("positions are checked against the capacity of the disk")
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
