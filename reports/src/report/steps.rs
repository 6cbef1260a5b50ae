//! A number over time, in bounded memory.
//!
//! ```text
//!   bucket   first ── lowest, highest ── last        one per `bin` of time in which something changed
//! ```
//!
//! A run of a week has millions of log ends, a chart has a thousand pixels. When there are too many buckets, bins double and neighbours
//! melt; extremes survive, so a truncation that lasts a millisecond is still to be seen.

use super::sheet::Point;

/// Buckets at most; a few per pixel.
const BUCKETS_MAX: usize = 4096;

/// What a number did within one bin of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// When it first changed, and to what.
    pub first: (u64, i64),
    /// Smallest value.
    pub low: i64,
    /// Largest value.
    pub high: i64,
    /// When it last changed, and to what.
    pub last: (u64, i64),
    /// When it stopped having a value, if it did.
    pub gap: Option<u64>,
}

/// A number over time.
#[derive(Clone, Debug)]
pub struct Steps {
    buckets: Vec<Bucket>,
    bin: u64,
}

impl Default for Steps {
    fn default() -> Steps {
        Steps { buckets: Vec::new(), bin: 1_000 }
    }
}

impl Steps {
    /// From `at` on it has this value.
    pub fn push(&mut self, at: u64, value: i64) {
        if self.current() == Some(value) {
            return;
        }
        let bucket = Bucket { first: (at, value), low: value, high: value, last: (at, value), gap: None };
        match self.buckets.last_mut() {
            Some(last) if last.first.0 / self.bin == at / self.bin => last.melt(&bucket),
            Some(_) | None => self.buckets.push(bucket),
        }
        if self.buckets.len() > BUCKETS_MAX {
            self.coarsen();
        }
    }

    /// From `at` on it has none.
    pub fn pause(&mut self, at: u64) {
        if let Some(last) = self.buckets.last_mut() {
            last.gap.get_or_insert(at);
        }
    }

    /// The value now.
    #[must_use]
    pub fn current(&self) -> Option<i64> {
        self.buckets.last().filter(|bucket| bucket.gap.is_none()).map(|bucket| bucket.last.1)
    }

    /// Smallest and largest value ever.
    #[must_use]
    pub fn range(&self) -> Option<(i64, i64)> {
        let low = self.buckets.iter().map(|bucket| bucket.low).min()?;
        Some((low, self.buckets.iter().map(|bucket| bucket.high).max()?))
    }

    /// The lines of a chart: steps in pixels, one line for each time between two gaps, without the points that nobody can see.
    #[must_use]
    pub fn lines(&self, end: u64, x: impl Fn(u64) -> i32, y: impl Fn(i64) -> i32) -> Vec<Vec<Point>> {
        let mut lines = Vec::new();
        let mut line: Vec<Point> = Vec::new();
        let step_to = |line: &mut Vec<Point>, at: u64, value: i64| {
            let (x, y) = (x(at), y(value));
            if let Some((_, before)) = line.last().copied() {
                line.push((x, before));
            }
            line.push((x, y));
        };
        for bucket in &self.buckets {
            step_to(&mut line, bucket.first.0, bucket.first.1);
            for extreme in [bucket.low, bucket.high] {
                step_to(&mut line, bucket.first.0, extreme);
            }
            step_to(&mut line, bucket.last.0, bucket.last.1);
            if let Some(gap) = bucket.gap {
                step_to(&mut line, gap, bucket.last.1);
                lines.push(simplified(&std::mem::take(&mut line)));
            }
        }
        if let Some(value) = self.current() {
            step_to(&mut line, end, value);
            lines.push(simplified(&line));
        }
        lines
    }

    fn coarsen(&mut self) {
        while self.buckets.len() > BUCKETS_MAX / 2 {
            self.bin = self.bin.saturating_mul(2);
            let mut coarse: Vec<Bucket> = Vec::with_capacity(self.buckets.len());
            for bucket in &self.buckets {
                match coarse.last_mut() {
                    Some(last) if last.first.0 / self.bin == bucket.first.0 / self.bin => last.melt(bucket),
                    Some(_) | None => coarse.push(*bucket),
                }
            }
            self.buckets = coarse;
        }
    }
}

impl Bucket {
    /// A gap between the two is shorter than a bin and not kept.
    fn melt(&mut self, later: &Bucket) {
        self.low = self.low.min(later.low);
        self.high = self.high.max(later.high);
        self.last = later.last;
        self.gap = later.gap;
    }
}

/// Leaves out points that lie within a pixel of the line between those that stay (Ramer 1972, Douglas and Peucker 1973).
#[must_use]
pub fn simplified(line: &[Point]) -> Vec<Point> {
    let Some(last) = line.len().checked_sub(1) else { return Vec::new() };
    let mut keep = vec![false; line.len()];
    (keep[0], keep[last]) = (true, true);
    let mut open = vec![(0, last)];
    while let Some((from, to)) = open.pop() {
        let farthest = (from + 1..to).map(|at| (distance(line[at], line[from], line[to]), at)).max();
        if let Some((far, at)) = farthest
            && far > 1
        {
            keep[at] = true;
            open.extend([(from, at), (at, to)]);
        }
    }
    line.iter().zip(keep).filter(|(_, keep)| *keep).map(|(point, _)| *point).collect()
}

/// Square of the distance of a point from a piece of a line, in whole pixels.
fn distance(point: Point, from: Point, to: Point) -> i64 {
    let wide = |(x, y): Point| (i64::from(x), i64::from(y));
    let ((px, py), (ax, ay), (bx, by)) = (wide(point), wide(from), wide(to));
    let (dx, dy) = (bx - ax, by - ay);
    let square = dx * dx + dy * dy;
    let along = (px - ax) * dx + (py - ay) * dy;
    if square == 0 || along < 0 || along > square {
        let to_end = |(x, y): (i64, i64)| (px - x) * (px - x) + (py - y) * (py - y);
        return to_end((ax, ay)).min(to_end((bx, by)));
    }
    let across = (px - ax) * dy - (py - ay) * dx;
    across * across / square
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millions_of_changes_fit_and_extremes_survive() {
        let mut steps = Steps::default();
        for n in 0..300_000i64 {
            steps.push(n.unsigned_abs() * 1_000_000, if n == 123_456 { -7 } else { n });
        }
        assert!(steps.buckets.len() <= BUCKETS_MAX);
        assert_eq!((steps.range(), steps.current()), (Some((-7, 299_999)), Some(299_999)));
        let lines = steps.lines(300_000_000_000, |at| (at / 300_000_000) as i32, |value| (value / 1000) as i32);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() < 12, "a straight line with one dent needs few points: {:?}", lines[0]);
        assert!(lines[0].iter().any(|(x, y)| *y == 0 && (410..=413).contains(x)), "the dent is there: {:?}", lines[0]);
    }

    #[test]
    fn a_gap_parts_lines() {
        let mut steps = Steps::default();
        steps.push(1_000, 5);
        steps.pause(20_000);
        steps.push(40_000, 5);
        let lines = steps.lines(90_000, |at| (at / 1000) as i32, |value| value as i32);
        assert_eq!(lines, [vec![(1, 5), (20, 5)], vec![(40, 5), (90, 5)]]);
    }

    #[test]
    fn corners_stay() {
        assert_eq!(simplified(&[(0, 0), (5, 0), (10, 0), (10, 9), (20, 9)]), [(0, 0), (10, 0), (10, 9), (20, 9)]);
        assert_eq!(simplified(&[]), []);
    }
}
