//! The page itself: what stands where, and the one place where text becomes HTML.

use std::fmt::Write;

use crate::verdict::Verdict;

use super::beats::Beat;
use super::model::Model;
use super::names::{length, moment, number};
use super::sheet::TimeAxis;
use super::{charts, group_charts, lanes, tables};

/// Looks: readable on light and dark pages and on paper.
const STYLE: &str = include_str!("page.css");
/// Time before the first finding that is shown more closely.
const CLOSE: u64 = 2_000_000_000;
/// Partitions whose logs are drawn.
const LOGS_MAX: usize = 6;
/// Groups that are drawn.
const GROUPS_MAX: usize = 4;

/// A text as HTML; nothing in it can be taken for markup.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters and marks that turn the direction of writing could make a text look like another one.
            '\n' | '\t' => safe.push(c),
            c if c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}') => safe.push('\u{FFFD}'),
            c => safe.push(c),
        }
    }
    safe
}

/// The whole page.
#[must_use]
pub fn page(model: &Model) -> String {
    let mut html = String::new();
    let title = format!("{} {} seed {}", model.footer.judgement.verdict, model.header.scenario, model.header.seed);
    let _ = writeln!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>",
        escaped(&title)
    );
    html.push_str(&card(model));
    html.push_str(&contents(model));
    html.push_str(&section("story", "What happened", &story(model)));
    html.push_str(&tables::findings(model));
    html.push_str(&section("who", "Who was what, when", &who(model)));
    html.push_str(&section("logs", "Log ends and high watermarks", &logs(model)));
    html.push_str(&section("isr-section", "The ISR over time", &isr(model)));
    if !model.groups.is_empty() {
        html.push_str(&section("groups", "Consumer groups", &groups(model)));
    }
    html.push_str(&section("clients", "What clients got", &clients(model)));
    html.push_str(&tables::checks(model));
    html.push_str(&tables::plan(model));
    html.push_str(&tables::words());
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// A section with its heading.
pub(super) fn section(id: &str, heading: &str, body: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{heading}</h2>\n{body}</section>\n")
}

fn figure(svg: &str) -> String {
    format!("<figure>\n{svg}</figure>\n")
}

/// A verdict as a class name.
pub(super) fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Sanctioned | Verdict::BeyondTolerance | Verdict::Unknown => "warn",
        Verdict::Hang | Verdict::Crash | Verdict::Violation => "bad",
    }
}

fn card(model: &Model) -> String {
    let judgement = &model.footer.judgement;
    let title = if model.plan.title.is_empty() { &model.header.scenario } else { &model.plan.title };
    let mut html = format!("<header class=\"{}\">\n<h1>{}</h1>\n", tone(judgement.verdict), escaped(title));
    let _ = writeln!(html, "<p class=\"verdict\"><strong>{}</strong> {}</p>", judgement.verdict, escaped(&judgement.sentence));
    if let Some(property) = &judgement.property {
        let claim = judgement.checks.iter().find(|check| check.id == *property).map_or("", |check| check.claim.as_str());
        let _ = writeln!(html, "<p>Property <strong>{}</strong> failed first: {}.</p>", escaped(property), escaped(claim));
    }
    html.push_str("<dl class=\"numbers\">\n");
    for (name, what) in
        [("acknowledged", "acknowledged"), ("lost", "lost"), ("duplicated", "duplicated"), ("elections", "elections")]
    {
        let _ = writeln!(html, "<div><dt>{what}</dt><dd>{}</dd></div>", number(model.count(name)));
    }
    let silence = model.clients.silence.map_or("none".to_string(), |(from, to)| length(to - from));
    let _ = writeln!(html, "<div><dt>longest wait for an acknowledgement</dt><dd>{silence}</dd></div>\n</dl>");
    let mutant =
        model.plan.mutant.as_ref().map_or(String::new(), |slug| format!(", with the planted bug <b>{}</b>", escaped(slug)));
    let _ = writeln!(
        html,
        "<p class=\"origin\">Scenario <b>{}</b>, seed <b>{}</b>{mutant}. {} simulated, {} events, {} frames.<br>\
         Hash <code>{}</code>, recorded by {}.</p>\n\
         <p>Bring it back, to the last byte:</p>\n<pre><code>{}</code></pre>\n</header>",
        escaped(&model.header.scenario),
        model.header.seed,
        length(model.end),
        number(model.footer.events),
        number(model.frames),
        model.footer.hash,
        escaped(&model.header.build),
        escaped(&model.reproduce()),
    );
    html
}

fn contents(model: &Model) -> String {
    let findings = if model.footer.judgement.findings.is_empty() { "" } else { "<li><a href=\"#findings\">Findings</a></li>" };
    let groups = if model.groups.is_empty() { "" } else { "<li><a href=\"#groups\">Groups</a></li>" };
    format!(
        "<nav aria-label=\"Contents\"><ul><li><a href=\"#story\">What happened</a></li>{findings}<li><a href=\"#who\">Who was what</a></li>\
         <li><a href=\"#logs\">Logs</a></li><li><a href=\"#isr-section\">ISR</a></li>{groups}<li><a href=\"#clients\">Clients</a></li>\
         <li><a href=\"#checks\">Checks</a></li><li><a href=\"#plan\">Plan</a></li><li><a href=\"#words\">Words</a></li></ul></nav>\n"
    )
}

fn story(model: &Model) -> String {
    let mut html = String::from("<ol class=\"beats\">\n");
    for (at, beat) in model.story.beats.iter().enumerate() {
        html.push_str(&told(at, beat));
    }
    html.push_str("</ol>\n");
    if model.story.untold > 0 {
        let _ = writeln!(html, "<p class=\"note\">{} smaller beats are not told.</p>", number(model.story.untold));
    }
    html
}

fn told(at: usize, beat: &Beat) -> String {
    let events: Vec<String> = beat.events.iter().map(|event| format!("e{}", event.0)).collect();
    let more = beat.times.saturating_sub(beat.events.len() as u64);
    let more = if more > 0 { format!(" and {} more", number(more)) } else { String::new() };
    let mut html = format!(
        "<li id=\"beat-{}\" class=\"{}\"><span class=\"when\">{}</span> <span class=\"theme\">{}</span> <b>{}</b> ",
        at + 1,
        beat.theme.word(),
        moment(beat.at),
        beat.theme.word(),
        escaped(&beat.nodes.join(" ")),
    );
    if !beat.partitions.is_empty() {
        let _ = write!(html, "{}: ", escaped(&shown(&beat.partitions)));
    }
    let _ = write!(html, "{} <span class=\"why\">{}{more}", escaped(&beat.text), events.join(" "));
    if let Some((event, what)) = &beat.because {
        let _ = write!(html, ", because of e{}: {}", event.0, escaped(what));
    }
    if let Some(follows) = beat.follows {
        let _ = write!(html, "; follows from <a href=\"#beat-{0}\">beat {0}</a>", follows + 1);
    }
    html.push_str("</span></li>\n");
    html
}

/// A few names, and how many more there are.
fn shown(names: &[String]) -> String {
    const MOST: usize = 6;
    let few = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{few} and {} more", names.len() - MOST) } else { few }
}

/// The lanes of the whole run, and once more, closer, around what went wrong.
fn who(model: &Model) -> String {
    let all = TimeAxis::until(model.end);
    let mut html = figure(&lanes::lanes(model, "lanes", "Who was what, when", all));
    if let Some(beat) = model.story.first_finding()
        && model.end > 4 * CLOSE
    {
        let close = TimeAxis { begin: beat.at.saturating_sub(CLOSE), end: (beat.at + CLOSE / 2).min(model.end) };
        let title = format!("The same, from {} to {}", moment(close.begin), moment(close.end));
        let _ = writeln!(
            html,
            "<h3>Closer: around the first finding</h3>\n{}",
            figure(&lanes::lanes(model, "closer", &title, close))
        );
    }
    html.push_str(&figure(&lanes::legend()));
    html
}

fn logs(model: &Model) -> String {
    if model.partitions.is_empty() {
        return "<p class=\"note\">No partition was created.</p>\n".into();
    }
    let all = model.by_interest();
    let mut html = String::new();
    for (id, partition) in all.iter().take(LOGS_MAX).enumerate() {
        let _ = write!(
            html,
            "<h3>{}</h3>\n{}",
            escaped(&model.names.partition(partition.id)),
            figure(&charts::log(model, partition, id))
        );
    }
    if all.len() > LOGS_MAX {
        let left: Vec<String> = all[LOGS_MAX..].iter().map(|partition| model.names.partition(partition.id)).collect();
        let _ = writeln!(html, "<p class=\"note\">Not drawn, because less happened there: {}.</p>", escaped(&shown(&left)));
    }
    html
}

fn isr(model: &Model) -> String {
    if model.partitions.is_empty() {
        return "<p class=\"note\">No partition was created.</p>\n".into();
    }
    let about =
        "<p>The controller's committed state, the leader first. A write with acks=all waits for everybody in the ISR.</p>\n";
    format!("{about}{}", figure(&charts::isr(model)))
}

fn groups(model: &Model) -> String {
    let mut html = String::from(
        "<p>By the members' own word. A partition has one owner at a time; whoever has lost it and does not know yet still believes to own it.</p>\n",
    );
    for (id, group) in model.groups.iter().take(GROUPS_MAX).enumerate() {
        let _ = write!(html, "<h3>{}</h3>\n{}", escaped(&group.id), figure(&group_charts::group(model, group, id)));
    }
    if model.groups.len() > GROUPS_MAX {
        let left: Vec<String> = model.groups[GROUPS_MAX..].iter().map(|group| group.id.to_string()).collect();
        let _ = writeln!(html, "<p class=\"note\">Not drawn: {}.</p>", escaped(&shown(&left)));
    }
    html
}

fn clients(model: &Model) -> String {
    if model.clients.bins.is_empty() {
        return "<p class=\"note\">No client wrote or read anything.</p>\n".into();
    }
    let silence = model.clients.silence.map_or(String::new(), |(from, to)| {
        format!(
            "<p>For {} from {} on, writes waited and none was acknowledged: the longest such time.</p>\n",
            length(to - from),
            moment(from)
        )
    });
    format!("{silence}{}", figure(&charts::outcomes(model)))
}
