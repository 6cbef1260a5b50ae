//! AlterReplicaLogDirs (key 34): move replicas between the log directories of one broker (KIP-113).

use crate::wire::schema::message;

message! {
    /// Asks a broker to move replicas.
    alter_replica_log_dirs_request::AlterReplicaLogDirsRequest: versions 1..=2, flexible 2 {
        /// Each directory to move to.
        dirs: Vec<AlterReplicaLogDir> [always()],
    }

    /// A directory to move to.
    AlterReplicaLogDir {
        /// Its absolute path.
        path: String [always()],
        /// What goes there.
        topics: Vec<AlterReplicaLogDirTopic> [always()],
    }

    /// Partitions of one topic.
    AlterReplicaLogDirTopic {
        /// The topic name.
        name: String [always()],
        /// The partition indexes.
        partitions: Vec<i32> [always()],
    }
}

message! {
    /// What became of the wishes.
    alter_replica_log_dirs_response::AlterReplicaLogDirsResponse: versions 1..=2, flexible 2 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// Each topic.
        results: Vec<AlterReplicaLogDirTopicResult> [always()],
    }

    /// One topic.
    AlterReplicaLogDirTopicResult {
        /// The topic name.
        topic_name: String [always()],
        /// Each partition.
        partitions: Vec<AlterReplicaLogDirPartitionResult> [always()],
    }

    /// One partition.
    AlterReplicaLogDirPartitionResult {
        /// The partition index.
        partition_index: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
    }
}
