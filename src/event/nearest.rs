//! Which of the names that exist did the caller mean? For reads and error messages only: writes never guess.

/// The names most like `wanted`, best first, at most `max`; names that have too little in common are left out.
///
/// Costs time in proportion to the number of candidates: hand in at most some thousands.
pub(crate) fn nearest<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    max: usize,
) -> Vec<&'a str> {
    let folded = fold(wanted);
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            (likeness(&folded, &fold(candidate)).max(part_likeness(&folded, candidate)), candidate)
        })
        .filter(|(score, _)| *score >= LIKENESS_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.truncate(max);
    scored.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Below this a candidate looks arbitrary rather than helpful.
const LIKENESS_MIN: f64 = 0.6;

/// The most characters of a name that are compared; comparing two costs time and memory in proportion to the product
/// of their lengths, and the caller chooses one of them.
const CHARS_MAX: usize = 256;

fn fold(name: &str) -> String {
    let plain = name.chars().take(CHARS_MAX).filter(|c| c.is_alphanumeric());
    plain.flat_map(char::to_lowercase).collect()
}

/// From 0 to 1: how alike two folded names are; one inside the other counts as close.
fn likeness(wanted: &str, candidate: &str) -> f64 {
    let alike = strsim::normalized_damerau_levenshtein(wanted, candidate);
    let shorter = wanted.len().min(candidate.len());
    if shorter >= 3 && (candidate.contains(wanted) || wanted.contains(candidate)) {
        alike.max(0.75)
    } else {
        alike
    }
}

/// How alike a folded name is to one part of a candidate (`shipped` of `order.shipped`), a little less than to all of it.
fn part_likeness(wanted: &str, candidate: &str) -> f64 {
    let parts = candidate.split(|c: char| !c.is_alphanumeric()).filter(|part| part.len() >= 3);
    let best =
        parts.map(|part| strsim::normalized_damerau_levenshtein(wanted, &fold(part))).fold(0.0, f64::max);
    best * 0.9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &str, candidates: &[&str], expected: &[&str]) {
        assert_eq!(nearest(wanted, candidates.iter().copied(), 3), expected);
    }

    #[test]
    fn a_typing_mistake_finds_its_name() {
        check("entityId", &["event_type", "entity_id", "since"], &["entity_id"]);
        check(
            "order.placd",
            &["order.placed", "order.paid", "user.created"],
            &["order.placed", "order.paid"],
        );
    }

    /// An argument's name of 40 MiB, which one line of a client can hold, took 4 GB for the comparison.
    #[test]
    fn a_name_of_any_length_is_compared_in_little_memory() {
        check(&"entity".repeat(5_000_000), &["event_type", "entity_id"], &[]);
    }

    #[test]
    fn a_part_of_a_name_finds_it() {
        check("placed", &["order.placed", "order.paid"], &["order.placed"]);
        check("shiped", &["order.placed", "order.shipped"], &["order.shipped"]);
    }

    #[test]
    fn nothing_alike_finds_nothing() {
        check("zebra", &["order.placed", "user.created"], &[]);
    }
}
