//! `brokerlab mutants`: the museum of bugs that can be planted.

use serde_json::json;

use super::Exit;
use super::output::say;

/// The bugs that can be planted
#[derive(clap::Subcommand, Debug)]
pub enum Mutants {
    /// List them
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// One bug: id, slug, what it does, properties that catch it.
type Exhibit = (&'static str, &'static str, &'static str, &'static [&'static str]);

#[cfg(feature = "mutants")]
fn all() -> Vec<Exhibit> {
    use brokerlab::mutant::Mutant;
    Mutant::ALL.iter().map(|mutant| (mutant.id(), mutant.slug(), mutant.about(), mutant.caught_by())).collect()
}

#[cfg(not(feature = "mutants"))]
fn all() -> Vec<Exhibit> {
    Vec::new()
}

/// Accepts the slug of a bug.
pub(super) fn known(slug: &str) -> Result<String, String> {
    let all = all();
    if all.is_empty() {
        return Err("this is the lean build: no bug can be planted".into());
    }
    let slugs: Vec<&str> = all.iter().map(|(_, slug, ..)| *slug).collect();
    if slugs.contains(&slug) {
        return Ok(slug.to_string());
    }
    let meant = crate::scenario::problem::nearest(slug, &slugs).map_or(String::new(), |near| format!(" Did you mean `{near}`?"));
    Err(format!("there is no such bug.{meant} `brokerlab mutants list` lists them"))
}

impl Mutants {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let Mutants::List { json } = self;
        if *json {
            let list: Vec<_> = all()
                .into_iter()
                .map(|(id, slug, about, caught_by)| json!({"id": id, "slug": slug, "about": about, "caught_by": caught_by}))
                .collect();
            say!("{}", json!({ "mutants": list }));
            return Ok(Exit::GOOD);
        }
        for (id, slug, about, caught_by) in all() {
            say!("{id}  {slug:<28} {about} (caught by {})", caught_by.join(", "));
        }
        Ok(Exit::GOOD)
    }
}
