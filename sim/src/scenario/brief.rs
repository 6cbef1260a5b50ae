//! A scenario as a person would have written it: only what is not the default, one table per thing, remarks where there is something to say.
//!
//! [`to_toml`] writes everything, because a plan has decided everything. This is the same value for other eyes: what the
//! [reference](super::reference) says is the default is left out, and reading the file gives the same scenario back.

use std::collections::BTreeMap;
use std::fmt::Write;

use toml::{Table, Value};

use super::model::Scenario;
use super::reference::{FAULTS, FILE, Key, Need, Section, Shape};
use super::write::{paragraph, quoted, to_toml};

/// What is said beside the scenario, in comments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Remarks {
    /// Lines above everything.
    pub head: Vec<String>,
    /// What is said of faults, by id.
    pub faults: BTreeMap<String, Vec<String>>,
}

/// Writes a scenario for people. The name is left out: it is that of the file.
///
/// # Panics
/// When what [`to_toml`] writes is not TOML.
#[must_use]
pub fn to_brief(scenario: &Scenario, remarks: &Remarks) -> String {
    let file: Table = to_toml(scenario).parse().expect("what is written is TOML");
    let mut out = String::new();
    comment(&mut out, &remarks.head);
    // TOML wants what belongs to the file before the first table.
    for key in FILE.keys.iter().filter(|key| key.name != "name") {
        match (file.get(key.name), key.shape) {
            (Some(Value::String(text)), Shape::Text) => {
                let text = if text.contains('\n') { paragraph(text) } else { quoted(text) };
                let _ = writeln!(out, "{} = {text}", key.name);
            }
            (Some(Value::Table(table)), Shape::Table(section)) if key.name != "chaos" => {
                let entries = entries(section, table);
                if !entries.is_empty() {
                    let _ = writeln!(out, "{} = {{ {} }}", key.name, entries.join(", "));
                }
            }
            (Some(Value::Array(_) | Value::Table(_)), Shape::Tables(_) | Shape::Faults | Shape::Table(_)) | (None, _) => {}
            (Some(value), _) => line(&mut out, key, value),
        }
    }
    for key in FILE.keys {
        let (Some(Value::Array(tables)), Shape::Tables(_) | Shape::Faults) = (file.get(key.name), key.shape) else { continue };
        tables.iter().filter_map(Value::as_table).for_each(|one| table(&mut out, key, one, remarks));
    }
    if let Some(chaos) = &scenario.chaos {
        super::write::chaos(&mut out, chaos);
    }
    out
}

fn table(out: &mut String, key: &Key, table: &Table, remarks: &Remarks) {
    out.push('\n');
    let word = |name: &str| table.get(name).and_then(Value::as_str).unwrap_or_default();
    let of_kind = || FAULTS.iter().find(|section| section.name == word("kind"));
    let section = if let Shape::Tables(section) = key.shape { Some(section) } else { of_kind() };
    if let (Shape::Faults, Some(said)) = (key.shape, remarks.faults.get(word("id"))) {
        comment(out, said);
    }
    let _ = writeln!(out, "[[{}]]", key.name);
    for key in section.map_or(&[][..], |section| section.keys) {
        if let Some(value) = table.get(key.name).filter(|value| is_worth_writing(key, value)) {
            line(out, key, value);
        }
    }
}

fn comment(out: &mut String, lines: &[String]) {
    for said in lines {
        // What others have said must not end the comment.
        let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(out, "{}", format!("# {said}").trim_end());
    }
}

fn line(out: &mut String, key: &Key, value: &Value) {
    let _ = writeln!(out, "{} = {}", key.name, short(key, value));
}

/// The entries of an inline table that are not the default.
fn entries(section: &Section, table: &Table) -> Vec<String> {
    let worth = section.keys.iter().filter_map(|key| Some((key, table.get(key.name)?)));
    worth
        .filter(|(key, value)| is_worth_writing(key, value))
        .map(|(key, value)| format!("{} = {}", key.name, short(key, value)))
        .collect()
}

fn is_worth_writing(key: &Key, value: &Value) -> bool {
    match (key.need, value) {
        (_, Value::Table(table)) => !table.is_empty(),
        (Need::Default(usual), Value::Array(list)) if list.len() == 1 => text(&list[0]) != usual,
        (Need::Default(usual), value) => text(value) != usual,
        (Need::Required | Need::Optional, _) => true,
    }
}

/// Where one word may stand for a list, it does.
fn short(key: &Key, value: &Value) -> String {
    match (key.shape, value.as_array().map(Vec::as_slice)) {
        (Shape::SomeOf(_) | Shape::Topics | Shape::Targets, Some([one])) => text(one),
        _ => text(value),
    }
}

/// A value on one line.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(list) => format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Table(table) if table.is_empty() => "{}".into(),
        Value::Table(table) => {
            let entries = table.iter().map(|(name, value)| format!("{} = {}", key_text(name), text(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => value.to_string(),
    }
}

/// A key; with dots in it, it needs quotes.
fn key_text(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare && !name.is_empty() { name.to_string() } else { quoted(name) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::super::{expand, load, parse};
    use super::*;

    /// Every lesson, yardstick and exhibit of the repository.
    fn lessons() -> Vec<Scenario> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        let files = ["", "museum", "bench"].into_iter().flat_map(|dir| std::fs::read_dir(root.join(dir)).unwrap());
        let files = files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "toml"));
        files.map(|path| load(&path).unwrap()).collect()
    }

    #[test]
    fn what_is_written_briefly_is_read_back_whole() {
        let lessons = lessons();
        assert!(lessons.len() > 50);
        for lesson in lessons {
            let plan = expand(&lesson, lesson.seed);
            for scenario in [lesson, plan] {
                let text = to_brief(&scenario, &Remarks::default());
                let again = parse(&format!("{}.toml", scenario.name), &text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
                assert_eq!(again, scenario, "{text}");
            }
        }
    }

    #[test]
    fn defaults_are_left_out_and_remarks_stand_above_their_faults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/leader-crash.toml");
        let plan = load(&path).unwrap();
        let id = plan.faults[0].id.clone();
        let said = vec!["strikes b1\nand \"nobody\" else".to_string()];
        let remarks = Remarks { head: vec!["run me".into()], faults: [(id.clone(), said)].into() };
        let text = to_brief(&plan, &remarks);
        assert!(text.starts_with("# run me\ntitle = "), "{text}");
        assert!(text.contains("\n# strikes b1 and \"nobody\" else\n[[faults]]\n"), "{text}");
        for left_out in ["config = {}", "drift_ppm_max", "split_one_in", "harsh", "name = \"leader-crash\""] {
            assert!(!text.contains(left_out), "{left_out}\n{text}");
        }
        assert_eq!(parse("leader-crash.toml", &text).unwrap(), plan);
    }
}
