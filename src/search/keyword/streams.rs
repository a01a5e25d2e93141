//! Tokens as Tantivy takes them.

use std::sync::Arc;

use hashbrown::HashTable;
use parking_lot::Mutex;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use xxhash_rust::xxh3::xxh3_64;

use super::document::parts;
use super::fields::{ENTITY_ID, EVENT_TYPE, push_path, push_presence};
use super::words::{Manner, Words};

/// The places between two values, so that no phrase reaches from one into the next.
const GAP: u32 = 1;
/// The most paths whose terms are kept: 4,096. Then all are forgotten at once.
const PATHS_MAX: usize = 4_096;

/// Tokenizes the values of an event without their paths. Tantivy copies its tokenizers for every segment; all copies share
/// what they know of words and paths.
#[derive(Clone, Default)]
pub(super) struct BodyTokenizer(Arc<Mutex<Analysis>>);

/// Tokenizes the values of an event with their paths.
#[derive(Clone)]
pub(super) struct FieldTokenizer(Arc<Mutex<Analysis>>);

impl BodyTokenizer {
    /// The tokenizer for the same events' fields: it gives what this one came by, when it comes to the same event next.
    pub(super) fn fields(&self) -> FieldTokenizer {
        FieldTokenizer(Arc::clone(&self.0))
    }
}

impl Tokenizer for BodyTokenizer {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        Stream::new(&self.0, text, Analysis::each_of_body)
    }
}

impl Tokenizer for FieldTokenizer {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        Stream::new(&self.0, text, Analysis::each_of_fields)
    }
}

type Sink<'s> = dyn FnMut(&Token) + 's;
type Each = fn(&mut Analysis, &str, &mut Token, &mut Sink<'_>);

/// One event is analysed once, for both fields.
#[derive(Default)]
struct Analysis {
    words: Words,
    paths: Paths,
    /// The terms with paths of one event.
    terms: String,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Where the text of that event lies; taken away when its terms were given.
    analysed: Option<(usize, usize)>,
}

/// Where a text lies. The same text is there as long as Tantivy is at one document: it goes from field to field.
fn place_of(text: &str) -> (usize, usize) {
    (text.as_ptr().addr(), text.len())
}

impl Analysis {
    fn each_of_body(&mut self, text: &str, token: &mut Token, sink: &mut Sink<'_>) {
        self.terms.clear();
        self.ends.clear();
        let Self { words, paths, terms, ends, .. } = self;
        let mut place = 0;
        for part in parts(text) {
            let is_column = matches!(part.path, EVENT_TYPE | ENTITY_ID);
            let path = paths.terms_of(part.path);
            if !is_column && !path.presence.is_empty() {
                terms.push_str(&path.presence);
                ends.push(terms.len());
            }
            let after = words.each(part.text, Manner::Stored, place, &mut |piece| {
                if part.in_body {
                    token.text.clear();
                    token.text.push_str(piece.term);
                    token.position = piece.place as usize;
                    sink(token);
                }
                if piece.finest && !is_column {
                    terms.push_str(&path.before);
                    terms.push_str(piece.term);
                    ends.push(terms.len());
                }
            });
            if part.in_body {
                place = after + GAP;
            }
        }
        self.analysed = Some(place_of(text));
    }

    fn each_of_fields(&mut self, text: &str, token: &mut Token, sink: &mut Sink<'_>) {
        if self.analysed.take() != Some(place_of(text)) {
            self.each_of_body(text, &mut Token::default(), &mut |_| {});
            self.analysed = None;
        }
        token.position = 0;
        let mut start = 0;
        for end in &self.ends {
            token.text.clear();
            token.text.push_str(self.terms.get(start..*end).unwrap_or_default());
            sink(token);
            start = *end;
        }
    }
}

/// The terms of paths, which are the same event after event.
#[derive(Default)]
struct Paths(HashTable<PathTerms>);

struct PathTerms {
    path: Box<str>,
    /// What stands before its tokens.
    before: String,
    /// The term that says that it is there.
    presence: String,
}

impl Paths {
    fn terms_of(&mut self, path: &str) -> &PathTerms {
        let hash = xxh3_64(path.as_bytes());
        if self.0.len() >= PATHS_MAX {
            self.0.clear();
        }
        let is_same = |known: &PathTerms| &*known.path == path;
        let hash_of = |known: &PathTerms| xxh3_64(known.path.as_bytes());
        self.0
            .entry(hash, is_same, hash_of)
            .or_insert_with(|| {
                let (mut before, mut presence) = (String::new(), String::new());
                push_path(path, &mut before);
                push_presence(path, &mut presence);
                PathTerms { path: path.into(), before, presence }
            })
            .into_mut()
    }
}

/// The tokens of one event. Tantivy's indexing pushes them through [`process`](TokenStream::process); whoever pulls gets a list.
pub(super) struct Stream<'a> {
    analysis: &'a Mutex<Analysis>,
    text: &'a str,
    each: Each,
    token: Token,
    pulled: Option<std::vec::IntoIter<Token>>,
}

impl<'a> Stream<'a> {
    fn new(analysis: &'a Mutex<Analysis>, text: &'a str, each: Each) -> Self {
        let token = Token { position_length: 1, ..Token::default() };
        Self { analysis, text, each, token, pulled: None }
    }
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        let pulled = self.pulled.get_or_insert_with(|| {
            let mut tokens = Vec::new();
            let mut token = Token { position_length: 1, ..Token::default() };
            let mut analysis = self.analysis.lock();
            (self.each)(&mut analysis, self.text, &mut token, &mut |token| tokens.push(token.clone()));
            tokens.into_iter()
        });
        match pulled.next() {
            Some(token) => {
                self.token = token;
                true
            }
            None => false,
        }
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }

    fn process(&mut self, sink: &mut dyn FnMut(&Token)) {
        let mut analysis = self.analysis.lock();
        (self.each)(&mut analysis, self.text, &mut self.token, sink);
    }
}
