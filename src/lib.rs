//! brokerlab: a Kafka-compatible broker whose participants are pure state machines.
pub mod broker;
pub mod client;
pub mod controller;
pub mod log;
pub mod node;
pub mod replica;
pub mod wire;
