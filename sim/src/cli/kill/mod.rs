//! `brokerlab kill`: real processes, `kill -9`, and an oracle that believes nobody.
//!
//! ```text
//!   controller   broker 1   broker 2   broker 3        four processes of this program, on a real disk and real ports
//!                   ⚡ kill -9, one at random, again and again; then all four at once
//!   producers ──▶ acks=all, idempotence      reader ──▶ reads along
//!        └──────────────┬──────────────────────┘
//!                 history.jsonl ──▶ brokerlab check: nothing acknowledged is lost, doubled, out of order; no offset is given twice
//! ```
//!
//! `kill -9` takes the processes and leaves the page cache, so nothing that was acknowledged may be lost, even when all four die at once.

mod fleet;
mod load;

use std::path::PathBuf;
use std::time::Duration;

use miette::{IntoDiagnostic, WrapErr};
use serde_json::json;

use super::output::say;
use super::{Exit, check};
use fleet::Fleet;
use load::Load;

/// Kill real broker processes under load, and judge what clients saw
///
/// Three brokers and a controller run as processes of their own. A random broker is killed (kill -9) and started again, N times, under load
/// with acks=all and idempotence; then all four at once, M times. What the clients did and saw is written down and judged.
#[derive(clap::Args, Debug)]
pub struct Kill {
    /// How often one broker is killed
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: u32,
    /// How often all four are killed at once
    #[arg(long, value_name = "M", default_value_t = 20)]
    massacres: u32,
    /// Decides who is killed when
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where data, logs and history are kept; must be new
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Kill {
    /// Kills, then judges.
    pub fn carry_out(&self) -> miette::Result<Exit> {
        std::fs::create_dir(&self.data).into_diagnostic().wrap_err_with(|| format!("cannot create {}", self.data.display()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().into_diagnostic()?;
        let path = self.data.join("history.jsonl");
        let waited = runtime.block_on(self.torment(&path))?;
        // Clients may still wait for brokers that are gone.
        runtime.shutdown_background();
        let judgement = check::judge(&path)?;
        if self.json {
            let mut value = check::as_value(&judgement);
            value["kills"] = json!(self.kills);
            value["massacres"] = json!(self.massacres);
            value["slowest_return_ms"] = json!(waited.as_millis() as u64);
            say!("{value}");
        } else {
            say!(
                "{} kills of one broker, {} of all four; the slowest was ready again after {waited:.1?}",
                self.kills,
                self.massacres
            );
            check::tell(&judgement, false);
            say!("again: brokerlab check {}", path.display());
        }
        Ok(check::exit(&judgement))
    }

    /// Returns how long the slowest process took to be ready again.
    async fn torment(&self, history: &std::path::Path) -> miette::Result<Duration> {
        let mut chance = Chance(self.seed);
        let mut fleet = Fleet::start(&self.data).await?;
        let load = Load::start(&fleet.bootstrap(), history).await?;
        for number in 1..=self.kills {
            tokio::time::sleep(chance.millis(100, 800)).await;
            let victim = 1 + chance.below(fleet::BROKERS);
            fleet.kill(victim).await?;
            // Sometimes it is back before the controller has missed it, sometimes long after.
            tokio::time::sleep(chance.millis(0, 2_500)).await;
            fleet.revive(victim).await?;
            if number % 20 == 0 {
                eprintln!("{number} of {} kills, {} records acknowledged", self.kills, load.acknowledged());
            }
        }
        for number in 1..=self.massacres {
            tokio::time::sleep(chance.millis(300, 2_000)).await;
            fleet.kill_all().await?;
            fleet.revive_all().await?;
            eprintln!("{number} of {} massacres, {} records acknowledged", self.massacres, load.acknowledged());
        }
        load.finish().await?;
        let slowest = fleet.slowest_return;
        fleet.stop().await?;
        Ok(slowest)
    }
}

/// A stream of choices (`splitmix64`): the same seed gives the same victims.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.next() % (to - from))
    }
}
