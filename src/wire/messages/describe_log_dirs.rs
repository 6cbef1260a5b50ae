//! DescribeLogDirs (key 35): how large the logs of a broker are (KIP-113). Every broker answers for itself.

use crate::wire::schema::message;

message! {
    /// Asks a broker for the sizes of its logs.
    describe_log_dirs_request::DescribeLogDirsRequest: versions 1..=4, flexible 2 {
        /// Which topics; null for all.
        topics: Option<Vec<DescribableLogDirTopic>> [always().nullable()],
    }

    /// Partitions of one topic.
    DescribableLogDirTopic {
        /// The topic name.
        topic: String [always()],
        /// The partition indexes.
        partitions: Vec<i32> [always()],
    }
}

message! {
    /// The sizes of a broker's logs.
    describe_log_dirs_response::DescribeLogDirsResponse: versions 1..=4, flexible 2 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The error code, or 0 if there was no error.
        error_code: i16 [since(3).ignorable()],
        /// Each log directory.
        results: Vec<DescribeLogDirsResult> [always()],
    }

    /// One log directory.
    DescribeLogDirsResult {
        /// The error code, or 0 if there was no error.
        error_code: i16 [always()],
        /// The absolute path of the directory.
        log_dir: String [always()],
        /// Each topic in it.
        topics: Vec<DescribeLogDirsTopic> [always()],
        /// Bytes of the volume it lies on; -1 if nobody knows.
        total_bytes: i64 [since(4).ignorable()] = -1,
        /// Bytes of the volume that can be used; -1 if nobody knows.
        usable_bytes: i64 [since(4).ignorable()] = -1,
    }

    /// One topic.
    DescribeLogDirsTopic {
        /// The topic name.
        name: String [always()],
        /// Each partition.
        partitions: Vec<DescribeLogDirsPartition> [always()],
    }

    /// One log.
    DescribeLogDirsPartition {
        /// The partition index.
        partition_index: i32 [always()],
        /// Bytes of its segments.
        partition_size: i64 [always()],
        /// How far its end is behind the high watermark.
        offset_lag: i64 [always()],
        /// Whether it is being built to take another log's place.
        is_future_key: bool [always()],
    }
}
