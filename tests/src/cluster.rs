//! The real thing on loopback: SeaweedFS for S3, Redis, and the four services, each a process on a free port.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lake::testing::{S3, free_ports};
use online_store::testing::{Redis, RedisCluster};

use crate::program;
use crate::sf::Sf;

pub const SERVICES: [&str; 4] = ["ingestion", "feature-store", "training", "scoring"];

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
    /// Where the second replicas reach S3, if not as the others.
    pub second_endpoint: Option<String>,
    /// Whether Redis is a cluster of three.
    pub redis_cluster: bool,
    /// The `sf` of another version, which the first replicas run.
    pub previous: Option<PathBuf>,
}

/// Redis, in one of its forms.
enum Store {
    One(Redis),
    Three(RedisCluster),
}

impl Store {
    fn start(cluster: bool, folder: &Path) -> Self {
        if cluster { Self::Three(RedisCluster::start(&folder.join("redis"))) } else { Self::One(Redis::start()) }
    }

    fn url(&self) -> String {
        match self {
            Self::One(server) => server.url(),
            Self::Three(cluster) => cluster.url(),
        }
    }

    fn servers(&mut self) -> &mut [Redis] {
        match self {
            Self::One(server) => std::slice::from_mut(server),
            Self::Three(cluster) => &mut cluster.nodes,
        }
    }
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
    redis: Store,
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
        let redis = Store::start(setup.redis_cluster, folder);
        let (folder, s3, services) = (folder.to_owned(), Some(s3), BTreeMap::new());
        let mut cluster = Self { folder, setup, s3, endpoint, redis, others: vec![], services };
        for name in SERVICES {
            for replica in 0..cluster.setup.replicas.max(1) {
                let replica = cluster.spawn_service(name, replica, free_ports::<2>(), None);
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

    /// Another replica of a service, on a port of its own; gives its address.
    pub fn start_replica(&mut self, name: &'static str) -> String {
        let replica = self.spawn_service(name, 0, free_ports::<2>(), None);
        let url = self.url(&[&replica]);
        self.others.push(replica);
        url
    }

    fn spawn_service(&self, name: &'static str, number: usize, ports: [u16; 2], clock: Option<&str>) -> Replica {
        let replica = self.launch(name, number, ports, clock);
        wait(name, || http_ok(replica.admin, "/readyz"));
        replica
    }

    /// Starts a service without waiting for it. `clock` is what its clock is wrong by, as libfaketime reads it: `+300`.
    fn launch(&self, name: &'static str, number: usize, [port, admin]: [u16; 2], clock: Option<&str>) -> Replica {
        let mut command = Command::new(self.setup.previous.as_ref().filter(|_| number == 0).cloned().unwrap_or_else(|| program(name)));
        // Of another version there is one program, which is what its name says.
        command.arg0(name);
        let endpoint = self.setup.second_endpoint.as_ref().filter(|_| number == 1).unwrap_or(&self.endpoint);
        command
            .env("SF_SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("SF_SERVER__ADMIN", format!("127.0.0.1:{admin}"))
            .env("SF_SERVER__REFLECTION", "true")
            .env("SF_LAKE__ROOT", "s3://signaux/root")
            .env("SF_LAKE__S3__ENDPOINT", endpoint)
            .env("SF_LAKE__S3__ACCESS_KEY_ID", "test")
            .env("SF_LAKE__S3__SECRET_ACCESS_KEY", "testtest")
            .env("SF_LAKE__S3__ALLOW_HTTP", "true");
        if let Some(clock) = clock {
            command.env("LD_PRELOAD", faketime()).env("FAKETIME", clock).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        if matches!(name, "feature-store" | "scoring") {
            command.env("SF_ONLINE__REDIS_URL", self.redis.url());
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

    /// The servers of Redis.
    pub fn redis(&mut self) -> &mut [Redis] {
        self.redis.servers()
    }

    /// Stops S3 for good.
    pub fn stop_storage(&mut self) {
        self.s3 = None;
    }

    /// Kills the first replica of a service at once, as the kernel would, and starts it again on the same ports.
    pub fn kill_and_restart(&mut self, name: &'static str) {
        self.restart(name, 0, "KILL");
    }

    /// How often a replica took over the job of another, as their logs say.
    pub fn jobs_taken_over(&self) -> usize {
        let read = |name: &str| std::fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap();
        let logs = SERVICES.map(read);
        assert!(logs.iter().all(|log| log.contains("listening")), "the logs say nothing");
        logs.iter().map(|log| log.matches("taking over an abandoned operation").count()).sum()
    }

    /// Restarts the first replica of each service, one after the other, by this version of the program or by that of `previous`.
    pub fn change_version(&mut self, previous: Option<PathBuf>) {
        self.setup.previous = previous;
        for service in SERVICES {
            self.restart(service, 0, "TERM");
        }
    }

    /// Restarts a replica of each service with a clock that is wrong by so much (`+300`, seconds), or right again.
    pub fn set_clock(&mut self, replica: usize, clock: Option<&str>) {
        for service in SERVICES {
            self.restart_at(service, replica, "TERM", clock);
        }
    }

    /// Sends a signal to a replica of a service, waits for its end, and starts it again on the same ports.
    pub fn restart(&mut self, name: &'static str, replica: usize, signal: &str) {
        self.restart_at(name, replica, signal, None);
    }

    fn restart_at(&mut self, name: &'static str, replica: usize, signal: &str, clock: Option<&str>) {
        let mut stopped = self.services.get_mut(name).unwrap().remove(replica);
        send(&stopped.process, signal);
        let ended = stopped.process.wait().unwrap();
        assert!(signal != "TERM" || ended.success(), "{name} did not drain: {ended}");
        let started = self.spawn_service(name, replica, [stopped.port, stopped.admin], clock);
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
            let started = self.launch(service, replica, [stopped.port, stopped.admin], None);
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
        for process in replicas {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The library that shows a program another time (Debian's package `faketime`).
fn faketime() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok);
    let mut candidates = found.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    candidates.find(|path| path.exists()).expect("libfaketime is installed: run `make setup`")
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
