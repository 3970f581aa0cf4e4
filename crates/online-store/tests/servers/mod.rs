//! Redis servers for the tests: each starts its own and stops it.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that is stopped when dropped.
pub struct Redis(Child, u16);

impl Redis {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_on(free_port())
    }

    /// Starts one on this port.
    pub fn start_on(port: u16) -> Self {
        Self::start_with(port, &[])
    }

    fn start_with(port: u16, arguments: &[&str]) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(port.to_string()).args(arguments);
        let process = command.stdout(Stdio::null()).spawn().expect("redis-server is installed: run `make setup`");
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(process, port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.1
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.1)
    }

    /// What a command answers, as `redis-cli` prints it.
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.1.to_string()]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A cluster of three servers.
pub struct Cluster {
    nodes: Vec<Redis>,
    /// Holds what the nodes remember.
    _folder: TempDir,
}

impl Cluster {
    /// Starts it and waits until every slot is served.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = |name: &str| {
            let path = folder.path().join(name).display().to_string();
            let bus = free_port().to_string();
            Redis::start_with(free_port(), &["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-config-file", &path])
        };
        let nodes: Vec<Redis> = ["a", "b", "c"].map(node).into();
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.1));
        let mut create = Command::new("redis-cli");
        let created = create.args(["--cluster", "create"]).args(addresses).arg("--cluster-yes").output().unwrap();
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        let start = Instant::now();
        while !nodes.iter().all(|node| node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok")) {
            assert!(start.elapsed() < Duration::from_secs(20), "the cluster does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { nodes, _folder: folder }
    }

    /// Its address: one node is enough to find the others.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", self.nodes[0].1, self.nodes[1].1)
    }
}
