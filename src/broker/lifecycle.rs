//! From birth to the end.
//!
//! ```text
//!   Unborn ─▶ ErasingMark ─▶ Alive ─▶ HandingOver ─▶ Flushing ─▶ Checkpointing ─▶ Marking ─▶ Stopped
//!                 │            │           │             │             │             │
//!                 └────────────┴───────────┴─── the disk fails ───────┴─────────────┴────▶ Failed
//! ```
//!
//! **Shutdown in order.** The broker tells the controller that it wants to stop, and goes on serving until its leaderships have moved away and
//! it may go. Then it serves nobody any more, flushes every log, writes the checkpoints, and only after all of that is durable it leaves
//! the clean-shutdown mark. If anything fails on the way there is no mark, and the next start looks at the logs.
//!
//! **Failure.** One disk error ends the broker's part in the cluster, as it does in Kafka when the last log directory fails, and there is
//! only one. What a failed disk says afterwards cannot be trusted (a second sync succeeds and lies), so the broker says nothing either:
//! connections are closed, heartbeats end, the controller fences it. Whoever runs the process ends it when it states
//! [`Fact::LogFailed`] of the whole directory. A full disk counts, and so does one bad batch: a leader hands its partitions over by
//! stopping only, and one that cannot serve what it promised must not keep them.

use std::mem;

use crate::disk::{DiskError, SyncTarget};
use crate::fact::Fact;
use crate::log::LogError;
use crate::log::checkpoint::{CLEAN_SHUTDOWN_FILE, encode_clean_shutdown};
use crate::mutant::Mutant;
use crate::operation::{Certainty, Command, Completion, Operation, OperationId, Outcome};
use crate::types::{BrokerEpoch, ConnectionId, Ticket, Time};
use crate::wire::ErrorCode;

use super::BrokerActor;
use super::recovery::{META_PROPERTIES, directory_id, draw, erase_clean_mark, load_logs, meta_properties, read_clean_mark};
use super::reply::Step;
use super::topic_settings::default_log_config;

/// Where in its life the broker is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Nothing has happened yet.
    Unborn,
    /// The clean-shutdown mark is gone, but that is not durable yet.
    ErasingMark {
        /// Its removal.
        ticket: Ticket,
        /// Whether it was there.
        clean: bool,
    },
    /// The logs are loaded.
    Alive,
    /// The controller was asked to move leaderships away.
    HandingOver {
        /// Who waits for the end.
        operation: OperationId,
        /// Until when the controller may take.
        give_up_at: Time,
    },
    /// Nobody is served any more; logs are flushed.
    Flushing {
        /// Who waits for the end.
        operation: OperationId,
    },
    /// All logs are flushed; the checkpoints are written.
    Checkpointing {
        /// Who waits for the end.
        operation: OperationId,
    },
    /// Everything is durable; the mark is written.
    Marking {
        /// Who waits for the end.
        operation: OperationId,
        /// The mark.
        ticket: Ticket,
    },
    /// The end.
    Stopped,
    /// The disk failed.
    Failed,
}

impl BrokerActor {
    /// Whether requests are answered.
    pub(super) fn is_serving(&self) -> bool {
        self.is_participating() && self.view.is_published()
    }

    /// Whether the broker takes part in the cluster.
    pub(super) fn is_participating(&self) -> bool {
        matches!(self.phase, Phase::Alive | Phase::HandingOver { .. })
    }

    /// The first event, whatever it is, gives birth.
    pub(super) fn start(&mut self, step: &mut Step<'_>) {
        match self.take_possession(step) {
            Ok((ticket, clean)) => self.phase = Phase::ErasingMark { ticket, clean },
            Err(error) => self.fail(error, step),
        }
    }

    fn take_possession(&mut self, step: &mut Step<'_>) -> Result<(Ticket, bool), DiskError> {
        self.session.directory = match directory_id(step.disk, &self.config)? {
            Some(id) => id,
            None => {
                let id = draw(self.config.seed, "directory");
                self.identity = Some(step.out.replace(META_PROPERTIES, meta_properties(&self.config, id)));
                id
            }
        };
        let late = self.config.mutants.is(Mutant::CleanMarkerSurvivesCrash);
        let ended_cleanly = if late { read_clean_mark(step.disk)? } else { erase_clean_mark(step.disk)? };
        self.session.previous_epoch = ended_cleanly.unwrap_or(BrokerEpoch::NONE);
        let ticket = step.out.sync(vec![SyncTarget::Directory(String::new())]);
        Ok((ticket, ended_cleanly.is_some()))
    }

    fn load(&mut self, clean: bool, step: &mut Step<'_>) {
        let mut facts = Vec::new();
        let loaded = load_logs(step.disk, &default_log_config(&self.config), clean, &mut facts);
        facts.into_iter().for_each(|fact| step.out.fact(fact));
        match loaded {
            Ok(logs) => {
                self.checkpoints.found(logs.were_compacted);
                self.partitions.found(logs);
            }
            Err(error) => return self.fail(disk_error(&error), step),
        }
        if clean && self.config.mutants.is(Mutant::CleanMarkerSurvivesCrash) {
            step.out.fact(Mutant::CleanMarkerSurvivesCrash.acted());
            let erased = erase_clean_mark(step.disk).map(|_| ());
            self.expect_disk(erased.map_err(LogError::from), step);
        }
        let (broker, incarnation) = (self.config.id, self.session.incarnation);
        step.out.fact(Fact::BrokerStarted { broker, incarnation, clean });
        self.checkpoints.start(step.now.mono, &self.config);
        self.phase = Phase::Alive;
    }

    /// Something that was asked of the disk has ended.
    pub(super) fn on_synced(&mut self, ticket: Ticket, result: Result<(), DiskError>, step: &mut Step<'_>) {
        if self.identity == Some(ticket) {
            self.identity = None;
            return self.expect_disk(result.map_err(LogError::from), step);
        }
        match (&self.phase, result) {
            (Phase::ErasingMark { ticket: awaited, clean }, Ok(())) if *awaited == ticket => self.load(*clean, step),
            (Phase::Marking { ticket: awaited, operation }, Ok(())) if *awaited == ticket => self.stop(*operation, step),
            (Phase::ErasingMark { ticket: awaited, .. } | Phase::Marking { ticket: awaited, .. }, Err(error))
                if *awaited == ticket =>
            {
                self.fail(error, step);
            }
            _ => match self.checkpoints.on_synced(ticket, result, &mut self.partitions, step) {
                Some(result) => self.expect_disk(result, step),
                None => {
                    self.partitions.on_synced(ticket, result, step);
                    self.cleaner.note_synced();
                }
            },
        }
    }

    /// A result that only a failing disk can spoil.
    pub(super) fn expect_disk(&mut self, result: Result<(), LogError>, step: &mut Step<'_>) {
        if let Err(error) = result {
            self.fail(disk_error(&error), step);
        }
    }

    /// The disk has failed: no part in anything any more.
    pub(super) fn fail(&mut self, error: DiskError, step: &mut Step<'_>) {
        if matches!(self.phase, Phase::Failed | Phase::Stopped) {
            return;
        }
        step.out.fact(Fact::LogFailed { partition: None, error });
        let phase = mem::replace(&mut self.phase, Phase::Failed);
        self.fall_silent(step);
        match phase {
            Phase::HandingOver { operation, .. }
            | Phase::Flushing { operation }
            | Phase::Checkpointing { operation }
            | Phase::Marking { operation, .. } => complete(operation, Outcome::Stopped, step),
            Phase::Unborn | Phase::ErasingMark { .. } | Phase::Alive | Phase::Stopped | Phase::Failed => {}
        }
    }

    fn fall_silent(&mut self, step: &mut Step<'_>) {
        let clients: Vec<ConnectionId> = self.clients.keys().copied().collect();
        clients.into_iter().for_each(|connection| self.close_client(connection, step.out));
        let (now, out) = (step.now.mono, &mut *step.out);
        self.fetchers.stop(now, out);
        self.isr_changes.stop(now, out);
        self.forwarding.stop(now, out);
        self.session.stop(now, out);
        self.view.stop(now, out);
        self.parked.clear();
        self.groups.clear();
    }

    // ---- shutdown ---------------------------------------------------------------------------------------------

    /// The operator wants something.
    pub(super) fn on_command(&mut self, command: Command, step: &mut Step<'_>) {
        match command.operation {
            Operation::Shutdown => self.on_shutdown(command.id, step),
            Operation::Produce { .. }
            | Operation::Assign { .. }
            | Operation::Subscribe { .. }
            | Operation::Unsubscribe
            | Operation::Commit { .. }
            | Operation::Poll { .. }
            | Operation::ListOffset { .. }
            | Operation::CreateTopic { .. }
            | Operation::DeleteTopic { .. }
            | Operation::DescribeTopic { .. }
            | Operation::DeleteRecords { .. }
            | Operation::ElectLeaders { .. } => {
                let code = ErrorCode::INVALID_REQUEST.code();
                complete(command.id, Outcome::Failed { code, certainty: Certainty::Definite }, step);
            }
        }
    }

    fn on_shutdown(&mut self, operation: OperationId, step: &mut Step<'_>) {
        match self.phase {
            Phase::Alive if self.session.epoch().is_some() => {
                let give_up_at = step.now.mono.plus(self.config.controlled_shutdown_timeout);
                self.phase = Phase::HandingOver { operation, give_up_at };
                self.session.hurry();
            }
            Phase::Alive => self.begin_flushing(operation, step),
            Phase::Unborn | Phase::ErasingMark { .. } => self.stop(operation, step),
            Phase::Stopped | Phase::Failed => complete(operation, Outcome::Stopped, step),
            Phase::HandingOver { .. } | Phase::Flushing { .. } | Phase::Checkpointing { .. } | Phase::Marking { .. } => {
                let code = ErrorCode::INVALID_REQUEST.code();
                complete(operation, Outcome::Failed { code, certainty: Certainty::Definite }, step);
            }
        }
    }

    /// The controller lets us go.
    pub(super) fn on_may_shut_down(&mut self, step: &mut Step<'_>) {
        if let Phase::HandingOver { operation, .. } = self.phase {
            self.begin_flushing(operation, step);
        }
    }

    fn begin_flushing(&mut self, operation: OperationId, step: &mut Step<'_>) {
        // Before the first image nobody has claimed the logs that were found, so nobody flushes them either. What a former life left in
        // the page cache may not be on the medium, and a mark would vouch for it (D7).
        if self.partitions.has_unclaimed() {
            return self.stop(operation, step);
        }
        self.phase = Phase::Flushing { operation };
        self.fall_silent(step);
        let (mut replicas, _) = self.partitions.touch_all();
        let result = replicas.try_for_each(|replica| replica.log_mut().prepare_shutdown(step.disk));
        drop(replicas);
        self.expect_disk(result, step);
    }

    /// Goes on with a shutdown as far as it can be gone in this step.
    pub(super) fn pump_shutdown(&mut self, step: &mut Step<'_>) {
        match self.phase.clone() {
            Phase::HandingOver { operation, give_up_at } if give_up_at <= step.now.mono => self.begin_flushing(operation, step),
            Phase::Flushing { operation } if self.is_flushed(step) && self.checkpoints.is_settled() => {
                self.phase = Phase::Checkpointing { operation };
                self.checkpoints.write_all(&self.partitions, step.out);
            }
            Phase::Checkpointing { operation } if self.checkpoints.is_settled() => {
                let mark = encode_clean_shutdown(self.session.epoch_or_none());
                self.phase = Phase::Marking { operation, ticket: step.out.replace(CLEAN_SHUTDOWN_FILE, mark) };
            }
            Phase::Unborn
            | Phase::ErasingMark { .. }
            | Phase::Alive
            | Phase::HandingOver { .. }
            | Phase::Flushing { .. }
            | Phase::Checkpointing { .. }
            | Phase::Marking { .. }
            | Phase::Stopped
            | Phase::Failed => {}
        }
    }

    fn is_flushed(&mut self, step: &mut Step<'_>) -> bool {
        let (replicas, _) = self.partitions.touch_all();
        // A bitwise or: every replica is asked to flush, not only the first that has something to.
        replicas.fold(true, |flushed, replica| flushed & !(replica.flush(step.out) | replica.is_flushing()))
    }

    fn stop(&mut self, operation: OperationId, step: &mut Step<'_>) {
        self.phase = Phase::Stopped;
        self.fall_silent(step);
        complete(operation, Outcome::Stopped, step);
    }
}

fn complete(id: OperationId, outcome: Outcome, step: &mut Step<'_>) {
    step.out.complete(Completion { id, outcome });
}

/// What the disk did, if it was the disk; a file that cannot be understood counts as its failure too.
fn disk_error(error: &LogError) -> DiskError {
    match error {
        LogError::Disk { error, .. } | LogError::Stopped(error) => *error,
        LogError::Corrupt { .. } => DiskError::Corrupt,
        LogError::OutOfRange { .. } | LogError::File(_) | LogError::NeverFlushed { .. } => DiskError::Io,
    }
}
