//! Lists of the page: findings, checks, the plan, the words.

use std::fmt::Write;

use super::model::Model;
use super::names::number;
use super::page::{escaped, section, tone};

/// Findings that are listed.
const FINDINGS_MAX: usize = 60;
/// Bytes of the plan that are shown.
const PLAN_MAX: usize = 200_000;

/// What the checks found, if they found anything.
#[must_use]
pub fn findings(model: &Model) -> String {
    let findings = &model.footer.judgement.findings;
    if findings.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<table>\n<thead><tr><th>check</th><th>counts as</th><th>event</th><th>what is wrong</th></tr></thead>\n<tbody>\n",
    );
    for finding in findings.iter().take(FINDINGS_MAX) {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td class=\"{}\">{}</td><td>e{}</td><td>{}</td></tr>",
            escaped(&finding.check),
            tone(finding.verdict),
            finding.verdict,
            finding.event.0,
            escaped(&finding.text)
        );
    }
    html.push_str("</tbody>\n</table>\n");
    if findings.len() > FINDINGS_MAX {
        let _ = writeln!(html, "<p class=\"note\">{} more findings are not listed.</p>", findings.len() - FINDINGS_MAX);
    }
    section("findings", "Findings", &html)
}

/// Every check, with how often there was something to see: a check that saw nothing proves nothing.
#[must_use]
pub fn checks(model: &Model) -> String {
    let mut html = String::from(
        "<p>What must hold, and how often there was something to see. A check that saw nothing proves nothing.</p>\n\
         <table>\n<thead><tr><th>check</th><th>what must hold</th><th>looked</th><th>saw something</th><th>violated</th></tr></thead>\n<tbody>\n",
    );
    for check in &model.footer.judgement.checks {
        let class = match (check.violated, check.exercised) {
            (1.., _) => "bad",
            (0, 0) => "idle",
            (0, _) => "quiet",
        };
        let _ = writeln!(
            html,
            "<tr class=\"{class}\"><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&check.id),
            escaped(&check.claim),
            number(check.evaluated),
            number(check.exercised),
            number(check.violated)
        );
    }
    html.push_str("</tbody>\n</table>\n");
    section("checks", "Checks", &html)
}

/// The lesson, and the plan with which the run can be repeated anywhere.
#[must_use]
pub fn plan(model: &Model) -> String {
    let mut html = String::new();
    for paragraph in model.plan.lesson.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let _ = writeln!(html, "<p>{}</p>", escaped(paragraph.trim()));
    }
    let mut plan: String = model.header.plan.chars().take(PLAN_MAX).collect();
    if plan.len() < model.header.plan.len() {
        plan.push_str("\n# cut here\n");
    }
    let _ = writeln!(
        html,
        "<p>The plan says what the seed made of the scenario: every fault, every setting. Saved as a file, it is run in the same way \
         (<code>brokerlab run plan.toml</code>) and gives the same hash.</p>\n\
         <details>\n<summary>The whole plan</summary>\n<pre><code>{}</code></pre>\n</details>",
        escaped(&plan)
    );
    section("plan", "The plan", &html)
}

/// The field's words, in one line each.
const WORDS: &[(&str, &str)] = &[
    ("log end", "the offset after the last record of a replica's log"),
    ("high watermark", "records below it are on every replica in the ISR, and consumers may see them"),
    ("ISR", "the in-sync replicas: those whose logs count before a record is acknowledged with acks=all"),
    ("min ISR", "with fewer in-sync replicas than this, writes with acks=all are refused"),
    ("leader epoch", "counts the leaders of a partition; stamped on every batch, so that two histories can be told apart"),
    ("fenced", "a broker that the controller does not hear: it may not lead nor be in an ISR"),
    ("truncate", "a follower cuts what its leader does not have"),
    ("event", "everything that happens in the laboratory has a number, e1, e2 ..., and the number of what caused it"),
    ("fault", "what the plan does to the cluster: crashes, cuts, power losses, slow and stuck disks"),
];

/// The words.
#[must_use]
pub fn words() -> String {
    let mut html = String::from("<dl class=\"words\">\n");
    for (word, meaning) in WORDS {
        let _ = writeln!(html, "<dt>{word}</dt><dd>{meaning}</dd>");
    }
    html.push_str("</dl>\n");
    section("words", "Words", &html)
}
