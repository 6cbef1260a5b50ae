//! Clients: producer, consumer and admin, each an actor like the brokers they talk to.
//!
//! A client is given [commands](crate::operation::Command) and answers each with exactly one completion, however the cluster behaves:
//! brokers that die, lie about leaders, answer late or not at all. What it must get right is the *certainty* of a failure and the order
//! of what it wrote, for the histories of clients are what the laboratory judges.
//!
//! ```text
//!   producer ─ accumulator ─ sequences       consumer ─ places, positions ─ fetched   admin
//!       │      certainty, partitioner            │    group ─ assignor               │
//!       └───────────────────────┬────────────────┴───────────────────────────────────┘
//!                            cluster            metadata kept fresh
//!                          connections          versions agreed on
//!                            channel            one line to one broker
//! ```
//!
//! All state derives `Hash`, all chance comes from the seed, and `deadline` is exact: a client that waits for an answer sleeps.

pub mod accumulator;
pub mod admin;
pub mod assignor;
pub mod certainty;
pub mod cluster;
pub mod config;
pub mod connections;
pub mod consumer;
pub mod fetched;
pub mod group;
#[cfg(test)]
mod honesty;
#[cfg(test)]
mod hostile;
pub mod lookup;
pub mod metadata;
pub mod partitioner;
pub mod places;
pub mod positions;
pub mod producer;
mod properties;
#[cfg(test)]
mod scripts;
pub mod sequences;

pub use admin::AdminActor;
pub use config::{AdminConfig, CommonConfig, ConsumerConfig, ProducerConfig};
pub use consumer::ConsumerActor;
pub use group::GroupConfig;
pub use producer::ProducerActor;
pub use properties::ConfigError;
