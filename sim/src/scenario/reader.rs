//! Reads tables of a scenario file as the [reference](super::reference) describes them, with the place of everything.

use std::collections::BTreeMap;
use std::ops::Range;

use brokerlab::types::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::model::Target;
use super::problem::Problem;
use super::properties::Property;
use super::reference::{GROUPS_MAX, Key, Need, Section, Shape};
use super::target::{FORMS, is_lesson_name, is_node_name, is_topic_name};
use super::units::{self, DURATION_FORM, SIZE_FORM};

/// One table, checked: every key is known, every required one is there, every value has its shape.
#[derive(Debug)]
pub(super) struct Fields<'f> {
    values: BTreeMap<&'static str, (Value<'f>, Range<usize>)>,
}

/// A value that has its shape.
#[derive(Clone, Debug)]
enum Value<'f> {
    Text(String),
    Number(u64),
    Duration(Duration),
    Flag(bool),
    Target(Target),
    Targets(Vec<Target>),
    Groups(Vec<Vec<Target>>),
    Words(Vec<String>),
    Tally(BTreeMap<String, u64>),
    Config(BTreeMap<String, String>),
    Numbers(u64, u64),
    Durations(Duration, Duration),
    Moments(Vec<Duration>),
    Swarm(BTreeMap<String, Vec<String>>),
    Table(&'f DeTable<'f>),
    Tables(Vec<(&'f DeTable<'f>, Range<usize>)>),
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $variant:ident($inner:ty);)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self, key: &str) -> Option<$inner> {
                match &self.values.get(key)?.0 {
                    Value::$variant(value) => Some(value.clone()),
                    other => panic!("the reference says that {key} is {other:?}"),
                }
            }
        )*
    };
}

#[allow(clippy::wildcard_enum_match_arm, reason = "any other shape is a slip in the reference, which the tests find")]
impl<'f> Fields<'f> {
    /// Checks a table against its section. `at` is the place of the table.
    pub fn read(section: &'static Section, table: &'f DeTable<'f>, at: Range<usize>) -> Result<Fields<'f>, Problem> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let mut values = BTreeMap::new();
        for (name, value) in entries {
            let known = section.keys.iter().find(|key| key.name == name.get_ref().as_ref());
            let Some(key) = known else { return Err(unknown_key(section, name.get_ref(), name.span())) };
            values.insert(key.name, (shaped(key, value)?, value.span()));
        }
        for key in section.keys.iter().filter(|key| !table.contains_key(key.name)) {
            match key.need {
                Need::Required => return Err(missing(section, key, at)),
                Need::Optional => {}
                Need::Default(text) => {
                    values.insert(key.name, (default_value(key, text), at.clone()));
                }
            }
        }
        Ok(Fields { values })
    }

    getters! {
        /// A text or name.
        text: Text(String);
        /// A count, size or seed.
        number: Number(u64);
        /// A duration.
        duration: Duration(Duration);
        /// A flag.
        flag: Flag(bool);
        /// A target.
        target: Target(Target);
        /// Targets.
        targets: Targets(Vec<Target>);
        /// Groups of targets.
        groups: Groups(Vec<Vec<Target>>);
        /// A list of words.
        words: Words(Vec<String>);
        /// Names and numbers of occurrences.
        tally: Tally(BTreeMap<String, u64>);
        /// Moments, in order.
        moments: Moments(Vec<Duration>);
        /// Kafka's properties.
        config: Config(BTreeMap<String, String>);
        /// Settings and the values to choose from.
        swarm: Swarm(BTreeMap<String, Vec<String>>);
        /// A table.
        table: Table(&'f DeTable<'f>);
        /// Tables.
        tables: Tables(Vec<(&'f DeTable<'f>, Range<usize>)>);
    }

    /// Smallest and largest.
    pub fn numbers(&self, key: &str) -> Option<(u64, u64)> {
        match &self.values.get(key)?.0 {
            Value::Numbers(low, high) => Some((*low, *high)),
            other => panic!("the reference says that {key} is {other:?}"),
        }
    }

    /// Shortest and longest.
    pub fn durations(&self, key: &str) -> Option<(Duration, Duration)> {
        match &self.values.get(key)?.0 {
            Value::Durations(low, high) => Some((*low, *high)),
            other => panic!("the reference says that {key} is {other:?}"),
        }
    }

    /// Where the value of a key stands; for a default, the table.
    pub fn at(&self, key: &str) -> Range<usize> {
        self.values.get(key).map_or(0..0, |(_, at)| at.clone())
    }
}

fn unknown_key(section: &Section, found: &str, at: Range<usize>) -> Problem {
    let allowed: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
    Problem::unknown(at, &format!("key in {}", section.name), found, &allowed)
}

fn missing(section: &Section, key: &Key, at: Range<usize>) -> Problem {
    Problem::new(at, format!("`{}` is missing in {}", key.name, section.name)).label("in this table").help(format!(
        "`{}`: {} ({})",
        key.name,
        key.about,
        key.shape.text()
    ))
}

fn default_value<'f>(key: &Key, text: &'static str) -> Value<'f> {
    let parsed = DeValue::parse(text).expect("defaults in the reference are TOML");
    match shaped(key, &parsed).expect("defaults in the reference have their shape") {
        Value::Text(text) => Value::Text(text),
        Value::Number(number) => Value::Number(number),
        Value::Numbers(low, high) => Value::Numbers(low, high),
        Value::Duration(duration) => Value::Duration(duration),
        Value::Flag(flag) => Value::Flag(flag),
        Value::Words(words) => Value::Words(words),
        Value::Target(_)
        | Value::Targets(_)
        | Value::Groups(_)
        | Value::Tally(_)
        | Value::Config(_)
        | Value::Durations(..)
        | Value::Moments(_)
        | Value::Swarm(_)
        | Value::Table(_)
        | Value::Tables(_) => unreachable!("only plain values have defaults"),
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the other shapes describe themselves")]
fn wrong(key: &str, shape: Shape, at: Range<usize>) -> Problem {
    let help = match shape {
        Shape::Duration | Shape::Durations | Shape::Moments => DURATION_FORM.to_string(),
        Shape::Size => SIZE_FORM.to_string(),
        Shape::Target | Shape::Targets | Shape::Groups => FORMS.join("; "),
        other => other.text(),
    };
    Problem::new(at, format!("`{key}` cannot be that")).label(format!("must be {}", shape_in_short(shape))).help(help)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the other shapes are short")]
fn shape_in_short(shape: Shape) -> String {
    match shape {
        Shape::OneOf(_) => "one of the words below".into(),
        Shape::SomeOf(_) => "a word, or a list of words".into(),
        Shape::Tally(_) => "a table from names to counts".into(),
        other => other.text(),
    }
}

fn shaped<'f>(key: &Key, value: &'f Spanned<DeValue<'f>>) -> Result<Value<'f>, Problem> {
    let (at, shape) = (value.span(), key.shape);
    let mismatch = || wrong(key.name, shape, at.clone());
    let text = || value.get_ref().as_str().ok_or_else(mismatch);
    let checked = |holds: fn(&str) -> bool| {
        text().and_then(|text| if holds(text) { Ok(Value::Text(text.into())) } else { Err(mismatch()) })
    };
    match shape {
        Shape::Text => checked(|_| true),
        Shape::NodeName => checked(is_node_name),
        Shape::LessonName => checked(is_lesson_name),
        Shape::TopicName => checked(is_topic_name),
        Shape::FaultId => checked(is_fault_id),
        Shape::Seed => seed(value.get_ref()).map(Value::Number).ok_or_else(mismatch),
        Shape::Duration => units::duration(text()?).map(Value::Duration).ok_or_else(mismatch),
        Shape::Size => units::size(text()?).map(Value::Number).ok_or_else(mismatch),
        Shape::Count(low, high) => {
            whole(value.get_ref()).filter(|n| (low..=high).contains(n)).map(Value::Number).ok_or_else(mismatch)
        }
        Shape::Flag => value.get_ref().as_bool().map(Value::Flag).ok_or_else(mismatch),
        Shape::Target => Target::parse(text()?).map(Value::Target).ok_or_else(mismatch),
        Shape::Targets => targets(value.get_ref()).map(Value::Targets).ok_or_else(mismatch),
        Shape::Groups => groups(value.get_ref()).map(Value::Groups).ok_or_else(mismatch),
        Shape::OneOf(words) => one_of(key, value, &words()).map(Value::Text),
        Shape::SomeOf(words) => some_of(key, value, &words()).map(Value::Words),
        Shape::Tally(words) => tally(value.get_ref().as_table().ok_or_else(mismatch)?, &words()).map(Value::Tally),
        Shape::Config(known) => config(value.get_ref().as_table().ok_or_else(mismatch)?, known).map(Value::Config),
        Shape::Counts(low, high) => {
            let number = |value: &DeValue<'_>| whole(value).filter(|n| (low..=high).contains(n));
            pair(value.get_ref(), number).map(|(low, high)| Value::Numbers(low, high)).ok_or_else(mismatch)
        }
        Shape::Durations => {
            let found = pair(value.get_ref(), |value: &DeValue<'_>| units::duration(value.as_str()?));
            found.map(|(low, high)| Value::Durations(low, high)).ok_or_else(mismatch)
        }
        Shape::Moments => moments(value.get_ref()).map(Value::Moments).ok_or_else(mismatch),
        Shape::Swarm => swarm(value.get_ref().as_table().ok_or_else(mismatch)?).map(Value::Swarm),
        Shape::Topics => topics(value.get_ref()).map(Value::Words).ok_or_else(mismatch),
        Shape::Table(_) => value.get_ref().as_table().map(Value::Table).ok_or_else(mismatch),
        Shape::Tables(_) | Shape::Faults => tables(value.get_ref()).map(Value::Tables).ok_or_else(mismatch),
    }
}

fn is_fault_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn seed(value: &DeValue<'_>) -> Option<u64> {
    whole(value).or_else(|| value.as_str()?.parse().ok())
}

fn pair<T: PartialOrd>(value: &DeValue<'_>, read: impl Fn(&DeValue<'_>) -> Option<T>) -> Option<(T, T)> {
    let array = value.as_array()?;
    let (Some(low), Some(high), 2) = (array.first(), array.get(1), array.len()) else { return None };
    let (low, high) = (read(low.get_ref())?, read(high.get_ref())?);
    (low <= high).then_some((low, high))
}

fn tables<'f>(value: &'f DeValue<'f>) -> Option<Vec<(&'f DeTable<'f>, Range<usize>)>> {
    value.as_array()?.iter().map(|one| Some((one.get_ref().as_table()?, one.span()))).collect()
}

/// One target, or a list of them.
fn targets(value: &DeValue<'_>) -> Option<Vec<Target>> {
    let target = |value: &DeValue<'_>| Target::parse(value.as_str()?);
    match value.as_array() {
        Some(list) => list.iter().map(|one| target(one.get_ref())).collect(),
        None => Some(vec![target(value)?]),
    }
}

/// A list of durations, put in order.
fn moments(value: &DeValue<'_>) -> Option<Vec<Duration>> {
    let list = value.as_array()?.iter();
    let mut moments = list.map(|one| units::duration(one.get_ref().as_str()?)).collect::<Option<Vec<_>>>()?;
    moments.sort_unstable();
    Some(moments)
}

/// One topic, or a list of them.
fn topics(value: &DeValue<'_>) -> Option<Vec<String>> {
    let topic = |value: &DeValue<'_>| value.as_str().filter(|name| is_topic_name(name)).map(str::to_string);
    match value.as_array() {
        Some(list) if list.is_empty() => None,
        Some(list) => list.iter().map(|one| topic(one.get_ref())).collect(),
        None => Some(vec![topic(value)?]),
    }
}

fn groups(value: &DeValue<'_>) -> Option<Vec<Vec<Target>>> {
    let list = value.as_array().filter(|list| (1..=GROUPS_MAX).contains(&list.len()))?;
    list.iter().map(|group| targets(group.get_ref())).collect()
}

fn one_of(key: &Key, value: &Spanned<DeValue<'_>>, words: &[&str]) -> Result<String, Problem> {
    let found = value.get_ref().as_str().ok_or_else(|| wrong(key.name, key.shape, value.span()))?;
    match words.contains(&found) {
        true => Ok(found.to_string()),
        false => Err(Problem::unknown(value.span(), key.name, found, words)),
    }
}

fn some_of(key: &Key, value: &Spanned<DeValue<'_>>, words: &[&str]) -> Result<Vec<String>, Problem> {
    match value.get_ref().as_array() {
        Some(list) => list.iter().map(|one| one_of(key, one, words)).collect(),
        None => Ok(vec![one_of(key, value, words)?]),
    }
}

fn tally(table: &DeTable<'_>, words: &[&str]) -> Result<BTreeMap<String, u64>, Problem> {
    let entry = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = name.get_ref();
        let count = whole(value.get_ref());
        let count = count.ok_or_else(|| wrong(name, Shape::Count(0, u64::MAX), value.span()))?;
        Ok((name.to_string(), count))
    };
    let unknown = table.keys().find(|name| !words.contains(&name.get_ref().as_ref()));
    match unknown {
        Some(name) => Err(Problem::unknown(name.span(), "fact or count", name.get_ref(), words)),
        None => table.iter().map(entry).collect(),
    }
}

fn config(table: &DeTable<'_>, known: &[Property]) -> Result<BTreeMap<String, String>, Problem> {
    let mut found = BTreeMap::new();
    flatten(table, "", &mut found)?;
    for (name, (value, name_at, value_at)) in &found {
        let Some(property) = known.iter().find(|property| property.name == name) else {
            let names: Vec<&str> = known.iter().map(|property| property.name).collect();
            return Err(Problem::unknown(name_at.clone(), "property", name, &names));
        };
        if !property.form.allows(value) {
            let problem = Problem::new(value_at.clone(), format!("`{name}` cannot be `{value}`"));
            return Err(problem.label(format!("must be {}", property.form.text())).help(property.about));
        }
    }
    Ok(found.into_iter().map(|(name, (value, ..))| (name, value)).collect())
}

type Flat = BTreeMap<String, (String, Range<usize>, Range<usize>)>;

/// In TOML `min.insync.replicas = 2` without quotes is three nested tables; people forget the quotes, and mean the same.
fn flatten(table: &DeTable<'_>, prefix: &str, found: &mut Flat) -> Result<(), Problem> {
    for (name, value) in table {
        let full = if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
        if let Some(inner) = value.get_ref().as_table() {
            flatten(inner, &full, found)?;
            continue;
        }
        let text = scalar(value.get_ref()).ok_or_else(|| {
            Problem::new(value.span(), format!("`{full}` cannot be that")).label("must be a number, a flag or a word")
        })?;
        found.insert(full, (text, name.span(), value.span()));
    }
    Ok(())
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    if let Some(integer) = value.as_integer() {
        return i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n.to_string());
    }
    value.as_str().map(str::to_string).or_else(|| value.as_bool().map(|flag| flag.to_string()))
}

fn swarm(table: &DeTable<'_>) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    let mut found = BTreeMap::new();
    for (name, value) in table {
        let list = value.get_ref().as_array().filter(|list| !list.is_empty());
        let values = list.and_then(|list| list.iter().map(|one| scalar(one.get_ref())).collect::<Option<Vec<_>>>());
        let Some(values) = values else {
            let problem = Problem::new(value.span(), format!("`{}` needs values to choose from", name.get_ref()));
            return Err(problem.label("must be a list of numbers, flags or words").help("for example [1, 2, 3]"));
        };
        found.insert(name.get_ref().to_string(), values);
    }
    Ok(found)
}
