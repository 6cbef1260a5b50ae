//! Which partitions are meant: `--topic orders`, `--topic orders:0,2`, as often as wanted.

use std::collections::BTreeSet;
use std::sync::Arc;

use brokerlab::node::people::{Admin, ClientError};
use brokerlab::types::TopicPartition;
use miette::{IntoDiagnostic, WrapErr, miette};

/// Kafka's UNKNOWN_TOPIC_OR_PARTITION.
const UNKNOWN_TOPIC: i16 = 3;

/// Topics or some of their partitions.
#[derive(clap::Args, Debug)]
pub struct Topics {
    /// This topic, or only these partitions of it; may be given more than once
    #[arg(long = "topic", short = 't', value_name = "TOPIC[:PARTITION,..]", value_parser = wanted, required = true)]
    topics: Vec<Wanted>,
}

/// One topic, or some of its partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    topic: Arc<str>,
    /// `None`: all.
    partitions: Option<BTreeSet<i32>>,
}

/// Reads one.
pub(super) fn wanted(text: &str) -> Result<Wanted, String> {
    let (topic, partitions) = text.split_once(':').map_or((text, None), |(topic, partitions)| (topic, Some(partitions)));
    let index = |part: &str| part.trim().parse::<u16>().map(i32::from);
    let partitions = partitions.map(|list| list.split(',').map(index).collect::<Result<BTreeSet<i32>, _>>()).transpose();
    let partitions =
        partitions.map_err(|_| format!("`{text}`: behind the colon stand numbers of partitions, as in orders:0,2"))?;
    if topic.is_empty() { Err("a topic has a name".to_owned()) } else { Ok(Wanted { topic: Arc::from(topic), partitions }) }
}

impl Topics {
    /// All that is meant, and is there.
    pub(super) async fn partitions(&self, admin: &Admin) -> miette::Result<BTreeSet<TopicPartition>> {
        partitions(admin, &self.topics).await
    }
}

/// All that is meant, and is there.
pub(super) async fn partitions(admin: &Admin, topics: &[Wanted]) -> miette::Result<BTreeSet<TopicPartition>> {
    let mut all = BTreeSet::new();
    for Wanted { topic, partitions } in topics {
        let described = match admin.describe_topic(topic).await {
            Err(ClientError::Failed { code: UNKNOWN_TOPIC, .. }) => {
                return Err(miette!(help = "names of topics are case-sensitive", "there is no topic {topic}"));
            }
            described => described.into_diagnostic().wrap_err_with(|| format!("cannot describe {topic}"))?.1,
        };
        let there: BTreeSet<i32> = described.iter().map(|partition| partition.index).collect();
        let wanted = partitions.as_ref().unwrap_or(&there);
        if let Some(missing) = wanted.difference(&there).next() {
            let count = there.len();
            return Err(miette!(help = format!("{topic} has {count}, from 0 on"), "there is no partition {topic}-{missing}"));
        }
        all.extend(wanted.iter().map(|index| TopicPartition { topic: topic.clone(), index: *index }));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_stand_behind_a_colon() {
        let read = |text| wanted(text).map(|wanted| (wanted.topic.to_string(), wanted.partitions.map(Vec::from_iter)));
        assert_eq!(read("orders"), Ok(("orders".to_owned(), None)));
        assert_eq!(read("orders:2,0"), Ok(("orders".to_owned(), Some(vec![0, 2]))));
        for wrong in ["", ":1", "orders:", "orders:x", "orders:-1", "orders:1,"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
