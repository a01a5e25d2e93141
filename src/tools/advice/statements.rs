//! Which questions are best asked in SQL?

use serde_json::json;

use super::facts::Facts;
use super::plans::PlanStep;
use crate::engine::Role;

/// How much of what, week by week.
pub(super) fn per_week() -> PlanStep {
    let sql = "SELECT date_trunc('week', timestamp) AS week, event_type, count(*) AS n FROM events \
               GROUP BY week, event_type ORDER BY week, n DESC LIMIT 50";
    PlanStep::new(
        "run_sql",
        json!({"sql": sql}),
        "each type week by week; any other question over many events is one SELECT too",
    )
}

/// How many events have each value of the best category.
pub(super) fn by_category(facts: &Facts<'_>) -> Option<PlanStep> {
    let (one, field) = facts.field(Role::Category)?;
    let path = Some(field.path.as_str()).filter(|path| is_plain(path))?;
    let event_type = one.event_type.as_str().replace('\'', "''");
    let sql = format!(
        "SELECT {path} AS value, count(*) AS n, count(DISTINCT entity_id) AS entities FROM events \
         WHERE event_type = '{event_type}' GROUP BY value ORDER BY n DESC LIMIT 20"
    );
    Some(PlanStep::new("run_sql", json!({"sql": sql}), "how many events and entities have each value"))
}

/// Whether SQL reads a path as conditions write it: keys of letters, digits and `_`.
fn is_plain(path: &str) -> bool {
    path.split('.').all(|key| {
        key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Profile;
    use crate::tools::fixture::Shop;

    #[test]
    fn every_statement_that_is_proposed_is_answered() {
        let shop = Shop::with_orders();
        let profile =
            Profile::of(&shop.engine.store().snapshot(), shop.engine.clock().as_ref()).expect("a profile");
        let facts = Facts::new(&profile);
        let steps = [Some(per_week()), by_category(&facts)];
        for step in steps.into_iter().map(|step| step.expect("a statement").to_value(&facts)) {
            let answer = shop.ask("run_sql", &step["arguments"]);
            assert!(!answer["table"]["rows"].as_array().expect("rows").is_empty(), "{step}");
        }
    }
}
