//! A page that people write, with a part that a command writes: everything between two marks.

/// The page with a fresh table between the marks; a page without them gets both, at its end.
#[must_use]
pub fn refreshed(page: &str, (begin, end): (&str, &str), table: &str) -> String {
    let (before, after) = match (page.split_once(begin), page.split_once(end)) {
        (Some((before, _)), Some((_, after))) => (before, after),
        (None, _) | (_, None) => (page, "\n"),
    };
    format!("{before}{begin}\n\n{table}\n{end}{after}")
}
