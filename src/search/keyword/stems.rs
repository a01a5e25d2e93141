//! Words without their endings and accents.

use hashbrown::HashMap;
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RawTokenizer, Stemmer, TextAnalyzer, TokenStream,
};

/// The most words whose stems are kept: 32,768. Then all are forgotten at once.
const WORDS_MAX: usize = 32_768;
/// The longest word that is stemmed; a longer run of letters is no word of a language: 40 bytes.
const STEMMED_BYTES_MAX: usize = 40;

/// English stems (Porter 2), remembered: most words come again and again.
pub(super) struct Stems {
    known: HashMap<Box<str>, Box<str>>,
    stemmer: TextAnalyzer,
    folder: TextAnalyzer,
}

impl Default for Stems {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            stemmer: TextAnalyzer::builder(RawTokenizer::default())
                .filter(Stemmer::new(Language::English))
                .build(),
            folder: TextAnalyzer::builder(RawTokenizer::default())
                .filter(LowerCaser)
                .filter(AsciiFoldingFilter)
                .build(),
        }
    }
}

impl Clone for Stems {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Stems {
    /// The stem of a word as it is written; `buffer` is empty and may be used.
    pub(super) fn stem<'a>(&'a mut self, word: &'a str, buffer: &'a mut String) -> &'a str {
        let lower: &str = if word.bytes().all(|b| b.is_ascii_lowercase()) {
            word
        } else {
            self.fold(word, buffer);
            without_apostrophes(buffer);
            buffer
        };
        if lower.len() > STEMMED_BYTES_MAX {
            return lower;
        }
        if !self.known.contains_key(lower) {
            if self.known.len() >= WORDS_MAX {
                self.known.clear();
            }
            let mut stream = self.stemmer.token_stream(lower);
            let stem = if stream.advance() { stream.token().text.as_str().into() } else { lower.into() };
            drop(stream);
            self.known.insert(lower.into(), stem);
        }
        self.known.get(lower).map_or(lower, |stem| stem)
    }

    /// Appends the text in lowercase and without accents.
    pub(super) fn fold(&mut self, text: &str, to: &mut String) {
        if text.is_ascii() {
            let start = to.len();
            to.push_str(text);
            if let Some(added) = to.get_mut(start..) {
                added.make_ascii_lowercase();
            }
            return;
        }
        let mut stream = self.folder.token_stream(text);
        if stream.advance() {
            to.extend(stream.token().text.chars().filter(|c| !matches!(c, '\u{300}'..='\u{36f}')));
        }
    }
}

fn without_apostrophes(word: &mut String) {
    if !word.contains(['\'', '’']) {
        return;
    }
    for ending in ["'s", "’s"] {
        if let Some(stem) = word.strip_suffix(ending) {
            word.truncate(stem.len());
        }
    }
    word.retain(|c| c != '\'' && c != '’');
}
