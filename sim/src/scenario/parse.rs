//! From the text of a scenario file to a [`Scenario`]: first shapes (the [reader](super::reader)), then what must fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use brokerlab::client::ProducerConfig;
use brokerlab::types::Duration;
use toml::de::DeTable;

use super::model::{
    Chaos, Cluster, CommitPolicy, Consumer, DiskOperation, DiskWeather, Expect, Fate, Fault, FaultKind, Frames, Group, Network,
    Producer, Progress, Scenario, Target, Topic,
};
use super::problem::Problem;
use super::reader::Fields;
use super::reference::{
    CHAOS, CLUSTER_SECTION, CONSUMER_SECTION, DISK, EXPECT, FAULTS, FILE, GROUP_SECTION, NETWORK, PRODUCER_SECTION, PROGRESS,
    Section, TOPIC_SECTION, fault_kinds,
};
use super::settings;
use super::target::FORMS;

/// Reads a scenario. `stem` names it unless the text does.
///
/// # Errors
/// The first mistake found.
pub(super) fn scenario(stem: &str, text: &str) -> Result<Scenario, Problem> {
    let root = DeTable::parse(text)
        .map_err(|error| Problem::new(error.span().unwrap_or(0..0), error.message().to_string()).help("the file is not TOML"))?;
    let mut reader = Reader::default();
    let scenario = reader.file(stem, root.get_ref(), 0..0)?;
    reader.consistent(&scenario)?;
    Ok(scenario)
}

/// Remembers where things stand, so that what does not fit together can be pointed at.
#[derive(Default)]
struct Reader {
    places: BTreeMap<String, Range<usize>>,
}

const SURE: &str = "the reader has checked that it is there";

impl Reader {
    fn file(&mut self, stem: &str, table: &DeTable<'_>, at: Range<usize>) -> Result<Scenario, Problem> {
        let file = Fields::read(&FILE, table, at)?;
        let section = |key: &str, section: &'static Section| match file.table(key) {
            Some(table) => Fields::read(section, table, file.at(key)).map(Some),
            None => Ok(None),
        };
        let network = section("network", &NETWORK)?;
        let disk = section("disk", &DISK)?;
        let chaos = section("chaos", &CHAOS)?;
        let progress = section("progress", &PROGRESS)?;
        self.note("network.bandwidth", network.as_ref().map_or(0..0, |fields| fields.at("bandwidth")));
        self.note("progress", progress.as_ref().map_or(0..0, |fields| fields.at("within")));
        self.note("chaos", chaos.as_ref().map_or(0..0, |fields| fields.at("swarm")));
        Ok(Scenario {
            name: file.text("name").unwrap_or_else(|| stem.to_string()),
            title: file.text("title").expect(SURE),
            lesson: file.text("lesson").expect(SURE),
            seed: file.number("seed").expect(SURE),
            duration: file.duration("duration").expect(SURE),
            must_exercise: file.words("must_exercise").unwrap_or_default(),
            progress: progress.map(|fields| promise(&fields)),
            expect: section("expect", &EXPECT)?.map(|fields| expect(&fields)).unwrap_or_default(),
            mutant: file.text("mutant"),
            cluster: section("cluster", &CLUSTER_SECTION)?.map(|fields| cluster(&fields)).expect(SURE),
            topics: self.list(&file, "topics", &TOPIC_SECTION, topic)?,
            producers: self.list(&file, "producers", &PRODUCER_SECTION, producer)?,
            consumers: self.list(&file, "consumers", &CONSUMER_SECTION, consumer)?,
            groups: self.list(&file, "groups", &GROUP_SECTION, group)?,
            faults: self.faults(&file)?,
            network: network.map(|fields| network_weather(&fields)).unwrap_or_default(),
            disk: disk.map(|fields| disk_weather(&fields)).unwrap_or_default(),
            chaos: chaos.map(|fields| chaos_profile(&fields)),
        })
    }

    fn note(&mut self, path: impl Into<String>, at: Range<usize>) {
        self.places.insert(path.into(), at);
    }

    fn list<T>(
        &mut self,
        file: &Fields<'_>,
        key: &str,
        section: &'static Section,
        build: fn(&Fields<'_>) -> T,
    ) -> Result<Vec<T>, Problem> {
        self.note(key, file.at(key));
        let mut built = Vec::new();
        for (n, (table, at)) in file.tables(key).unwrap_or_default().into_iter().enumerate() {
            let fields = Fields::read(section, table, at)?;
            section.keys.iter().for_each(|one| self.note(format!("{key}[{n}].{}", one.name), fields.at(one.name)));
            built.push(build(&fields));
        }
        Ok(built)
    }

    fn faults(&mut self, file: &Fields<'_>) -> Result<Vec<Fault>, Problem> {
        let mut faults = Vec::new();
        for (n, (table, at)) in file.tables("faults").unwrap_or_default().into_iter().enumerate() {
            let section = kind_of(table, &at)?;
            let fields = Fields::read(section, table, at)?;
            section.keys.iter().for_each(|key| self.note(format!("faults[{n}].{}", key.name), fields.at(key.name)));
            faults.push(Fault {
                id: fields.text("id").expect(SURE),
                at: fields.duration("at").expect(SURE),
                lasts: fields.duration("for").expect(SURE),
                kind: fault_kind(section.name, &fields),
            });
        }
        Ok(faults)
    }

    fn at(&self, path: &str) -> Range<usize> {
        self.places.get(path).cloned().unwrap_or(0..0)
    }

    fn consistent(&self, scenario: &Scenario) -> Result<(), Problem> {
        if scenario.topics.is_empty() {
            return Err(Problem::new(self.at("topics"), "there is no topic").help("write at least one [[topics]]"));
        }
        self.names_are_unique(scenario)?;
        self.topics_fit(scenario)?;
        self.clients_fit(scenario)?;
        self.faults_fit(scenario)?;
        if scenario.network.bandwidth == Some(0) {
            let problem = Problem::new(self.at("network.bandwidth"), "nothing gets through at all");
            return Err(problem.help("without `bandwidth` links carry whatever there is"));
        }
        self.promise_can_be_kept(scenario)?;
        let moves_members = |kind: &String| kind.starts_with("member-");
        if scenario.groups.is_empty() && scenario.chaos.as_ref().is_some_and(|chaos| chaos.kinds.iter().any(moves_members)) {
            let problem = Problem::new(self.at("chaos"), "members are to come and go, but there is no group");
            return Err(problem.help("write at least one [[groups]], or take these kinds away"));
        }
        settings::check(scenario)
            .map_err(|message| Problem::new(self.at("chaos"), message).label("in these settings").help(settings::FORMS))
    }

    /// Nobody gets more acknowledged than he asks for.
    fn promise_can_be_kept(&self, scenario: &Scenario) -> Result<(), Problem> {
        let Some(Progress { acknowledged, within }) = scenario.progress else { return Ok(()) };
        if let Some(own) = scenario.producers.iter().find(|one| !one.at.is_empty()) {
            let problem = Problem::new(self.at("progress"), format!("`{}` writes at moments of its own", own.name));
            return Err(problem.help("only steady writers can be promised something for any stretch of time"));
        }
        let asks_too_seldom = |one: &&Producer| one.every.0.saturating_mul(u64::from(acknowledged)) >= within.0;
        let Some(slow) = scenario.producers.iter().find(asks_too_seldom) else { return Ok(()) };
        let problem = Problem::new(self.at("progress"), format!("`{}` does not even ask for that", slow.name));
        Err(problem.label(format!("too short for {acknowledged}")).help(format!("it writes a record every {}", slow.every)))
    }

    fn names_are_unique(&self, scenario: &Scenario) -> Result<(), Problem> {
        let topics = scenario.topics.iter().enumerate().map(|(n, topic)| (format!("topics[{n}].name"), &topic.name));
        self.unique("topic", topics)?;
        let producers = scenario.producers.iter().enumerate().map(|(n, one)| (format!("producers[{n}].name"), &one.name));
        let consumers = scenario.consumers.iter().enumerate().map(|(n, one)| (format!("consumers[{n}].name"), &one.name));
        let groups = scenario.groups.iter().enumerate().map(|(n, one)| (format!("groups[{n}].name"), &one.name));
        self.unique("group", groups)?;
        let members: Vec<(String, String)> = settings::most_members(scenario)
            .flat_map(|(n, group)| group.nodes().map(move |node| (format!("groups[{n}].name"), node)).collect::<Vec<_>>())
            .collect();
        let members = members.iter().map(|(path, node)| (path.clone(), node));
        self.unique("node", producers.clone().chain(consumers.clone()).chain(members))?;
        for (path, name) in producers.chain(consumers) {
            let digits = name.strip_prefix(['b', 'c']).unwrap_or("x");
            if digits.bytes().all(|b| b.is_ascii_digit()) || name == "lab" {
                let problem =
                    Problem::new(self.at(&path), format!("`{name}` is the name of a broker, a controller or the laboratory"));
                return Err(problem.help("call producers p1, p2 ... and consumers r1, r2 ..."));
            }
        }
        let faults = scenario.faults.iter().enumerate().map(|(n, fault)| (format!("faults[{n}].id"), &fault.id));
        self.unique("fault", faults)
    }

    fn unique<'s>(&self, what: &str, names: impl Iterator<Item = (String, &'s String)>) -> Result<(), Problem> {
        let mut seen = BTreeSet::new();
        for (path, name) in names {
            if !seen.insert(name) {
                let problem = Problem::new(self.at(&path), format!("there are two of {what} `{name}`"));
                return Err(problem.label("the second one").help("names and ids must be unique"));
            }
        }
        Ok(())
    }

    fn topics_fit(&self, scenario: &Scenario) -> Result<(), Problem> {
        let brokers = scenario.cluster.brokers;
        match scenario.topics.iter().position(|topic| topic.replicas > brokers) {
            Some(n) => Err(Problem::new(self.at(&format!("topics[{n}].replicas")), "more replicas than brokers")
                .help(format!("there are {brokers} brokers, each can hold one replica of a partition"))),
            None => Ok(()),
        }
    }

    fn clients_fit(&self, scenario: &Scenario) -> Result<(), Problem> {
        for (n, producer) in scenario.producers.iter().enumerate() {
            let topic = self.topic(scenario, &producer.topic, &format!("producers[{n}].topic"))?;
            if producer.partition.is_some_and(|partition| partition >= topic.partitions) {
                return Err(self.no_such_partition(topic, &format!("producers[{n}].partition")));
            }
            self.pace_fits(scenario, n, producer)?;
            if let Some(message) = contradiction(&producer.config) {
                return Err(Problem::new(self.at(&format!("producers[{n}].config")), message).label("Kafka refuses this too"));
            }
        }
        for (n, consumer) in scenario.consumers.iter().enumerate() {
            self.topic(scenario, &consumer.topic, &format!("consumers[{n}].topic"))?;
            if consumer.every.0 == 0 {
                return Err(Problem::new(self.at(&format!("consumers[{n}].every")), "a consumer cannot poll without pause"));
            }
        }
        for (n, group) in scenario.groups.iter().enumerate() {
            for topic in &group.topics {
                self.topic(scenario, topic, &format!("groups[{n}].topics"))?;
            }
            if let Some(message) = group.contradiction() {
                return Err(Problem::new(self.at(&format!("groups[{n}].config")), message).label("Kafka refuses this too"));
            }
            if let Some(message) = group.spare_contradiction() {
                return Err(Problem::new(self.at(&format!("groups[{n}].spare_config")), message));
            }
        }
        Ok(())
    }

    /// It writes steadily, or at moments of its own.
    fn pace_fits(&self, scenario: &Scenario, n: usize, producer: &Producer) -> Result<(), Problem> {
        let (every, at) = (self.at(&format!("producers[{n}].every")), self.at(&format!("producers[{n}].at")));
        let help = "write `every = \"100ms\"`, or `at = [\"1s\", \"2s\"]`";
        match (every.is_empty(), producer.at.last()) {
            (false, Some(_)) => Err(Problem::new(at, "it writes steadily or at moments of its own, not both").help(help)),
            (true, None) => {
                let problem = Problem::new(self.at(&format!("producers[{n}].name")), "when does it write?");
                Err(problem.label("this producer").help(help))
            }
            (true, Some(last)) if *last > scenario.duration => {
                let problem = Problem::new(at, "the last moment is after the fault phase");
                Err(problem.help(format!("the fault phase lasts {}", scenario.duration)))
            }
            (false, None) if producer.every.0 == 0 => Err(Problem::new(every, "a producer cannot write without pause")),
            (true, Some(_)) | (false, None) => Ok(()),
        }
    }

    fn topic<'s>(&self, scenario: &'s Scenario, name: &str, path: &str) -> Result<&'s Topic, Problem> {
        let names: Vec<&str> = scenario.topics.iter().map(|topic| topic.name.as_str()).collect();
        let found = scenario.topics.iter().find(|topic| topic.name == name);
        found.ok_or_else(|| Problem::unknown(self.at(path), "topic", name, &names))
    }

    fn no_such_partition(&self, topic: &Topic, path: &str) -> Problem {
        let last = topic.partitions.saturating_sub(1);
        Problem::new(self.at(path), format!("topic `{}` has no such partition", topic.name))
            .help(format!("its partitions are numbered from 0 to {last}"))
    }

    fn faults_fit(&self, scenario: &Scenario) -> Result<(), Problem> {
        for (n, fault) in scenario.faults.iter().enumerate() {
            if fault.at > scenario.duration {
                let problem = Problem::new(self.at(&format!("faults[{n}].at")), "the fault begins after the fault phase");
                return Err(problem.help(format!("the fault phase lasts {}", scenario.duration)));
            }
            for (key, target) in fault.kind.targets() {
                self.target_fits(scenario, target, &format!("faults[{n}].{key}"))?;
            }
            self.partition_fits(n, &fault.kind)?;
            self.member_fits(scenario, n, &fault.kind)?;
            if let [("from", from), ("to", to)] = fault.kind.targets()[..]
                && from == to
            {
                let problem = Problem::new(self.at(&format!("faults[{n}].to")), "both ends of the link are the same");
                return Err(problem.help("a link has two ends"));
            }
            self.link_fits(&fault.kind, &format!("faults[{n}]"))?;
        }
        Ok(())
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "the others have nothing that could be out of proportion")]
    fn link_fits(&self, kind: &FaultKind, path: &str) -> Result<(), Problem> {
        let problem = |key: &str, message: &str| Problem::new(self.at(&format!("{path}.{key}")), message);
        match kind {
            FaultKind::FlappingLink { every, .. } if *every < Duration::millis(1) => {
                Err(problem("every", "the link flaps too fast").help("the shortest period is 1ms"))
            }
            FaultKind::FlappingLink { every, down, .. } if down >= every => {
                Err(problem("down", "the link never comes up")
                    .help("`down` is a part of `every`; a link that stays down is a cut"))
            }
            FaultKind::NarrowLink { bandwidth: 0, .. } => {
                Err(problem("bandwidth", "nothing gets through at all").help("such a link is a cut"))
            }
            FaultKind::Split { groups, .. } if groups.iter().all(Vec::is_empty) => {
                Err(problem("groups", "nobody is in a group").help("for example [[\"b1\", \"c1\"]], against all other servers"))
            }
            FaultKind::CutClients { targets, .. } if targets.is_empty() => {
                Err(problem("targets", "nobody is named").help("name one target or more"))
            }
            _ => Ok(()),
        }
    }

    /// Whoever joins, leaves or processes is a member.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the others are about other things")]
    fn member_fits(&self, scenario: &Scenario, n: usize, kind: &FaultKind) -> Result<(), Problem> {
        let (FaultKind::MemberJoins { target } | FaultKind::MemberLeaves { target } | FaultKind::SlowProcessing { target, .. }) =
            kind
        else {
            return Ok(());
        };
        let is_member = |node: &String| settings::most_members(scenario).any(|(_, group)| group.nodes().any(|one| one == *node));
        match target {
            Target::Member(_) | Target::Owner { .. } => Ok(()),
            Target::Node(node) if is_member(node) => Ok(()),
            _ => {
                let at = self.at(&format!("faults[{n}].target"));
                let problem = Problem::new(at, format!("`{}` is about a member of a group", kind.name()));
                Err(problem.help("write `a member of group billing`, or `billing-2`"))
            }
        }
    }

    /// What is asked of the cluster is about a partition, not about a node.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the others are about nodes")]
    fn partition_fits(&self, n: usize, kind: &FaultKind) -> Result<(), Problem> {
        let (target, all) = match kind {
            FaultKind::ElectPreferred { target } => (target, true),
            FaultKind::DeleteRecords { target, .. } | FaultKind::RecreateTopic { target } => (target, false),
            _ => return Ok(()),
        };
        match target {
            Target::Leader(..) => Ok(()),
            Target::Controller if all => Ok(()),
            Target::Node(_)
            | Target::AnyBroker
            | Target::Controller
            | Target::FollowerInIsr(..)
            | Target::Follower(..)
            | Target::Coordinator(_)
            | Target::Member(_)
            | Target::Owner { .. } => {
                let problem =
                    Problem::new(self.at(&format!("faults[{n}].target")), format!("`{}` is about a partition", kind.name()));
                let of_all = if all { ", or `controller` for all partitions" } else { "" };
                Err(problem.help(format!("write `leader of orders-0`{of_all}")))
            }
        }
    }

    fn target_fits(&self, scenario: &Scenario, target: &Target, path: &str) -> Result<(), Problem> {
        if let Some(name) = target.group() {
            let names: Vec<&str> = scenario.groups.iter().map(|group| group.name.as_str()).collect();
            if !names.contains(&name) {
                return Err(Problem::unknown(self.at(path), "group", name, &names));
            }
        }
        if let Some((topic, partition)) = target.partition() {
            let topic = self.topic(scenario, topic, path)?;
            return if partition < settings::most_partitions(scenario, topic) {
                Ok(())
            } else {
                Err(self.no_such_partition(topic, path))
            };
        }
        let Target::Node(name) = target else { return Ok(()) };
        let mut nodes: Vec<String> = (1..=settings::most_brokers(scenario)).map(|n| format!("b{n}")).collect();
        nodes.push("c1".into());
        nodes.extend(scenario.producers.iter().map(|one| one.name.clone()));
        nodes.extend(scenario.consumers.iter().map(|one| one.name.clone()));
        nodes.extend(settings::most_members(scenario).flat_map(|(_, group)| group.nodes().collect::<Vec<_>>()));
        if nodes.contains(name) {
            return Ok(());
        }
        let allowed: Vec<&str> = nodes.iter().map(String::as_str).chain(FORMS[2..].iter().copied()).collect();
        Err(Problem::unknown(self.at(path), "target", name, &allowed))
    }
}

/// What the producer itself says against its configuration: every property by itself was checked, but some contradict each other.
pub(super) fn contradiction(config: &BTreeMap<String, String>) -> Option<String> {
    ProducerConfig::from_properties(config).err().map(|error| error.to_string())
}

fn kind_of(table: &DeTable<'_>, at: &Range<usize>) -> Result<&'static Section, Problem> {
    let Some(value) = table.get("kind") else {
        let problem = Problem::new(at.clone(), "`kind` is missing in [[faults]]").label("in this table");
        return Err(problem.help(format!("allowed here: {}", fault_kinds().join(", "))));
    };
    let name = value.get_ref().as_str().unwrap_or("(not a word)");
    FAULTS.iter().find(|kind| kind.name == name).ok_or_else(|| Problem::unknown(value.span(), "kind", name, &fault_kinds()))
}

fn fault_kind(name: &str, fields: &Fields<'_>) -> FaultKind {
    let target = || fields.target("target").expect(SURE);
    let from = || fields.target("from").expect(SURE);
    let to = || fields.target("to").expect(SURE);
    let by = || fields.duration("by").expect(SURE);
    let one_way = || fields.flag("one_way").expect(SURE);
    match name {
        "crash" => FaultKind::Crash { target: target() },
        "outage" => FaultKind::Outage,
        "power-loss" => FaultKind::PowerLoss { target: target() },
        "power-loss-at-operation" => FaultKind::PowerLossAtOperation { target: target(), nth: fields.number("nth").expect(SURE) },
        "crash-loop" => {
            let every = fields.duration("every").expect(SURE);
            FaultKind::CrashLoop { target: target(), times: fields.number("times").expect(SURE), every }
        }
        "pause" => FaultKind::Pause { target: target() },
        "restart" => FaultKind::Restart { target: target() },
        "isolate" => FaultKind::Isolate { target: target(), except_clients: fields.flag("except_clients").expect(SURE) },
        "cut" => FaultKind::Cut { from: from(), to: to(), one_way: one_way() },
        "slow-link" => FaultKind::SlowLink { from: from(), to: to(), by: by() },
        "slow-disk" => FaultKind::SlowDisk { target: target(), by: by() },
        "stuck-disk" => FaultKind::StuckDisk { target: target() },
        "frame" => FaultKind::Frame { frames: frames(fields), fate: fate(fields) },
        "stale-metadata" => FaultKind::StaleMetadata { target: target(), by: fields.duration("by") },
        "split" => FaultKind::Split { groups: fields.groups("groups").expect(SURE), one_way: one_way() },
        "bridge" => FaultKind::Bridge { target: target() },
        "majorities-ring" => FaultKind::MajoritiesRing,
        "flapping-link" => FaultKind::FlappingLink {
            from: from(),
            to: fields.target("to"),
            every: fields.duration("every").expect(SURE),
            down: fields.duration("down").expect(SURE),
            one_way: one_way(),
        },
        "cut-clients" => FaultKind::CutClients { targets: fields.targets("targets").expect(SURE), one_way: one_way() },
        "narrow-link" => {
            FaultKind::NarrowLink { from: from(), to: fields.target("to"), bandwidth: fields.number("bandwidth").expect(SURE) }
        }
        "elect-preferred" => FaultKind::ElectPreferred { target: target() },
        "recreate-topic" => FaultKind::RecreateTopic { target: target() },
        "member-joins" => FaultKind::MemberJoins { target: target() },
        "member-leaves" => FaultKind::MemberLeaves { target: target() },
        "slow-processing" => FaultKind::SlowProcessing { target: target(), by: by() },
        "delete-records" => FaultKind::DeleteRecords { target: target(), keep: fields.number("keep").expect(SURE) },
        other => hardware_fault(other, fields),
    }
}

fn hardware_fault(name: &str, fields: &Fields<'_>) -> FaultKind {
    let target = fields.target("target").expect(SURE);
    let path = || fields.text("path").expect(SURE);
    let number = |key: &str| fields.number(key).expect(SURE);
    let flag = |key: &str| fields.flag(key).expect(SURE);
    match name {
        "failed-sync" => FaultKind::FailedSync { target, path: path(), nth: number("nth") },
        "io-error" => {
            let word = fields.text("operation").expect(SURE);
            let operation = DiskOperation::ALL.into_iter().find(|one| one.name() == word).expect(SURE);
            FaultKind::IoError { target, operation, path: path(), nth: number("nth"), times: number("times") }
        }
        "full-disk" => FaultKind::FullDisk { target, room: number("room") },
        "bit-rot" => FaultKind::BitRot { target, flips: number("flips") },
        "wipe-disk" => FaultKind::WipeDisk { target },
        "clock-jump" => FaultKind::ClockJump { target, by: fields.duration("by").expect(SURE), back: flag("back") },
        "clock-skew" => FaultKind::ClockSkew { target, ppm: count(fields, "ppm"), slow: flag("slow") },
        other => unreachable!("{other} is in the reference but not here"),
    }
}

fn frames(fields: &Fields<'_>) -> Frames {
    Frames {
        apis: fields.words("api").unwrap_or_default(),
        responses: fields.text("part").expect(SURE) == "response",
        from: fields.target("from"),
        to: fields.target("to"),
        nth: fields.number("nth").expect(SURE),
        count: fields.number("count").expect(SURE),
    }
}

fn fate(fields: &Fields<'_>) -> Fate {
    match fields.text("fate").expect(SURE).as_str() {
        "hold" => Fate::Hold,
        "delay" => Fate::Delay(fields.duration("by").expect(SURE)),
        "sever-before" => Fate::SeverBefore,
        "sever-after" => Fate::SeverAfter,
        other => unreachable!("{other} is in the reference but not here"),
    }
}

fn count(fields: &Fields<'_>, key: &str) -> u32 {
    u32::try_from(fields.number(key).expect(SURE)).expect("the reference bounds every count below 2^32")
}

fn promise(fields: &Fields<'_>) -> Progress {
    Progress { acknowledged: count(fields, "acknowledged"), within: fields.duration("within").expect(SURE) }
}

fn expect(fields: &Fields<'_>) -> Expect {
    Expect {
        verdicts: fields.words("verdict").expect(SURE),
        property: fields.text("property"),
        facts: fields.tally("facts").unwrap_or_default(),
        at_most: fields.tally("at_most").unwrap_or_default(),
        never: fields.words("never").unwrap_or_default(),
    }
}

fn cluster(fields: &Fields<'_>) -> Cluster {
    Cluster {
        brokers: count(fields, "brokers"),
        config: fields.config("config").unwrap_or_default(),
        drift_ppm_max: count(fields, "drift_ppm_max"),
    }
}

fn topic(fields: &Fields<'_>) -> Topic {
    Topic {
        name: fields.text("name").expect(SURE),
        partitions: count(fields, "partitions"),
        replicas: count(fields, "replicas"),
        config: fields.config("config").unwrap_or_default(),
    }
}

fn producer(fields: &Fields<'_>) -> Producer {
    Producer {
        name: fields.text("name").expect(SURE),
        topic: fields.text("topic").expect(SURE),
        every: fields.duration("every").unwrap_or(Duration::ZERO),
        at: fields.moments("at").unwrap_or_default(),
        records: fields.number("records"),
        // No larger than a frame; larger sizes are cut there and not refused, because the reference has no bounds for sizes.
        value_bytes: u32::try_from(fields.number("value_size").expect(SURE)).unwrap_or(u32::MAX).min(settings::VALUE_BYTES_MAX),
        partition: fields.number("partition").map(|_| count(fields, "partition")),
        keys: count(fields, "keys"),
        config: fields.config("config").unwrap_or_default(),
    }
}

fn consumer(fields: &Fields<'_>) -> Consumer {
    Consumer {
        name: fields.text("name").expect(SURE),
        topic: fields.text("topic").expect(SURE),
        every: fields.duration("every").expect(SURE),
        config: fields.config("config").unwrap_or_default(),
    }
}

fn group(fields: &Fields<'_>) -> Group {
    Group {
        name: fields.text("name").expect(SURE),
        topics: fields.words("topics").expect(SURE),
        members: count(fields, "members"),
        spare: count(fields, "spare"),
        is_static: fields.flag("static").expect(SURE),
        processing: fields.duration("processing").expect(SURE),
        every: fields.duration("every").expect(SURE),
        commit: CommitPolicy::parse(&fields.text("commit").expect(SURE)).expect(SURE),
        config: fields.config("config").unwrap_or_default(),
        spare_config: fields.config("spare_config"),
    }
}

fn network_weather(fields: &Fields<'_>) -> Network {
    Network {
        latency: fields.duration("latency").expect(SURE),
        jitter: fields.duration("jitter").expect(SURE),
        tail_one_in: count(fields, "tail_one_in"),
        tail: fields.duration("tail").expect(SURE),
        split_one_in: count(fields, "split_one_in"),
        bandwidth: fields.number("bandwidth"),
    }
}

fn disk_weather(fields: &Fields<'_>) -> DiskWeather {
    DiskWeather {
        sync: fields.duration("sync").expect(SURE),
        jitter: fields.duration("jitter").expect(SURE),
        harsh: fields.flag("harsh").expect(SURE),
        capacity: fields.number("capacity"),
    }
}

fn chaos_profile(fields: &Fields<'_>) -> Chaos {
    let bounded = |n: u64| u32::try_from(n).expect("the reference bounds it");
    let range = |key: &str| fields.numbers(key).map(|(low, high)| (bounded(low), bounded(high))).expect(SURE);
    Chaos {
        kinds: fields.words("kinds").expect(SURE),
        faults: range("faults"),
        at_most: fields.tally("at_most").unwrap_or_default(),
        lasts: fields.durations("lasts").expect(SURE),
        storms: range("storms"),
        swarm: fields.swarm("swarm").unwrap_or_default(),
    }
}
