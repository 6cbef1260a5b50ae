//! What a server tells about itself on standard error: lines for people, or JSON for machines.

use clap::ValueEnum;
use miette::miette;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that says how much is told, in the words of the `tracing` crates: `brokerlab=debug`.
const FILTER_VARIABLE: &str = "BROKERLAB_LOG";

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Tells from now on.
///
/// # Errors
/// When the filter cannot be understood.
pub fn begin(format: LogFormat) -> miette::Result<()> {
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(filter) => EnvFilter::try_new(&filter).map_err(|error| miette!("{FILTER_VARIABLE}={filter}: {error}"))?,
        Err(_) => EnvFilter::new("info"),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match format {
        LogFormat::Text => lines.with_ansi(false).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    begun.map_err(|error| miette!("cannot write logs: {error}"))
}
