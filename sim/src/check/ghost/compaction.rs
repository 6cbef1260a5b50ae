//! Reading a compacted log as what it stands for.
//!
//! ```text
//!   as it was        [0 a=1 b=1][2 a=2][3 c=1][4 a=3]     cleaned point: 4
//!   on the disk      [0     b=1]       [3 c=1][4 a=3]
//!   read as          [0 a=1 b=1][2 a=2][3 c=1][4 a=3]     the second is filled in, the first recognised by offsets, epoch and producer
//! ```
//!
//! Only below the cleaned point, only by batches that some log here held before, and only where they fill the gap exactly. What is not to be explained so
//! stays as it is, and the checks see a hole, or a batch with another content.

use brokerlab::types::Offset;

use super::Partition;
use super::change::{Change, Place};
use crate::check::chain::{Chain, Link};

impl Partition {
    /// A replica has read the keys of its log up to there.
    pub(super) fn begin_compaction(&mut self, at: Place, up_to: Offset) -> Change<'static> {
        self.cleaned = self.cleaned.max(up_to);
        Change::CompactionBegan { at, up_to }
    }

    /// The batch as it was before compaction, and before it in `chain` what compaction has taken. Without compaction: as it is.
    pub(super) fn restore(&mut self, node: usize, chain: &mut Chain, link: Link) -> Link {
        if link.base >= self.cleaned || link.base < chain.end() {
            return link;
        }
        let end = chain.end();
        let lacking = self.former_logs(node).find_map(|log| exactly(log, end, link.base)).unwrap_or_default();
        for former in lacking {
            self.enter(chain, Link { chain: 0, ..former });
        }
        let is_form_of = |former: &&Link| is_form_of(&link, former);
        let found = self.former_logs(node).find_map(|log| log.beginning_at(link.base).filter(is_form_of));
        found.map_or(link, |former| Link { chain: 0, ..*former })
    }

    /// Whether the committed log has the batch, or had it in another form before it was compacted.
    #[must_use]
    pub fn holds_or_held(&self, link: &Link) -> bool {
        self.log.holds(link)
            || (link.base < self.cleaned && self.log.beginning_at(link.base).is_some_and(|own| is_form_of(link, own)))
    }

    /// Where the batch may have stood before it was compacted, the likeliest first.
    fn former_logs(&self, node: usize) -> impl Iterator<Item = &Chain> {
        let own = &self.shadows[node];
        let before = own.downfall.as_ref().map(|downfall| &downfall.log);
        before.into_iter().chain([&own.log, &self.log]).chain(self.shadows.iter().map(|shadow| &shadow.log))
    }
}

/// The batches of a log that fill `[from, to)` without a gap; `None` if they do not, or nothing is to be filled.
fn exactly(log: &Chain, from: Offset, to: Offset) -> Option<Vec<Link>> {
    let links = log.between(from, to);
    let begins = links.first().is_some_and(|first| first.base == from);
    let ends = links.last().is_some_and(|last| last.end == to);
    (begins && ends && links.windows(2).all(|pair| pair[0].end == pair[1].base)).then(|| links.to_vec())
}

fn is_form_of(link: &Link, former: &Link) -> bool {
    (link.base, link.end, link.epoch, link.producer) == (former.base, former.end, former.epoch, former.producer)
}
