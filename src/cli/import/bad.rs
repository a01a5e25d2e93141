//! What is said of bad lines: the first ones whole, then how many there are of each kind.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::event::counted;
use crate::import::BadLine;

/// Bad lines that are named one by one: 20.
const NAMED_MAX: u64 = 20;
/// Kinds of reasons that are told apart: 20; lines beyond them are counted together.
const KINDS_MAX: usize = 20;
const OTHER: &str = "other reasons";

/// The bad lines of one run.
#[derive(Debug, Default)]
pub(super) struct BadLines {
    named: u64,
    counts: BTreeMap<String, u64>,
}

impl BadLines {
    /// Names bad lines, or counts them when enough are named.
    pub(super) fn report(&mut self, name: &str, bad: &[BadLine], err: &mut dyn Write) -> io::Result<()> {
        for BadLine { line, reason } in bad {
            if self.named < NAMED_MAX {
                self.named += 1;
                match line {
                    0 => writeln!(err, "{name}: a change {reason}")?,
                    _ => writeln!(err, "{name}:{line}: {reason}")?,
                }
                continue;
            }
            let kind = kind(reason);
            let is_known = self.counts.len() < KINDS_MAX || self.counts.contains_key(&kind);
            *self.counts.entry(if is_known { kind } else { OTHER.to_owned() }).or_default() += 1;
        }
        Ok(())
    }

    /// Says how many were not named, by reason.
    pub(super) fn sum_up(&self, err: &mut dyn Write) -> io::Result<()> {
        if self.counts.is_empty() {
            return Ok(());
        }
        writeln!(err, "and {}:", counted(self.counts.values().sum(), "more bad line"))?;
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (kind, count) in counts {
            writeln!(err, "  {}: {kind}", counted(*count, "line"))?;
        }
        Ok(())
    }
}

/// A reason without what differs from line to line: what is quoted, and numbers.
fn kind(reason: &str) -> String {
    let mut kind = String::with_capacity(reason.len());
    let mut is_quoted = false;
    let mut before = ' ';
    for c in reason.chars() {
        match c {
            '"' if before != '\\' => {
                is_quoted = !is_quoted;
                kind.push_str(if is_quoted { "\"…" } else { "\"" });
            }
            _ if is_quoted => {}
            _ if c.is_ascii_digit() => {
                if !before.is_ascii_digit() {
                    kind.push('N');
                }
            }
            _ => kind.push(c),
        }
        before = c;
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_named_and_the_rest_counted_by_reason() {
        let bad: Vec<_> = (1..=100)
            .map(|line| {
                let reason = if line % 10 == 0 {
                    format!("is not JSON at column {line}")
                } else {
                    format!("has the timestamp \"a \\\"{line}\", which is no time")
                };
                BadLine { line, reason }
            })
            .collect();
        let (mut lines, mut err) = (BadLines::default(), Vec::new());
        lines.report("x", &bad, &mut err).expect("written");
        lines.sum_up(&mut err).expect("written");
        let text = String::from_utf8(err).expect("text");
        let said: Vec<_> = text.lines().skip(19).collect();
        assert_eq!(
            said,
            [
                "x:20: is not JSON at column 20",
                "and 80 more bad lines:",
                "  72 lines: has the timestamp \"…\", which is no time",
                "  8 lines: is not JSON at column N",
            ]
        );
    }

    #[test]
    fn few_bad_lines_are_not_counted_again() {
        let (mut lines, mut err) = (BadLines::default(), Vec::new());
        lines.report("x", &[BadLine { line: 3, reason: "is bad".to_owned() }], &mut err).expect("written");
        lines.sum_up(&mut err).expect("written");
        assert_eq!(err, b"x:3: is bad\n");
    }

    #[test]
    fn kinds_beyond_the_limit_are_counted_together() {
        let reason = |n: u32| format!("is {}", char::from_u32(0x4e00 + n).expect("a letter"));
        let bad: Vec<_> = (0..60).map(|n| BadLine { line: u64::from(n) + 1, reason: reason(n) }).collect();
        let (mut lines, mut err) = (BadLines::default(), Vec::new());
        lines.report("x", &bad, &mut err).expect("written");
        lines.sum_up(&mut err).expect("written");
        let text = String::from_utf8(err).expect("text");
        assert!(text.contains("and 40 more bad lines:\n  20 lines: other reasons\n"), "{text}");
    }
}
