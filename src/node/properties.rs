//! Kafka's way to write a configuration down: `server.properties`, and the environment of its container image.
//!
//! ```text
//!   # a comment                                KAFKA_NUM_PARTITIONS=3      num.partitions=3
//!   num.partitions=3                           KAFKA_A__B                  a_b
//!   log.dirs = /data                           KAFKA_A___B                 a-b
//!   listeners=PLAINTEXT://:9092,\
//!             CONTROLLER://:9093               one line, two physical ones
//! ```
//!
//! The syntax is that of Java's properties: `=`, `:` or blanks part name and value, a backslash escapes, and at the end of a line joins it
//! with the next. What is stricter: a name may be given once.

use std::collections::BTreeMap;
use std::fmt;

/// What is put before the names of Kafka's container image.
const ENVIRONMENT_PREFIX: &str = "KAFKA_";
/// Variables of that image which are no properties.
const NOT_PROPERTIES: &[&str] =
    &["KAFKA_VERSION", "KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JMX_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_GC_LOG_OPTS"];
const NOT_PROPERTIES_FROM: &[&str] = &["KAFKA_LOG4J_", "KAFKA_JMX_"];

/// Where a property was set.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// A line of a file, from 1.
    Line {
        /// The file.
        file: String,
        /// The line.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// The command line, in these words.
    Flag(String),
    /// Nobody set it.
    Default,
}

/// One property as it was set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its value.
    pub value: String,
    /// Where it was set.
    pub place: Place,
}

/// Properties by name. What is set later overrules what was set before.
pub type Settings = BTreeMap<String, Setting>;

/// What is wrong with a property, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub struct PropertyError {
    /// Where.
    pub place: Place,
    /// What, and what would be right.
    pub message: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { file, line } => write!(f, "{file}:{line}"),
            Place::Variable(name) => write!(f, "environment variable {name}"),
            Place::Flag(words) => f.write_str(words),
            Place::Default => f.write_str("configuration"),
        }
    }
}

/// Reads a file of properties.
///
/// # Errors
/// The first line that is none, or that sets again what is set.
pub fn parse(file: &str, text: &str) -> Result<Settings, PropertyError> {
    let mut settings = Settings::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let mut logical = line.trim_start().to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while is_continued(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(next.trim_start()),
                None => break,
            }
        }
        let place = Place::Line { file: file.to_owned(), line: number };
        let (key, value) = split(&logical);
        if key.is_empty() {
            return Err(PropertyError { place, message: format!("`{logical}` is not of the form name=value") });
        }
        if let Some(Setting { place: Place::Line { line, .. }, .. }) = settings.get(&key) {
            return Err(PropertyError { place, message: format!("{key} is set already, on line {line}") });
        }
        settings.insert(key, Setting { value, place });
    }
    Ok(settings)
}

/// The properties among the variables of an environment, named as in Kafka's container image.
#[must_use]
pub fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Settings {
    let is_property =
        |name: &str| !NOT_PROPERTIES.contains(&name) && !NOT_PROPERTIES_FROM.iter().any(|from| name.starts_with(from));
    let property = |(name, value): (String, String)| {
        let bare = name.strip_prefix(ENVIRONMENT_PREFIX).filter(|_| is_property(&name))?;
        let key = bare.to_lowercase().replace("___", "-").replace("__", "\0").replace('_', ".").replace('\0', "_");
        Some((key, Setting { value, place: Place::Variable(name) }))
    };
    variables.filter_map(property).collect()
}

/// Of these names the one most like `key`.
#[must_use]
pub fn nearest<'a>(key: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names.into_iter().min_by_key(|name| distance(key, name))
}

/// An odd number of backslashes at the end joins a line with the next.
fn is_continued(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

fn split(line: &str) -> (String, String) {
    let mut escaped = false;
    let at = line.find(|c: char| {
        let parts = !escaped && (matches!(c, '=' | ':') || c.is_whitespace());
        escaped = !escaped && c == '\\';
        parts
    });
    let Some(at) = at else { return (unescape(line), String::new()) };
    let rest = line[at..].trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim();
    (unescape(&line[..at]), unescape(rest))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = letters.by_ref().take(4).collect();
                plain.push(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

/// How many letters must be added, taken away or changed to make one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn value<'a>(settings: &'a Settings, key: &str) -> &'a str {
        &settings.get(key).unwrap().value
    }

    #[test]
    fn properties_are_written_as_in_java() {
        let text = "# comment\n! too\n\n a=1\nb = two words \nc:3\nd 4\ne=x,\\\n   y\nf\nfile\\:name=C\\:\\\\x\nu=\\u0041\n";
        let settings = parse("s", text).unwrap();
        let all =
            [("a", "1"), ("b", "two words"), ("c", "3"), ("d", "4"), ("e", "x,y"), ("f", ""), ("file:name", "C:\\x"), ("u", "A")];
        for (key, expected) in all {
            assert_eq!(value(&settings, key), expected, "{key}");
        }
        assert_eq!(settings.len(), 8);
        assert_eq!(settings.get("f").unwrap().place, Place::Line { file: "s".into(), line: 10 });
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert_eq!(parse("s", "a=1\n=2").unwrap_err().to_string(), "s:2: `=2` is not of the form name=value");
        assert_eq!(parse("s", "a=1\n\na=2").unwrap_err().to_string(), "s:3: a is set already, on line 1");
    }

    #[test]
    fn variables_of_the_container_image_are_properties() {
        let variables = [("KAFKA_NUM_PARTITIONS", "3"), ("KAFKA_A__B___C", "x"), ("KAFKA_HEAP_OPTS", "-Xmx1G"), ("HOME", "/")];
        let settings = from_environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter());
        assert_eq!(settings.keys().collect::<Vec<_>>(), ["a_b-c", "num.partitions"]);
    }

    #[test]
    fn the_nearest_name_is_found() {
        let names = ["num.partitions", "log.dirs", "log.retention.ms"];
        assert_eq!(nearest("num.partition", names), Some("num.partitions"));
        assert_eq!(nearest("log.dir", names), Some("log.dirs"));
        assert_eq!(nearest("x", []), None);
    }
}
