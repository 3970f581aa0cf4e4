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
use crate::sf::Sf;

const SERVICES: [&str; 4] = ["ingestion", "feature-store", "training", "scoring"];

/// How the services of a cluster differ from the usual.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Replicas of each service; 0 for one.
    pub replicas: usize,
    /// Configuration of all services, as variables of the environment.
    pub env: Vec<(String, String)>,
    /// Configuration of all services, as a file.
    pub config: Option<PathBuf>,
    /// Whether they speak TLS, as `env` says.
    pub https: bool,
    /// Where they reach S3, if not directly.
    pub endpoint: Option<String>,
}

impl Setup {
    /// With a variable of the environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }
}

/// Servers that stop when the value is dropped.
pub struct Cluster {
    folder: PathBuf,
    setup: Setup,
    /// Until it is stopped.
    s3: Option<S3>,
    endpoint: String,
    redis_port: u16,
    redis: Option<Child>,
    /// Further replicas, which `servers` does not name.
    others: Vec<Replica>,
    services: BTreeMap<&'static str, Vec<Replica>>,
}

/// A process of a service.
pub struct Replica {
    port: u16,
    admin: u16,
    process: Child,
}

impl Cluster {
    /// Starts everything under `folder` and waits until all of it is ready.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, Setup::default())
    }

    /// The same, set up in another way.
    pub fn start_with(folder: &Path, setup: Setup) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let s3 = S3::start(&folder.join("weed"));
        Self::with_storage(folder, s3, setup)
    }

    /// The same, with this S3.
    pub fn with_storage(folder: &Path, s3: S3, setup: Setup) -> Self {
        s3.make_bucket("signaux");
        let endpoint = setup.endpoint.clone().or_else(|| s3.options.s3.endpoint.clone()).unwrap_or_default();
        let [redis_port] = free_ports::<1>();
        let (folder, s3, services) = (folder.to_owned(), Some(s3), BTreeMap::new());
        let mut cluster = Self { folder, setup, s3, endpoint, redis_port, redis: None, others: vec![], services };
        cluster.start_redis();
        for name in SERVICES {
            for _ in 0..cluster.setup.replicas.max(1) {
                let replica = cluster.spawn_service(name, free_ports::<2>());
                cluster.services.entry(name).or_default().push(replica);
            }
        }
        cluster
    }

    fn log(&self, name: &str) -> File {
        File::options().create(true).append(true).open(self.folder.join(format!("{name}.log"))).unwrap()
    }

    fn spawn(&self, name: &str, command: &mut Command) -> Child {
        command.stdin(Stdio::null()).stdout(self.log(name)).stderr(self.log(name)).spawn().unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Starts Redis, empty.
    pub fn start_redis(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(self.redis_port.to_string());
        let process = self.spawn("redis", &mut command);
        self.redis = Some(process);
        let port = self.redis_port;
        wait("Redis", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Another replica of a service, on a port of its own; gives its address.
    pub fn start_replica(&mut self, name: &'static str) -> String {
        let replica = self.spawn_service(name, free_ports::<2>());
        let url = self.url(&[&replica]);
        self.others.push(replica);
        url
    }

    fn spawn_service(&self, name: &'static str, ports: [u16; 2]) -> Replica {
        let replica = self.launch(name, ports);
        wait(name, || http_ok(replica.admin, "/readyz"));
        replica
    }

    /// Starts a service without waiting for it.
    fn launch(&self, name: &'static str, [port, admin]: [u16; 2]) -> Replica {
        let mut command = Command::new(program(name));
        command
            .env("SF_SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("SF_SERVER__ADMIN", format!("127.0.0.1:{admin}"))
            .env("SF_SERVER__REFLECTION", "true")
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
            command.env("SF_PEERS__FEATURES", self.url(&self.services["feature-store"].iter().collect::<Vec<_>>()));
        }
        if let Some(config) = &self.setup.config {
            command.arg("--config").arg(config);
        }
        command.envs(self.setup.env.iter().map(|(name, value)| (name, value)));
        Replica { port, admin, process: self.spawn(name, &mut command) }
    }

    fn url(&self, replicas: &[&Replica]) -> String {
        let hosts: Vec<String> = replicas.iter().map(|replica| format!("127.0.0.1:{}", replica.port)).collect();
        format!("{}://{}", if self.setup.https { "https" } else { "http" }, hosts.join(","))
    }

    /// The value of `--server` that reaches all services.
    pub fn servers(&self) -> String {
        let key = |name: &str| if name == "feature-store" { "features".to_owned() } else { name.to_owned() };
        let url = |replicas: &Vec<Replica>| self.url(&replicas.iter().collect::<Vec<_>>());
        let urls: Vec<String> = self.services.iter().map(|(name, replicas)| format!("{}={}", key(name), url(replicas))).collect();
        urls.join(",")
    }

    /// Address of the first replica of a service.
    pub fn address(&self, name: &str) -> String {
        self.addresses(name).swap_remove(0)
    }

    /// Addresses of all replicas of a service.
    pub fn addresses(&self, name: &str) -> Vec<String> {
        self.services[name].iter().map(|replica| format!("127.0.0.1:{}", replica.port)).collect()
    }

    /// The metrics of the first replica of a service, in Prometheus' format.
    pub fn metrics(&self, name: &str) -> String {
        let port = self.services[name][0].admin;
        let output = Command::new("curl").args(["-sS", "--fail", &format!("http://127.0.0.1:{port}/metrics")]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Puts the files of a folder into the bucket of the services, under a prefix.
    pub fn put_folder(&self, folder: &Path, prefix: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/put_folder.py");
        let status = Command::new(crate::python()).args([script, &self.endpoint, "signaux", prefix]).arg(folder).status().unwrap();
        assert!(status.success());
    }

    /// Runs a command of `sf` on the root of the services itself; gives its output as JSON.
    pub fn on_storage<const N: usize>(&self, arguments: [&str; N]) -> serde_json::Value {
        let sf = Sf::configured()
            .with_env("SF_LAKE__ROOT", "s3://signaux/root")
            .with_env("SF_LAKE__S3__ENDPOINT", &self.endpoint)
            .with_env("SF_LAKE__S3__ACCESS_KEY_ID", "test")
            .with_env("SF_LAKE__S3__SECRET_ACCESS_KEY", "testtest")
            .with_env("SF_LAKE__S3__ALLOW_HTTP", "true");
        sf.json(&arguments)
    }

    /// Stops Redis.
    pub fn stop_redis(&mut self) {
        if let Some(mut redis) = self.redis.take() {
            redis.kill().unwrap();
            redis.wait().unwrap();
        }
    }

    /// Stops S3 for good.
    pub fn stop_storage(&mut self) {
        self.s3 = None;
    }

    /// Kills the first replica of a service at once, as the kernel would, and starts it again on the same ports.
    pub fn kill_and_restart(&mut self, name: &'static str) {
        self.restart(name, 0, "KILL");
    }

    /// Sends a signal to a replica of a service, waits for its end, and starts it again on the same ports.
    pub fn restart(&mut self, name: &'static str, replica: usize, signal: &str) {
        let mut stopped = self.services.get_mut(name).unwrap().remove(replica);
        send(&stopped.process, signal);
        stopped.process.wait().unwrap();
        let started = self.spawn_service(name, [stopped.port, stopped.admin]);
        self.services.get_mut(name).unwrap().insert(replica, started);
    }

    /// Lets one replica of each service end as a rolling update does, all at once, and starts them again on the same ports.
    pub fn roll(&mut self, replica: usize) {
        for service in SERVICES {
            self.signal(service, replica, "TERM");
        }
        for service in SERVICES {
            let mut stopped = self.services.get_mut(service).unwrap().remove(replica);
            let ended = stopped.process.wait().unwrap();
            assert!(ended.success(), "{service} did not drain: {ended}");
            let started = self.launch(service, [stopped.port, stopped.admin]);
            self.services.get_mut(service).unwrap().insert(replica, started);
        }
        for service in SERVICES {
            let admin = self.services[service][replica].admin;
            wait(service, || http_ok(admin, "/readyz"));
        }
    }

    /// Sends a signal to a replica of a service.
    pub fn signal(&self, name: &str, replica: usize, signal: &str) {
        send(&self.services[name][replica].process, signal);
    }

    /// Sends a signal to Redis.
    pub fn signal_redis(&self, signal: &str) {
        send(self.redis.as_ref().unwrap(), signal);
    }

    /// The object store, while it runs.
    pub fn storage(&self) -> &S3 {
        self.s3.as_ref().unwrap()
    }

    /// Memory of a replica, in KiB (`VmRSS` of Linux).
    pub fn resident(&self, name: &str, replica: usize) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.services[name][replica].process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }
}

fn send(process: &Child, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &process.id().to_string()]).status().unwrap();
    assert!(status.success());
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let replicas = self.services.values_mut().flatten().chain(&mut self.others).map(|replica| &mut replica.process);
        for process in replicas.chain(&mut self.redis) {
            let _ = process.kill();
            let _ = process.wait();
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
