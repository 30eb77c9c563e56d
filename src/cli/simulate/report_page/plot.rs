//! One plot: a drawing of lines over virtual time, its legend, and the table of its numbers.
//!
//! Takes series of values that hold for an interval each; gives HTML with an SVG in it. A value that is absent breaks the line.
//! Reads no recording and knows nothing of what the values mean. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::SignedDuration;

use super::scale::{Scale, time_label, time_ticks, value_ticks};
use super::text::{Unit, coordinate, escape};
use crate::cli::simulate::line::clock;

/// Width of a drawing, in its own units; the page scales it.
const WIDTH: f64 = 720.0;
/// Height of a drawing.
const HEIGHT: f64 = 270.0;
/// Where the field of lines begins and ends.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 708.0;
const BOTTOM: f64 = 240.0;
/// Above the field, without numbers of marks; and what each row of them takes.
const ABOVE: f64 = 12.0;
const ROW: f64 = 16.0;
/// Width of a number of a mark.
const NUMBER: f64 = 24.0;
/// Most rows of them; beyond that numbers lie upon each other.
const ROWS: usize = 3;
/// How far level lines of different colours are kept apart.
const ASIDE: f64 = 2.6;
/// Colours that the style has; more series begin again, with another dash.
pub const COLOURS: usize = 7;

/// A value that holds for an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Begin, since the start.
    pub from: SignedDuration,
    /// End, since the start.
    pub to: SignedDuration,
    /// None: there is none.
    pub value: Option<f64>,
}

impl Point {
    fn known(&self) -> Option<f64> {
        self.value.filter(|value| value.is_finite())
    }
}

/// How points become a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// From the middle of one interval to the middle of the next.
    Line,
    /// Level for each interval.
    Steps,
    /// As steps, drawn lighter: what is asked for, beside what is.
    Asked,
}

/// Values with a name.
#[derive(Clone, Debug)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Number of the colour.
    pub colour: usize,
    /// How it is drawn.
    pub shape: Shape,
    /// In order.
    pub points: Vec<Point>,
}

impl Series {
    fn classes(&self) -> String {
        let dash = if self.colour >= COLOURS { " again" } else { "" };
        let asked = if self.shape == Shape::Asked { " asked" } else { "" };
        format!("s{}{dash}{asked}", self.colour % COLOURS)
    }
}

/// Something that happened, at its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker {
    /// Since the start.
    pub at: SignedDuration,
    /// Its number on the page.
    pub number: usize,
    /// What happened, one text each.
    pub what: Vec<String>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Plot<'a> {
    /// Unique on the page; letters, digits and dashes.
    pub id: String,
    /// Heading.
    pub title: String,
    /// What is shown, in a sentence or two.
    pub about: String,
    /// Unit of the values.
    pub unit: Unit,
    /// The axis reaches at least this value.
    pub least: f64,
    /// How long the play was.
    pub lasts: SignedDuration,
    /// The lines.
    pub series: Vec<Series>,
    /// What happened.
    pub markers: &'a [Marker],
}

impl Plot<'_> {
    /// As HTML.
    pub fn html(&self) -> String {
        let (id, title, about) = (&self.id, escape(&self.title), escape(&self.about));
        format!(
            "<figure class=\"plot\">\n<figcaption><h4>{title}</h4>\n<p>{about}</p></figcaption>\n{legend}\
             {svg}\
             <details><summary>Numbers<span class=\"hidden\"> of {title}</span></summary>\n\
             <div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"{title}, numbers\">\n{table}</div></details>\n</figure>\n",
            legend = self.legend(),
            svg = self.svg(id, &title, &about),
            table = self.table(&title),
        )
    }

    fn legend(&self) -> String {
        let mut html = "<ul class=\"legend\">\n".to_owned();
        for series in &self.series {
            let (classes, name) = (series.classes(), escape(&series.name));
            let _infallible = writeln!(
                html,
                "<li><svg width=\"26\" height=\"10\" aria-hidden=\"true\"><path class=\"curve {classes}\" d=\"M1 5H25\"/></svg>{name}</li>"
            );
        }
        html + "</ul>\n"
    }

    fn svg(&self, id: &str, title: &str, about: &str) -> String {
        let known = || self.series.iter().flat_map(|series| &series.points).filter_map(Point::known);
        let ticks = value_ticks(known().fold(0.0, f64::min), known().fold(0.0, f64::max), self.least, self.unit, 5);
        let seconds = self.lasts.as_secs_f64().max(1.0);
        let x = Scale { bottom: 0.0, top: seconds, from: LEFT, to: RIGHT };
        let rows = rows(self.markers, x);
        let top = ABOVE + ROW * rows.iter().max().map_or(0.0, |row| *row as f64 + 1.0);
        let (first, last) = (ticks.first().copied().unwrap_or(0.0), ticks.last().copied().unwrap_or(1.0));
        let y = Scale { bottom: first, top: last, from: BOTTOM, to: top };
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-title {id}-about\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-about\">{about} {}</desc>\n",
            escape(&self.summary()),
        );
        self.axes(&mut svg, x, y, &ticks);
        self.marks(&mut svg, x, &rows);
        // Level lines of equal values would hide each other.
        let level_only = self.series.iter().all(|series| series.shape != Shape::Line);
        for series in &self.series {
            let aside = if level_only { ASIDE * (series.colour % COLOURS) as f64 } else { 0.0 };
            let aside = if aside > 0.0 { format!(" transform=\"translate(0 -{})\"", coordinate(aside)) } else { String::new() };
            let _infallible = writeln!(svg, "<path class=\"curve {}\"{aside} d=\"{}\"/>", series.classes(), path(series, x, y));
        }
        svg + "</svg>\n"
    }

    fn axes(&self, svg: &mut String, x: Scale, y: Scale, ticks: &[f64]) {
        for tick in ticks {
            let (at, text) = (coordinate(y.place(*tick)), escape(&self.unit.show(Some(*tick))));
            let _infallible = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {at}H{RIGHT}\"/><text class=\"tick end\" x=\"{}\" y=\"{at}\" dy=\".32em\">{text}</text>",
                LEFT - 6.0
            );
        }
        for tick in time_ticks(self.lasts, 8) {
            let at = coordinate(x.place(tick.as_secs_f64()));
            let _infallible = writeln!(
                svg,
                "<path class=\"axis\" d=\"M{at} {BOTTOM}v5\"/><text class=\"tick middle\" x=\"{at}\" y=\"{}\">{}</text>",
                BOTTOM + 19.0,
                time_label(tick)
            );
        }
        let _infallible = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>");
    }

    fn marks(&self, svg: &mut String, x: Scale, rows: &[usize]) {
        for (marker, row) in self.markers.iter().zip(rows) {
            let base = ABOVE + ROW * (*row as f64) + 8.0;
            let at = coordinate(x.place(marker.at.as_secs_f64()));
            let what = escape(&marker.what.join("; "));
            let _infallible = writeln!(
                svg,
                "<g class=\"mark\"><title>{}: {what}</title><path d=\"M{at} {}V{BOTTOM}\"/><text class=\"middle\" x=\"{at}\" y=\"{}\">{}</text></g>",
                clock(marker.at),
                base + 4.0,
                base,
                marker.number
            );
        }
    }

    /// The least and the greatest value of every series, for those who do not see the drawing.
    fn summary(&self) -> String {
        let of = |series: &Series| {
            let known: Vec<f64> = series.points.iter().filter_map(Point::known).collect();
            let (least, greatest) = (known.iter().copied().reduce(f64::min), known.iter().copied().reduce(f64::max));
            match (least, greatest) {
                (Some(least), Some(greatest)) => {
                    format!("{}: from {} to {}.", series.name, self.unit.show(Some(least)), self.unit.show(Some(greatest)))
                }
                _ => format!("{}: no values.", series.name),
            }
        };
        self.series.iter().map(of).collect::<Vec<_>>().join(" ")
    }

    fn table(&self, title: &str) -> String {
        let headings: String = self.series.iter().map(|series| format!("<th scope=\"col\">{}</th>", escape(&series.name))).collect();
        let mut html = format!(
            "<table class=\"numbers\"><caption class=\"hidden\">{title}</caption>\n<thead><tr><th scope=\"col\">from</th>{headings}</tr></thead>\n<tbody>\n"
        );
        let times: BTreeSet<SignedDuration> = self.series.iter().flat_map(|series| &series.points).map(|point| point.from).collect();
        for time in times {
            let cell = |series: &Series| {
                let index = series.points.partition_point(|point| point.from <= time);
                let held = index.checked_sub(1).map(|index| series.points[index]).filter(|point| time < point.to);
                format!("<td>{}</td>", escape(&self.unit.show(held.and_then(|point| point.value))))
            };
            let cells: String = self.series.iter().map(cell).collect();
            let _infallible = writeln!(html, "<tr><th scope=\"row\">{}</th>{cells}</tr>", clock(time));
        }
        html + "</tbody></table>\n"
    }
}

/// In which row the number of each mark stands: the first in which it has room.
fn rows(markers: &[Marker], x: Scale) -> Vec<usize> {
    let mut ends = [f64::NEG_INFINITY; ROWS];
    let row = |marker: &Marker| {
        let at = x.place(marker.at.as_secs_f64());
        let row = ends.iter().position(|end| *end <= at - NUMBER / 2.0).unwrap_or(ROWS - 1);
        ends[row] = at + NUMBER / 2.0;
        row
    };
    markers.iter().map(row).collect()
}

/// A line that is broken where a value is absent. A value alone is a dot.
fn path(series: &Series, x: Scale, y: Scale) -> String {
    let mut path = String::new();
    let mut open = false;
    for point in &series.points {
        let Some(value) = point.known() else {
            open = false;
            continue;
        };
        let level = coordinate(y.place(value));
        let (from, to) = (point.from.as_secs_f64(), point.to.as_secs_f64());
        let place = |seconds: f64| coordinate(x.place(seconds));
        let _infallible = match (series.shape, open) {
            (Shape::Line, true) => write!(path, "L{} {level}", place(f64::midpoint(from, to))),
            (Shape::Line, false) => write!(path, "M{} {level}h0", place(f64::midpoint(from, to))),
            (_, true) => write!(path, "V{level}H{}", place(to)),
            (_, false) => write!(path, "M{} {level}H{}", place(from), place(to)),
        };
        open = true;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(from: i64, to: i64, value: Option<f64>) -> Point {
        Point { from: SignedDuration::from_secs(from), to: SignedDuration::from_secs(to), value }
    }

    fn series(shape: Shape, points: Vec<Point>) -> Series {
        Series { name: "1.0 <b>".to_owned(), colour: 0, shape, points }
    }

    fn plot(series: Vec<Series>, markers: &[Marker]) -> Plot<'_> {
        let lasts = SignedDuration::from_secs(100);
        let (id, title, about) = ("p1".to_owned(), "Errors & more".to_owned(), "All.".to_owned());
        Plot { id, title, about, unit: Unit::Percent, least: 1.0, lasts, series, markers }
    }

    const X: Scale = Scale { bottom: 0.0, top: 100.0, from: 0.0, to: 100.0 };
    const Y: Scale = Scale { bottom: 0.0, top: 10.0, from: 10.0, to: 0.0 };

    #[test]
    fn a_line_breaks_where_a_value_is_absent_and_a_value_alone_is_a_dot() {
        let points = vec![
            point(0, 10, Some(1.0)),
            point(10, 20, Some(2.0)),
            point(20, 30, None),
            point(30, 40, Some(3.0)),
            point(40, 50, Some(f64::NAN)),
            point(50, 60, Some(4.0)),
        ];
        assert_eq!(path(&series(Shape::Line, points), X, Y), "M5 9h0L15 8M35 7h0M55 6h0");
    }

    #[test]
    fn steps_are_level_until_they_change() {
        let points = vec![point(0, 10, Some(1.0)), point(10, 30, Some(2.0)), point(30, 40, None), point(40, 50, Some(0.0))];
        assert_eq!(path(&series(Shape::Steps, points), X, Y), "M0 9H10V8H30M40 10H50");
    }

    #[test]
    fn a_plot_without_values_or_with_nan_prints_neither_nan_nor_infinity() {
        let strange = vec![point(0, 10, Some(f64::NAN)), point(10, 10, Some(f64::INFINITY)), point(10, 20, Some(f64::NEG_INFINITY))];
        for series in [vec![], vec![series(Shape::Line, vec![])], vec![series(Shape::Steps, strange)]] {
            let mut plot = plot(series, &[]);
            for lasts in [0, 100] {
                plot.lasts = SignedDuration::from_secs(lasts);
                let html = plot.html();
                assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
                assert!(html.contains("<svg viewBox") && html.contains("</figure>"), "{html}");
            }
        }
    }

    #[test]
    fn a_single_point_is_drawn_and_told() {
        let html = plot(vec![series(Shape::Line, vec![point(0, 20, Some(0.5))])], &[]).html();
        assert!(html.contains("d=\"M137.4 126h0\"") && html.contains("<td>0.5 %</td>"), "{html}");
        assert!(html.contains("1.0 &lt;b&gt;: from 0.5 % to 0.5 %."), "{html}");
    }

    #[test]
    fn numbers_of_marks_stand_beside_or_below_each_other() {
        let marker = |at: i64| Marker { at: SignedDuration::from_secs(at), number: 1, what: Vec::new() };
        let scale = Scale { bottom: 0.0, top: 100.0, from: 0.0, to: 100.0 };
        assert_eq!(rows(&[0, 5, 10, 25, 30, 90].map(marker), scale), [0, 1, 2, 0, 1, 0]);
        assert_eq!(rows(&[0, 1, 2, 3, 4].map(marker), scale), [0, 1, 2, 2, 2]);
    }

    #[test]
    fn level_lines_of_equal_values_do_not_hide_each_other() {
        let levels = |other: Shape| {
            let one = series(Shape::Steps, vec![point(0, 100, Some(1.0))]);
            let two = Series { colour: 1, shape: other, ..one.clone() };
            plot(vec![one, two], &[]).html()
        };
        assert!(levels(Shape::Asked).contains("<path class=\"curve s1 asked\" transform=\"translate(0 -2.6)\" d="));
        assert!(!levels(Shape::Line).contains("transform"), "values beside a line stand where they are");
    }

    #[test]
    fn names_and_marks_are_escaped() {
        let what = vec!["<img src=x>".to_owned(), "b".to_owned()];
        let markers = [Marker { at: SignedDuration::from_secs(50), number: 3, what }];
        let html = plot(vec![series(Shape::Steps, vec![point(0, 100, Some(1.0))])], &markers).html();
        assert!(!html.contains("<b>") && !html.contains("<img") && html.contains("Errors &amp; more"), "{html}");
        assert!(html.contains("<title>50s: &lt;img src=x&gt;; b</title>") && html.contains(">3</text>"), "{html}");
    }

    #[test]
    fn the_table_holds_what_was_in_force_at_each_change() {
        let asked = series(Shape::Asked, vec![point(0, 30, Some(10.0)), point(30, 100, Some(50.0))]);
        let got = series(Shape::Line, vec![point(0, 20, Some(11.0)), point(20, 40, None)]);
        let html = plot(vec![asked, got], &[]).table("t");
        let rows: Vec<&str> = html.lines().filter(|line| line.contains("scope=\"row\"")).collect();
        assert_eq!(
            rows,
            [
                "<tr><th scope=\"row\">0s</th><td>10 %</td><td>11 %</td></tr>",
                "<tr><th scope=\"row\">20s</th><td>10 %</td><td>–</td></tr>",
                "<tr><th scope=\"row\">30s</th><td>50 %</td><td>–</td></tr>",
            ]
        );
    }
}
