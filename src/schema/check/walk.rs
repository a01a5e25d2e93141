//! One walk over the text of a payload: does it fit the plan, for certain?
//!
//! **Invariant:** what stands here as text is JSON, proved when it was taken; still, anything unexpected is "not certain".

use std::borrow::Cow;

use super::plan::{
    ARRAY, ArrayRule, BOOLEAN, INTEGER, NULL, NUMBER, NumberRule, OBJECT, ObjectRule, Others, Plan,
};
use super::plan::{STRING, Scalar, TextCheck, TextRule};
use super::text::{is_date, is_date_time, is_uuid};

/// Digits that a float holds exactly: 15.
const EXACT_DIGITS: usize = 15;

/// Whether a document fits a plan for certain.
pub(super) fn fits(json: &str, plan: &Plan) -> bool {
    let mut walk = Walk { text: json, at: 0 };
    walk.value(plan).is_some() && walk.peek().is_none()
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
}

/// A string as it is written, without its quotes.
#[derive(Clone, Copy)]
struct Raw<'a> {
    text: &'a str,
    is_escaped: bool,
}

/// `Some` says that it fits; `None` that it is not certain.
type Fits<T = ()> = Option<T>;

impl<'a> Walk<'a> {
    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Fits {
        let is_next = self.peek()? == byte;
        self.at += usize::from(is_next);
        is_next.then_some(())
    }

    fn value(&mut self, plan: &Plan) -> Fits {
        let first = self.peek()?;
        let start = self.at;
        for alternatives in &plan.any {
            alternatives.iter().find_map(|one| {
                self.at = start;
                self.value(one)
            })?;
        }
        for one in &plan.all {
            self.at = start;
            self.value(one)?;
        }
        self.at = start;
        let takes = |types: u8| (plan.types & types != 0).then_some(());
        // Of other types than these no values are known.
        let is_scalar = matches!(first, b'"' | b't' | b'f' | b'n');
        if plan.values.is_some() && !is_scalar {
            return None;
        }
        match first {
            b'"' => {
                takes(STRING)?;
                let raw = self.string()?;
                text(raw, plan)
            }
            b'{' => {
                takes(OBJECT)?;
                match &plan.object {
                    Some(rule) => self.object(rule),
                    None => self.skip(),
                }
            }
            b'[' => {
                takes(ARRAY)?;
                match &plan.array {
                    Some(rule) => self.array(rule),
                    None => self.skip(),
                }
            }
            b't' => self
                .word("true")
                .and_then(|()| takes(BOOLEAN))
                .and_then(|()| is_among(&Scalar::Bool(true), plan)),
            b'f' => self
                .word("false")
                .and_then(|()| takes(BOOLEAN))
                .and_then(|()| is_among(&Scalar::Bool(false), plan)),
            b'n' => self.word("null").and_then(|()| takes(NULL)).and_then(|()| is_among(&Scalar::Null, plan)),
            _ => {
                let digits = self.number()?;
                number(digits, plan)
            }
        }
    }

    fn word(&mut self, word: &str) -> Fits {
        let is_there = self.text.get(self.at..)?.starts_with(word);
        self.at += word.len();
        is_there.then_some(())
    }

    fn number(&mut self) -> Fits<&'a str> {
        let rest = self.text.get(self.at..)?;
        let len = rest
            .bytes()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        self.at += len;
        rest.get(..len).filter(|digits| !digits.is_empty())
    }

    fn string(&mut self) -> Fits<Raw<'a>> {
        self.take(b'"')?;
        let start = self.at;
        let mut is_escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let len = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            self.at += len;
            if rest.get(len) == Some(&b'"') {
                break;
            }
            is_escaped = true;
            self.at += 2;
        }
        let text = self.text.get(start..self.at)?;
        self.at += 1;
        Some(Raw { text, is_escaped })
    }

    fn object(&mut self, rule: &ObjectRule) -> Fits {
        self.take(b'{')?;
        let (mut seen, mut count, mut from) = (0, 0_u64, 0);
        if self.take(b'}').is_none() {
            loop {
                let name = self.string().filter(|name| !name.is_escaped)?;
                self.take(b':')?;
                let member = rule.find(name.text, &mut from);
                seen |= member.map_or(0, |member| member.bit);
                match (member.and_then(|member| member.plan.as_ref()), &rule.others) {
                    (Some(plan), _) => self.value(plan)?,
                    (None, Others::Planned(plan)) => self.value(plan)?,
                    (None, Others::Free) => self.skip()?,
                    (None, Others::Refused) => return None,
                }
                count += 1;
                if self.take(b',').is_none() {
                    break;
                }
            }
            self.take(b'}')?;
        }
        // A name that stands twice counts twice: that is too many for certain only to the validator.
        (seen == rule.required && rule.members_max.is_none_or(|most| count <= most)).then_some(())
    }

    fn array(&mut self, rule: &ArrayRule) -> Fits {
        self.take(b'[')?;
        let mut count = 0_u64;
        if self.take(b']').is_none() {
            loop {
                match &rule.item {
                    Some(plan) => self.value(plan)?,
                    None => self.skip()?,
                }
                count += 1;
                if self.take(b',').is_none() {
                    break;
                }
            }
            self.take(b']')?;
        }
        let is_enough = rule.items_min.is_none_or(|least| count >= least);
        (is_enough && rule.items_max.is_none_or(|most| count <= most)).then_some(())
    }

    /// Passes over a value, however deep.
    fn skip(&mut self) -> Fits {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    let rest = self.text.as_bytes().get(self.at..)?;
                    let len = rest
                        .iter()
                        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                        .count();
                    if len == 0 {
                        return None;
                    }
                    self.at += len;
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

fn is_among(value: &Scalar, plan: &Plan) -> Fits {
    plan.values.as_ref().is_none_or(|values| values.contains(value)).then_some(())
}

fn text(raw: Raw<'_>, plan: &Plan) -> Fits {
    if plan.values.is_none() && plan.text.is_none() {
        return Some(());
    }
    let text: Cow<'_, str> = if raw.is_escaped {
        Cow::Owned(serde_json::from_str(&format!("\"{}\"", raw.text)).ok()?)
    } else {
        Cow::Borrowed(raw.text)
    };
    if let Some(values) = &plan.values {
        values.iter().any(|value| matches!(value, Scalar::Text(known) if *known == text)).then_some(())?;
    }
    plan.text.as_ref().is_none_or(|rule| text_fits(&text, rule)).then_some(())
}

fn text_fits(text: &str, rule: &TextRule) -> bool {
    if rule.chars_min.is_some() || rule.chars_max.is_some() {
        let chars = text.chars().count() as u64;
        if rule.chars_min.is_some_and(|least| chars < least)
            || rule.chars_max.is_some_and(|most| chars > most)
        {
            return false;
        }
    }
    rule.checks.iter().all(|check| match check {
        TextCheck::Date => is_date(text),
        TextCheck::DateTime => is_date_time(text),
        TextCheck::Uuid => is_uuid(text),
        TextCheck::Other(validator) => validator.is_valid(&serde_json::Value::from(text)),
    })
}

fn number(digits: &str, plan: &Plan) -> Fits {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let is_short = digits.len() <= EXACT_DIGITS;
    // What is written with a point may be whole all the same.
    let is_typed = plan.types & NUMBER != 0 || (plan.types & INTEGER != 0 && is_plain && is_short);
    is_typed.then_some(())?;
    let Some(rule) = &plan.number else { return Some(()) };
    (is_short && number_fits(digits, is_plain, rule)).then_some(())
}

fn number_fits(digits: &str, is_plain: bool, rule: &NumberRule) -> bool {
    let Ok(value) = digits.parse::<f64>() else { return false };
    // Equal floats are equal numbers only where both are whole and short.
    #[expect(clippy::float_cmp, reason = "both are whole and exact")]
    let is_limit = |limit: f64| is_plain && limit.fract() == 0.0 && value == limit;
    rule.least.is_none_or(|least| value > least || is_limit(least))
        && rule.most.is_none_or(|most| value < most || is_limit(most))
        && rule.above.is_none_or(|above| value > above)
        && rule.below.is_none_or(|below| value < below)
        && rule.multiple_of.is_none_or(|multiple| {
            is_plain && digits.parse::<i64>().is_ok_and(|whole| whole.unsigned_abs() % multiple == 0)
        })
}
