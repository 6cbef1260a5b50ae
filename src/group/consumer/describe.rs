//! ConsumerGroupDescribe.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::group::Topics;
use crate::group::admin::state_name;
use crate::group::shard::Shard;
use crate::wire::ErrorCode;
use crate::wire::consumer_group_describe_response::{Assignment, DescribedGroup, Member, TopicPartitions};

use super::{ConsumerGroup, ConsumerMember, Partitions};

/// `member_type` of a member of the newer protocol.
const CONSUMER: i8 = 1;

impl Shard {
    /// A group of the newer protocol.
    #[must_use]
    pub fn describe_consumer_group(&self, id: &str, topics: &Topics) -> DescribedGroup {
        let told = DescribedGroup { group_id: id.to_owned(), ..DescribedGroup::default() };
        if let Err(error) = self.check_active() {
            return DescribedGroup { error_code: error.code(), ..told };
        }
        match self.group(id).and_then(|group| group.consumer.as_deref()) {
            Some(group) => group.described(told, topics),
            None => DescribedGroup {
                error_code: ErrorCode::GROUP_ID_NOT_FOUND.code(),
                error_message: Some(format!("Group {id} is not a consumer group.")),
                ..told
            },
        }
    }
}

impl ConsumerGroup {
    fn described(&self, told: DescribedGroup, topics: &Topics) -> DescribedGroup {
        DescribedGroup {
            group_state: state_name(self.state()).to_owned(),
            group_epoch: self.epoch,
            assignment_epoch: self.target_epoch,
            assignor_name: self.assignor().to_owned(),
            members: self.members.iter().map(|(id, member)| self.member(id, member, topics)).collect(),
            ..told
        }
    }

    fn member(&self, id: &Arc<str>, member: &ConsumerMember, topics: &Topics) -> Member {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        Member {
            member_id: id.to_string(),
            instance_id: text(&member.instance),
            rack_id: text(&member.rack),
            member_epoch: member.epoch,
            client_id: member.client_id.to_string(),
            client_host: member.host.to_string(),
            subscribed_topic_names: member.topics.iter().map(ToString::to_string).collect(),
            subscribed_topic_regex: text(&member.regex),
            assignment: named(&member.assigned, topics),
            target_assignment: self.targets.get(id).map(|target| named(target, topics)).unwrap_or_default(),
            member_type: CONSUMER,
            ..Member::default()
        }
    }
}

fn named(partitions: &Partitions, topics: &Topics) -> Assignment {
    let topic = |(id, indices): (&crate::types::TopicId, &BTreeSet<i32>)| TopicPartitions {
        topic_id: *id,
        topic_name: topics.name_of(*id).map(ToString::to_string).unwrap_or_default(),
        partitions: indices.iter().copied().collect(),
        ..TopicPartitions::default()
    };
    Assignment { topic_partitions: partitions.iter().map(topic).collect(), ..Assignment::default() }
}
