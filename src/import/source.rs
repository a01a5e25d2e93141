//! Opening what is to be imported: a path or stdin, plain, gzip or zstd by its first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorKind, Result};

const BUFFER_BYTES: usize = 256 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// An opened input: its text, and how much of the file itself was read.
pub(crate) struct Source {
    /// The text, unpacked.
    pub(crate) text: Box<dyn BufRead + Send>,
    /// Bytes of the file that were read so far.
    pub(crate) read: Arc<AtomicU64>,
    /// The file's size in bytes; `None` for a pipe.
    pub(crate) size: Option<u64>,
}

impl Source {
    /// Opens `path`, or stdin for `-`.
    pub(crate) fn open(path: &str) -> Result<Self> {
        if path == "-" {
            return Self::unpack(io::stdin(), None).map_err(|error| unreadable("standard input", error));
        }
        let open = || {
            let file = File::open(Path::new(path))?;
            let status = file.metadata()?;
            if status.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            let size = status.is_file().then_some(status.len());
            Self::unpack(file, size)
        };
        open().map_err(|error| unreadable(path, error))
    }

    fn unpack(input: impl Read + Send + 'static, size: Option<u64>) -> io::Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let mut input = BufReader::with_capacity(BUFFER_BYTES, Counted { input, read: Arc::clone(&read) });
        let start = first_bytes(&mut input)?;
        let (is_gzip, is_zstd) = (start.starts_with(&GZIP_MAGIC), start.starts_with(&ZSTD_MAGIC));
        let input = io::Cursor::new(start).chain(input);
        let text: Box<dyn BufRead + Send> = if is_gzip {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(input)))
        } else if is_zstd {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, zstd::stream::read::Decoder::with_buffer(input)?))
        } else {
            Box::new(input)
        };
        Ok(Self { text: without_mark(text)?, read, size })
    }
}

/// Makes sure that `path` is there, without reading any of it; a pipe could not be read again.
pub(crate) fn look_for(path: &str) -> Result<()> {
    if path == "-" {
        return Ok(());
    }
    Path::new(path).metadata().map(drop).map_err(|error| unreadable(path, error))
}

fn unreadable(what: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, "unreadable_file", format!("read {what}")).caused_by(error)
}

/// Up to four bytes, without losing what a slow pipe gives one at a time.
fn first_bytes(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(4);
    input.take(4).read_to_end(&mut start)?;
    Ok(start)
}

/// Skips a UTF-8 byte order mark, which spreadsheets put in front of CSV.
fn without_mark(mut text: Box<dyn BufRead + Send>) -> io::Result<Box<dyn BufRead + Send>> {
    let mut start = Vec::with_capacity(3);
    (&mut text).take(3).read_to_end(&mut start)?;
    if start == [0xef, 0xbb, 0xbf] {
        return Ok(text);
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, io::Cursor::new(start).chain(text))))
}

struct Counted<R> {
    input: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.input.read(buffer)?;
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[track_caller]
    fn check(bytes: Vec<u8>, expected: &str) {
        let mut text = String::new();
        let mut source = Source::unpack(io::Cursor::new(bytes), None).expect("a source");
        source.text.read_to_string(&mut text).expect("text");
        assert_eq!(text, expected);
    }

    #[test]
    fn packing_is_told_by_the_first_bytes() {
        let text = "{\"a\":1}\n{\"a\":2}\n";
        let gzip = |text: &str| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(text.as_bytes()).expect("packed");
            packed.finish().expect("packed")
        };
        check(text.into(), text);
        check(gzip(text), text);
        check([gzip("one\n"), gzip("two\n")].concat(), "one\ntwo\n");
        check(zstd::encode_all(text.as_bytes(), 1).expect("packed"), text);
    }

    #[test]
    fn short_and_marked_inputs_are_read_whole() {
        check(Vec::new(), "");
        check(b"a".to_vec(), "a");
        check(b"\xef\xbb\xbfid,x\n".to_vec(), "id,x\n");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = Source::open("/no/such/file").err().expect("an error");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with("read /no/such/file: "), "{error}");
    }
}
