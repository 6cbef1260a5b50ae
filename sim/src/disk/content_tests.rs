//! What survives a loss of power, sector by sector.

#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

/// One thing done to a file.
#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Seal,
    Promote,
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop::collection::vec(1u8..=255, 0..700);
    prop_oneof![
        4 => (0u64..2500, bytes).prop_map(|(position, bytes)| Step::Write(position, bytes)),
        2 => (0u64..2500).prop_map(Step::SetLen),
        1 => Just(Step::Seal),
        1 => Just(Step::Promote),
    ]
}

/// The same file kept the simple way: one whole copy after every step.
#[derive(Default)]
struct Copies {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Every state since the durable one, the durable one first.
    since: Vec<Vec<u8>>,
    sealed: Option<(u64, Vec<u8>, usize)>,
}

fn play(steps: &[Step]) -> (Content, Copies) {
    let (mut content, mut copies) = (Content::default(), Copies { since: vec![vec![]], ..Copies::default() });
    for step in steps {
        match step {
            Step::Write(position, bytes) => {
                let (head, tail) = bytes.split_at(bytes.len() / 3);
                content.write(*position, &[head, tail]);
                let at = usize::try_from(*position).unwrap();
                if !bytes.is_empty() {
                    copies.now.resize(copies.now.len().max(at + bytes.len()), 0);
                    copies.now[at..at + bytes.len()].copy_from_slice(bytes);
                }
            }
            Step::SetLen(length) => {
                content.set_len(*length);
                copies.now.resize(usize::try_from(*length).unwrap(), 0);
            }
            Step::Seal => copies.sealed = Some((content.seal(), copies.now.clone(), copies.since.len() - 1)),
            Step::Promote => {
                if let Some((mark, durable, from)) = copies.sealed.take() {
                    content.promote(mark);
                    copies.durable = durable;
                    copies.since.drain(..from);
                }
            }
        }
        copies.since.push(copies.now.clone());
    }
    (content, copies)
}

fn byte(image: &[u8], at: usize) -> u8 {
    image.get(at).copied().unwrap_or(0)
}

proptest! {
    #[test]
    fn readers_see_what_was_written_and_the_medium_holds_what_was_synced(steps in prop::collection::vec(step(), 0..25)) {
        let (content, copies) = play(&steps);
        prop_assert_eq!(content.visible(), &copies.now);
        prop_assert_eq!(&*content.durable(), &*copies.durable);
    }

    #[test]
    fn what_power_loss_leaves_is_explained_by_the_unsynced_writes(
        steps in prop::collection::vec(step(), 0..25),
        seed in any::<u64>(),
    ) {
        let (mut content, copies) = play(&steps);
        let dirty = content.dirty_sectors();
        let fates = content.lose_power(copies.sealed.as_ref().map(|sealed| sealed.0), Chance::of(seed));
        let survivor = content.visible().to_vec();
        prop_assert_eq!(fates.kept + fates.lost, dirty);
        prop_assert_eq!(&*content.durable(), &*survivor);
        let (old, new) = (copies.durable.len(), copies.now.len());
        prop_assert!((old.min(new)..=old.max(new)).contains(&survivor.len()));
        for (at, found) in survivor.iter().enumerate() {
            prop_assert!(copies.since.iter().any(|state| byte(state, at) == *found), "byte {} is from nowhere", at);
        }
    }

    #[test]
    fn synced_bytes_that_nobody_touched_always_survive(
        steps in prop::collection::vec(step(), 0..12),
        appended in prop::collection::vec(1u8..=255, 0..3000),
        seed in any::<u64>(),
    ) {
        let (mut content, copies) = play(&steps);
        let mark = content.seal();
        content.promote(mark);
        content.write(copies.now.len() as u64, &[&appended]);
        content.lose_power(None, Chance::of(seed));
        prop_assert!(content.visible().starts_with(&copies.now));
    }
}

#[test]
fn a_failed_sync_is_followed_by_a_successful_lie() {
    let mut content = Content::default();
    content.write(0, &[&[7; 600]]);
    let mark = content.seal();
    content.fail(mark);
    assert_eq!(content.visible(), [7; 600], "the pages are still visible");
    let mark = content.seal();
    content.promote(mark);
    assert_eq!(&*content.durable(), [0; 600], "the length is there, the data is not");
    content.write(512, &[&[8; 10]]);
    let mark = content.seal();
    content.promote(mark);
    let rewritten: Vec<u8> = [vec![0; 512], vec![8; 10], vec![7; 78]].concat();
    assert_eq!(&*content.durable(), rewritten, "a sector that was written again is written whole");
}

#[test]
fn a_long_unsynced_append_costs_no_second_copy() {
    let mut content = Content::default();
    (0..1000).for_each(|n| content.write(n * 100, &[&[1; 100]]));
    assert_eq!((content.layers.len(), content.layers[0].shadow.len()), (1, 0));
    assert_eq!(content.dirty_sectors(), 100_000u64.div_ceil(SECTOR));
}
