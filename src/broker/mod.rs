//! The broker: one node that holds replicas and serves clients and other brokers.
//!
//! Everything about one partition is decided in [`crate::replica`]; everything about the cluster is decided by the controller and read from
//! its log. What is left is here: who is asked what, who waits for what, and the life of the process.
//!
//! ```text
//!   clients, followers                     this broker                                controller
//!   ──────────────────                     ───────────                                ──────────
//!   Produce, Fetch ───▶ produce, fetch ──▶ replicas ◀── assigned, told ── metadata_view ◀── Fetch(__cluster_metadata)
//!        ▲                   │ park           │  ▲
//!        └── answers ◀── purgatory ◀── wake ──┤  │ records                session ──▶ registration, heartbeats
//!                                             │  └──── fetchers ◀──▶ leaders
//!   CreateTopics ──────▶ forwarding ──────────┼──────────────────────────────────▶ Envelope
//!                                             └── isr ───────────────────────────▶ AlterPartition
//! ```
//!
//! **A step** takes in one event, which changes some replicas. At its end exactly those are looked at: parked requests that watch them are
//! woken, wishes for another ISR are gathered, fetches are sent, syncs are begun. Nothing polls; time only brings deadlines.
//!
//! **Lines.** To the controller there are four, because the protocol answers in order and none of the four may wait for the others:
//! heartbeats, metadata, ISR changes, forwarded requests. To every leader there is one. Accepted connections deliver one request at a time, or a few
//! Produce requests.
//!
//! **Trust.** What comes in on an accepted connection may be anything. A frame that does not decode closes the connection; everything else is
//! answered with one of Kafka's error codes.
//!
//! | file | what |
//! |---|---|
//! | `config` | what the broker is told before it is born |
//! | `lifecycle`, `recovery`, `checkpoints` | birth, the disk, the end |
//! | `session` | registration and heartbeats |
//! | `metadata_view`, `partitions`, `topic_settings` | the cluster as known, and what of it is ours |
//! | `produce`, `fetch`, `purgatory` | requests that wait |
//! | `settle` | the end of each step |
//! | `delete_records`, `retention` | giving up old records, the first waiting for followers |
//! | `cleaner` | compaction, piece by piece |
//! | `fetchers`, `isr` | following, and carrying ISR proposals |
//! | `configs`, `config_values`, `describe` | what tools ask |
//! | `find_coordinator`, `group_requests`, `groups`, `group_shards` | coordinators of groups: found, asked, kept |
//! | `topics`, `offsets`, `producer_ids`, `forwarding` | everything else clients ask |
//!
//! Simplified: no transactions, no quotas, no authorization, one listener, one log directory.

mod checkpoints;
mod cleaner;
pub mod config;
mod config_values;
mod configs;
mod delete_records;
mod describe;
mod fetch;
mod fetchers;
mod find_coordinator;
mod forwarding;
mod group_requests;
mod group_shards;
mod groups;
mod isr;
mod lifecycle;
mod metadata_view;
mod offsets;
mod partitions;
mod produce;
mod producer_ids;
mod purgatory;
mod recovery;
mod reply;
mod retention;
mod session;
mod settle;
#[cfg(test)]
mod testing;
mod topic_settings;
mod topics;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;

use crate::actor::{Actor, Event, Now, Outbox};
use crate::channel::ChannelConfig;
use crate::controller::Delta;
use crate::digest::Digest;
use crate::disk::Disk;
use crate::group::GroupRequest;
use crate::types::{Address, BrokerId, ConnectionId, Ticket, Time};
use crate::wire::{
    ApiKey, ApiVersionsResponse, DecodeError, ListPartitionReassignmentsResponse, Listener, Request, api_versions,
    decode_request, unsupported_api_versions,
};

pub use config::{BrokerConfig, ConfigError};

use checkpoints::Checkpoints;
use cleaner::Cleaner;
use fetchers::Fetchers;
use forwarding::{Answered, Forwarding};
use groups::Groups;
use isr::IsrChanges;
use lifecycle::Phase;
use metadata_view::MetadataView;
use partitions::Partitions;
use producer_ids::ProducerIds;
use purgatory::Purgatory;
use reply::{Caller, Step};
use session::{Session, Word};

/// A broker.
#[derive(Debug)]
pub struct BrokerActor {
    config: BrokerConfig,
    channels: ChannelConfig,
    phase: Phase,
    /// `meta.properties` on its way to the disk.
    identity: Option<Ticket>,
    session: Session,
    view: MetadataView,
    partitions: Partitions,
    fetchers: Fetchers,
    isr_changes: IsrChanges,
    isr_scan_due: Time,
    retention_due: Time,
    cleaner: Cleaner,
    forwarding: Forwarding,
    producer_ids: ProducerIds,
    checkpoints: Checkpoints,
    parked: Purgatory,
    groups: Groups,
    /// Accepted connections, and where each comes from, as Kafka writes it.
    clients: BTreeMap<ConnectionId, Arc<str>>,
    /// Something has happened that may give the broker's own lines work. A client's request alone does not, and most events are such.
    stirred: bool,
    /// When the broker's own lines want to be looked at in any case.
    lines_due: Option<Time>,
    /// Another event follows this step at once.
    expects_more: bool,
}

/// What a connection is for.
enum Line {
    Client,
    Session,
    Metadata,
    IsrChanges,
    Forwarding,
    Leader(BrokerId),
}

impl BrokerActor {
    /// A broker that has not begun to live. Its first event, whatever it is, makes it open its disk.
    #[must_use]
    pub fn new(config: BrokerConfig) -> BrokerActor {
        let channels = ChannelConfig { client_id: format!("broker-{}", config.id), ..ChannelConfig::default() };
        BrokerActor {
            phase: Phase::Unborn,
            identity: None,
            session: Session::new(&config, channels.clone(), recovery::draw(config.seed, "incarnation")),
            view: MetadataView::new(&config, channels.clone()),
            partitions: Partitions::new(config.id),
            fetchers: Fetchers::default(),
            isr_changes: IsrChanges::new(&config, channels.clone()),
            isr_scan_due: Time::ZERO,
            retention_due: Time::ZERO,
            cleaner: Cleaner::default(),
            forwarding: Forwarding::new(&config, channels.clone()),
            producer_ids: ProducerIds::default(),
            checkpoints: Checkpoints::default(),
            parked: Purgatory::default(),
            groups: Groups::default(),
            clients: BTreeMap::new(),
            stirred: true,
            lines_due: None,
            expects_more: false,
            channels,
            config,
        }
    }

    fn on_event(&mut self, event: Event, step: &mut Step<'_>) {
        self.stirred |= !matches!(event, Event::Frame { connection, .. } if self.clients.contains_key(&connection));
        match event {
            Event::Opened { connection, accepted: true, peer } => self.on_accepted(connection, &peer, step),
            Event::Opened { connection, accepted: false, .. } => self.on_opened(connection),
            Event::Closed { connection, .. } => self.on_closed(connection, step),
            Event::Frame { connection, frame } => self.on_frame(connection, &frame, step),
            Event::Synced { ticket, result } => self.on_synced(ticket, result, step),
            Event::Command(command) => self.on_command(command, step),
            Event::ReadDone { .. } | Event::Woken => {}
        }
    }

    // ---- connections ------------------------------------------------------------------------------------------

    fn on_accepted(&mut self, connection: ConnectionId, peer: &Address, step: &mut Step<'_>) {
        // Before the first image there is nothing true to tell anybody: as if nobody listened yet.
        match self.is_serving() {
            true => drop(self.clients.insert(connection, Arc::from(format!("/{}", peer.host)))),
            false => step.out.close(connection),
        }
    }

    fn on_opened(&mut self, connection: ConnectionId) {
        match self.line(connection) {
            Some(Line::Session) => self.session.on_opened(connection),
            Some(Line::Metadata) => self.view.on_opened(connection),
            Some(Line::IsrChanges) => self.isr_changes.on_opened(connection),
            Some(Line::Forwarding) => self.forwarding.on_opened(connection),
            Some(Line::Leader(leader)) => self.fetchers.on_opened(leader, connection),
            // Given up while it was being opened.
            Some(Line::Client) | None => {}
        }
    }

    fn on_closed(&mut self, connection: ConnectionId, step: &mut Step<'_>) {
        let now = step.now.mono;
        match self.line(connection) {
            Some(Line::Client) => self.forget_client(connection),
            Some(Line::Session) => self.session.on_closed(now, connection),
            Some(Line::Metadata) => self.view.on_closed(now, connection),
            Some(Line::IsrChanges) => self.isr_changes.on_closed(now, connection, &mut self.partitions),
            Some(Line::Forwarding) => {
                let answered = self.forwarding.on_closed(now, connection);
                self.on_answered(answered, step);
            }
            Some(Line::Leader(leader)) => self.fetchers.on_closed(leader, now, connection),
            None => {}
        }
    }

    fn on_frame(&mut self, connection: ConnectionId, frame: &Bytes, step: &mut Step<'_>) {
        match self.line(connection) {
            Some(Line::Client) => self.on_request(connection, frame, step),
            Some(Line::Session) => self.on_session_frame(frame, step),
            Some(Line::Metadata) => self.on_metadata_frame(frame, step),
            Some(Line::IsrChanges) => self.isr_changes.on_frame(frame, &mut self.partitions, step),
            Some(Line::Forwarding) => {
                let answered = self.forwarding.on_frame(step.now.mono, frame, step.out);
                self.on_answered(answered, step);
            }
            Some(Line::Leader(leader)) => self.fetchers.on_frame(leader, frame, &self.config, &mut self.partitions, step),
            None => {}
        }
    }

    fn line(&self, connection: ConnectionId) -> Option<Line> {
        match connection {
            _ if self.clients.contains_key(&connection) => Some(Line::Client),
            _ if self.session.owns(connection) => Some(Line::Session),
            _ if self.view.owns(connection) => Some(Line::Metadata),
            _ if self.isr_changes.owns(connection) => Some(Line::IsrChanges),
            _ if self.forwarding.owns(connection) => Some(Line::Forwarding),
            _ => self.fetchers.owner(connection).map(Line::Leader),
        }
    }

    fn forget_client(&mut self, connection: ConnectionId) {
        self.clients.remove(&connection);
        self.parked.forget(connection);
        self.groups.forget(connection);
    }

    /// Closes an accepted connection, with whatever waits on it.
    fn close_client(&mut self, connection: ConnectionId, out: &mut Outbox) {
        self.forget_client(connection);
        out.close(connection);
    }

    // ---- requests ---------------------------------------------------------------------------------------------

    fn on_request(&mut self, connection: ConnectionId, frame: &Bytes, step: &mut Step<'_>) {
        match decode_request(frame) {
            Ok((header, request)) => {
                let (version, correlation_id) = (header.api_version, header.correlation_id);
                let caller = Caller { connection, api_key: header.api_key, version, correlation_id };
                self.on_decoded(caller, header.client_id, request, frame, step);
            }
            // A client newer than we are asks which versions we speak: it must be able to read the answer.
            Err(DecodeError::UnsupportedVersion { header }) if header.api_key == ApiKey::ApiVersions => {
                step.out.send(connection, unsupported_api_versions(header.correlation_id));
            }
            Err(_) => self.close_client(connection, step.out),
        }
    }

    #[allow(clippy::too_many_lines)] // A table: one line for each API.
    fn on_decoded(&mut self, caller: Caller, client_id: Option<String>, request: Request, frame: &Bytes, step: &mut Step<'_>) {
        match request {
            Request::Produce(request) => self.on_produce(caller, request, step),
            Request::Fetch(request) => self.on_fetch(caller, request, step),
            Request::ListOffsets(request) => self.on_list_offsets(caller, request, step),
            Request::Metadata(request) => self.on_metadata(caller, request, step),
            Request::ApiVersions(_) => on_api_versions(caller, step),
            Request::OffsetForLeaderEpoch(request) => self.on_offset_for_leader_epoch(caller, request, step),
            Request::DeleteRecords(request) => self.on_delete_records(caller, &request, step),
            Request::InitProducerId(request) => self.on_init_producer_id(caller, &request, step),
            Request::DescribeConfigs(request) => self.on_describe_configs(caller, &request, step),
            Request::DescribeCluster(request) => self.on_describe_cluster(caller, &request, step),
            Request::DescribeTopicPartitions(request) => self.on_describe_topic_partitions(caller, &request, step),
            Request::DescribeLogDirs(request) => self.on_describe_log_dirs(caller, &request, step),
            Request::AlterReplicaLogDirs(request) => self.on_alter_replica_log_dirs(caller, request, step),
            Request::ListConfigResources(request) => self.on_list_config_resources(caller, &request, step),
            Request::ListPartitionReassignments(_) => on_list_partition_reassignments(caller, step),
            Request::CreateTopics(_)
            | Request::DeleteTopics(_)
            | Request::ElectLeaders(_)
            | Request::CreatePartitions(_)
            | Request::DescribeQuorum(_)
            | Request::AlterConfigs(_)
            | Request::IncrementalAlterConfigs(_) => self.on_forwardable(caller, frame, step),
            Request::FindCoordinator(request) => self.on_find_coordinator(caller, &request, step),
            Request::OffsetFetch(request) => self.on_offset_fetch(caller, request, step),
            Request::ListGroups(request) => self.on_list_groups(caller, &request, step),
            Request::DescribeGroups(request) => self.on_describe_groups(caller, &request, step),
            Request::JoinGroup(request) => self.on_group_request(caller, client_id, GroupRequest::Join(request), step),
            Request::SyncGroup(request) => self.on_group_request(caller, client_id, GroupRequest::Sync(request), step),
            Request::Heartbeat(request) => self.on_group_request(caller, client_id, GroupRequest::Heartbeat(request), step),
            Request::LeaveGroup(request) => self.on_group_request(caller, client_id, GroupRequest::Leave(request), step),
            Request::OffsetCommit(request) => self.on_offset_commit(caller, client_id, request, step),
            Request::OffsetDelete(request) => self.on_offset_delete(caller, client_id, request, step),
            Request::DeleteGroups(request) => self.on_delete_groups(caller, client_id, request, step),
            // Declared, but not served so far, and so not advertised either.
            Request::ConsumerGroupHeartbeat(_) | Request::ConsumerGroupDescribe(_) => {
                self.close_client(caller.connection, step.out);
            }
            // Only controllers serve these.
            Request::AlterPartition(_)
            | Request::Envelope(_)
            | Request::BrokerRegistration(_)
            | Request::BrokerHeartbeat(_)
            | Request::AllocateProducerIds(_) => self.close_client(caller.connection, step.out),
        }
    }

    fn on_forwardable(&mut self, caller: Caller, frame: &Bytes, step: &mut Step<'_>) {
        let give_up_at = step.now.mono.plus(self.config.request_timeout);
        self.forwarding.forward(caller.connection, frame.clone(), give_up_at);
    }

    fn on_answered(&mut self, answered: Vec<Answered>, step: &mut Step<'_>) {
        for answer in answered {
            match answer {
                Answered::Client(connection, data) if self.clients.contains_key(&connection) => {
                    step.out.send(connection, vec![data]);
                }
                Answered::ClientLost(connection) if self.clients.contains_key(&connection) => {
                    self.close_client(connection, step.out);
                }
                // The client has not waited.
                Answered::Client(..) | Answered::ClientLost(_) => {}
                Answered::ProducerIds(response) => self.on_producer_ids(&response, step),
                Answered::ProducerIdsLost => self.on_producer_ids_lost(step),
            }
        }
    }

    // ---- the controller's word --------------------------------------------------------------------------------

    fn on_session_frame(&mut self, frame: &Bytes, step: &mut Step<'_>) {
        match self.session.on_frame(step.now.mono, &self.config, frame, step.out) {
            Word::Nothing => {}
            Word::Registered => self.publish(step),
            Word::MayShutDown => self.on_may_shut_down(step),
        }
    }

    fn on_metadata_frame(&mut self, frame: &Bytes, step: &mut Step<'_>) {
        let delta = self.view.on_frame(step.now.mono, frame, step.out);
        match self.view.is_published() {
            true => self.on_metadata_change(&delta, step),
            false => self.publish(step),
        }
    }

    /// Acts on the whole image, once it holds this life's registration.
    fn publish(&mut self, step: &mut Step<'_>) {
        let Some(everything) = self.view.publish(self.config.id, self.session.epoch()) else { return };
        self.on_metadata_change(&everything, step);
        if self.phase == Phase::Failed {
            // It may have failed half-way: what is not claimed by now may be somebody's all the same.
            return;
        }
        let result = self.partitions.remove_unclaimed(step);
        self.expect_disk(result, step);
        self.isr_scan_due = step.now.mono.plus(self.config.replica_lag_time_max.divided(2));
        self.retention_due = step.now.mono.plus(self.config.retention_check_interval);
        self.cleaner.start(step.now.mono.plus(self.config.cleaner_backoff));
        self.session.hurry();
    }

    fn on_metadata_change(&mut self, delta: &Delta, step: &mut Step<'_>) {
        if delta.is_empty() {
            return;
        }
        let members = self.view.members();
        let result = self.partitions.apply(delta, self.view.image(), members, &self.config, step);
        self.expect_disk(result, step);
        self.tell_shards_of_topics(delta, step);
        for broker in &delta.brokers {
            self.fetchers.on_broker_changed(*broker, self.view.image(), &self.channels, step);
        }
    }
}

/// Partitions do not move yet.
fn on_list_partition_reassignments(caller: Caller, step: &mut Step<'_>) {
    caller.answer(ListPartitionReassignmentsResponse { error_message: None, ..Default::default() }, step.out);
}

fn on_api_versions(caller: Caller, step: &mut Step<'_>) {
    let response = ApiVersionsResponse { api_keys: api_versions(Listener::Broker), ..ApiVersionsResponse::default() };
    caller.answer(response, step.out);
}

impl Actor for BrokerActor {
    fn step(&mut self, now: Now, event: Event, disk: &mut dyn Disk, out: &mut Outbox) {
        let mut step = Step { now, disk, out };
        if self.phase == Phase::Unborn {
            self.start(&mut step);
        }
        self.on_event(event, &mut step);
        if self.is_participating() {
            self.on_time(&mut step);
        }
        self.settle(&mut step);
    }

    fn expect_more(&mut self) {
        self.expects_more = true;
    }

    fn deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Unborn => Some(Time::ZERO),
            Phase::Alive => self.next_wish(),
            Phase::HandingOver { give_up_at, .. } => self.next_wish().into_iter().chain([give_up_at]).min(),
            Phase::ErasingMark { .. }
            | Phase::Flushing { .. }
            | Phase::Checkpointing { .. }
            | Phase::Marking { .. }
            | Phase::Stopped
            | Phase::Failed => None,
        }
    }

    fn digest(&self, hash: &mut Digest) {
        (&self.config, &self.phase, self.identity, &self.session, &self.view).hash(hash);
        (&self.partitions, &self.fetchers, &self.isr_changes, self.isr_scan_due, &self.cleaner).hash(hash);
        (&self.forwarding, &self.producer_ids, &self.checkpoints, &self.parked, &self.groups, &self.clients).hash(hash);
    }
}
