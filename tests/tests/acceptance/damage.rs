//! Storage that is full, or that gives back other bytes than it was given: it is said, and nothing half-done is believed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use acceptance::program;
use acceptance::sf::Sf;
use tempfile::tempdir;

/// `sf` on a disk that takes no file of more than so many KiB: what a full disk answers, without filling one.
fn on_a_small_disk(kilobytes: u32, data: &Path, arguments: &[&str]) -> Output {
    // The signal that would end the process is ignored; the write fails instead.
    let limited = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &limited, "bash"]).arg(program("sf")).arg("--data").arg(data).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The only file under a folder whose name ends so.
fn only(folder: &Path, end: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = files(folder).into_iter().filter(|path| path.to_string_lossy().ends_with(end)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Turns one bit over in the middle of each part of a file; gives the file as it was.
fn damage(path: &Path, parts: usize) -> Vec<u8> {
    let before = fs::read(path).unwrap();
    let mut after = before.clone();
    let size = after.len() / parts;
    after.chunks_mut(size).for_each(|part| part[part.len() / 2] ^= 1);
    fs::write(path, after).unwrap();
    before
}

#[test]
fn on_a_full_disk_an_import_changes_nothing_and_goes_on_once_there_is_room() {
    let folder = tempdir().unwrap();
    let (full, other) = (folder.path().join("full"), folder.path().join("other"));
    let delivery = Sf::delivery(folder.path(), 300);
    let ingest = ["ingest", delivery.to_str().unwrap(), "--batch", "2511"];
    for kilobytes in [1, 16, 128] {
        let failed = on_a_small_disk(kilobytes, &full, &ingest);
        let said = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert_eq!(failed.status.code(), Some(1), "{kilobytes} KiB: {said}");
        assert!(said.contains("SF-LAK-0001"), "{kilobytes} KiB: {said}");
    }
    let counts = |data: &Path| Sf::embedded(data).json(&["batches", "show", "2511"])["files"].clone();
    Sf::embedded(&full).ok(&ingest);
    Sf::embedded(&other).ok(&ingest);
    let rows = |data: &Path| {
        let files = counts(data);
        let count = |file: &serde_json::Value| (file["name"].to_string(), file["rows"].to_string());
        files.as_array().unwrap().iter().map(count).collect::<Vec<_>>()
    };
    assert_eq!(rows(&full), rows(&other));
}

#[test]
fn bytes_that_were_not_stored_are_not_believed() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let sf = Sf::embedded(&data);
    let delivery = Sf::delivery(folder.path(), 400);
    sf.ok(&["run", delivery.to_str().unwrap(), "--batch", "2511"]);
    let shown = sf.json(&["lists", "show", "latest", "--limit", "1"]);
    let siren = shown["entries"][0]["siren"].as_str().unwrap().to_owned();
    let lake = data.join("lake");

    let model = only(&lake.join("models"), "model.txt");
    let before = damage(&model, 1);
    assert!(sf.fails(&["score", &siren]).contains("SF-LAK-0002"), "a model");
    fs::write(&model, before).unwrap();

    let entries = only(&lake.join("lists"), "entries.parquet");
    let before = damage(&entries, 1);
    assert!(sf.fails(&["lists", "show", "latest"]).contains("SF-LAK-0002"), "a list");
    fs::write(&entries, before).unwrap();

    let snapshot = only(&lake.join("online"), ".bin");
    // Each vector has a checksum of its own: a part for each would be spared by one bit in the middle of all.
    let before = damage(&snapshot, 5_000);
    assert!(sf.fails(&["score", &siren]).contains("SF-"), "the snapshot of the vectors");
    fs::write(&snapshot, before).unwrap();
    assert_eq!(sf.json(&["lists", "show", "latest", "--limit", "1"]), shown, "nothing else was changed");
}
