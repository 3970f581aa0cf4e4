//! Any bytes in the parser of a source: no panic, and every line is accounted for.
//!
//! `SF_FUZZ_SOURCE` names the source; `scripts/fuzz.sh` goes through all of them.
#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;

use domain::Source;
use libfuzzer_sys::fuzz_target;
use sources::{ParseError, Rejection, RowParser, Sink, SourceVisitor, dispatch, parse};

static SOURCE: LazyLock<Source> = LazyLock::new(|| {
    let name = std::env::var("SF_FUZZ_SOURCE").expect("SF_FUZZ_SOURCE names the source to fuzz");
    name.parse().expect("SF_FUZZ_SOURCE is a source")
});

#[derive(Default)]
struct Counted {
    rows: u64,
    rejected: u64,
}

impl<R> Sink<R> for Counted {
    type Error = Infallible;
    fn rows(&mut self, rows: &mut Vec<R>) -> Result<(), Infallible> {
        self.rows += rows.len() as u64;
        rows.clear();
        Ok(())
    }
    fn rejected(&mut self, _: Rejection) -> Result<(), Infallible> {
        self.rejected += 1;
        Ok(())
    }
}

struct Run<'a>(&'a [u8], &'static str);

impl SourceVisitor for Run<'_> {
    type Output = ();
    fn visit<P: RowParser + 'static>(self) {
        let mut counted = Counted::default();
        match parse::<P, _>(self.0, self.1, &mut counted) {
            Ok(report) => {
                assert_eq!(report.lines, report.valid + report.rejections() + report.skips());
                assert_eq!((report.rejections(), report.rows), (counted.rejected, counted.rows));
            }
            Err(ParseError::File(_)) => {}
            Err(ParseError::Sink(never)) => match never {},
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    dispatch(*SOURCE, Run(bytes, "file.csv"));
    dispatch(*SOURCE, Run(bytes, "file.csv.gz"));
});
