//! Range: of each topic every subscriber gets a run of neighbouring partitions, the first ones one more if it does not divide.
//!
//! Topics with as many partitions and the same subscribers are divided alike, so that one member has the same partitions of all of them: that
//! is what joins need.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Partitions, Question};

pub(super) fn assign(question: &Question) -> BTreeMap<Arc<str>, Partitions> {
    let mut target: BTreeMap<Arc<str>, Partitions> =
        question.subscriptions.keys().map(|id| (id.clone(), Partitions::new())).collect();
    for (topic, count) in &question.topics {
        let subscribers = question.subscribers(*topic);
        let Ok(many) = i32::try_from(subscribers.len()) else { continue };
        if many == 0 {
            continue;
        }
        let (share, rest) = (count / many, count % many);
        let mut next = 0;
        for (place, member) in (0..).zip(subscribers) {
            let run = next..next + share + i32::from(place < rest);
            next = run.end;
            if !run.is_empty()
                && let Some(partitions) = target.get_mut(member)
            {
                partitions.insert(*topic, run.collect());
            }
        }
    }
    target
}
