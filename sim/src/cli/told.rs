//! SIGTERM and Ctrl-C: whoever holds something that others wait for ends in order.

use miette::IntoDiagnostic;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears when somebody wants us to stop.
pub struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    /// From now on signals are heard, and end nothing by themselves.
    ///
    /// # Errors
    /// If the system does not let us.
    pub fn new() -> miette::Result<Told> {
        let terminate = signal(SignalKind::terminate()).into_diagnostic()?;
        Ok(Told { terminate, interrupt: signal(SignalKind::interrupt()).into_diagnostic()? })
    }

    /// Waits until somebody wants us to stop, whether for the first time or again.
    pub async fn again(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
