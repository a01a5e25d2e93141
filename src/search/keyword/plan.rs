//! A query as Tantivy runs it over one reader.

use std::collections::BTreeMap;

use tantivy::Term;
use tantivy::query::{
    Bm25StatisticsProvider, Bm25Weight, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery,
    EmptyQuery, Occur, PhraseQuery, Query, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::corpus::Corpus;
use super::fields::{ENTITY_ID, EVENT_ID, EVENT_TYPE, ending_so, path_of, term_at};
use super::lookup::OfNames;
use super::query::{
    Clause, FIELD_PATHS_MAX, FieldClause, FieldValue, Group, KeywordQuery, PREFIX_TERMS_MAX, Prefix, Text,
    Token,
};
use super::schema::Fields;
use super::terms::each_beginning;
use super::words::Words;
use super::writer::failed;
use crate::error::{Error, Result};
use crate::event::{NamePattern, quote};

/// What a match of `abc*` counts: as much as a middling word, whatever it matched.
const PREFIX_SCORE: f32 = 1.0;

/// A query over one reader.
pub(super) struct Plan {
    pub(super) query: Box<dyn Query>,
    /// The greatest score that an event could have.
    pub(super) bound: f32,
    /// The terms and how often each was written, when there is nothing else to the query: then the score of an event is the
    /// sum over these, in this order.
    pub(super) flat: Option<Vec<(Term, f32)>>,
}

/// A query and the greatest score that it gives.
type Part = (Box<dyn Query>, f32);

/// Plans queries over one reader.
pub(super) struct Planner<'s> {
    pub(super) corpus: &'s Corpus,
    pub(super) fields: Fields,
}

impl Planner<'_> {
    /// Plans a query.
    pub(super) fn plan(&self, query: &KeywordQuery) -> Result<Plan> {
        let mut texts = Vec::new();
        if query.root.as_plain_texts(&mut texts) {
            return self.flat(&texts);
        }
        let (query, bound) = self.group(&query.root)?;
        Ok(Plan { query, bound, flat: None })
    }

    fn flat(&self, texts: &[&Text]) -> Result<Plan> {
        let mut counts: BTreeMap<&str, f32> = BTreeMap::new();
        for token in texts.iter().flat_map(|text| &text.tokens) {
            *counts.entry(&token.term).or_default() += 1.0;
        }
        let terms: Vec<(Term, f32)> =
            counts.into_iter().map(|(term, count)| (self.body_term(term), count)).collect();
        let mut bound = 0.0;
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for (term, count) in &terms {
            bound += self.max_score(std::slice::from_ref(term))? * count;
            let query: Box<dyn Query> = Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs));
            let boosted = if *count > 1.0 { Box::new(BoostQuery::new(query, *count)) } else { query };
            clauses.push((Occur::Should, boosted));
        }
        Ok(Plan { query: union(clauses), bound, flat: Some(terms) })
    }

    fn group(&self, group: &Group) -> Result<Part> {
        let mut clauses = Vec::new();
        let mut bound = 0.0;
        for clause in &group.must {
            let (query, max) = self.clause(clause, true)?;
            bound += max;
            clauses.push((Occur::Must, query));
        }
        for clause in group.telling() {
            let (query, max) = self.clause(clause, false)?;
            bound += max;
            clauses.push((Occur::Should, query));
        }
        for clause in &group.must_not {
            clauses.push((Occur::MustNot, self.clause(clause, true)?.0));
        }
        Ok((union(clauses), bound))
    }

    /// A clause; where it is `required`, or written as an identifier, a text must match in all of its parts, in a row.
    fn clause(&self, clause: &Clause, required: bool) -> Result<Part> {
        match clause {
            Clause::Text(text) if text.tokens.len() > 1 && (required || text.is_identifier) => {
                self.identifier(&text.tokens)
            }
            Clause::Text(text) => self.text(&text.tokens, required),
            Clause::Phrase(tokens) => self.phrase(tokens),
            Clause::Prefix(prefix) => self.prefix(prefix),
            Clause::Group(group) => self.group(group),
            Clause::Field(field) => self.field(field),
        }
    }

    /// The parts of an identifier in a row; where it stands as it is written, that counts more.
    fn identifier(&self, tokens: &[Token]) -> Result<Part> {
        let (parts, wholes): (Vec<Token>, Vec<Token>) =
            tokens.iter().cloned().partition(|token| token.finest);
        let (parts, mut bound) = self.phrase(&parts)?;
        let mut clauses = vec![(Occur::Must, parts)];
        for whole in &wholes {
            let term = self.body_term(&whole.term);
            bound += self.max_score(std::slice::from_ref(&term))?;
            clauses.push((Occur::Should, Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))));
        }
        Ok((union(clauses), bound))
    }

    fn text(&self, tokens: &[Token], required: bool) -> Result<Part> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        let mut bound = 0.0;
        for token in tokens {
            let term = self.body_term(&token.term);
            bound += self.max_score(std::slice::from_ref(&term))?;
            let occur = if required && token.finest { Occur::Must } else { Occur::Should };
            clauses.push((occur, Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))));
        }
        Ok((union(clauses), bound))
    }

    fn phrase(&self, tokens: &[Token]) -> Result<Part> {
        let terms: Vec<(usize, Term)> =
            tokens.iter().map(|token| (token.place as usize, self.body_term(&token.term))).collect();
        if terms.len() < 2 {
            return self.text(tokens, true);
        }
        let plain: Vec<Term> = terms.iter().map(|(_, term)| term.clone()).collect();
        let bound = self.max_score(&plain)?;
        Ok((Box::new(PhraseQuery::new_with_offset(terms)), bound))
    }

    /// Words and identifiers that begin so.
    fn prefix(&self, prefix: &Prefix) -> Result<Part> {
        let mut terms = self.beginning_so(self.fields.body, &prefix.beginning, prefix)?;
        terms.extend(
            prefix.stem.as_deref().filter(|_| prefix.leading.is_empty()).map(|stem| self.body_term(stem)),
        );
        Ok(any_of(terms))
    }

    /// The same at a path, where identifiers are not kept whole: all parts but the last must be there.
    fn prefix_at(&self, path: &str, prefix: &Prefix) -> Result<Part> {
        let (leading, mut bound) = self.tokens_at(path, &prefix.leading)?;
        if prefix.last.is_empty() {
            return Ok((leading, bound));
        }
        let mut terms = self.beginning_so(self.fields.fields, &term_at(path, &prefix.last), prefix)?;
        terms.extend(prefix.stem.as_deref().map(|stem| self.term_at(path, stem)));
        let (last, max) = any_of(terms);
        if prefix.leading.is_empty() {
            return Ok((last, max));
        }
        bound += max;
        Ok((union(vec![(Occur::Must, leading), (Occur::Must, last)]), bound))
    }

    fn beginning_so(&self, field: Field, beginning: &str, prefix: &Prefix) -> Result<Vec<Term>> {
        let terms = self.terms_beginning(field, beginning, PREFIX_TERMS_MAX)?.ok_or_else(|| {
            let message = format!(
                "search for {}: more than {PREFIX_TERMS_MAX} different terms begin so; write more of the word",
                quote(&format!("{}*", prefix.beginning))
            );
            Error::invalid("bad_keywords", message)
        })?;
        Ok(terms.iter().map(|term| Term::from_field_text(field, term)).collect())
    }

    /// An event type or entity id as it is stored, or all that begin so. Of event types, of which there are few, also those
    /// that hold the words.
    fn column(&self, field: Field, clause: &FieldClause) -> Result<Part> {
        let pattern = match &clause.value {
            FieldValue::Any => NamePattern::Prefix(String::new()),
            FieldValue::Prefix(_) => NamePattern::Prefix(clause.raw.clone()),
            FieldValue::Text(_) | FieldValue::Phrase(_) => NamePattern::Exact(clause.raw.clone()),
        };
        if let (FieldValue::Text(Text { tokens, .. }) | FieldValue::Phrase(tokens), true) =
            (&clause.value, field == self.fields.event_type)
        {
            let types = self.terms_beginning(field, "", PREFIX_TERMS_MAX)?.unwrap_or_default();
            let mut words = Words::default();
            let meant = types
                .iter()
                .filter(|name| **name == clause.raw || holds_all(&Text::of(name, &mut words), tokens));
            return Ok(any_of(meant.map(|name| Term::from_field_text(field, name)).collect()));
        }
        let query = OfNames { pattern, field };
        Ok((Box::new(ConstScoreQuery::new(Box::new(query), PREFIX_SCORE)), PREFIX_SCORE))
    }

    fn field(&self, clause: &FieldClause) -> Result<Part> {
        match clause.path.as_str() {
            EVENT_TYPE => return self.column(self.fields.event_type, clause),
            ENTITY_ID => return self.column(self.fields.entity_id, clause),
            _ => {}
        }
        let paths = self.paths(&clause.path)?;
        let mut ways: Vec<Box<dyn Query>> = Vec::new();
        let mut bound: f32 = 0.0;
        for path in &paths {
            let (query, max) = self.at_path(path, &clause.value)?;
            bound = bound.max(max);
            ways.push(query);
        }
        // `user:42` may be an identifier although there is a field `user`; without such a field it is text.
        let is_whole = |token: &&Token| paths.is_empty() || (!token.finest && token.place == 0);
        let as_text: Vec<Token> = clause.as_text.tokens.iter().filter(is_whole).cloned().collect();
        let as_text =
            if paths.is_empty() { as_text.as_slice() } else { as_text.get(..1).unwrap_or_default() };
        if !as_text.is_empty() {
            let (query, max) = self.text(as_text, true)?;
            bound = bound.max(max);
            ways.push(query);
        }
        Ok(match ways.len() {
            0 => (Box::new(EmptyQuery), 0.0),
            1 => (ways.swap_remove(0), bound),
            _ => (Box::new(DisjunctionMaxQuery::new(ways)), bound),
        })
    }

    fn at_path(&self, path: &str, value: &FieldValue) -> Result<Part> {
        match value {
            FieldValue::Any => {
                let term = Term::from_field_text(self.fields.fields, &ending_so(path));
                let query = TermQuery::new(term, IndexRecordOption::Basic);
                Ok((Box::new(ConstScoreQuery::new(Box::new(query), PREFIX_SCORE)), PREFIX_SCORE))
            }
            FieldValue::Prefix(prefix) => self.prefix_at(path, prefix),
            FieldValue::Text(text) => self.tokens_at(path, &text.tokens),
            FieldValue::Phrase(tokens) if tokens.len() < 2 => self.tokens_at(path, tokens),
            FieldValue::Phrase(tokens) => {
                // Places are not kept by path: the words must be there, and stand in a row somewhere in the event.
                let (there, _) = self.tokens_at(path, tokens)?;
                let (in_a_row, bound) = self.phrase(tokens)?;
                let there: Box<dyn Query> = Box::new(ConstScoreQuery::new(there, 0.0));
                Ok((union(vec![(Occur::Must, there), (Occur::Must, in_a_row)]), bound))
            }
        }
    }

    fn tokens_at(&self, path: &str, tokens: &[Token]) -> Result<Part> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        let mut bound = 0.0;
        for token in tokens.iter().filter(|token| token.finest) {
            let term = self.term_at(path, &token.term);
            bound += self.max_score(std::slice::from_ref(&term))?;
            clauses.push((Occur::Must, Box::new(TermQuery::new(term, IndexRecordOption::Basic))));
        }
        Ok((union(clauses), bound))
    }

    /// The paths that a query's path means: itself when it is whole, else all that end so.
    pub(super) fn paths(&self, path: &str) -> Result<Vec<String>> {
        if matches!(path, EVENT_TYPE | ENTITY_ID) {
            return Ok(vec![path.to_owned()]);
        }
        let is_whole = path == EVENT_ID || path.starts_with("payload.") || path.starts_with("metadata.");
        let beginning = ending_so(path);
        if beginning.is_empty() {
            return Ok(Vec::new());
        }
        if is_whole {
            let term = Term::from_field_text(self.fields.fields, &beginning);
            let events = self.corpus.doc_freq(&term).map_err(search_failed)?;
            return Ok(if events > 0 { vec![path.to_owned()] } else { Vec::new() });
        }
        let terms = self.terms_beginning(self.fields.fields, &beginning, FIELD_PATHS_MAX)?.ok_or_else(|| {
            let message = format!(
                "search in field {}: more than {FIELD_PATHS_MAX} paths end so; write the whole path, from payload on",
                quote(path)
            );
            Error::invalid("bad_keywords", message)
        })?;
        Ok(terms.iter().filter_map(|term| path_of(term)).collect())
    }

    /// The terms that begin so, in order; `None` when there are more than `most`.
    fn terms_beginning(&self, field: Field, beginning: &str, most: usize) -> Result<Option<Vec<String>>> {
        let mut terms = std::collections::BTreeSet::new();
        for segment in self.corpus.segments() {
            let index = segment.inverted_index(field).map_err(search_failed)?;
            each_beginning(&index, beginning.as_bytes(), &mut |term, _| {
                terms.insert(String::from_utf8_lossy(term).into_owned());
                Ok(terms.len() <= most)
            })
            .map_err(search_failed)?;
            if terms.len() > most {
                return Ok(None);
            }
        }
        Ok(Some(terms.into_iter().collect()))
    }

    fn term_at(&self, path: &str, token: &str) -> Term {
        Term::from_field_text(self.fields.fields, &term_at(path, token))
    }

    fn body_term(&self, term: &str) -> Term {
        Term::from_field_text(self.fields.body, term)
    }

    /// The most that these terms can add to a score: nothing when no event has one of them. (To BM25 a word that stands nowhere
    /// is the rarest of all; a misspelt one would halve what the others count.)
    fn max_score(&self, terms: &[Term]) -> Result<f32> {
        for term in terms {
            if self.corpus.doc_freq(term).map_err(search_failed)? == 0 {
                return Ok(0.0);
            }
        }
        let weight = Bm25Weight::for_terms(self.corpus, terms).map_err(search_failed)?;
        Ok(weight.max_score())
    }
}

/// Whether a name has all of these parts.
fn holds_all(name: &Text, tokens: &[Token]) -> bool {
    let mut parts = tokens.iter().filter(|token| token.finest).peekable();
    parts.peek().is_some() && parts.all(|part| name.tokens.iter().any(|token| token.term == part.term))
}

fn any_of(terms: Vec<Term>) -> Part {
    if terms.is_empty() {
        return (Box::new(EmptyQuery), 0.0);
    }
    (Box::new(ConstScoreQuery::new(Box::new(TermSetQuery::new(terms)), PREFIX_SCORE)), PREFIX_SCORE)
}

fn union(mut clauses: Vec<(Occur, Box<dyn Query>)>) -> Box<dyn Query> {
    if let [(Occur::Must | Occur::Should, _)] = clauses.as_slice()
        && let Some((_, only)) = clauses.pop()
    {
        return only;
    }
    Box::new(BooleanQuery::new(clauses))
}

/// The error of a failed search.
pub(super) fn search_failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    failed("search the keyword index", error)
}
