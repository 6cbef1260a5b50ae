//! Everything one simulated disk knows; [`SimDisk`](super::SimDisk) shares it between the world and the processes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use brokerlab::disk::{DiskError, FileId, SyncTarget};
use bytes::Bytes;

use super::content::{Content, SECTOR};
use super::mischief::{Mischief, Operation};
use super::names::{Inode, Names};
use super::{DiskKey, Image, PowerLoss, Usage};
use crate::scenario::chance::Chance;
use crate::scenario::model::DiskWeather;

/// No file grows beyond this, so that a wild position is an error and not a request for memory.
const FILE_BYTES_MAX: u64 = 1 << 34;

/// Fewer files than these are not worth a look.
const CROWDED: usize = 512;

#[derive(Debug)]
pub(super) struct State {
    pub key: DiskKey,
    pub weather: DiskWeather,
    pub names: Names,
    pub files: BTreeMap<Inode, Content>,
    pub usage: Usage,
    pub mischief: Mischief,
    /// The life of the process that may use the disk; `None` between two processes.
    life: Option<u32>,
    handles: Vec<Handle>,
    /// With so many files it is looked which of them nobody can reach any more.
    crowded: usize,
    /// Counts the power losses: what was under way before one never ends.
    pub generation: u32,
    syncs: BTreeMap<u64, Vec<Mark>>,
    next_sync: u64,
    armed: Option<Armed>,
    pub struck: Option<Strike>,
    /// Syncs begun in the present 10 ms, for the weather.
    pub syncs_in_bucket: (u64, u64),
}

/// Power was lost inside a step, and what there was just before.
#[derive(Debug)]
pub(super) struct Strike {
    pub loss: PowerLoss,
    /// What a reader saw, by path, as it was before any bit turned.
    pub visible: Vec<(String, Bytes)>,
    /// What would have survived in any case.
    pub durable: Vec<(String, Bytes)>,
}

#[derive(Debug)]
struct Handle {
    inode: Inode,
    open: bool,
}

#[derive(Debug)]
struct Armed {
    changes_left: u64,
    fault: String,
}

/// How far a sync under way will reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    File(Inode, u64),
    Directory(Inode, u64),
}

impl State {
    pub fn new(key: DiskKey, weather: DiskWeather) -> State {
        State {
            key,
            weather,
            names: Names::new(),
            files: BTreeMap::new(),
            usage: Usage::default(),
            mischief: Mischief::default(),
            life: None,
            handles: Vec::new(),
            crowded: CROWDED,
            generation: 0,
            syncs: BTreeMap::new(),
            next_sync: 0,
            armed: None,
            struck: None,
            syncs_in_bucket: (0, 0),
        }
    }

    pub fn begin_life(&mut self, life: u32) {
        assert!(self.life.is_none_or(|current| current < life), "life {life} begins while {:?} holds the disk", self.life);
        self.end_life();
        self.life = Some(life);
    }

    pub fn end_life(&mut self) {
        self.life = None;
        self.handles.clear();
        self.armed = None;
        self.struck = None;
        self.collect();
    }

    pub fn check_life(&self, life: u32) -> Result<(), DiskError> {
        if self.life == Some(life) && self.struck.is_none() { Ok(()) } else { Err(DiskError::Gone) }
    }

    pub fn current_life(&self) -> Result<u32, DiskError> {
        let life = self.life.ok_or(DiskError::Gone)?;
        self.check_life(life).map(|()| life)
    }

    /// A handle names the life it belongs to, so one that outlived its process is recognised even in the hands of the next.
    fn handle(&mut self, inode: Inode) -> FileId {
        self.handles.push(Handle { inode, open: true });
        FileId(u64::from(self.life.unwrap_or(0)) << 32 | (self.handles.len() as u64 - 1))
    }

    fn look_up(&self, file: FileId) -> Result<&Handle, DiskError> {
        let number = usize::try_from(file.0 & 0xffff_ffff).expect("32 bits fit");
        let of_this_life = self.life.is_some_and(|life| u64::from(life) == file.0 >> 32);
        self.handles.get(number).filter(|_| of_this_life).ok_or(DiskError::Gone)
    }

    fn inode(&self, file: FileId) -> Result<Inode, DiskError> {
        let handle = self.look_up(file)?;
        if handle.open { Ok(handle.inode) } else { Err(DiskError::Gone) }
    }

    pub fn content(&self, file: FileId) -> Result<&Content, DiskError> {
        let inode = self.inode(file)?;
        Ok(self.files.get(&inode).expect("an open file is never collected"))
    }

    fn content_mut(&mut self, file: FileId) -> Result<&mut Content, DiskError> {
        let inode = self.inode(file)?;
        Ok(self.files.get_mut(&inode).expect("an open file is never collected"))
    }

    /// Another disk stands in this one's place, an empty one. What was under way on the old one never ends.
    pub fn wipe(&mut self) {
        assert!(self.life.is_none(), "a disk is replaced while nobody uses it");
        self.names = Names::new();
        self.files.clear();
        self.syncs.clear();
        self.mischief = Mischief::default();
        self.generation += 1;
    }

    /// Bits turn in sectors of logs that are on the medium. Returns how many did.
    pub fn rot(&mut self, fault: &str, flips: u64) -> u64 {
        let chance = Chance::of(self.key.seed).about("rot").about(fault).number(self.key.node);
        let logs: Vec<Inode> = self.logs().collect();
        let mut sectors: Vec<(Inode, u64)> = Vec::new();
        for inode in logs {
            sectors.extend(self.files[&inode].settled_sectors().into_iter().map(|sector| (inode, sector)));
        }
        if sectors.is_empty() {
            return 0;
        }
        for flip in 0..flips {
            let chance = chance.number(flip);
            let nth = usize::try_from(chance.about("sector").below(sectors.len() as u64)).expect("an index fits");
            let (inode, sector) = sectors[nth];
            let position = sector * SECTOR + chance.about("byte").below(SECTOR);
            let mask = 1 << chance.about("bit").below(8);
            let content = self.files.get_mut(&inode).expect("listed just now");
            self.mischief.rot(inode, position, mask, content.sector(sector));
            content.turn(position, mask);
        }
        flips
    }

    fn logs(&self) -> impl Iterator<Item = Inode> + '_ {
        let paths = self.names.durable_paths().into_iter();
        paths.filter(|(path, inode)| path.ends_with(".log") && self.files.contains_key(inode)).map(|(_, inode)| inode)
    }

    /// Whether any log has a whole sector on the medium.
    pub fn has_settled_logs(&self) -> bool {
        self.logs().any(|inode| !self.files[&inode].settled_sectors().is_empty())
    }

    /// An operation on a path is tried.
    ///
    /// # Errors
    /// `Io` if a fault wants it to fail.
    pub fn meet(&mut self, operation: Operation, path: &str) -> Result<(), DiskError> {
        self.mischief.meet(operation, path)
    }

    /// The same for an open file.
    ///
    /// # Errors
    /// `Gone` for a stale handle, `Io` if a fault wants it to fail.
    pub fn meet_file(&mut self, operation: Operation, file: FileId) -> Result<(), DiskError> {
        let inode = self.inode(file)?;
        if !self.mischief.breaks_anything() {
            return Ok(());
        }
        let path = self.names.path_of(inode);
        self.meet(operation, &path)
    }

    /// Bytes of all files that have a name or are open.
    pub fn used(&self) -> u64 {
        let counts = |inode: &Inode| {
            self.names.is_visible(*inode) || self.handles.iter().any(|handle| handle.open && handle.inode == *inode)
        };
        self.files.iter().filter(|(inode, _)| counts(inode)).map(|(_, content)| content.visible().len() as u64).sum()
    }

    /// How far a file may grow, if anything limits it.
    fn length_max(&self, length: u64) -> Option<u64> {
        let fixed = self.weather.capacity;
        let bytes_max = [fixed, self.mischief.bytes_max()].into_iter().flatten().min()?;
        Some(length + bytes_max.saturating_sub(self.used()))
    }

    pub fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        let inode = self.names.find(path)?;
        if self.names.is_directory(inode) { Err(DiskError::Io) } else { Ok(self.handle(inode)) }
    }

    pub fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        let inode = self.names.create(path, false)?;
        self.files.insert(inode, Content::default());
        Ok(self.handle(inode))
    }

    pub fn close(&mut self, file: FileId) -> Result<(), DiskError> {
        let number = usize::try_from(file.0 & 0xffff_ffff).expect("32 bits fit");
        self.inode(file)?;
        self.handles[number].open = false;
        Ok(())
    }

    pub fn write(&mut self, file: FileId, position: u64, parts: &[&[u8]]) -> Result<(), DiskError> {
        let total: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let length = self.content(file)?.visible().len() as u64;
        if position.saturating_add(total) > FILE_BYTES_MAX {
            return Err(DiskError::Full);
        }
        if let Err(error) = self.meet_file(Operation::Write, file) {
            // The device has taken some sectors before it gave up.
            let number = self.usage.changes;
            let taken = Chance::of(self.key.seed).about("taken").number(self.key.node).number(number).between(0, total);
            self.write_part(file, position, parts, taken)?;
            return Err(error);
        }
        let end_max = self.length_max(length).unwrap_or(FILE_BYTES_MAX).max(length);
        if position + total > end_max {
            self.write_part(file, position, parts, end_max.saturating_sub(position))?;
            return Err(DiskError::Full);
        }
        self.content_mut(file)?.write(position, parts);
        self.usage.bytes_written += total;
        Ok(())
    }

    fn write_part(&mut self, file: FileId, position: u64, parts: &[&[u8]], bytes: u64) -> Result<(), DiskError> {
        let mut whole = parts.concat();
        whole.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        self.usage.bytes_written += whole.len() as u64;
        self.content_mut(file)?.write(position, &[&whole]);
        Ok(())
    }

    pub fn set_len(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        let present = self.content(file)?.visible().len() as u64;
        self.meet_file(Operation::Write, file)?;
        let length_max = self.length_max(present).unwrap_or(FILE_BYTES_MAX).max(present);
        if length > length_max.min(FILE_BYTES_MAX) {
            return Err(DiskError::Full);
        }
        self.content_mut(file)?.set_len(length);
        Ok(())
    }

    pub fn read(&mut self, file: FileId, position: u64, length: usize) -> Result<Bytes, DiskError> {
        self.meet_file(Operation::Read, file)?;
        let bytes = slice(self.content(file)?.visible(), position, length);
        self.usage.bytes_read += bytes.len() as u64;
        Ok(bytes)
    }

    pub fn read_path(&mut self, path: &str, position: u64, length: usize) -> Result<Bytes, DiskError> {
        let inode = self.names.find(path)?;
        self.meet(Operation::Read, path)?;
        let content = self.files.get(&inode).ok_or(DiskError::Io)?;
        let bytes = slice(content.visible(), position, length);
        self.usage.bytes_read += bytes.len() as u64;
        Ok(bytes)
    }

    /// Counts an operation that changed something, and loses power if this is the one it was armed for.
    pub fn note_change(&mut self) -> Result<(), DiskError> {
        self.usage.changes += 1;
        let Some(armed) = &mut self.armed else { return Ok(()) };
        armed.changes_left -= 1;
        if armed.changes_left > 0 {
            return Ok(());
        }
        let fault = self.armed.take().expect("just looked at").fault;
        let (visible, durable) = (self.names.visible_paths(), self.names.durable_paths());
        let visible = self.copies(&visible, |file| Cow::Borrowed(file.visible()));
        let durable = self.copies(&durable, Content::durable);
        self.struck = Some(Strike { loss: self.lose_power(&fault), visible, durable });
        Err(DiskError::Gone)
    }

    /// Copies of these files.
    fn copies<'a>(&'a self, paths: &'a [(String, Inode)], bytes: fn(&'a Content) -> Cow<'a, [u8]>) -> Vec<(String, Bytes)> {
        let copy = |image: Image<'_>| (image.path.to_string(), Bytes::copy_from_slice(&image.bytes));
        self.images(paths, bytes).into_iter().map(copy).collect()
    }

    pub fn arm(&mut self, after_operations: u64, fault: &str) {
        self.armed = Some(Armed { changes_left: after_operations.max(1), fault: fault.to_string() });
    }

    /// Notes how far a sync of these targets will reach.
    pub fn begin_sync(&mut self, targets: &[SyncTarget]) -> Result<u64, DiskError> {
        let mut marks = Vec::with_capacity(targets.len());
        for target in targets {
            marks.push(match target {
                // A step may close a file after asking for its sync: the handle still names it.
                SyncTarget::File(file) => {
                    let inode = self.look_up(*file)?.inode;
                    self.file_mark(inode)
                }
                SyncTarget::Directory(path) => Mark::Directory(self.names.find(path)?, self.names.mark()),
            });
        }
        Ok(self.note_sync(marks))
    }

    pub fn note_sync(&mut self, marks: Vec<Mark>) -> u64 {
        self.next_sync += 1;
        self.syncs.insert(self.next_sync, marks);
        self.next_sync
    }

    pub fn file_mark(&mut self, inode: Inode) -> Mark {
        Mark::File(inode, self.files.get_mut(&inode).map_or(0, Content::seal))
    }

    pub fn end_sync(&mut self, sync: u64) -> Result<(), DiskError> {
        let marks = self.syncs.remove(&sync).ok_or(DiskError::Gone)?;
        let failed = self.mischief.breaks_anything() && {
            let paths: Vec<String> = marks.iter().map(|mark| self.names.path_of(mark.inode())).collect();
            self.meet(Operation::Sync, &paths.join(" ")).is_err()
        };
        self.usage.syncs += 1;
        for mark in marks {
            match mark {
                Mark::File(inode, mark) => {
                    if let Some(content) = self.files.get_mut(&inode) {
                        if failed { content.fail(mark) } else { content.promote(mark) }
                    }
                }
                Mark::Directory(..) if failed => {}
                Mark::Directory(inode, mark) => self.names.promote(inode, mark),
            }
        }
        // A process that never ends removes files all the time: checkpoints, old segments.
        if self.files.len() >= self.crowded {
            self.collect();
        }
        if failed { Err(DiskError::Io) } else { Ok(()) }
    }

    /// All that lives in the kernel's memory is gone, and so is the process.
    pub fn lose_power(&mut self, fault: &str) -> PowerLoss {
        let chance = Chance::of(self.key.seed).about("power-loss").about(fault).number(self.key.node);
        let marks: Vec<Mark> = std::mem::take(&mut self.syncs).into_values().flatten().collect();
        let mut loss = PowerLoss::default();
        for (path, inode) in self.paths_of_files() {
            let syncing = marks.iter().filter_map(|mark| mark.of_file(inode)).max();
            let content = self.files.get_mut(&inode).expect("listed just now");
            let fates = content.lose_power(syncing, chance.about("file").about(&path));
            loss.sectors_lost += fates.lost;
            loss.sectors_kept += fates.kept;
        }
        let directories: Vec<(Inode, u64)> = marks.iter().filter_map(|mark| mark.of_directory()).collect();
        loss.names_lost = self.names.lose_power(&directories, self.weather.harsh, chance.about("names"));
        self.names.forget_unreachable();
        self.handles.clear();
        self.generation += 1;
        self.armed = None;
        self.collect();
        loss
    }

    /// The files among `paths`, their bytes taken by `bytes`, with what has rotted put back.
    pub fn images<'a>(&'a self, paths: &'a [(String, Inode)], bytes: fn(&'a Content) -> Cow<'a, [u8]>) -> Vec<Image<'a>> {
        let image = |(path, inode): &'a (String, Inode)| {
            let mut bytes = bytes(self.files.get(inode)?);
            if self.mischief.has_rot() {
                self.mischief.as_written(*inode, bytes.to_mut());
            }
            Some(Image { path, bytes })
        };
        paths.iter().filter_map(image).collect()
    }

    /// Every file with the name by which chance knows it.
    fn paths_of_files(&self) -> Vec<(String, Inode)> {
        let mut paths: BTreeMap<Inode, String> = BTreeMap::new();
        for (path, inode) in self.names.visible_paths().into_iter().chain(self.names.durable_paths()) {
            paths.entry(inode).or_insert(path);
        }
        self.files.keys().map(|inode| (paths.get(inode).cloned().unwrap_or_else(|| "(unnamed)".into()), *inode)).collect()
    }

    /// Gives back the files that nobody can reach any more.
    pub fn collect(&mut self) {
        let State { files, names, handles, .. } = self;
        let open: BTreeSet<Inode> = handles.iter().filter(|handle| handle.open).map(|handle| handle.inode).collect();
        files.retain(|&inode, _| names.is_known(inode) || open.contains(&inode));
        self.crowded = 2 * self.files.len() + CROWDED;
    }
}

impl Mark {
    fn inode(&self) -> Inode {
        match self {
            Mark::File(inode, _) | Mark::Directory(inode, _) => *inode,
        }
    }

    fn of_file(&self, file: Inode) -> Option<u64> {
        match self {
            Mark::File(inode, mark) if *inode == file => Some(*mark),
            Mark::File(..) | Mark::Directory(..) => None,
        }
    }

    fn of_directory(&self) -> Option<(Inode, u64)> {
        match self {
            Mark::Directory(inode, mark) => Some((*inode, *mark)),
            Mark::File(..) => None,
        }
    }
}

fn slice(bytes: &[u8], position: u64, length: usize) -> Bytes {
    let start = usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
    Bytes::copy_from_slice(&bytes[start..start.saturating_add(length).min(bytes.len())])
}
