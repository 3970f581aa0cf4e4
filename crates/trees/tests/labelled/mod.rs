//! The public labelled data sets with the reference's folds, predictions and models (`data/labelled`).

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

/// One of the two sets, split as the reference did for fold 0.
pub(crate) struct Labelled {
    pub(crate) features: usize,
    /// Rows outside fold 0.
    pub(crate) train: Part,
    /// Rows of fold 0.
    pub(crate) test: Part,
    /// The reference's model of fold 0.
    pub(crate) model: String,
}

/// Rows with outcomes and the reference's predictions of them.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) values: Vec<f64>,
    pub(crate) outcomes: Vec<bool>,
    pub(crate) lightgbm: Vec<f64>,
    pub(crate) logistic: Vec<f64>,
}

impl Part {
    pub(crate) fn labels(&self) -> Vec<f32> {
        self.outcomes.iter().map(|outcome| f32::from(u8::from(*outcome))).collect()
    }

    pub(crate) fn values_f32(&self) -> Vec<f32> {
        self.values.iter().map(|value| *value as f32).collect()
    }
}

/// The folder, unless it is absent and `SF_SHARED` does not ask for it.
fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("SF_SHARED");
    let root = shared.clone().map_or_else(|| Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")).to_owned(), PathBuf::from);
    let folder = root.join("data/labelled");
    assert!(shared.is_none() || folder.is_dir(), "SF_SHARED is set, but {} does not exist", folder.display());
    folder.is_dir().then_some(folder)
}

fn unzip(path: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// Numbers of a CSV text without its header; `?` and nothing are NaN.
fn numbers(text: &str) -> Vec<Vec<f64>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(|field| field.parse().unwrap_or(f64::NAN)).collect()).collect()
}

/// Reads `taiwan` or `polish_5year`. `None` when the data are not on this machine.
pub(crate) fn load(name: &str) -> Option<Labelled> {
    let folder = folder()?;
    let rows: Vec<Vec<f64>> = if name == "taiwan" {
        let parts = (1..=3).flat_map(|part| numbers(&unzip(&folder.join(format!("taiwan.part{part}.csv.gz")))));
        // Columns: row, outcome, features.
        parts.map(|row| row[2..].to_vec()).collect()
    } else {
        let file = BufReader::new(GzDecoder::new(File::open(folder.join(format!("{name}.arff.gz"))).unwrap()));
        let data = file.lines().map(Result::unwrap).skip_while(|line| !line.eq_ignore_ascii_case("@data")).collect::<Vec<_>>().join("\n");
        // Columns: features, outcome. The line `@data` takes the place of a header of one field.
        let mut rows = numbers(&data.replacen("@data", &vec!["x"; 65].join(","), 1));
        for row in &mut rows {
            row.truncate(64);
        }
        rows
    };
    let features = rows[0].len();
    let (mut train, mut test) = (Part::default(), Part::default());
    // Columns: row, fold, y, lgbm, lgbm_weighted, logreg, histgb.
    for line in numbers(&unzip(&folder.join(format!("predictions/{name}.csv.gz")))) {
        let part = if line[1] == 0.0 { &mut test } else { &mut train };
        part.values.extend(&rows[line[0] as usize]);
        part.outcomes.push(line[2] == 1.0);
        part.lightgbm.push(line[3]);
        part.logistic.push(line[5]);
    }
    let model = std::fs::read_to_string(folder.join(format!("{name}.fold0.lgbm.txt"))).unwrap();
    Some(Labelled { features, train, test, model })
}
