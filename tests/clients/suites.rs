//! What others measure a broker by: tests that come with a client, run as they are and none of them copied; and Kafka's own answers.
//!
//! `kafka-python.passing` names the cases that must pass; it only grows. `UPDATE_CLIENTS=1` tries all cases and adds those that pass by
//! now. What does not pass, and why, stands in `docs/suites.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Server;
use crate::fleet::Fleet;
use crate::tools::{self, Missing, output_within};

/// How long the whole suite may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The suite is written for a cluster of one broker with number 0, which allows short sessions.
const ALONE: [&str; 6] = ["--process-roles", "broker,controller", "--node-id", "0", "--set", "group.min.session.timeout.ms=1000"];

fn list() -> PathBuf {
    tools::here().join("kafka-python.passing")
}

/// Runs the cases of the list; with `UPDATE_CLIENTS=1` all there are.
pub fn kafka_python() {
    if !Fleet::is_possible() {
        return println!("skipped the suite of kafka-python: this build serves no broker 0");
    }
    let prepared = tools::python("suite.py").and_then(|program| Ok((program, tools::source("kafka-python", "3.0.12")?)));
    let (mut program, place) = match prepared {
        Ok(prepared) => prepared,
        Err(Missing(why)) => return println!("skipped the suite of kafka-python: {why}"),
    };
    let text = std::fs::read_to_string(list()).unwrap_or_default();
    let known: Vec<&str> = text.lines().collect();
    let server = Server::start_as("kafka-python-suite", &ALONE);
    program.arg(&server.bootstrap).arg(place);
    let update = std::env::var_os("UPDATE_CLIENTS").is_some();
    if !update {
        program.args(&known);
    }
    let (told, errors) = output_within(&mut program, PATIENCE).unwrap_or_else(|error| panic!("{error}"));
    let passed: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("passed ")).collect();
    let lost: Vec<&&str> = known.iter().filter(|case| !passed.contains(case)).collect();
    assert!(lost.is_empty(), "these passed before: {lost:#?}\n{told}\n{errors}");
    if update {
        let mut all = passed;
        all.sort_unstable();
        std::fs::write(list(), format!("{}\n", all.join("\n"))).unwrap();
        println!("{told}");
    }
}

/// Asks what `differences.py` asks and compares the answers with those of Kafka 4.1.1, which were recorded once. Where they differ stands in
/// `docs/differences.md`, and nowhere else.
pub fn differences() {
    let mut program = match tools::python("differences.py") {
        Ok(program) => program,
        Err(Missing(why)) => return println!("skipped the differences: {why}"),
    };
    let recorded = std::fs::read_to_string(tools::here().join("kafka-4.1.1.answers")).unwrap();
    let server = Server::start_as("differences", &["--brokers", "1"]);
    program.arg(&server.bootstrap);
    let (told, errors) = output_within(&mut program, PATIENCE).unwrap_or_else(|error| panic!("{error}"));
    let (kafka, ours) = (answers(&recorded), answers(&told));
    assert!(ours.len() > 150, "it answered {} questions\n{errors}", ours.len());
    let page = differences_page(&kafka, &ours);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differences.md");
    match std::env::var_os("UPDATE_CLIENTS") {
        Some(_) => std::fs::write(path, page).unwrap(),
        None => assert_eq!(std::fs::read_to_string(path).unwrap(), page, "UPDATE_CLIENTS=1 writes docs/differences.md anew"),
    }
}

fn answers(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(": ")).collect()
}

fn differences_page(kafka: &BTreeMap<&str, &str>, ours: &BTreeMap<&str, &str>) -> String {
    // Of a broker Kafka tells some 300 properties; only those can be compared that exist here.
    let asked: Vec<&&str> = kafka.keys().filter(|question| ours.contains_key(*question)).collect();
    let differ: Vec<&&&str> = asked.iter().filter(|question| kafka[**question] != ours[**question]).collect();
    let row = |question: &&&&str| format!("| {question} | {} | {} |", cell(kafka[***question]), cell(ours[***question]));
    let (words, codes): (Vec<_>, Vec<_>) = differ.iter().partition(|question| question.ends_with(", in words"));
    let rows = |questions: &[&&&&str]| questions.iter().map(|question| row(question)).collect::<Vec<_>>().join("\n");
    let head = "| question | Kafka 4.1.1 | brokerlab |\n|---|---|---|";
    format!(
        "# Where Kafka answers otherwise\n\nWritten by `tests/clients.rs`. `tests/clients/differences.py` asks {} questions that both answer; \
         {} answers differ in what they say,\n{} only in the words of a refusal. Kafka's answers were recorded with a single combined node \
         (`kafka_2.13` and `kafka-tools` 4.1.1 from Maven).\n\n## Other answers\n\n{head}\n{}\n\n## Other words\n\n{head}\n{}\n",
        asked.len(),
        codes.len(),
        words.len(),
        rows(&codes),
        rows(&words)
    )
}

fn cell(answer: &str) -> String {
    let text = answer.replace('|', "\\|");
    match text.char_indices().nth(160) {
        Some((at, _)) => format!("`{}`…", &text[..at]),
        None => format!("`{text}`"),
    }
}
