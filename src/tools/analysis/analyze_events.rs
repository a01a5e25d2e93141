//! `analyze_events`: what many events add up to.

use super::asked::Asked;
use super::told::tell;
use crate::analysis::{Analysis, Observer};
use crate::engine::observe;
use crate::error::Result;
use crate::tools::answer::Reply;
use crate::tools::argument::{Argument, BUDGET, FILTER, Field, Kind, LIMIT_DEFAULT, PAGE};
use crate::tools::call::Call;
use crate::tools::{Hints, Tool};

const ARGUMENTS: &[Argument] = &[
    Argument::required("analysis", Kind::Choice(&Analysis::NAMES), "The question"),
    Argument::optional("steps", Kind::Texts, "Event types in order; for duration two"),
    Argument::optional("key", Kind::Text, "Path that says whose; entity_id"),
    Argument::optional("window", Kind::Text, "funnel: first to last step within, as 14d"),
    Argument::optional("bucket", Kind::Text, "minute … year, or 15m; else one that fits"),
    Argument::optional("by", Kind::Text, "Path to group by"),
    Argument::optional("value", Kind::Text, "Path to measure"),
    Argument::optional("aggregate", Kind::Text, "count, distinct, sum, mean, min, max, p95"),
    Argument::optional("approximate", Kind::Flag, "By sketches; the error is stated"),
    Argument::optional("plot", Kind::Flag, "Also draw it as text"),
    Argument::optional("format", Kind::Choice(&["table", "svg"]), "svg: also a chart for people"),
];

/// The tool.
pub(in crate::tools) const TOOL: Tool = Tool {
    name: "analyze_events",
    title: "Analyze events",
    toolset: "sql",
    description: "What many events add up to, one question a call. frequency (by type or any path); time_series, trend, anomalies \
                  (per calendar bucket, gaps filled); funnel (steps, the worst marked; without steps the commonest paths); \
                  transitions (what follows what); duration (of two steps or whole entities); cohorts; correlation of types; \
                  profile (oddities). Reads 10 s at most. Not for single events.",
    hints: Hints::READ,
    arguments: &[FILTER, ARGUMENTS, PAGE, BUDGET],
    fields: &[
        Field::new("worst_step", "object"),
        Field::new("facts", "object"),
        Field::new("total_rows", "integer"),
        Field::new("sql", "string"),
        Field::new("definition", "string"),
        Field::new("plot", "string"),
        Field::new("table", "object"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"analysis": "time_series", "event_type": "order.placed", "bucket": "week"}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let view = call.wish().over(call.snapshot()?, call.now)?;
    let asked = Asked::new(call, &view)?;
    let mut observer = Observer::new(&asked.question);
    let met = observe(&view, &asked.wanted, call.engine.clock().as_ref(), &mut observer)?;
    let outcome = observer.finish(&met.names, &asked.question)?;
    tell(call, &view, &asked, &met, outcome)
}
