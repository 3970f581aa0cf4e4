//! Real servers for tests: an S3 store on free ports, stopped when the value is dropped.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{LakeOptions, S3Options};

/// A SeaweedFS server.
pub struct S3 {
    process: Child,
    /// How to reach it.
    pub options: LakeOptions,
}

/// Whether tests against real servers are switched off.
pub fn skip_servers() -> bool {
    std::env::var_os("SF_SKIP_SERVERS").is_some_and(|value| value == "1")
}

/// Ports that nothing listens on, all different: they are held together before they are given back.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address").port())
}

/// `weed`: where `SF_WEED` says, else in the tool folder of `make setup`, else on the path.
fn weed() -> PathBuf {
    if let Some(path) = std::env::var_os("SF_WEED") {
        return path.into();
    }
    let cache = std::env::var_os("SF_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/signaux-faibles")));
    cache.map(|cache| cache.join("tools/bin/weed")).filter(|path| path.exists()).unwrap_or_else(|| "weed".into())
}

/// Ports of a server besides that of S3.
const OTHER_PORTS: [&str; 7] =
    ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc"];
/// Starts before giving up: another program may take a port between its choice and its use.
const STARTS: usize = 3;
/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

impl S3 {
    /// Starts a server with its data in `folder`, and waits until it answers.
    ///
    /// # Panics
    /// When it does not, three times in a row.
    pub fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        (0..STARTS).find_map(|_| Self::try_start(folder)).expect("SeaweedFS starts: is it installed? run `make setup`")
    }

    fn try_start(folder: &Path) -> Option<Self> {
        let config = folder.join("s3.json");
        let identity = r#"{"identities":[{"name":"test","credentials":[{"accessKey":"test","secretKey":"testtest"}],
            "actions":["Admin","Read","Write","List"]}]}"#;
        std::fs::write(&config, identity).expect("the S3 configuration is written");
        let [port, others @ ..] = free_ports::<8>();
        let mut command = Command::new(weed());
        command.args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-filer", "-s3"]);
        command.args(["-volume.max=200", "-master.volumeSizeLimitMB=64"]);
        command.arg(format!("-dir={}", folder.display())).arg(format!("-s3.config={}", config.display())).arg(format!("-s3.port={port}"));
        for (name, port) in OTHER_PORTS.iter().zip(others) {
            command.arg(format!("-{name}={port}"));
        }
        let process =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("weed is installed: run `make setup`");
        let s3 = S3Options {
            endpoint: Some(format!("http://127.0.0.1:{port}")),
            region: None,
            access_key_id: Some("test".into()),
            secret_access_key: Some("testtest".into()),
            allow_http: true,
        };
        // Dropped, hence stopped, when it does not answer in time.
        let server = Self { process, options: LakeOptions { s3 } };
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if healthy(port) {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }

    /// Sends a signal to the server: STOP and CONT pause it.
    ///
    /// # Panics
    /// When there is no such signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name}");
    }

    /// Creates a bucket, as an operator would before anything is stored in it.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn make_bucket(&self, name: &str) {
        let url = format!("{}/{name}", self.options.s3.endpoint.as_deref().expect("the address of the server"));
        let signed = ["-sSf", "-X", "PUT", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "test:testtest"];
        let status = Command::new("curl").args(signed).arg(url).status().expect("curl is installed: run `make setup`");
        assert!(status.success(), "the bucket {name} could not be created");
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn healthy(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut reply = [0; 12];
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").is_ok()
        && stream.read_exact(&mut reply).is_ok()
        && reply.ends_with(b" 200")
}
