//! DeleteTopics (key 20): delete topics by name, from version 6 also by id (KIP-516).

use crate::wire::schema::message;

message! {
    /// Asks the controller to delete topics.
    delete_topics_request::DeleteTopicsRequest: versions 1..=6, flexible 4 {
        /// The name or topic ID of the topic.
        topics: Vec<DeleteTopicState> [since(6)],
        /// The names of the topics to delete.
        topic_names: Vec<String> [between(1, 5).ignorable()],
        /// How long to wait, in milliseconds.
        timeout_ms: i32 [always()],
    }

    /// A topic to delete, by name or by id.
    DeleteTopicState {
        /// The topic name.
        name: Option<String> [since(6).nullable()] = None,
        /// The unique topic ID.
        topic_id: Uuid [since(6)],
    }
}

message! {
    /// The topics deleted, or why they were not.
    delete_topics_response::DeleteTopicsResponse: versions 1..=6, flexible 4 {
        /// How long the client is held back for exceeding a quota, in milliseconds.
        throttle_time_ms: i32 [always()],
        /// The results for each topic we tried to delete.
        responses: Vec<DeletableTopicResult> [always()],
    }

    /// What became of one topic.
    DeletableTopicResult {
        /// The topic name.
        name: Option<String> [always().nullable_since(6)],
        /// The unique topic ID.
        topic_id: Uuid [since(6).ignorable()],
        /// The deletion error, or 0 if the deletion succeeded.
        error_code: i16 [always()],
        /// The error message, or null if there was no error.
        error_message: Option<String> [since(5).nullable().ignorable()] = None,
    }
}
