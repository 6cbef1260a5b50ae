//! `docs/clients.md`: which client can do what. One row for each client, made from what was tried. The README has it in short.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What clients try, in the order of the columns.
const FEATURES: [(&str, &str); 20] = [
    ("create-topic", "create a topic with a configuration"),
    ("produce", "write 5,000 records with keys, headers, times and every codec the client has; acks=all, idempotent"),
    ("consume", "read them all by assignment: content, order, offsets"),
    ("ends", "first and last offsets"),
    ("seek-by-time", "the first record at or after a moment, exactly, in compressed batches too"),
    ("describe-configs", "configurations with their sources"),
    ("alter-configs", "change them; a wrong value is refused with INVALID_CONFIG"),
    ("too-large", "MESSAGE_TOO_LARGE above max.message.bytes"),
    ("create-partitions", "more partitions"),
    ("describe-cluster", "brokers, topics, sizes of logs"),
    ("delete-records", "give up old records"),
    ("auto-create", "write to a topic that is not there yet"),
    ("refusals", "invalid and existing names are refused"),
    ("delete-topic", "delete a topic"),
    ("broker-stop", "a broker stops in the middle: nothing acknowledged is lost"),
    ("groups", "members of a group share partitions; they join, leave, die; the group goes on where it had committed"),
    ("group-admin", "list, describe, reset and delete groups"),
    ("newer-groups", "groups again, by the newer protocol (KIP-848)"),
    ("coordinator-stop", "a group's coordinator dies and comes back: nothing is missed, nothing committed is read again"),
    ("newer-coordinator-stop", "the same by the newer protocol"),
];

/// The same in short: how the README calls some of them together.
const IN_SHORT: [(&str, &[&str]); 5] = [
    (
        "topics, settings",
        &["create-topic", "describe-configs", "alter-configs", "create-partitions", "describe-cluster", "delete-topic"],
    ),
    ("write, read, seek", &["produce", "consume", "ends", "seek-by-time"]),
    ("a broker dies", &["broker-stop"]),
    ("groups", &["groups", "group-admin", "coordinator-stop"]),
    ("groups, KIP-848", &["newer-groups", "newer-coordinator-stop"]),
];
/// What the table in the README begins with.
const SHORT_HEAD: &str = "| client |";

/// One row is written at a time.
static WRITING: Mutex<()> = Mutex::new(());

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clients.md")
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")
}

fn row(name: &str, version: &str, done: &[&str]) -> String {
    let unknown: Vec<_> = done.iter().filter(|what| FEATURES.iter().all(|(name, _)| name != *what)).collect();
    assert!(unknown.is_empty(), "{name} does what the table has no column for: {unknown:?}");
    let cell = |(what, _): &(&str, &str)| if done.contains(what) { " ✓ |" } else { " – |" };
    format!("| {name} | {version} |{}", FEATURES.iter().map(cell).collect::<String>())
}

fn is_ticked(row: &str, what: &str) -> bool {
    let column = FEATURES.iter().position(|(name, _)| *name == what);
    column.is_some_and(|column| row.split('|').nth(column + 3).is_some_and(|cell| cell.trim() == "✓"))
}

/// Compares what a client has done with its row in the table, or writes the row. What could not be tried is taken from the table.
pub fn compare(name: &str, version: &str, done: &[&str], untried: &[&str]) {
    let _guard = WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let start = format!("| {name} |");
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    let known = text.lines().find(|line| line.starts_with(&start));
    let mut done = done.to_vec();
    done.extend(untried.iter().filter(|what| known.is_some_and(|row| is_ticked(row, what))));
    let row = row(name, version, &done);
    if std::env::var_os("UPDATE_CLIENTS").is_none() {
        assert_eq!(known, Some(row.as_str()), "docs/clients.md says something else; UPDATE_CLIENTS=1 writes it anew");
        return;
    }
    let mut rows = rows_of(&text);
    rows.retain(|line| !line.starts_with(&start));
    rows.push(row);
    rows.sort_by_key(|line| line.to_lowercase());
    std::fs::create_dir_all(path().parent().unwrap()).unwrap();
    std::fs::write(path(), whole(&rows)).unwrap();
    write_in_short(&rows);
}

/// The README says in short what `docs/clients.md` says.
pub fn compare_in_short() {
    let _guard = WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let rows = rows_of(&std::fs::read_to_string(path()).unwrap());
    if std::env::var_os("UPDATE_CLIENTS").is_some() {
        return write_in_short(&rows);
    }
    let text = std::fs::read_to_string(readme()).unwrap();
    let told: Vec<&str> = text.lines().skip_while(|line| !line.starts_with(SHORT_HEAD)).take(IN_SHORT.len() + 2).collect();
    assert_eq!(told, in_short(&rows), "README.md says something else than docs/clients.md; UPDATE_CLIENTS=1 writes it anew");
}

fn write_in_short(rows: &[String]) {
    let text = std::fs::read_to_string(readme()).unwrap();
    let (before, rest) = text.split_once(SHORT_HEAD).expect("the README has a table of clients");
    let behind: Vec<&str> = rest.lines().skip(IN_SHORT.len() + 2).collect();
    std::fs::write(readme(), format!("{before}{}\n{}\n", in_short(rows).join("\n"), behind.join("\n"))).unwrap();
}

/// One column for each client, because there are fewer lines than clients.
fn in_short(rows: &[String]) -> Vec<String> {
    let cells = |row: &String| row.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let names: Vec<String> = rows.iter().map(cells).map(|cells| format!("{} {}", cells[1], cells[2])).collect();
    let mut lines = vec![format!("{SHORT_HEAD} {} |", names.join(" | ")), format!("|---|{}", "---|".repeat(rows.len()))];
    for (name, features) in IN_SHORT {
        let cell = |row: &String| match features.iter().filter(|what| is_ticked(row, what)).count() {
            0 => "–".to_owned(),
            all if all == features.len() => "✓".to_owned(),
            some => format!("{some} of {}", features.len()),
        };
        lines.push(format!("| {name} | {} |", rows.iter().map(cell).collect::<Vec<_>>().join(" | ")));
    }
    lines
}

fn rows_of(text: &str) -> Vec<String> {
    text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| client")).map(str::to_owned).collect()
}

fn whole(rows: &[String]) -> String {
    let numbers: Vec<String> = (1..=FEATURES.len()).map(|number| format!(" {number} |")).collect();
    let head = format!("| client | version |{}\n|---|---|{}", numbers.concat(), "---|".repeat(FEATURES.len()));
    let legend: Vec<String> =
        FEATURES.iter().zip(1..).map(|((what, meaning), number)| format!("{number}. `{what}`: {meaning}")).collect();
    format!(
        "# Real clients\n\nWritten by `tests/clients.rs` from what was tried against `brokerlab serve` with three brokers. – means that the client has no\nsuch thing, or that the broker has not.\n\n{head}\n{}\n\n{}\n",
        rows.join("\n"),
        legend.join("\n")
    )
}
