//! What is answered: an outcome as a table with what is to be said beside it.

use serde_json::{Value, json};

use super::asked::Asked;
use super::sql::sql;
use crate::analysis::{Aggregate, Analysis, Outcome, Question, chart, plot};
use crate::engine::{OBSERVE_TIME_MAX, Observed, Stopped, View};
use crate::error::Result;
use crate::event::quote;
use crate::tools::Image;
use crate::tools::answer::{Reply, Rows};
use crate::tools::call::Call;

/// The answer to a call.
pub(super) fn tell(
    call: &Call<'_>,
    view: &View,
    asked: &Asked,
    observed: &Observed,
    mut outcome: Outcome,
) -> Result<Reply> {
    let question = &asked.question;
    let mut reply = Reply {
        head_position: Some(view.snapshot.head()),
        incomplete: observed.stopped.is_some(),
        scanned_to: observed.scanned_to,
        ..Reply::default()
    };
    warn(&mut reply, question, observed);
    let wanted = &asked.wanted;
    let paths: Vec<_> = [&wanted.key, &wanted.by, &wanted.value].into_iter().flatten().cloned().collect();
    call.warn_of_unknown_paths(&mut reply, view, &[], &paths)?;
    if observed.events == 0 && observed.without_key == 0 && observed.stopped.is_none() {
        call.explain_nothing(&mut reply, view)?;
        return Ok(reply);
    }
    reply.warnings.append(&mut outcome.notes);
    for path in &outcome.paths {
        let change = json!({"steps": path});
        reply.next_steps.push(call.refining(change, "this path as a funnel"));
    }
    if !outcome.paths.is_empty() {
        reply.untrusted.push("/next_steps");
    }
    name_events(view, &mut outcome)?;
    put_fields(&mut reply, question, &mut outcome);
    match sql(question, view) {
        Some(sql) => reply.field("sql", sql),
        None => reply.field("definition", outcome.definition.as_str()),
    }
    draw(call, &mut reply, question, &outcome)?;
    let left_out = outcome.rows.len().saturating_sub(call.limit());
    if left_out > 0 {
        reply.field("more_rows", left_out);
        outcome.rows.truncate(call.limit());
    }
    if !outcome.rows.is_empty() {
        reply.untrusted.push("/table");
        let items = outcome.rows.into_iter().map(Value::Array).collect();
        reply.rows = Some(Rows { columns: Some(outcome.columns), name: "table", items, paging: None });
    }
    Ok(reply)
}

/// Says what was not counted, and why.
fn warn(reply: &mut Reply, question: &Question, observed: &Observed) {
    let warnings = &mut reply.warnings;
    match observed.stopped {
        Some(Stopped::Time) => warnings.push(format!(
            "{} s were not enough for every event; this is made of those up to scanned_to; narrow it with since, until or event_type",
            OBSERVE_TIME_MAX.as_secs()
        )),
        Some(Stopped::Room) => warnings.push(
            "there are more events or names than an analysis holds; this is made of those up to scanned_to; narrow it with since, until \
             or event_type, or ask for approximate"
                .to_owned(),
        ),
        None => {}
    }
    if observed.damaged > 0 {
        warnings.push(format!("{} damaged events were passed over; run allsource verify", observed.damaged));
    }
    if observed.without_key > 0 {
        let key = quote(question.key_name());
        warnings.push(format!("{} events have nothing at {key} and were left out", observed.without_key));
    }
    if observed.has_further_groups {
        warnings.push("there are too many groups to tell all apart; the later ones are one group".to_owned());
    }
    let is_measured = question.aggregate.needs_value() && question.analysis != Analysis::Profile;
    if let Some(value) = question.value.as_ref().filter(|_| is_measured && observed.numbers == 0 && observed.events > 0) {
        warnings.push(format!("no event has a number at {}; for any values use aggregate distinct", quote(value)));
    }
}

/// Adds the id of the event that each row points at.
fn name_events(view: &View, outcome: &mut Outcome) -> Result<()> {
    if outcome.places.is_empty() {
        return Ok(());
    }
    outcome.columns.push("event_id".to_owned());
    for (row, position) in outcome.rows.iter_mut().zip(&outcome.places) {
        let event = view.snapshot.event(*position)?;
        row.push(event.map_or(Value::Null, |event| event.event_id.to_string().into()));
    }
    Ok(())
}

fn put_fields(reply: &mut Reply, question: &Question, outcome: &mut Outcome) {
    if let Some(worst) = outcome.facts.shift_remove("worst_step") {
        reply.untrusted.push("/worst_step");
        reply.field("worst_step", worst);
    }
    let mut facts = std::mem::take(&mut outcome.facts);
    let uses_aggregate =
        matches!(question.analysis, Analysis::Frequency | Analysis::TimeSeries | Analysis::Trend | Analysis::Anomalies);
    if let Some(error) = question.aggregate.error(question.approximate).filter(|_| uses_aggregate) {
        facts.insert("error".to_owned(), error.into());
    }
    // How many rows there are is no news where all of them are shown.
    facts.retain(|name, _| !["groups", "edges", "pairs", "paths"].contains(&name.as_str()));
    if !facts.is_empty() {
        reply.untrusted.push("/facts");
        reply.field("facts", Value::Object(facts));
    }
}

fn draw(call: &Call<'_>, reply: &mut Reply, question: &Question, outcome: &Outcome) -> Result<()> {
    let wants_image = call.arguments.text("format") == Some("svg");
    let wants_plot = call.arguments.flag("plot");
    if (wants_image || wants_plot) && outcome.drawing.is_none() {
        reply.warnings.push(format!("{} has nothing to draw", question.analysis.name()));
        return Ok(());
    }
    if wants_plot && let Some(plot) = plot(outcome) {
        reply.untrusted.push("/plot");
        reply.field("plot", plot);
    }
    if wants_image {
        reply.image = chart(outcome, &title(question))?.map(Image::svg);
    }
    Ok(())
}

/// What stands above a chart.
fn title(question: &Question) -> String {
    let per = match question.analysis {
        Analysis::TimeSeries | Analysis::Anomalies | Analysis::Trend => format!(" per {}", question.bucket.name()),
        _ => String::new(),
    };
    let measure = match question.aggregate {
        Aggregate::Count => String::new(),
        _ => format!(" of {}", question.measure()),
    };
    format!("{}{measure}{per}", question.analysis.name().replace('_', " "))
}
