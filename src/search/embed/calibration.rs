//! What a cosine means.

/// Maps the cosine between a query and an event to a score from 0 to 1, and says when nothing is close.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    centre: f32,
    width: f32,
}

impl Calibration {
    /// That of the built-in model.
    pub const BUILT_IN: Self = Self { centre: 0.45, width: 0.05 };

    /// A calibration whose score is ½ at the cosine `centre`, and ¾ about one `width` above it.
    #[must_use]
    pub const fn new(centre: f32, width: f32) -> Self {
        Self { centre, width }
    }

    /// The score of a cosine: from 0 to 1, rising with it.
    #[must_use]
    pub fn score(&self, cosine: f32) -> f32 {
        1.0 / (1.0 + (-(cosine - self.centre) / self.width).exp())
    }

    /// The cosine of what has nothing to do with each other: it counts 0 where scores are combined.
    #[must_use]
    pub fn background(&self) -> f32 {
        0.0
    }

    /// The cosine from which on an event counts as close.
    #[must_use]
    pub const fn threshold(&self) -> f32 {
        self.centre
    }
}
