//! What the compiler and clippy cannot say: who may import whom, and what must not be named at all.
//!
//! The arrows are those of ARCHITECTURE.md. A module that is not listed fails the test, so the list stays whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module of `src/` and the modules that it may import.
const ARROWS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("digest", &[]),
    ("disk", &[]),
    ("mutant", &[]),
    ("fact", &["types", "disk", "mutant"]),
    ("operation", &["types"]),
    ("actor", &["types", "digest", "disk", "fact", "operation"]),
    ("wire", &["types"]),
    ("channel", &["types", "actor", "wire"]),
    ("log", &["types", "disk", "mutant", "wire"]),
    ("replica", &["types", "actor", "disk", "fact", "mutant", "wire", "log"]),
    ("controller", &["types", "digest", "actor", "disk", "fact", "mutant", "operation", "wire", "log", "testing"]),
    ("group", &["types", "digest", "actor", "fact", "mutant", "wire"]),
    (
        "broker",
        &[
            "types",
            "digest",
            "actor",
            "disk",
            "fact",
            "mutant",
            "operation",
            "wire",
            "channel",
            "log",
            "replica",
            "controller",
            "group",
        ],
    ),
    ("client", &["types", "digest", "actor", "disk", "fact", "mutant", "operation", "wire", "channel"]),
    ("node", &["types", "actor", "disk", "fact", "operation", "wire", "broker", "client", "controller"]),
    ("lib", &[]),
];

/// Words that have no place in `src/` outside `node`.
const BANNED: &[&str] =
    &["HashMap", "HashSet", "std::fs", "std::net", "std::thread", "std::time", "async fn", ".await", "thread_rng", "static mut"];

#[test]
fn modules_import_only_what_lies_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in broker_files() {
        let module = module_of(&file);
        let allowed =
            allowed.get(module.as_str()).unwrap_or_else(|| panic!("{module} has no place in the house: add its arrows"));
        for name in names_after(&code_of(&file), "crate::") {
            if name != module && !allowed.contains(&name.as_str()) && !name.is_empty() {
                wrong.push(format!("{} imports {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these imports point upwards:\n{}", wrong.join("\n"));
}

/// Whether a word stands there as a whole: `.await`, not `.await_members`.
fn names(code: &str, word: &str) -> bool {
    let goes_on = |rest: &str| rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    code.match_indices(word).any(|(at, _)| !goes_on(&code[at + word.len()..]))
}

#[test]
fn broker_names_neither_clocks_nor_threads_nor_files() {
    let mut wrong = Vec::new();
    for file in broker_files() {
        let code = code_of(&file);
        if module_of(&file) != "node" {
            wrong.extend(BANNED.iter().filter(|word| names(&code, word)).map(|word| format!("{}: {word}", file.display())));
        }
        if code.contains("madsim") {
            wrong.push(format!("{}: madsim", file.display()));
        }
    }
    assert!(wrong.is_empty(), "banned outside src/node:\n{}", wrong.join("\n"));
}

#[test]
fn checkers_and_reports_share_nothing_with_the_broker_but_words() {
    const WORDS: &[&str] = &["types", "fact", "operation", "actor", "disk", "mutant"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for file in rust_files(root.join("sim/src/check")).into_iter().chain(rust_files(root.join("reports/src"))) {
        for name in names_after(&code_of(&file), "brokerlab::") {
            if !WORDS.contains(&name.as_str()) {
                wrong.push(format!("{}: brokerlab::{name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "a checker that calls the broker inherits its bugs:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_prose_and_holds_one_idea() {
    const LINES_MAX: usize = 600;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for directory in ["src", "sim/src", "reports/src", "tests"] {
        for file in rust_files(root.join(directory)) {
            let text = fs::read_to_string(&file).expect("a listed file can be read");
            if !text.starts_with("//!") {
                wrong.push(format!("{} does not open with prose", file.display()));
            }
            if text.lines().count() > LINES_MAX {
                wrong.push(format!("{} has {} lines", file.display(), text.lines().count()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The files of `src/` that are there in every build, not only for tests.
fn broker_files() -> Vec<PathBuf> {
    let files = rust_files(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let only_tests: BTreeSet<PathBuf> = files.iter().flat_map(|file| test_modules(file)).collect();
    files.into_iter().filter(|file| !file.ancestors().any(|part| only_tests.contains(&part.with_extension("")))).collect()
}

/// Where the modules lie that a file declares under `#[cfg(test)]`, without the ending `.rs`.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(file).expect("a listed file can be read");
    let parent = file.parent().expect("a file lies in a directory");
    let is_root = file.ends_with("mod.rs") || file.ends_with("lib.rs");
    let below = if is_root { parent.to_path_buf() } else { file.with_extension("") };
    let declared = text.split("#[cfg(test)]\n").skip(1).filter_map(|rest| rest.strip_prefix("mod ")?.split_once(';'));
    declared.filter(|(name, _)| !name.contains('{')).map(|(name, _)| below.join(name)).collect()
}

/// `src/log/segment.rs` belongs to `log`, `src/types.rs` to `types`.
fn module_of(file: &Path) -> String {
    let below =
        file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("only files below src are asked about");
    let first = below.iter().next().and_then(|part| part.to_str()).expect("a file has a name");
    first.trim_end_matches(".rs").to_string()
}

/// The names that follow `prefix`, one level deep, braces opened.
fn names_after(code: &str, prefix: &str) -> Vec<String> {
    let identifier = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut names = Vec::new();
    for rest in code.split(prefix).skip(1) {
        match rest.strip_prefix('{') {
            None => names.push(identifier(rest)),
            Some(group) => {
                let group = &group[..group.find("};").unwrap_or(group.len())];
                let mut depth = 0;
                let mut start = true;
                for (at, c) in group.char_indices() {
                    if depth == 0 && start && (c.is_alphabetic() || c == '_') {
                        names.push(identifier(&group[at..]));
                        start = false;
                    }
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    start |= depth == 0 && c == ',';
                }
            }
        }
    }
    names
}

/// The file without comments and without its test module.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a listed file can be read");
    let text = text.split("#[cfg(test)]\nmod ").next().expect("a split has a first part");
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn rust_files(directory: PathBuf) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            files.extend(rust_files(path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
