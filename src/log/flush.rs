//! What is durable, what is not yet, and what must not go on before it is.
//!
//! Every change to a file or directory of the log gets the next number. A flush covers everything changed before it began, so one number
//! tells all: what was changed at or below `synced` is on the medium.
//!
//! ```text
//!   change    1    2    3    4    5    6    7
//!             ├─ synced ┤         │         │
//!             ├──── asked: a flush under way┤
//!
//!   needs a flush      some change above `asked`, and a reason: flush.messages, or a file made, rolled or cut
//!   truncation pends   `truncated` > `synced`: no append, or a power loss would bring cut batches back behind newer ones
//! ```
//!
//! Nothing waits here. The caller takes a [`Flush`] to [`Outbox::sync`](crate::actor::Outbox::sync) and brings the result back:
//! data first (older segments before newer ones), then indexes and snapshots, then the names.
//!
//! **The recovery point** is what recovery need not look at: at most the durable end, and not beyond the first epoch that
//! `leader-epoch-checkpoint` does not tell yet. It is kept in a file of the whole data directory, written now and then; what is on
//! the disk may therefore be *higher* than the log end after a truncation. New batches written there would be taken for durable, and
//! their being torn for corruption. So a truncation below that point leaves a file `<offset>.truncated`, which recovery
//! honours, and which goes when the disk holds a recovery point that is true again
//! ([`Log::recovery_point_written`](super::Log::recovery_point_written)). The same goes for the log start
//! ([`Log::log_start_written`](super::Log::log_start_written)).

use super::checkpoint::Checkpoint;
use crate::disk::{FileId, SyncTarget};
use crate::types::Offset;

/// A flush under way. Give its targets to the outbox, and itself back when they are durable.
#[must_use]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Flush {
    /// What is to be made durable, in this order.
    pub targets: Vec<SyncTarget>,
    /// Log end when it began: what it makes durable, unless the log is cut meanwhile.
    pub up_to: Offset,
    /// Number of the last change that it covers.
    pub(super) at: u64,
}

/// A small file written beside the segments, open until a flush has covered it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct SideFile {
    file: FileId,
    changed_at: u64,
}

/// The numbers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Durability {
    changes: u64,
    asked: u64,
    synced: u64,
    pressing: u64,
    truncated: u64,
    voided: u64,
    directory: u64,
    parent: u64,
    side_files: Vec<SideFile>,
    finished: Vec<FileId>,
    asked_end: Offset,
    /// Everything below is on the medium.
    pub(super) durable_end: Offset,
    /// The highest recovery point that the checkpoint of the data directory may hold.
    pub(super) recovery_point_on_disk: Offset,
    /// The highest recovery point that may be on its way there.
    pub(super) claimed: Offset,
    /// The log start that the checkpoint of the data directory holds.
    pub(super) log_start_on_disk: Offset,
    /// The log began anew below its former start, which may still be on the disk.
    pub(super) start_lowered: bool,
    /// The recovery point on the disk may still be that of another log, which had the same name before.
    pub(super) point_inherited: bool,
}

impl Durability {
    /// Of a log that is being loaded.
    pub(super) fn loading(checkpoint: &Checkpoint) -> Durability {
        let (recovery_point_on_disk, log_start_on_disk) = (checkpoint.recovery_point, checkpoint.log_start);
        let claimed = recovery_point_on_disk;
        Durability { recovery_point_on_disk, claimed, log_start_on_disk, ..Durability::default() }
    }

    /// Loading has found how much is durable.
    pub(super) fn settle(&mut self, durable_end: Offset) {
        self.durable_end = durable_end;
        self.asked_end = durable_end;
    }

    /// Counts a change.
    pub(super) fn change(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }

    /// Names in the log's directory changed.
    pub(super) fn change_names(&mut self) {
        self.directory = self.change();
    }

    /// The log's own directory was created.
    pub(super) fn change_parent(&mut self) {
        self.parent = self.change();
    }

    /// A small file was written.
    pub(super) fn wrote(&mut self, file: FileId) {
        let changed_at = self.change();
        self.side_files.push(SideFile { file, changed_at });
        self.directory = changed_at;
    }

    /// All changes so far should be flushed soon.
    pub(super) fn press(&mut self) {
        self.pressing = self.change();
    }

    /// Number of the last change.
    pub(super) fn last_change(&self) -> u64 {
        self.changes
    }

    /// Whether what was changed at that number is on the medium.
    pub(super) fn has_synced(&self, number: u64) -> bool {
        number <= self.synced
    }

    /// Whether something that was to be flushed soon is not durable yet.
    pub(super) fn is_pressed(&self) -> bool {
        self.pressing > self.synced
    }

    /// The log was cut: nothing may be appended before that is durable.
    pub(super) fn truncate(&mut self, end: Offset) {
        self.void(end);
        self.truncated = self.changes;
    }

    /// The log now ends at `end`: flushes under way do not tell how much of it is durable.
    pub(super) fn void(&mut self, end: Offset) {
        self.press();
        self.voided = self.changes;
        self.durable_end = self.durable_end.min(end);
        self.asked_end = end;
    }

    /// Whether a truncation is not durable yet.
    pub(super) fn truncation_pends(&self) -> bool {
        self.truncated > self.synced
    }

    /// Whether something presses, or `flush_messages` records were appended since the last flush began.
    pub(super) fn needs_flush(&self, log_end: Offset, flush_messages: Option<u64>) -> bool {
        let unasked = u64::try_from(log_end.since(self.asked_end)).expect("a cut lowers what was asked");
        self.pressing > self.asked || (unasked > 0 && flush_messages.is_some_and(|messages| unasked >= messages))
    }

    /// Begins a flush of `files` (with the number of their last change), and of everything else changed; `None` if there was no change
    /// since the last one began.
    pub(super) fn begin(
        &mut self,
        files: impl Iterator<Item = (FileId, u64)>,
        dir: &str,
        parent: String,
        log_end: Offset,
    ) -> Option<Flush> {
        if self.changes == self.asked {
            return None;
        }
        let synced = self.synced;
        let side = self.side_files.iter().map(|side| (side.file, side.changed_at));
        let mut targets: Vec<SyncTarget> =
            files.chain(side).filter(|(_, changed_at)| *changed_at > synced).map(|(file, _)| SyncTarget::File(file)).collect();
        if self.directory > synced {
            targets.push(SyncTarget::Directory(dir.to_owned()));
        }
        if self.parent > synced {
            targets.push(SyncTarget::Directory(parent));
        }
        self.asked = self.changes;
        self.asked_end = log_end;
        Some(Flush { targets, up_to: log_end, at: self.changes })
    }

    /// A flush has succeeded.
    pub(super) fn end(&mut self, flush: &Flush) {
        assert!(flush.at <= self.changes, "a flush of {} changes, there were {}", flush.at, self.changes);
        self.synced = self.synced.max(flush.at);
        // What was cut after it began may have been covered or not; the flush that covers the cut will tell.
        if self.voided <= flush.at {
            self.durable_end = self.durable_end.max(flush.up_to);
        }
        let synced = self.synced;
        let done = self.side_files.extract_if(.., |side| side.changed_at <= synced);
        self.finished.extend(done.map(|side| side.file));
    }

    /// Small files that need not be open any longer.
    pub(super) fn take_finished(&mut self) -> Vec<FileId> {
        std::mem::take(&mut self.finished)
    }

    /// All small files still open, when the log is closed.
    pub(super) fn take_all(&mut self) -> Vec<FileId> {
        let mut files = self.take_finished();
        files.extend(self.side_files.drain(..).map(|side| side.file));
        files
    }
}
