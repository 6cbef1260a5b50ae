//! `serve --chaos SCENARIO --seed N`: real clients against a cluster that goes wrong on a scenario's timeline.
//!
//! The very plan that `run` would carry out, as far as it can be carried out for real: brokers are killed, stopped, frozen, cut off, and their
//! disks slowed down, in this process. What needs a simulated kernel, disk or network (a loss of power, turning bits, a single
//! frame) is refused by name before anything starts, because a lesson without its faults teaches nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use brokerlab::node::cluster::Cluster;
use brokerlab::node::people::Admin;
use brokerlab::types::BrokerId;
use miette::{IntoDiagnostic, WrapErr, miette};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::scenario::model::{Fault, FaultKind, Scenario, Target};
use crate::scenario::{expand, load};

/// The kinds that can be done for real.
const POSSIBLE: &str = "crash, crash-loop, restart, pause, isolate, slow-disk, stuck-disk";

/// What is to go wrong, and when.
#[derive(Debug)]
pub struct Chaos {
    plan: Scenario,
    /// In order of time; counted from the begin.
    acts: Vec<(Duration, Act)>,
    begun: Option<Instant>,
    /// Whom each fault struck, and what ends it.
    struck: BTreeMap<usize, Struck>,
    chance: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Act {
    Begin(usize),
    End(usize),
}

#[derive(Debug)]
struct Struck {
    node: usize,
    resume: Option<oneshot::Sender<()>>,
}

impl Chaos {
    /// What a seed makes of a scenario.
    ///
    /// # Errors
    /// When the scenario cannot be read, or holds what cannot be done for real.
    pub fn load(path: &Path, seed: Option<u64>) -> miette::Result<Chaos> {
        let scenario = load(path)?;
        let seed = seed.unwrap_or(scenario.seed);
        let plan = expand(&scenario, seed);
        if let Some(mutant) = &plan.mutant {
            return Err(miette!("{}: a server is never started with a planted bug ({mutant})", path.display()));
        }
        let mut acts = Vec::new();
        for (number, fault) in plan.faults.iter().enumerate() {
            if !is_possible(&fault.kind) {
                let (id, kind) = (&fault.id, fault.kind.name());
                return Err(miette!(
                    "{}: fault {id} is of kind {kind}, which cannot be done for real; possible are {POSSIBLE}",
                    path.display()
                ));
            }
            acts.extend(timeline(number, fault));
        }
        acts.sort_unstable();
        acts.reverse();
        Ok(Chaos { plan, acts, begun: None, struck: BTreeMap::new(), chance: seed })
    }

    /// How many brokers the scenario has.
    pub fn brokers(&self) -> u16 {
        u16::try_from(self.plan.cluster.brokers).unwrap_or(u16::MAX)
    }

    /// The properties of its brokers.
    pub fn properties(&self) -> &BTreeMap<String, String> {
        &self.plan.cluster.config
    }

    /// Creates the scenario's topics; what they are called, faults may name.
    ///
    /// # Errors
    /// When one cannot be created and is not there either.
    pub async fn prepare(&mut self, cluster: &Cluster) -> miette::Result<()> {
        let bootstrap: Vec<String> = cluster.bootstrap().iter().map(ToString::to_string).collect();
        let properties = BTreeMap::from([("bootstrap.servers".to_string(), bootstrap.join(","))]);
        let admin = Admin::connect(&properties).into_diagnostic()?;
        for topic in &self.plan.topics {
            let (partitions, replicas) =
                (topic.partitions.try_into().into_diagnostic()?, topic.replicas.try_into().into_diagnostic()?);
            if let Err(error) = admin.create_topic(&topic.name, partitions, replicas, topic.config.clone()).await {
                let described = admin.describe_topic(&topic.name).await;
                described.map_err(|_| error).into_diagnostic().wrap_err_with(|| format!("cannot create {}", topic.name))?;
            }
        }
        self.begun = Some(Instant::now());
        tracing::info!(faults = self.plan.faults.len(), "the timeline of {} begins", self.plan.name);
        Ok(())
    }

    /// Waits for the next act; for ever if there is none.
    pub async fn due(&self) {
        match (self.acts.last(), self.begun) {
            (Some((at, _)), Some(begun)) => tokio::time::sleep_until(begun + *at).await,
            (_, _) => std::future::pending().await,
        }
    }

    /// Carries out the act that is due.
    ///
    /// # Errors
    /// When a node cannot be started again.
    pub async fn act(&mut self, cluster: &mut Cluster) -> miette::Result<()> {
        match self.acts.pop() {
            Some((_, Act::Begin(fault))) => self.begin(fault, cluster).await,
            Some((_, Act::End(fault))) => self.end(fault, cluster).await?,
            None => {}
        }
        if self.acts.is_empty() {
            tracing::info!("the timeline of {} is over; the cluster goes on", self.plan.name);
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "only what is possible is in a timeline")]
    async fn begin(&mut self, number: usize, cluster: &mut Cluster) {
        let fault = self.plan.faults[number].clone();
        let (id, kind) = (&fault.id, fault.kind.name());
        let node = match fault.kind.targets().first().map(|(_, target)| self.resolve(target, cluster)) {
            Some(Ok(node)) => node,
            Some(Err(reason)) => return tracing::warn!("fault {id}, {kind}: skipped, {reason}"),
            None => return,
        };
        tracing::warn!("fault {id}: {kind} of {} for {:?}", cluster.nodes()[node].name, real(fault.lasts));
        let mut resume = None;
        match &fault.kind {
            FaultKind::Crash { .. } | FaultKind::CrashLoop { .. } => cluster.kill(node).await,
            FaultKind::Restart { .. } => {
                if let Err(error) = cluster.stop(node).await {
                    tracing::warn!(%error, "it did not stop in order");
                }
            }
            kind => {
                let Some(running) = cluster.running(node) else { return };
                match kind {
                    FaultKind::Pause { .. } => resume = Some(running.pause().await),
                    FaultKind::Isolate { .. } => running.isolate(true).await,
                    FaultKind::SlowDisk { by, .. } => running.slow_disk(real(*by)).await,
                    // Nothing that waits for it ends before the fault does.
                    FaultKind::StuckDisk { .. } => running.slow_disk(real(fault.lasts)).await,
                    _ => unreachable!("only what is possible is in a timeline"),
                }
            }
        }
        self.struck.insert(number, Struck { node, resume });
    }

    async fn end(&mut self, number: usize, cluster: &mut Cluster) -> miette::Result<()> {
        let Some(Struck { node, resume }) = self.struck.remove(&number) else { return Ok(()) };
        let fault = &self.plan.faults[number];
        tracing::warn!("fault {} is over", fault.id);
        drop(resume);
        match (&fault.kind, cluster.running(node)) {
            (FaultKind::Isolate { .. }, Some(running)) => running.isolate(false).await,
            (FaultKind::SlowDisk { .. } | FaultKind::StuckDisk { .. }, Some(running)) => running.slow_disk(Duration::ZERO).await,
            (_, Some(_)) => {}
            (_, None) => cluster.revive(node).await.into_diagnostic()?,
        }
        Ok(())
    }

    /// Place of the node that is meant now.
    fn resolve(&mut self, target: &Target, cluster: &Cluster) -> Result<usize, String> {
        let runs = |node: &usize| cluster.running(*node).is_some();
        let last = cluster.nodes().len() - 1;
        let summary = cluster.nodes()[0].watch.summary();
        let partition = |topic: &str, index: u32| {
            let named = summary.topics.get(topic).and_then(|id| {
                summary
                    .partitions
                    .iter()
                    .find(|(partition, _)| partition.topic == *id && u32::try_from(partition.index) == Ok(index))
            });
            named
                .map(|(_, (replicas, state))| (replicas.clone(), state.clone()))
                .ok_or_else(|| format!("there is no {topic}-{index}"))
        };
        let place = |broker: &BrokerId| usize::try_from(broker.0).unwrap_or(usize::MAX);
        let candidates: Vec<usize> = match target {
            Target::Node(name) if name == "c1" => vec![0],
            Target::Controller => vec![0],
            Target::Node(name) => {
                let number = name.strip_prefix("broker ").or(name.strip_prefix('b')).and_then(|number| number.parse().ok());
                number.filter(|number| (1..=last).contains(number)).into_iter().collect()
            }
            Target::AnyBroker => (1..=last).collect(),
            Target::Leader(topic, index) => partition(topic, *index)?.1.leader.iter().map(place).collect(),
            Target::FollowerInIsr(topic, index) => {
                let (_, state) = partition(topic, *index)?;
                state.isr.iter().filter(|broker| Some(**broker) != state.leader).map(place).collect()
            }
            Target::Follower(topic, index) => {
                let (replicas, state) = partition(topic, *index)?;
                replicas.iter().filter(|broker| Some(**broker) != state.leader).map(place).collect()
            }
            // Members are somebody else's processes, and nobody here hears what coordinators state.
            Target::Coordinator(group) | Target::Member(group) | Target::Owner { group, .. } => {
                return Err(format!("who is who in group {group} is not known here"));
            }
        };
        let running: Vec<usize> = candidates.into_iter().filter(runs).collect();
        if running.is_empty() {
            return Err("nobody who is meant runs".into());
        }
        self.chance = self.chance.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        Ok(running[usize::try_from(self.chance >> 33).unwrap_or(0) % running.len()])
    }
}

fn is_possible(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Crash { .. }
            | FaultKind::CrashLoop { .. }
            | FaultKind::Restart { .. }
            | FaultKind::Pause { .. }
            | FaultKind::Isolate { except_clients: false, .. }
            | FaultKind::SlowDisk { .. }
            | FaultKind::StuckDisk { .. }
    )
}

/// Begin and end of a fault; of a crash loop as many as it has crashes.
fn timeline(number: usize, fault: &Fault) -> Vec<(Duration, Act)> {
    let (times, every) =
        if let FaultKind::CrashLoop { times, every, .. } = &fault.kind { (*times, real(*every)) } else { (1, Duration::ZERO) };
    let (at, lasts) = (real(fault.at), real(fault.lasts));
    let mut acts = Vec::new();
    for turn in 0..times {
        let begins = at + (lasts + every) * u32::try_from(turn).unwrap_or(u32::MAX);
        acts.extend([(begins, Act::Begin(number)), (begins + lasts, Act::End(number))]);
    }
    acts
}

fn real(duration: brokerlab::types::Duration) -> Duration {
    Duration::from_nanos(duration.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn chaos(faults: &str) -> miette::Result<Chaos> {
        let path = std::env::temp_dir().join(format!("brokerlab-chaos-{}-{}.toml", std::process::id(), faults.len()));
        let text = format!(
            "title = \"It goes wrong\"\nseed = 1\nduration = \"10s\"\ncluster = {{ brokers = 3 }}\n[[topics]]\nname = \"orders\"\npartitions = 1\nreplicas = 3\n{faults}"
        );
        std::fs::write(&path, text).unwrap();
        let chaos = Chaos::load(&path, Some(1));
        std::fs::remove_file(path).unwrap();
        chaos
    }

    fn fault(kind: &str, more: &str) -> String {
        format!("[[faults]]\nid = \"f1\"\nat = \"1s\"\nfor = \"2s\"\nkind = \"{kind}\"\ntarget = \"b2\"\n{more}")
    }

    #[test]
    fn what_needs_a_simulated_world_is_refused_by_name() {
        let error = chaos(&fault("power-loss", "")).unwrap_err().to_string();
        assert!(error.contains("fault f1 is of kind power-loss, which cannot be done for real; possible are crash,"), "{error}");
        assert!(chaos(&fault("isolate", "except_clients = true\n")).is_err());
    }

    #[test]
    fn a_timeline_has_a_begin_and_an_end_of_each_fault() {
        let chaos = chaos(&fault("crash-loop", "times = 2\nevery = \"500ms\"\n")).unwrap();
        let millis: Vec<u128> = chaos.acts.iter().rev().map(|(at, _)| at.as_millis()).collect();
        assert_eq!(millis, [1_000, 3_000, 3_500, 5_500]);
    }
}
