//! Words without their endings and accents.

use hashbrown::HashTable;
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RawTokenizer, Stemmer, TextAnalyzer, TokenStream,
};
use xxhash_rust::xxh3::xxh3_64;

/// The most words whose stems are kept: 32,768. Then all are forgotten at once.
const WORDS_MAX: usize = 32_768;
/// The longest word that is stemmed: 40 bytes. A longer run of letters is no word of a language.
const STEMMED_BYTES_MAX: usize = 40;

/// English stems (Porter 2), remembered: most words come again and again.
pub(super) struct Stems {
    known: HashTable<Known>,
    stemmer: TextAnalyzer,
    folder: TextAnalyzer,
}

struct Known {
    word: Box<str>,
    stem: Box<str>,
}

impl Default for Stems {
    fn default() -> Self {
        let stemmer = TextAnalyzer::builder(RawTokenizer::default()).filter(Stemmer::new(Language::English));
        let folder =
            TextAnalyzer::builder(RawTokenizer::default()).filter(LowerCaser).filter(AsciiFoldingFilter);
        Self { known: HashTable::new(), stemmer: stemmer.build(), folder: folder.build() }
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
        if self.known.len() >= WORDS_MAX {
            self.known.clear();
        }
        let Self { known, stemmer, .. } = self;
        let is_same = |known: &Known| &*known.word == lower;
        let entry = known.entry(xxh3_64(lower.as_bytes()), is_same, |known| xxh3_64(known.word.as_bytes()));
        let found = entry.or_insert_with(|| {
            let mut stream = stemmer.token_stream(lower);
            let stem = if stream.advance() { stream.token().text.as_str() } else { lower };
            Known { word: lower.into(), stem: stem.into() }
        });
        &found.into_mut().stem
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
