//! How many go from step to step, and where are they lost?

use serde_json::{Value, json};

use super::number::{float_us, seconds, share};
use super::outcome::{Drawing, Outcome};
use super::quantile::median;
use super::question::Question;
use super::seen::{Dictionary, Symbol};
use super::sequences::{Point, Stories};
use crate::event::NamePattern;

/// The keys that are named for each step at which some are lost: 3.
const EXAMPLES_MAX: usize = 3;

/// A step: the symbols of its types, and what was found.
struct Step {
    types: Vec<Symbol>,
    name: String,
    reached: u64,
    waits: Vec<f64>,
    lost: Vec<Symbol>,
}

/// The steps in order.
pub(crate) fn funnel(stories: &Stories, names: &Dictionary, question: &Question) -> Outcome {
    let mut steps: Vec<Step> = question.steps.iter().map(|pattern| step(pattern, names)).collect();
    for story in stories.each() {
        follow(story, &mut steps, question.window);
    }
    let mut outcome = Outcome::with_columns(&[
        "step",
        "event_type",
        "keys",
        "from_previous",
        "from_first",
        "median_s",
        "lost",
        "lost_examples",
    ]);
    let first = steps.first().map_or(0, |step| step.reached);
    let mut before: Option<u64> = None;
    let mut worst: Option<(f64, Value)> = None;
    for (number, step) in (1_u64..).zip(&mut steps) {
        let previous = before.unwrap_or(step.reached);
        let lost = previous.saturating_sub(step.reached);
        let conversion = share(step.reached, previous);
        if let (Some(_), Some(rate)) = (before, conversion.as_f64())
            && worst.as_ref().is_none_or(|(least, _)| rate < *least)
        {
            let told =
                json!({"step": number, "event_type": step.name, "from_previous": conversion, "lost": lost});
            worst = Some((rate, told));
        }
        let examples: Vec<&str> = step.lost.iter().map(|key| names.keys.text(*key)).collect();
        let is_first = before.is_none();
        outcome.rows.push(vec![
            number.into(),
            step.name.as_str().into(),
            step.reached.into(),
            if is_first { Value::Null } else { conversion },
            share(step.reached, first),
            seconds(median(std::mem::take(&mut step.waits))),
            if is_first { Value::Null } else { lost.into() },
            if is_first { Value::Null } else { examples.into() },
        ]);
        before = Some(step.reached);
    }
    if let Some((_, told)) = worst {
        outcome.fact("worst_step", told);
    }
    outcome.drawing = Some(Drawing::bars(&[1], 2));
    let window = match question.window {
        Some(window) => format!(", all within {} of step 1", super::calendar::span_name(window)),
        None => String::new(),
    };
    outcome.definition = format!(
        "keys are {}; each starts at its first step 1 by timestamp (then position); each further step is the first such event behind \
         the one before{window}; median_s from the previous step",
        question.key_name()
    );
    outcome
}

fn step(pattern: &NamePattern, names: &Dictionary) -> Step {
    let types = names.types.iter().filter(|(_, name)| pattern.matches(name)).map(|(symbol, _)| symbol);
    let name = match pattern {
        NamePattern::Exact(name) => name.clone(),
        NamePattern::Prefix(stem) => format!("{stem}*"),
    };
    Step { types: types.collect(), name, reached: 0, waits: Vec::new(), lost: Vec::new() }
}

/// Follows one key through the steps, as far as it came.
fn follow(story: &[Point], steps: &mut [Step], window: Option<i64>) {
    let mut rest = story.iter();
    let (mut began, mut before): (Option<i64>, Option<i64>) = (None, None);
    for step in steps {
        let Some(point) = rest.find(|point| step.types.contains(&point.event_type)).filter(|point| {
            let took = began.map_or(0, |began| point.at.saturating_sub(began));
            window.is_none_or(|window| took <= window)
        }) else {
            if let (Some(_), Some(first)) = (before, story.first())
                && step.lost.len() < EXAMPLES_MAX
            {
                step.lost.push(first.key);
            }
            return;
        };
        step.reached += 1;
        if let Some(before) = before {
            step.waits.push(float_us(point.at.saturating_sub(before)));
        }
        began = began.or(Some(point.at));
        before = Some(point.at);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analysis::Analysis;
    use crate::analysis::fixture::{log, question};
    use crate::analysis::{Outcome, Question};
    use crate::event::NamePattern;

    fn asked(steps: &[&str], window: Option<i64>) -> Question {
        let steps = steps.iter().map(|step| NamePattern::parse(step)).collect();
        Question { steps, window, ..question(Analysis::Funnel) }
    }

    #[track_caller]
    fn check(outcome: &Outcome, reached: &[u64]) {
        let found: Vec<_> = outcome.rows.iter().map(|row| row[2].as_u64().expect("a count")).collect();
        assert_eq!(found, reached, "{:?}", outcome.rows);
    }

    const LOG: &str = "a:see@0 b:see@1 c:see@2 d:buy@3 a:try@10 b:try@31 d:see@40 a:buy@110 c:buy@120";

    #[test]
    fn a_step_counts_only_behind_the_one_before() {
        let outcome = log(LOG).ask(&asked(&["see", "try", "buy"], None));
        check(&outcome, &[4, 2, 1]);
        assert_eq!(outcome.rows[1][5], 20);
        assert_eq!(outcome.rows[1][7], json!(["c", "d"]));
        assert_eq!(outcome.rows[2][7], json!(["b"]));
        // Of equally bad steps the first is named.
        let worst = json!({"step": 2, "event_type": "try", "from_previous": 0.5, "lost": 2});
        assert_eq!(outcome.facts["worst_step"], worst);
    }

    #[test]
    fn a_window_begins_with_the_first_step() {
        let minute = 60_000_000;
        check(&log(LOG).ask(&asked(&["see", "try", "buy"], Some(minute))), &[4, 2, 0]);
        check(&log(LOG).ask(&asked(&["see", "try", "buy"], Some(2 * minute))), &[4, 2, 1]);
    }

    #[test]
    fn the_same_type_twice_means_twice() {
        check(&log("a:x@0 a:x@1 b:x@0").ask(&asked(&["x", "x"], None)), &[2, 1]);
        check(&log("a:x.1@0 a:x.2@1 b:y@0").ask(&asked(&["x.*", "z"], None)), &[1, 0]);
    }
}
