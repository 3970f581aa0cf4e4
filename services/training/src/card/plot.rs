//! Plots of the card as inline SVG: lines, bars and dots on axes from 0, without any script.

use std::fmt::Write;

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 42.0;

/// Colours that people who do not see red and green apart can tell (Okabe and Ito, 2008).
const COLOURS: [&str; 6] = ["#000091", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8a8a8a"];

/// A line or a set of dots with its name.
pub struct Series {
    /// Name, for the legend.
    pub name: String,
    /// Points.
    pub points: Vec<(f64, f64)>,
}

/// Names of the axes, and how far they go; `None` stands for what the points need.
pub struct Axes<'a> {
    /// What the plot is about, for a screen reader.
    pub title: &'a str,
    /// Horizontal axis.
    pub x: &'a str,
    /// Vertical axis.
    pub y: &'a str,
    /// Right end.
    pub x_range: Option<(f64, f64)>,
    /// Upper end.
    pub y_range: Option<(f64, f64)>,
}

struct Scale {
    x: (f64, f64),
    y: (f64, f64),
}

impl Scale {
    fn of(axes: &Axes<'_>, series: &[Series]) -> Self {
        let all = || series.iter().flat_map(|series| &series.points);
        let range = |given: Option<(f64, f64)>, of: fn(&(f64, f64)) -> f64| {
            given.unwrap_or_else(|| {
                let (low, high) =
                    all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
                if low < high { (low, high) } else { (low - 0.5, low + 0.5) }
            })
        };
        Self { x: range(axes.x_range, |point| point.0), y: range(axes.y_range, |point| point.1) }
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low)).clamp(0.0, 1.0);
        (LEFT + share(x, self.x) * (WIDTH - LEFT - 10.0), TOP + (1.0 - share(y, self.y)) * (HEIGHT - TOP - BOTTOM))
    }
}

/// What is drawn for a series.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A line through the points.
    Line,
    /// A line with a dot at each point.
    Dots,
}

/// Draws series on axes, with a legend when there are several. `diagonal` adds the line from corner to corner.
pub fn plot(axes: &Axes<'_>, series: &[Series], mark: Mark, diagonal: bool) -> String {
    if series.iter().all(|series| series.points.is_empty()) {
        return String::from("<p class=\"none\">nothing to draw: no such rows</p>");
    }
    let scale = Scale::of(axes, series);
    let mut svg = open(axes, &scale);
    if diagonal {
        let ((x1, y1), (x2, y2)) = (scale.place((scale.x.0, scale.y.0)), scale.place((scale.x.1, scale.y.1)));
        let _ = write!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"diagonal\"/>");
    }
    for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<(f64, f64)> = series.points.iter().map(|point| scale.place(*point)).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>", path.join(" "));
        if mark == Mark::Dots {
            for (x, y) in points {
                let _ = write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
            }
        }
    }
    svg.push_str("</svg>");
    if series.len() > 1 {
        svg.push_str("<p class=\"legend\">");
        for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
            let _ = write!(svg, "<span style=\"color:{colour}\">■</span> {} ", super::escape(&series.name));
        }
        svg.push_str("</p>");
    }
    svg
}

fn open(axes: &Axes<'_>, scale: &Scale) -> String {
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        super::escape(axes.title)
    );
    let ((x1, y1), (x2, y2)) = (scale.place((scale.x.0, scale.y.1)), scale.place((scale.x.1, scale.y.0)));
    let _ = write!(svg, "<rect x=\"{x1}\" y=\"{y1}\" width=\"{}\" height=\"{}\" class=\"frame\"/>", x2 - x1, y2 - y1);
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let (x, y) = (scale.x.0 + share * (scale.x.1 - scale.x.0), scale.y.0 + share * (scale.y.1 - scale.y.0));
        let (across, up) = (scale.place((x, scale.y.0)).0, scale.place((scale.x.0, y)).1);
        let _ = write!(svg, "<text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", y2 + 14.0, number(x));
        let _ = write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>", x1 - 4.0, up + 4.0, number(y));
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(x1, x2),
        y2 + 32.0,
        super::escape(axes.x)
    );
    let middle = f64::midpoint(y1, y2);
    let _ = write!(
        svg,
        "<text x=\"10\" y=\"{middle:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 10 {middle:.1})\">{}</text>",
        super::escape(axes.y)
    );
    svg
}

/// A number of an axis.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A strip of dots for one feature: across its contribution, coloured by the place of its value from low to high.
pub fn strip(points: &[(Option<f32>, f32)], most: f64) -> String {
    const STRIP: f64 = 300.0;
    let mut svg = format!("<svg viewBox=\"0 0 {STRIP} 20\" width=\"{STRIP}\" height=\"20\" role=\"img\" aria-label=\"contributions\">");
    let _ = write!(svg, "<line x1=\"{0}\" y1=\"0\" x2=\"{0}\" y2=\"20\" class=\"diagonal\"/>", STRIP / 2.0);
    for (at, (place, contribution)) in points.iter().enumerate() {
        let x = STRIP / 2.0 * (1.0 + (f64::from(*contribution) / most).clamp(-1.0, 1.0) * 0.98);
        // Spread by the position in the sample, so that dots do not hide each other.
        let y = 3.0 + (at * 7 % 15) as f64;
        let colour = place.map_or_else(
            || "#aaa".to_owned(),
            |place| {
                let share = f64::from(place);
                format!("rgb({:.0},{:.0},{:.0})", 30.0 + 190.0 * share, 90.0 - 40.0 * share, 190.0 - 160.0 * share)
            },
        );
        let _ = write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.6\" fill=\"{colour}\"/>");
    }
    svg.push_str("</svg>");
    svg
}

/// A horizontal bar of a share within [0, 1], with its percentage.
pub fn bar(share: f64) -> String {
    format!("<span class=\"bar\" style=\"width:{:.0}px\"></span>{:.1} %", (share * 260.0).clamp(0.0, 260.0), 100.0 * share)
}
