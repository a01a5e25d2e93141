//! Vectors as they are stored, and queries as they are compared with them.
//!
//! A stored number is one byte, so that a vector of 256 takes 256 bytes; the query keeps 16 bits a number, so that only
//! one side is rounded. With 256 numbers this moves a cosine by about 0.0004.

use super::format::NORM_BYTES;

/// The greatest magnitude of a code.
const CODE_MAX: u8 = 127;

/// A vector's records.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantised {
    /// The record of `vectors`.
    pub(super) vector: Vec<u8>,
    /// The record of `sketches`.
    pub(super) sketch: Vec<u8>,
}

impl Quantised {
    /// What is stored of a vector; `None` of one that says nothing: all zeros, or with a number that is not finite.
    pub(super) fn of(vector: &[f32]) -> Option<Self> {
        let greatest = greatest(vector)?;
        let mut record = Vec::with_capacity(NORM_BYTES + vector.len());
        record.extend_from_slice(&[0; NORM_BYTES]);
        record.extend(
            vector.iter().map(|number| code(number / greatest * f32::from(CODE_MAX)).cast_unsigned()),
        );
        let (norm, codes) = record.split_first_chunk_mut::<NORM_BYTES>()?;
        *norm = inverse_norm(codes).to_le_bytes();
        let sketch = sketch(codes).flat_map(u64::to_le_bytes).collect();
        Some(Self { vector: record, sketch })
    }
}

/// What a search looks for.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// Its numbers, scaled up to what sums of products with codes leave room for.
    pub(super) numbers: Vec<i16>,
    /// Its signs.
    pub(super) sketch: Vec<u64>,
    inverse_norm: f32,
}

impl Query {
    /// What to compare stored vectors with; `None` where nothing is like it (see [`Quantised::of`]).
    pub(super) fn of(vector: &[f32]) -> Option<Self> {
        let greatest = greatest(vector)?;
        let scale = number_max(vector.len());
        let numbers: Vec<i16> = vector.iter().map(|number| rounded(number / greatest * scale)).collect();
        let squares: f64 = numbers.iter().map(|number| f64::from(*number).powi(2)).sum();
        let signs: Vec<u8> = numbers.iter().map(|number| number.signum().to_le_bytes()[0]).collect();
        Some(Self { numbers, sketch: sketch(&signs).collect(), inverse_norm: narrow(1.0 / squares.sqrt()) })
    }

    /// The cosine with a stored vector, from the sum of the products with its codes.
    #[inline]
    pub(super) fn cosine(&self, dot: i32, inverse_norm: f32) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "24 bits of 31 are more than the codes are good for")]
        let dot = dot as f32;
        (dot * inverse_norm * self.inverse_norm).clamp(-1.0, 1.0)
    }
}

/// The vector that a record of `vectors` stands for, of length 1.
pub(super) fn restored(record: &[u8]) -> Option<Vec<f32>> {
    let (norm, codes) = record.split_first_chunk()?;
    let norm = f32::from_le_bytes(*norm);
    Some(codes.iter().map(|code| f32::from(code.cast_signed()) * norm).collect())
}

/// 1 / the length of codes.
pub(super) fn inverse_norm(codes: &[u8]) -> f32 {
    let squares: f64 = codes.iter().map(|code| f64::from(code.cast_signed()).powi(2)).sum();
    narrow(1.0 / squares.sqrt())
}

/// The words of a sketch.
pub(super) fn sketch(codes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    codes.chunks(64).map(|codes| {
        let bits = (0..).zip(codes).map(|(bit, code)| u64::from(code.cast_signed() > 0) << bit);
        bits.fold(0, |word, bit| word | bit)
    })
}

/// The greatest magnitude, if there is one above zero and all numbers are finite.
fn greatest(vector: &[f32]) -> Option<f32> {
    // The greatest of them would not show a NaN; their sum does.
    let sum: f32 = vector.iter().map(|number| number.abs()).sum();
    let greatest = vector.iter().fold(0.0, |greatest: f32, number| greatest.max(number.abs()));
    (sum.is_finite() && greatest.is_normal()).then_some(greatest)
}

/// The greatest magnitude of a query's number: the sum of all products with codes fits into 31 bits.
fn number_max(dimension: usize) -> f32 {
    let products = usize::from(CODE_MAX) * dimension.max(1);
    let greatest = (i32::MAX as usize / products).min(i16::MAX as usize);
    i16::try_from(greatest).map_or(1.0, f32::from)
}

#[expect(clippy::cast_possible_truncation, reason = "the number was scaled to a magnitude of at most 127")]
fn code(number: f32) -> i8 {
    number.round() as i8
}

#[expect(clippy::cast_possible_truncation, reason = "the number was scaled to a magnitude that 16 bits hold")]
fn rounded(number: f32) -> i16 {
    number.round() as i16
}

#[expect(clippy::cast_possible_truncation, reason = "an inverse length is good for far fewer than 24 bits")]
fn narrow(number: f64) -> f32 {
    number as f32
}
