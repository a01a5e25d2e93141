//! Quantiles as Hyndman and Fan's definition 7 has them (The American Statistician 50, 1996): between two values it is a
//! line, as in pandas and `NumPy` by default.

use super::number::{count, float};

/// Brings values into order for [`quantile`].
pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The quantile `q` (0 to 1) of values in order; `None` of none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it lies between 0 and the length"
)]
pub(crate) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = count(sorted.len().checked_sub(1)?);
    let place = float(last) * q.clamp(0.0, 1.0);
    let below = place.floor();
    let low = *sorted.get(below as usize)?;
    let high = sorted.get(below as usize + 1).copied().unwrap_or(low);
    let (between, step) = (place - below, high - low);
    // From the nearer of the two, as NumPy counts: so that equal neighbours give exactly themselves.
    Some(if between >= 0.5 { high - step * (1.0 - between) } else { low + step * between })
}

/// The median of values in any order; `None` of none.
pub(crate) fn median(values: Vec<f64>) -> Option<f64> {
    quantile(&sorted(values), 0.5)
}

/// The arithmetic mean; `None` of none.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / float(count(values.len())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(values: &[f64], q: f64, expected: f64) {
        let found = quantile(&sorted(values.to_vec()), q).expect("a value");
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn quantiles_are_those_of_pandas() {
        check(&[3.0, 1.0, 2.0, 4.0], 0.5, 2.5);
        check(&[1.0, 2.0, 3.0, 4.0], 0.95, 3.85);
        check(&[10.0], 0.99, 10.0);
        check(&[1.0, 2.0], 0.0, 1.0);
        check(&[1.0, 2.0], 1.0, 2.0);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!((median(vec![5.0, 1.0, 9.0]), mean(&[1.0, 2.0])), (Some(5.0), Some(1.5)));
    }

    proptest! {
        #[test]
        fn a_quantile_lies_between_its_neighbours_and_rises(
            values in proptest::collection::vec(-1e6_f64..1e6, 1..60),
            q in 0.0_f64..=1.0,
        ) {
            let sorted = sorted(values);
            let found = quantile(&sorted, q).expect("a value");
            let further = quantile(&sorted, (q + 0.1).min(1.0)).expect("a value");
            // The plain formula, without care for rounding.
            let place = q * float(count(sorted.len() - 1));
            let at = |wanted: f64| (0_u32..).map(f64::from).zip(&sorted).find(|(n, _)| *n >= wanted).map(|(_, value)| *value);
            let (low, high) = (at(place.floor()).expect("below"), at(place.ceil()).expect("above"));
            prop_assert!((found - (low + (high - low) * place.fract())).abs() < 1e-6);
            prop_assert!(further + 1e-9 >= found);
        }
    }
}
