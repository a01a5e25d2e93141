//! Tokens as Tantivy takes them.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use super::document::parts;
use super::fields::{PATH_BYTES, push_path, push_presence};
use super::words::{Manner, Words};

/// The places between two values, so that no phrase reaches from one into the next.
const GAP: u32 = 1;

/// Tokenizes the values of an event without their paths.
#[derive(Clone, Default)]
pub(super) struct BodyTokenizer(Words);

/// Tokenizes the values of an event with their paths.
#[derive(Clone, Default)]
pub(super) struct FieldTokenizer(Words);

impl Tokenizer for BodyTokenizer {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        Stream::new(&mut self.0, text, each_of_body)
    }
}

impl Tokenizer for FieldTokenizer {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        Stream::new(&mut self.0, text, each_of_fields)
    }
}

type Each = fn(&mut Words, &str, &mut Token, &mut dyn FnMut(&Token));

fn each_of_body(words: &mut Words, text: &str, token: &mut Token, sink: &mut dyn FnMut(&Token)) {
    let mut place = 0;
    for part in parts(text).filter(|part| part.in_body) {
        place = GAP
            + words.each(part.text, Manner::Stored, place, &mut |piece| {
                token.text.clear();
                token.text.push_str(piece.term);
                token.position = piece.place as usize;
                sink(token);
            });
    }
}

fn each_of_fields(words: &mut Words, text: &str, token: &mut Token, sink: &mut dyn FnMut(&Token)) {
    token.position = 0;
    for part in parts(text) {
        token.text.clear();
        push_presence(part.path, &mut token.text);
        if !token.text.is_empty() {
            sink(token);
        }
        token.text.clear();
        push_path(part.path, &mut token.text);
        words.each(part.text, Manner::Stored, 0, &mut |piece| {
            token.text.truncate(PATH_BYTES);
            token.text.push_str(piece.term);
            sink(token);
        });
    }
}

/// The tokens of one event. Tantivy's indexing pushes them through [`process`](TokenStream::process); whoever pulls gets a list.
pub(super) struct Stream<'a> {
    words: &'a mut Words,
    text: &'a str,
    each: Each,
    token: Token,
    pulled: Option<std::vec::IntoIter<Token>>,
}

impl<'a> Stream<'a> {
    fn new(words: &'a mut Words, text: &'a str, each: Each) -> Self {
        let token = Token { position_length: 1, ..Token::default() };
        Self { words, text, each, token, pulled: None }
    }
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        let pulled = self.pulled.get_or_insert_with(|| {
            let mut tokens = Vec::new();
            let mut token = Token { position_length: 1, ..Token::default() };
            (self.each)(self.words, self.text, &mut token, &mut |token| tokens.push(token.clone()));
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
        (self.each)(self.words, self.text, &mut self.token, sink);
    }
}
