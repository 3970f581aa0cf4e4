//! Histories of an independent generator's companies against its truth: debts, contributions, proceedings, labels.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::PathBuf;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type};
use domain::records::{CompanyHeadcount, Debit, Establishment, EstablishmentState, LegalUnit, ProcolEvent, Record};
use domain::time_rules::TimeRules;
use domain::{Month, NaiveDate, Siren, Siret};
use panel::perimeter::{Size, SizeBasis, SizeRule};
use panel::procol::state_at;
use panel::{CompanyRows, Window, risk, series};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sources::{RowParser, files, parse};

fn world() -> Option<PathBuf> {
    let given = std::env::var_os("SF_SHARED").map(PathBuf::from);
    let path = given.clone().unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")));
    assert!(given.is_none() || path.is_dir(), "SF_SHARED is not a folder");
    path.is_dir().then(|| path.join("data/world-a"))
}

fn read<P: RowParser>(name: &str) -> Vec<P::Row> {
    let mut rows = Vec::new();
    let file = File::open(world().unwrap().join("2511").join(name)).unwrap();
    parse::<P, _>(file, name, None, std::slice::from_mut(&mut rows)).unwrap();
    rows
}

fn group<R: Record>(rows: Vec<R>) -> BTreeMap<Siren, Vec<R>> {
    let mut groups: BTreeMap<Siren, Vec<R>> = BTreeMap::new();
    for row in rows {
        groups.entry(row.siren()).or_default().push(row);
    }
    groups
}

fn truth(name: &str) -> Vec<RecordBatch> {
    let file = File::open(world().unwrap().join("truth").join(name)).unwrap();
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
}

/// A column of months, whatever the type it is written in.
fn months(batch: &RecordBatch) -> Vec<Month> {
    let column = batch.column_by_name("month").unwrap();
    if let Some(text) = column.as_string_opt::<i32>() {
        return text.iter().map(|text| text.unwrap()[..7].parse().unwrap()).collect();
    }
    let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Date32).unwrap();
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    column.as_primitive::<Date32Type>().values().iter().map(|days| Month::of(epoch + chrono::Duration::days((*days).into()))).collect()
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = arrow::compute::cast(batch.column_by_name(name).unwrap(), &arrow::datatypes::DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    let column = arrow::compute::cast(batch.column_by_name(name).unwrap(), &arrow::datatypes::DataType::Int64).unwrap();
    column.as_primitive::<Int64Type>().iter().collect()
}

#[test]
fn debts_are_those_of_the_truth() {
    if world().is_none() {
        return;
    }
    let debits = group::<Debit>(read::<files::DebitParser>("sigfaible_debits.csv.gz"));
    let window = Window::new("2000-01".parse().unwrap(), "2025-10".parse().unwrap());
    let mut ours: HashMap<Siret, Vec<(domain::Cents, domain::Cents)>> = HashMap::new();
    for rows in debits.values() {
        ours.extend(series::debts_by_establishment(rows, window));
    }
    let mut seen = HashSet::new();
    for batch in truth("debts_expected.parquet") {
        let (sirets, months) = (texts(&batch, "siret"), months(&batch));
        let (employee, employer) = (numbers(&batch, "part_ouvriere"), numbers(&batch, "part_patronale"));
        for row in 0..batch.num_rows() {
            let siret: Siret = sirets[row].as_ref().unwrap().parse().unwrap();
            let found = ours[&siret][window.index(months[row]).unwrap()];
            assert_eq!((found.0.0, found.1.0), (employee[row].unwrap(), employer[row].unwrap()), "{siret} {}", months[row]);
            seen.insert(siret);
        }
    }
    assert!(seen.len() > 500, "{} establishments compared", seen.len());
}

#[test]
fn proceedings_are_those_of_the_truth() {
    if world().is_none() {
        return;
    }
    let events = group::<ProcolEvent>(read::<files::ProcolParser>("sigfaible_pcoll.csv"));
    let mut compared = 0;
    for batch in truth("procol_expected.parquet") {
        let (sirens, months, labels) = (texts(&batch, "siren"), months(&batch), texts(&batch, "label_end_of_month"));
        for row in 0..batch.num_rows() {
            let siren: Siren = sirens[row].as_ref().unwrap().parse().unwrap();
            let state = events.get(&siren).and_then(|events| state_at(events, months[row].last_day()));
            assert_eq!(
                state.map(domain::ProcolState::label_fr).unwrap_or_default(),
                labels[row].clone().unwrap_or_default(),
                "{siren} {}",
                months[row]
            );
            compared += 1;
        }
    }
    assert!(compared > 1_000, "{compared} months compared");
}

fn companies() -> Vec<CompanyRows> {
    let units = group::<LegalUnit>(read::<files::LegalUnitParser>("sireneUL.csv"));
    let mut establishments = group::<Establishment>(read::<files::EstablishmentParser>("StockEtablissement_utf8_geo.csv"));
    let mut states = group::<EstablishmentState>(read::<files::EstablishmentStateParser>("StockEtablissementHistorique_utf8.csv"));
    let mut proceedings = group::<ProcolEvent>(read::<files::ProcolParser>("sigfaible_pcoll.csv"));
    let headcounts = group::<CompanyHeadcount>(read::<files::CompanyHeadcountParser>("sigfaible_effectif_siren.csv.gz"));
    headcounts
        .into_iter()
        .map(|(siren, company_headcounts)| CompanyRows {
            legal_unit: units.get(&siren).and_then(|units| units.last()).cloned(),
            establishments: establishments.remove(&siren).unwrap_or_default(),
            states: states.remove(&siren).unwrap_or_default(),
            proceedings: proceedings.remove(&siren).unwrap_or_default(),
            company_headcounts,
            ..CompanyRows::empty(siren)
        })
        .collect()
}

#[test]
fn labels_and_the_perimeter_of_the_time_are_those_of_the_truth() {
    if world().is_none() {
        return;
    }
    let (first, last): (Month, Month) = ("2014-01".parse().unwrap(), "2025-10".parse().unwrap());
    let rules = TimeRules::default();
    let ours: HashMap<Siren, _> = companies()
        .into_iter()
        .map(|rows| {
            (
                rows.siren,
                (
                    risk::outcomes(&rows, first, last, last, 18).into_iter().map(|outcome| outcome.label).collect::<Vec<_>>(),
                    risk::standings(&rows, first, last, &rules, Size { basis: SizeBasis::Headcount, rule: SizeRule::default() }),
                ),
            )
        })
        .collect();
    let (mut compared, mut labels_differ, mut perimeter_differs) = (0, Vec::new(), Vec::new());
    for batch in truth("labels.parquet") {
        let (sirens, months, labels) = (texts(&batch, "siren"), months(&batch), numbers(&batch, "y18"));
        let inside = numbers(&batch, "in_perimeter_point_in_time");
        for row in 0..batch.num_rows() {
            let siren: Siren = sirens[row].as_ref().unwrap().parse().unwrap();
            let Some((label, standing)) = ours.get(&siren) else { continue };
            let index = months[row].since(first) as usize;
            compared += 1;
            if label[index].map(i64::from) != labels[row] {
                labels_differ.push((siren, months[row], label[index], labels[row]));
            }
            if Some(i64::from(standing[index].in_perimeter)) != inside[row] {
                perimeter_differs.push((siren, months[row]));
            }
        }
    }
    assert!(compared > 100_000, "{compared}");
    assert!(
        labels_differ.is_empty(),
        "{} of {compared} labels, first {:?}",
        labels_differ.len(),
        &labels_differ[..3.min(labels_differ.len())]
    );
    assert!(
        perimeter_differs.is_empty(),
        "{} of {compared}, first {:?}",
        perimeter_differs.len(),
        &perimeter_differs[..3.min(perimeter_differs.len())]
    );
}
