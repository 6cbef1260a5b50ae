//! The declarations of the records; see the module above for what they mean together.

use super::{GroupRecordError, PREFIX, read_value};
use crate::wire::schema::prelude::*;
use crate::wire::schema::{optional, structure};

macro_rules! group_records {
    ($(
        $(#[$doc:meta])*
        $name:ident = $type:literal {
            $(#[$key_doc:meta])*
            key $Key:ident { $($key_fields:tt)* }
            $(#[$value_doc:meta])*
            value $Value:ident: versions $min:literal ..= $max:literal, flexible $flexible:tt, written $written:literal {
                $($value_fields:tt)*
            }
        }
    )*) => {
        $(
            structure! { $(#[$key_doc])* $Key { $($key_fields)* } }
            structure! { $(#[$value_doc])* $Value { $($value_fields)* } }

            impl Message for $Key {
                const NAME: &'static str = stringify!($Key);
                const SCHEMA: &'static Schema = &$Key::SCHEMA;
                const VERSIONS: Versions = Versions { min: 0, max: 0 };
                const FLEXIBLE: i16 = NEVER;
            }

            impl Message for $Value {
                const NAME: &'static str = stringify!($Value);
                const SCHEMA: &'static Schema = &$Value::SCHEMA;
                const VERSIONS: Versions = Versions { min: $min, max: $max };
                const FLEXIBLE: i16 = $flexible;
            }
        )*

        /// Any record of `__consumer_offsets`: its key, and its value or `None` if it is a tombstone.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum GroupRecord {
            $( $(#[$doc])* $name($Key, Option<$Value>), )*
        }

        impl GroupRecord {
            /// Type, name and versions of the value of every record.
            pub const ALL: &'static [(i16, &'static str, Versions)] = &[ $( ($type, stringify!($name), $Value::VERSIONS), )* ];

            /// The number that says which record it is.
            #[must_use]
            pub const fn record_type(&self) -> i16 {
                match self {
                    $( GroupRecord::$name(..) => $type, )*
                }
            }

            /// The record's name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $( GroupRecord::$name(..) => stringify!($name), )*
                }
            }

            /// Whether the record removes what was stored under its key.
            #[must_use]
            pub const fn is_tombstone(&self) -> bool {
                match self {
                    $( GroupRecord::$name(_, value) => value.is_none(), )*
                }
            }

            /// The key as it is stored.
            pub fn encode_key(&self) -> Result<Bytes, EncodeError> {
                match self {
                    $( GroupRecord::$name(key, _) => key.to_prefixed($type, 0), )*
                }
            }

            /// Key and value as they are stored, the value in `version`.
            pub fn encode_version(&self, version: i16) -> Result<(Bytes, Option<Bytes>), EncodeError> {
                let value = match self {
                    $( GroupRecord::$name(_, value) => value.as_ref().map(|value| value.to_prefixed(version, version)), )*
                };
                Ok((self.encode_key()?, value.transpose()?))
            }

            /// The version in which Kafka 4.1 writes such a value, unless the value itself asks for another.
            pub(super) const fn version_written(&self) -> i16 {
                match self {
                    $( GroupRecord::$name(..) => $written, )*
                }
            }

            /// Reads a record whose type is known already.
            pub(super) fn read(record_type: i16, key: &Bytes, value: Option<&Bytes>) -> Result<GroupRecord, GroupRecordError> {
                match record_type {
                    $( $type => {
                        let key = $Key::read_first(0, key, PREFIX)?;
                        Ok(GroupRecord::$name(key, value.map(read_value).transpose()?))
                    } )*
                    record_type => Err(GroupRecordError::UnknownType { record_type }),
                }
            }
        }
    };
}

group_records! {
    /// A committed offset as the first brokers that had this topic stored it; read, and never written any more.
    LegacyOffsetCommit = 0 {
        /// Whose offset this is.
        key LegacyOffsetCommitKey {
            /// The group.
            group: String [always()],
            /// The topic name.
            topic: String [always()],
            /// The partition index.
            partition: i32 [always()],
        }
        /// The offset.
        value LegacyOffsetCommitValue: versions 0..=0, flexible NEVER, written 0 {
            /// The offset of the record to read next.
            offset: i64 [always()],
            /// What the client wants to find again beside the offset.
            metadata: String [always()],
            /// When it was committed, in milliseconds since 1970.
            commit_timestamp: i64 [always()],
        }
    }

    /// A committed offset.
    OffsetCommit = 1 {
        /// Whose offset this is.
        key OffsetCommitKey {
            /// The group.
            group: String [always()],
            /// The topic name.
            topic: String [always()],
            /// The partition index.
            partition: i32 [always()],
        }
        /// The offset.
        value OffsetCommitValue: versions 0..=4, flexible 4, written 4 {
            /// The offset of the record to read next.
            offset: i64 [always()],
            /// The leader epoch of the last record read, or -1.
            leader_epoch: i32 [since(3).ignorable()] = -1,
            /// What the client wants to find again beside the offset.
            metadata: String [always()],
            /// When it was committed, in milliseconds since 1970.
            commit_timestamp: i64 [always()],
            /// When it expires, in milliseconds since 1970; -1 if the broker's own retention decides.
            expire_timestamp: i64 [between(1, 1).ignorable()] = -1,
            /// The id of the topic, or zero if the committer did not know it.
            topic_id: Uuid [since(4).tag(0).ignorable()],
        }
    }

    /// A group of the classic protocol in a generation.
    GroupMetadata = 2 {
        /// The group.
        key GroupMetadataKey {
            /// The group.
            group: String [always()],
        }
        /// Its generation and members.
        value GroupMetadataValue: versions 0..=4, flexible 4, written 3 {
            /// What its members have in common; empty if it never had any.
            protocol_type: String [always()],
            /// The generation.
            generation: i32 [always()],
            /// The protocol chosen, or null if there are no members.
            protocol: Option<String> [always().nullable()],
            /// The leader among the members, or null.
            leader: Option<String> [always().nullable()],
            /// When the group entered its state, in milliseconds since 1970; -1 if unknown.
            current_state_timestamp: i64 [since(2).ignorable()] = -1,
            /// Each member.
            members: Vec<MemberMetadata> [always()],
        }
    }

    /// A group of KIP-848.
    ConsumerGroupMetadata = 3 {
        /// The group.
        key ConsumerGroupMetadataKey {
            /// The group.
            group_id: String [always()],
        }
        /// Its epoch.
        value ConsumerGroupMetadataValue: versions 0..=0, flexible 0, written 0 {
            /// The group epoch.
            epoch: i32 [always()],
            /// A hash over all topics that the group subscribes to: a change of it asks for a new assignment (KIP-1101).
            metadata_hash: i64 [always().tag(0)],
        }
    }

    /// What the topics of a group were like; Kafka 4.1 keeps a hash instead, and only removes these.
    ConsumerGroupPartitionMetadata = 4 {
        /// The group.
        key ConsumerGroupPartitionMetadataKey {
            /// The group.
            group_id: String [always()],
        }
        /// The topics it subscribes to.
        value ConsumerGroupPartitionMetadataValue: versions 0..=0, flexible 0, written 0 {
            /// Each topic.
            topics: Vec<TopicMetadata> [always()],
        }
    }

    /// A member of a group of KIP-848.
    ConsumerGroupMemberMetadata = 5 {
        /// The member.
        key ConsumerGroupMemberMetadataKey {
            /// The group.
            group_id: String [always()],
            /// The member id.
            member_id: String [always()],
        }
        /// Who it is, and what it wants.
        value ConsumerGroupMemberMetadataValue: versions 0..=0, flexible 0, written 0 {
            /// The instance id, or null if it is a dynamic member.
            instance_id: Option<String> [always().nullable()],
            /// The rack, or null.
            rack_id: Option<String> [always().nullable()],
            /// How its client calls itself.
            client_id: String [always()],
            /// The address from which it joined.
            client_host: String [always()],
            /// The topics it subscribes to by name.
            subscribed_topic_names: Vec<String> [always()],
            /// The regular expression it subscribes to, or null.
            subscribed_topic_regex: Option<String> [always().nullable()],
            /// How long it may take to give partitions up, in milliseconds.
            rebalance_timeout_ms: i32 [always()] = -1,
            /// The assignor it wants, or null.
            server_assignor: Option<String> [always().nullable()],
            /// What a member that still speaks the classic protocol said when it joined, or null. Null is *not* the default here, and so
            /// takes a tagged field; whoever builds the value of a member of the new protocol has to say it.
            classic_member_metadata: Option<ClassicMemberMetadata> [always().nullable().tag(0)] = Some(ClassicMemberMetadata::default()),
        }
    }

    /// The epoch of the target assignment of a group.
    ConsumerGroupTargetAssignmentMetadata = 6 {
        /// The group.
        key ConsumerGroupTargetAssignmentMetadataKey {
            /// The group.
            group_id: String [always()],
        }
        /// The epoch.
        value ConsumerGroupTargetAssignmentMetadataValue: versions 0..=0, flexible 0, written 0 {
            /// The group epoch for which the assignment was computed.
            assignment_epoch: i32 [always()],
        }
    }

    /// What a member is to own.
    ConsumerGroupTargetAssignmentMember = 7 {
        /// The member.
        key ConsumerGroupTargetAssignmentMemberKey {
            /// The group.
            group_id: String [always()],
            /// The member id.
            member_id: String [always()],
        }
        /// Its part in the target assignment.
        value ConsumerGroupTargetAssignmentMemberValue: versions 0..=0, flexible 0, written 0 {
            /// The partitions by topic.
            topic_partitions: Vec<TopicPartitions> [always()],
        }
    }

    /// What a member owns.
    ConsumerGroupCurrentMemberAssignment = 8 {
        /// The member.
        key ConsumerGroupCurrentMemberAssignmentKey {
            /// The group.
            group_id: String [always()],
            /// The member id.
            member_id: String [always()],
        }
        /// How far it is on its way to the target assignment.
        value ConsumerGroupCurrentMemberAssignmentValue: versions 0..=0, flexible 0, written 0 {
            /// The member epoch that its next heartbeat has to bear.
            member_epoch: i32 [always()],
            /// The epoch before that: a member that never heard of the new one comes with it.
            previous_member_epoch: i32 [always()],
            /// The member's state: 0 stable, 1 has partitions to give up, 2 waits for partitions that others have to give up.
            state: i8 [always()],
            /// What it owns, by topic.
            assigned_partitions: Vec<TopicPartitions> [always()],
            /// What it has to give up first, by topic.
            partitions_pending_revocation: Vec<TopicPartitions> [always()],
        }
    }

    /// The topics that a regular expression stands for.
    ConsumerGroupRegularExpression = 16 {
        /// The regular expression.
        key ConsumerGroupRegularExpressionKey {
            /// The group.
            group_id: String [always()],
            /// The regular expression.
            regular_expression: String [always()],
        }
        /// What it matched when it was looked at last.
        value ConsumerGroupRegularExpressionValue: versions 0..=0, flexible 0, written 0 {
            /// The names of the topics.
            topics: Vec<String> [always()],
            /// The offset of the metadata log up to which topics were considered.
            version: i64 [always()],
            /// When that was, in milliseconds since 1970.
            timestamp: i64 [always()],
        }
    }
}

structure! {
    /// A member of a group of the classic protocol.
    MemberMetadata {
        /// Its member id.
        member_id: String [always()],
        /// Its instance id, or null if it is a dynamic member.
        group_instance_id: Option<String> [since(3).nullable().ignorable()] = None,
        /// How its client calls itself.
        client_id: String [always()],
        /// The address from which it joined.
        client_host: String [always()],
        /// How long a rebalance waits for it, in milliseconds.
        rebalance_timeout: i32 [since(1).ignorable()],
        /// How long it may be silent, in milliseconds.
        session_timeout: i32 [always()],
        /// What it sent for the protocol chosen.
        subscription: Bytes [always()],
        /// Its part in the assignment.
        assignment: Bytes [always()],
    }
}

structure! {
    /// A topic as a group saw it.
    TopicMetadata {
        /// The topic id.
        topic_id: Uuid [always()],
        /// The topic name.
        topic_name: String [always()],
        /// How many partitions it had.
        num_partitions: i32 [always()],
        /// Where their replicas were; empty if racks did not matter.
        partition_metadata: Vec<PartitionMetadata> [always()],
    }
}

structure! {
    /// Where the replicas of a partition were.
    PartitionMetadata {
        /// The partition index.
        partition: i32 [always()],
        /// The racks with a replica.
        racks: Vec<String> [always()],
    }
}

structure! {
    /// What a member said that joined with the classic protocol.
    ClassicMemberMetadata {
        /// How long it may be silent, in milliseconds.
        session_timeout_ms: i32 [always()],
        /// The protocols that it can follow.
        supported_protocols: Vec<ClassicProtocol> [always()],
    }
}

optional!(self::ClassicMemberMetadata: null 0);

structure! {
    /// A protocol that a member can follow.
    ClassicProtocol {
        /// Its name.
        name: String [always()],
        /// What the leader has to know of the member.
        metadata: Bytes [always()],
    }
}

structure! {
    /// Partitions of one topic.
    TopicPartitions {
        /// The topic id.
        topic_id: Uuid [always()],
        /// The partitions.
        partitions: Vec<i32> [always()],
    }
}
