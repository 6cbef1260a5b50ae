//! What a report is made of: one pass over the recording, in memory that does not grow with its length.

use std::io::BufRead;

use crate::event::{Delivery, What};
use crate::recording::{Footer, Recording, RecordingError, RunHeader};

use super::beats::{Beats, Story};
use super::clients::{Clients, ClientsRead};
use super::groups::{GroupRead, Groups};
use super::lives::{Lives, LivesRead};
use super::names::Names;
use super::replicas::{PartitionRead, Replicas};

/// Everything that a report shows.
#[derive(Clone, Debug)]
pub struct Model {
    /// Scenario, seed, build, plan.
    pub header: RunHeader,
    /// Hash and judgement.
    pub footer: Footer,
    /// What the plan says about itself.
    pub plan: PlanText,
    /// Names of nodes and topics.
    pub names: Names,
    /// Time of the last event.
    pub end: u64,
    /// Frames delivered.
    pub frames: u64,
    /// The story.
    pub story: Story,
    /// Processes and faults.
    pub lives: LivesRead,
    /// Partitions and their replicas.
    pub partitions: Vec<PartitionRead>,
    /// Consumer groups, by id.
    pub groups: Vec<GroupRead>,
    /// What clients saw.
    pub clients: ClientsRead,
}

/// What the plan says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlanText {
    /// The claim of the lesson.
    pub title: String,
    /// The lesson.
    pub lesson: String,
    /// The planted bug, if there is one.
    pub mutant: Option<String>,
}

impl PlanText {
    /// Reads it from the plan; what is not there stays empty.
    #[must_use]
    pub fn of(plan: &str) -> PlanText {
        let Ok(table) = plan.parse::<toml::Table>() else { return PlanText::default() };
        let text = |key: &str| table.get(key).and_then(toml::Value::as_str).map(str::to_string);
        PlanText { title: text("title").unwrap_or_default(), lesson: text("lesson").unwrap_or_default(), mutant: text("mutant") }
    }
}

impl Model {
    /// Reads a recording to its end.
    ///
    /// # Errors
    /// When the recording is damaged.
    ///
    /// # Panics
    /// Never: the footer has been read once there is no further event.
    pub fn read<R: BufRead>(recording: &mut Recording<R>) -> Result<Model, RecordingError> {
        let mut names = Names::new(&recording.header.nodes);
        let (mut beats, mut lives, mut replicas) = (Beats::default(), Lives::default(), Replicas::default());
        let (mut groups, mut clients) = (Groups::default(), Clients::default());
        let (mut end, mut frames) = (0, 0);
        while let Some(event) = recording.next_event()? {
            end = event.at.0;
            frames += u64::from(matches!(&event.what, What::Delivered(Delivery::Frame(_))));
            names.learn(&event);
            beats.observe(&event, &names);
            lives.observe(&event);
            replicas.observe(&event, &names);
            groups.observe(&event, &names);
            clients.observe(&event);
        }
        let footer = recording.footer().expect("read after the last event").clone();
        Ok(Model {
            plan: PlanText::of(&recording.header.plan),
            story: beats.finish(&footer.judgement),
            lives: lives.finish(end),
            partitions: replicas.finish(end),
            groups: groups.finish(end),
            clients: clients.finish(end),
            header: recording.header.clone(),
            footer,
            names,
            end,
            frames,
        })
    }

    /// A count of the judgement by name.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.footer.judgement.counts.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
    }

    /// The command that brings the run back.
    #[must_use]
    pub fn reproduce(&self) -> String {
        let mutant = self.plan.mutant.as_ref().map_or(String::new(), |slug| format!(" --mutant {slug}"));
        format!("brokerlab run scenarios/{}.toml --seed {}{mutant}", self.header.scenario, self.header.seed)
    }

    /// Partitions in the order of how much there is to see: cut logs, elections, changes of the ISR; then by name.
    #[must_use]
    pub fn by_interest(&self) -> Vec<&PartitionRead> {
        let cuts = |one: &PartitionRead| one.replicas.iter().map(|replica| replica.truncations.len()).sum::<usize>();
        let mut all: Vec<&PartitionRead> = self.partitions.iter().collect();
        all.sort_by_key(|one| (std::cmp::Reverse((cuts(one), one.elections, one.isr.len())), self.names.order(one.id)));
        all
    }
}
