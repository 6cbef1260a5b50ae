//! `brokerlab selftest`: is this machine and build fit to be believed?

use super::Exit;
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
                Ok(()) => println!("ok      {claim}"),
                Err(why) => {
                    failed = true;
                    println!("FAILED  {claim}: {why}");
                }
            }
        }
        Ok(if failed { Exit::NONDETERMINISM } else { Exit::GOOD })
    }
}
