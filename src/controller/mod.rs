//! The controller: the one node that decides who leads what.
//!
//! A cluster has to agree on which brokers live, which topics exist, who leads each partition and which replicas count as in sync.
//! Here one node decides all of that, and writes every decision into a log (KIP-500, KIP-631): the metadata log. The state of the
//! cluster is the fold of that log; brokers read it like any other partition and fold it in the same way, each at its own pace.
//!
//! ```text
//!   request ──▶ state (decides)  ──▶ records ──▶ metadata log ──sync──▶ committed ──▶ reply, facts, brokers' fetches
//!                  ▲                     │
//!                  └──── image ◀─────────┘      applied at once; a failed sync stops the process, so nothing has to be undone
//! ```
//!
//! What to read for what:
//!
//! ```text
//!   image, partition, topic_config, delta     the state of the cluster as a fold of records; brokers use them too
//!   election, change                          who leads, and how epochs move: pure functions
//!   placement                                 where the replicas of a new topic go
//!   state                                     the sans-IO controller; its handlers live in:
//!     registration, liveness                    a broker's life: register, beat, be fenced, shut down
//!     alter_partition                           a leader asks for another ISR
//!     topics                                    create and delete
//!     elect_leaders                             elections without need: asked for, or to balance leaders
//!   facts                                     what the records say, in the field's words
//!   replies                                   answers that wait until what they rest on is committed
//!   metadata_log, observers                   the log on disk; brokers that fetch it
//!   dispatch, actor                           which request is whose; all of it as an actor
//! ```
//!
//! **Rules.** Nothing leaves the controller that rests on a record which may still be lost. Every change of a partition raises its
//! partition epoch by one; another leader raises its leader epoch as well. An ISR is never empty: the last member stays in it, if
//! need be without being leader, because it is the only one known to hold everything.
//!
//! **Simplified.** One controller instead of a quorum of them: committed means synced here. No snapshots of the metadata log, no
//! ELR (KIP-966), no reassignment; of configurations, only those of topics change.

pub mod actor;
#[cfg(test)]
mod actor_scripts;
mod alter_partition;
pub mod change;
mod configs;
pub mod delta;
mod describe_quorum;
pub mod dispatch;
mod elect_leaders;
pub mod election;
pub mod facts;
pub mod image;
#[cfg(test)]
mod image_tests;
pub mod liveness;
pub mod metadata_log;
mod more_partitions;
pub mod observers;
pub mod partition;
pub mod placement;
mod registration;
pub mod replies;
#[cfg(test)]
mod scripts;
pub mod state;
pub mod topic_config;
pub mod topics;

pub use actor::ControllerActor;
pub use delta::{Change, Delta};
pub use image::{Broker, ImageError, MetadataImage, Topic};
pub use partition::{Partition, Recovery};
pub use state::{Controller, ControllerConfig, Written};
pub use topic_config::{ConfigError, Property, TopicConfig, ValueKind};
