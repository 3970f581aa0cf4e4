//! Two replicas of each service, Redis and S3 are harmed in turn, while clients ask and a month is run. Nothing is lost, nothing is half
//! published, answers are right or refused, and each harm is over soon after its cause.
//!
//! The report of the last run is `docs/faults.md`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use acceptance::cluster::{Cluster, Setup};
use acceptance::proxy::Proxy;
use acceptance::python;
use acceptance::sf::Sf;
use lake::testing::S3;
use online_store::testing::Redis;
use serde_json::Value;
use tempfile::tempdir;

use super::list;

/// How long each harm lasts, unless it is a moment.
const HARM: Duration = Duration::from_secs(4);
/// How long after its end everything is as before, at most.
const RECOVERY: f64 = 20.0;
/// A second without any failure or stale answer is health.
const HEALTH: f64 = 1.0;
/// What clients may be told while something is away.
const REFUSALS: [&str; 3] = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"];

/// Clients that write down what they get.
struct Clients {
    process: Child,
    file: PathBuf,
}

impl Clients {
    fn start(folder: &Path, cluster: &Cluster, sirens: &[String]) -> Self {
        let file = folder.join("answers.jsonl");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/fault_client.py");
        let mut command = Command::new(python());
        command.arg(script).arg(&file).arg(cluster.addresses("scoring").join(",")).args(sirens);
        Self { process: command.stdin(Stdio::null()).spawn().unwrap(), file }
    }

    fn answers(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The month that is run again and again until it is done, as a Job of Kubernetes would.
struct Month {
    sf: Sf,
    delivery: String,
    running: Child,
    attempts: u32,
}

impl Month {
    fn start(sf: &Sf, delivery: &Path) -> Self {
        let delivery = delivery.to_str().unwrap().to_owned();
        let running = Self::spawn(sf, &delivery);
        Self { sf: sf.clone(), delivery, running, attempts: 1 }
    }

    fn spawn(sf: &Sf, delivery: &str) -> Child {
        sf.spawn_quietly(&["run", delivery, "--batch", "2512", "--allow-degraded"])
    }

    /// Whether it is done; one that failed begins again.
    fn is_done(&mut self) -> bool {
        match self.running.try_wait().unwrap() {
            None => false,
            Some(status) if status.success() => true,
            Some(_) => {
                self.attempts += 1;
                assert!(self.attempts < 40, "the month does not end");
                sleep(Duration::from_secs(1));
                self.running = Self::spawn(&self.sf, &self.delivery);
                false
            }
        }
    }
}

/// A harm, from its beginning to its end.
struct Fault {
    name: &'static str,
    from: f64,
    to: f64,
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// What can be harmed.
struct World {
    cluster: Cluster,
    /// Before S3: for the first replica of each service, and for the second.
    proxies: [Proxy; 2],
    faults: Vec<Fault>,
}

impl World {
    /// Harms, waits, makes good, and waits until clients would have noticed.
    fn harm(&mut self, name: &'static str, month: &mut Month, begin: impl Fn(&mut Self), end: impl Fn(&mut Self)) {
        let from = now();
        begin(self);
        sleep(HARM);
        end(self);
        self.faults.push(Fault { name, from, to: now() });
        let start = Instant::now();
        while start.elapsed() < HARM {
            let _ = month.is_done();
            sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn whatever_is_harmed_nothing_is_lost_and_answers_are_right_or_refused() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    let first = Sf::delivery(folder, 400);
    let second = folder.join("delivery-2512");
    Sf::embedded(folder).ok(&["datagen", "--out", second.to_str().unwrap(), "--companies", "400", "--seed", "7", "--batch", "2512"]);
    let expected = without_harm(folder, &first, &second);

    let s3 = S3::start(&folder.join("weed"));
    let port = s3.options.s3.endpoint.as_ref().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(port, 11);
    let other = Proxy::start(port, 12);
    let [endpoint, second_endpoint] = [&proxy, &other].map(|proxy| Some(format!("http://127.0.0.1:{}", proxy.port)));
    let setup = Setup { replicas: 2, endpoint, second_endpoint, redis_cluster: true, ..Setup::default() };
    let setup = setup.with("SF_JOBS__LEASE_SECONDS", "3");
    let mut world = World { cluster: Cluster::with_storage(folder, s3, setup), proxies: [proxy, other], faults: Vec::new() };
    let sf = Sf::remote(&world.cluster.servers());
    // One replica of each has a clock far ahead of the leases of the others' jobs: it leaves them alone.
    world.cluster.set_clock(1, Some("+420"));
    sf.ok(&["run", first.to_str().unwrap(), "--batch", "2511"]);
    assert_eq!(world.cluster.jobs_taken_over(), 0, "a clock that is ahead takes jobs from who works on them");
    world.cluster.set_clock(1, None);
    let shown = sf.json(&["lists", "show", "latest", "--limit", "20"]);
    let sirens: Vec<String> =
        shown["entries"].as_array().unwrap().iter().map(|entry| entry["siren"].as_str().unwrap().to_owned()).collect();

    let clients = Clients::start(folder, &world.cluster, &sirens);
    sleep(Duration::from_secs(3));
    let mut month = Month::start(&sf, &second);
    harms(&mut world, &mut month);
    let patience = Instant::now();
    while !month.is_done() {
        assert!(patience.elapsed() < Duration::from_mins(4), "the month does not end");
        sleep(Duration::from_millis(500));
    }
    sleep(Duration::from_secs(3));
    let answers = clients.answers();
    drop(clients);

    assert_eq!(list(&sf, folder, "after.csv"), expected, "the list after all harms is not that of a run without any");
    answers_are_right(&answers);
    report(&world.faults, &answers, month.attempts);
}

/// The list that an undisturbed process publishes.
fn without_harm(folder: &Path, first: &Path, second: &Path) -> Vec<u8> {
    let embedded = Sf::embedded(&folder.join("embedded"));
    embedded.ok(&["run", first.to_str().unwrap(), "--batch", "2511"]);
    embedded.ok(&["run", second.to_str().unwrap(), "--batch", "2512", "--allow-degraded"]);
    list(&embedded, folder, "expected.csv")
}

fn harms(world: &mut World, month: &mut Month) {
    let nothing = |_: &mut World| ();
    world.harm("a scoring replica is killed and started again", month, |world| world.cluster.restart("scoring", 0, "KILL"), nothing);
    world.harm("the feature store is killed and started again", month, |world| world.cluster.restart("feature-store", 0, "KILL"), nothing);
    world.harm(
        "ingestion and training are killed",
        month,
        |world| {
            world.cluster.restart("ingestion", 0, "KILL");
            world.cluster.restart("training", 0, "KILL");
        },
        nothing,
    );
    world.harm(
        "a scoring replica is paused (SIGSTOP)",
        month,
        |world| world.cluster.signal("scoring", 1, "STOP"),
        |world| world.cluster.signal("scoring", 1, "CONT"),
    );
    world.harm(
        "one of three servers of Redis is paused",
        month,
        |world| world.cluster.redis()[0].signal("STOP"),
        |world| world.cluster.redis()[0].signal("CONT"),
    );
    world.harm(
        "one of three servers of Redis is killed, and comes back empty",
        month,
        |world| world.cluster.redis()[1].stop(),
        |world| world.cluster.redis()[1].start_again(),
    );
    world.harm(
        "all servers of Redis are killed, and come back empty",
        month,
        |world| world.cluster.redis().iter_mut().for_each(Redis::stop),
        |world| world.cluster.redis().iter_mut().for_each(Redis::start_again),
    );
    world.harm("S3 is paused", month, |world| world.cluster.storage().signal("STOP"), |world| world.cluster.storage().signal("CONT"));
    world.harm(
        "the network to S3 answers 500, cuts and loses connections",
        month,
        |world| world.proxies.iter().for_each(|proxy| proxy.misbehave(true)),
        |world| world.proxies.iter().for_each(|proxy| proxy.misbehave(false)),
    );
    world.harm(
        "a partition: the second replica of each service is cut off from S3",
        month,
        |world| world.proxies[1].part(true),
        |world| world.proxies[1].part(false),
    );
    world.harm(
        "the clocks of one replica of each service are seven minutes ahead",
        month,
        |world| world.cluster.set_clock(1, Some("+420")),
        |world| world.cluster.set_clock(1, None),
    );
    world.harm(
        "the clocks of the other replicas are seven minutes behind",
        month,
        |world| world.cluster.set_clock(0, Some("-420")),
        |world| world.cluster.set_clock(0, None),
    );
    world.harm(
        "both feature stores are paused",
        month,
        |world| [0, 1].into_iter().for_each(|replica| world.cluster.signal("feature-store", replica, "STOP")),
        |world| [0, 1].into_iter().for_each(|replica| world.cluster.signal("feature-store", replica, "CONT")),
    );
}

/// Every answer that was given is the one that others gave, and the rest are refusals.
fn answers_are_right(answers: &[Value]) {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for answer in answers {
        let (status, text) = (answer["status"].as_str().unwrap(), answer["answer"].as_str().unwrap());
        if status != "OK" {
            assert!(REFUSALS.contains(&status), "{answer}");
            continue;
        }
        // What the last word says is decided by those before it: a score by model and company, a page by its list.
        let (subject, value) = text.rsplit_once(' ').unwrap_or((text, ""));
        let before = known.entry(format!("{} {subject}", answer["what"])).or_insert_with(|| value.to_owned());
        assert_eq!(before, value, "two answers for {subject}");
    }
}

/// Checks that each harm was over soon, and prints what was seen.
#[expect(clippy::print_stdout, reason = "the report is read by people")]
fn report(faults: &[Fault], answers: &[Value], attempts: u32) {
    let at = |answer: &Value| answer["at"].as_f64().unwrap();
    let is_bad = |answer: &&Value| answer["status"] != "OK" || answer["stale"] == true;
    let mut table =
        String::from("| harm | seconds | answers | refused | stale | slowest | as before after |\n|---|---|---|---|---|---|---|\n");
    for (index, fault) in faults.iter().enumerate() {
        let until = faults.get(index + 1).map_or(f64::MAX, |next| next.from);
        let window: Vec<&Value> = answers.iter().filter(|answer| at(answer) >= fault.from && at(answer) < until).collect();
        let last_bad = window.iter().copied().filter(is_bad).map(at).fold(fault.from, f64::max);
        let recovery = (last_bad - fault.to).max(0.0);
        let refused = window.iter().filter(|answer| answer["status"] != "OK").count();
        let stale = window.iter().filter(|answer| answer["stale"] == true).count();
        let slowest = window.iter().map(|answer| answer["took"].as_f64().unwrap()).fold(0.0, f64::max);
        let _ = writeln!(
            table,
            "| {} | {:.0} | {} | {refused} | {stale} | {slowest:.1} s | {recovery:.1} s |",
            fault.name,
            fault.to - fault.from,
            window.len()
        );
        assert!(window.len() > 50, "{}: clients were not answered at all\n{table}", fault.name);
        assert!(recovery < RECOVERY, "{}: not over after {recovery:.1} s\n{table}", fault.name);
    }
    let end = answers.last().map_or(0.0, at);
    assert!(answers.iter().rev().take_while(|answer| at(answer) > end - HEALTH).all(|answer| !is_bad(&answer)), "not healthy at the end");
    println!("{table}\nThe month that was run meanwhile ended at attempt {attempts}.");
    if let Some(path) = std::env::var_os("SF_FAULT_REPORT") {
        std::fs::write(path, table).unwrap();
    }
}
