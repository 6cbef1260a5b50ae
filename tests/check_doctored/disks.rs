//! What lies on the disks, and who looks at them.

use brokerlab::types::*;
use brokerlab_reports::event::{AuditMoment, LogImage, SmallFiles, What};

use super::{History, ORDERS, Record, node};

impl History {
    /// The laboratory looks at a disk.
    pub fn audit(&mut self, name: &'static str, moment: AuditMoment) -> &mut History {
        self.audit_torn(name, moment, |_| {})
    }

    /// The same, and a torn write has changed something.
    pub fn audit_torn(&mut self, name: &'static str, moment: AuditMoment, tear: impl FnOnce(&mut LogImage)) -> &mut History {
        let broker = self.brokers[node(name)].clone();
        let batches = broker.log.iter().enumerate().map(|(at, record)| self.tapped(at as i64, *record)).collect();
        let (durable_end, small_files) = (Offset(broker.durable as i64), self.small_files.clone());
        let mut image = LogImage {
            partition: ORDERS,
            moment,
            base: Offset::ZERO,
            batches,
            durable_end,
            trailing_bytes: 0,
            small_files,
            records: None,
        };
        tear(&mut image);
        self.event(Some(name), What::Audit(image))
    }

    /// What the small files of every disk say from now on.
    pub fn small_files(&mut self, change: impl FnOnce(&mut SmallFiles)) -> &mut History {
        change(&mut self.small_files);
        self
    }

    /// Doctors the disk behind everybody's back.
    pub fn rewrite_disk(&mut self, name: &str, change: impl FnOnce(&mut Vec<Record>)) -> &mut History {
        change(&mut self.brokers[node(name)].log);
        self
    }
}
