//! gRPC's own clients, asking all services while a test does something to them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::cluster::{Cluster, SERVICES};
use crate::python;

/// Clients of all replicas of all services that ask until their time is over.
pub struct Clients {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Clients {
    /// Starts them, and waits until they ask.
    ///
    /// # Panics
    /// When they cannot be started.
    pub fn start(cluster: &Cluster, seconds: u64) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/restart_client.py");
        let named = SERVICES.map(|service| format!("{service}={}", cluster.addresses(service).join(",")));
        let mut command = Command::new(python());
        let mut process = command.args([script, &seconds.to_string()]).args(&named).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "asking\n", "the clients did not start");
        Self { process, said }
    }

    /// Waits for their end.
    ///
    /// # Panics
    /// When a request failed, or a service answered `least` or fewer.
    pub fn end(mut self, least: u64) {
        let mut text = String::new();
        self.said.read_to_string(&mut text).unwrap();
        assert!(self.process.wait().unwrap().success());
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found["failures"], json!({}), "{found}");
        for service in SERVICES {
            assert!(found["counts"][service].as_u64().unwrap_or_default() > least, "{found}");
        }
    }
}
