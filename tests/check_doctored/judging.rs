//! What a history is expected to be judged as.

use brokerlab_reports::verdict::{CheckReport, Judgement, Verdict};
use brokerlab_sim::check::{Dating, Judge, NodeKind, NodeSetup, Reset, Setup};

use super::{History, NODES, id};

impl History {
    pub fn judge(&self) -> Judge {
        let kind = |name: &str| match name {
            "p1" => NodeKind::Producer { acks: self.terms.acks, idempotent: self.terms.idempotent, in_flight: 5 },
            "m1" | "m2" => NodeKind::Member { reset: self.terms.reset },
            "reader" => NodeKind::Consumer { laboratory: false, reset: self.terms.reset },
            "lab" => NodeKind::Consumer { laboratory: true, reset: Reset::Earliest },
            "c1" => NodeKind::Controller,
            broker => NodeKind::Broker(id(broker)),
        };
        let nodes = NODES.iter().map(|name| NodeSetup::new(name, kind(name))).collect();
        let mut judge = Judge::new(Setup {
            nodes,
            must_exercise: self.must_exercise.clone(),
            enabled: self.enabled,
            dating: Dating { epoch_ms: 0, ahead_max_ms: 3_600_000 },
            pace: self.pace,
            groups: self.groups.clone(),
        });
        self.events.iter().for_each(|event| judge.observe(event));
        judge
    }

    pub fn judgement(&self) -> Judgement {
        self.judge().finish()
    }

    /// The check cries first, and calls it a violation.
    pub fn cries(&self, check: &str) {
        let judgement = self.judgement();
        assert_eq!((judgement.verdict, judgement.property.as_deref()), (Verdict::Violation, Some(check)), "{}", told(&judgement));
    }

    /// Among others.
    pub fn also_cries(&self, check: &str) -> &History {
        let judgement = self.judgement();
        assert!(report(&judgement, check).violated > 0, "{}", told(&judgement));
        self
    }

    /// All is well, and the check had something to see.
    pub fn satisfies(&self, check: &str) {
        let judgement = self.judgement();
        assert_eq!(judgement.verdict, Verdict::Pass, "{}", told(&judgement));
        assert!(report(&judgement, check).exercised > 0, "{check} was not exercised: {}", told(&judgement));
    }

    pub fn is_judged(&self, verdict: Verdict, property: &str) {
        let judgement = self.judgement();
        assert_eq!((judgement.verdict, judgement.property.as_deref()), (verdict, Some(property)), "{}", told(&judgement));
    }
}

/// The findings, one per line.
pub fn told(judgement: &Judgement) -> String {
    let lines = judgement.findings.iter().map(|f| format!("  {} {} at {}: {}", f.verdict, f.check, f.event.0, f.text));
    format!("{}\n{}", judgement.sentence, lines.collect::<Vec<_>>().join("\n"))
}

pub fn report<'j>(judgement: &'j Judgement, check: &str) -> &'j CheckReport {
    judgement.checks.iter().find(|report| report.id == check).expect("the check exists")
}

pub fn count(judgement: &Judgement, name: &str) -> u64 {
    judgement.counts.iter().find(|(known, _)| known == name).expect("the count exists").1
}
