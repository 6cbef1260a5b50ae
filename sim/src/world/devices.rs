//! Disk operations that take time.
//!
//! The [disk](crate::disk) knows what a sync covers and what a crash leaves; the world knows when a sync ends. A sync goes on in the
//! kernel even when the process that asked for it has died. A replacement is two syncs with a rename between them, and the power may
//! fail at each stage.

use brokerlab::actor::Action;
use brokerlab::disk::DiskError;
use brokerlab::types::{Duration, Ticket, Time};
use brokerlab_reports::event::EventId;

use super::process::{Pending, Source};
use super::state::{Due, World};
use crate::disk::{ReplaceStage, ReplaceToken, SyncToken};

/// A read from the medium takes this part of a sync's time.
const READ_PART: u64 = 4;

/// Disk operations under way.
#[derive(Debug, Default)]
pub struct Jobs {
    jobs: Vec<Option<Job>>,
    free: Vec<u32>,
}

/// One disk operation.
#[derive(Debug)]
struct Job {
    node: u16,
    boot: u32,
    life: u32,
    ticket: Ticket,
    source: Source,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Sync(SyncToken),
    Replace(ReplaceToken),
    Read { path: String, position: u64, length: usize },
}

impl Jobs {
    fn add(&mut self, job: Job) -> u32 {
        if let Some(number) = self.free.pop() {
            self.jobs[number as usize] = Some(job);
            return number;
        }
        self.jobs.push(Some(job));
        u32::try_from(self.jobs.len() - 1).expect("fewer than 2^32 disk operations are under way")
    }

    fn take(&mut self, number: u32) -> Job {
        self.free.push(number);
        self.jobs[number as usize].take().expect("an operation ends once")
    }
}

impl World {
    /// Begins what a step asked of the disk.
    pub fn begin_disk(&mut self, node: u16, action: Action, cause: EventId) {
        let disk = self.node(node).disk.clone();
        #[allow(clippy::wildcard_enum_match_arm)]
        let (ticket, work) = match action {
            Action::Sync { ticket, targets } => (ticket, Ok(Work::Sync(disk.begin_sync(&targets)))),
            Action::Replace { ticket, path, content } => (ticket, disk.begin_replace(&path, &content).map(Work::Replace)),
            Action::Read { ticket, path, position, length } => (ticket, Ok(Work::Read { path, position, length })),
            _ => unreachable!("only disk operations come here"),
        };
        if let Some(process) = &mut self.node(node).process {
            process.tickets.insert(ticket);
        }
        match work {
            Ok(work) => {
                let state = self.node(node);
                let job = Job { node, boot: state.boots, life: state.life, ticket, source: Source::of(cause), work };
                self.schedule_job(job);
            }
            Err(error) => self.end_ticket(node, ticket, Err(error), Source::of(cause)),
        }
    }

    fn schedule_job(&mut self, mut job: Job) {
        let now = self.now;
        let state = self.node(job.node);
        let weather = state.disk.sync_time(now);
        let (extra, culprit) = state.slow;
        let span = match &job.work {
            Work::Sync(_) | Work::Replace(_) => Duration(weather.0 + extra.0),
            Work::Read { .. } => Duration(weather.divided(READ_PART).0 + extra.0),
        };
        if extra > Duration::ZERO {
            job.source.also = culprit;
        }
        let job = self.jobs.add(job);
        self.heap.push(now.plus(span), Due::Disk { job });
    }

    /// A disk operation ends now, or waits on if the disk is stuck.
    pub fn on_disk(&mut self, number: u32) {
        let owner = self.jobs.jobs[number as usize].as_ref().map_or(0, |job| job.node);
        let state = self.node(owner);
        if state.stuck.0 > 0 {
            state.stuck_jobs.push(number);
            return;
        }
        let job = self.jobs.take(number);
        // What was under way when the power failed is settled by the disk itself.
        if self.node(job.node).boots == job.boot {
            self.finish_job(job);
        }
    }

    /// The disk moves again: what waited ends now.
    pub fn free_disk(&mut self, node: u16) {
        let culprit = self.node(node).stuck.1;
        let now = self.now;
        for (at, number) in std::mem::take(&mut self.node(node).stuck_jobs).into_iter().enumerate() {
            if let Some(job) = &mut self.jobs.jobs[number as usize] {
                job.source.also = culprit;
            }
            self.heap.push(Time(now.0 + at as u64), Due::Disk { job: number });
        }
    }

    fn finish_job(&mut self, job: Job) {
        let Job { node, boot, life, ticket, source, work } = job;
        let disk = self.node(node).disk.clone();
        let is_alive = self.node(node).life == life && self.node(node).process.is_some();
        match work {
            Work::Sync(token) => {
                let result = disk.end_sync(token);
                if is_alive {
                    self.end_ticket(node, ticket, result, source);
                }
            }
            Work::Replace(token) => match disk.advance_replace(token) {
                Ok(ReplaceStage::Syncing(token)) => {
                    self.schedule_job(Job { node, boot, life, ticket, source, work: Work::Replace(token) });
                }
                Ok(ReplaceStage::Done) if is_alive => self.end_ticket(node, ticket, Ok(()), source),
                Err(error) if is_alive => self.end_ticket(node, ticket, Err(error), source),
                Ok(ReplaceStage::Done) | Err(_) => {}
            },
            Work::Read { path, position, length } if is_alive => {
                let result = disk.read_by_path(&path, position, length);
                self.close_ticket(node, ticket, result.is_ok());
                self.tell(node, Pending::ReadDone(ticket, result, source));
            }
            Work::Read { .. } => {}
        }
        self.notice_strike(node);
    }

    fn end_ticket(&mut self, node: u16, ticket: Ticket, result: Result<(), DiskError>, source: Source) {
        self.close_ticket(node, ticket, result.is_ok());
        self.tell(node, Pending::Synced(ticket, result, source));
    }

    fn close_ticket(&mut self, node: u16, ticket: Ticket, ok: bool) {
        let Some(process) = &mut self.node(node).process else { return };
        process.tickets.remove(&ticket);
        if !ok {
            process.failed.insert(ticket);
        }
    }
}
