//! Rows of cells as lines: columns as wide as their widest cell, numbers to the right, two spaces between.

/// What stands where there is nothing.
pub(super) const NOTHING: &str = "-";

/// The headings and the rows, aligned. An empty cell is shown as [`NOTHING`].
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let columns: Vec<Column> = (0..headings.len()).map(|at| Column::of(headings[at], rows, at)).collect();
    let headings: Vec<String> = headings.iter().map(ToString::to_string).collect();
    [&headings].into_iter().chain(rows).map(|row| line(&columns, row)).collect()
}

struct Column {
    width: usize,
    is_numeric: bool,
}

impl Column {
    fn of(heading: &str, rows: &[Vec<String>], at: usize) -> Column {
        let cells = || rows.iter().map(|row| shown(&row[at]));
        let width = cells().chain([heading]).map(|cell| cell.chars().count()).max().unwrap_or(0);
        Column { width, is_numeric: cells().all(|cell| cell == NOTHING || cell.parse::<i64>().is_ok()) }
    }
}

fn shown(cell: &str) -> &str {
    if cell.is_empty() { NOTHING } else { cell }
}

fn line(columns: &[Column], row: &[String]) -> String {
    let cell = |(column, cell): (&Column, &String)| match column.is_numeric {
        true => format!("{:>width$}", shown(cell), width = column.width),
        false => format!("{:<width$}", shown(cell), width = column.width),
    };
    columns.iter().zip(row).map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be_and_numbers_stand_to_the_right() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let lines = table(&["topic", "lag", "member"], &[row(["orders", "1200", "a"]), row(["größe", "", ""])]);
        assert_eq!(lines, ["topic    lag  member", "orders  1200  a", "größe      -  -"]);
    }
}
