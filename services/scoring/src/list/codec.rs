//! Entries of a list as a Parquet file: typed columns that any reader opens.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, UInt32Array,
};
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Schema, UInt32Type};
use bytes::Bytes;
use domain::{AlertLevel, BatchKey, Department, DepartmentSet, LegalCategory, NaiveDate};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use service_kit::auth::Right;

use super::entry::{Contribution, Entry, FirstAlert, Indicators, Reason};
use crate::error::ScoringError;

/// Writes the entries in their order. Deterministic.
pub fn encode(groups: &[String], entries: &[Entry]) -> Result<Vec<u8>, ScoringError> {
    encode_with(groups, entries, Vec::new())
}

/// The same, with facts about the file in its metadata.
pub fn encode_with(groups: &[String], entries: &[Entry], facts: Vec<KeyValue>) -> Result<Vec<u8>, ScoringError> {
    let batch = columns(groups, entries)?;
    let compression = Compression::ZSTD(ZstdLevel::try_new(3).map_err(export)?);
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_created_by("signaux-faibles".to_owned())
        .set_key_value_metadata((!facts.is_empty()).then_some(facts))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).map_err(export)?;
    writer.write(&batch).map_err(export)?;
    writer.close().map_err(export)?;
    Ok(bytes)
}

/// Reads what [`encode`] wrote.
pub fn decode(groups: &[String], bytes: Bytes) -> Result<Vec<Entry>, ScoringError> {
    let unreadable = |error: &dyn std::fmt::Display| ScoringError::document("a list's entries", error);
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(ParquetRecordBatchReaderBuilder::build).map_err(|e| unreadable(&e))?;
    let mut entries = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| unreadable(&e))?;
        let columns = Columns { batch: &batch };
        for row in 0..batch.num_rows() {
            entries.push(columns.entry(groups, row)?);
        }
    }
    Ok(entries)
}

fn export(error: impl std::fmt::Display) -> ScoringError {
    ScoringError::Export(error.to_string())
}

fn columns(groups: &[String], entries: &[Entry]) -> Result<RecordBatch, ScoringError> {
    let text = |get: &dyn Fn(&Entry) -> Option<String>| -> ArrayRef { Arc::new(entries.iter().map(get).collect::<StringArray>()) };
    let float = |get: &dyn Fn(&Entry) -> Option<f64>| -> ArrayRef { Arc::new(entries.iter().map(get).collect::<Float64Array>()) };
    let whole = |get: &dyn Fn(&Entry) -> u32| -> ArrayRef { Arc::new(UInt32Array::from_iter_values(entries.iter().map(get))) };
    let texts = |get: &dyn Fn(&Entry) -> Vec<String>| -> ArrayRef {
        let mut texts = ListBuilder::new(StringBuilder::new());
        for entry in entries {
            for text in get(entry) {
                texts.values().append_value(text);
            }
            texts.append(true);
        }
        Arc::new(texts.finish())
    };
    let flag = |get: &dyn Fn(&Entry) -> Option<bool>| -> ArrayRef { Arc::new(entries.iter().map(get).collect::<BooleanArray>()) };
    let day = |get: &dyn Fn(&Entry) -> Option<NaiveDate>| -> ArrayRef {
        Arc::new(entries.iter().map(|entry| get(entry).map(Date32Type::from_naive_date)).collect::<Date32Array>())
    };
    let mut named: Vec<(String, ArrayRef)> = vec![
        ("siren".into(), text(&|e| Some(e.siren.to_string()))),
        ("name".into(), text(&|e| Some(e.name.clone()))),
        ("siret".into(), text(&|e| e.siret.map(|siret| siret.to_string()))),
        ("department".into(), text(&|e| e.department.map(|department| department.code().to_owned()))),
        ("departments".into(), texts(&|e| e.departments.iter().map(|department| department.code().to_owned()).collect())),
        ("commune".into(), text(&|e| Some(e.commune.clone()))),
        ("legal_category".into(), text(&|e| e.legal_category.map(|category| category.to_string()))),
        ("created".into(), day(&|e| e.created)),
        ("naf".into(), text(&|e| Some(e.naf.clone()))),
        ("rank".into(), whole(&|e| e.rank)),
        ("department_rank".into(), whole(&|e| e.department_rank)),
        ("probability".into(), float(&|e| Some(e.probability))),
        ("level".into(), text(&|e| Some(e.level.name().to_owned()))),
        ("previous_level".into(), text(&|e| e.previous_level.map(|level| level.name().to_owned()))),
        ("first_alert".into(), text(&|e| e.first_alert.first.map(|list| list.to_string()))),
        ("first_high_alert".into(), text(&|e| e.first_alert.first_high.map(|list| list.to_string()))),
        ("headcount".into(), float(&|e| e.indicators.headcount)),
        ("social_debt".into(), float(&|e| e.indicators.social_debt)),
        ("short_time_hours".into(), float(&|e| e.indicators.short_time_hours)),
        ("social_debt_rising".into(), flag(&|e| e.indicators.social_debt_rising)),
        ("payment_plan".into(), flag(&|e| e.indicators.payment_plan)),
        ("turnover".into(), float(&|e| e.indicators.turnover)),
    ];
    for (position, group) in groups.iter().enumerate() {
        named.push((format!("log_odds_{group}"), float(&|e| e.groups.get(position).map(|share| share.log_odds))));
        named.push((format!("points_{group}"), float(&|e| e.groups.get(position).map(|share| share.points))));
    }
    named.push(("reasons".into(), texts(&|e| e.reasons.iter().map(|reason| reason.text.clone()).collect())));
    let right = |reason: &Reason| reason.right.map(Right::name).unwrap_or_default().to_owned();
    named.push(("reason_rights".into(), texts(&|e| e.reasons.iter().map(right).collect())));
    let fields: Vec<Field> = named.iter().map(|(name, column)| Field::new(name, column.data_type().clone(), true)).collect();
    let columns = named.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(export)
}

/// A batch of the file, column by name.
struct Columns<'a> {
    batch: &'a RecordBatch,
}

impl Columns<'_> {
    fn column(&self, name: &str, wanted: &DataType) -> Result<&ArrayRef, ScoringError> {
        let column = self.batch.column_by_name(name).filter(|column| column.data_type() == wanted);
        column.ok_or_else(|| ScoringError::document("a list's entries", format!("no column {name} of type {wanted}")))
    }

    fn text(&self, name: &str, row: usize) -> Result<Option<String>, ScoringError> {
        let column = self.column(name, &DataType::Utf8)?.as_string::<i32>();
        Ok((!column.is_null(row)).then(|| column.value(row).to_owned()))
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str, row: usize) -> Result<Option<T>, ScoringError> {
        let text = self.text(name, row)?;
        text.map(|text| text.parse().map_err(|_| ScoringError::document("a list's entries", format!("{name} '{text}'")))).transpose()
    }

    fn float(&self, name: &str, row: usize) -> Result<Option<f64>, ScoringError> {
        let column = self.column(name, &DataType::Float64)?.as_primitive::<Float64Type>();
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    fn flag(&self, name: &str, row: usize) -> Result<Option<bool>, ScoringError> {
        let column = self.column(name, &DataType::Boolean)?.as_boolean();
        Ok((!column.is_null(row)).then(|| column.value(row)))
    }

    fn day(&self, name: &str, row: usize) -> Result<Option<NaiveDate>, ScoringError> {
        let column = self.column(name, &DataType::Date32)?.as_primitive::<Date32Type>();
        Ok(if column.is_null(row) { None } else { Date32Type::to_naive_date_opt(column.value(row)) })
    }

    fn texts(&self, name: &str, row: usize) -> Result<Vec<String>, ScoringError> {
        let missing = || ScoringError::document("a list's entries", format!("no column {name} of lists of texts"));
        let column = self.batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>()).ok_or_else(missing)?;
        let texts = column.value(row);
        Ok(texts.as_string_opt::<i32>().ok_or_else(missing)?.iter().flatten().map(str::to_owned).collect())
    }

    fn whole(&self, name: &str, row: usize) -> Result<u32, ScoringError> {
        Ok(self.column(name, &DataType::UInt32)?.as_primitive::<UInt32Type>().value(row))
    }

    fn entry(&self, groups: &[String], row: usize) -> Result<Entry, ScoringError> {
        let missing = |name: &str| ScoringError::document("a list's entries", format!("null in {name}"));
        let share = |group: &String| {
            Ok(Contribution {
                log_odds: self.float(&format!("log_odds_{group}"), row)?.unwrap_or_default(),
                points: self.float(&format!("points_{group}"), row)?.unwrap_or_default(),
            })
        };
        let rights = self.texts("reason_rights", row)?;
        let reasons = self.texts("reasons", row)?.into_iter().zip(rights);
        let reasons = reasons.map(|(text, right)| {
            let found = Right::ALL.into_iter().find(|known| known.name() == right);
            if found.is_none() && !right.is_empty() {
                return Err(ScoringError::document("a list's entries", format!("right '{right}'")));
            }
            Ok(Reason { text, right: found })
        });
        let departments = self.texts("departments", row)?;
        let departments = departments.iter().map(|code| code.parse::<Department>());
        let departments =
            departments.collect::<Result<DepartmentSet, _>>().map_err(|error| ScoringError::document("a list's entries", error))?;
        Ok(Entry {
            siren: self.parsed("siren", row)?.ok_or_else(|| missing("siren"))?,
            name: self.text("name", row)?.unwrap_or_default(),
            siret: self.parsed("siret", row)?,
            department: self.parsed("department", row)?,
            commune: self.text("commune", row)?.unwrap_or_default(),
            departments,
            legal_category: self.text("legal_category", row)?.and_then(|code| LegalCategory::parse(code.as_bytes())),
            created: self.day("created", row)?,
            naf: self.text("naf", row)?.unwrap_or_default(),
            rank: self.whole("rank", row)?,
            department_rank: self.whole("department_rank", row)?,
            probability: self.float("probability", row)?.ok_or_else(|| missing("probability"))?,
            level: self.parsed::<AlertLevel>("level", row)?.ok_or_else(|| missing("level"))?,
            previous_level: self.parsed("previous_level", row)?,
            first_alert: FirstAlert {
                first: self.parsed::<BatchKey>("first_alert", row)?,
                first_high: self.parsed::<BatchKey>("first_high_alert", row)?,
            },
            groups: groups.iter().map(share).collect::<Result<_, ScoringError>>()?,
            reasons: reasons.collect::<Result<_, ScoringError>>()?,
            indicators: Indicators {
                headcount: self.float("headcount", row)?,
                social_debt: self.float("social_debt", row)?,
                short_time_hours: self.float("short_time_hours", row)?,
                social_debt_rising: self.flag("social_debt_rising", row)?,
                payment_plan: self.flag("payment_plan", row)?,
                turnover: self.float("turnover", row)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::entry;
    use super::*;

    #[test]
    fn a_list_is_read_back_as_it_was_written() {
        let groups = vec!["social_debts".to_owned(), "identity".to_owned()];
        let mut full = entry(5_520_135, "2A", 0.25);
        full.previous_level = Some(AlertLevel::High);
        full.first_alert = FirstAlert { first: Some("2509".parse().unwrap()), first_high: None };
        full.groups = vec![Contribution { log_odds: 1.5, points: 12.0 }, Contribution { log_odds: -0.5, points: -1.0 }];
        full.siret = Some("00552013500017".parse().unwrap());
        full.commune = "AJACCIO".into();
        full.departments.insert("75".parse().unwrap());
        full.legal_category = LegalCategory::parse(b"5710");
        full.created = NaiveDate::from_ymd_opt(1955, 1, 31);
        full.reasons =
            vec![Reason { text: "Dette : 3 mois".into(), right: Some(Right::Urssaf) }, Reason { text: "Effectif".into(), right: None }];
        full.indicators = Indicators {
            headcount: Some(12.0),
            short_time_hours: Some(0.0),
            social_debt_rising: Some(false),
            payment_plan: Some(true),
            turnover: Some(1e6),
            social_debt: None,
        };
        let mut bare = entry(1, "75", 0.125);
        bare.department = None;
        bare.groups = vec![Contribution::default(); 2];
        let entries = vec![full, bare];
        let bytes = encode(&groups, &entries).unwrap();
        assert_eq!(encode(&groups, &entries).unwrap(), bytes);
        assert_eq!(decode(&groups, bytes.into()).unwrap(), entries);
        assert!(decode(&groups, Bytes::from_static(b"nothing")).is_err());
    }
}
