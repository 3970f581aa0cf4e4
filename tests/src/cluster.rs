//! The real thing on loopback: SeaweedFS for S3, Redis, and the four services, each a process on a free port.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lake::testing::{S3, free_ports};

use crate::program;

const SERVICES: [&str; 4] = ["ingestion", "feature-store", "training", "scoring"];

/// Servers that stop when the value is dropped.
pub struct Cluster {
    folder: PathBuf,
    /// Until it is stopped.
    s3: Option<S3>,
    endpoint: String,
    redis_port: u16,
    servers: Vec<Child>,
    services: BTreeMap<&'static str, Service>,
}

struct Service {
    port: u16,
    process: Child,
}

impl Cluster {
    /// Starts everything under `folder` and waits until all of it is ready.
    pub fn start(folder: &Path) -> Self {
        let s3 = S3::start(&folder.join("weed"));
        let endpoint = s3.options.s3.endpoint.clone().unwrap_or_default();
        Self::with_storage(folder, s3, endpoint)
    }

    /// The same, with the services reaching S3 at another address.
    pub fn with_storage(folder: &Path, s3: S3, endpoint: String) -> Self {
        s3.make_bucket("signaux");
        let s3 = Some(s3);
        let [redis_port, ports @ ..] = free_ports::<5>();
        let mut cluster = Self { folder: folder.to_owned(), s3, endpoint, redis_port, servers: vec![], services: BTreeMap::new() };
        cluster.start_redis();
        for (name, port) in SERVICES.into_iter().zip(ports) {
            cluster.start_service(name, port);
        }
        cluster
    }

    fn log(&self, name: &str) -> File {
        File::options().create(true).append(true).open(self.folder.join(format!("{name}.log"))).unwrap()
    }

    fn spawn(&self, name: &str, command: &mut Command) -> Child {
        command.stdin(Stdio::null()).stdout(self.log(name)).stderr(self.log(name)).spawn().unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn start_redis(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(self.redis_port.to_string());
        let process = self.spawn("redis", &mut command);
        self.servers.push(process);
        let port = self.redis_port;
        wait("Redis", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    fn start_service(&mut self, name: &'static str, port: u16) {
        let process = self.spawn_service(name, port);
        self.services.insert(name, Service { port, process });
    }

    /// Another replica of a service, on a port of its own; gives its address.
    pub fn start_replica(&mut self, name: &'static str) -> String {
        let [port] = free_ports::<1>();
        let process = self.spawn_service(name, port);
        self.servers.push(process);
        format!("http://127.0.0.1:{port}")
    }

    fn spawn_service(&self, name: &'static str, port: u16) -> Child {
        let [admin] = free_ports::<1>();
        let mut command = Command::new(program(name));
        command
            .env("SF_SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("SF_SERVER__ADMIN", format!("127.0.0.1:{admin}"))
            .env("SF_LAKE__ROOT", "s3://signaux/root")
            .env("SF_LAKE__S3__ENDPOINT", &self.endpoint)
            .env("SF_LAKE__S3__ACCESS_KEY_ID", "test")
            .env("SF_LAKE__S3__SECRET_ACCESS_KEY", "testtest")
            .env("SF_LAKE__S3__ALLOW_HTTP", "true");
        if matches!(name, "feature-store" | "scoring") {
            command.env("SF_ONLINE__REDIS_URL", format!("redis://127.0.0.1:{}", self.redis_port));
        }
        if name == "scoring" {
            command.env("SF_SERVICE__FOLLOW_MILLISECONDS", "50");
            command.env("SF_PEERS__FEATURES", format!("http://127.0.0.1:{}", self.services["feature-store"].port));
        }
        let process = self.spawn(name, &mut command);
        wait(name, || http_ok(admin, "/readyz"));
        process
    }

    /// The value of `--server` that reaches all services.
    pub fn servers(&self) -> String {
        let key = |name: &str| if name == "feature-store" { "features".to_owned() } else { name.to_owned() };
        let urls: Vec<String> =
            self.services.iter().map(|(name, service)| format!("{}=http://127.0.0.1:{}", key(name), service.port)).collect();
        urls.join(",")
    }

    /// Address of one service.
    pub fn address(&self, name: &str) -> String {
        format!("127.0.0.1:{}", self.services[name].port)
    }

    /// Puts the files of a folder into the bucket of the services, under a prefix.
    pub fn put_folder(&self, folder: &Path, prefix: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/put_folder.py");
        let status = Command::new(crate::python()).args([script, &self.endpoint, "signaux", prefix]).arg(folder).status().unwrap();
        assert!(status.success());
    }

    /// Stops Redis for good.
    pub fn stop_redis(&mut self) {
        let mut redis = self.servers.remove(0);
        redis.kill().unwrap();
        redis.wait().unwrap();
    }

    /// Stops S3 for good.
    pub fn stop_storage(&mut self) {
        self.s3 = None;
    }

    /// Kills a service at once, as the kernel would, and starts it again on the same port.
    pub fn kill_and_restart(&mut self, name: &'static str) {
        let mut service = self.services.remove(name).unwrap();
        service.process.kill().unwrap();
        service.process.wait().unwrap();
        self.start_service(name, service.port);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for service in self.services.values_mut() {
            let _ = service.process.kill();
            let _ = service.process.wait();
        }
        for server in self.servers.iter_mut().rev() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn wait(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_mins(1), "{what} is not ready after a minute; see its log");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn http_ok(port: u16, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    let mut reply = [0; 12];
    stream.write_all(request.as_bytes()).is_ok() && stream.read_exact(&mut reply).is_ok() && reply.ends_with(b" 200")
}
