//! What is asked: the arguments of a call as a question to the analyses.

use serde_json::json;

use crate::analysis::{Aggregate, Analysis, Bucket, Question, parse_span};
use crate::engine::{Profile, Role, View, Wanted};
use crate::error::{Error, Result};
use crate::event::filter::{Path, Places};
use crate::event::{NamePattern, Timestamp, nearest, quote};
use crate::tools::call::Call;
use crate::tools::fields::every_field;

/// The most steps of a funnel.
const STEPS_MAX: usize = 20;
/// Into about so many buckets time is cut when nothing else is asked for.
const BUCKETS_WANTED: i64 = 60;
/// The same for anomalies, which want to see seasons repeat.
const BUCKETS_OF_ANOMALIES: i64 = 400;
/// The same for cohorts, of which every pair is looked at.
const BUCKETS_OF_COHORTS: i64 = 20;
/// The paths that an error names.
const NEAREST_MAX: usize = 3;

/// A question, and what of each event it takes to answer it.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) wanted: Wanted,
}

impl Asked {
    /// Understands the arguments of a call over a view.
    ///
    /// # Errors
    /// `Invalid` (`missing_argument`, `bad_argument`, `bad_bucket`, `bad_aggregate`, `unknown_event_type`, `unknown_column`,
    /// `path_syntax`, `many_values`), naming the argument.
    pub(super) fn new(call: &Call<'_>, view: &View) -> Result<Self> {
        let arguments = &call.arguments;
        let analysis = arguments.text("analysis").and_then(Analysis::named).unwrap_or(Analysis::Frequency);
        let path = |name: &'static str| read_path(call, name);
        let mut wanted = Wanted { key: path("key")?, by: path("by")?, value: path("value")? };
        if analysis == Analysis::Profile && wanted.value.is_none() {
            wanted.value = amount(call, view)?;
        }
        let aggregate = aggregate(call, view, wanted.value.is_some())?;
        let written = |path: &Option<Path>| path.as_ref().map(ToString::to_string);
        let question = Question {
            analysis,
            steps: steps(call, view, analysis)?,
            key: written(&wanted.key),
            window: window(call, analysis)?,
            bucket: bucket(call, view, analysis)?,
            by: written(&wanted.by),
            value: written(&wanted.value),
            aggregate,
            approximate: arguments.flag("approximate"),
            zone: view.zone,
            now: call.now,
            asked: (view.filter.since, view.filter.until),
        };
        Ok(Self { question, wanted })
    }
}

fn read_path(call: &Call<'_>, name: &'static str) -> Result<Option<Path>> {
    let Some(text) = call.arguments.text(name) else { return Ok(None) };
    let read = Path::parse(text).and_then(|path| Places::new(&[&path]).map(|_| path));
    read.map(Some).map_err(|error| error.context(name).with("argument", name))
}

/// The number that varies most, for a profile that was told of none.
fn amount(call: &Call<'_>, view: &View) -> Result<Option<Path>> {
    let profile = Profile::of(&view.snapshot, call.engine.clock().as_ref())?;
    let amount = profile.fields().into_iter().find(|(_, field)| field.role == Role::Amount);
    // A path that cannot be read back is none that can be measured.
    Ok(amount
        .and_then(|(_, field)| Path::parse(&field.path).ok())
        .filter(|path| Places::new(&[path]).is_ok()))
}

fn aggregate(call: &Call<'_>, view: &View, has_value: bool) -> Result<Aggregate> {
    let Some(text) = call.arguments.text("aggregate") else {
        return Ok(if has_value { Aggregate::Mean } else { Aggregate::Count });
    };
    let aggregate = Aggregate::parse(text)?;
    if !aggregate.needs_value() || has_value {
        return Ok(aggregate);
    }
    let fields = every_field(&view.snapshot)?;
    let numbers = fields.into_iter().filter(|(_, kinds)| kinds.contains("number")).map(|(path, _)| path);
    let numbers: Vec<String> = numbers.take(NEAREST_MAX).collect();
    let some = match numbers.as_slice() {
        [] => "such as payload.total".to_owned(),
        some => {
            format!("numbers are at {}", some.iter().map(|path| quote(path)).collect::<Vec<_>>().join(", "))
        }
    };
    let message = format!("make the {} of a value: value is missing; {some}", aggregate.name());
    let error = Error::invalid("missing_argument", message).with("argument", "value");
    Err(match numbers.first() {
        Some(path) => {
            let arguments =
                json!({"analysis": call.arguments.text("analysis"), "aggregate": text, "value": path});
            error
                .with("nearest", numbers.clone())
                .with("example", json!({"tool": call.tool.name, "arguments": arguments}))
        }
        None => error,
    })
}

fn steps(call: &Call<'_>, view: &View, analysis: Analysis) -> Result<Vec<NamePattern>> {
    let given = call.arguments.texts("steps");
    let wrong = |message: String| Err(Error::invalid("bad_argument", message).with("argument", "steps"));
    match (analysis, given.len()) {
        (_, 0) => return Ok(Vec::new()),
        (Analysis::Duration, 2) | (Analysis::Funnel, 2..=STEPS_MAX) => {}
        (Analysis::Duration, n) => {
            return wrong(format!(
                "measure a duration: {n} steps are given; give two event types, or none for whole entities"
            ));
        }
        (Analysis::Funnel, n) => {
            return wrong(format!(
                "follow a funnel: {n} steps are given; give 2 to {STEPS_MAX} event types, or none for the commonest paths"
            ));
        }
        _ => {
            let name = analysis.name();
            return wrong(format!(
                "make {name}: it takes no steps; funnel and duration do, others are filtered with event_type"
            ));
        }
    }
    let types = view.snapshot.stats()?.event_types;
    let mut steps = Vec::with_capacity(given.len());
    for (at, text) in given.into_iter().enumerate() {
        let pattern = NamePattern::parse(text);
        if !types.iter().any(|one| pattern.matches(one.event_type.as_str())) {
            let near = nearest(text, types.iter().map(|one| one.event_type.as_str()), NEAREST_MAX);
            let hint = match near.as_slice() {
                [] => "quick_stats lists the types there are".to_owned(),
                near => {
                    format!("nearest: {}", near.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", "))
                }
            };
            let message = format!("take steps[{at}]: there is no event type {}; {hint}", quote(text));
            let untrusted = json!(["/error/message", "/error/nearest"]);
            return Err(Error::invalid("unknown_event_type", message)
                .with("argument", "steps")
                .with("nearest", near)
                .with("untrusted", untrusted));
        }
        steps.push(pattern);
    }
    Ok(steps)
}

fn window(call: &Call<'_>, analysis: Analysis) -> Result<Option<i64>> {
    let Some(text) = call.arguments.text("window") else { return Ok(None) };
    let wrong = |reason: &str| {
        let message = format!("read window {}: {reason}", quote(text));
        Error::invalid("bad_argument", message).with("argument", "window")
    };
    if analysis != Analysis::Funnel {
        return Err(wrong("only a funnel has one; for time use since and until"));
    }
    parse_span(text).map(Some).ok_or_else(|| wrong("it is a length such as 90s, 30m, 36h, 14d, 2w"))
}

fn bucket(call: &Call<'_>, view: &View, analysis: Analysis) -> Result<Bucket> {
    if let Some(text) = call.arguments.text("bucket") {
        return Bucket::parse(text);
    }
    let filter = &view.filter;
    let Some((first, last)) = view.snapshot.stats()?.time_range else { return Ok(Bucket::Day) };
    let ends: [Option<Timestamp>; 3] = [filter.until, filter.as_of, Some(last)];
    let last = ends.into_iter().flatten().min().unwrap_or(last);
    let buckets = match analysis {
        Analysis::Anomalies => BUCKETS_OF_ANOMALIES,
        Analysis::Cohorts => BUCKETS_OF_COHORTS,
        _ => BUCKETS_WANTED,
    };
    Ok(Bucket::fitting(filter.since.map_or(first, |since| since.max(first)), last, buckets))
}
