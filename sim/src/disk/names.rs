//! The names on a disk: which directory holds what under which name, now and on the medium.
//!
//! Every change of a name (create, rename, remove) is done at once for readers and noted in one list, in order. Syncing a directory
//! makes the noted changes durable that put a name into it or took one out of it. On power loss a prefix of what is left in the list
//! survives or, on a harsh disk, any subset. A name whose directory did not survive is out of reach, and its file is gone.
//!
//! Simplified: an inode has at most one name (the [`Disk`](brokerlab::disk::Disk) offers no hard links), so a rename of which only a
//! half would have survived counts as not done. A rename between two directories is durable with the one it leads to.

use std::collections::{BTreeMap, BTreeSet};

use brokerlab::disk::DiskError;

use crate::scenario::chance::Chance;

/// What a name stands for: a file or a directory, for its whole life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Inode(pub u64);

/// The data directory.
pub(super) const ROOT: Inode = Inode(0);

/// A place for an inode: a directory and a name in it.
pub(super) type Place = (Inode, String);

/// One tree of names. Both directions are kept in step.
#[derive(Clone, Default, Debug)]
struct Tree {
    entries: BTreeMap<Place, Inode>,
    places: BTreeMap<Inode, Place>,
}

impl Tree {
    fn put(&mut self, inode: Inode, place: Place) {
        self.take(inode);
        if let Some(displaced) = self.entries.insert(place.clone(), inode) {
            self.places.remove(&displaced);
        }
        self.places.insert(inode, place);
    }

    fn take(&mut self, inode: Inode) {
        if let Some(place) = self.places.remove(&inode) {
            self.entries.remove(&place);
        }
    }

    fn children(&self, directory: Inode) -> impl Iterator<Item = (&str, Inode)> {
        let inside = (directory, String::new())..(Inode(directory.0 + 1), String::new());
        self.entries.range(inside).map(|((_, name), &inode)| (name.as_str(), inode))
    }

    fn walk(&self, directory: Inode, prefix: &str, found: &mut Vec<(String, Inode)>) {
        for (name, inode) in self.children(directory) {
            let path = if prefix.is_empty() { name.to_string() } else { [prefix, "/", name].concat() };
            self.walk(inode, &path, found);
            found.push((path, inode));
        }
    }
}

#[derive(Clone, Debug)]
struct Change {
    number: u64,
    inode: Inode,
    from: Option<Place>,
    to: Option<Place>,
    /// What stood there before and lost its name.
    displaced: Option<Inode>,
}

impl Change {
    /// What is left of a change whose inode has meanwhile got a later place: whatever it displaced stays displaced.
    fn superseded(self) -> Option<Change> {
        let Change { number, to, displaced, .. } = self;
        displaced.map(|inode| Change { number, inode, from: to, to: None, displaced: None })
    }

    fn belongs_to(&self, directory: Inode) -> bool {
        self.to.as_ref().or(self.from.as_ref()).is_some_and(|(parent, _)| *parent == directory)
    }

    fn apply(&self, tree: &mut Tree) {
        match &self.to {
            Some(place) => tree.put(self.inode, place.clone()),
            None if tree.places.get(&self.inode) == self.from.as_ref() => tree.take(self.inode),
            None => {}
        }
    }
}

/// The visible names, the durable ones, and what lies between.
#[derive(Clone, Debug)]
pub(super) struct Names {
    visible: Tree,
    durable: Tree,
    directories: BTreeSet<Inode>,
    pending: Vec<Change>,
    next_inode: u64,
    next_change: u64,
}

impl Names {
    /// An empty data directory.
    pub fn new() -> Names {
        Names {
            visible: Tree::default(),
            durable: Tree::default(),
            directories: BTreeSet::from([ROOT]),
            pending: Vec::new(),
            next_inode: 1,
            next_change: 0,
        }
    }

    /// What stands at `path`.
    pub fn find(&self, path: &str) -> Result<Inode, DiskError> {
        let mut inode = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            inode = *self.visible.entries.get(&(inode, name.to_string())).ok_or(DiskError::NotFound)?;
        }
        Ok(inode)
    }

    /// Where an inode stands now; "" if it has no name any more.
    pub fn path_of(&self, inode: Inode) -> String {
        let mut path = String::new();
        let mut inode = inode;
        while let Some((parent, name)) = self.visible.places.get(&inode) {
            path = if path.is_empty() { name.clone() } else { format!("{name}/{path}") };
            inode = *parent;
        }
        path
    }

    /// The directory that stands, or is to stand, above `path`, and the last name.
    fn place(&self, path: &str) -> Result<Place, DiskError> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.find(above)?;
        if name.is_empty() || !self.is_directory(parent) {
            return Err(DiskError::NotFound);
        }
        Ok((parent, name.to_string()))
    }

    /// Whether it is a directory.
    pub fn is_directory(&self, inode: Inode) -> bool {
        self.directories.contains(&inode)
    }

    /// Names in a directory, sorted.
    pub fn list(&self, path: &str) -> Result<Vec<String>, DiskError> {
        let directory = self.find(path)?;
        if !self.is_directory(directory) {
            return Err(DiskError::Io);
        }
        Ok(self.visible.children(directory).map(|(name, _)| name.to_string()).collect())
    }

    /// A new name for a new file or directory.
    pub fn create(&mut self, path: &str, directory: bool) -> Result<Inode, DiskError> {
        let place = self.place(path)?;
        if self.visible.entries.contains_key(&place) {
            return Err(DiskError::Exists);
        }
        let inode = Inode(self.next_inode);
        self.next_inode += 1;
        if directory {
            self.directories.insert(inode);
        }
        self.change(inode, Some(place));
        Ok(inode)
    }

    /// Takes a name away.
    pub fn remove(&mut self, path: &str, directory: bool) -> Result<(), DiskError> {
        let inode = self.find(path)?;
        if self.is_directory(inode) != directory || inode == ROOT {
            return Err(DiskError::Io);
        }
        if self.visible.children(inode).next().is_some() {
            return Err(DiskError::Exists);
        }
        self.change(inode, None);
        Ok(())
    }

    /// Gives another name; a file in the way is replaced.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let inode = self.find(from)?;
        self.rename_inode(inode, to)
    }

    /// The same for an inode, wherever it stands.
    pub fn rename_inode(&mut self, inode: Inode, to: &str) -> Result<(), DiskError> {
        let place = self.place(to)?;
        if inode == ROOT || self.is_inside(place.0, inode) {
            return Err(DiskError::Io);
        }
        match self.visible.entries.get(&place) {
            Some(&there) if there == inode => return Ok(()),
            Some(&there) if self.is_directory(there) != self.is_directory(inode) => return Err(DiskError::Io),
            Some(&there) if self.visible.children(there).next().is_some() => return Err(DiskError::Exists),
            Some(_) | None => {}
        }
        self.change(inode, Some(place));
        Ok(())
    }

    fn is_inside(&self, mut directory: Inode, ancestor: Inode) -> bool {
        while directory != ancestor {
            let Some((parent, _)) = self.visible.places.get(&directory) else { return false };
            directory = *parent;
        }
        true
    }

    fn change(&mut self, inode: Inode, to: Option<Place>) {
        let displaced = to.as_ref().and_then(|place| self.visible.entries.get(place).copied());
        let change = Change { number: self.next_change, inode, from: self.visible.places.get(&inode).cloned(), to, displaced };
        self.next_change += 1;
        change.apply(&mut self.visible);
        self.pending.push(change);
    }

    /// A sync of a directory begins. Returns the mark to give to [`Names::promote`].
    pub fn mark(&self) -> u64 {
        self.next_change
    }

    /// The sync of that directory ended: its changes before the mark are on the medium.
    pub fn promote(&mut self, directory: Inode, mark: u64) {
        self.promote_where(|change, _| change.number < mark && change.belongs_to(directory));
    }

    fn promote_where(&mut self, mut survives: impl FnMut(&Change, usize) -> bool) {
        let mut nth = 0;
        let mut promoted: BTreeMap<Inode, u64> = BTreeMap::new();
        let Names { pending, durable, .. } = self;
        pending.retain(|change| {
            nth += 1;
            let survives = survives(change, nth - 1);
            if survives {
                change.apply(durable);
                promoted.insert(change.inode, change.number);
            }
            !survives
        });
        // An inode has one place. What was to move it before it got to the durable one must not move it back later.
        let is_superseded = |change: &Change| promoted.get(&change.inode).is_some_and(|&last| change.number < last);
        *pending = std::mem::take(pending)
            .into_iter()
            .filter_map(|change| if is_superseded(&change) { change.superseded() } else { Some(change) })
            .collect();
    }

    /// Power is lost. `syncing` names directories being synced, with their marks. Returns how many changes were lost.
    pub fn lose_power(&mut self, syncing: &[(Inode, u64)], harsh: bool, chance: Chance) -> u64 {
        for &(directory, mark) in syncing {
            let under_way =
                self.pending.iter().filter(|change| change.number < mark && change.belongs_to(directory)).count() as u64;
            let mut left = chance.about("sync").number(directory.0).between(0, under_way);
            self.promote_where(|change, _| {
                let promoted = left > 0 && change.number < mark && change.belongs_to(directory);
                left -= u64::from(promoted);
                promoted
            });
        }
        let prefix = chance.about("prefix").between(0, self.pending.len() as u64);
        if harsh {
            self.promote_where(|change, _| chance.number(change.number).one_in(2));
        } else {
            self.promote_where(|_, nth| (nth as u64) < prefix);
        }
        let lost = self.pending.len() as u64;
        self.pending.clear();
        self.visible = self.durable.clone();
        lost
    }

    /// Every visible path but the data directory itself, sorted.
    pub fn visible_paths(&self) -> Vec<(String, Inode)> {
        sorted_paths(&self.visible)
    }

    /// Every path that is on the medium in any case, sorted.
    pub fn durable_paths(&self) -> Vec<(String, Inode)> {
        sorted_paths(&self.durable)
    }

    /// Whether it has a name now.
    pub fn is_visible(&self, inode: Inode) -> bool {
        self.visible.places.contains_key(&inode)
    }

    /// Whether any tree or any change still knows the inode.
    pub fn is_known(&self, inode: Inode) -> bool {
        self.visible.places.contains_key(&inode)
            || self.durable.places.contains_key(&inode)
            || self.pending.iter().any(|change| change.inode == inode)
    }

    /// Forgets what is out of reach after power loss.
    pub fn forget_unreachable(&mut self) {
        let reachable: BTreeSet<Inode> = self.visible_paths().into_iter().map(|(_, inode)| inode).collect();
        let keep = |inode: &Inode| reachable.contains(inode);
        for tree in [&mut self.visible, &mut self.durable] {
            tree.entries.retain(|_, inode| keep(inode));
            tree.places.retain(|inode, _| keep(inode));
        }
        self.directories.retain(|inode| *inode == ROOT || keep(inode));
    }
}

fn sorted_paths(tree: &Tree) -> Vec<(String, Inode)> {
    let mut found = Vec::new();
    tree.walk(ROOT, "", &mut found);
    found.sort();
    found
}
