//! Any bytes in the parser of a source: no panic, and every line is accounted for.
//!
//! `SF_FUZZ_SOURCE` names the source; `scripts/fuzz.sh` goes through all of them.
#![no_main]

use std::convert::Infallible;
use std::io::Cursor;
use std::slice::from_mut;
use std::sync::LazyLock;

use domain::Source;
use libfuzzer_sys::fuzz_target;
use sources::{ParseError, Parsed, RowParser, Sink, SourceVisitor, dispatch, parse_file};

static SOURCE: LazyLock<Source> = LazyLock::new(|| {
    let name = std::env::var("SF_FUZZ_SOURCE").expect("SF_FUZZ_SOURCE names the source to fuzz");
    name.parse().expect("SF_FUZZ_SOURCE is a source")
});

#[derive(Default)]
struct Counted {
    rows: u64,
    lines: u64,
}

impl<R> Sink<R> for Counted {
    type Error = Infallible;
    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), Infallible> {
        self.rows += rows.len() as u64;
        Ok(())
    }
    fn digests(&mut self, digests: &[u64]) -> Result<(), Infallible> {
        self.lines += digests.len() as u64;
        Ok(())
    }
}

struct Run<'a>(&'a [u8], &'static str);

impl SourceVisitor for Run<'_> {
    type Output = ();
    fn visit<P: RowParser + 'static>(self) {
        let mut counted = Counted::default();
        match parse_file::<P, _>(Cursor::new(self.0), self.1, None, from_mut(&mut counted)) {
            Ok(Parsed { report, rejections }) => {
                assert_eq!(report.lines, report.valid + report.rejections() + report.skips());
                assert_eq!((report.rejections(), report.rows, report.lines), (rejections.len() as u64, counted.rows, counted.lines));
            }
            Err(ParseError::File(_)) => {}
            Err(ParseError::Sink(never)) => match never {},
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    dispatch(*SOURCE, Run(bytes, "file.csv"));
    dispatch(*SOURCE, Run(bytes, "file.csv.gz"));
    dispatch(*SOURCE, Run(bytes, "file.zip"));
    dispatch(*SOURCE, Run(bytes, "file.xlsx"));
});
