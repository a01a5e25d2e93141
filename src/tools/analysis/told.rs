//! What is answered: an outcome as a table with what is to be said beside it.

use serde_json::{Value, json};

use super::asked::Asked;
use super::sql::sql;
use crate::analysis::{Aggregate, Analysis, Outcome, Question, chart, plot};
use crate::engine::{OBSERVE_TIME_MAX, Observed, Stopped, View};
use crate::error::Result;
use crate::event::{Position, quote};
use crate::tools::Image;
use crate::tools::answer::Reply;
use crate::tools::call::Call;
use crate::tools::packing::{Paging, Rows};

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
    // What is known already stands in every answer.
    if observed.damaged > 0 && call.engine.store().damage().is_empty() {
        let damaged = observed.damaged;
        reply.warnings.push(format!("{damaged} damaged events were passed over; run allsource verify"));
    }
    warn(&mut reply, question, observed);
    let wanted = &asked.wanted;
    let paths: Vec<_> = [&wanted.key, &wanted.by, &wanted.value].into_iter().flatten().cloned().collect();
    call.warn_of_unknown_paths(&mut reply, view, &[], &paths)?;
    if observed.events == 0 && observed.without_key == 0 && observed.stopped.is_none() {
        call.explain_nothing(&mut reply, view)?;
        return Ok(reply);
    }
    reply.warnings.append(&mut outcome.notes);
    name_events(view, &mut outcome)?;
    // Said once, on the first page.
    if call.cursor.is_none() {
        put_beside(call, view, &mut reply, question, &mut outcome)?;
    }
    put_rows(call, view, &mut reply, outcome);
    Ok(reply)
}

/// What stands beside the rows.
fn put_beside(
    call: &Call<'_>,
    view: &View,
    reply: &mut Reply,
    question: &Question,
    outcome: &mut Outcome,
) -> Result<()> {
    for path in &outcome.paths {
        let change = json!({"steps": path});
        reply.next_steps.push(call.refining(change, "this path as a funnel"));
    }
    if !outcome.paths.is_empty() {
        reply.untrusted.push("/next_steps");
    }
    put_facts(reply, question, outcome);
    if outcome.rows.len() > call.limit() {
        reply.field("total_rows", outcome.rows.len());
    }
    match sql(question, view) {
        Some(sql) => reply.field("sql", sql),
        None => reply.field("definition", outcome.definition.as_str()),
    }
    draw(call, reply, question, outcome)
}

/// The rows of the page. A cursor counts rows where others have positions: an analysis is made anew over what the first
/// page saw, and what was shown is passed over.
fn put_rows(call: &Call<'_>, view: &View, reply: &mut Reply, outcome: Outcome) {
    let shown =
        call.cursor.as_ref().map_or(0, |cursor| usize::try_from(cursor.place.get()).unwrap_or(usize::MAX));
    let total = outcome.rows.len();
    let items: Vec<Value> =
        outcome.rows.into_iter().skip(shown).take(call.limit()).map(Value::Array).collect();
    if items.is_empty() {
        return;
    }
    let end = shown.saturating_add(items.len());
    let place = |rows: usize| Position::new(u64::try_from(rows).unwrap_or(u64::MAX));
    let paging = Paging {
        cursor: call.cursor_for(&view.snapshot, false),
        places: (shown + 1..=end).map(place).collect(),
        next: (end < total).then(|| place(end)),
        is_ranked: false,
    };
    reply.untrusted.push("/table");
    reply.rows = Some(Rows { columns: Some(outcome.columns), name: "table", items, paging: Some(paging) });
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
    if observed.without_key > 0 {
        let key = quote(question.key_name());
        warnings.push(format!("{} events have nothing at {key} and were left out", observed.without_key));
    }
    if observed.has_further_groups {
        warnings.push("there are too many groups to tell all apart; the later ones are one group".to_owned());
    }
    let is_measured = question.aggregate.needs_value() && question.analysis != Analysis::Profile;
    if let Some(value) =
        question.value.as_ref().filter(|_| is_measured && observed.numbers == 0 && observed.events > 0)
    {
        warnings.push(format!(
            "no event has a number at {}; for any values use aggregate distinct",
            quote(value)
        ));
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

fn put_facts(reply: &mut Reply, question: &Question, outcome: &mut Outcome) {
    if let Some(worst) = outcome.facts.shift_remove("worst_step") {
        reply.untrusted.push("/worst_step");
        reply.field("worst_step", worst);
    }
    let mut facts = std::mem::take(&mut outcome.facts);
    let uses_aggregate = matches!(
        question.analysis,
        Analysis::Frequency | Analysis::TimeSeries | Analysis::Trend | Analysis::Anomalies
    );
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
        reply.image = chart(outcome, &title(question))?.map(|svg| Box::new(Image::svg(svg)));
    }
    Ok(())
}

/// What stands above a chart.
fn title(question: &Question) -> String {
    let per = match question.analysis {
        Analysis::TimeSeries | Analysis::Anomalies | Analysis::Trend => {
            format!(" per {}", question.bucket.name())
        }
        _ => String::new(),
    };
    let measure = match question.aggregate {
        Aggregate::Count => String::new(),
        _ => format!(" of {}", question.measure()),
    };
    format!("{}{measure}{per}", question.analysis.name().replace('_', " "))
}
