//! The real disk: [`Disk`] over the operating system's files, below one data directory.
//!
//! ```text
//!   the actor's step                        the rim, on a thread that may block
//!   ────────────────                        ───────────────────────────────────
//!   FsDisk: open, write, read, rename ...   SyncJob::run    fsync files and directories, in order
//!           (page cache, immediate)         replace         write <path>.tmp, fsync, rename, fsync directory
//!                                           read            a cold read
//! ```
//!
//! [`FsDisk`] never waits for the medium. What does is packed into a [`SyncJob`], or is a plain function of the data directory: both can
//! be sent to another thread. A job keeps its files open by itself, so the actor may close them meanwhile.
//!
//! A path is relative, with `/` between its parts; parts that are empty, `.`, `..`, or hold a separator or a NUL of the platform are refused with
//! `NotFound`, so no name that came over the network leads out of the data directory. A file `.lock` keeps a second process
//! out.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::disk::{Disk, DiskError, FileId, SyncTarget};

/// Writes in several parts up to this size are joined and written at once.
const JOINED_BYTES_MAX: usize = 64 << 10;

/// The file that says that a process uses the directory.
const LOCK_FILE: &str = ".lock";

/// A data directory of the real file system.
#[derive(Debug)]
pub struct FsDisk {
    root: PathBuf,
    files: BTreeMap<FileId, Arc<File>>,
    next_file: u64,
    joined: Vec<u8>,
    _lock: File,
}

/// A sync to be carried out where waiting is allowed.
#[derive(Debug)]
pub struct SyncJob {
    files: Vec<Arc<File>>,
}

impl FsDisk {
    /// Uses the directory `root`, which is created if it is missing.
    ///
    /// # Errors
    /// `WouldBlock` if another process uses it; whatever the system says.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<FsDisk> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        let mut lock = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(root.join(LOCK_FILE))?;
        match lock.try_lock() {
            Ok(()) => {
                // Only for whoever reads the message below: the lock itself is what counts.
                lock.set_len(0)?;
                lock.write_all_at(std::process::id().to_string().as_bytes(), 0)?;
            }
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = lock.read_to_string(&mut owner);
                let owner = if owner.is_empty() { "another process".to_owned() } else { format!("process {owner}") };
                return Err(io::Error::new(ErrorKind::WouldBlock, format!("{owner} uses it; stop that one first")));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(FsDisk { root, files: BTreeMap::new(), next_file: 0, joined: Vec::new(), _lock: lock })
    }

    /// The data directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Packs up a sync. A file that was closed since it was asked for has nothing left that anybody relies on.
    ///
    /// # Errors
    /// `NotFound` for a directory that is gone, `Io`.
    pub fn sync_job(&self, targets: &[SyncTarget]) -> Result<SyncJob, DiskError> {
        let mut files = Vec::with_capacity(targets.len());
        for target in targets {
            match target {
                SyncTarget::File(id) => files.extend(self.files.get(id).cloned()),
                SyncTarget::Directory(path) => files.push(Arc::new(File::open(below(&self.root, path)?).map_err(told)?)),
            }
        }
        Ok(SyncJob { files })
    }

    fn file(&self, file: FileId) -> Result<&File, DiskError> {
        self.files.get(&file).map(AsRef::as_ref).ok_or(DiskError::Gone)
    }

    fn path(&self, path: &str) -> Result<PathBuf, DiskError> {
        below(&self.root, path)
    }

    fn adopt(&mut self, file: File) -> FileId {
        self.next_file += 1;
        let id = FileId(self.next_file);
        self.files.insert(id, Arc::new(file));
        id
    }
}

impl SyncJob {
    /// Waits until everything is on the medium. After an error the data directory must not be used any more.
    ///
    /// # Errors
    /// `Io`, `Full`.
    pub fn run(self) -> Result<(), DiskError> {
        self.files.iter().try_for_each(|file| file.sync_all()).map_err(told)
    }
}

/// Puts a small file in place, all or nothing, and waits until it is on the medium.
///
/// # Errors
/// `NotFound` if its directory is missing, `Io`, `Full`.
pub fn replace(root: &Path, path: &str, content: &[u8]) -> Result<(), DiskError> {
    let (target, beside) = (below(root, path)?, below(root, &format!("{path}.tmp"))?);
    let parent = target.parent().ok_or(DiskError::NotFound)?;
    let write = || -> io::Result<()> {
        let file = File::create(&beside)?;
        file.write_all_at(content, 0)?;
        file.sync_all()?;
        fs::rename(&beside, &target)?;
        File::open(parent)?.sync_all()
    };
    write().map_err(told)
}

/// Reads up to `length` bytes of a file by name; fewer only where it ends.
///
/// # Errors
/// `NotFound`, `Io`.
pub fn read(root: &Path, path: &str, position: u64, length: usize) -> Result<Bytes, DiskError> {
    let file = File::open(below(root, path)?).map_err(told)?;
    read_from(&file, position, length)
}

fn read_from(file: &File, position: u64, length: usize) -> Result<Bytes, DiskError> {
    let there = file.metadata().map_err(told)?.len().saturating_sub(position);
    let length = length.min(usize::try_from(there).unwrap_or(usize::MAX));
    let mut bytes = BytesMut::zeroed(length);
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], position + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(told(error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes.freeze())
}

/// The place of `path` below `root`; "" is the root itself.
fn below(root: &Path, path: &str) -> Result<PathBuf, DiskError> {
    if path.is_empty() {
        return Ok(root.to_owned());
    }
    let is_name = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    match path.split('/').all(is_name) {
        true => Ok(root.join(path)),
        false => Err(DiskError::NotFound),
    }
}

/// What the system said, in our words.
#[allow(clippy::needless_pass_by_value)]
fn told(error: io::Error) -> DiskError {
    let kind = error.kind();
    if kind == ErrorKind::NotFound {
        DiskError::NotFound
    } else if kind == ErrorKind::AlreadyExists || kind == ErrorKind::DirectoryNotEmpty {
        DiskError::Exists
    } else if kind == ErrorKind::StorageFull || kind == ErrorKind::QuotaExceeded {
        DiskError::Full
    } else {
        DiskError::Io
    }
}

impl Disk for FsDisk {
    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(path)?).map_err(told)?;
        Ok(self.adopt(file))
    }

    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.path(path)?).map_err(told)?;
        Ok(self.adopt(file))
    }

    fn close(&mut self, file: FileId) {
        self.files.remove(&file);
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        Ok(self.file(file)?.metadata().map_err(told)?.len())
    }

    fn write(&mut self, file: FileId, position: u64, parts: &[&[u8]]) -> Result<(), DiskError> {
        if parts.len() > 1 && parts.iter().map(|part| part.len()).sum::<usize>() <= JOINED_BYTES_MAX {
            let mut joined = std::mem::take(&mut self.joined);
            joined.clear();
            parts.iter().for_each(|part| joined.extend_from_slice(part));
            let written = self.file(file).and_then(|file| file.write_all_at(&joined, position).map_err(told));
            self.joined = joined;
            return written;
        }
        let mut position = position;
        for part in parts {
            self.file(file)?.write_all_at(part, position).map_err(told)?;
            position += part.len() as u64;
        }
        Ok(())
    }

    fn read(&mut self, file: FileId, position: u64, length: usize) -> Result<Bytes, DiskError> {
        read_from(self.file(file)?, position, length)
    }

    fn set_len(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        self.file(file)?.set_len(length).map_err(told)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        fs::rename(self.path(from)?, self.path(to)?).map_err(told)
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        fs::remove_file(self.path(path)?).map_err(told)
    }

    fn create_dir(&mut self, path: &str) -> Result<(), DiskError> {
        fs::create_dir(self.path(path)?).map_err(told)
    }

    fn remove_dir(&mut self, path: &str) -> Result<(), DiskError> {
        fs::remove_dir(self.path(path)?).map_err(told)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, DiskError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(path)?).map_err(told)? {
            // A name that is not UTF-8 was not made by us.
            names.extend(entry.map_err(told)?.file_name().into_string());
        }
        names.retain(|name| !path.is_empty() || name != LOCK_FILE);
        names.sort();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::disk::read_file;

    /// A data directory that goes away with the test.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let path = std::env::temp_dir().join(format!("brokerlab-fs-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Place(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let place = Place::new("written");
        let mut disk = FsDisk::new(&place.0).unwrap();
        disk.create_dir("orders-0").unwrap();
        let file = disk.create("orders-0/a.log").unwrap();
        disk.write(file, 2, &[b"one", b"", b"two"]).unwrap();
        assert_eq!(&disk.read(file, 0, 100).unwrap()[..], b"\0\0onetwo", "a gap reads as zeros");
        assert_eq!(&disk.read(file, 5, 2).unwrap()[..], b"tw");
        assert_eq!(disk.read(file, 50, 2).unwrap().len(), 0);
        let large = vec![7; JOINED_BYTES_MAX];
        disk.write(file, 8, &[b"x", &large]).unwrap();
        assert_eq!(disk.len(file), Ok(9 + JOINED_BYTES_MAX as u64));
        disk.set_len(file, 3).unwrap();
        assert_eq!(&read_file(&mut disk, "orders-0/a.log").unwrap()[..], b"\0\0o");
        disk.close(file);
        assert_eq!(disk.len(file), Err(DiskError::Gone));
    }

    #[test]
    fn names_behave_as_the_contract_says() {
        let place = Place::new("names");
        let mut disk = FsDisk::new(&place.0).unwrap();
        assert_eq!(disk.create("missing/a").unwrap_err(), DiskError::NotFound);
        disk.create_dir("d").unwrap();
        assert_eq!(disk.create_dir("d"), Err(DiskError::Exists));
        let file = disk.create("d/b").unwrap();
        assert_eq!(disk.create("d/b").unwrap_err(), DiskError::Exists);
        disk.create("d/a").unwrap();
        assert_eq!(disk.list("d").unwrap(), ["a", "b"]);
        assert_eq!(disk.list("").unwrap(), ["d"], "the lock is not ours to see");
        disk.rename("d/b", "d/a").unwrap();
        assert_eq!(disk.remove_dir("d"), Err(DiskError::Exists));
        disk.remove("d/a").unwrap();
        disk.write(file, 0, &[b"still open"]).unwrap();
        assert_eq!(disk.remove("d/a"), Err(DiskError::NotFound));
        disk.remove_dir("d").unwrap();
        assert_eq!(disk.list("d"), Err(DiskError::NotFound));
    }

    #[test]
    fn no_path_leads_out_of_the_directory() {
        let place = Place::new("outside");
        let mut disk = FsDisk::new(&place.0).unwrap();
        for path in ["/etc/passwd", "../x", "a/../../x", "./x", "a//b", "a/", "..\\x", "x\0y"] {
            assert_eq!(disk.create(path).unwrap_err(), DiskError::NotFound, "{path:?}");
            assert_eq!(replace(disk.root(), path, b"").unwrap_err(), DiskError::NotFound, "{path:?}");
            assert_eq!(read(disk.root(), path, 0, 1).unwrap_err(), DiskError::NotFound, "{path:?}");
        }
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let place = Place::new("lock");
        let first = FsDisk::new(&place.0).unwrap();
        let refused = FsDisk::new(&place.0).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
        drop(first);
        assert!(FsDisk::new(&place.0).is_ok());
    }

    #[test]
    fn syncs_and_replacements_run_on_another_thread() {
        let place = Place::new("sync");
        let mut disk = FsDisk::new(&place.0).unwrap();
        disk.create_dir("d").unwrap();
        let file = disk.create("d/a").unwrap();
        disk.write(file, 0, &[b"data"]).unwrap();
        let targets = [SyncTarget::File(file), SyncTarget::Directory("d".into()), SyncTarget::Directory(String::new())];
        let job = disk.sync_job(&targets).unwrap();
        disk.close(file);
        let root = disk.root().to_owned();
        let done = std::thread::spawn(move || {
            job.run()?;
            replace(&root, "d/point", b"old and long")?;
            replace(&root, "d/point", b"new")?;
            read(&root, "d/point", 1, 10)
        });
        assert_eq!(&done.join().unwrap().unwrap()[..], b"ew");
        assert_eq!(disk.list("d").unwrap(), ["a", "point"], "nothing is left beside");
        assert!(disk.sync_job(&[SyncTarget::File(file)]).unwrap().run().is_ok(), "a closed file needs no sync");
    }

    #[test]
    fn a_log_lives_on_the_real_disk() {
        use crate::log::{Checkpoint, Log, LogConfig};
        use crate::types::{LeaderEpoch, Offset, Timestamp, Uuid};
        use crate::wire::record::BatchBuilder;

        let place = Place::new("log");
        let mut disk = FsDisk::new(&place.0).unwrap();
        let config = LogConfig { segment_bytes_max: 200, tail_bytes_max: 0, ..LogConfig::default() };
        let mut log = Log::create(&mut disk, "orders-0", Uuid(7), config.clone()).unwrap();
        for value in 0..10_u8 {
            let mut batch = BatchBuilder::new();
            batch.push(Timestamp(1000), None, Some(&[value]), &[]);
            log.append_as_leader(&mut disk, batch.build(), LeaderEpoch(1), Timestamp(1000)).unwrap();
        }
        let flush = log.begin_flush().unwrap();
        disk.sync_job(&flush.targets).unwrap().run().unwrap();
        log.end_flush(flush);
        assert_eq!(log.durable_end(), Offset(10));
        let all = |log: &mut Log, disk: &mut FsDisk| -> Vec<Bytes> {
            (0..10).map(|at| log.read(disk, Offset(at), Offset(10), 1, true).unwrap()).collect()
        };
        let before = all(&mut log, &mut disk);
        log.close(&mut disk);
        let (mut log, recovery) = Log::open(&mut disk, "orders-0", config, false, &Checkpoint::default()).unwrap();
        assert_eq!((log.topic(), log.log_end(), recovery.batches_read), (Uuid(7), Offset(10), 10));
        assert_eq!(all(&mut log, &mut disk), before);
        log.remove(&mut disk).unwrap();
        assert!(disk.list("").unwrap().is_empty());
    }
}
