//! Writing a history while it happens.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::Line;

/// A file that takes lines from many tasks, each whole and in the order in which they were given.
#[derive(Debug)]
pub struct Writer(Mutex<BufWriter<File>>);

impl Writer {
    /// A new history; an old file of that name is replaced.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path) -> io::Result<Writer> {
        Ok(Writer(Mutex::new(BufWriter::new(File::create(path)?))))
    }

    /// Writes a line.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, line: &Line) -> io::Result<()> {
        let text = serde_json::to_string(line).map_err(io::Error::other)?;
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{text}")
    }

    /// Sees to it that all lines are in the file.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
