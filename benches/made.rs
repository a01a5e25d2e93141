//! Vectors for a bench: made ones that lie as those of texts do, or those of the texts of a file.

use std::fs;

use allsource::clock::{IdSource, SeededIds};
use allsource::search::embed::{BuiltIn, Embedder};
use serde_json::Value;

/// The texts embedded at a time.
const EMBEDDED: usize = 10_000;
/// How many numbers a made vector has.
const DIMENSION: usize = 256;
/// Wide subjects, narrow ones within them, and directions in which texts about one of them differ.
const WIDE: usize = 1_000;
const NARROW: usize = 20_000;
const DIRECTIONS: usize = 32;

/// Vectors by number, and queries like them.
pub(crate) struct Vectors {
    count: usize,
    /// All of them, where they came from a file.
    read: Vec<Vec<f32>>,
    wide: Vec<Vec<f32>>,
    narrow: Vec<Vec<f32>>,
    directions: Vec<Vec<f32>>,
    queries: Vec<Vec<f32>>,
}

impl Vectors {
    /// Makes so many, always the same.
    pub(crate) fn make(count: usize, queries: usize) -> Self {
        let table = |seed, many| {
            let ids = SeededIds::new(seed);
            (0..many).map(|_| (0..DIMENSION).map(|_| bell(&ids)).collect()).collect()
        };
        let mut made = Self {
            count,
            read: Vec::new(),
            wide: table(1, WIDE),
            narrow: table(2, NARROW),
            directions: table(3, DIRECTIONS),
            queries: Vec::new(),
        };
        let query = |number: usize| {
            let mut vector = Vec::new();
            made.make_one(1 << 40 | number, &mut vector);
            vector
        };
        made.queries = (0..queries).map(query).collect();
        made
    }

    /// Reads those of a file, texts embedded by the built-in model; the last ones are the queries.
    pub(crate) fn read(file: &str, queries: usize) -> Self {
        let text = fs::read_to_string(file).expect("a readable file");
        let lines: Vec<&str> = text.lines().collect();
        let mut read: Vec<Vec<f32>> = lines.chunks(EMBEDDED).flat_map(vectors).collect();
        // A text without a word that the model knows is like nothing, and is not looked for.
        read.retain(|vector| vector.iter().any(|number| *number != 0.0));
        let queries = read.split_off(read.len().saturating_sub(queries));
        let (wide, narrow, directions) = (Vec::new(), Vec::new(), Vec::new());
        Self { count: read.len(), read, wide, narrow, directions, queries }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn dimension(&self) -> usize {
        self.queries[0].len()
    }

    pub(crate) fn queries(&self) -> &[Vec<f32>] {
        &self.queries
    }

    /// Puts a vector into `vector`.
    pub(crate) fn get(&self, number: usize, vector: &mut Vec<f32>) {
        match self.read.get(number) {
            Some(read) => vector.clone_from(read),
            None => self.make_one(number, vector),
        }
    }

    fn make_one(&self, number: usize, vector: &mut Vec<f32>) {
        let ids =
            SeededIds::new(0x5eed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31));
        let subject = usize::try_from(ids.next_u64() % NARROW as u64).expect("a small number");
        let (wide, narrow) = (&self.wide[subject % WIDE], &self.narrow[subject]);
        vector.clear();
        vector.extend(wide.iter().zip(narrow).map(|(wide, narrow)| wide + 0.6 * narrow + 0.15 * bell(&ids)));
        for (rank, direction) in self.directions.iter().enumerate() {
            let weight = bell(&ids) / ((rank + 1) as f32).sqrt();
            for (number, direction) in vector.iter_mut().zip(direction) {
                *number += weight * direction;
            }
        }
    }
}

/// The vectors of lines that are strings, or arrays of numbers.
fn vectors(lines: &[&str]) -> Vec<Vec<f32>> {
    let parsed = lines.iter().map(|line| serde_json::from_str(line).expect("JSON on each line"));
    let parsed: Vec<Value> = parsed.collect();
    match parsed.iter().map(Value::as_str).collect::<Option<Vec<&str>>>() {
        Some(texts) => BuiltIn::default().embed(&texts).expect("texts can be embedded"),
        None => parsed.into_iter().map(|line| serde_json::from_value(line).expect("numbers")).collect(),
    }
}

/// A number around 0 whose spread is about 1.
fn bell(ids: &SeededIds) -> f32 {
    let parts = ids.next_u64().to_le_bytes();
    let sum: u32 = parts.as_chunks::<2>().0.iter().map(|part| u32::from(u16::from_le_bytes(*part))).sum();
    (sum as f32 / 65_536.0 - 2.0) * 1.7
}
