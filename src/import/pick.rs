//! Where in a row a value is found: a JSON pointer, a column or a constant.

use std::borrow::Cow;
use std::fmt;

use super::members::{Member, kind_of, take_apart};

/// The places of one value, in order; the first that holds something wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pick(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The path of member names and array indexes that leads there.
    Path(Vec<String>),
    /// The same text for every row.
    Constant(String),
}

impl Pick {
    /// Reads `/repo`, `/a/b`, `column`, `=constant`, or several with commas between; an empty text maps nothing. An empty
    /// last place, as in `/repo,`, finds nothing either: it says that rows may lack the value.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        if let Some(constant) = text.strip_prefix('=') {
            return Some(Self(vec![Place::Constant(constant.to_owned())]));
        }
        Some(Self(
            text.split(',').map(str::trim).filter(|place| !place.is_empty()).map(Place::parse).collect(),
        ))
    }

    /// One member of the row's top level.
    pub(super) fn member(name: &str) -> Self {
        Self(vec![Place::Path(vec![name.to_owned()])])
    }

    /// The first text, number or boolean that is there; null and the empty text count as absent. The paths that were
    /// met on the way, with a value or with none, come into `met`.
    pub(super) fn find<'p>(
        &'p self,
        row: &[Member<'_>],
        met: &mut Vec<&'p [String]>,
    ) -> Result<Option<String>, String> {
        for place in &self.0 {
            match place {
                Place::Constant(text) => return Ok(Some(text.clone())),
                Place::Path(path) => {
                    if let Some(found) = scalar(path, row)? {
                        met.push(path);
                        if !found.is_empty() {
                            return Ok(Some(found));
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether the row has one of the places, whatever stands there.
    pub(super) fn is_in(&self, row: &[Member<'_>]) -> bool {
        self.0.iter().any(|place| match place {
            Place::Constant(_) => true,
            Place::Path(path) => !matches!(scalar(path, row), Ok(None)),
        })
    }
}

impl Place {
    fn parse(text: &str) -> Self {
        if let Some(constant) = text.strip_prefix('=') {
            return Self::Constant(constant.to_owned());
        }
        match text.strip_prefix('/') {
            Some(pointer) => Self::Path(
                pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect(),
            ),
            None => Self::Path(vec![text.to_owned()]),
        }
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, place) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match place {
                Place::Constant(text) => write!(f, "={text}")?,
                Place::Path(path) => {
                    for part in path {
                        write!(f, "/{}", part.replace('~', "~0").replace('/', "~1"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The value at `path` as text, empty for null; `None` when there is no such path.
fn scalar(path: &[String], row: &[Member<'_>]) -> Result<Option<String>, String> {
    let Some((first, rest)) = path.split_first() else { return Ok(None) };
    let Some(member) = row.iter().find(|member| member.name == first.as_str()) else { return Ok(None) };
    let raw =
        if rest.is_empty() { Some(Cow::Borrowed(member.raw.as_ref())) } else { descend(&member.raw, rest) };
    let Some(raw) = raw else { return Ok(None) };
    match raw.trim().as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(&raw).map_err(|error| format!("is not JSON: {error}"))?;
            Ok(Some(text))
        }
        Some(b'n') | None => Ok(Some(String::new())),
        Some(b'{' | b'[') => {
            let pointer: String = path.iter().flat_map(|part| ["/", part]).collect();
            Err(format!("has {} at {pointer}; map a text, a number or a boolean", kind_of(&raw)))
        }
        Some(_) => Ok(Some(raw.trim().to_owned())),
    }
}

fn descend<'a>(raw: &'a str, path: &[String]) -> Option<Cow<'a, str>> {
    let (first, rest) = path.split_first()?;
    let inner: Cow<'a, str> = match raw.trim_start().as_bytes().first() {
        Some(b'{') => take_apart(raw).ok()?.into_iter().find(|member| member.name == first.as_str())?.raw,
        Some(b'[') => {
            let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(raw).ok()?;
            Cow::Borrowed(items.get(first.parse::<usize>().ok()?)?.get())
        }
        _ => return None,
    };
    if rest.is_empty() {
        return Some(inner);
    }
    match inner {
        Cow::Borrowed(inner) => descend(inner, rest),
        Cow::Owned(inner) => descend(&inner, rest).map(|found| Cow::Owned(found.into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str =
        r#"{"repo":"a/b","n":12,"empty":"","null":null,"deep":{"x":[{"y":"é"}]},"a/b":true,"é\n":1}"#;

    #[track_caller]
    fn check(pick: &str, expected: Result<Option<&str>, &str>) {
        let row = take_apart(ROW).expect("an object");
        let pick = Pick::parse(pick).expect("a pick");
        let found = pick.find(&row, &mut Vec::new());
        assert_eq!(found.as_ref().map(Option::as_deref).map_err(String::as_str), expected);
    }

    #[test]
    fn a_value_is_found_by_pointer_column_or_constant() {
        check("/repo", Ok(Some("a/b")));
        check("repo", Ok(Some("a/b")));
        check("/n", Ok(Some("12")));
        check("/deep/x/0/y", Ok(Some("é")));
        check("/a~1b", Ok(Some("true")));
        check("=fixed, text", Ok(Some("fixed, text")));
        check("/absent", Ok(None));
    }

    #[test]
    fn the_first_place_that_holds_something_wins() {
        check("/absent,/null,/empty,/n,/repo", Ok(Some("12")));
        check("/absent,=unknown", Ok(Some("unknown")));
        check("/absent,", Ok(None));
    }

    #[test]
    fn a_place_is_there_whatever_it_holds() {
        let row = take_apart(ROW).expect("an object");
        for (pick, expected) in
            [("/null", true), ("/deep", true), ("/absent", false), ("/absent,/n", true), ("=x", true)]
        {
            assert_eq!(Pick::parse(pick).expect("a pick").is_in(&row), expected, "{pick}");
        }
    }

    #[test]
    fn an_object_is_no_name() {
        check("/deep", Err("has an object at /deep; map a text, a number or a boolean"));
    }

    #[test]
    fn a_pick_is_written_as_it_is_read() {
        for text in ["/repo", "/a~1b/c~0", "/a,/b,=c", "=x,y"] {
            assert_eq!(Pick::parse(text).expect("a pick").to_string(), text);
        }
        assert_eq!(Pick::parse(""), None);
    }
}
