//! Who runs a job, who waits for it, and what becomes of it when they die.

use std::sync::atomic::{AtomicU32, Ordering};

use api::common::Chunk;
use lake::LakeOptions;

use super::*;

const ECHO: Kind = Kind { service: "test", name: "echo", response: "signauxfaibles.common.v1.Chunk" };

fn chunk(text: &'static str) -> Chunk {
    Chunk { data: text.as_bytes().into() }
}

fn lake() -> (tempfile::TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path().to_str().unwrap(), &LakeOptions::default()).unwrap();
    (folder, lake)
}

/// A process whose job counts its runs and takes `millis`.
fn process(lake: &Lake, millis: u64, runs: &Arc<AtomicU32>) -> Jobs {
    let jobs = Jobs::new(lake.clone(), &JobsConfig { lease_seconds: 1 });
    let runs = runs.clone();
    jobs.register(ECHO, move |request: Chunk, progress: JobProgress| {
        let runs = runs.clone();
        async move {
            runs.fetch_add(1, Ordering::SeqCst);
            progress.set(1, 2, "things", "halfway");
            sleep(Duration::from_millis(millis)).await;
            match &request.data[..] {
                b"panic" => panic!("a defect"),
                b"fail" => Err(ServiceError::new(ErrorCode::NoFiles, "nothing")),
                _ => Ok(request),
            }
        }
    });
    jobs
}

async fn ended(jobs: &Jobs, name: &str) -> Operation {
    let operation = jobs.wait(name, Duration::from_secs(20)).await.unwrap();
    assert!(operation.done);
    operation
}

#[tokio::test]
async fn the_same_request_joins_the_running_job() {
    let (_folder, lake) = lake();
    let runs = Arc::default();
    let jobs = process(&lake, 300, &runs);
    let first = jobs.start(ECHO, &chunk("a")).await.unwrap();
    let second = jobs.start(ECHO, &chunk("a")).await.unwrap();
    assert_eq!(first.name, second.name);
    ended(&jobs, &first.name).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    jobs.start(ECHO, &chunk("a")).await.unwrap();
    ended(&jobs, &first.name).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2, "once ended it may run again");
}

#[tokio::test]
async fn jobs_that_would_undo_each_other_run_one_at_a_time() {
    let (_folder, lake) = lake();
    let jobs = process(&lake, 300, &Arc::default());
    let first = jobs.start_alone(ECHO, "2511", &chunk("a")).await.unwrap();
    assert_eq!(jobs.start_alone(ECHO, "2511", &chunk("a")).await.unwrap().name, first.name, "the same request joins");
    assert_eq!(jobs.start_alone(ECHO, "2511", &chunk("b")).await.unwrap_err().code(), ErrorCode::OperationBusy);
    jobs.start_alone(ECHO, "2512", &chunk("b")).await.unwrap();
    ended(&jobs, &first.name).await;
    jobs.start_alone(ECHO, "2511", &chunk("b")).await.unwrap();
}

#[tokio::test]
async fn failures_and_defects_end_with_a_code() {
    let (_folder, lake) = lake();
    let jobs = process(&lake, 0, &Arc::default());
    for (request, code) in [("fail", ErrorCode::NoFiles), ("panic", ErrorCode::OperationCrashed)] {
        let operation = jobs.start(ECHO, &chunk(request)).await.unwrap();
        let Some(api::google::longrunning::operation::Result::Error(error)) = ended(&jobs, &operation.name).await.result else {
            panic!("{request} must fail")
        };
        assert_eq!(ServiceError::from_rpc(&error).code(), code);
    }
    assert_eq!(jobs.get("operations/test/none").await.unwrap_err().code(), ErrorCode::OperationNotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_takes_over_the_job_of_a_dead_one() {
    let (_folder, lake) = lake();
    let runs = Arc::default();
    // The first process dies with its runtime, in the middle of the job.
    let first = lake.clone();
    let counted = Arc::clone(&runs);
    let name = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let name = runtime.block_on(async {
            let jobs = process(&first, 60_000, &counted);
            let name = jobs.start(ECHO, &chunk("a")).await.unwrap().name;
            sleep(Duration::from_millis(100)).await;
            name
        });
        runtime.shutdown_background();
        name
    })
    .await
    .unwrap();
    let second = process(&lake, 0, &runs);
    second.watch();
    ended(&second, &name).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_request_in_the_place_of_an_abandoned_one_replaces_it() {
    let (_folder, lake) = lake();
    let (dead, name) = started(&lake).await;
    abandon(&dead, &name).await;
    let after = Arc::default();
    let alive = process(&lake, 0, &after);
    assert_eq!(alive.start_alone(ECHO, "2511", &chunk("b")).await.unwrap().name, name);
    ended(&alive, &name).await;
    assert_eq!(after.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn whoever_joins_an_operation_sees_it_to_its_end() {
    let (_folder, lake) = lake();
    let (dead, name) = started(&lake).await;
    let after = Arc::default();
    let alive = process(&lake, 0, &after);
    alive.start_alone(ECHO, "2511", &chunk("a")).await.unwrap();
    abandon(&dead, &name).await;
    ended(&alive, &name).await;
    assert_eq!(after.load(Ordering::SeqCst), 1);
}

/// A process in the middle of a job that outlasts the test, and the name of the operation.
async fn started(lake: &Lake) -> (Jobs, String) {
    let jobs = process(lake, 60_000, &Arc::default());
    let name = jobs.start_alone(ECHO, "2511", &chunk("a")).await.unwrap().name;
    (jobs, name)
}

/// Takes the ownership of an operation from its owner, which then leaves it alone: what it would leave by dying.
async fn abandon(jobs: &Jobs, name: &str) {
    let (mut record, version) = jobs.read(name).await.unwrap().unwrap();
    record.owner = "nobody".to_owned();
    jobs.write(Some(&version), &record).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_job_stops() {
    let (_folder, lake) = lake();
    let jobs = process(&lake, 60_000, &Arc::default());
    let name = jobs.start(ECHO, &chunk("a")).await.unwrap().name;
    jobs.cancel(&name).await.unwrap();
    assert!(matches!(ended(&jobs, &name).await.result, Some(api::google::longrunning::operation::Result::Error(_))));
}

#[tokio::test]
async fn a_record_of_ours_that_nobody_works_on_is_taken_up() {
    let (_folder, lake) = lake();
    let runs = Arc::default();
    let jobs = process(&lake, 0, &runs);
    let name = jobs.start_alone(ECHO, "2511", &chunk("a")).await.unwrap().name;
    ended(&jobs, &name).await;
    // A write whose answer was lost: the record says that we are at work.
    let (mut record, version) = jobs.read(&name).await.unwrap().unwrap();
    (record.state, record.run, record.lease_until) = (State::Running, 2, now() + 60_000);
    jobs.write(Some(&version), &record).await.unwrap();
    jobs.watch();
    ended(&jobs, &name).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}
