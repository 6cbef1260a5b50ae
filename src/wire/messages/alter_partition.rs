//! AlterPartition (key 56): a leader asks the controller to change the in-sync replicas of its partitions. The
//! controller decides; the leader may count on a smaller set only after the answer (KIP-497). From version 3 each
//! proposed member comes with its broker epoch, so that one that has restarted meanwhile is refused (KIP-903).

use crate::wire::schema::message;

message! {
    /// Asks the controller to change the in-sync replicas of partitions.
    alter_partition_request::AlterPartitionRequest: versions 2..=3, flexible 0 {
        /// The ID of the requesting broker.
        broker_id: i32 [always()],
        /// The broker epoch of the leader that asks.
        broker_epoch: i64 [always()] = -1,
        /// The topics to alter ISRs for.
        topics: Vec<TopicData> [always()],
    }

    /// One topic.
    TopicData {
        /// The ID of the topic to alter ISRs for.
        topic_id: Uuid [always()],
        /// The partitions to alter ISRs for.
        partitions: Vec<PartitionData> [always()],
    }

    /// One partition.
    PartitionData {
        /// The partition index.
        partition_index: i32 [always()],
        /// The leader epoch of this partition.
        leader_epoch: i32 [always()],
        /// The proposed in-sync replicas.
        new_isr: Vec<i32> [between(2, 2)],
        /// The proposed in-sync replicas, each with its broker epoch.
        new_isr_with_epochs: Vec<BrokerState> [since(3)],
        /// 0: recovered; 1: recovering from an unclean election.
        leader_recovery_state: i8 [always()],
        /// The expected epoch of the partition which is being updated.
        partition_epoch: i32 [always()],
    }

    /// A proposed member of the ISR.
    BrokerState {
        /// The ID of the broker.
        broker_id: i32 [since(3)],
        /// Its broker epoch, or -1 if that is not to be checked.
        broker_epoch: i64 [since(3)] = -1,
    }
}

message! {
    /// The partitions' state after the change, or why it was refused.
    alter_partition_response::AlterPartitionResponse: versions 2..=3, flexible 0 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The top level response error code.
        error_code: i16 [always()],
        /// The responses for each topic.
        topics: Vec<TopicData> [always()],
    }

    /// One topic.
    TopicData {
        /// The ID of the topic.
        topic_id: Uuid [always()],
        /// The responses for each partition.
        partitions: Vec<PartitionData> [always()],
    }

    /// One partition.
    PartitionData {
        /// The partition index.
        partition_index: i32 [always()],
        /// The partition level error code.
        error_code: i16 [always()],
        /// The broker ID of the leader.
        leader_id: i32 [always()],
        /// The leader epoch.
        leader_epoch: i32 [always()],
        /// The in-sync replica IDs.
        isr: Vec<i32> [always()],
        /// 0: recovered; 1: recovering from an unclean election.
        leader_recovery_state: i8 [always()],
        /// The current epoch for the partition for KRaft controllers.
        partition_epoch: i32 [always()],
    }
}
