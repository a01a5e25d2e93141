//! What do the reading tools share? The filter arguments of a call, understood; the style of its rows; and what helps a
//! reader who found nothing.

use serde_json::{Value, json};

use super::answer::{Matched, Reply, Rows, Step};
use super::budget::CONCISE_CHARS_MAX;
use super::call::Call;
use super::fields::every_field;
use super::table::{RowStyle, Table, table, whole};
use crate::engine::{Found, Stretch, View, Wish, exactly};
use crate::error::{Error, Result};
use crate::event::filter::Path;
use crate::event::{EntityId, Event, NamePattern, Position, nearest, quote};
use crate::store::{Order, Snapshot};

/// The most columns a caller may name.
const FIELDS_MAX: usize = 32;
/// The most names that are compared when looking for the nearest.
const CANDIDATES_MAX: usize = 2_000;
/// The filters that are tried one by one when nothing matches all of them.
const FILTERS: [&str; 7] = ["where", "event_type", "entity_id", "since", "until", "as_of", "known_at"];

impl Call<'_> {
    /// The filter arguments.
    pub(crate) fn wish(&self) -> Wish<'_> {
        let arguments = &self.arguments;
        Wish {
            entity_id: arguments.text("entity_id"),
            event_type: arguments.text("event_type"),
            since: arguments.text("since"),
            until: arguments.text("until"),
            conditions: arguments.texts("where"),
            as_of: arguments.text("as_of"),
            known_at: arguments.text("known_at"),
            as_of_position: arguments.ordinal("as_of_position"),
            time_zone: arguments.text("time_zone"),
        }
    }

    /// How rows are written: the paths of `fields`, or else those of the conditions first.
    ///
    /// # Errors
    /// `Invalid` when a field is no path, or there are more than 32.
    pub(crate) fn row_style(&self, view: &View) -> Result<RowStyle> {
        let named = self.arguments.texts("fields");
        if named.len() > FIELDS_MAX {
            let message =
                format!("show fields: {} are named but at most {FIELDS_MAX} are shown", named.len());
            return Err(Error::invalid("bad_argument", message).with("argument", "fields"));
        }
        let fields = (0..)
            .zip(&named)
            .map(|(index, text): (usize, _)| {
                Path::parse(text).map_err(|error| error.context(format!("fields[{index}]")))
            })
            .collect::<Result<Vec<_>>>()?;
        if fields.is_empty() {
            let filtered = view.filter.conditions.paths().into_iter().cloned().collect();
            return Ok(RowStyle::plain(view.zone, filtered));
        }
        // Reading on inside named texts: only the budget cuts them.
        let reads_on = self.arguments.has("event_ids") || self.is_detailed();
        Ok(RowStyle {
            wanted: fields,
            only_wanted: true,
            zone: view.zone,
            chars_max: (!reads_on).then_some(CONCISE_CHARS_MAX),
            text_offset: self.arguments.count("text_offset").unwrap_or(0),
        })
    }

    /// Puts events into an answer, as a table or whole.
    pub(crate) fn show(&self, reply: &mut Reply, events: &[Event], style: &RowStyle) {
        if events.is_empty() {
            return;
        }
        if self.is_detailed() {
            reply.untrusted.push("/events");
            let items = events.iter().map(|event| whole(event, style)).collect();
            reply.rows = Some(Rows { columns: None, name: "events", items, paging: None });
            return;
        }
        let Table { columns, rows, constant, hidden } = table(events, style);
        if !constant.is_empty() {
            reply.untrusted.push("/constant");
            reply.field("constant", Value::Object(constant));
        }
        if hidden > 0 {
            reply.field("more_fields", hidden);
        }
        reply.untrusted.push("/table");
        reply.rows = Some(Rows { columns: Some(columns), name: "table", items: rows, paging: None });
    }

    /// Says that nothing matched, and the calls that find something: the nearest name, or the filter to drop.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn explain_nothing(&self, reply: &mut Reply, view: &View) -> Result<()> {
        reply.matched = Some(Matched { count: 0, exact: !reply.incomplete });
        warn_of_unknown_paths(reply, view, &[])?;
        let snapshot = &view.snapshot;
        if snapshot.head() == Position::ZERO {
            reply.warnings.push("the store holds no event up to there".to_owned());
            return Ok(());
        }
        let mut steps = Vec::new();
        if let Some(NamePattern::Exact(name)) = &view.filter.entity_id
            && let Ok(entity) = EntityId::new(name.as_str())
            && snapshot.entity_head(&entity)?.is_none()
        {
            let near = nearest_entities(snapshot, name, 3)?;
            reply.warnings.push(not_there("entity", name, &near));
            steps.extend(
                near.first()
                    .map(|near| self.refining(json!({"entity_id": exactly(near)}), "the nearest entity")),
            );
        }
        if let Some(pattern) = &view.filter.event_type {
            let types = snapshot.stats()?.event_types;
            let names = || types.iter().map(|one| one.event_type.as_str());
            if !names().any(|name| pattern.matches(name)) {
                let (NamePattern::Exact(wanted) | NamePattern::Prefix(wanted)) = pattern;
                let near: Vec<String> = nearest(wanted, names(), 3).into_iter().map(str::to_owned).collect();
                reply.warnings.push(not_there("event type", wanted, &near));
                steps.extend(
                    near.first()
                        .map(|near| self.refining(json!({"event_type": exactly(near)}), "the nearest type")),
                );
            }
        }
        if steps.is_empty() {
            time_that_exists(reply, view)?;
            steps.extend(self.without_one_filter(view)?);
        }
        if steps.is_empty() {
            steps.push(Step::new("quick_stats", json!({}), "what there is"));
        } else {
            reply.untrusted.push("/next_steps");
        }
        reply.next_steps.extend(steps);
        Ok(())
    }

    fn refining(&self, mut change: Value, why: &'static str) -> Step {
        if let Some(members) = change.as_object_mut() {
            members.insert("refine".to_owned(), self.query.to_string().into());
        }
        Step::new(self.tool.name, change, why)
    }

    /// The first filter without which something matches.
    fn without_one_filter(&self, view: &View) -> Result<Option<Step>> {
        for name in FILTERS.into_iter().filter(|name| self.arguments.has(name)) {
            let mut wish = self.wish();
            match name {
                "where" => wish.conditions.clear(),
                "event_type" => wish.event_type = None,
                "entity_id" => wish.entity_id = None,
                "since" => wish.since = None,
                "until" => wish.until = None,
                "as_of" => wish.as_of = None,
                _ => wish.known_at = None,
            }
            let wider = wish.over(self.snapshot()?, self.now)?;
            let one =
                Stretch { order: Order::Descending, after: Position::ZERO, before: None, events_max: 1 };
            if view.filter != wider.filter || name == "known_at" {
                let Found { events, .. } = wider.find(&one)?;
                if !events.is_empty() {
                    return Ok(Some(
                        self.refining(json!({"clear": [name]}), "without this filter there are events"),
                    ));
                }
            }
        }
        Ok(None)
    }
}

fn time_that_exists(reply: &mut Reply, view: &View) -> Result<()> {
    let filter = &view.filter;
    let Some((first, last)) = view.snapshot.stats()?.time_range else { return Ok(()) };
    let is_beyond = filter.since.is_some_and(|since| since > last)
        || filter.until.is_some_and(|until| until <= first)
        || filter.as_of.is_some_and(|as_of| as_of < first);
    if is_beyond {
        let (first, last) = (first.in_zone(view.zone), last.in_zone(view.zone));
        reply.warnings.push(format!("events exist from {first} to {last} only"));
    }
    Ok(())
}

/// Whether a path is one of the known ones, leads into one, or to an object that holds one.
fn is_among(path: &str, known: &[String]) -> bool {
    let leads = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    known.iter().any(|known| leads(path, known) || leads(known, path))
}

fn not_there(what: &str, name: &str, near: &[String]) -> String {
    let near: Vec<String> = near.iter().map(|name| quote(name)).collect();
    let nearest = if near.is_empty() { String::new() } else { format!("; nearest: {}", near.join(", ")) };
    format!("there is no {what} {}{nearest}", quote(name))
}

/// The entities whose names are most like `wanted`: among those that begin like it, with fewer and fewer letters.
///
/// # Errors
/// `Corrupt` when stored bytes are not what was written.
pub(crate) fn nearest_entities(snapshot: &Snapshot, wanted: &str, max: usize) -> Result<Vec<String>> {
    let letters = wanted.chars().count();
    for keep in [letters, letters * 3 / 4, letters / 2, letters / 4, 0] {
        let prefix: String = wanted.chars().take(keep).collect();
        let ids = snapshot.entity_ids(&prefix, CANDIDATES_MAX)?;
        let near = nearest(wanted, ids.iter().map(EntityId::as_str), max);
        if !near.is_empty() {
            return Ok(near.into_iter().map(str::to_owned).collect());
        }
    }
    Ok(Vec::new())
}

/// Warns of payload paths in conditions that neither these events nor the newest of each type have.
///
/// # Errors
/// `Corrupt` when stored bytes are not what was written.
pub(crate) fn warn_of_unknown_paths(reply: &mut Reply, view: &View, events: &[Event]) -> Result<()> {
    let is_payload = |path: &&&Path| path.to_string().starts_with("payload");
    let paths = view.filter.conditions.paths();
    let unseen: Vec<String> = paths
        .iter()
        .filter(is_payload)
        .filter(|path| !events.iter().any(|event| path.extract(event).is_some()))
        .map(ToString::to_string)
        .collect();
    if unseen.is_empty() {
        return Ok(());
    }
    let known: Vec<String> = every_field(&view.snapshot)?.into_iter().map(|(path, _)| path).collect();
    for path in unseen.iter().filter(|path| !is_among(path, &known)) {
        let near = nearest(path, known.iter().map(String::as_str), 3);
        let near: Vec<String> = near.into_iter().map(quote).collect();
        let remedy = if near.is_empty() { String::new() } else { format!("; nearest: {}", near.join(", ")) };
        reply.warnings.push(format!("no recent event has {}{remedy}", quote(path)));
    }
    Ok(())
}
