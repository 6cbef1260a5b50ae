//! The declarations of all messages, one file per API. See [`super::schema`] for how to read them.

pub mod allocate_producer_ids;
pub mod alter_partition;
pub mod api_versions;
pub mod broker_heartbeat;
pub mod broker_registration;
pub mod create_topics;
pub mod delete_records;
pub mod delete_topics;
pub mod elect_leaders;
pub mod envelope;
pub mod fetch;
pub mod init_producer_id;
pub mod list_offsets;
pub mod metadata;
pub mod offset_for_leader_epoch;
pub mod produce;
