//! `brokerlab selftest`: is this machine and build fit to be believed?

use super::Exit;
use super::output::say;
use crate::selftest;

/// Prove that this machine and build are deterministic
#[derive(clap::Args, Debug)]
pub struct Selftest {}

impl Selftest {
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "every command has this form")]
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let mut failed = false;
        for (claim, result) in selftest::run() {
            match result {
                Ok(()) => say!("ok      {claim}"),
                Err(why) => {
                    failed = true;
                    say!("FAILED  {claim}: {why}");
                }
            }
        }
        Ok(if failed { Exit::NONDETERMINISM } else { Exit::GOOD })
    }
}
