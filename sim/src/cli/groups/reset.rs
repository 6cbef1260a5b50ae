//! `brokerlab groups reset`: a group without members goes on from elsewhere.
//!
//! ```text
//!   --to-earliest      the first record still there
//!   --to-latest        the log end: only what is written from now on
//!   --to-offset N      this record           ┐ if it is not there any more, or not yet: the nearest that is
//!   --shift-by N       so many records on    ┘
//!   --to-time T        the first record of that moment or later; the log end if there is none
//! ```
//!
//! First it is only shown what would be done; `--execute` does it. A group with members is refused either way: they would go on from where they are,
//! and their next commit would undo the reset. What others write or commit between the look and the deed is not locked out, but the coordinator
//! itself refuses the commit if somebody has joined meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use brokerlab::node::people::Admin;
use brokerlab::node::people::groups::GroupError;
use brokerlab::node::people::offsets::{Found, OffsetSpec};
use brokerlab::types::{Offset, Timestamp, TopicPartition};
use miette::miette;
use serde_json::json;

use super::super::Exit;
use super::super::output::say;
use super::super::people::Connect;
use super::moment::moment;
use super::scope::{Wanted, partitions, wanted};
use super::table::table;
use super::{complaint, complaint_about};

/// Let a group without members go on from elsewhere
#[derive(clap::Args, Debug)]
#[command(after_help = "Without --execute it is only shown what would be done.\n\n\
Examples:\n  brokerlab groups reset billing --topic orders --to-earliest\n  \
brokerlab groups reset billing --topic orders:0,2 --to-time 2026-11-30T22:00Z --execute\n  \
brokerlab groups reset billing --all-topics --shift-by -100 --execute")]
pub struct Reset {
    /// Its name
    group: String,
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    to: To,
    /// Do it
    #[arg(long)]
    execute: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct Scope {
    /// This topic, or only these partitions of it; may be given more than once
    #[arg(long = "topic", short = 't', value_name = "TOPIC[:PARTITION,..]", value_parser = wanted)]
    topics: Vec<Wanted>,
    /// Everything that the group has committed
    #[arg(long)]
    all_topics: bool,
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct To {
    /// The first record still there
    #[arg(long)]
    to_earliest: bool,
    /// The log end: only what is written from now on
    #[arg(long)]
    to_latest: bool,
    /// This offset, or the nearest that there is
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// The first record of this moment or later: 2026-11-30T22:00Z, or milliseconds since 1970
    #[arg(long, alias = "to-datetime", value_name = "TIME", value_parser = moment)]
    to_time: Option<Timestamp>,
    /// So many records on from what is committed; back, if negative
    #[arg(long, value_name = "RECORDS", allow_negative_numbers = true)]
    shift_by: Option<i64>,
}

/// Where a group is to go on in a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Aim {
    Earliest,
    Latest,
    Offset(i64),
    Time(Timestamp),
    Shift(i64),
}

impl To {
    fn aim(&self) -> Aim {
        match (self.to_offset, self.to_time, self.shift_by) {
            (Some(offset), _, _) => Aim::Offset(offset),
            (_, Some(moment), _) => Aim::Time(moment),
            (_, _, Some(records)) => Aim::Shift(records),
            (None, None, None) if self.to_earliest => Aim::Earliest,
            (None, None, None) => Aim::Latest,
        }
    }
}

/// What is known of a partition.
#[derive(Clone, Copy, Debug)]
struct Known {
    committed: Option<Offset>,
    begin: Offset,
    end: Offset,
    /// The first record of the moment asked for.
    at_time: Option<Offset>,
}

/// Where a reset goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Goal {
    offset: Offset,
    /// What was asked for, if that is not there.
    missed: Option<i64>,
}

/// Where the aim lies. `None` if it counts from what is committed, and nothing is.
fn goal(aim: Aim, known: Known) -> Option<Goal> {
    let exact = |offset| Goal { offset, missed: None };
    let nearest = |wanted: i64| {
        let offset = Offset(wanted).clamp(known.begin, known.end.max(known.begin));
        Goal { offset, missed: Some(wanted).filter(|wanted| *wanted != offset.0) }
    };
    Some(match aim {
        Aim::Earliest => exact(known.begin),
        Aim::Latest => exact(known.end),
        Aim::Offset(offset) => nearest(offset),
        Aim::Time(_) => exact(known.at_time.unwrap_or(known.end)),
        Aim::Shift(records) => nearest(known.committed?.0.saturating_add(records)),
    })
}

/// One partition's reset.
struct Step {
    partition: TopicPartition,
    committed: Option<Offset>,
    goal: Goal,
}

impl Reset {
    pub(super) async fn carry_out(self) -> miette::Result<Exit> {
        let admin = self.connect.admin()?;
        match admin.describe_group(&self.group).await {
            Ok(group) if group.is_in_use() => return Err(complaint(group.in_use())),
            Ok(_) => {}
            Err(GroupError::NotFound { .. }) => self.warn_of_novelty(&admin).await,
            Err(error) => return Err(complaint(error)),
        }
        let steps = self.plan(&admin).await?;
        if self.execute {
            let offsets = steps.iter().map(|step| (step.partition.clone(), step.goal.offset)).collect();
            admin.commit_for_group(&self.group, &offsets).await.map_err(complaint)?;
        }
        self.show(&steps);
        Ok(Exit::GOOD)
    }

    /// A misspelt name makes a group, as in Kafka; so it is told.
    async fn warn_of_novelty(&self, admin: &Admin) {
        let error = complaint_about(admin, GroupError::NotFound { group: self.group.clone() }).await;
        let help = error.help().filter(|_| !self.execute).map(|help| format!("; {help}")).unwrap_or_default();
        eprintln!("there is no group {} so far: a reset makes it{help}", self.group);
    }

    async fn plan(&self, admin: &Admin) -> miette::Result<Vec<Step>> {
        let committed = admin.committed_offsets(&self.group).await.map_err(complaint)?;
        let committed: BTreeMap<TopicPartition, Offset> = committed.into_iter().map(|one| (one.partition, one.offset)).collect();
        let partitions: BTreeSet<TopicPartition> = match self.scope.all_topics {
            true => committed.keys().cloned().collect(),
            false => partitions(admin, &self.scope.topics).await?,
        };
        if partitions.is_empty() {
            return Err(miette!(help = "name topics with --topic", "group {} has committed nothing", self.group));
        }
        let aim = self.to.aim();
        let begins = admin.find_offsets(&partitions, OffsetSpec::Earliest).await.map_err(complaint)?;
        let ends = admin.find_offsets(&partitions, OffsetSpec::Latest).await.map_err(complaint)?;
        let times = match aim {
            Aim::Time(moment) => admin.find_offsets(&partitions, OffsetSpec::At(moment)).await.map_err(complaint)?,
            Aim::Earliest | Aim::Latest | Aim::Offset(_) | Aim::Shift(_) => BTreeMap::new(),
        };
        let steps = partitions.into_iter().map(|partition| {
            let committed = committed.get(&partition).copied();
            let (begin, end) = (bound(&begins, &partition)?, bound(&ends, &partition)?);
            let at_time = times.get(&partition).map_or(Ok(None), |found| told(&partition, *found))?;
            let goal = goal(aim, Known { committed, begin, end, at_time });
            let help = "`--to-earliest` or `--to-latest` need nothing to count from";
            let goal = goal.ok_or_else(|| miette!(help = help, "group {} has committed nothing for {partition}", self.group))?;
            Ok(Step { partition, committed, goal })
        });
        steps.collect()
    }

    fn show(&self, steps: &[Step]) {
        for Step { partition, goal, .. } in steps {
            if let Some(missed) = goal.missed {
                eprintln!("{partition} has no offset {missed}: {} is the nearest", goal.offset.0);
            }
        }
        if self.json {
            let step = |step: &Step| {
                let (topic, partition) = (&step.partition.topic, step.partition.index);
                let (before, after) = (step.committed.map(|offset| offset.0), step.goal.offset.0);
                json!({ "topic": topic, "partition": partition, "committed": before, "new": after })
            };
            let steps: Vec<_> = steps.iter().map(step).collect();
            say!("{}", json!({ "group": self.group, "executed": self.execute, "offsets": steps }));
        } else {
            let row = |step: &Step| {
                let committed = step.committed.map(|offset| offset.0.to_string()).unwrap_or_default();
                vec![
                    step.partition.topic.to_string(),
                    step.partition.index.to_string(),
                    committed,
                    step.goal.offset.0.to_string(),
                ]
            };
            let rows: Vec<Vec<String>> = steps.iter().map(row).collect();
            table(&["topic", "partition", "committed", "new"], &rows).iter().for_each(|line| say!("{line}"));
        }
        if !self.execute {
            eprintln!("nothing was changed; --execute does it");
        }
    }
}

/// The beginning or end of a partition.
fn bound(found: &BTreeMap<TopicPartition, Found>, partition: &TopicPartition) -> miette::Result<Offset> {
    let found = found.get(partition).copied().unwrap_or(Ok(None));
    told(partition, found)?.ok_or_else(|| miette!("where {partition} begins or ends is not known"))
}

fn told(partition: &TopicPartition, found: Found) -> miette::Result<Option<Offset>> {
    found.map_err(|error| {
        let help = "`brokerlab topics describe` shows who leads it; --topic leaves out what is not there any more";
        miette!(help = help, "where {partition} begins or ends is not known: {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { committed: Some(Offset(15)), begin: Offset(10), end: Offset(20), at_time: None };

    #[test]
    fn every_aim_has_its_place() {
        let place = |aim, known| goal(aim, known).map(|goal| (goal.offset.0, goal.missed));
        let cases = [
            (Aim::Earliest, (10, None)),
            (Aim::Latest, (20, None)),
            (Aim::Offset(12), (12, None)),
            (Aim::Offset(20), (20, None)),
            (Aim::Offset(3), (10, Some(3))),
            (Aim::Offset(i64::MAX), (20, Some(i64::MAX))),
            (Aim::Shift(-2), (13, None)),
            (Aim::Shift(-50), (10, Some(-35))),
            (Aim::Shift(i64::MAX), (20, Some(i64::MAX))),
            (Aim::Time(Timestamp(5)), (20, None)),
        ];
        cases.iter().for_each(|(aim, goal)| assert_eq!(place(*aim, KNOWN), Some(*goal), "{aim:?}"));
        assert_eq!(place(Aim::Time(Timestamp(5)), Known { at_time: Some(Offset(17)), ..KNOWN }), Some((17, None)));
        assert_eq!(place(Aim::Shift(1), Known { committed: None, ..KNOWN }), None);
    }
}
