//! A delivery as its readers see it: every line parses but those spoiled on purpose, and the same seed gives the same bytes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::path::Path;

use chrono::NaiveDate;
use datagen::{Options, Summary, write_delivery};
use sources::{ParseReport, RowParser, Sink, SourceVisitor, detect, dispatch, parse};

struct Ignore;

impl<R> Sink<R> for Ignore {
    type Error = Infallible;
    fn rows(&mut self, _: &mut Vec<R>) -> Result<(), Infallible> {
        Ok(())
    }
}

struct Read<'a>(&'a Path, &'a str);

impl SourceVisitor for Read<'_> {
    type Output = ParseReport;
    fn visit<P: RowParser + 'static>(self) -> ParseReport {
        parse::<P, _>(File::open(self.0).unwrap(), self.1, None, &mut [Ignore]).unwrap().report
    }
}

fn write(folder: &Path, companies: u32) -> Summary {
    let options = Options { companies, seed: 9, ..Options::new("2511".parse().unwrap()) };
    write_delivery(folder, &options).unwrap()
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
    };
    std::fs::read_dir(folder).unwrap().map(entry).collect()
}

#[test]
fn every_line_parses_but_those_spoiled() {
    let folder = tempfile::tempdir().unwrap();
    let summary = write(folder.path(), 300);
    let mut spoiled: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for ((file, kind), count) in &summary.dirt {
        let (rejected, skipped) = spoiled.entry(file.as_str()).or_default();
        match *kind {
            "exact_duplicate" => {}
            "acoss_internal_id" => *skipped += count,
            _ => *rejected += count,
        }
    }
    let mut files = 0;
    for name in bytes(folder.path()).keys() {
        let source = detect(name).unwrap_or_else(|| panic!("{name} is the name of no source"));
        let report = dispatch(source, Read(&folder.path().join(name), name));
        let (rejected, skipped) = spoiled.get(name.as_str()).copied().unwrap_or_default();
        assert_eq!((report.rejections(), report.skips()), (rejected, skipped), "{name}: {report:?}");
        assert!(report.rows > 0, "{name} has no row");
        let last = report.days.map(|(_, last)| last);
        assert!(last < NaiveDate::from_ymd_opt(2025, 12, 1), "{name} tells of {last:?}, after its delivery");
        files += 1;
    }
    assert_eq!(files, summary.files);
    assert!(summary.dirt.values().sum::<u64>() > 5, "a delivery without dirt teaches nothing");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_more_companies_only_add() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    write(folders[0].path(), 60);
    write(folders[1].path(), 60);
    write(folders[2].path(), 90);
    let [first, again, more] = folders.map(|folder| bytes(folder.path()));
    assert_eq!(first, again);
    for (name, content) in first.iter().filter(|(name, _)| !name.ends_with(".gz")) {
        assert!(more[name].starts_with(content), "{name}");
    }
}
