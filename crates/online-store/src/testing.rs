//! Redis for tests: one server, or a cluster of three, on free ports of this machine; stopped when the value is dropped.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lake::testing::free_ports;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, which remembers nothing.
pub struct Redis {
    /// Unless it is stopped.
    process: Option<Child>,
    port: u16,
    arguments: Vec<String>,
}

impl Redis {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let [port] = free_ports();
        Self::start_on(port)
    }

    /// Starts one on this port.
    pub fn start_on(port: u16) -> Self {
        Self::start_with(port, Vec::new())
    }

    /// Starts one on a free port that speaks TLS only, with the certificate and the key of these files.
    pub fn start_with_tls(certificate: &Path, key: &Path) -> Self {
        let [port] = free_ports();
        let (secured, certificate, key) = (port.to_string(), certificate.display().to_string(), key.display().to_string());
        let arguments = ["--port", "0", "--tls-port", &secured, "--tls-cert-file", &certificate, "--tls-key-file", &key];
        let arguments = [&arguments[..], &["--tls-auth-clients", "no"]].concat();
        Self::start_with(port, arguments.into_iter().map(str::to_owned).collect())
    }

    fn start_with(port: u16, arguments: Vec<String>) -> Self {
        let mut server = Self { process: None, port, arguments };
        server.start_again();
        server
    }

    /// Starts it, empty, where it was stopped.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn start_again(&mut self) {
        self.stop();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &self.port.to_string()]).args(&self.arguments);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let process = self.process.insert(process.expect("redis-server is installed: run `make setup`"));
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "Redis does not answer on port {}", self.port);
            sleep(Duration::from_millis(20));
        }
        assert!(process.try_wait().expect("its state").is_none(), "another program has the port {}", self.port);
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends a signal to it, if it runs: STOP and CONT pause it.
    ///
    /// # Panics
    /// When there is no such signal.
    pub fn signal(&self, name: &str) {
        let Some(process) = &self.process else { return };
        let status = Command::new("kill").args(["-s", name, &process.id().to_string()]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name}");
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        let scheme = if self.arguments.iter().any(|argument| argument == "--tls-port") { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// What a command answers, as `redis-cli` prints it.
    ///
    /// # Panics
    /// Without `redis-cli`.
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A cluster of three servers, each of which serves a third of the keys.
pub struct RedisCluster {
    /// The servers. One that starts again is empty, and knows its place.
    pub nodes: [Redis; 3],
}

impl RedisCluster {
    /// Starts it and waits until every slot is served. The servers keep in `folder` what they know of each other.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        let nodes = ["a", "b", "c"].map(|name| {
            let [port, bus] = free_ports();
            let (bus, known) = (bus.to_string(), folder.join(name).display().to_string());
            let arguments = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-config-file", &known];
            Redis::start_with(port, arguments.map(str::to_owned).into())
        });
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let mut create = Command::new("redis-cli");
        let created = create.args(["--cluster", "create"]).args(addresses).arg("--cluster-yes").output().expect("redis-cli runs");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        let start = Instant::now();
        while !nodes.iter().all(|node| node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok")) {
            assert!(start.elapsed() < PATIENCE, "the cluster does not come up");
            sleep(Duration::from_millis(50));
        }
        Self { nodes }
    }

    /// Its address: two nodes are enough to find the third.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", self.nodes[0].port, self.nodes[1].port)
    }
}
