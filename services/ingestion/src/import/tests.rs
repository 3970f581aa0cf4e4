//! An import that dies at any step leaves each table as it was before, or as it is meant to be; the next one ends the work.

use std::collections::BTreeMap;
use std::path::Path;

use api::ingestion::ImportBatchRequest;
use datagen::{Options, write_delivery};
use domain::records::Record;
use domain::{BatchKey, Month, Source};
use futures::TryStreamExt;
use lake::faults::Faulty;
use lake::tables::{PerimeterRow, RejectRow, Stored};
use lake::{Columnar, Lake};
use service_kit::operations::JobProgress;
use sources::RowParser;
use tempfile::{TempDir, tempdir};

use super::Import;
use crate::error::IngestError;
use crate::upload::Uploads;
use crate::{Settings, report, tables};

/// Sources of the test: what a perimeter needs, and one with rejected lines.
const SOURCES: [Source; 4] = [Source::Sirene, Source::SireneUl, Source::EffectifEnt, Source::Debit];

/// A delivery of a few companies.
fn delivery(companies: u32) -> TempDir {
    let folder = tempdir().unwrap();
    let options = Options { companies, first: Month::new(2024, 1).unwrap(), ..Options::new(batch()) };
    write_delivery(folder.path(), &options).unwrap();
    folder
}

fn batch() -> BatchKey {
    "2511".parse().unwrap()
}

async fn import(lake: &Lake, delivery: &Path) -> Result<(), IngestError> {
    let settings = Settings { uploads: Uploads { local_folders: true, ..Uploads::default() }, ..Settings::default() };
    let request = ImportBatchRequest {
        batch: batch().to_string(),
        sources: SOURCES.iter().map(|source| source.name().to_owned()).collect(),
        allow_degraded: true,
        uri: format!("file://{}", delivery.display()),
        ..ImportBatchRequest::default()
    };
    Import { lake, settings: &settings, batch: batch(), request: &request }.run(&JobProgress::default()).await.map(|_| ())
}

/// What each table holds, sorted.
async fn tables(lake: &Lake) -> BTreeMap<&'static str, Vec<String>> {
    async fn rows<P: RowParser>(lake: &Lake) -> (&'static str, Vec<String>)
    where
        P::Row: Columnar,
    {
        let rows = lake.table::<Stored<P::Row>>().state(batch()).await.unwrap().rows(None).await.unwrap();
        (P::Row::SOURCE.name(), rows.iter().map(|row| format!("{row:?}")).collect())
    }
    let mut tables = BTreeMap::new();
    for source in SOURCES {
        let (name, rows) = tables::dispatch!(source, Parser => rows::<Parser>(lake).await);
        tables.insert(name, rows);
    }
    let rejects: Vec<RejectRow> = lake.table().scan(batch(), None).await.unwrap().try_concat().await.unwrap();
    tables.insert("rejects", rejects.iter().map(|row| format!("{row:?}")).collect());
    let perimeter: Vec<PerimeterRow> = lake.table().scan(batch(), None).await.unwrap().try_concat().await.unwrap();
    tables.insert("perimeter", perimeter.iter().map(|row| format!("{row:?}")).collect());
    let report = report::find(lake, batch()).await.unwrap().unwrap();
    tables.insert("report", report.files.iter().map(|file| format!("{} {} {}", file.file_name, file.outcome, file.rows)).collect());
    for rows in tables.values_mut() {
        rows.sort_unstable();
    }
    tables
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_the_old_or_the_new() {
    let (before, after) = (delivery(15), delivery(22));
    let (lake, imported) = Faulty::lake();
    import(&lake, before.path()).await.unwrap();
    let old = tables(&lake).await;
    let (lake, _) = imported.fork();
    import(&lake, after.path()).await.unwrap();
    let new = tables(&lake).await;
    for (table, rows) in old.iter().filter(|(table, _)| **table != "rejects") {
        assert!(!rows.is_empty() && *rows != new[table], "{table} shows no difference between the deliveries");
    }
    let mut steps = 0;
    loop {
        let (lake, store) = imported.fork();
        store.die_after(steps);
        let ended = import(&lake, after.path()).await;
        if !store.revive() {
            ended.unwrap();
            assert_eq!(tables(&lake).await, new);
            break;
        }
        for (table, rows) in tables(&lake).await {
            assert!(rows == old[table] || rows == new[table], "dead after {steps} changes: {table} is neither the old nor the new one");
        }
        import(&lake, after.path()).await.unwrap();
        assert_eq!(tables(&lake).await, new, "dead after {steps} changes, then imported again");
        steps += 1;
    }
    assert!(steps > 20, "an import is more than {steps} changes");
}
