//! Whole files: those of an independent generator against its own counts, and arbitrary bytes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod examples;
mod layouts;
mod past;
mod values;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::slice::from_mut;

use domain::Source;
use proptest::prelude::*;
use serde_json::Value;
use sources::{FileError, ParseError, Parsed, RowParser, Sink, SourceVisitor, detect, dispatch, parse};

/// Counts rows.
#[derive(Default)]
struct Count(u64);

impl<R> Sink<R> for Count {
    type Error = Infallible;
    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), Infallible> {
        self.0 += rows.len() as u64;
        Ok(())
    }
}

struct Run<'a, R>(R, &'a str);

impl<R: Read> SourceVisitor for Run<'_, R> {
    type Output = Result<Parsed, FileError>;
    fn visit<P: RowParser + 'static>(self) -> Self::Output {
        let mut count = Count::default();
        match parse::<P, _>(self.0, self.1, None, from_mut(&mut count)) {
            Ok(parsed) => {
                assert_eq!(parsed.report.rows, count.0);
                Ok(parsed)
            }
            Err(ParseError::File(error)) => Err(error),
            Err(ParseError::Sink(never)) => match never {},
        }
    }
}

fn shared() -> Option<PathBuf> {
    let given = std::env::var_os("SF_SHARED").map(PathBuf::from);
    let path = given.clone().unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")));
    assert!(given.is_none() || path.is_dir(), "SF_SHARED is not a folder");
    path.is_dir().then_some(path)
}

/// Skipped by the existing importer, kept by us (decision 0006).
const KEPT: [&str; 2] = ["not_NAFRev2", "not_NAFRev2_head_office"];
/// Rejected by the existing importer, skipped by us: identifiers known to be junk.
const JUNK: [&str; 4] = ["acoss_internal_id", "empty_siret", "empty_siren", "siret_8_digits"];

#[test]
fn every_file_of_a_foreign_delivery_is_counted_to_the_unit() {
    let Some(world) = shared().map(|shared| shared.join("data/world-a")) else { return };
    let truth: Value = serde_json::from_reader(File::open(world.join("truth/expected_report.json")).unwrap()).unwrap();
    for (name, expected) in truth["files"].as_object().unwrap() {
        let source = detect(name).unwrap_or_else(|| panic!("{name} is not recognised"));
        let Parsed { report, rejections } = dispatch(source, Run(File::open(world.join("2511").join(name)).unwrap(), name)).unwrap();
        // The generator expects an empty SIRET of a short-time request to be rejected, as the specification says (§1.13).
        let junk: Vec<&str> = match source {
            Source::Apdemande => vec![],
            // The bad SIRETs of this file are `@`, known junk too.
            Source::Delai => [&JUNK[..], &["bad_siret"]].concat(),
            _ => JUNK.to_vec(),
        };
        let records = |kinds: &[&str]| -> BTreeSet<u64> {
            let listed = kinds.iter().filter_map(|kind| expected["dirt"][kind]["records"].as_array()).flatten();
            listed.filter_map(Value::as_u64).collect()
        };
        let rejected: BTreeSet<u64> = expected["rejected_records"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        let wanted: BTreeSet<u64> = rejected.difference(&records(&junk)).copied().collect();
        let found: BTreeSet<u64> = rejections.iter().map(|rejection| rejection.record).collect();
        assert_eq!(found, wanted, "{name}: rejected records");
        assert_eq!(report.lines, expected["lines_parsed"].as_u64().unwrap(), "{name}: lines");
        let kept_here = records(&KEPT).len() as u64;
        assert_eq!(report.valid, expected["no_filter"]["lines_valid"].as_u64().unwrap() + kept_here, "{name}: valid");
        let skipped = expected["no_filter"]["lines_skipped"].as_u64().unwrap() - kept_here + records(&junk).len() as u64;
        assert_eq!(report.skips(), skipped, "{name}: skipped");
        assert_eq!(report.rejections(), rejections.len() as u64);
        for (_, dirt) in expected["dirt"].as_object().unwrap().iter().filter(|(_, dirt)| dirt["effect"] == "rejected") {
            let lines = dirt["physical_lines"].as_array().unwrap();
            for (record, line) in dirt["records"].as_array().unwrap().iter().zip(lines) {
                if let Some(rejection) = rejections.iter().find(|rejection| Some(rejection.record) == record.as_u64()) {
                    assert_eq!(Some(rejection.line), line.as_u64(), "{name}: physical line of record {record}");
                }
            }
        }
    }
}

fn run(source: Source, name: &str, bytes: &[u8]) -> Result<Parsed, FileError> {
    dispatch(source, Run(bytes, name))
}

const PROCOL: &str = "Siret;Siren;Dt_effet;Cat_v2;Lib_actx_stdx\n";

#[test]
fn faults_of_a_whole_file_are_named() {
    assert!(matches!(run(Source::Procol, "p.csv", b""), Err(FileError::Empty)));
    let renamed = PROCOL.replace("Dt_effet", "Date_effet");
    let error = run(Source::Procol, "p.csv", renamed.as_bytes()).err().unwrap().to_string();
    assert!(error.contains("'Dt_effet'") && error.contains("Date_effet"), "{error}");
    let paydex = b"SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\n";
    assert!(matches!(run(Source::Procol, "p.csv", paydex), Err(FileError::WrongSource { looks_like: Source::Paydex, .. })));

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(PROCOL.as_bytes()).unwrap();
    gzip.write_all(&b"73282932000074;732829320;26MAY2014;1;ouverture_liquidation\n".repeat(5_000)).unwrap();
    let gzip = gzip.finish().unwrap();
    assert_eq!(run(Source::Procol, "p.csv.gz", &gzip).unwrap().report.valid, 5_000);
    assert!(matches!(run(Source::Procol, "p.csv.gz", &gzip[..gzip.len() - 20]), Err(FileError::Unreadable(_))));
    assert!(matches!(run(Source::Procol, "p.csv.gz", b"not gzip"), Err(FileError::Unreadable(_))));
}

#[test]
fn a_header_may_have_a_mark_another_case_and_another_order() {
    let text = "\u{feff}LIB_ACTX_STDX;dt_effet;more;SIRET\r\nouverture_liquidation;26MAY2014;x;73282932000074\r\n";
    let report = run(Source::Procol, "p.csv", text.as_bytes()).unwrap().report;
    assert_eq!((report.valid, report.rows), (1, 1));
}

/// Gives one byte at a time.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(1);
        self.0.read(&mut buffer[..count])
    }
}

proptest! {
    #[test]
    fn any_bytes_are_accounted_for(body in "[0-9A-Z;\"\r\n ./_é]{0,400}") {
        for source in [Source::Procol, Source::Cotisation] {
            let header = if source == Source::Procol { PROCOL } else { "Siret;Compte;periode;enc_direct;cotis_due\n" };
            let text = format!("{header}{body}");
            let parsed = run(source, "x.csv", text.as_bytes()).unwrap();
            let report = &parsed.report;
            prop_assert_eq!(report.lines, report.valid + report.rejections() + report.skips());
            prop_assert_eq!(report.rejections(), parsed.rejections.len() as u64);
            prop_assert_eq!(dispatch(source, Run(Drip(text.as_bytes()), "x.csv")).unwrap(), parsed);
        }
    }

    #[test]
    fn raw_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for source in Source::ALL {
            let _ = run(source, "x.csv", &bytes);
            let _ = run(source, "x.csv.gz", &bytes);
        }
    }
}
