//! A collector of telemetry: rotel, which receives OTLP, and behind it a sink that writes what it passes on.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lake::testing::free_ports;
use serde_json::Value;

use crate::python;

/// A running collector.
pub struct Collector {
    /// Where programs send OTLP (gRPC).
    pub url: String,
    file: PathBuf,
    processes: [Child; 2],
}

impl Collector {
    /// Starts one with its files in `folder`.
    pub fn start(folder: &Path) -> Self {
        let [sink, grpc, http] = free_ports::<3>();
        let file = folder.join("telemetry.jsonl");
        File::create(&file).unwrap();
        let log = |name: &str| File::create(folder.join(name)).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/otlp_sink.py");
        let mut command = Command::new(python());
        command.args([script, &sink.to_string()]).arg(&file).stdin(Stdio::null()).stderr(log("sink.log"));
        let sink_process = command.spawn().unwrap();
        // The agent itself: the command of the package would fork, and could not be stopped by its number.
        let find = "import rotel, pathlib; print(pathlib.Path(rotel.__file__).parent / 'rotel-agent')";
        let found = Command::new(python()).args(["-c", find]).output().unwrap();
        let mut command = Command::new(String::from_utf8(found.stdout).unwrap().trim());
        command
            .args(["start", "--exporter", "otlp"])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}"), "--otlp-http-endpoint", &format!("127.0.0.1:{http}")])
            .args(["--otlp-exporter-endpoint", &format!("http://127.0.0.1:{sink}"), "--otlp-exporter-protocol", "grpc"])
            .stdin(Stdio::null())
            .stdout(log("rotel.log"))
            .stderr(log("rotel.err"));
        let agent = command.spawn().unwrap();
        let start = Instant::now();
        for port in [sink, grpc] {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(start.elapsed() < Duration::from_mins(1), "the collector does not start; see {}", folder.display());
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Self { url: format!("http://127.0.0.1:{grpc}"), file, processes: [agent, sink_process] }
    }

    /// What arrived so far, of one signal: `span`, `metric` or `log`.
    pub fn received(&self, signal: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.file).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["signal"] == signal).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
