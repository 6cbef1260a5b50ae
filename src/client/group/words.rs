//! Subscriptions and assignments as the members write them for each other.
//!
//! The leading member may be of another make, and so may the others; and whatever comes in passed through a broker. So what makes no sense is
//! no error here: a subscription that cannot be read is one to nothing, and its member gets nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::client::assignor::{Strategy, Subscription};
use crate::types;
use crate::wire::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, Embedded, TopicPartition};
use crate::wire::join_group_response::JoinGroupResponseMember;
use crate::wire::sticky_user_data::StickyUserData;
use crate::wire::{DecodeError, Message};

type Partitions = BTreeSet<types::TopicPartition>;

/// What a member tells the leading one. `remembered` is what it had, and when, for the assignor that goes by hearsay.
#[must_use]
pub fn subscription(strategy: Strategy, subscription: &Subscription, remembered: &(Partitions, i32)) -> Bytes {
    let hearsay = || {
        let (partitions, generation) = remembered;
        let data = StickyUserData { previous_assignment: by_topic(partitions), generation: *generation, ..Default::default() };
        data.to_bytes().expect("both fields go into this version")
    };
    let message = ConsumerProtocolSubscription {
        topics: subscription.topics.iter().map(ToString::to_string).collect(),
        user_data: (strategy == Strategy::Sticky && !remembered.0.is_empty()).then(hearsay),
        owned_partitions: by_topic(&subscription.owned),
        generation_id: subscription.generation,
        ..ConsumerProtocolSubscription::default()
    };
    message.embed(ConsumerProtocolSubscription::VERSIONS.max).expect("the newest version has every field")
}

/// What a member told.
#[must_use]
pub fn member(strategy: Strategy, member: &JoinGroupResponseMember) -> Subscription {
    let message = ConsumerProtocolSubscription::extract(&member.metadata).unwrap_or_default();
    let hearsay = message.user_data.as_ref().filter(|_| strategy == Strategy::Sticky);
    let hearsay = hearsay.and_then(|bytes| StickyUserData::read(bytes).ok());
    let (owned, generation) = match hearsay {
        Some(data) => (partitions(&data.previous_assignment), data.generation),
        None => (partitions(&message.owned_partitions), message.generation_id),
    };
    Subscription {
        topics: message.topics.iter().map(|topic| Arc::from(topic.as_str())).collect(),
        owned,
        generation,
        instance: member.group_instance_id.as_deref().map(Arc::from),
    }
}

/// What a member is to read.
#[must_use]
pub fn assignment(partitions: &Partitions) -> Bytes {
    let message = ConsumerProtocolAssignment { assigned_partitions: by_topic(partitions), ..Default::default() };
    message.embed(ConsumerProtocolAssignment::VERSIONS.max).expect("the newest version has every field")
}

/// What we are to read. No bytes at all mean nothing.
///
/// # Errors
/// When the bytes are no assignment.
pub fn assigned(bytes: &Bytes) -> Result<Partitions, DecodeError> {
    if bytes.is_empty() {
        return Ok(Partitions::new());
    }
    ConsumerProtocolAssignment::extract(bytes).map(|message| partitions(&message.assigned_partitions))
}

fn by_topic(partitions: &Partitions) -> Vec<TopicPartition> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.index);
    }
    let topic =
        |(topic, partitions): (&str, Vec<i32>)| TopicPartition { topic: topic.to_owned(), partitions, ..Default::default() };
    topics.into_iter().map(topic).collect()
}

fn partitions(topics: &[TopicPartition]) -> Partitions {
    let mut found = Partitions::new();
    for topic in topics {
        let name: Arc<str> = Arc::from(topic.topic.as_str());
        let indexes = topic.partitions.iter().filter(|index| **index >= 0);
        found.extend(indexes.map(|index| types::TopicPartition { topic: Arc::clone(&name), index: *index }));
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn own(index: i32) -> Partitions {
        [types::TopicPartition { topic: Arc::from("t"), index }].into()
    }

    fn told(strategy: Strategy, owned: Partitions, remembered: (Partitions, i32)) -> Subscription {
        let said = Subscription { topics: [Arc::from("t")].into(), owned, generation: 3, instance: None };
        let metadata = subscription(strategy, &said, &remembered);
        member(strategy, &JoinGroupResponseMember { metadata, ..Default::default() })
    }

    #[test]
    fn cooperative_members_are_taken_at_their_word_and_sticky_ones_by_hearsay() {
        let heard = told(Strategy::CooperativeSticky, own(1), (own(2), 2));
        assert_eq!((heard.owned, heard.generation), (own(1), 3));
        let heard = told(Strategy::Sticky, Partitions::new(), (own(2), 2));
        assert_eq!((heard.owned, heard.generation), (own(2), 2));
    }

    #[test]
    fn senseless_subscriptions_want_nothing() {
        let metadata = Bytes::from_static(b"\x00");
        let heard = member(Strategy::Range, &JoinGroupResponseMember { metadata, ..Default::default() });
        assert!(heard.topics.is_empty());
    }

    #[test]
    fn assignments_come_back_as_they_were_written() {
        assert_eq!(assigned(&assignment(&own(4))).unwrap(), own(4));
        assert_eq!(assigned(&Bytes::new()).unwrap(), Partitions::new());
        assert!(assigned(&Bytes::from_static(b"\x00\x01\xff")).is_err());
    }
}
