//! The rules of the house that no compiler holds, over this repository. Each of them bites: see [`rules`].

mod rules;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use allsource::tools::TOOLS;

use rules::{
    dead_links, declared_modules, doubled_crates, left_behind, long_file, long_functions,
    tools_without_snapshot, upward_imports, vague_name,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path as it is written in the repository.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file of the repository is readable")
}

/// Every file below `dir` with that extension, in order; none when the directory is not there.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("a readable entry").path()) {
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    ["src", "tests", "benches", "examples"].iter().flat_map(|dir| files(&root().join(dir), "rs")).collect()
}

/// The module order that `src/lib.rs` gives.
fn module_order() -> Vec<String> {
    declared_modules(&read(&root().join("src/lib.rs")))
}

/// The module of the crate that a file below `src` belongs to; the roots belong to none.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root().join("src")).ok()?;
    let first = Path::new(inside.iter().next()?).file_stem()?.to_str()?;
    (!["lib", "main"].contains(&first)).then(|| first.to_owned())
}

/// Fails with every finding at once.
#[track_caller]
fn none(findings: impl IntoIterator<Item = String>) {
    let findings: Vec<String> = findings.into_iter().collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// Runs a rule over files, with the file named before each finding.
fn over<'a>(
    paths: &'a [PathBuf],
    rule: impl Fn(&Path, &str) -> Vec<String> + 'a,
) -> impl Iterator<Item = String> + 'a {
    paths.iter().flat_map(move |path| {
        let findings = rule(path, &read(path));
        findings.into_iter().map(|finding| format!("{}: {finding}", shown(path)))
    })
}

/// The files that are reached from `file` by module declarations, itself included.
fn reachable(file: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::from([file.to_owned()]);
    let folder = file.parent().expect("a file lies in a folder");
    let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a file has a name");
    let opens_folder = ["mod", "lib", "main", "tests"].contains(&stem) || folder == root().join("benches");
    let base = if opens_folder { folder.to_owned() } else { folder.join(stem) };
    for module in declared_modules(&read(file)) {
        let candidates = [base.join(format!("{module}.rs")), base.join(&module).join("mod.rs")];
        for candidate in candidates.iter().filter(|candidate| candidate.exists()) {
            found.extend(reachable(candidate));
        }
    }
    found
}

#[test]
fn modules_import_only_what_stands_above_them() {
    let order = module_order();
    none(over(&files(&root().join("src"), "rs"), |path, source| {
        module_of(path).map_or(Vec::new(), |module| upward_imports(&module, source, &order))
    }));
}

#[test]
fn functions_and_files_fit_the_head() {
    none(over(&rust_files(), |_, source| long_functions(source)));
    none(over(&rust_files(), |_, source| long_file(source).into_iter().collect()));
}

#[test]
fn names_say_what_is_inside() {
    none(over(&rust_files(), |path, _| vague_name(path).into_iter().collect()));
}

#[test]
fn every_file_is_part_of_the_program() {
    let mut roots =
        vec![root().join("src/lib.rs"), root().join("src/main.rs"), root().join("tests/tests.rs")];
    for dir in ["benches", "examples"] {
        roots.extend(files(&root().join(dir), "rs").into_iter().filter(|path| read(path).contains("main")));
    }
    let reached: BTreeSet<PathBuf> = roots.iter().flat_map(|file| reachable(file)).collect();
    let orphans = rust_files().into_iter().filter(|path| !reached.contains(path));
    none(orphans.map(|path| format!("{} is declared by no module", shown(&path))));
}

#[test]
fn nothing_is_left_for_later() {
    none(over(&files(&root().join("src"), "rs"), |_, source| left_behind(source)));
}

#[test]
fn links_lead_somewhere() {
    let mut pages: Vec<PathBuf> = ["benches", "examples", "prompts", "src", "tests", "docs"]
        .iter()
        .flat_map(|dir| files(&root().join(dir), "md"))
        .collect();
    let top = fs::read_dir(root()).expect("the repository is readable");
    pages.extend(top.filter_map(|entry| {
        let path = entry.expect("a readable entry").path();
        path.extension().is_some_and(|e| e == "md").then_some(path)
    }));
    none(over(&pages, |path, text| {
        let folder = path.parent().expect("a page lies in a folder");
        dead_links(text, |link| folder.join(link).exists())
    }));
}

#[test]
fn every_tool_has_a_snapshot() {
    let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
    let snapshots: Vec<String> = files(&root().join("tests/snapshots"), "snap")
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    none(tools_without_snapshot(&names, &snapshots));
}

#[test]
fn heavy_crates_are_built_once() {
    none(doubled_crates(&read(&root().join("Cargo.lock"))));
}
