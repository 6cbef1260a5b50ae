//! brokerlab: a Kafka-compatible broker, written to be read and to be tested by a deterministic laboratory.
//!
//! This crate is what would run in production; it cannot name the simulator. Everything in it is a state machine told what happened
//! and when ([`actor`]); only [`node`] waits for sockets, files and timers.
//!
//! ```text
//!    types · digest · disk · mutant · fact · operation · actor        the words and the contract
//!           │
//!         wire · channel                                              Kafka's messages; a request/response line to a peer
//!           │
//!          log                                                        synchronous handling of bytes over a Disk
//!           │
//!  replica · controller · group                                       sans-IO state machines
//!           │
//!    broker · client                                                  actors
//!           │
//!         node                                                        the async rim
//! ```

pub mod actor;
pub mod broker;
pub mod channel;
pub mod client;
pub mod controller;
pub mod digest;
pub mod disk;
pub mod fact;
pub mod group;
pub mod log;
pub mod mutant;
pub mod node;
pub mod operation;
pub mod replica;
#[cfg(test)]
mod testing;
pub mod types;
pub mod wire;
