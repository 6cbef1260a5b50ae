//! The file that is handed over: what fails, how to see it, and why each fault is there.

use crate::scenario::model::Expect;
use crate::scenario::{Remarks, Scenario, to_brief};

use super::Shrunk;

/// Longest line of prose.
const WIDTH: usize = 110;

/// Where a shrunk run came from and where it goes.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The command that ran the original.
    pub original: String,
    /// The command that runs the file.
    pub again: String,
    /// Stem of the file.
    pub stem: String,
}

/// The text of the file.
#[must_use]
pub fn file(shrunk: &Shrunk, origin: &Origin) -> String {
    to_brief(&scenario(shrunk, origin), &remarks(shrunk, origin))
}

/// The plan as a lesson of its own: it expects what it shows.
#[must_use]
pub fn scenario(shrunk: &Shrunk, origin: &Origin) -> Scenario {
    let (symptom, plan) = (&shrunk.symptom, &shrunk.plan);
    let facts = plan.mutant.iter().map(|_| ("MutantActed".to_string(), 1)).collect();
    let expect = Expect {
        verdicts: vec![symptom.verdict.name().to_string()],
        property: Some(symptom.property.clone()),
        facts,
        ..Expect::default()
    };
    let with = plan.mutant.as_ref().map_or(String::new(), |mutant| format!(" with {mutant} planted"));
    let title = format!("{} {}{with}", symptom.property, verb(&symptom.property));
    let claim = shrunk.judgement.checks.iter().find(|check| check.id == symptom.property);
    let claim = claim.map_or(String::new(), |check| format!("{}\n", wrapped(&format!("What must hold: {}.", check.claim))));
    let lesson = format!("{claim}{}\n", wrapped(&format!("What happens: {}.", shrunk.judgement.sentence)));
    Scenario { name: origin.stem.clone(), title, lesson, expect, ..plan.clone() }
}

fn verb(property: &str) -> &'static str {
    match property {
        "panic" => "of a participant",
        "settle" => "takes too long",
        _ => "fails",
    }
}

fn remarks(shrunk: &Shrunk, origin: &Origin) -> Remarks {
    let (from, to) = (shrunk.from.text(), shrunk.to.text());
    let proof = match (shrunk.is_minimal, shrunk.plan.faults.len()) {
        (false, _) => "The budget ended the search: nobody has looked whether each fault is needed.",
        (true, 0) => "No fault is needed.",
        (true, 1) => "The fault is needed: this file was run without it, and does not fail by this property then.",
        (true, _) => "Each fault is needed: this file was run without each of them, and does not fail by this property then.",
    };
    let head = [
        format!("again:     {}", origin.again),
        format!("original:  {}", origin.original),
        format!("shrunk from {from}"),
        format!("         to {to}"),
        proof.to_string(),
    ];
    let faults = shrunk.struck.iter().map(|(id, nodes)| {
        let whom =
            if nodes.is_empty() { "strikes no node in particular".to_string() } else { format!("strikes {}", nodes.join(", ")) };
        (id.clone(), vec![whom])
    });
    Remarks { head: head.into(), faults: faults.collect() }
}

/// The same words in lines that are not too long.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_string());
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_between_words() {
        let text = "word ".repeat(60);
        let lines = wrapped(&text);
        assert!(lines.lines().count() == 3 && lines.lines().all(|line| line.len() <= WIDTH && !line.ends_with(' ')));
        assert_eq!(lines.split_whitespace().count(), 60);
        assert_eq!(wrapped("short"), "short");
    }
}
