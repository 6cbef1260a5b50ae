//! `brokerlab plan`: what a seed makes of a scenario, as a scenario file. `run PLAN` is the same run as `run SCENARIO --seed N`.

use super::output::say;
use super::{Case, Exit};
use crate::scenario::{expand, to_toml};

/// Write down what a seed makes of a scenario: every fault, every setting
#[derive(clap::Args, Debug)]
pub struct Plan {
    #[command(flatten)]
    case: Case,
    /// Seed; default: the scenario's own
    #[arg(long)]
    seed: Option<u64>,
}

impl Plan {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let scenario = self.case.load()?;
        say!("{}", to_toml(&expand(&scenario, self.seed.unwrap_or(scenario.seed))).trim_end());
        Ok(Exit::GOOD)
    }
}
