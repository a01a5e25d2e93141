//! The same question in SQL, where SQL says it: for `run_sql`, whose names are case-sensitive.

use std::fmt::Write as _;

use crate::analysis::{Aggregate, Analysis, Bucket, Question};
use crate::engine::View;
use crate::event::filter::{Path, Root, Step};
use crate::event::{NamePattern, TimeZone};

/// One statement that gives the same rows, but for buckets without events; `None` where it would be longer than its use, or is not the same.
pub(super) fn sql(question: &Question, view: &View) -> Option<String> {
    // Conditions are of a language of their own.
    let filter = conditions(view)?;
    let key = expression(question.key_name())?;
    match question.analysis {
        Analysis::Frequency => {
            let group = expression(question.by.as_deref().unwrap_or("event_type"))?;
            let measure = match question.aggregate {
                Aggregate::Count => String::new(),
                _ => format!(", {}", measure(question)?),
            };
            Some(format!("SELECT {group}, count(*){measure} FROM events{filter} GROUP BY 1 ORDER BY 2 DESC"))
        }
        Analysis::TimeSeries
            if question.zone == TimeZone::UTC && !matches!(question.bucket, Bucket::Span(_)) =>
        {
            let bucket = question.bucket.name();
            let by = question.by.as_deref().map(expression);
            let (group, order) = match by {
                None => (String::new(), "1"),
                Some(by) => (format!(", {}", by?), "1, 2"),
            };
            let measure = measure(question)?;
            Some(format!(
                "SELECT date_trunc('{bucket}', timestamp){group}, {measure} FROM events{filter} GROUP BY {order} ORDER BY {order}"
            ))
        }
        Analysis::Transitions => Some(format!(
            "SELECT a, b, count(*) FROM (SELECT event_type AS a, lead(event_type) OVER (PARTITION BY {key} ORDER BY timestamp, position) AS b \
             FROM events{filter}) WHERE b IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC"
        )),
        _ => None,
    }
}

/// What is measured.
fn measure(question: &Question) -> Option<String> {
    let value = || expression(question.value.as_deref()?);
    let number = |name: &str| Some(format!("{name}(TRY_CAST({} AS DOUBLE))", value()?));
    match question.aggregate {
        Aggregate::Count => Some("count(*)".to_owned()),
        Aggregate::Distinct => {
            let value = if question.value.is_some() { value() } else { expression(question.key_name()) };
            Some(format!("count(DISTINCT {})", value?))
        }
        Aggregate::Sum => number("sum"),
        Aggregate::Mean => number("avg"),
        Aggregate::Min => number("min"),
        Aggregate::Max => number("max"),
        Aggregate::Percentile(_) => None,
    }
}

/// A path as SQL has it: a column, or the text at a place of a document.
fn expression(path: &str) -> Option<String> {
    let (root, steps) = match Path::parse(path).ok()? {
        Path::Column(column) => return Some(column.name().to_owned()),
        Path::Json { root: Root::Payload, steps } => ("payload", steps),
        Path::Json { root: Root::Metadata, steps } => ("metadata", steps),
    };
    let mut written = root.to_owned();
    for (at, step) in steps.iter().enumerate() {
        let arrow = if at + 1 == steps.len() { "->>" } else { "->" };
        match step {
            Step::Key(key) => write!(written, "{arrow}{}", text(key)).ok()?,
            Step::Index(index) => write!(written, "{arrow}{index}").ok()?,
            Step::Any => return None,
        }
    }
    (!steps.is_empty()).then_some(written)
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// The WHERE clause; empty for everything.
fn conditions(view: &View) -> Option<String> {
    let filter = &view.filter;
    if !filter.conditions.is_empty() {
        return None;
    }
    let name = |column: &str, pattern: &NamePattern| match pattern {
        NamePattern::Exact(name) => format!("{column} = {}", text(name)),
        NamePattern::Prefix(stem) => format!("starts_with({column}, {})", text(stem)),
    };
    let mut all: Vec<String> = Vec::new();
    all.extend(filter.entity_id.as_ref().map(|pattern| name("entity_id", pattern)));
    all.extend(filter.event_type.as_ref().map(|pattern| name("event_type", pattern)));
    all.extend(filter.since.map(|time| format!("timestamp >= '{time}'")));
    all.extend(filter.until.map(|time| format!("timestamp < '{time}'")));
    all.extend(filter.as_of.map(|time| format!("timestamp <= '{time}'")));
    if view.is_cut {
        all.push(format!("position <= {}", view.snapshot.head()));
    }
    Some(if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) })
}
