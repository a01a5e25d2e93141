//! What a cosine means.

use super::Embedder;
use crate::error::Result;

/// Maps the cosine between a query and an event to a score from 0 to 1, and says when nothing is close.
///
/// Cosines of two models cannot be compared: texts that have nothing to do with each other have one of 0.03 with the built-in model
/// and of 0.75 with others. A score can: it is a logistic function of the cosine, ½ where an event is as likely to be relevant as not.
///
/// # Where the numbers come from
///
/// For the built-in model from three collections of documents with judged queries (Cranfield, NPL, CACM): pairs of a
/// query and a document that was judged relevant to it, against as many, by weight, of a query and any other document,
/// half of them from another collection. A logistic regression gives the centre 0.32 and the width 0.056; there 89 % of
/// the relevant pairs are above the centre and 89 % of the others below it. Of sixteen short events and questions about
/// them, made up for the purpose, ten are above; of twelve questions about something else entirely, none.
///
/// A pair is judged, not the best of a collection: the best of many is higher, and how many there are should not change
/// what a score means. So a subject that is only near (questions about computers to papers on electronics) may have
/// scores above ½; one that is not there at all has none.
///
/// For another model, [`measured`](Self::measured) puts the centre and the width where they are for the built-in one
/// when both are counted in standard deviations between sixteen unrelated texts: 3.3 above their mean, and 0.64 wide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    centre: f32,
    width: f32,
}

impl Calibration {
    /// That of the built-in model.
    pub const BUILT_IN: Self = Self { centre: 0.32, width: 0.056 };

    /// A score of ½ at the cosine `centre`, and of ¾ about one `width` above it; a width of at least 0.001 is taken.
    #[must_use]
    pub const fn new(centre: f32, width: f32) -> Self {
        Self { centre, width: if width >= WIDTH_MIN { width } else { WIDTH_MIN } }
    }

    /// That of a model which nobody measured on collections: from the cosines between texts that have nothing to do with
    /// each other. Embeds 16 short texts.
    ///
    /// # Errors
    /// Those of [`embed`](Embedder::embed).
    pub fn measured(embedder: &dyn Embedder) -> Result<Self> {
        let vectors = embedder.embed(&UNRELATED)?;
        let mut cosines = Vec::new();
        for (at, a) in vectors.iter().enumerate() {
            let others = vectors.iter().skip(at + 1);
            cosines.extend(others.map(|b| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>()));
        }
        #[expect(clippy::cast_precision_loss, reason = "120 pairs")]
        let count = cosines.len().max(1) as f32;
        let mean = cosines.iter().sum::<f32>() / count;
        let deviation = (cosines.iter().map(|cosine| (cosine - mean).powi(2)).sum::<f32>() / count).sqrt();
        let centre = (mean + CENTRE_DEVIATIONS * deviation).min(CENTRE_MAX);
        Ok(Self::new(centre, WIDTH_DEVIATIONS * deviation))
    }

    /// The score of a cosine: from 0 to 1, rising with it.
    #[must_use]
    pub fn score(&self, cosine: f32) -> f32 {
        1.0 / (1.0 + (-(cosine - self.centre) / self.width).exp())
    }

    /// The cosine of a score; its [`score`](Self::score) is that score again.
    #[must_use]
    pub fn cosine(&self, score: f32) -> f32 {
        let score = score.clamp(f32::EPSILON, 1.0 - f32::EPSILON);
        (self.centre + self.width * (score / (1.0 - score)).ln()).clamp(-1.0, 1.0)
    }

    /// Whether an event of that cosine is close at all: whether its score is at least ½.
    #[must_use]
    pub fn is_close(&self, cosine: f32) -> bool {
        cosine >= self.centre
    }

    /// The cosine that counts 0 where scores are combined: that of a score of a tenth, 0.197 for the built-in model. What a
    /// collection has no relation to lies below it, and so should not outweigh a word.
    #[must_use]
    pub fn background(&self) -> f32 {
        self.cosine(BACKGROUND_SCORE)
    }

    /// The cosine from which on an event is close.
    #[must_use]
    pub const fn threshold(&self) -> f32 {
        self.centre
    }
}

/// The score of what counts 0 where scores are combined: 0.1.
const BACKGROUND_SCORE: f32 = 0.1;
/// The narrowest width: 0.001. A model to which all texts are the same has no deviation to divide by.
const WIDTH_MIN: f32 = 0.001;
/// How far the centre is above the mean cosine of unrelated texts: 3.3 of their standard deviations.
const CENTRE_DEVIATIONS: f32 = 3.3;
/// The highest centre: 0.95. The same text must be close to itself, whatever the model.
const CENTRE_MAX: f32 = 0.95;
/// How wide the logistic function is: 0.64 standard deviations.
const WIDTH_DEVIATIONS: f32 = 0.64;

/// Texts of sixteen subjects, in the length and the manner of events and questions.
const UNRELATED: [&str; 16] = [
    "payment failed: the card was declined by the bank",
    "how do I bake bread with sourdough",
    "the deployment was rolled back after an error in production",
    "heavy rain and strong winds are expected on the coast",
    "the patient was given antibiotics for an infection",
    "which team won the football match last night",
    "user signed in from a new device",
    "the flight to Tokyo was cancelled",
    "the orchestra played a symphony by a young composer",
    "temperature sensor in the greenhouse reads 31 degrees",
    "students wrote an essay about the French revolution",
    "the parser drops the last token of an empty line",
    "invoice for twelve office chairs was sent to the customer",
    "a flock of geese rested by the lake",
    "the court dismissed the claim for damages",
    "how tall is the highest mountain in Africa",
];

#[cfg(test)]
mod tests {
    use super::super::BuiltIn;
    use super::super::fixture::WordHashes;
    use super::*;

    #[test]
    fn a_score_is_between_zero_and_one_and_rises() {
        let scores: Vec<f32> =
            [-1.0, 0.0, 0.32, 0.4, 1.0].map(|cosine| Calibration::BUILT_IN.score(cosine)).to_vec();
        assert!(scores.is_sorted() && scores[0] >= 0.0 && scores[4] <= 1.0, "{scores:?}");
        assert!((scores[2] - 0.5).abs() < 1e-6 && scores[0] < 0.01 && scores[4] > 0.99, "{scores:?}");
    }

    #[test]
    fn a_score_leads_back_to_its_cosine() {
        for cosine in [0.2, 0.32, 0.5] {
            let back = Calibration::BUILT_IN.cosine(Calibration::BUILT_IN.score(cosine));
            assert!((back - cosine).abs() < 1e-3, "{cosine} {back}");
        }
        assert!(Calibration::BUILT_IN.cosine(0.0) >= -1.0 && Calibration::BUILT_IN.cosine(1.0) <= 1.0);
    }

    #[test]
    fn what_counts_nothing_scores_a_tenth() {
        let calibration = Calibration::BUILT_IN;
        assert!((calibration.score(calibration.background()) - 0.1).abs() < 1e-4);
        assert!((calibration.background() - 0.197).abs() < 1e-3, "{}", calibration.background());
    }

    #[test]
    fn close_is_what_scores_a_half() {
        let calibration = Calibration::BUILT_IN;
        assert!(calibration.is_close(calibration.threshold()) && !calibration.is_close(0.3));
    }

    /// The measure that serves for other models must give about what the collections gave for this one.
    #[test]
    fn the_background_of_the_built_in_model_leads_to_its_calibration() {
        let measured = Calibration::measured(&BuiltIn::default()).expect("a calibration");
        let known = Calibration::BUILT_IN;
        assert!((measured.centre - known.centre).abs() < 0.01, "{measured:?}");
        assert!((measured.width / known.width - 1.0).abs() < 0.05, "{measured:?}");
    }

    #[test]
    fn a_model_without_a_background_has_a_calibration() {
        let measured = Calibration::measured(&WordHashes::new()).expect("a calibration");
        assert!(measured.is_close(1.0) && measured.width >= WIDTH_MIN);
        assert!(Calibration::new(0.5, 0.0).width >= WIDTH_MIN);
    }
}
