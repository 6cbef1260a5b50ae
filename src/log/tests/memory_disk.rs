//! A disk in memory that can lose what was not synced, as hard as the contract of [`crate::disk`] allows.
//!
//! ```text
//!   node     a file or directory; names point at nodes, handles too
//!   visible  what reads see                 durable  what certainly survives a power loss
//!
//!   failed sync  the sectors it covered stay visible and never become durable, unless they are written again
//!   power loss   each sector of a file that differs survives or not; so does the new length
//!                of the changed names of a directory a prefix survives
//! ```

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::disk::{Disk, DiskError, FileId, SyncTarget};

const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
struct Node {
    visible: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that a failed sync covered.
    dropped: BTreeSet<usize>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    pending: Vec<Renaming>,
    is_dir: bool,
}

/// A change of a name: what it points at from now on.
#[derive(Clone, Debug)]
struct Renaming {
    number: u64,
    name: String,
    target: Option<u64>,
}

/// A sync under way: what its targets were when it began.
#[derive(Clone, Debug)]
pub struct Sync {
    files: Vec<(u64, Vec<u8>)>,
    directories: Vec<u64>,
    up_to: u64,
}

/// The disk. `operations_left` counts down to a crash of the process in the middle of a step.
#[derive(Clone, Debug)]
pub struct MemoryDisk {
    nodes: Vec<Node>,
    handles: BTreeMap<FileId, u64>,
    next_handle: u64,
    renamings: u64,
    /// Operations until [`DiskError::Gone`]; `None`: never.
    pub operations_left: Option<u64>,
    /// Fails every write with this error.
    pub write_error: Option<DiskError>,
    /// Reads by handle so far.
    pub reads: u64,
}

/// A little chance, of its own seed.
#[derive(Clone, Copy, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}

impl Node {
    /// The first `count` pending changes of names are durable.
    fn keep(&mut self, count: usize) {
        for renaming in self.pending.drain(..count) {
            match renaming.target {
                Some(number) => self.durable_names.insert(renaming.name, number),
                None => self.durable_names.remove(&renaming.name),
            };
        }
    }
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> MemoryDisk {
        let root = Node { is_dir: true, ..Node::default() };
        MemoryDisk {
            nodes: vec![root],
            handles: BTreeMap::new(),
            next_handle: 0,
            renamings: 0,
            operations_left: None,
            write_error: None,
            reads: 0,
        }
    }

    /// Begins a sync.
    pub fn begin_sync(&self, targets: &[SyncTarget]) -> Sync {
        let mut sync = Sync { files: Vec::new(), directories: Vec::new(), up_to: self.renamings };
        for target in targets {
            match target {
                SyncTarget::File(file) => {
                    let number = self.handles[file];
                    sync.files.push((number, self.nodes[number as usize].visible.clone()));
                }
                SyncTarget::Directory(path) => sync.directories.push(self.find(path).expect("a synced directory is there")),
            }
        }
        sync
    }

    /// Ends it: what was there when it began is durable.
    pub fn end_sync(&mut self, sync: Sync) {
        for (number, content) in sync.files {
            let node = &mut self.nodes[number as usize];
            node.durable = without(&node.dropped, &node.durable, content);
        }
        for number in sync.directories {
            let node = &mut self.nodes[number as usize];
            let covered = node.pending.partition_point(|renaming| renaming.number <= sync.up_to);
            node.keep(covered);
        }
    }

    /// It fails instead, and the kernel gives up what it covered.
    pub fn fail_sync(&mut self, sync: Sync) {
        for (number, content) in sync.files {
            let node = &mut self.nodes[number as usize];
            let differs = |sector: &usize| sector_of(&content, *sector) != sector_of(&node.durable, *sector);
            node.dropped.extend((0..content.len().div_ceil(SECTOR)).filter(differs));
        }
    }

    /// Both at once.
    pub fn sync(&mut self, targets: &[SyncTarget]) {
        let sync = self.begin_sync(targets);
        self.end_sync(sync);
    }

    /// Atomic and durable replacement of a small file.
    pub fn replace(&mut self, path: &str, content: &[u8]) {
        let file = self.create(path).or_else(|_| self.open(path)).expect("its directory is there");
        let number = self.handles[&file] as usize;
        self.nodes[number].visible = content.to_vec();
        self.nodes[number].dropped.clear();
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
        self.sync(&[SyncTarget::File(file), SyncTarget::Directory(dir)]);
        self.close(file);
    }

    /// The process dies: handles are gone, the page cache stays.
    pub fn kill(&mut self) {
        self.handles.clear();
        self.operations_left = None;
        self.write_error = None;
    }

    /// Power is lost, and with it everything that was not synced.
    pub fn lose_unsynced(&mut self) {
        self.kill();
        for node in &mut self.nodes {
            node.pending.clear();
            node.names.clone_from(&node.durable_names);
            node.visible.clone_from(&node.durable);
            node.dropped.clear();
        }
    }

    /// Power is lost; the dice say what survives of that which was not synced.
    pub fn lose_power(&mut self, dice: &mut Dice) {
        self.kill();
        for node in &mut self.nodes {
            if node.is_dir {
                node.keep(dice.below(node.pending.len() as u64 + 1) as usize);
                node.pending.clear();
                node.names.clone_from(&node.durable_names);
            } else {
                let reachable = without(&node.dropped, &node.durable, node.visible.clone());
                node.visible = torn(&node.durable, &reachable, dice);
                node.durable.clone_from(&node.visible);
                node.dropped.clear();
            }
        }
    }

    /// Flips bits of one byte, as rot does.
    pub fn rot(&mut self, path: &str, position: usize) {
        let number = self.find(path).expect("the file is there") as usize;
        self.nodes[number].visible[position] ^= 0x55;
        self.nodes[number].durable = self.nodes[number].visible.clone();
    }

    /// Zeros from a position on, as if the file had grown without its data.
    pub fn zero(&mut self, path: &str, from: usize) {
        let number = self.find(path).expect("the file is there") as usize;
        self.nodes[number].visible[from..].fill(0);
    }

    /// Removes a name behind everybody's back, durably.
    pub fn lose(&mut self, path: &str) {
        let (parent, name) = self.split(path).expect("its directory is there");
        let node = &mut self.nodes[parent as usize];
        node.names.remove(name);
        node.durable_names.remove(name);
    }

    fn find(&self, path: &str) -> Option<u64> {
        path.split('/').filter(|part| !part.is_empty()).try_fold(0, |at, part| self.nodes[at as usize].names.get(part).copied())
    }

    fn split<'a>(&self, path: &'a str) -> Option<(u64, &'a str)> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.find(dir).map(|dir| (dir, name))
    }

    fn set_name(&mut self, parent: u64, name: &str, target: Option<u64>) {
        let node = &mut self.nodes[parent as usize];
        match target {
            Some(number) => node.names.insert(name.to_owned(), number),
            None => node.names.remove(name),
        };
        self.renamings += 1;
        node.pending.push(Renaming { number: self.renamings, name: name.to_owned(), target });
    }

    fn make(&mut self, path: &str, is_dir: bool) -> Result<u64, DiskError> {
        let (parent, name) = self.split(path).ok_or(DiskError::NotFound)?;
        if self.nodes[parent as usize].names.contains_key(name) {
            return Err(DiskError::Exists);
        }
        self.nodes.push(Node { is_dir, ..Node::default() });
        let number = self.nodes.len() as u64 - 1;
        self.set_name(parent, name, Some(number));
        Ok(number)
    }

    fn handle(&mut self, number: u64) -> FileId {
        self.next_handle += 1;
        self.handles.insert(FileId(self.next_handle), number);
        FileId(self.next_handle)
    }

    fn node(&mut self, file: FileId) -> Result<&mut Node, DiskError> {
        let number = self.handles.get(&file).ok_or(DiskError::Gone)?;
        Ok(&mut self.nodes[*number as usize])
    }

    fn tick(&mut self) -> Result<(), DiskError> {
        match &mut self.operations_left {
            Some(0) => Err(DiskError::Gone),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn sector_of(content: &[u8], sector: usize) -> &[u8] {
    &content[(sector * SECTOR).min(content.len())..(sector * SECTOR + SECTOR).min(content.len())]
}

/// `content`, but for the dropped sectors, of which the medium keeps what it has.
fn without(dropped: &BTreeSet<usize>, durable: &[u8], mut content: Vec<u8>) -> Vec<u8> {
    for &sector in dropped {
        for (at, byte) in content.iter_mut().enumerate().skip(sector * SECTOR).take(SECTOR) {
            *byte = durable.get(at).copied().unwrap_or(0);
        }
    }
    content
}

/// What the medium may hold. The length is old, new or between; a cut writes no sector, so behind it the old bytes are still there.
fn torn(durable: &[u8], visible: &[u8], dice: &mut Dice) -> Vec<u8> {
    if durable == visible {
        return visible.to_vec();
    }
    let (short, long) = (durable.len().min(visible.len()), durable.len().max(visible.len()));
    let length = match dice.below(3) {
        0 => durable.len(),
        1 => visible.len(),
        _ => short + dice.below((long - short) as u64 + 1) as usize,
    };
    let mut result = durable.to_vec();
    result.resize(long, 0);
    for start in (0..visible.len()).step_by(SECTOR) {
        let end = (start + SECTOR).min(visible.len());
        if dice.below(2) == 0 {
            result[start..end].copy_from_slice(&visible[start..end]);
        }
    }
    result.truncate(length);
    result
}

impl Disk for MemoryDisk {
    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.tick()?;
        let number = self.find(path).ok_or(DiskError::NotFound)?;
        Ok(self.handle(number))
    }

    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.tick()?;
        let number = self.make(path, false)?;
        Ok(self.handle(number))
    }

    /// A sync that was asked for may come later: the handle goes on naming the file.
    fn close(&mut self, _: FileId) {}

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        self.tick()?;
        Ok(self.node(file)?.visible.len() as u64)
    }

    fn write(&mut self, file: FileId, position: u64, parts: &[&[u8]]) -> Result<(), DiskError> {
        self.tick()?;
        let error = self.write_error;
        let whole = parts.concat();
        // A failing write leaves a part behind.
        let written = if error.is_some() { &whole[..whole.len() / 2] } else { &whole[..] };
        let node = self.node(file)?;
        let end = position as usize + written.len();
        if node.visible.len() < end {
            node.visible.resize(end, 0);
        }
        node.visible[position as usize..end].copy_from_slice(written);
        let sectors = position as usize / SECTOR..end.div_ceil(SECTOR);
        node.dropped.retain(|sector| !sectors.contains(sector));
        error.map_or(Ok(()), Err)
    }

    fn read(&mut self, file: FileId, position: u64, length: usize) -> Result<Bytes, DiskError> {
        self.tick()?;
        self.reads += 1;
        let visible = &self.node(file)?.visible;
        let start = (position as usize).min(visible.len());
        let end = start.saturating_add(length).min(visible.len());
        Ok(Bytes::copy_from_slice(&visible[start..end]))
    }

    fn set_len(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        self.tick()?;
        self.node(file)?.visible.resize(length as usize, 0);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.tick()?;
        let number = self.find(from).ok_or(DiskError::NotFound)?;
        let (old, new) = (self.split(from).ok_or(DiskError::NotFound)?, self.split(to).ok_or(DiskError::NotFound)?);
        self.set_name(new.0, new.1, Some(number));
        self.set_name(old.0, old.1, None);
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        self.tick()?;
        let (parent, name) = self.split(path).ok_or(DiskError::NotFound)?;
        if !self.nodes[parent as usize].names.contains_key(name) {
            return Err(DiskError::NotFound);
        }
        self.set_name(parent, name, None);
        Ok(())
    }

    fn create_dir(&mut self, path: &str) -> Result<(), DiskError> {
        self.tick()?;
        self.make(path, true).map(|_| ())
    }

    fn remove_dir(&mut self, path: &str) -> Result<(), DiskError> {
        let number = self.find(path).ok_or(DiskError::NotFound)?;
        match self.nodes[number as usize].names.is_empty() {
            true => self.remove(path),
            false => Err(DiskError::Exists),
        }
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, DiskError> {
        self.tick()?;
        let number = self.find(path).ok_or(DiskError::NotFound)?;
        Ok(self.nodes[number as usize].names.keys().cloned().collect())
    }
}
