//! The rules themselves: text in, findings out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The longest function, in lines from its `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// The longest file, in lines before its unit tests.
const FILE_LINES_MAX: usize = 400;
/// Names that say nothing about what is inside.
const VAGUE_NAMES: [&str; 4] = ["utils", "misc", "common", "helpers"];
/// Crates so large that a second major version would be felt in every build.
const HEAVY_CRATES: [&str; 8] =
    ["clap", "interprocess", "rmcp", "rustix", "serde", "serde_json", "tokio", "zstd"];

/// The lines before the unit tests.
fn production(source: &str) -> impl Iterator<Item = &str> {
    source.lines().take_while(|line| line.trim() != "#[cfg(test)]")
}

/// The source without its comments, so that a link in a doc is no import.
fn without_comments(source: &str) -> String {
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The modules that a source names behind `crate::`, grouped imports included.
fn imported_modules(source: &str) -> BTreeSet<String> {
    let code = without_comments(source);
    let mut names = BTreeSet::new();
    for (at, marker) in code.match_indices("crate::") {
        let rest = &code[at + marker.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(identifier(rest).to_owned());
            continue;
        };
        let mut depth = 0_u32;
        let mut top_level = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                c if depth == 0 => top_level.push(c),
                _ => {}
            }
        }
        names.extend(top_level.split(',').map(|item| identifier(item.trim()).to_owned()));
    }
    names
}

/// Names each import of a module that stands below the importing one in `order`.
pub fn upward_imports(module: &str, source: &str, order: &[String]) -> Vec<String> {
    let rank = |name: &str| order.iter().position(|other| other == name);
    let own = rank(module).unwrap_or(usize::MAX);
    imported_modules(source)
        .iter()
        .filter(|name| rank(name).is_some_and(|other| other > own))
        .map(|name| format!("{module} imports {name}, which stands below it in src/lib.rs"))
        .collect()
}

/// The modules that a source declares in files of their own.
pub fn declared_modules(source: &str) -> Vec<String> {
    source
        .lines()
        .filter_map(|line| {
            let words = line.trim().strip_suffix(';')?;
            let name = words.rsplit_once("mod ")?;
            let visibility = name.0.trim();
            (visibility.is_empty() || visibility.starts_with("pub")).then(|| name.1.to_owned())
        })
        .collect()
}

/// Names each function that is longer than [`FUNCTION_LINES_MAX`]; relies on the layout that rustfmt gives.
pub fn long_functions(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let closing = format!("{indent}}}");
        let ends = |line: &&str| {
            *line == closing
                || (line.starts_with(indent)
                    && !line[indent.len()..].starts_with(char::is_whitespace)
                    && (line.ends_with(';') || line.ends_with("{}") || line.ends_with(" }")))
        };
        let length = lines[start..].iter().position(ends).map_or(1, |end| end + 1);
        if length > FUNCTION_LINES_MAX {
            found.push(format!("line {}: {name} has {length} lines", start + 1));
        }
    }
    found
}

/// The name of the function that begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let qualifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern", "\"C\""];
    let declares = before.split_whitespace().all(|word| qualifiers.contains(&word));
    (declares && !identifier(after).is_empty()).then(|| identifier(after))
}

/// Says how long a file is when it is longer than [`FILE_LINES_MAX`].
pub fn long_file(source: &str) -> Option<String> {
    let lines = production(source).count();
    (lines > FILE_LINES_MAX).then(|| format!("has {lines} lines before its tests"))
}

/// Names the part of a path that says nothing, or says the same thing twice.
pub fn vague_name(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let folder = path.parent()?.file_name()?.to_str()?;
    if VAGUE_NAMES.contains(&stem) || VAGUE_NAMES.contains(&folder) {
        return Some(format!("is named after nothing in particular ({})", VAGUE_NAMES.join(", ")));
    }
    (stem == folder && folder != "tests").then(|| "repeats the name of its folder".to_owned())
}

/// Names each note to oneself that was left behind.
pub fn left_behind(source: &str) -> Vec<String> {
    let marks = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("];
    source
        .lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let mark = marks.iter().find(|mark| line.contains(**mark))?;
            Some(format!("line {}: {mark}", at + 1))
        })
        .collect()
}

/// The targets of the links in a Markdown text, code left out.
fn links(markdown: &str) -> Vec<String> {
    let mut in_fence = false;
    let mut found = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        found.extend(targets.map(|(target, _)| target.to_owned()));
    }
    found
}

/// Names each link to a file that is not there; `exists` answers for a path relative to the text.
pub fn dead_links(markdown: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    links(markdown)
        .into_iter()
        .filter(|link| !link.contains(':') && !link.starts_with('#'))
        .filter(|link| !exists(link.split('#').next().unwrap_or(link)))
        .map(|link| format!("links to {link}, which is not there"))
        .collect()
}

/// Names each tool without a snapshot among these files.
pub fn tools_without_snapshot(tools: &[&str], snapshots: &[String]) -> Vec<String> {
    let covers =
        |file: &str, tool: &str| file == format!("{tool}.snap") || file.ends_with(&format!("__{tool}.snap"));
    tools
        .iter()
        .filter(|tool| !snapshots.iter().any(|file| covers(file, tool)))
        .map(|tool| format!("tool {tool} has no file under tests/snapshots"))
        .collect()
}

/// Names each heavy crate that a lock file holds in two major versions.
pub fn doubled_crates(lock: &str) -> Vec<String> {
    let mut majors: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field =
            |key: &str| package.lines().find_map(|line| line.strip_prefix(key)?.trim_matches('"').into());
        let (Some(name), Some(version)) = (field("name = "), field("version = ")) else { continue };
        majors.entry(name).or_default().insert(version.split('.').next().unwrap_or(version));
    }
    majors
        .iter()
        .filter(|(name, majors)| HEAVY_CRATES.contains(name) && majors.len() > 1)
        .map(|(name, _)| format!("{name} is built in two major versions"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn none(findings: impl IntoIterator<Item = String>) {
        assert_eq!(findings.into_iter().collect::<Vec<_>>(), Vec::<String>::new());
    }

    /// Proves that a rule bites: the finding must hold `part`.
    #[track_caller]
    fn bites(findings: impl IntoIterator<Item = String>, part: &str) {
        let findings: Vec<String> = findings.into_iter().collect();
        assert!(findings.iter().any(|finding| finding.contains(part)), "no {part:?} in {findings:?}");
    }

    #[test]
    fn an_upward_import_is_found() {
        let order = ["error", "event", "store"].map(str::to_owned);
        bites(upward_imports("event", "use crate::store::Store;", &order), "event imports store");
        bites(upward_imports("error", "fn f() -> crate::event::Event {}", &order), "error imports event");
        bites(
            upward_imports("event", "use crate::{\n    error::{self, Error},\n    store,\n};", &order),
            "store",
        );
        none(upward_imports("store", "use crate::{error::Error, event, Result};\nuse super::log;", &order));
        none(upward_imports("event", "/// See [`Store`](crate::store::Store).", &order));
    }

    #[test]
    fn a_long_function_is_found() {
        let body = "    step();\n".repeat(FUNCTION_LINES_MAX);
        let deep = "        step();\n".repeat(FUNCTION_LINES_MAX);
        bites(
            long_functions(&format!("pub(crate) async fn work() {{\n{body}}}\n")),
            "line 1: work has 72 lines",
        );
        bites(
            long_functions(&format!("impl T {{\n    fn work(\n        a: u8,\n    ) {{\n{deep}    }}\n}}\n")),
            "line 2: work",
        );
        none(long_functions(&format!("fn short() {{}}\nfn one() -> u8 {{ 1 }}\nmod tests {{\n{body}}}\n")));
    }

    #[test]
    fn a_long_file_is_found() {
        let code = "const A: u8 = 1;\n".repeat(FILE_LINES_MAX);
        bites(long_file(&format!("{code}const B: u8 = 1;\n")), "401 lines");
        none(long_file(&format!("{code}#[cfg(test)]\nmod tests {{}}\n")));
    }

    #[test]
    fn a_vague_name_is_found() {
        bites(vague_name(Path::new("src/store/utils.rs")), "nothing in particular");
        bites(vague_name(Path::new("src/common/mod.rs")), "nothing in particular");
        bites(vague_name(Path::new("src/query/query.rs")), "repeats");
        none(vague_name(Path::new("src/store/log/mod.rs")));
    }

    #[test]
    fn an_orphan_is_found_by_its_missing_declaration() {
        let source = "mod a;\npub(crate) mod b;\npub mod c;\n// mod d;\nmod e {}\nuse super::mod_f;";
        assert_eq!(declared_modules(source), ["a", "b", "c"]);
    }

    #[test]
    fn a_note_to_oneself_is_found() {
        bites(left_behind("fn f() {\n    // TODO: later\n}"), "line 2: TODO");
        bites(left_behind("fn f() { unimplemented!() }"), "line 1: unimplemented!(");
        none(left_behind("fn f() { finished() }"));
    }

    #[test]
    fn a_dead_link_is_found() {
        let exists = |link: &str| link == "LICENSE-MIT";
        bites(dead_links("See [that](docs/gone.md#part).", exists), "docs/gone.md");
        none(dead_links(
            "[MIT](LICENSE-MIT), [site](https://example.org/x), [here](#part), `[a](b)`",
            exists,
        ));
        none(dead_links("```\n[a](b)\n```", exists));
    }

    #[test]
    fn a_tool_without_a_snapshot_is_found() {
        let snapshots = ["tests__surface__quick_stats.snap".to_owned()];
        bites(tools_without_snapshot(&["quick_stats", "stats"], &snapshots), "tool stats");
        none(tools_without_snapshot(&["quick_stats"], &snapshots));
    }

    #[test]
    fn a_doubled_crate_is_found() {
        let package = |version: &str| format!("[[package]]\nname = \"tokio\"\nversion = \"{version}\"\n");
        bites(doubled_crates(&(package("1.2.3") + &package("2.0.0"))), "tokio");
        none(doubled_crates(&(package("1.2.3") + &package("1.3.0"))));
    }
}
