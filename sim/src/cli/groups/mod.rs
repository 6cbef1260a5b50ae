//! `brokerlab groups`: for a person at a terminal, against our brokers or any other Kafka.
//!
//! ```text
//!   list             who is there, and in which state
//!   describe         members, what they own, how far behind they are
//!   reset            let a group without members go on from elsewhere; only shown, unless --execute is given
//!   delete           forget groups without members
//!   delete-offsets   forget what a group has committed for topics that it reads no longer
//! ```
//!
//! What Kafka's `kafka-consumer-groups` does, in the manner of our other commands. Where several groups are named, what can be done for some is done,
//! and the command still fails if it could not be done for all.

mod describe;
mod moment;
mod reset;
mod scope;
mod table;

use brokerlab::node::people::Admin;
use brokerlab::node::people::groups::{GroupError, GroupListing};
use miette::{IntoDiagnostic, miette};
use serde_json::json;

use self::scope::Topics;
use self::table::table;
use super::Exit;
use super::output::say;
use super::people::{Connect, on_runtime};

/// How different a name may be to be taken for another one mistyped.
const TYPING_ERRORS_MAX: usize = 2;

/// List, describe, reset and delete consumer groups
#[derive(clap::Subcommand, Debug)]
pub enum Groups {
    /// List the groups of all coordinators
    List {
        /// Only groups in these states: `Stable`, `Empty`, `PreparingRebalance` ...
        #[arg(long, value_name = "STATE,..", value_delimiter = ',')]
        state: Vec<String>,
        /// Only groups of these types: `classic`, `consumer`
        #[arg(long = "type", value_name = "TYPE,..", value_delimiter = ',')]
        kind: Vec<String>,
        /// One JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connect: Connect,
    },
    /// Show members, what they own, and how far behind they are
    Describe(describe::Describe),
    /// Let a group without members go on from elsewhere
    Reset(reset::Reset),
    /// Forget groups without members, and all that they have committed
    Delete {
        /// Their names
        #[arg(required = true)]
        groups: Vec<String>,
        #[command(flatten)]
        connect: Connect,
    },
    /// Forget what a group has committed for topics that none of its members reads
    DeleteOffsets {
        /// Its name
        group: String,
        #[command(flatten)]
        topics: Topics,
        #[command(flatten)]
        connect: Connect,
    },
}

impl Groups {
    /// Does it.
    pub fn carry_out(self) -> miette::Result<Exit> {
        on_runtime(async {
            match self {
                Groups::List { state, kind, json, connect } => list(&connect.admin()?, &state, &kind, json).await,
                Groups::Describe(describe) => describe.carry_out().await,
                Groups::Reset(reset) => reset.carry_out().await,
                Groups::Delete { groups, connect } => delete(&connect.admin()?, &groups).await,
                Groups::DeleteOffsets { group, topics, connect } => delete_offsets(&connect.admin()?, &group, &topics).await,
            }
        })
    }
}

impl Connect {
    fn admin(&self) -> miette::Result<Admin> {
        Admin::connect(&self.properties()).into_diagnostic()
    }
}

async fn list(admin: &Admin, states: &[String], kinds: &[String], json: bool) -> miette::Result<Exit> {
    let groups = admin.list_groups().await.map_err(complaint)?;
    let is_wanted = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|one| one.eq_ignore_ascii_case(is));
    let wanted: Vec<&GroupListing> =
        groups.iter().filter(|group| is_wanted(states, &group.state) && is_wanted(kinds, &group.kind)).collect();
    if json {
        let groups: Vec<_> = wanted.iter().map(|group| listing_json(group)).collect();
        say!("{}", json!({ "groups": groups }));
    } else if !wanted.is_empty() {
        let row = |group: &&GroupListing| {
            let coordinator = group.coordinator.0.to_string();
            vec![group.group.clone(), group.kind.clone(), group.protocol_type.clone(), group.state.clone(), coordinator]
        };
        let rows: Vec<Vec<String>> = wanted.iter().map(row).collect();
        table(&["group", "type", "protocol", "state", "coordinator"], &rows).iter().for_each(|line| say!("{line}"));
    }
    Ok(Exit::GOOD)
}

fn listing_json(group: &GroupListing) -> serde_json::Value {
    json!({
        "group": group.group, "type": group.kind, "protocol_type": group.protocol_type, "state": group.state,
        "coordinator": group.coordinator.0,
    })
}

async fn delete(admin: &Admin, groups: &[String]) -> miette::Result<Exit> {
    let mut refusals = Vec::new();
    for group in groups {
        match admin.delete_group(group).await {
            Ok(()) => say!("deleted {group}"),
            Err(error) => refusals.push(complaint_about(admin, error).await),
        }
    }
    all_or(refusals)
}

async fn delete_offsets(admin: &Admin, group: &str, topics: &Topics) -> miette::Result<Exit> {
    let partitions = topics.partitions(admin).await?;
    match admin.delete_group_offsets(group, &partitions).await {
        Ok(()) => partitions.iter().for_each(|partition| say!("forgotten: {group} in {partition}")),
        Err(error) => return Err(complaint_about(admin, error).await),
    }
    Ok(Exit::GOOD)
}

/// Good, unless something was refused: all but the last refusal are told here, that one by whoever called.
fn all_or(mut refusals: Vec<miette::Report>) -> miette::Result<Exit> {
    let Some(last) = refusals.pop() else { return Ok(Exit::GOOD) };
    refusals.iter().for_each(|refusal| eprintln!("{refusal:?}"));
    Err(last)
}

/// An error with what can be done about it.
fn complaint(error: GroupError) -> miette::Report {
    let remedy = match &error {
        GroupError::TimedOut { .. } => {
            "is --bootstrap right, and does that broker live? `-X default.api.timeout.ms=5000` gives up sooner"
        }
        GroupError::InUse { .. } => "stop its members first; one that died without leaving is a member until its session ends",
        GroupError::NotFound { .. } => "`brokerlab groups list` shows which there are",
        GroupError::Unsupported { .. } => "a Kafka of another age may know it",
        GroupError::Refused { .. } | GroupError::Unspeakable { .. } => return miette!("{error}"),
    };
    miette!(help = remedy, "{error}")
}

/// The same, with the group that may have been meant.
async fn complaint_about(admin: &Admin, error: GroupError) -> miette::Report {
    if let GroupError::NotFound { group } = &error
        && let Ok(groups) = admin.list_groups().await
        && let Some(near) = nearest(group, &groups)
    {
        return miette!(help = format!("did you mean {near}?"), "{error}");
    }
    complaint(error)
}

fn nearest<'a>(group: &str, groups: &'a [GroupListing]) -> Option<&'a str> {
    let distances = groups.iter().map(|known| (strsim::damerau_levenshtein(group, &known.group), known.group.as_str()));
    distances.filter(|(distance, _)| *distance <= TYPING_ERRORS_MAX).min().map(|(_, name)| name)
}
