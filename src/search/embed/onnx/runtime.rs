//! Finding ONNX Runtime, a library that is loaded when it is needed and not before.

use std::env;
use std::path::{Path, PathBuf};

use ort::environment::Environment;
use parking_lot::Mutex;

use super::guarded;
use crate::error::{Error, ErrorKind, Result};

/// Says where the library is; then nowhere else is looked.
const PATH_VARIABLE: &str = "ORT_DYLIB_PATH";
/// The oldest ONNX Runtime that has everything that is called: 1.24.
const OLDEST: &str = "1.24";
/// The most places that an error lists: 12.
const PLACES_SHOWN_MAX: usize = 12;

/// Where systems and people put libraries.
const SYSTEM: [&str; 8] = [
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/onnxruntime/lib",
    "/opt/homebrew/lib",
    "/usr/lib/python3/dist-packages/onnxruntime/capi",
];

/// The one environment of the process, once a library was found.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// The environment to open models in. Loads the library the first time; after a failure the next call looks again.
///
/// # Errors
/// `Unavailable`: `onnx_runtime_missing` when there is none in the usual places, `onnx_runtime_unfit` when what is there
/// cannot be used.
pub(super) fn environment() -> Result<Environment> {
    let mut environment = ENVIRONMENT.lock();
    if let Some(environment) = &*environment {
        return Ok(environment.clone());
    }
    let candidates = candidates(env::var_os(PATH_VARIABLE).map(PathBuf::from));
    let loaded = load(&candidates)?;
    *environment = Some(loaded.clone());
    Ok(loaded)
}

/// What is tried, in order, and which folders were looked into for it.
struct Candidates {
    libraries: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

/// Loads the first library that fits. It is asked for its version before anything else is called: calling into one that
/// is not there or too old makes the ort crate panic.
fn load(candidates: &Candidates) -> Result<Environment> {
    let mut refused = Vec::new();
    for library in &candidates.libraries {
        let is_bare_name = !candidates.folders.is_empty() && library.components().count() == 1;
        match guarded(|| Ok(open(library))) {
            Ok(Ok(environment)) => {
                tracing::info!(library = %library.display(), "loaded ONNX Runtime");
                return Ok(environment);
            }
            // The loader says no more about a bare name than that it found nothing.
            Ok(Err(_)) if is_bare_name => {}
            Ok(Err(why)) => refused.push(why),
            Err(panic) => refused.push(format!("{}: {}", library.display(), panic.message())),
        }
    }
    if refused.is_empty() { Err(missing(&candidates.folders)) } else { Err(unfit(&refused)) }
}

fn open(library: &Path) -> Result<Environment, String> {
    let builder = ort::init_from(library).map_err(|error| error.to_string())?;
    let built = builder.with_name("allsource").with_telemetry(false).build();
    built.map_err(|error| format!("{}: {error}", library.display()))
}

/// Where the library may be. With `told`, there and nowhere else.
fn candidates(told: Option<PathBuf>) -> Candidates {
    if let Some(library) = told.filter(|path| !path.as_os_str().is_empty()) {
        return Candidates { libraries: vec![library], folders: Vec::new() };
    }
    let folders = folders();
    let mut libraries: Vec<PathBuf> = folders.iter().filter_map(|folder| library_in(folder)).collect();
    // The system's loader knows folders of its own.
    libraries.push(PathBuf::from(library_name()));
    Candidates { libraries, folders }
}

/// The file name of the library on this system.
fn library_name() -> String {
    format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
}

/// The library in a folder, under its plain name or with the newest version behind it (`libonnxruntime.so.1.32.0`).
fn library_in(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(library_name());
    if plain.is_file() {
        return Some(plain);
    }
    let versions = folder.read_dir().ok()?.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let version = version_in(&name)?;
        Some((version, folder.join(name)))
    });
    versions.max().map(|(_, path)| path)
}

/// The version in the name of a library, such as 1.32.0 in `libonnxruntime.so.1.32.0` and `libonnxruntime.1.32.0.dylib`.
fn version_in(name: &str) -> Option<Vec<u32>> {
    let rest = name.strip_prefix(env::consts::DLL_PREFIX)?.strip_prefix("onnxruntime")?;
    let suffix = env::consts::DLL_SUFFIX;
    let version = rest.strip_prefix(suffix).or_else(|| rest.strip_suffix(suffix))?.strip_prefix('.')?;
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// The folders in which the library usually is: beside this program, where the loader is told to look, the system's, and
/// those of Python's package onnxruntime.
fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    folders.extend(env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned())));
    for variable in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        let paths = env::var_os(variable).unwrap_or_default();
        folders.extend(env::split_paths(&paths).filter(|path| path.is_absolute()));
    }
    folders.extend(SYSTEM.map(PathBuf::from));
    let home = env::home_dir().map(|home| home.join(".local"));
    let pythons = [env::var_os("VIRTUAL_ENV").map(PathBuf::from), home, Some("/usr/local".into())];
    folders.extend(pythons.into_iter().flatten().flat_map(|python| of_python(&python)));
    folders
}

/// Where pip puts the library below the root of a Python.
fn of_python(root: &Path) -> Vec<PathBuf> {
    let windows = root.join("Lib/site-packages/onnxruntime/capi");
    let lib = root.join("lib");
    let versions = lib.read_dir().into_iter().flatten().filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.starts_with("python3").then(|| lib.join(name))
    });
    let capis = versions.flat_map(|python| {
        ["site-packages", "dist-packages"].map(|packages| python.join(packages).join("onnxruntime/capi"))
    });
    let mut found: Vec<PathBuf> = capis.chain([windows]).filter(|capi| capi.is_dir()).collect();
    found.sort();
    found
}

/// What to do about it, as the end of an error.
fn remedy() -> String {
    format!(
        "install it with `pip install onnxruntime` ({OLDEST} or newer) and set {PATH_VARIABLE} to \
         …/site-packages/onnxruntime/capi/{}, followed by its version, or use --embedder builtin",
        library_name()
    )
}

fn missing(folders: &[PathBuf]) -> Error {
    let shown: Vec<String> =
        folders.iter().take(PLACES_SHOWN_MAX).map(|folder| folder.display().to_string()).collect();
    let others = match folders.len().saturating_sub(shown.len()) {
        0 => String::new(),
        others => format!(" and {others} other folders"),
    };
    let message = format!(
        "find ONNX Runtime: {PATH_VARIABLE} is not set, and there is no {} in {}{others}; {}",
        library_name(),
        shown.join(", "),
        remedy()
    );
    Error::new(ErrorKind::Unavailable, "onnx_runtime_missing", message)
}

fn unfit(refused: &[String]) -> Error {
    let reasons = refused.join("; ");
    Error::new(
        ErrorKind::Unavailable,
        "onnx_runtime_unfit",
        format!("load ONNX Runtime: {reasons}; {}", remedy()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_known_by_its_name() {
        if cfg!(target_os = "linux") {
            assert_eq!(version_in("libonnxruntime.so.1.32.0"), Some(vec![1, 32, 0]));
            assert_eq!(version_in("libonnxruntime.so.1"), Some(vec![1]));
            assert_eq!(version_in("libonnxruntime_providers_shared.so"), None);
            assert_eq!(version_in("libonnx.so.1"), None);
        }
    }

    #[test]
    fn a_path_that_is_told_is_the_only_one() {
        let candidates = candidates(Some("some/where.so".into()));
        assert_eq!(candidates.libraries, [PathBuf::from("some/where.so")]);
    }

    #[test]
    fn a_library_that_is_not_there_is_an_error_that_says_what_to_install() {
        let told = candidates(Some("/nowhere/libonnxruntime.so".into()));
        let error = load(&told).expect_err("not there");
        assert_eq!(error.code(), "onnx_runtime_unfit");
        for part in ["/nowhere/libonnxruntime.so", "pip install onnxruntime", "ORT_DYLIB_PATH"] {
            assert_eq!(error.message().matches(part).count().min(1), 1, "{error}");
        }
        let nowhere = Candidates { libraries: vec![], folders: vec!["/opt/a".into(), "/opt/b".into()] };
        let error = load(&nowhere).expect_err("nowhere");
        assert_eq!(error.code(), "onnx_runtime_missing");
        assert!(error.message().contains("/opt/a, /opt/b; install it with"), "{error}");
    }

    /// The ort crate panics when a library is none; here it is this test's own program.
    #[test]
    fn a_file_that_is_no_runtime_is_refused() {
        let program = env::current_exe().expect("a program");
        let error = load(&candidates(Some(program))).expect_err("no runtime");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "onnx_runtime_unfit"));
    }
}
