//! From a [`Scenario`] to its file. Reading the file gives the same value back, so a plan that was written, shrunk and edited is
//! still a plan.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::model::{Chaos, Expect, Fate, Fault, FaultKind, Frames, Group, Producer, Progress, Scenario, Target};
use super::units::size_text;

/// Writes a scenario or plan.
#[must_use]
pub fn to_toml(scenario: &Scenario) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("name = {}", quoted(&scenario.name)));
    line(format!("title = {}", quoted(&scenario.title)));
    line(format!("lesson = {}", paragraph(&scenario.lesson)));
    line(format!("seed = {}", seed(scenario.seed)));
    line(format!("duration = \"{}\"", scenario.duration));
    if !scenario.must_exercise.is_empty() {
        line(format!("must_exercise = {}", list(&scenario.must_exercise)));
    }
    if let Some(Progress { acknowledged, within }) = scenario.progress {
        line(format!("progress = {{ acknowledged = {acknowledged}, within = \"{within}\" }}"));
    }
    if scenario.expect != Expect::default() {
        let verdicts =
            if scenario.expect.verdicts.is_empty() { vec!["PASS".to_string()] } else { scenario.expect.verdicts.clone() };
        let tally = |facts: &BTreeMap<String, u64>| inline(facts.iter().map(|(name, count)| (name.as_str(), count.to_string())));
        let (facts, at_most) = (tally(&scenario.expect.facts), &scenario.expect.at_most);
        let at_most = if at_most.is_empty() { String::new() } else { format!(", at_most = {}", tally(at_most)) };
        let never = &scenario.expect.never;
        let never = if never.is_empty() { String::new() } else { format!(", never = {}", list(never)) };
        let property = scenario.expect.property.as_ref().map(|id| format!(", property = {}", quoted(id))).unwrap_or_default();
        line(format!("expect = {{ verdict = {}{property}, facts = {facts}{at_most}{never} }}", list(&verdicts)));
    }
    if let Some(mutant) = &scenario.mutant {
        line(format!("mutant = {}", quoted(mutant)));
    }
    let (cluster, network, disk) = (&scenario.cluster, &scenario.network, &scenario.disk);
    let drift = cluster.drift_ppm_max;
    line(format!("cluster = {{ brokers = {}, drift_ppm_max = {drift}, config = {} }}", cluster.brokers, config(&cluster.config)));
    let bandwidth = network.bandwidth.map(|bytes| format!(", bandwidth = \"{}\"", size_text(bytes))).unwrap_or_default();
    line(format!(
        "network = {{ latency = \"{}\", jitter = \"{}\", tail_one_in = {}, tail = \"{}\", split_one_in = {}{bandwidth} }}",
        network.latency, network.jitter, network.tail_one_in, network.tail, network.split_one_in
    ));
    let capacity = disk.capacity.map(|bytes| format!(", capacity = \"{}\"", size_text(bytes))).unwrap_or_default();
    line(format!("disk = {{ sync = \"{}\", jitter = \"{}\", harsh = {}{capacity} }}", disk.sync, disk.jitter, disk.harsh));
    clients(&mut out, scenario);
    scenario.faults.iter().for_each(|one| fault(&mut out, one));
    if let Some(profile) = &scenario.chaos {
        chaos(&mut out, profile);
    }
    out
}

fn clients(out: &mut String, scenario: &Scenario) {
    for topic in &scenario.topics {
        let _ = writeln!(out, "\n[[topics]]\nname = {}", quoted(&topic.name));
        let _ =
            writeln!(out, "partitions = {}\nreplicas = {}\nconfig = {}", topic.partitions, topic.replicas, config(&topic.config));
    }
    scenario.producers.iter().for_each(|one| producer(out, one));
    for consumer in &scenario.consumers {
        let _ = writeln!(out, "\n[[consumers]]\nname = {}\ntopic = {}", quoted(&consumer.name), quoted(&consumer.topic));
        let _ = writeln!(out, "every = \"{}\"\nconfig = {}", consumer.every, config(&consumer.config));
    }
    scenario.groups.iter().for_each(|one| group(out, one));
}

fn group(out: &mut String, group: &Group) {
    let _ = writeln!(out, "\n[[groups]]\nname = {}\ntopics = {}", quoted(&group.name), list(&group.topics));
    let _ = writeln!(out, "members = {}\nspare = {}\nstatic = {}", group.members, group.spare, group.is_static);
    let _ = writeln!(out, "processing = \"{}\"\nevery = \"{}\"", group.processing, group.every);
    let _ = writeln!(out, "commit = \"{}\"\nconfig = {}", group.commit, config(&group.config));
    if let Some(spare) = &group.spare_config {
        let _ = writeln!(out, "spare_config = {}", config(spare));
    }
}

fn producer(out: &mut String, producer: &Producer) {
    let _ = writeln!(out, "\n[[producers]]\nname = {}\ntopic = {}", quoted(&producer.name), quoted(&producer.topic));
    let _ = match &producer.at[..] {
        [] => writeln!(out, "every = \"{}\"", producer.every),
        at => writeln!(out, "at = {}", list(&at.iter().map(ToString::to_string).collect::<Vec<_>>())),
    };
    if let Some(records) = producer.records {
        let _ = writeln!(out, "records = {records}");
    }
    let _ = writeln!(out, "value_size = \"{}\"", size_text(u64::from(producer.value_bytes)));
    if let Some(partition) = producer.partition {
        let _ = writeln!(out, "partition = {partition}");
    }
    let _ = writeln!(out, "keys = {}\nconfig = {}", producer.keys, config(&producer.config));
}

#[allow(clippy::too_many_lines)] // One short arm for each kind of fault.
fn fault(out: &mut String, fault: &Fault) {
    let _ = writeln!(out, "\n[[faults]]\nid = {}\nat = \"{}\"\nfor = \"{}\"", quoted(&fault.id), fault.at, fault.lasts);
    let _ = writeln!(out, "kind = \"{}\"", fault.kind.name());
    match &fault.kind {
        FaultKind::Crash { target }
        | FaultKind::PowerLoss { target }
        | FaultKind::Pause { target }
        | FaultKind::Restart { target }
        | FaultKind::StuckDisk { target }
        | FaultKind::ElectPreferred { target }
        | FaultKind::RecreateTopic { target }
        | FaultKind::MemberJoins { target }
        | FaultKind::MemberLeaves { target }
        | FaultKind::WipeDisk { target }
        | FaultKind::Bridge { target }
        | FaultKind::StaleMetadata { target, by: None } => {
            let _ = writeln!(out, "target = \"{target}\"");
        }
        FaultKind::DeleteRecords { target, keep } => {
            let _ = writeln!(out, "target = \"{target}\"\nkeep = {keep}");
        }
        FaultKind::PowerLossAtOperation { target, nth } => {
            let _ = writeln!(out, "target = \"{target}\"\nnth = {nth}");
        }
        FaultKind::CrashLoop { target, times, every } => {
            let _ = writeln!(out, "target = \"{target}\"\ntimes = {times}\nevery = \"{every}\"");
        }
        FaultKind::FailedSync { target, path, nth } => {
            let _ = writeln!(out, "target = \"{target}\"\npath = {}\nnth = {nth}", quoted(path));
        }
        FaultKind::IoError { target, operation, path, nth, times } => {
            let (operation, path) = (operation.name(), quoted(path));
            let _ = writeln!(out, "target = \"{target}\"\noperation = \"{operation}\"\npath = {path}");
            let _ = writeln!(out, "nth = {nth}\ntimes = {times}");
        }
        FaultKind::FullDisk { target, room } => {
            let _ = writeln!(out, "target = \"{target}\"\nroom = \"{}\"", size_text(*room));
        }
        FaultKind::BitRot { target, flips } => {
            let _ = writeln!(out, "target = \"{target}\"\nflips = {flips}");
        }
        FaultKind::ClockJump { target, by, back } => {
            let _ = writeln!(out, "target = \"{target}\"\nby = \"{by}\"\nback = {back}");
        }
        FaultKind::ClockSkew { target, ppm, slow } => {
            let _ = writeln!(out, "target = \"{target}\"\nppm = {ppm}\nslow = {slow}");
        }
        FaultKind::Isolate { target, except_clients } => {
            let _ = writeln!(out, "target = \"{target}\"\nexcept_clients = {except_clients}");
        }
        FaultKind::Cut { from, to, one_way } => {
            let _ = writeln!(out, "from = \"{from}\"\nto = \"{to}\"\none_way = {one_way}");
        }
        FaultKind::SlowLink { from, to, by } => {
            let _ = writeln!(out, "from = \"{from}\"\nto = \"{to}\"\nby = \"{by}\"");
        }
        FaultKind::SlowDisk { target, by }
        | FaultKind::SlowProcessing { target, by }
        | FaultKind::StaleMetadata { target, by: Some(by) } => {
            let _ = writeln!(out, "target = \"{target}\"\nby = \"{by}\"");
        }
        FaultKind::Frame { frames: picked, fate } => frames(out, picked, *fate),
        FaultKind::Split { groups, one_way } => {
            let groups: Vec<String> = groups.iter().map(|group| targets(group)).collect();
            let _ = writeln!(out, "groups = [{}]\none_way = {one_way}", groups.join(", "));
        }
        FaultKind::MajoritiesRing | FaultKind::Outage => {}
        FaultKind::FlappingLink { from, to, every, down, one_way } => {
            ends(out, Some(from), to.as_ref());
            let _ = writeln!(out, "every = \"{every}\"\ndown = \"{down}\"\none_way = {one_way}");
        }
        FaultKind::CutClients { targets: servers, one_way } => {
            let _ = writeln!(out, "targets = {}\none_way = {one_way}", targets(servers));
        }
        FaultKind::NarrowLink { from, to, bandwidth } => {
            ends(out, Some(from), to.as_ref());
            let _ = writeln!(out, "bandwidth = \"{}\"", size_text(*bandwidth));
        }
    }
}

fn frames(out: &mut String, frames: &Frames, fate: Fate) {
    if !frames.apis.is_empty() {
        let _ = writeln!(out, "api = {}", list(&frames.apis));
    }
    let _ = writeln!(out, "part = \"{}\"", if frames.responses { "response" } else { "request" });
    ends(out, frames.from.as_ref(), frames.to.as_ref());
    let _ = writeln!(out, "nth = {}\ncount = {}\nfate = \"{}\"", frames.nth, frames.count, fate.name());
    if let Fate::Delay(by) = fate {
        let _ = writeln!(out, "by = \"{by}\"");
    }
}

fn ends(out: &mut String, from: Option<&Target>, to: Option<&Target>) {
    for (key, end) in [("from", from), ("to", to)] {
        if let Some(end) = end {
            let _ = writeln!(out, "{key} = \"{end}\"");
        }
    }
}

fn targets(targets: &[Target]) -> String {
    list(&targets.iter().map(ToString::to_string).collect::<Vec<_>>())
}

pub(super) fn chaos(out: &mut String, chaos: &Chaos) {
    let _ = writeln!(out, "\n[chaos]\nkinds = {}", list(&chaos.kinds));
    let _ = writeln!(out, "faults = [{}, {}]", chaos.faults.0, chaos.faults.1);
    if !chaos.at_most.is_empty() {
        let _ = writeln!(out, "at_most = {}", inline(chaos.at_most.iter().map(|(kind, most)| (kind.as_str(), most.to_string()))));
    }
    let _ = writeln!(out, "lasts = [\"{}\", \"{}\"]", chaos.lasts.0, chaos.lasts.1);
    if chaos.storms != (0, 0) {
        let _ = writeln!(out, "storms = [{}, {}]", chaos.storms.0, chaos.storms.1);
    }
    if !chaos.swarm.is_empty() {
        out.push_str("\n[chaos.swarm]\n");
    }
    for (setting, values) in &chaos.swarm {
        let _ = writeln!(out, "{} = {}", quoted(setting), list(values));
    }
}

fn config(config: &BTreeMap<String, String>) -> String {
    inline(config.iter().map(|(name, value)| {
        let bare = value == "true" || value == "false" || value.parse::<i64>().is_ok_and(|n| n.to_string() == *value);
        (name.as_str(), if bare { value.clone() } else { quoted(value) })
    }))
}

fn inline<'s>(entries: impl Iterator<Item = (&'s str, String)>) -> String {
    let entries: Vec<String> = entries.map(|(name, value)| format!("{} = {value}", quoted(name))).collect();
    if entries.is_empty() { "{}".into() } else { format!("{{ {} }}", entries.join(", ")) }
}

fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", "))
}

fn seed(seed: u64) -> String {
    if i64::try_from(seed).is_ok() { seed.to_string() } else { format!("\"{seed}\"") }
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text, false))
}

/// Many lines stay readable: a plan is read by people too.
pub(super) fn paragraph(text: &str) -> String {
    if text.contains('\n') { format!("\"\"\"\n{}\"\"\"", escaped(text, true)) } else { quoted(text) }
}

fn escaped(text: &str, keep_lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' if keep_lines => out.push('\n'),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
