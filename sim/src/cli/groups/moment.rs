//! Moments as people write them: milliseconds since 1970, as records carry them, or a date with or without a time (ISO 8601). Without a zone it
//! is UTC, as in Kafka's tools.
//!
//! ```text
//!   1764540000000    2026-11-30    2026-11-30T22:00    2026-11-30T22:00:05.250Z    2026-11-30T22:00:00+01:00
//! ```

use brokerlab::types::Timestamp;

/// What may be written.
const FORM: &str = "it is a number of milliseconds since 1970, or a date and time: 2026-11-30, 2026-11-30T22:00:05.250, 2026-11-30T22:00Z, \
2026-11-30T22:00+01:00";

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// Reads a moment.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let millis = if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { date_and_time(text) };
    millis.map(Timestamp).ok_or_else(|| FORM.to_owned())
}

fn date_and_time(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let (time, zone) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, "Z"),
    };
    Some(days(date)? * DAY_MS + time_of_day(time)? - offset(zone)?)
}

/// Days from 1970 to a date of the Gregorian calendar.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if is_leap { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let at = usize::try_from(month - 1).ok()?;
    if !(1..=*months.get(at)?).contains(&day) || year < 1970 {
        return None;
    }
    let before = year - 1;
    let leaps = before / 4 - before / 100 + before / 400 - 477;
    Some((year - 1970) * 365 + leaps + months[..at].iter().sum::<i64>() + day - 1)
}

/// Milliseconds since midnight.
fn time_of_day(time: &str) -> Option<i64> {
    let (minutes, seconds) = (time.get(..5)?, time.get(5..)?);
    let millis = match seconds.strip_prefix(':') {
        None if seconds.is_empty() => 0,
        None => return None,
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            let millis = number(fraction.get(..3).unwrap_or(fraction), fraction.len().min(3))?;
            let scale = [100, 10, 1].get(fraction.len().min(3).checked_sub(1)?)?;
            number(whole, 2).filter(|seconds| *seconds < 60)? * 1_000 + millis * scale
        }
    };
    Some(minutes_of(minutes)? * MINUTE_MS + millis)
}

/// How far a zone is ahead of UTC, in milliseconds.
fn offset(zone: &str) -> Option<i64> {
    match zone.split_at_checked(1)? {
        ("Z", "") => Some(0),
        ("+", ahead) => Some(minutes_of(ahead)? * MINUTE_MS),
        ("-", behind) => Some(-minutes_of(behind)? * MINUTE_MS),
        _ => None,
    }
}

/// Minutes of `HH:MM`.
fn minutes_of(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// A number of so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let is_right = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_right.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_number_or_a_date() {
        let cases = [
            ("0", 0),
            ("1764540000123", 1_764_540_000_123),
            ("1970-01-01", 0),
            ("1972-03-01", 790 * DAY_MS),
            ("2000-02-29T00:00Z", 951_782_400_000),
            ("2026-11-30T22:00:05.25", 1_796_076_005_250),
            ("2026-11-30 22:00:05.2509Z", 1_796_076_005_250),
            ("2026-11-30T22:00+01:00", 1_796_072_400_000),
            ("2026-11-30T22:00-01:30", 1_796_081_400_000),
        ];
        cases.iter().for_each(|(text, millis)| assert_eq!(moment(text), Ok(Timestamp(*millis)), "{text}"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let wrong = [
            "",
            "-1",
            "yesterday",
            "2026-11",
            "2026-11-31",
            "2026-02-29",
            "2026-13-01",
            "1969-12-31",
            "2026-11-30T24:00",
            "2026-11-30T22",
            "2026-11-30T22:00:60",
            "2026-11-30T22:00:05.",
            "2026-11-30T22:00+1",
            "2026-11-30T22:00Zulu",
            "99999999999999999999",
            "é026-11-30",
            "2026-11-30T2é:0",
        ];
        wrong.iter().for_each(|text| assert!(moment(text).is_err(), "{text}"));
    }
}
