//! `sample_events`: shows what events look like before anyone asks something precise.

use std::collections::HashSet;
use std::time::Duration;

use super::answer::Reply;
use super::argument::{Argument, BUDGET, CONSTANT, FILTER, FORMAT, Field, Kind, LIMIT_DEFAULT};
use super::call::Call;
use super::{Hints, Tool};
use crate::clock::SeededIds;
use crate::engine::{View, sample};
use crate::error::Result;
use crate::event::{Event, NamePattern, Position, Timestamp};

/// The most events in a sample.
const SAMPLE_MAX: i64 = 200;
/// The events in a sample when nothing else is asked for.
const SAMPLE_DEFAULT: usize = 10;
/// The slices of a sample that is spread over time.
const TIME_SLICES: usize = 10;
/// The longest the search for a sample takes, all strata together: 1 s.
const TIME_MAX: Duration = Duration::from_secs(1);

const ARGUMENTS: &[Argument] = &[
    Argument::optional("sample_size", Kind::Integer { min: 1, max: SAMPLE_MAX }, "Events in the sample; 10"),
    Argument::optional(
        "stratified_by",
        Kind::Choice(&["none", "event_type", "entity_id", "time"]),
        "Spread evenly over these",
    ),
    Argument::optional("seed", POSITIVE, "Same seed, same store: same sample; 0"),
    Argument::optional("fields", Kind::Texts, "Paths to show: version, payload.a.b"),
];

const POSITIVE: Kind = Kind::Integer { min: 0, max: i64::MAX };

/// The tool.
pub(super) const TOOL: Tool = Tool {
    name: "sample_events",
    title: "Sample events",
    toolset: "explore",
    description: "Show some events by chance, to learn what their payloads look like before you query. \
                  stratified_by event_type shows every type, entity_id many different entities, time all of the \
                  history; without it every matching event is equally likely, and share says which part of them \
                  you see. Not for counting or finding: use quick_stats and query_events. At most 200 events.",
    hints: Hints::READ,
    arguments: &[FILTER, ARGUMENTS, FORMAT, BUDGET],
    fields: &[
        Field::new("share", "number"),
        CONSTANT,
        Field::new("more_fields", "integer"),
        Field::new("table", "object"),
        Field::new("events", "array"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"sample_size": 10, "stratified_by": "event_type"}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let view = call.wish().over(call.snapshot()?, call.now)?;
    let style = call.row_style(&view)?;
    let size = call.arguments.count("sample_size").unwrap_or(SAMPLE_DEFAULT);
    let random = SeededIds::new(call.arguments.ordinal("seed").unwrap_or(0));
    let mut reply = Reply { head_position: Some(view.snapshot.head()), ..Reply::default() };
    let until = call.engine.clock().elapsed() + TIME_MAX;
    let mut draw = Draw { call, random, until, scanned_to: None };
    let mut events = match draw.call.arguments.text("stratified_by") {
        Some("event_type") => draw.over_types(&view, size, &mut reply)?,
        Some("entity_id") => draw.over_entities(&view, size)?,
        Some("time") => draw.over_time(&view, size)?,
        _ => draw.events(&view, size)?,
    };
    events.sort_by_key(|event| event.position);
    events.dedup_by_key(|event| event.position);
    reply.scanned_to = draw.scanned_to;
    reply.incomplete = reply.scanned_to.is_some();
    if events.is_empty() {
        call.explain_nothing(&mut reply, &view)?;
        return Ok(reply);
    }
    if let (total, true) = view.count(call.engine.clock().as_ref())? {
        let shown = u64::try_from(events.len()).unwrap_or_default();
        if total > shown {
            reply.field("share", share(shown, total));
        }
    }
    call.show(&mut reply, &events, &style);
    Ok(reply)
}

/// The part of the whole, with three significant digits.
fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let exact = part as f64 / whole as f64;
    format!("{exact:.2e}").parse().unwrap_or(exact)
}

struct Draw<'a, 'b> {
    call: &'a Call<'b>,
    random: SeededIds,
    /// When the search for all strata together ends, in the clock's elapsed time.
    until: Duration,
    scanned_to: Option<Position>,
}

impl Draw<'_, '_> {
    fn events(&mut self, view: &View, size: usize) -> Result<Vec<Event>> {
        let sample = sample(view, size, &self.random, self.call.engine.clock().as_ref(), self.until)?;
        self.scanned_to = self.scanned_to.or(sample.scanned_to);
        Ok(sample.events)
    }

    /// The same number of every type, the most frequent types first.
    fn over_types(&mut self, view: &View, size: usize, reply: &mut Reply) -> Result<Vec<Event>> {
        let types = view.snapshot.stats()?.event_types;
        let wanted = |name: &str| view.filter.event_type.as_ref().is_none_or(|pattern| pattern.matches(name));
        let names: Vec<&str> =
            types.iter().map(|one| one.event_type.as_str()).filter(|name| wanted(name)).collect();
        if names.len() > size {
            reply.warnings.push(format!(
                "there are {} event types: the {size} most frequent are shown; raise sample_size",
                names.len()
            ));
        }
        let shown = names.len().min(size);
        let mut events = Vec::new();
        for (index, name) in names.into_iter().take(shown).enumerate() {
            let quota = size / shown + usize::from(index < size % shown);
            let mut stratum = view.clone();
            stratum.filter.event_type = Some(NamePattern::Exact(name.to_owned()));
            events.extend(self.events(&stratum, quota)?);
        }
        Ok(events)
    }

    /// One event each of different entities.
    fn over_entities(&mut self, view: &View, size: usize) -> Result<Vec<Event>> {
        let mut events = self.events(view, size.saturating_mul(10))?;
        // Sorted by position a sample favours old events: an even stride through it does not.
        let stride = (events.len() / size.max(1)).max(1);
        let mut order: Vec<usize> = (0..events.len()).collect();
        order.sort_by_key(|index| (index % stride, *index));
        let mut seen = HashSet::new();
        let keep: HashSet<Position> = order
            .into_iter()
            .filter_map(|index| events.get(index))
            .filter(|event| seen.insert(event.entity_id.clone()))
            .map(|event| event.position)
            .take(size)
            .collect();
        events.retain(|event| keep.contains(&event.position));
        Ok(events)
    }

    /// The same number of every tenth of the time.
    fn over_time(&mut self, view: &View, size: usize) -> Result<Vec<Event>> {
        let Some((first, last)) = view.snapshot.stats()?.time_range else { return Ok(Vec::new()) };
        let from = view.filter.since.map_or(first, |since| since.max(first)).as_micros();
        let to = view.filter.until.map_or(last.as_micros().saturating_add(1), |until| {
            until.as_micros().min(last.as_micros().saturating_add(1))
        });
        let slices = TIME_SLICES.min(size);
        let edge = |index: usize| {
            let part = i128::from(to - from) * i128::try_from(index).unwrap_or(0);
            let offset = part / i128::try_from(slices).unwrap_or(1);
            Timestamp::from_micros(from.saturating_add(i64::try_from(offset).unwrap_or(i64::MAX)))
        };
        let mut events = Vec::new();
        for index in 0..slices {
            let quota = size / slices + usize::from(index < size % slices);
            let mut slice = view.clone();
            slice.filter.since = Some(edge(index));
            slice.filter.until = Some(edge(index + 1));
            events.extend(self.events(&slice, quota)?);
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value, json};

    use crate::tools::fixture::{Shop, positions, rows};

    #[track_caller]
    fn check(arguments: &Value, size: usize, different: impl Fn(&[Value]) -> Value, at_least: usize) {
        let shop = Shop::with_orders();
        let answer = shop.ask("sample_events", arguments);
        let rows = rows(&answer);
        assert_eq!(rows.len(), size, "{answer}");
        let distinct: HashSet<String> = rows.iter().map(|row| different(row).to_string()).collect();
        assert!(distinct.len() >= at_least, "{} distinct: {answer}", distinct.len());
        assert_eq!(positions(&shop.ask("sample_events", arguments)), positions(&answer), "the seed decides");
    }

    #[test]
    fn a_sample_has_its_size_and_different_events() {
        check(&json!({}), 10, |row| row[0].clone(), 10);
        check(&json!({"sample_size": 100, "max_tokens": 10_000}), 100, |row| row[0].clone(), 100);
        check(&json!({"sample_size": 20, "event_type": "order.paid"}), 20, |row| row[0].clone(), 20);
        check(&json!({"entity_id": "order-4"}), 3, |row| row[0].clone(), 3);
    }

    #[test]
    fn strata_are_all_there() {
        check(&json!({"sample_size": 3, "stratified_by": "event_type"}), 3, |row| row[3].clone(), 3);
        check(&json!({"sample_size": 30, "stratified_by": "entity_id"}), 30, |row| row[2].clone(), 30);
        check(
            &json!({"sample_size": 20, "stratified_by": "time"}),
            20,
            |row| json!(row[0].as_u64().map(|at| (at - 1) / 27)),
            10,
        );
    }

    #[test]
    fn the_share_says_how_much_of_it_is_shown() {
        let shop = Shop::with_orders();
        assert_eq!(shop.ask("sample_events", &json!({"sample_size": 27}))["share"], 0.1);
        let other = shop.ask("sample_events", &json!({"sample_size": 27, "seed": 5}));
        assert_ne!(positions(&other), positions(&shop.ask("sample_events", &json!({"sample_size": 27}))));
    }

    #[test]
    fn a_sample_of_nothing_leads_on() {
        let shop = Shop::with_orders();
        let found = shop.follow(&shop.ask("sample_events", &json!({"event_type": "order.pad"})));
        assert!(!positions(&found).is_empty());
    }
}
