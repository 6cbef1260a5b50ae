//! The controller as an actor.
//!
//! ```text
//!            open, replay                 what recovery cut          first event
//!                                         is durably gone            after it
//!   New ───────────────────────▶ Opening ─────────────────▶ Active ──────────────▶ ...
//!    │                              │                          │ a disk fails, or Shutdown
//!    └────────── unreadable ────────┴──────────────────────────┴──────────────────▶ Stopped
//!
//!   Active:  frame ──▶ dispatch ──▶ state ──▶ records ──▶ log ──sync──▶ committed ──▶ 1 facts  2 replies  3 parked fetches
//! ```
//!
//! Requests that come while the log is being opened wait. Those that come before the first records of the activation are committed
//! are handled like any other: their answers wait for the commit, so nothing is answered before everything replayed is durable.
//!
//! Stopped means that every connection is closed and stays so: what was decided and not made durable exists only in this process, and
//! only a restart of it is sure to forget that.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

use bytes::Bytes;

use super::dispatch::{Handled, handle};
use super::metadata_log::{MetadataLog, MetadataLogError, Replayed};
use super::observers::{self, Observers, Wanted};
use super::replies::Deferred;
use super::state::{Controller, ControllerConfig};
use crate::actor::{Actor, Event, Now, Outbox};
use crate::digest::Digest;
use crate::disk::{Disk, DiskError};
use crate::fact::Fact;
use crate::operation::{Certainty, Command, Completion, Operation, OperationId, Outcome};
use crate::types::{ConnectionId, Offset, Ticket, Time};
use crate::wire::fetch_request::FetchRequest;
use crate::wire::fetch_response::FetchResponse;
use crate::wire::{
    ApiKey, Chunks, DecodeError, ErrorCode, RequestHeader, Response, decode_request, encode_response, unsupported_api_versions,
};

/// The first version of Fetch that can tell an observer that its log diverges.
const FETCH_VERSION_MIN: i16 = 12;

/// A controller with its log, its sessions and its connections.
#[derive(Debug)]
pub struct ControllerActor {
    config: ControllerConfig,
    connections: BTreeSet<ConnectionId>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    New,
    Opening(Box<Opening>),
    Active(Box<Active>),
    Stopped,
}

/// The log is read, but what recovery cut from it is not yet durably gone.
#[derive(Debug)]
struct Opening {
    log: MetadataLog,
    replayed: Replayed,
    waiting: VecDeque<(ConnectionId, Bytes)>,
}

/// In office.
#[derive(Debug)]
struct Active {
    log: MetadataLog,
    controller: Controller,
    observers: Observers,
    replies: Deferred<(ConnectionId, Chunks)>,
    facts: Deferred<Fact>,
    committed: Offset,
    shutdown: Option<OperationId>,
}

impl ControllerActor {
    /// A controller that will open its log at the first event.
    #[must_use]
    pub fn new(config: ControllerConfig) -> ControllerActor {
        ControllerActor { config, connections: BTreeSet::new(), phase: Phase::New }
    }

    fn try_step(&mut self, now: Now, event: Event, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), MetadataLogError> {
        if matches!(self.phase, Phase::New) {
            let (log, replayed) = MetadataLog::open(disk, &self.config.data_dir)?;
            self.phase = Phase::Opening(Box::new(Opening { log, replayed, waiting: VecDeque::new() }));
            self.progress(now, disk, out)?;
        }
        match event {
            Event::Opened { connection, .. } => self.on_opened(connection, out),
            Event::Closed { connection, .. } => self.on_closed(connection),
            Event::Frame { connection, frame } => return self.on_frame(now, connection, frame, disk, out),
            Event::Synced { ticket, result } => return self.on_synced(now, ticket, result, disk, out),
            Event::Command(command) => return self.on_command(command, out),
            Event::Woken => return self.on_woken(now, disk, out),
            Event::ReadDone { .. } => {}
        }
        Ok(())
    }

    /// Goes from Opening to Active once nothing stands in the way.
    fn progress(&mut self, now: Now, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), MetadataLogError> {
        let Phase::Opening(opening) = &mut self.phase else { return Ok(()) };
        if !opening.log.is_appendable() {
            opening.log.flush(out);
            return Ok(());
        }
        let Phase::Opening(opening) = std::mem::replace(&mut self.phase, Phase::Stopped) else { unreachable!("matched above") };
        let Opening { log, replayed, waiting } = *opening;
        let mut active = Active::begin(&self.config, log, replayed, now);
        active.write(now, disk, out)?;
        active.release(now.mono, disk, out)?;
        self.phase = Phase::Active(Box::new(active));
        for (connection, frame) in waiting {
            self.on_frame(now, connection, frame, disk, out)?;
        }
        Ok(())
    }

    fn on_opened(&mut self, connection: ConnectionId, out: &mut Outbox) {
        match self.phase {
            Phase::Stopped => out.close(connection),
            Phase::New | Phase::Opening(_) | Phase::Active(_) => {
                self.connections.insert(connection);
            }
        }
    }

    fn on_closed(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        match &mut self.phase {
            Phase::Opening(opening) => opening.waiting.retain(|(waiting, _)| *waiting != connection),
            Phase::Active(active) => active.forget(connection),
            Phase::New | Phase::Stopped => {}
        }
    }

    fn on_frame(
        &mut self,
        now: Now,
        connection: ConnectionId,
        frame: Bytes,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), MetadataLogError> {
        match &mut self.phase {
            Phase::Opening(opening) => opening.waiting.push_back((connection, frame)),
            Phase::Active(active) if active.shutdown.is_none() => return active.on_frame(now, connection, &frame, disk, out),
            Phase::New | Phase::Active(_) | Phase::Stopped => self.close(connection, out),
        }
        Ok(())
    }

    fn on_synced(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<(), DiskError>,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), MetadataLogError> {
        match &mut self.phase {
            Phase::Opening(opening) => {
                opening.log.on_synced(disk, ticket, result)?;
                opening.log.flush(out);
                self.progress(now, disk, out)?;
            }
            Phase::Active(active) => {
                active.log.on_synced(disk, ticket, result)?;
                active.log.flush(out);
                active.release(now.mono, disk, out)?;
                if active.is_finished(out) {
                    self.phase = Phase::Stopped;
                }
            }
            Phase::New | Phase::Stopped => {}
        }
        Ok(())
    }

    fn on_woken(&mut self, now: Now, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), MetadataLogError> {
        let Phase::Active(active) = &mut self.phase else { return Ok(()) };
        active.controller.fence_stale(now.mono);
        active.controller.balance(now.mono);
        active.write(now, disk, out)?;
        active.answer_parked(now.mono, disk, out)
    }

    fn on_command(&mut self, command: Command, out: &mut Outbox) -> Result<(), MetadataLogError> {
        if command.operation != Operation::Shutdown {
            let outcome = Outcome::Failed { code: ErrorCode::INVALID_REQUEST.code(), certainty: Certainty::Definite };
            out.complete(Completion { id: command.id, outcome });
            return Ok(());
        }
        self.close_all(out);
        match &mut self.phase {
            Phase::Active(active) => {
                active.shutdown = Some(command.id);
                active.forget_all();
                if !active.is_finished(out) {
                    return Ok(());
                }
            }
            Phase::New | Phase::Opening(_) | Phase::Stopped => {
                out.complete(Completion { id: command.id, outcome: Outcome::Stopped });
            }
        }
        self.phase = Phase::Stopped;
        Ok(())
    }

    fn close(&mut self, connection: ConnectionId, out: &mut Outbox) {
        self.connections.remove(&connection);
        out.close(connection);
    }

    fn close_all(&mut self, out: &mut Outbox) {
        for connection in std::mem::take(&mut self.connections) {
            out.close(connection);
        }
    }
}

impl Active {
    fn begin(config: &ControllerConfig, log: MetadataLog, replayed: Replayed, now: Now) -> Active {
        assert_eq!(replayed.image.end(), log.end(), "the image is the fold of the whole log");
        let activated = Fact::ControllerActivated { controller: config.id, controller_epoch: log.epoch().0 };
        let controller = Controller::activate(config.clone(), replayed.image, now.mono).in_epoch(log.epoch());
        let mut facts = Deferred::default();
        // What the former life wrote and never stated is true as soon as it is durable: observers may read it from then on.
        replayed.unstated.into_iter().for_each(|fact| facts.push(log.end(), fact));
        facts.push(controller.image().end(), activated);
        let committed = Offset::ZERO;
        let (observers, replies) = (Observers::default(), Deferred::default());
        Active { log, controller, observers, replies, facts, committed, shutdown: None }
    }

    /// Appends what the step has decided, and sees to its becoming durable.
    fn write(&mut self, now: Now, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), MetadataLogError> {
        let written = self.controller.take_written();
        written.remarks.into_iter().for_each(|fact| out.fact(fact));
        if !written.records.is_empty() {
            self.log.append(disk, &written.records, now.wall)?;
            written.facts.into_iter().for_each(|fact| self.facts.push(self.log.end(), fact));
        }
        assert_eq!(self.controller.image().end(), self.log.end(), "what is true is in the log");
        self.log.flush(out);
        Ok(())
    }

    fn on_frame(
        &mut self,
        now: Now,
        connection: ConnectionId,
        frame: &Bytes,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), MetadataLogError> {
        let (header, request) = match decode_request(frame) {
            Ok(decoded) => decoded,
            Err(DecodeError::UnsupportedVersion { header }) if header.api_key == ApiKey::ApiVersions => {
                out.send(connection, unsupported_api_versions(header.correlation_id));
                return Ok(());
            }
            Err(_) => {
                out.close(connection);
                return Ok(());
            }
        };
        match handle(&mut self.controller, now.mono, request) {
            Handled::NotServed => out.close(connection),
            Handled::AtOnce(response) => send(connection, &header, response, out),
            Handled::Fetch(request) => self.on_fetch(now.mono, connection, &header, &request, disk, out)?,
            Handled::AboutBroker(id, response) => {
                self.write(now, disk, out)?;
                self.reply(self.controller.told_of(id), connection, &header, response, out);
            }
            Handled::Deferred(response) => {
                self.write(now, disk, out)?;
                self.reply(self.log.end(), connection, &header, response, out);
            }
        }
        Ok(())
    }

    /// Answers now if what the answer rests on is committed, else when everything of this moment is.
    fn reply(
        &mut self,
        rests_on: Offset,
        connection: ConnectionId,
        header: &RequestHeader,
        response: Response,
        out: &mut Outbox,
    ) {
        assert!(rests_on <= self.log.end(), "an answer rests on what is in the log");
        match encode(header, response) {
            None => out.close(connection),
            Some(chunks) if rests_on <= self.log.committed() => out.send(connection, chunks),
            Some(chunks) => self.replies.push(self.log.end(), (connection, chunks)),
        }
    }

    fn on_fetch(
        &mut self,
        now: Time,
        connection: ConnectionId,
        header: &RequestHeader,
        request: &FetchRequest,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) -> Result<(), MetadataLogError> {
        if header.api_version < FETCH_VERSION_MIN {
            out.close(connection);
            return Ok(());
        }
        let config = &self.controller.config;
        let wanted = match Wanted::of(request, &config.cluster_id) {
            Ok(wanted) => wanted,
            Err(error) => {
                let refused = FetchResponse { error_code: error.code(), ..FetchResponse::default() };
                send(connection, header, refused.into(), out);
                return Ok(());
            }
        };
        match observers::answer(&mut self.log, disk, config.id, &wanted)? {
            Some(response) => send(connection, header, response.into(), out),
            None if request.max_wait_ms <= 0 => send(connection, header, observers::nothing(&self.log, config.id).into(), out),
            None => self.observers.park(connection, header, wanted, now, request.max_wait_ms),
        }
        Ok(())
    }

    /// Lets out what has waited for the committed end.
    fn release(&mut self, now: Time, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), MetadataLogError> {
        let committed = self.log.committed();
        while let Some(fact) = self.facts.pop(committed) {
            out.fact(fact);
        }
        if committed > self.committed {
            self.committed = committed;
            out.fact(Fact::MetadataCommitted { end: committed });
        }
        while let Some((connection, chunks)) = self.replies.pop(committed) {
            out.send(connection, chunks);
        }
        self.answer_parked(now, disk, out)
    }

    fn answer_parked(&mut self, now: Time, disk: &mut dyn Disk, out: &mut Outbox) -> Result<(), MetadataLogError> {
        let id = self.controller.config.id;
        for (connection, parked) in self.observers.ready(self.log.committed(), now) {
            let answer = observers::answer(&mut self.log, disk, id, &parked.wanted)?;
            let answer = answer.unwrap_or_else(|| observers::nothing(&self.log, id));
            let header = RequestHeader::new(ApiKey::Fetch, parked.version, parked.correlation_id);
            send(connection, &header, answer.into(), out);
        }
        Ok(())
    }

    fn forget(&mut self, connection: ConnectionId) {
        self.observers.forget(connection);
        self.replies.retain(|(waiting, _)| *waiting != connection);
    }

    fn forget_all(&mut self) {
        self.observers = Observers::default();
        self.replies = Deferred::default();
    }

    /// Whether a shutdown was asked for and everything is durable; then it is reported as done.
    fn is_finished(&self, out: &mut Outbox) -> bool {
        let Some(id) = self.shutdown.filter(|_| self.log.committed() == self.log.end()) else { return false };
        out.complete(Completion { id, outcome: Outcome::Stopped });
        true
    }

    fn deadline(&self) -> Option<Time> {
        [self.controller.deadline(), self.observers.deadline()].into_iter().flatten().min()
    }
}

fn encode(header: &RequestHeader, response: Response) -> Option<Chunks> {
    encode_response(header.api_key, header.api_version, header.correlation_id, &response).ok()
}

fn send(connection: ConnectionId, header: &RequestHeader, response: Response, out: &mut Outbox) {
    match encode(header, response) {
        Some(chunks) => out.send(connection, chunks),
        None => out.close(connection),
    }
}

impl Actor for ControllerActor {
    fn step(&mut self, now: Now, event: Event, disk: &mut dyn Disk, out: &mut Outbox) {
        if let Err(error) = self.try_step(now, event, disk, out) {
            out.fact(error.fact());
            self.close_all(out);
            self.phase = Phase::Stopped;
        }
    }

    fn deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::New => Some(Time::ZERO),
            Phase::Active(active) if active.shutdown.is_none() => active.deadline(),
            Phase::Opening(_) | Phase::Active(_) | Phase::Stopped => None,
        }
    }

    fn digest(&self, hash: &mut Digest) {
        self.config.hash(hash);
        self.connections.hash(hash);
        match &self.phase {
            Phase::New => hash.write_u8(0),
            Phase::Opening(opening) => {
                hash.write_u8(1);
                (&opening.log, &opening.replayed.image, &opening.waiting).hash(hash);
            }
            Phase::Active(active) => {
                hash.write_u8(2);
                (&active.log, &active.controller, &active.observers, &active.replies).hash(hash);
                (active.committed, active.shutdown).hash(hash);
                let mut facts = String::new();
                active.facts.iter().try_for_each(|fact| write!(facts, "{fact:?}")).expect("a string takes everything");
                facts.hash(hash);
            }
            Phase::Stopped => hash.write_u8(3),
        }
    }
}
