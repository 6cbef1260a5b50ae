//! One partition on one broker. To be written; the API is fixed in the sketch below.
//!
//! ```ignore
//! pub struct Settings { pub replica_lag_max: Duration, pub min_isr: u32 /*configured*/, pub flush_each_batch: bool,
//!                       pub unclean: bool, pub mutants: Mutants }
//! pub struct Member { pub broker_epoch: BrokerEpoch, pub active: bool /* registered, unfenced, not shutting down */ }
//! pub type Members = BTreeMap<BrokerId, Member>;
//! /// The controller's word on the partition, from the metadata image.
//! pub struct Registration { pub replicas: Vec<BrokerId>, pub isr: Vec<BrokerId>, pub leader: Option<BrokerId>,
//!                           pub leader_epoch: LeaderEpoch, pub partition_epoch: PartitionEpoch, pub recovering: bool }
//!
//! impl Replica {
//!   pub fn new(partition: PartitionId, name: TopicPartition, broker: BrokerId, settings: Settings, log: Log, high_watermark: Offset) -> Replica;
//!   pub fn on_registration(&mut self, now: Now, registration: &Registration, members: &Members, disk, out);
//!   // ---- produce
//!   pub fn append(&mut self, now: Now, batches: Bytes, acks: i16, disk, out) -> Result<Promise, ErrorCode>;
//!        // Promise { base_offset, end: Offset, leader_epoch, log_append_time, log_start, acks }
//!   pub fn promise_outcome(&self, promise: &Promise) -> Option<Result<(), ErrorCode>>;   // None: still waiting
//!   // ---- fetch, leader side
//!   pub fn fetch(&mut self, now: Now, request: &FetchFrom, reader: Reader, bytes_max: usize, at_least_one: bool, members: &Members, disk, out) -> Fetched;
//!   pub fn reread(&mut self, request: &FetchFrom, reader: Reader, bytes_max, at_least_one, disk, out) -> Fetched; // parked fetch: no follower update
//!        // FetchFrom { leader_epoch: Option<LeaderEpoch>, fetch_offset, last_fetched_epoch: Option<LeaderEpoch>, log_start }
//!        // Reader::Consumer { committed_only: bool } | Reader::Follower { broker, broker_epoch }
//!        // Fetched { error, high_watermark, last_stable, log_start, diverging: Option<(LeaderEpoch, Offset)>, leader hint, records: Bytes,
//!        //           at_once: bool /* error or divergence: do not park */ }
//!   // ---- fetch, follower side
//!   pub fn next_fetch(&self) -> Option<(BrokerId /*leader*/, FetchFrom)>;    // None: not following, or waiting for a sync
//!   pub fn on_fetched(&mut self, now: Now, asked: &FetchFrom, answer: &Answer, disk, out) -> FetchVerdict; // Continue | BackOff
//!        // Answer { error, high_watermark, log_start, diverging, records: Bytes }
//!   // ---- other reads
//!   pub fn list_offset(&mut self, timestamp: i64, leader_epoch: Option<LeaderEpoch>, from_replica: bool, committed_only: bool, disk) -> Result<(i64 /*timestamp*/, Offset, LeaderEpoch), ErrorCode>;
//!   pub fn epoch_end(&self, current: Option<LeaderEpoch>, epoch: LeaderEpoch) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode>;
//!   // ---- ISR
//!   pub fn on_tick(&mut self, now: Now, members: &Members, out);            // shrink scan, call every replica_lag_max / 2
//!   pub fn proposal(&self) -> Option<&Proposal>;                            // not yet sent
//!        // Proposal { leader_epoch, partition_epoch, isr: Vec<(BrokerId, BrokerEpoch)>, recovered: bool }
//!   pub fn proposal_sent(&mut self);                                        // on the wire now
//!   pub fn on_alter_partition(&mut self, now: Now, asked: &Proposal, answer: Result<Registration-like, ErrorCode>, members, disk, out);
//!   pub fn proposal_lost(&mut self);                                        // connection lost or unretriable transport error: send again
//!   // ---- durability
//!   pub fn sync(&mut self, out: &mut Outbox);                               // call once after each step that touched it: begins what is due
//!   pub fn on_synced(&mut self, ticket: Ticket, result, now, members, out) -> bool;   // true if the ticket was ours
//!   // ---- questions
//!   pub fn take_changes(&mut self) -> Changes;  // { log_end: bool, high_watermark: bool, role: bool } since last asked, for parked requests
//!   pub fn leader_epoch(), log_start(), log_end(), high_watermark(), is_leader(), leader() -> Option<BrokerId>, failed() -> bool, log() -> &Log
//! }
//! ```
