//! What do the reading tools share? The filter arguments of a call, understood; the style of its rows; and what helps a
//! reader who found nothing.

use serde_json::{Value, json};

use super::answer::{Matched, Reply, Step};
use super::budget::CONCISE_CHARS_MAX;
use super::call::Call;
use super::cut_texts::ReadsOn;
use super::fields::every_field;
use super::packing::Rows;
use super::table::{RowStyle, Table, table, whole};
use crate::engine::{Found, Profile, Stretch, View, Wish, exactly, tally};
use crate::error::{Error, Result};
use crate::event::filter::{Path, Step as PathStep};
use crate::event::{EntityId, Event, Filter, NamePattern, Position, Timestamp, nearest, quote};
use crate::store::{Order, Snapshot};

/// The most columns a caller may name.
const FIELDS_MAX: usize = 32;
/// The most names that are compared when looking for the nearest.
const CANDIDATES_MAX: usize = 2_000;
/// The filters that are tried one by one when nothing matches all of them.
const FILTERS: [&str; 7] = ["where", "event_type", "entity_id", "since", "until", "as_of", "known_at"];

/// The types of an entity that a warning names.
const TYPES_SHOWN: usize = 5;
/// Whether there is anything.
const NEWEST: Stretch =
    Stretch { order: Order::Descending, after: Position::ZERO, before: None, events_max: 1 };

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
        reply.reads_on = Some(self.reads_on(events, style));
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

    /// How the texts of these events are read on where rows in that style cut them.
    pub(crate) fn reads_on<'e>(
        &self,
        events: impl IntoIterator<Item = &'e Event>,
        style: &RowStyle,
    ) -> ReadsOn {
        let beside = ["branch", "upcast"].into_iter().filter_map(|name| {
            let value = self.arguments.object().get(name)?;
            Some((name.to_owned(), value.clone()))
        });
        ReadsOn {
            event_ids: events.into_iter().map(|event| event.event_id.to_string()).collect(),
            offset: style.text_offset,
            beside: beside.collect(),
        }
    }

    /// Says that nothing matched, and the calls that find something: the nearest name, or the filter to drop.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn explain_nothing(&self, reply: &mut Reply, view: &View) -> Result<()> {
        reply.matched = Some(Matched { count: 0, exact: !reply.incomplete });
        self.warn_of_unknown_paths(reply, view, &[], &[])?;
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
            warn_of_absence(reply, "entity", name, &near);
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
                warn_of_absence(reply, "event type", wanted, &near);
                steps.extend(
                    near.first()
                        .map(|near| self.refining(json!({"event_type": exactly(near)}), "the nearest type")),
                );
            }
        }
        if steps.is_empty() {
            time_that_exists(reply, view)?;
            steps.extend(self.at_the_end_of_the_log(view)?);
        }
        if steps.is_empty() {
            steps.extend(self.type_of_the_entity(reply, view)?);
        }
        if steps.is_empty() {
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

    /// Warns of payload and metadata paths, in conditions and `named`, that neither these events nor a sample of all
    /// have; a path that is only ever null is there.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn warn_of_unknown_paths(
        &self,
        reply: &mut Reply,
        view: &View,
        events: &[Event],
        named: &[Path],
    ) -> Result<()> {
        let is_stored = |path: &&Path| match path {
            Path::Json { steps, .. } => {
                steps.first().is_some_and(|step| *step != PathStep::Key("$client".to_owned()))
            }
            Path::Column(_) => false,
        };
        let paths = view.filter.conditions.paths();
        let mut unseen: Vec<String> = Vec::new();
        for path in paths.into_iter().chain(named).filter(is_stored) {
            let name = path.to_string();
            let is_seen = || events.iter().any(|event| path.extract(event).is_some());
            if !unseen.contains(&name) && !is_seen() {
                unseen.push(name);
            }
        }
        if unseen.is_empty() || view.snapshot.head() == Position::ZERO {
            return Ok(());
        }
        let mut known: Vec<String> = every_field(&view.snapshot)?.into_iter().map(|(path, _)| path).collect();
        if unseen.iter().any(|path| !is_among(path, &known)) {
            let profile = Profile::of(&view.snapshot, self.engine.clock().as_ref())?;
            let fields = profile.types.iter().flat_map(|one| &one.fields).chain(&profile.metadata);
            known.extend(fields.map(|field| field.path.clone()));
            known.sort();
            known.dedup();
        }
        for path in unseen.iter().filter(|path| !is_among(path, &known)) {
            let near = nearest(path, known.iter().map(String::as_str), 3);
            let remedy = nearest_clause(reply, near.into_iter());
            reply.warnings.push(format!("no recent event has {}{remedy}", quote(path)));
        }
        Ok(())
    }

    /// This query with a change, as a call that can be sent.
    pub(crate) fn refining(&self, mut change: Value, why: &'static str) -> Step {
        if let Some(members) = change.as_object_mut() {
            members.insert("refine".to_owned(), self.query.to_string().into());
        }
        Step::new(self.tool.name, change, why)
    }

    /// For a relative time beyond the data: the same stretch of time, counted back from the last event.
    fn at_the_end_of_the_log(&self, view: &View) -> Result<Option<Step>> {
        let relative = self.arguments.text("since").is_some_and(|text| text.trim().starts_with("now"));
        let Some((_, last)) = view.snapshot.stats()?.time_range.filter(|_| relative) else { return Ok(None) };
        let Some(since) = view.filter.since.filter(|since| *since > last) else { return Ok(None) };
        let back = self.now.as_micros().saturating_sub(since.as_micros()).max(0);
        let since = Timestamp::from_micros(last.as_micros().saturating_sub(back)).to_string();
        let wish = Wish { since: Some(&since), until: None, ..self.wish() };
        if wish.over(self.snapshot()?, self.now)?.find(&NEWEST)?.events.is_empty() {
            return Ok(None);
        }
        let mut change = json!({"since": since});
        if let Some(members) = change.as_object_mut().filter(|_| self.arguments.has("until")) {
            members.insert("clear".to_owned(), json!(["until"]));
        }
        Ok(Some(self.refining(change, "as long, up to the last event there is")))
    }

    /// For an entity that has no event of the type: the types it has.
    fn type_of_the_entity(&self, reply: &mut Reply, view: &View) -> Result<Option<Step>> {
        let (Some(NamePattern::Exact(entity)), Some(pattern)) =
            (&view.filter.entity_id, &view.filter.event_type)
        else {
            return Ok(None);
        };
        let mut all = view.clone();
        all.filter = Filter { entity_id: view.filter.entity_id.clone(), ..Filter::default() };
        let types = tally(&all, &[], self.engine.clock().as_ref())?.types;
        let Some((commonest, _)) = types.first() else { return Ok(None) };
        if types.iter().any(|(name, _)| pattern.matches(name.as_str())) {
            return Ok(None);
        }
        let (NamePattern::Exact(wanted) | NamePattern::Prefix(wanted)) = pattern;
        let shown: Vec<String> = types
            .iter()
            .take(TYPES_SHOWN)
            .map(|(name, count)| format!("{} ({count})", quote(name.as_str())))
            .collect();
        reply.warnings.push(format!(
            "entity {} has no event of type {}; it has {}",
            quote(entity),
            quote(wanted),
            shown.join(", ")
        ));
        let change = json!({"event_type": exactly(commonest.as_str())});
        let wish = Wish { event_type: Some(commonest.as_str()), ..self.wish() };
        let finds = !wish.over(self.snapshot()?, self.now)?.find(&NEWEST)?.events.is_empty();
        Ok(finds.then(|| self.refining(change, "the type it has most of")))
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
            if view.filter != wider.filter || name == "known_at" {
                let Found { events, .. } = wider.find(&NEWEST)?;
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

fn warn_of_absence(reply: &mut Reply, what: &str, name: &str, near: &[String]) {
    let nearest = nearest_clause(reply, near.iter().map(String::as_str));
    reply.warnings.push(format!("there is no {what} {}{nearest}", quote(name)));
}

/// The end of a warning that names what is nearest; stored names make the warnings untrusted.
fn nearest_clause<'a>(reply: &mut Reply, near: impl Iterator<Item = &'a str>) -> String {
    let near: Vec<String> = near.map(quote).collect();
    if near.is_empty() {
        return String::new();
    }
    if !reply.untrusted.contains(&"/warnings") {
        reply.untrusted.push("/warnings");
    }
    format!("; nearest: {}", near.join(", "))
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
