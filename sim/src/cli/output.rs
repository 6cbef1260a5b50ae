//! Lines on standard output.

use std::fmt::Arguments;
use std::io::Write;

/// Prints a line. When nobody reads any more (`brokerlab show RUN | head`), the program ends there, quietly.
macro_rules! say {
    () => { $crate::cli::output::line(format_args!("")) };
    ($($part:tt)*) => { $crate::cli::output::line(format_args!($($part)*)) };
}
pub(super) use say;

/// Prints a line, see [`say!`].
pub(super) fn line(text: Arguments<'_>) {
    if writeln!(std::io::stdout().lock(), "{text}").is_err() {
        std::process::exit(0);
    }
}
