//! What is on the medium, and asking for more of it.
//!
//! Kafka acknowledges from memory: "committed" means that every in-sync replica has the record, not that any disk has. Syncs happen when a segment is
//! rolled, when a truncation must be made permanent, at a clean shutdown, and, with `flush.messages=1`, after each batch. All of them are asked for
//! and awaited, never waited for inside a step.

use crate::actor::{Now, Outbox};
use crate::disk::{Disk, DiskError};
use crate::fact::Fact;
use crate::log::Flush;
use crate::mutant::Mutant;
use crate::types::Ticket;

use super::{Members, Replica};

/// What has been asked of the disk and not yet answered.
#[derive(Debug, Default, Hash)]
pub struct Flushing {
    log: Option<(Ticket, Flush)>,
    epochs: Option<Ticket>,
}

impl Replica {
    /// Asks for what is due. To be called once at the end of each step that touched the replica.
    pub fn sync(&mut self, out: &mut Outbox) {
        if let Some(mutant) = self.settings.mutants.planted()
            && self.log.take_acted()
        {
            out.fact(mutant.acted());
        }
        if self.failed.is_some() {
            return;
        }
        if self.flushing.epochs.is_none()
            && let Some((path, content)) = self.log.epoch_checkpoint()
        {
            self.flushing.epochs = Some(out.replace(path, content));
        }
        if self.log.needs_flush() {
            self.flush(out);
        }
    }

    /// Asks for everything to be made durable, due or not (clean shutdown, the recovery-point timer). False if there is nothing to do.
    pub fn flush(&mut self, out: &mut Outbox) -> bool {
        if self.flushing.log.is_some() {
            return true;
        }
        let Some(flush) = self.log.begin_flush() else { return false };
        let ticket = out.sync(flush.targets.clone());
        self.flushing.log = Some((ticket, flush));
        true
    }

    /// Planted bug: the file of epochs is put in place, and nobody makes it durable.
    pub fn write_epochs_unsynced(&mut self, disk: &mut dyn Disk, out: &mut Outbox) {
        let Some((path, content)) = self.log.epoch_checkpoint().filter(|_| self.failed.is_none()) else { return };
        out.fact(Mutant::EpochCheckpointNotSynced.acted());
        match replace_unsynced(disk, &path, &content) {
            Ok(()) => self.log.epoch_checkpoint_done(),
            Err(error) => self.fail(error, out),
        }
    }

    /// Whether anything asked of the disk is still unanswered.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        self.flushing.log.is_some() || self.flushing.epochs.is_some()
    }

    /// A sync ended; false if it was not asked for here.
    pub fn on_synced(
        &mut self,
        ticket: Ticket,
        result: Result<(), DiskError>,
        now: Now,
        members: &Members,
        out: &mut Outbox,
    ) -> bool {
        if self.flushing.epochs == Some(ticket) {
            self.flushing.epochs = None;
            match result {
                Ok(()) => self.log.epoch_checkpoint_done(),
                Err(error) => self.fail(error, out),
            }
            return true;
        }
        let Some((_, flush)) = self.flushing.log.take_if(|(ours, _)| *ours == ticket) else { return false };
        match result {
            Ok(()) => self.on_flushed(flush, now, members, out),
            Err(error) if self.mutant(Mutant::AppendAfterIoError) && error != DiskError::Gone => {
                out.fact(Mutant::AppendAfterIoError.acted());
            }
            // The pages are dropped though still visible; a second sync would say OK and lie.
            Err(error) => self.fail(error, out),
        }
        true
    }

    fn on_flushed(&mut self, flush: Flush, now: Now, members: &Members, out: &mut Outbox) {
        let before = self.log.durable_end();
        self.log.end_flush(flush);
        self.changes.high_watermark = true;
        self.changes.log_end = true;
        let durable_end = self.log.durable_end();
        if durable_end != before {
            out.fact(Fact::LogFlushed { partition: self.partition, durable_end });
        }
        self.advance_high_watermark(now, members, out);
    }
}

fn replace_unsynced(disk: &mut dyn Disk, path: &str, content: &[u8]) -> Result<(), DiskError> {
    let beside = format!("{path}.tmp");
    let file = match disk.create(&beside) {
        Err(DiskError::Exists) => {
            disk.remove(&beside)?;
            disk.create(&beside)?
        }
        created => created?,
    };
    disk.write(file, 0, &[content])?;
    disk.close(file);
    disk.rename(&beside, path)
}
