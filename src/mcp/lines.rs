//! *Where does a message end?* At a newline, at most [`LINE_BYTES_MAX`] bytes on.
//!
//! **Invariant:** memory for a line is bounded before its bytes are kept, not after.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The longest line a client may send: 40 MiB, a batch of 32 MiB with room for JSON's escapes.
pub(crate) const LINE_BYTES_MAX: usize = 40 << 20;
/// How much of a line beyond the limit is given: 64 KiB, in which its id should be.
const BEGINNING_BYTES: usize = 64 << 10;
/// How much is asked of the pipe at a time: 64 KiB, what a pipe holds.
const READ_BYTES: usize = 64 << 10;

/// What the next stretch of input is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its newline.
    Whole(Vec<u8>),
    /// A line beyond the limit, as its first 64 KiB; its rest is skipped.
    TooLong(Vec<u8>),
    /// Nothing more comes. Bytes after the last newline are no message.
    End,
}

/// Cuts a stream into lines.
pub(crate) struct LineReader<R> {
    input: BufReader<R>,
    bytes_max: usize,
    partial: Vec<u8>,
    skipping: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(crate) fn new(input: R, bytes_max: usize) -> Self {
        let input = BufReader::with_capacity(READ_BYTES, input);
        Self { input, bytes_max, partial: Vec::new(), skipping: false }
    }

    /// The next line; safe to drop at its await, because what was read is kept before anything else is awaited.
    pub(crate) async fn next(&mut self) -> io::Result<Line> {
        loop {
            let available = self.input.fill_buf().await?;
            if available.is_empty() {
                return Ok(Line::End);
            }
            let newline = available.iter().position(|byte| *byte == b'\n');
            let kept = available.get(..newline.unwrap_or(available.len())).unwrap_or_default();
            let too_long = self.partial.len() + kept.len() > self.bytes_max;
            if !self.skipping && !too_long {
                self.partial.extend_from_slice(kept);
            }
            let begins = too_long.then(|| beginning(&std::mem::take(&mut self.partial), kept));
            let used = kept.len() + usize::from(newline.is_some());
            self.input.consume(used);
            if let Some(begins) = begins {
                self.skipping = newline.is_none();
                return Ok(Line::TooLong(begins));
            }
            if newline.is_some() && !std::mem::take(&mut self.skipping) {
                return Ok(Line::Whole(std::mem::take(&mut self.partial)));
            }
        }
    }
}

/// The first bytes of a line that came as `before` and `after`.
fn beginning(before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut begins = before.get(..BEGINNING_BYTES).unwrap_or(before).to_vec();
    let left = BEGINNING_BYTES.saturating_sub(begins.len());
    begins.extend_from_slice(after.get(..left).unwrap_or(after));
    begins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], bytes_max: usize, expected: &[Line]) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut reader = LineReader::new(input, bytes_max);
            for line in expected {
                assert_eq!(&reader.next().await.expect("memory does not fail"), line);
            }
            assert_eq!(reader.next().await.expect("memory does not fail"), Line::End);
        });
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    fn too_long(begins: &str) -> Line {
        Line::TooLong(begins.as_bytes().to_vec())
    }

    #[test]
    fn lines_end_at_newlines_and_a_rest_without_one_is_no_line() {
        check(b"one\n\ntwo\nrest", 10, &[whole("one"), whole(""), whole("two")]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_reported_once_and_the_next_one_is_read() {
        check(b"12345\n123456\nnext\n", 5, &[whole("12345"), too_long("123456"), whole("next")]);
        let mut long = vec![b'x'; 3 * READ_BYTES];
        long.extend_from_slice(b"\nnext\n");
        check(&long, READ_BYTES + 1, &[too_long(&"x".repeat(BEGINNING_BYTES)), whole("next")]);
    }
}
