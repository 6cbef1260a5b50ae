//! What is wrong with a scenario, where, and what was allowed there.

use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

/// A mistake in a scenario file.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
pub struct ScenarioError {
    /// What is wrong.
    pub message: String,
    /// The file.
    #[source_code]
    pub source_code: Arc<NamedSource<String>>,
    /// Where.
    #[label("{label}")]
    pub at: SourceSpan,
    /// A few words at the caret.
    pub label: String,
    /// What was allowed there.
    #[help]
    pub help: Option<String>,
}

/// A mistake before it is tied to a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Bytes of the file that it is about.
    pub at: Range<usize>,
    /// A few words at the caret.
    pub label: String,
    /// What was allowed there.
    pub help: Option<String>,
}

impl Problem {
    /// Something wrong at this place.
    #[must_use]
    pub fn new(at: Range<usize>, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), at, label: "here".into(), help: None }
    }

    /// With words at the caret.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Problem {
        Problem { label: label.into(), ..self }
    }

    /// With a remedy.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }

    /// A name that is none of those allowed there; the nearest is suggested.
    #[must_use]
    pub fn unknown(at: Range<usize>, what: &str, found: &str, allowed: &[&str]) -> Problem {
        let label = match nearest(found, allowed) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("not a {what}"),
        };
        Problem::new(at, format!("there is no {what} `{found}`")).label(label).help(format!("allowed here: {}", listed(allowed)))
    }

    /// Ties it to its file.
    #[must_use]
    pub fn in_file(self, name: &str, text: &str) -> ScenarioError {
        let start = self.at.start.min(text.len());
        let length = self.at.end.clamp(start, text.len()) - start;
        ScenarioError {
            message: self.message,
            source_code: Arc::new(NamedSource::new(name, text.to_string()).with_language("TOML")),
            at: SourceSpan::new(start.into(), length),
            label: self.label,
            help: self.help,
        }
    }
}

/// The allowed name that was probably meant.
#[must_use]
pub fn nearest<'a>(found: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let folded = found.to_lowercase().replace(['_', ' '], "-");
    let distance = |name: &str| strsim::damerau_levenshtein(&folded, &name.to_lowercase().replace(['_', ' '], "-"));
    let (best, name) = allowed.iter().map(|name| (distance(name), *name)).min()?;
    (best <= found.chars().count().div_ceil(3)).then_some(name)
}

fn listed(allowed: &[&str]) -> String {
    if allowed.is_empty() { "nothing".into() } else { allowed.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_nonsense_is_not() {
        let kinds = ["crash", "power-loss", "pause"];
        assert_eq!(nearest("powerloss", &kinds), Some("power-loss"));
        assert_eq!(nearest("power_loss", &kinds), Some("power-loss"));
        assert_eq!(nearest("Crash", &kinds), Some("crash"));
        assert_eq!(nearest("earthquake", &kinds), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
