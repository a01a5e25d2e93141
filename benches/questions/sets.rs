//! The data sets, and how each becomes a store.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::client::Client;

/// How a file of JSON Lines becomes events: its name without `.jsonl`, and what `allsource import` is told of its rows.
struct Set {
    name: &'static str,
    file: &'static str,
    mapping: &'static [&'static str],
}

const SETS: [Set; 5] = [
    Set {
        name: "loans",
        file: "loan-applications-2012",
        mapping: &[
            "--entity",
            "/case",
            "--type",
            "/activity",
            "--timestamp",
            "/timestamp",
            "--actor",
            "/resource",
        ],
    },
    Set {
        name: "github",
        file: "github-2015-02-22",
        mapping: &[
            "--entity",
            "/repo",
            "--type",
            "/type",
            "--timestamp",
            "/dt",
            "--event-id",
            "/id",
            "--actor",
            "/actor",
        ],
    },
    Set {
        name: "windows",
        file: "windows-security",
        mapping: &["--entity", "/Hostname", "--type", "/EventID", "--timestamp", "/@timestamp"],
    },
    Set {
        name: "airline",
        file: "airline-agent-sessions",
        mapping: &["--entity", "/session", "--type", "/type"],
    },
    Set {
        name: "webhooks",
        file: "github-webhooks",
        mapping: &[
            "--entity",
            "/payload/repository/full_name,/payload/organization/login,/event",
            "--type",
            "/event",
            "--actor",
            "/payload/sender/login,",
        ],
    },
];

/// Where the data is, where stores are made, and by which program.
pub struct Sets {
    /// The directory of the data sets.
    pub data: PathBuf,
    /// The directory of the stores.
    pub work: PathBuf,
    /// The program.
    pub program: PathBuf,
}

impl Sets {
    /// The names of the data sets that are there, in their order.
    pub fn names(&self) -> Vec<&'static str> {
        SETS.iter().filter(|set| self.file(set).is_some()).map(|set| set.name).collect()
    }

    /// A server on the store of a data set, made if it is not there, with everything in it indexed.
    pub fn serve(&self, name: &str) -> Client {
        let set = SETS.iter().find(|set| set.name == name).expect("a known data set");
        let dir = self.work.join(name);
        let file = self.file(set).expect("the file of the data set");
        let mut import = Command::new(&self.program);
        import.arg("import").arg("--data").arg(&dir).args(set.mapping).arg(&file);
        let output = import.output().expect("the program starts");
        assert!(output.status.success(), "import of {name}: {}", String::from_utf8_lossy(&output.stderr));
        println!("{name}: {}", String::from_utf8_lossy(&output.stdout).trim());
        let mut client = Client::start(&self.program, &dir);
        // Each look waits up to 5 s.
        let look = json!({"keywords": "event", "limit": 1, "wait_for_position": -1, "max_tokens": 500});
        while client.call("hybrid_search", &look).body.get("fresh").is_some() {}
        client
    }

    fn file(&self, set: &Set) -> Option<PathBuf> {
        let at = |ending: &str| self.data.join(format!("{}{ending}", set.file));
        [at(".jsonl.gz"), at(".jsonl")].into_iter().find(|path: &PathBuf| Path::exists(path))
    }
}
