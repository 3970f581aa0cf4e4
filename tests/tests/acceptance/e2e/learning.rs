//! Trainings that are killed, and trainings of several processes of which one is lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use acceptance::Random;
use acceptance::sf::Sf;
use lake::testing::free_ports;
use serde_json::Value;
use tempfile::tempdir;

const TRAIN: [&str; 5] = ["train", "--batch", "2511", "--parameter", "rounds=60"];

/// Features of an invented delivery, under `folder/data`.
fn built(folder: &Path, companies: u32) -> Sf {
    let delivery = Sf::delivery(folder, companies);
    let sf = Sf::embedded(&folder.join("data")).with_env("SF_JOBS__LEASE_SECONDS", "1");
    sf.ok(&["ingest", delivery.to_str().unwrap(), "--batch", "2511"]);
    sf.ok(&["features", "build", "--batch", "2511"]);
    sf
}

/// The files of each registered model.
fn artifacts(folder: &Path, sf: &Sf) -> BTreeMap<String, [Vec<u8>; 4]> {
    let models = sf.json(&["models", "list"]);
    let files = |model: &Value| {
        let id = model["id"].as_str().unwrap().to_owned();
        let read = |name| std::fs::read(folder.join("data/lake/models").join(&id).join(name)).unwrap();
        let files = ["model.txt", "model.json", "metrics.json", "card.html"].map(read);
        (id, files)
    };
    models["models"].as_array().into_iter().flatten().map(files).collect()
}

/// Whatever the moment, a model that is listed is whole; asked again in peace, the training ends in the very same model.
#[test]
fn trainings_killed_at_random_leave_no_half_model() {
    let folder = tempdir().unwrap();
    let sf = built(folder.path(), 400);
    let start = Instant::now();
    sf.ok(&TRAIN);
    let (mut whole, undisturbed) = (start.elapsed(), artifacts(folder.path(), &sf));
    assert_eq!(undisturbed.len(), 1);
    for part in ["models", "operations", "pointers"] {
        std::fs::remove_dir_all(folder.path().join("data/lake").join(part)).unwrap();
    }
    let (mut random, mut killed) = (Random(20_261_126), 0);
    for _ in 0..10 {
        // The last part of a training, where it registers, is as likely as all that comes before.
        let share = random.step() as f64 / f64::from(1u32 << 31);
        let moment = if random.step().is_multiple_of(2) { share } else { 0.9 + share / 5.0 };
        let (start, mut training) = (Instant::now(), sf.spawn(&TRAIN));
        while start.elapsed() < whole.mul_f64(moment) {
            sleep(Duration::from_millis(5));
            if training.try_wait().unwrap().is_some() {
                // The machine was busier when the first one was timed.
                whole = whole.min(start.elapsed());
                break;
            }
        }
        training.kill().unwrap();
        killed += u32::from(!training.wait().unwrap().success());
        for (id, files) in artifacts(folder.path(), &sf) {
            assert_eq!(Some(&files), undisturbed.get(&id), "{id}");
        }
    }
    assert!(killed >= 4, "only {killed} trainings were killed");
    sf.ok(&TRAIN);
    assert_eq!(artifacts(folder.path(), &sf), undisturbed);
}

/// A process that is stopped when the value is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn processes_train_together_and_start_over_when_one_is_lost() {
    let folder = tempdir().unwrap();
    let sf = built(folder.path(), 1_500);
    let auc = |model: &Value| model["evaluations"][0]["auc"].as_f64().unwrap();
    let alone = sf.json(&TRAIN);

    let [port] = free_ports::<1>();
    let (address, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let _service = Process(sf.spawn(&["up", "--listen", &address]));
    let remote = Sf::remote(&url);
    let patience = Instant::now();
    while !remote.output(&["models", "list"]).status.success() {
        assert!(patience.elapsed() < Duration::from_mins(1), "the service is not up");
        sleep(Duration::from_millis(200));
    }
    // Workers go by the service's settings: a Deployment of them has none of its own, and other defaults.
    let worker = || {
        let sf = sf.clone().with_env("SF_SERVER", &url).with_env("SF_SERVICE__TRAINING__THREADS", "1");
        Process(sf.with_env("SF_SERVICE__TRAINING__TRAINING_MONTH_STEP", "7").spawn(&["train-worker"]))
    };
    let first = worker();
    let together = remote.json(&[&TRAIN[..], &["--workers", "2"]].concat());
    assert_ne!(together["id"], alone["id"]);
    assert!((auc(&together) - auc(&alone)).abs() < 0.01, "{} {}", auc(&together), auc(&alone));

    // More trees, so that the worker is lost while they grow; another one comes, and the training starts over.
    let long = ["train", "--batch", "2511", "--workers", "2", "--parameter", "rounds=600", "--parameter", "early_stopping_rounds=600"];
    let training = remote.spawn(&[&["--format", "json"], &long[..]].concat());
    sleep(Duration::from_secs(6));
    drop(first);
    let _second = worker();
    let output = training.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let survived: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(auc(&survived) > 0.6, "{survived}");
}
