//! Which event types occur together? Association rules over keys (Agrawal, Imieliński and Swami 1993).

use std::collections::HashMap;

use serde_json::Value;

use super::number::{float, float_us, rounded, seconds, share};
use super::outcome::{Drawing, Outcome};
use super::quantile::median;
use super::question::Question;
use super::seen::{Dictionary, Symbol};
use super::sequences::{Point, Stories};

/// The commonest types whose pairs are looked at: 64.
const TYPES_MAX: usize = 64;
/// The most lags that are held for medians: 4,000,000; pairs are counted beyond.
const LAGS_MAX: usize = 4_000_000;

#[derive(Default)]
struct Pair {
    both: u64,
    /// How long after the first of the pair the second came, where it came later.
    lags: Vec<f64>,
    first_leads: u64,
}

/// Pairs of types, those that differ most from chance first.
pub(crate) fn correlation(stories: &Stories, names: &Dictionary, question: &Question) -> Outcome {
    let (mut keys, mut with): (u64, HashMap<Symbol, u64>) = (0, HashMap::new());
    for story in stories.each() {
        keys += 1;
        for (symbol, _) in firsts(story, |_| true) {
            *with.entry(symbol).or_default() += 1;
        }
    }
    let mut types: Vec<(Symbol, u64)> = with.iter().map(|(symbol, n)| (*symbol, *n)).collect();
    types.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let left_out = types.len().saturating_sub(TYPES_MAX);
    let wanted: HashMap<Symbol, u64> = types.into_iter().take(TYPES_MAX).collect();
    let mut pairs: HashMap<(Symbol, Symbol), Pair> = HashMap::new();
    let mut lags = 0;
    for story in stories.each() {
        let mut firsts = firsts(story, |symbol| wanted.contains_key(&symbol));
        firsts.sort_unstable();
        for (at, (a, when_a)) in firsts.iter().enumerate() {
            for (b, when_b) in firsts.iter().skip(at + 1) {
                let pair = pairs.entry((*a, *b)).or_default();
                pair.both += 1;
                let lag = when_b.saturating_sub(*when_a);
                pair.first_leads += u64::from(lag >= 0);
                if lags < LAGS_MAX {
                    lags += 1;
                    pair.lags.push(float_us(lag));
                }
            }
        }
    }
    let mut outcome = rows(pairs, &wanted, keys, names);
    if lags == LAGS_MAX {
        outcome.notes.push(format!("lags are of the first {LAGS_MAX} pairs met; counts are of all"));
    }
    if left_out > 0 {
        outcome
            .notes
            .push(format!("only pairs of the {TYPES_MAX} commonest types; {left_out} types were left out"));
    }
    outcome.definition = format!(
        "over {}: support is the share with both, confidence the share of those with first that have then, lift is confidence over \
         the share with then (1: as by chance); lag from the first of the one to the first of the other",
        question.key_name()
    );
    outcome
}

/// The first time of each type in a story.
fn firsts(story: &[Point], is_wanted: impl Fn(Symbol) -> bool) -> Vec<(Symbol, i64)> {
    let mut firsts: Vec<(Symbol, i64)> = Vec::new();
    for point in story.iter().filter(|point| is_wanted(point.event_type)) {
        if firsts.iter().all(|(known, _)| *known != point.event_type) {
            firsts.push((point.event_type, point.at));
        }
    }
    firsts
}

fn rows(
    pairs: HashMap<(Symbol, Symbol), Pair>,
    with: &HashMap<Symbol, u64>,
    keys: u64,
    names: &Dictionary,
) -> Outcome {
    let mut outcome =
        Outcome::with_columns(&["first", "then", "keys", "support", "confidence", "lift", "median_lag_s"]);
    outcome.fact("keys", keys);
    outcome.fact("pairs", pairs.len());
    let of = |symbol: Symbol| with.get(&symbol).copied().unwrap_or(0);
    // What chance would not explain: the distance of the two shares (Piatetsky-Shapiro 1991).
    let leverage = |(a, b): (Symbol, Symbol), pair: &Pair| {
        let all = float(keys.max(1));
        (float(pair.both) / all - float(of(a)) / all * (float(of(b)) / all)).abs()
    };
    let mut pairs: Vec<_> =
        pairs.into_iter().map(|(ends, pair)| (leverage(ends, &pair), ends, pair)).collect();
    let text = |symbol: Symbol| names.types.text(symbol);
    pairs.sort_by(|a, b| {
        b.0.total_cmp(&a.0).then_with(|| (text(a.1.0), text(a.1.1)).cmp(&(text(b.1.0), text(b.1.1))))
    });
    for (_, (a, b), pair) in pairs {
        // Named in the order in which they mostly come.
        let is_forward = pair.first_leads * 2 >= pair.both;
        let (first, then) = if is_forward { (a, b) } else { (b, a) };
        let lag = median(pair.lags).map(|lag| if is_forward { lag } else { -lag });
        let lift = float(pair.both) * float(keys) / (float(of(a)).max(1.0) * float(of(b)).max(1.0));
        outcome.rows.push(vec![
            Value::from(text(first)),
            text(then).into(),
            pair.both.into(),
            share(pair.both, keys),
            share(pair.both, of(first)),
            rounded(lift),
            seconds(lag),
        ]);
    }
    outcome.drawing = Some(Drawing::bars(&[0, 1], 5));
    outcome
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analysis::Analysis;
    use crate::analysis::fixture::{log, question};

    #[test]
    fn a_pair_is_weighed_against_chance() {
        // Of four keys two have x, two have y, one has both.
        let outcome = log("a:y@3 a:x@1 b:x@5 c:y@10 d:z@7").ask(&question(Analysis::Correlation));
        let row = [json!("x"), json!("y"), json!(1), json!(0.25), json!(0.5), json!(1), json!(2)];
        assert_eq!(outcome.rows, [row]);
        let outcome = log("a:x@1 a:y@3 b:y@5 b:x@9 c:y@1 c:x@5 d:z@7").ask(&question(Analysis::Correlation));
        let row = [json!("y"), json!("x"), json!(3), json!(0.75), json!(1), json!(1.3333), json!(4)];
        assert_eq!(outcome.rows, [row]);
    }
}
