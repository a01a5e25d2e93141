//! An outcome drawn as an image, for people: SVG, whose text the viewer sets in its own font.

use plotters::prelude::{
    BLACK, ChartBuilder, DrawingAreaErrorKind, IntoDrawingArea, IntoFont, LineSeries, PathElement, RGBColor,
    Rectangle, SVGBackend, SeriesLabelPosition, Text, WHITE,
};
use plotters::style::Color;
use serde_json::Value;

use super::number::{count, float, number};
use super::outcome::{Drawing, Outcome, short};
use super::quantile::mean;
use crate::error::{Error, Result};

/// The image's width in pixels.
const WIDTH: u32 = 840;
/// The height of an image of lines.
const LINES_HEIGHT: u32 = 420;
/// The height of a bar with its gap, and the most bars.
const BAR_HEIGHT: u32 = 22;
const BARS_MAX: usize = 40;
/// What stands above the bars.
const TITLE_HEIGHT: u32 = 36;
/// Where bars begin, and how long the longest is.
const BARS_LEFT: i32 = 280;
const BARS_WIDTH: f64 = 460.0;
/// The most characters of a name.
const LABEL_MAX: usize = 38;
/// Colours that people tell apart, whatever they see of red and green (Okabe and Ito 2008), and grey.
const COLORS: [RGBColor; 9] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(240, 228, 66),
    RGBColor(128, 128, 128),
];
/// The most points of a line: more are averaged.
const POINTS_MAX: usize = 800;

/// The outcome as an SVG document; `None` when there is nothing to draw.
///
/// # Errors
/// `Internal` when the image cannot be written.
pub(crate) fn chart(outcome: &Outcome, title: &str) -> Result<Option<String>> {
    let Some(drawing) = outcome.drawing.as_ref().filter(|_| !outcome.rows.is_empty()) else {
        return Ok(None);
    };
    let mut svg = String::new();
    let title = short(title, 90);
    let drawn = match drawing.values.as_slice() {
        [value] if !drawing.is_line => bars(outcome, drawing, *value, &title, &mut svg),
        _ => lines(outcome, drawing, &title, &mut svg),
    };
    drawn.map_err(|error| Error::internal("draw the chart").caused_by(error.to_string()))?;
    Ok(Some(svg))
}

type Failed = DrawingAreaErrorKind<std::io::Error>;

fn bars(
    outcome: &Outcome,
    drawing: &Drawing,
    value: usize,
    title: &str,
    svg: &mut String,
) -> Result<(), Failed> {
    let rows = outcome.rows.get(..outcome.rows.len().min(BARS_MAX)).unwrap_or_default();
    let numbers: Vec<f64> =
        rows.iter().map(|row| row.get(value).and_then(Value::as_f64).unwrap_or(0.0)).collect();
    let most = numbers.iter().map(|number| number.abs()).fold(f64::MIN_POSITIVE, f64::max);
    let height = TITLE_HEIGHT + BAR_HEIGHT * u32::try_from(rows.len()).unwrap_or(0) + 12;
    let area = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    area.draw(&Text::new(title.to_owned(), (10, 10), ("sans-serif", 17).into_font()))?;
    let font = ("sans-serif", 13).into_font();
    let tops = (TITLE_HEIGHT..).step_by(BAR_HEIGHT as usize).filter_map(|top| i32::try_from(top).ok());
    for ((row, size), top) in rows.iter().zip(numbers).zip(tops) {
        let right = BARS_LEFT + pixels(size.abs() / most * BARS_WIDTH);
        let bar = Rectangle::new([(BARS_LEFT, top), (right, top + 16)], color(0).filled());
        area.draw(&Text::new(drawing.label(row, LABEL_MAX), (10, top + 2), font.clone()))?;
        area.draw(&bar)?;
        area.draw(&Text::new(number(size).to_string(), (right + 6, top + 2), font.clone()))?;
    }
    area.present()
}

#[expect(clippy::cast_possible_truncation, reason = "no bar is longer than the image is wide")]
fn pixels(length: f64) -> i32 {
    length.round() as i32
}

fn lines(outcome: &Outcome, drawing: &Drawing, title: &str, svg: &mut String) -> Result<(), Failed> {
    let step = outcome.rows.len().div_ceil(POINTS_MAX).max(1);
    let at = |point: usize| float(count(point * step));
    let line = |column: usize| -> Vec<(f64, f64)> {
        let chunks = outcome.rows.chunks(step).enumerate();
        let value = |rows: &[Vec<Value>]| {
            let numbers: Vec<f64> = rows.iter().filter_map(|row| row.get(column)?.as_f64()).collect();
            mean(&numbers)
        };
        chunks.filter_map(|(point, rows)| Some((at(point), value(rows)?))).collect()
    };
    let lines: Vec<(String, Vec<(f64, f64)>)> = drawing
        .values
        .iter()
        .map(|column| {
            (short(outcome.columns.get(*column).map_or("", String::as_str), LABEL_MAX), line(*column))
        })
        .collect();
    let numbers = || lines.iter().flat_map(|(_, points)| points.iter().map(|(_, y)| *y));
    let (least, most) = (numbers().fold(0.0, f64::min), numbers().fold(f64::MIN_POSITIVE, f64::max));
    let area = SVGBackend::with_string(svg, (WIDTH, LINES_HEIGHT)).into_drawing_area();
    area.fill(&WHITE)?;
    let right = float(count(outcome.rows.len().saturating_sub(1))).max(1.0);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 17))
        .margin(10)
        .x_label_area_size(34)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..right, least..most * 1.05)?;
    let name_of = |x: &f64| name_at(outcome, drawing, *x);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .x_labels(8)
        .x_label_formatter(&name_of)
        .y_label_formatter(&|y| number(*y).to_string())
        .draw()?;
    for (at, (name, points)) in lines.into_iter().enumerate() {
        let color = color(at);
        let series = LineSeries::new(points, color.stroke_width(2));
        let key = move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], color.stroke_width(2));
        chart.draw_series(series)?.label(name).legend(key);
    }
    if drawing.values.len() > 1 {
        let labels = chart.configure_series_labels();
        let mut labels = labels;
        labels
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .draw()?;
    }
    drop(chart);
    area.present()
}

fn color(at: usize) -> RGBColor {
    COLORS.get(at % COLORS.len()).copied().unwrap_or(BLACK)
}

/// What the row nearest to `x` is called.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within the rows")]
fn name_at(outcome: &Outcome, drawing: &Drawing, x: f64) -> String {
    let row = outcome.rows.get(x.round().max(0.0) as usize);
    row.map_or_else(String::new, |row| drawing.label(row, 19))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(rows: Vec<Vec<Value>>, drawing: Drawing) -> String {
        let columns = vec!["week".to_owned(), "count".to_owned(), "<b>".to_owned()];
        let outcome = Outcome { columns, rows, drawing: Some(drawing), ..Outcome::default() };
        let svg = chart(&outcome, "what & why").expect("drawn").expect("something");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        assert!(svg.contains("what &amp; why") && svg.len() < 200_000, "{}", svg.len());
        svg
    }

    #[test]
    fn bars_and_lines_become_an_image_and_names_cannot_leave_their_text() {
        let rows = |n: usize| (0..n).map(|n| vec![json!("</text><script>"), json!(n), json!(3.5)]).collect();
        let bars = check(rows(60), Drawing::bars(&[0], 1));
        assert!(bars.contains("&lt;script&gt;") && !bars.contains("<script"), "{bars}");
        let lines = check(rows(3_000), Drawing::lines([1, 2]));
        assert!(lines.contains("<polyline") && !lines.contains("<b>"), "{lines}");
        check(vec![vec![json!("one"), json!(0), json!(null)]], Drawing::lines([1, 2]));
    }

    #[test]
    fn of_nothing_there_is_no_image() {
        assert_eq!(chart(&Outcome::default(), "t").expect("no failure"), None);
    }
}
