//! Commits whose answer is lost, and what other readers find in the log.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use serde_json::Value;

use crate::faults::{Fault, Faulty};
use crate::tables::PerimeterRow;
use crate::{Lake, Result};

fn row(siren: u32, reason: &str) -> PerimeterRow {
    PerimeterRow {
        siren: domain::Siren::from_number(siren).unwrap(),
        included: reason.is_empty(),
        reason: reason.to_owned(),
        basis: String::new(),
        headcount: 10,
        months: 36,
    }
}

async fn write(lake: &Lake, batch: &str, rows: Vec<PerimeterRow>) -> Result<i64> {
    let mut writer = lake.table::<PerimeterRow>().writer(batch.parse().unwrap());
    writer.write(rows).await?;
    writer.commit().await
}

async fn read(lake: &Lake, batch: &str) -> Vec<PerimeterRow> {
    lake.table::<PerimeterRow>().scan(batch.parse().unwrap(), None).await.unwrap().try_concat().await.unwrap()
}

/// The actions of a version, as any reader of Delta finds them.
async fn actions(lake: &Lake, version: i64) -> Vec<Value> {
    let bytes = lake.objects().get(&format!("tables/perimeter/_delta_log/{version:020}.json")).await.unwrap();
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).unwrap()).collect()
}

fn paths<'a>(actions: &'a [Value], kind: &str) -> BTreeSet<&'a str> {
    actions.iter().filter_map(|action| action[kind]["path"].as_str()).collect()
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_and_not_made_twice() {
    for fault in [Fault::AnswerLost, Fault::SentTwice] {
        let (lake, store) = Faulty::lake();
        write(&lake, "2511", vec![row(1, "old")]).await.unwrap();
        let before = lake.table::<PerimeterRow>().version().await.unwrap().unwrap();
        store.fail("_delta_log/0000", fault);
        assert_eq!(write(&lake, "2511", vec![row(2, "new")]).await.unwrap(), before + 1, "{fault:?}");
        assert_eq!(lake.table::<PerimeterRow>().version().await.unwrap(), Some(before + 1), "{fault:?}");
        assert_eq!(read(&lake, "2511").await, [row(2, "new")], "{fault:?}");
        for version in 0..=before + 1 {
            let actions = actions(&lake, version).await;
            assert!(paths(&actions, "add").is_disjoint(&paths(&actions, "remove")), "{fault:?}: {actions:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_commit_fails_at_once_and_keeps_the_old_rows() {
    let (lake, store) = Faulty::lake();
    write(&lake, "2511", vec![row(1, "old")]).await.unwrap();
    for _ in 0..3 {
        store.fail("_delta_log/0000", Fault::Refused);
    }
    let start = Instant::now();
    assert!(write(&lake, "2511", vec![row(2, "new")]).await.is_err(), "only conflicts are tried again");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(read(&lake, "2511").await, [row(1, "old")]);
}

#[tokio::test]
async fn a_commit_says_what_it_is_and_asks_little_of_readers() {
    let (lake, _) = Faulty::lake();
    let mut writer = lake.table::<PerimeterRow>().writer("2511".parse().unwrap());
    writer.describe("sha256", "abc");
    writer.write(vec![row(7, ""), row(3, "size")]).await.unwrap();
    let version = writer.commit().await.unwrap();

    let created = actions(&lake, 0).await;
    let protocol = created.iter().find_map(|action| action.get("protocol")).unwrap();
    assert_eq!((&protocol["minReaderVersion"], &protocol["minWriterVersion"]), (&1.into(), &2.into()));
    let committed = actions(&lake, version).await;
    let info = committed.iter().find_map(|action| action.get("commitInfo")).unwrap();
    assert_eq!((&info["batch"], &info["info"]["sha256"]), (&"2511".into(), &"abc".into()));
    let add = committed.iter().find_map(|action| action.get("add")).unwrap();
    let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(stats["numRecords"], 2);
    assert_eq!((&stats["minValues"]["siren"], &stats["maxValues"]["siren"]), (&"000000003".into(), &"000000007".into()));
}

#[tokio::test]
async fn a_batch_replaced_by_nothing_is_empty() {
    let (lake, _) = Faulty::lake();
    write(&lake, "2511", vec![row(1, "")]).await.unwrap();
    write(&lake, "2511", Vec::new()).await.unwrap();
    assert!(read(&lake, "2511").await.is_empty());
    assert!(lake.table::<PerimeterRow>().batches().await.unwrap().is_empty());
}

#[tokio::test]
async fn rows_lost_by_a_failed_write_are_never_committed_without() {
    let (lake, store) = Faulty::lake();
    write(&lake, "2511", vec![row(1, "old")]).await.unwrap();
    // A run is written while the next one is filled: its failure is told by the next call, whichever that is.
    for writes_after in [0, 1, 2] {
        let mut writer = lake.table::<PerimeterRow>().writer("2511".parse().unwrap()).with_run_rows(1);
        store.fail("part-", Fault::Refused);
        writer.write(vec![row(2, "lost")]).await.unwrap();
        for _ in 0..writes_after {
            assert!(writer.write(vec![row(3, "kept")]).await.is_err());
        }
        assert!(writer.commit().await.is_err(), "half of the rows is not the batch, {writes_after} writes later");
        assert_eq!(read(&lake, "2511").await, [row(1, "old")]);
    }
}

#[tokio::test]
async fn many_runs_are_one_commit() {
    let (lake, _) = Faulty::lake();
    let mut writer = lake.table::<PerimeterRow>().writer("2511".parse().unwrap()).with_run_rows(3);
    for number in (0..10).rev() {
        writer.write(vec![row(number, "")]).await.unwrap();
    }
    assert_eq!(writer.rows(), 10);
    let version = writer.commit().await.unwrap();
    assert_eq!(paths(&actions(&lake, version).await, "add").len(), 4);
    let numbers: Vec<u32> = read(&lake, "2511").await.iter().map(|row| row.siren.number()).collect();
    assert_eq!(numbers, [7, 8, 9, 4, 5, 6, 1, 2, 3, 0], "sorted within a run");
}

#[tokio::test]
async fn a_table_outlives_its_checkpoints() {
    let (lake, _) = Faulty::lake();
    for number in 0..105 {
        write(&lake, if number % 2 == 0 { "2510" } else { "2511" }, vec![row(number, "")]).await.unwrap();
    }
    let log = lake.objects().list("tables/perimeter/_delta_log").await.unwrap();
    assert!(log.iter().any(|path| path.ends_with(".checkpoint.parquet")), "{log:?}");
    assert_eq!(read(&lake, "2510").await, [row(104, "")]);
    assert_eq!(read(&lake, "2511").await, [row(103, "")]);
    assert_eq!(lake.table::<PerimeterRow>().batches().await.unwrap().len(), 2);
}
