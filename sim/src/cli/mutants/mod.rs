//! `brokerlab mutants`: the museum of bugs, which of them can be planted here, and what the laboratory finds of them.

#[cfg(feature = "mutants")]
mod run;

use serde_json::{Value, json};

use super::Exit;
use super::output::say;

/// The bugs that can be planted
#[derive(clap::Subcommand, Debug)]
pub enum Mutants {
    /// List the whole museum: what can be planted, what is a mere configuration, what cannot exist here and why
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    #[cfg(feature = "mutants")]
    Run(run::Run),
}

#[cfg(feature = "mutants")]
mod museum {
    use brokerlab::mutant::{Entry, MUSEUM, Standing};
    use serde_json::{Value, json};

    /// Slugs of what can be planted.
    pub(super) fn slugs() -> Vec<&'static str> {
        MUSEUM.iter().filter(|entry| entry.mutant().is_some()).map(|entry| entry.slug).collect()
    }

    /// Standing in one word, and the rest of it.
    fn standing(entry: &Entry) -> (&'static str, &'static str) {
        match entry.standing {
            Standing::Applicable(_) => ("applicable", ""),
            Standing::Latent(_, why) => ("latent", why),
            Standing::Configuration(scenario) => ("configuration", scenario),
            Standing::NotApplicable(why) => ("not applicable", why),
        }
    }

    /// One line for each entry.
    pub(super) fn lines() -> impl Iterator<Item = String> {
        MUSEUM.iter().map(|entry| {
            let (word, rest) = standing(entry);
            let rest = if rest.is_empty() { format!("caught by {}", entry.caught_by.join(", ")) } else { rest.into() };
            format!("{:<6} {:<40} {word}: {rest}\n{:>7}{}", entry.id, entry.slug, "", entry.about)
        })
    }

    /// Every entry.
    pub(super) fn json() -> Vec<Value> {
        let entry = |entry: &Entry| {
            let (standing, note) = standing(entry);
            json!({
                "id": entry.id,
                "slug": entry.slug,
                "about": entry.about,
                "standing": standing,
                "applicable": entry.counts(),
                "note": note,
                "caught_by": entry.caught_by,
            })
        };
        MUSEUM.iter().map(entry).collect()
    }
}

#[cfg(not(feature = "mutants"))]
mod museum {
    use serde_json::Value;

    /// The lean build has none.
    pub(super) fn slugs() -> Vec<&'static str> {
        Vec::new()
    }

    /// The lean build has none.
    pub(super) fn lines() -> impl Iterator<Item = String> {
        std::iter::once("this is the lean build: no bug can be planted".to_string())
    }

    /// The lean build has none.
    pub(super) fn json() -> Vec<Value> {
        Vec::new()
    }
}

/// Accepts the slug of a bug.
pub(super) fn known(slug: &str) -> Result<String, String> {
    let slugs = museum::slugs();
    if slugs.is_empty() {
        return Err("this is the lean build: no bug can be planted".into());
    }
    if slugs.contains(&slug) {
        return Ok(slug.to_string());
    }
    let meant = crate::scenario::problem::nearest(slug, &slugs).map_or(String::new(), |near| format!(" Did you mean `{near}`?"));
    Err(format!("there is no such bug to plant.{meant} `brokerlab mutants list` lists them"))
}

impl Mutants {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        match self {
            Mutants::List { json: false } => museum::lines().for_each(|line| say!("{line}")),
            Mutants::List { json: true } => say!("{}", list()),
            #[cfg(feature = "mutants")]
            Mutants::Run(run) => return run.carry_out(),
        }
        Ok(Exit::GOOD)
    }
}

fn list() -> Value {
    json!({ "mutants": museum::json() })
}
