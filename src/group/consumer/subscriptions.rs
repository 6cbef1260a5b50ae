//! What a group subscribes to, in terms of the topics that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::digest::Digest;
use crate::group::Topics;
use crate::types::TopicId;
use crate::wire::ErrorCode;

use super::assignor::{self, Question};
use super::{ConsumerGroup, Partitions, Resolved};

/// Memory that a compiled expression may take: a client must not make a coordinator big.
const REGEX_SIZE_MAX: usize = 1 << 20;

/// A regular expression, which has to match the whole name of a topic.
///
/// # Errors
/// INVALID_REGULAR_EXPRESSION.
pub(super) fn compile(pattern: &str) -> Result<Regex, ErrorCode> {
    let whole = format!("^(?:{pattern})$");
    let built = RegexBuilder::new(&whole).size_limit(REGEX_SIZE_MAX).build();
    built.map_err(|_| ErrorCode::INVALID_REGULAR_EXPRESSION)
}

/// The topics that an expression stands for now. An expression that does not compile stands for none.
pub(super) fn resolve(pattern: &str, topics: &Topics) -> Resolved {
    let matching = |regex: Regex| topics.iter().filter(|(name, _)| regex.is_match(name)).map(|(name, _)| name.clone()).collect();
    Resolved { topics: compile(pattern).map(matching).unwrap_or_default() }
}

impl ConsumerGroup {
    /// All topics that members subscribe to, as far as they exist.
    pub fn subscribed(&self, topics: &Topics) -> BTreeSet<Arc<str>> {
        let all = self.members.keys().flat_map(|id| self.subscription(id));
        all.filter(|name| topics.named(name).is_some()).cloned().collect()
    }

    /// A hash over them: another one asks for another assignment.
    pub fn hash_of(&self, topics: &Topics) -> i64 {
        let mut digest = Digest::new();
        for name in self.subscribed(topics) {
            let shape = topics.named(&name);
            (name, shape).hash(&mut digest);
        }
        // Never zero, which stands for "not known".
        i64::from_be_bytes(digest.finish().to_be_bytes()) | 1
    }

    /// The assignor that most members want, or the default.
    pub fn assignor(&self) -> &'static str {
        let votes = |name: &str| self.members.values().filter(|member| member.assignor.as_deref() == Some(name)).count();
        let best = assignor::ASSIGNORS.iter().rev().max_by_key(|name| votes(name));
        best.copied().unwrap_or(assignor::ASSIGNORS[0])
    }

    /// The assignment that it is to have.
    pub fn computed_target(&self, topics: &Topics) -> BTreeMap<Arc<str>, Partitions> {
        let mut question = Question { before: self.targets.clone(), ..Question::default() };
        for id in self.members.keys() {
            let shapes = self.subscription(id).filter_map(|name| topics.named(name));
            let wanted: BTreeMap<TopicId, i32> = shapes.map(|shape| (shape.id, shape.partitions)).collect();
            question.subscriptions.insert(id.clone(), wanted.keys().copied().collect());
            question.topics.extend(wanted);
        }
        assignor::assign(self.assignor(), &question)
    }
}
