//! Durations and sizes as people write them: a whole number and a unit, `500ms`, `1MiB`.
//!
//! A bare number is refused everywhere: half of all wrong configurations are a right number in the wrong unit.

use brokerlab::types::Duration;

const DURATIONS: [(&str, u64); 5] = [("min", 60_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1), ("s", 1_000_000_000)];
const SIZES: [(&str, u64); 4] = [("MiB", 1 << 20), ("KiB", 1 << 10), ("GiB", 1 << 30), ("B", 1)];

/// No duration is longer: thirty days. Sums of thousands of them still fit in 64 bits of nanoseconds.
pub const LONGEST: Duration = Duration::secs(30 * 86_400);
/// How a duration is written.
pub const DURATION_FORM: &str = "a whole number and a unit: \"500ms\", \"30s\", \"2min\" (ns, us, ms, s, min), at most 43200min";
/// How a size is written.
pub const SIZE_FORM: &str = "a whole number and a unit: \"100B\", \"16KiB\", \"1MiB\" (B, KiB, MiB, GiB)";

/// Reads a duration, if it is not longer than [`LONGEST`].
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    scaled(text, &DURATIONS).map(Duration).filter(|duration| *duration <= LONGEST)
}

/// Reads a size in bytes.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    scaled(text, &SIZES)
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, scale) = units.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    let digits = number.trim_end();
    // `parse` would also take a sign.
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(*scale)
}

/// Writes a size so that [`size`] reads it back.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    let whole = SIZES.iter().filter(|(_, scale)| bytes.is_multiple_of(*scale) && bytes > 0).max_by_key(|(_, scale)| scale);
    let (unit, scale) = whole.copied().unwrap_or(("B", 1));
    format!("{}{unit}", bytes / scale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_without_unit_is_refused() {
        assert_eq!((duration("500"), size("500")), (None, None));
        assert_eq!(
            (duration(""), duration("s"), duration("-1s"), duration("+1s"), duration("1.5s")),
            (None, None, None, None, None)
        );
        assert_eq!(duration("99999999999999999999s"), None);
        assert_eq!((duration("43200min"), duration("43201min"), duration("18446744073709551615ns")), (Some(LONGEST), None, None));
        assert_eq!((duration("500ms"), duration("2min")), (Some(Duration::millis(500)), Some(Duration::secs(120))));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(n in any::<u64>()) {
            let short = Duration(n % (LONGEST.0 + 1));
            prop_assert_eq!(duration(&short.to_string()), Some(short));
            prop_assert_eq!(size(&size_text(n)), Some(n));
        }
    }
}
