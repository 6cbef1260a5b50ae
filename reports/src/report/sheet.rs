//! One static drawing: plotters on an SVG in memory, with the time axis that all drawings share.
//!
//! ```text
//!   gutter        plot
//!   ┌───────────┬──────────────────────────────────────────────┐
//!   │ labels    │ x = world time, the same range on every sheet │
//!   └───────────┴──────────────────────────────────────────────┘
//! ```
//!
//! plotters writes plain shapes with fixed colours. The page's style sheet finds these colours by attribute and replaces them where the
//! reader prefers a dark page; so ink has a fixed colour here and needs no class. Nothing is told by colour alone: roles differ in height
//! and label, series in width and dashes.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, IntoTextStyle, RGBColor, ShapeStyle};

use super::names::length;

/// A place on a sheet, in pixels.
pub type Point = (i32, i32);

/// Width of every sheet.
pub const WIDTH: i32 = 1200;
/// Where the plot begins.
pub const GUTTER: i32 = 132;
/// Free space to the right of the plot.
const MARGIN: i32 = 18;
/// Where the plot ends.
pub const RIGHT: i32 = WIDTH - MARGIN;
/// Height of the time axis.
pub const AXIS: i32 = 34;
/// plotters divides the size of a font by this.
const FONT_SCALE: f64 = 1.24;

/// A colour with a purpose. The palette is Okabe and Ito's, which colour-blind readers can tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ink {
    /// Text and lines.
    Text,
    /// Lines that the page's style sheet dashes.
    Dashes,
    /// Labels of lesser weight.
    Muted,
    /// Rules and axes.
    Rule,
    /// Leaders, the first series.
    Blue,
    /// Followers in the ISR.
    Sky,
    /// Followers outside the ISR.
    Orange,
    /// What should not be.
    Red,
    /// What is well.
    Green,
    /// What the plan does.
    Purple,
    /// Not there.
    Grey,
    /// Text on dark bands; the same on every page.
    OnDark,
    /// Text on light bands; the same on every page.
    OnLight,
}

impl Ink {
    fn colour(self) -> RGBColor {
        match self {
            Ink::Text => RGBColor(0x1F, 0x23, 0x28),
            Ink::Dashes => RGBColor(0x1F, 0x23, 0x29),
            Ink::Muted => RGBColor(0x59, 0x63, 0x6E),
            Ink::Rule => RGBColor(0xD1, 0xD9, 0xE0),
            Ink::Blue => RGBColor(0x00, 0x72, 0xB2),
            Ink::Sky => RGBColor(0x8C, 0xC8, 0xEC),
            Ink::Orange => RGBColor(0xE6, 0x9F, 0x00),
            Ink::Red => RGBColor(0xD5, 0x5E, 0x00),
            Ink::Green => RGBColor(0x00, 0x9E, 0x73),
            Ink::Purple => RGBColor(0xCC, 0x79, 0xA7),
            Ink::Grey => RGBColor(0x8C, 0x95, 0x9F),
            Ink::OnDark => RGBColor(0xFE, 0xFE, 0xFE),
            Ink::OnLight => RGBColor(0x10, 0x14, 0x18),
        }
    }
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// To the right of it.
    Left,
    /// Around it.
    Middle,
    /// To the left of it.
    Right,
}

/// How a text looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// Names that count.
    Bold,
    /// Everything else.
    Small,
}

impl Type {
    fn pixels(self) -> f64 {
        match self {
            Type::Bold => 14.0,
            Type::Small => 12.0,
        }
    }

    /// About how wide a text will be; the reader's font decides.
    #[must_use]
    pub fn width(self, text: &str) -> i32 {
        (text.chars().count() as f64 * self.pixels() * 0.56).ceil() as i32
    }
}

/// The range of time that a sheet shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeAxis {
    /// Begin.
    pub begin: u64,
    /// End.
    pub end: u64,
}

impl TimeAxis {
    /// From the start of the run to that moment.
    #[must_use]
    pub fn until(end: u64) -> TimeAxis {
        TimeAxis { begin: 0, end }
    }

    /// Where a moment lies; what is outside the range lies on its edge.
    #[must_use]
    pub fn x(self, at: u64) -> i32 {
        let plot = (RIGHT - GUTTER) as u128;
        let along = u128::from(at.clamp(self.begin, self.end) - self.begin) * plot / u128::from((self.end - self.begin).max(1));
        GUTTER + i32::try_from(along).unwrap_or(0)
    }

    /// Whether a moment is shown.
    #[must_use]
    pub fn shows(self, at: u64) -> bool {
        (self.begin..=self.end).contains(&at)
    }

    /// Where a span lies, if any of it is shown.
    #[must_use]
    pub fn span(self, from: u64, to: u64) -> Option<(i32, i32)> {
        (to >= self.begin && from <= self.end).then(|| (self.x(from), self.x(to)))
    }

    /// Round moments, about ten.
    fn ticks(self) -> Vec<u64> {
        const MILLIS: [u64; 20] = [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 7_200_000,
            21_600_000, 86_400_000,
        ];
        let range = (self.end - self.begin) / 1_000_000;
        let step = MILLIS.into_iter().find(|step| range / step <= 12).unwrap_or((range / 10).max(1)) * 1_000_000;
        (self.begin.div_ceil(step)..=self.end / step).map(|n| n * step).collect()
    }
}

/// A drawing in the making.
pub struct Sheet<'b> {
    area: DrawingArea<SVGBackend<'b>, Shift>,
    /// Its time axis.
    pub time: TimeAxis,
}

/// Draws a sheet and gives its SVG, with a title and a description for those who cannot see it.
#[must_use]
pub fn drawing(id: &str, title: &str, about: &str, time: TimeAxis, height: i32, paint: impl FnOnce(&Sheet<'_>)) -> String {
    let mut svg = String::new();
    {
        let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let sheet = Sheet { area, time };
        paint(&sheet);
        sheet.area.present().expect("drawing into memory cannot fail");
    }
    // Inside a page the opening tag needs no name space, but words for readers.
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n<title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n{}",
        super::page::escaped(title),
        super::page::escaped(about),
        body.trim_start()
    )
}

impl<'b> Sheet<'b> {
    /// A filled box. One that would be too narrow to be seen is a pixel wide.
    pub fn fill(&self, (x0, y0): Point, (x1, y1): Point, ink: Ink, opacity: f64) {
        self.put(&Rectangle::new([(x0, y0), (x1.max(x0 + 1), y1)], ink.colour().mix(opacity).filled()));
    }

    /// A line.
    pub fn line(&self, points: &[Point], ink: Ink, width: u32) {
        if points.len() > 1 {
            self.put(&PathElement::new(points.to_vec(), self.stroke(ink, width)));
        }
    }

    /// A filled shape.
    pub fn shape(&self, points: &[Point], ink: Ink, opacity: f64) {
        if points.len() > 2 {
            self.put(&Polygon::new(points.to_vec(), ink.colour().mix(opacity).filled()));
        }
    }

    /// A ring.
    pub fn ring(&self, at: Point, radius: i32, ink: Ink) {
        self.put(&Circle::new(at, radius, self.stroke(ink, 2)));
    }

    /// A cross.
    pub fn cross(&self, (x, y): Point, size: i32, ink: Ink) {
        self.line(&[(x - size, y - size), (x + size, y + size)], ink, 2);
        self.line(&[(x - size, y + size), (x + size, y - size)], ink, 2);
    }

    /// A text, centred on the height of its point.
    pub fn text(&self, at: Point, text: &str, kind: Type, ink: Ink, anchor: Anchor) {
        let h = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let style = if kind == Type::Bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::SansSerif, kind.pixels() * FONT_SCALE, style);
        let colour = ink.colour();
        let style = font.into_text_style(&self.area).color(&colour).pos(Pos::new(h, VPos::Center));
        self.put(&Text::new(text.to_string(), at, style));
    }

    /// The label of a row, in the gutter; cut where it would not fit.
    pub fn label(&self, y: i32, text: &str, kind: Type, ink: Ink) {
        self.text((GUTTER - 10, y), &shortened(text, 17), kind, ink, Anchor::Right);
    }

    /// Rules at round moments between two heights, and their names below.
    pub fn time_axis(&self, top: i32, bottom: i32) {
        for at in self.time.ticks() {
            let x = self.time.x(at);
            self.line(&[(x, top), (x, bottom + 4)], Ink::Rule, 1);
            // The last name would stand beyond the edge.
            let (x, anchor) = if x + 30 > WIDTH { (WIDTH - 2, Anchor::Right) } else { (x, Anchor::Middle) };
            self.text((x, bottom + 15), &tick(at), Type::Small, Ink::Muted, anchor);
        }
        self.line(&[(GUTTER, bottom), (RIGHT, bottom)], Ink::Muted, 1);
    }

    fn stroke(&self, ink: Ink, width: u32) -> ShapeStyle {
        ink.colour().stroke_width(width)
    }

    fn put<E>(&self, element: &E)
    where
        for<'e> &'e E: PointCollection<'e, Point>,
        E: Drawable<SVGBackend<'b>>,
    {
        self.area.draw(element).expect("drawing into memory cannot fail");
    }
}

/// A text of at most so many characters.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_string();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn tick(at: u64) -> String {
    let (seconds, millis) = (at / 1_000_000_000, at / 1_000_000 % 1000);
    match seconds {
        0..600 if millis == 0 => format!("{seconds} s"),
        0..600 => format!("{seconds}.{millis:03} s").replace("00 s", " s"),
        _ if seconds.is_multiple_of(86_400) => format!("day {}", seconds / 86_400 + 1),
        600..7200 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => length(at),
    }
}
