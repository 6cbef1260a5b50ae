//! Which of many things are needed: the delta debugging of Zeller and Hildebrandt ("Simplifying and isolating failure-inducing input", 2002).
//!
//! ```text
//!   kept   1 2 3 4 5 6 7 8      cut into n parts, from n = 2 on
//!   tried  5 6 7 8              without the first part; then without the second, and so on
//!          1 2 3 4              one of them does  ──▶  keep it, cut it into n - 1 parts
//!                               none of them does ──▶  cut into twice as many; over when the parts are single things
//! ```
//!
//! What is left is *1-minimal*: without any one of it, it does not do. Whether a smaller selection somewhere else does is not asked, which
//! would take 2^n questions. Nothing is assumed about the question: it need not be monotone.

/// Which of `count` things to keep. `first_that_does` is asked about several selections, given as ascending numbers of things, and says which of them
/// is the first that does, if one does. That everything together does is taken for granted.
pub fn needed(count: usize, mut first_that_does: impl FnMut(&[Vec<usize>]) -> Option<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..count).collect();
    if count == 0 || first_that_does(&[Vec::new()]).is_some() {
        return Vec::new();
    }
    let mut parts = 2;
    while kept.len() > 1 {
        parts = parts.min(kept.len());
        let mut selections = without_one_part(&kept, parts);
        match first_that_does(&selections) {
            Some(at) => {
                kept = selections.swap_remove(at);
                parts = (parts - 1).max(2);
            }
            None if parts == kept.len() => break,
            None => parts *= 2,
        }
    }
    kept
}

/// The things without the first of so many parts, without the second, and so on.
fn without_one_part(kept: &[usize], parts: usize) -> Vec<Vec<usize>> {
    let begin = |part: usize| part * kept.len() / parts;
    let without = |part: usize| [&kept[..begin(part)], &kept[begin(part + 1)..]].concat();
    (0..parts).map(without).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asking(does: impl Fn(&[usize]) -> bool) -> impl FnMut(&[Vec<usize>]) -> Option<usize> {
        move |selections| selections.iter().position(|selection| does(selection))
    }

    #[test]
    fn what_is_needed_is_found_wherever_it_is() {
        let does = |selection: &[usize]| [3, 17, 18, 99].iter().all(|one| selection.contains(one));
        let mut asked = 0;
        let found = needed(100, |selections| {
            asked += selections.len();
            asking(does)(selections)
        });
        assert_eq!(found, [3, 17, 18, 99]);
        assert!(asked < 200, "{asked} questions");
    }

    #[test]
    fn nothing_is_needed_of_nothing_or_if_nothing_does() {
        assert_eq!(needed(0, |_| None), Vec::<usize>::new());
        assert_eq!(needed(9, asking(|_| true)), Vec::<usize>::new());
        assert_eq!(needed(1, asking(|selection| !selection.is_empty())), [0]);
    }

    #[test]
    fn parts_are_disjoint_and_leave_nothing_out() {
        let kept: Vec<usize> = (10..21).collect();
        for parts in 2..=kept.len() {
            let mut left_out: Vec<usize> = Vec::new();
            for selection in without_one_part(&kept, parts) {
                assert!(selection.len() < kept.len() && selection.is_sorted());
                left_out.extend(kept.iter().filter(|one| !selection.contains(one)));
            }
            assert_eq!(left_out, kept);
        }
    }

    proptest! {
        #[test]
        fn of_what_is_needed_nothing_can_be_left_out(
            count in 1usize..40,
            wanted in proptest::collection::btree_set(0usize..40, 0..8),
        ) {
            let wanted: Vec<usize> = wanted.into_iter().filter(|one| *one < count).collect();
            let does = |selection: &[usize]| wanted.iter().all(|one| selection.contains(one));
            prop_assert_eq!(needed(count, asking(does)), wanted.clone());
        }

        /// Of a selection that does, a part need not do, and a whole may not: whatever the hash of the selection says.
        #[test]
        fn the_result_is_1_minimal_even_if_the_question_is_not_monotone(count in 1usize..24, salt in any::<u64>(), one_in in 2u64..6) {
            let does = |selection: &[usize]| {
                let bytes: Vec<u8> = selection.iter().flat_map(|one| one.to_le_bytes()).collect();
                selection.len() == count || xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, salt).is_multiple_of(one_in)
            };
            let found = needed(count, asking(does));
            prop_assert!(does(&found));
            for left_out in 0..found.len() {
                let fewer: Vec<usize> = found.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, one)| *one).collect();
                prop_assert!(!does(&fewer), "{fewer:?} of {found:?} does too");
            }
        }
    }
}
