//! The records of the metadata log.
//!
//! All state of the cluster is the sum of these records (KIP-631): brokers, topics, partitions, configurations. Each is stored as
//! the value of one record in a batch, the key being null:
//!
//! ```text
//!   frame version, uvarint = 1 | record key, uvarint | record version, uvarint | fields | tags
//! ```
//!
//! All versions are flexible. In `PartitionChangeRecord` what has not changed is simply not there: every changeable field is a
//! tagged one, and its default means "as before".

use bytes::Bytes;

use super::decoder::Decoder;
use super::encoder::{Encoder, join};
use super::mistake::{DecodeError, EncodeError};
use super::schema::prelude::*;

/// The only version there is of the frame around a record.
const FRAME_VERSION: u32 = 1;

macro_rules! metadata_records {
    ($(
        $(#[$doc:meta])*
        $name:ident = $key:literal : versions $min:literal ..= $max:literal { $($fields:tt)* }
    )*) => {
        $(
            super::schema::structure! { $(#[$doc])* $name { $($fields)* } }

            impl Message for $name {
                const NAME: &'static str = stringify!($name);
                const SCHEMA: &'static Schema = &$name::SCHEMA;
                const VERSIONS: Versions = Versions { min: $min, max: $max };
                const FLEXIBLE: i16 = 0;
            }

            impl From<$name> for MetadataRecord {
                fn from(record: $name) -> MetadataRecord {
                    MetadataRecord::$name(record)
                }
            }
        )*

        /// Any record of the metadata log.
        #[derive(Debug, Clone, PartialEq, Eq)]
        // The variants bear Kafka's names, which all end alike.
        #[allow(clippy::enum_variant_names)]
        pub enum MetadataRecord {
            $( $(#[$doc])* $name($name), )*
        }

        impl MetadataRecord {
            /// Key, name and versions of every record.
            pub const ALL: &'static [(u32, &'static str, Versions)] = &[ $( ($key, $name::NAME, $name::VERSIONS), )* ];

            /// The number that says which record it is.
            #[must_use]
            pub const fn key(&self) -> u32 {
                match self {
                    $( MetadataRecord::$name(_) => $key, )*
                }
            }

            /// The record's name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $( MetadataRecord::$name(_) => $name::NAME, )*
                }
            }

            /// The versions that can be read and written.
            #[must_use]
            pub const fn versions(&self) -> Versions {
                match self {
                    $( MetadataRecord::$name(_) => $name::VERSIONS, )*
                }
            }

            fn write(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
                match self {
                    $( MetadataRecord::$name(record) => record.write(encoder), )*
                }
            }

            fn read(key: u32, version: u32, bytes: &Bytes, at: usize) -> Result<MetadataRecord, DecodeError> {
                let unsupported = || DecodeError::UnsupportedRecord { key: i32::try_from(key).unwrap_or(i32::MAX), version };
                let number = i16::try_from(version).map_err(|_| unsupported())?;
                match key {
                    $(
                        $key if $name::VERSIONS.contains(number) => {
                            $name::read_at(number, bytes, at).map(MetadataRecord::$name)
                        }
                    )*
                    _ => Err(unsupported()),
                }
            }
        }
    };
}

impl MetadataRecord {
    /// The record in its newest version, as it is stored.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        self.encode_version(self.versions().max)
    }

    /// The record as it is stored in `version`.
    pub fn encode_version(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut encoder = Encoder::new(self.name(), version, true);
        encoder.put_unsigned_varint(FRAME_VERSION);
        encoder.put_unsigned_varint(self.key());
        encoder.put_unsigned_varint(u32::from(version.unsigned_abs()));
        self.write(&mut encoder)?;
        Ok(join(&encoder.finish()))
    }

    /// Reads a stored record.
    pub fn decode(bytes: &Bytes) -> Result<MetadataRecord, DecodeError> {
        let mut decoder = Decoder::new(bytes, 0, "MetadataRecord", 0, true);
        decoder.enter("MetadataRecord", "frame_version");
        let frame_version = decoder.unsigned_varint()?;
        if frame_version != FRAME_VERSION {
            return Err(DecodeError::UnsupportedRecord { key: -1, version: frame_version });
        }
        decoder.enter("MetadataRecord", "key");
        let key = decoder.unsigned_varint()?;
        decoder.enter("MetadataRecord", "version");
        let version = decoder.unsigned_varint()?;
        MetadataRecord::read(key, version, bytes, decoder.offset())
    }
}

metadata_records! {
    /// A broker has registered and received the offset of this record as its broker epoch.
    RegisterBrokerRecord = 0: versions 0..=3 {
        /// The broker id.
        broker_id: i32 [always()],
        /// Whether this is a ZooKeeper broker on its way to KRaft; always false here.
        is_migrating_zk_broker: bool [since(2)],
        /// The incarnation ID of the broker process.
        incarnation_id: Uuid [always()],
        /// The broker epoch assigned by the controller.
        broker_epoch: i64 [always()],
        /// The endpoints that can be used to communicate with this broker.
        end_points: Vec<BrokerEndpoint> [always()],
        /// The features on this broker.
        features: Vec<BrokerFeature> [always()],
        /// The broker rack.
        rack: Option<String> [always().nullable()],
        /// True if the broker is fenced.
        fenced: bool [always()] = true,
        /// True if the broker is in controlled shutdown.
        in_controlled_shutdown: bool [since(1)],
        /// Log directories configured in this broker which are available.
        log_dirs: Vec<Uuid> [since(3).tag(0)],
    }

    /// A broker has been removed from the cluster for good.
    UnregisterBrokerRecord = 1: versions 0..=0 {
        /// The broker id.
        broker_id: i32 [always()],
        /// The broker epoch.
        broker_epoch: i64 [always()],
    }

    /// A registered broker was fenced, unfenced, began to shut down or changed its log directories.
    BrokerRegistrationChangeRecord = 17: versions 0..=2 {
        /// The broker id.
        broker_id: i32 [always()],
        /// The broker epoch assigned by the controller.
        broker_epoch: i64 [always()],
        /// -1 if the broker has been unfenced, 0 if no change, 1 if the broker has been fenced.
        fenced: i8 [always().tag(0)],
        /// 0 if no change, 1 if the broker is in controlled shutdown.
        in_controlled_shutdown: i8 [since(1).tag(1)],
        /// Log directories configured in this broker which are available.
        log_dirs: Vec<Uuid> [since(2).tag(2)],
    }

    /// A broker was fenced (older form of `BrokerRegistrationChangeRecord`).
    FenceBrokerRecord = 7: versions 0..=0 {
        /// The broker ID to fence. It will be removed from all ISRs.
        id: i32 [always()],
        /// The epoch of the broker to fence.
        epoch: i64 [always()],
    }

    /// A broker was unfenced (older form of `BrokerRegistrationChangeRecord`).
    UnfenceBrokerRecord = 8: versions 0..=0 {
        /// The broker ID to unfence.
        id: i32 [always()],
        /// The epoch of the broker to unfence.
        epoch: i64 [always()],
    }

    /// A topic was created.
    TopicRecord = 2: versions 0..=0 {
        /// The topic name.
        name: String [always()],
        /// The unique ID of this topic.
        topic_id: Uuid [always()],
    }

    /// A topic was deleted, with all its partitions.
    RemoveTopicRecord = 9: versions 0..=0 {
        /// The topic to remove. All associated partitions will be removed as well.
        topic_id: Uuid [always()],
    }

    /// A partition was created, or (in a snapshot) this is its whole state.
    PartitionRecord = 3: versions 0..=2 {
        /// The partition id.
        partition_id: i32 [always()] = -1,
        /// The unique ID of this topic.
        topic_id: Uuid [always()],
        /// The replicas of this partition, sorted by preferred order.
        replicas: Vec<i32> [always()],
        /// The in-sync replicas of this partition.
        isr: Vec<i32> [always()],
        /// The replicas that we are in the process of removing.
        removing_replicas: Vec<i32> [always()],
        /// The replicas that we are in the process of adding.
        adding_replicas: Vec<i32> [always()],
        /// The lead replica, or -1 if there is no leader.
        leader: i32 [always()] = -1,
        /// The epoch of the partition leader.
        leader_epoch: i32 [always()] = -1,
        /// An epoch that gets incremented each time we change anything in the partition.
        partition_epoch: i32 [always()] = -1,
        /// The log directory of each replica.
        directories: Vec<Uuid> [since(1)],
        /// 0: recovered; 1: recovering from an unclean election.
        leader_recovery_state: i8 [always().tag(0)],
        /// The eligible leader replicas (KIP-966); null: none.
        eligible_leader_replicas: Option<Vec<i32>> [since(2).nullable().tag(1)] = None,
        /// Replicas that were eligible until an unclean shutdown; null: none.
        last_known_elr: Option<Vec<i32>> [since(2).nullable().tag(2)] = None,
    }

    /// Some of a partition's state has changed; fields left at their default have not.
    PartitionChangeRecord = 5: versions 0..=2 {
        /// The partition id.
        partition_id: i32 [always()] = -1,
        /// The unique ID of this topic.
        topic_id: Uuid [always()],
        /// The in-sync replicas; null: as before.
        isr: Option<Vec<i32>> [always().nullable().tag(0)] = None,
        /// The leader; -1: none; -2: as before.
        leader: i32 [always().tag(1)] = -2,
        /// The assigned replicas; null: as before.
        replicas: Option<Vec<i32>> [always().nullable().tag(2)] = None,
        /// The replicas on their way out; null: as before.
        removing_replicas: Option<Vec<i32>> [always().nullable().tag(3)] = None,
        /// The replicas on their way in; null: as before.
        adding_replicas: Option<Vec<i32>> [always().nullable().tag(4)] = None,
        /// 0: recovered; 1: recovering from an unclean election; -1: as before.
        leader_recovery_state: i8 [always().tag(5)] = -1,
        /// The eligible leader replicas (KIP-966); null: as before.
        eligible_leader_replicas: Option<Vec<i32>> [since(2).nullable().tag(6)] = None,
        /// Replicas that were eligible until an unclean shutdown; null: as before.
        last_known_elr: Option<Vec<i32>> [since(2).nullable().tag(7)] = None,
        /// The log directory of each replica; null: as before.
        directories: Option<Vec<Uuid>> [since(1).nullable().tag(8)] = None,
    }

    /// A configuration entry was set, or removed where the value is null.
    ConfigRecord = 4: versions 0..=0 {
        /// What is configured: 2 a topic, 4 a broker.
        resource_type: i8 [always()],
        /// Its name; for a broker its id, or empty for all of them.
        resource_name: String [always()],
        /// The name of the entry.
        name: String [always()],
        /// The value, or null to remove the entry.
        value: Option<String> [always().nullable()],
    }

    /// A block of producer ids was allocated.
    ProducerIdsRecord = 15: versions 0..=0 {
        /// The broker that took the block.
        broker_id: i32 [always()],
        /// The epoch of that broker.
        broker_epoch: i64 [always()] = -1,
        /// The first producer id of the *next* block.
        next_producer_id: i64 [always()],
    }

    /// The finalized level of a feature was set.
    FeatureLevelRecord = 12: versions 0..=0 {
        /// The feature name.
        name: String [always()],
        /// The level; 0 removes the feature.
        feature_level: i16 [always()],
    }

    /// Nothing changed. Written at intervals so that the metadata log's high watermark visibly moves.
    NoOpRecord = 20: versions 0..=0 {}
}

super::schema::structure! {
    /// Where the broker listens.
    BrokerEndpoint {
        /// The name of the endpoint.
        name: String [always()],
        /// The hostname.
        host: String [always()],
        /// The port.
        port: u16 [always()],
        /// The security protocol.
        security_protocol: i16 [always()],
    }
}

super::schema::structure! {
    /// A feature that the broker supports.
    BrokerFeature {
        /// The feature name.
        name: String [always()],
        /// The minimum supported feature level.
        min_supported_version: i16 [always()],
        /// The maximum supported feature level.
        max_supported_version: i16 [always()],
    }
}
