//! How the values of rows become Arrow columns, and back.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Int32Type, Int64Type, SchemaRef};
use chrono::Datelike;
use domain::records::Text;
use domain::{
    Cents, Department, HeadcountBand, LegalCategory, Month, NafCode, NafNomenclature, NaiveDate, ProcolAction, ProcolStage, Siren, Siret,
    UrssafPeriod,
};

use crate::error::{LakeError, Result};

/// A row of a typed table.
pub trait TableRow: Clone + Send + Sync + 'static {
    /// Name of the table under `tables/`.
    const TABLE: &'static str;

    /// Whether the rows of a batch may add to those of earlier batches instead of replacing them: the table then has the
    /// partition column `delivery` beside `batch`.
    const DELIVERED: bool = false;

    /// Columns, without the partition's.
    fn schema() -> SchemaRef;

    /// Sort key: rows of a file are in the order of their companies.
    fn siren(&self) -> Siren;

    /// Rows as columns.
    fn encode(rows: &[Self]) -> Result<RecordBatch>;

    /// Columns as rows. Extra columns are ignored.
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>>;
}

/// A struct whose fields are columns.
pub trait Columnar: Clone + Send + Sync + 'static {
    /// The columns.
    fn fields() -> Vec<Field>;

    /// Rows as columns, in the order of [`Columnar::fields`].
    fn columns<'a>(rows: impl Iterator<Item = &'a Self> + Clone) -> Vec<ArrayRef>;

    /// Columns as rows. Extra columns are ignored.
    fn from_columns(batch: &RecordBatch) -> Result<Vec<Self>>;
}

/// A value stored in one or more columns.
pub(crate) trait Column: Sized + 'static {
    /// The columns of a field of this name.
    fn fields(name: &str) -> Vec<Field>;

    /// The columns of these values, in the order of [`Column::fields`].
    fn encode<'a>(values: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef>;

    /// The values of a field.
    fn decode(batch: &RecordBatch, name: &str) -> Result<Vec<Self>>;
}

/// The fields of what a function takes out of a row: lets a macro name a field without its type.
pub(crate) fn fields_of<R, C: Column>(_: impl Fn(&R) -> &C, name: &str) -> Vec<Field> {
    C::fields(name)
}

fn corrupt(name: &str, what: impl Display) -> LakeError {
    LakeError::corrupt(format!("column {name}"), what)
}

pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str, wanted: &DataType) -> Result<&'a ArrayRef> {
    let found = batch.column_by_name(name).ok_or_else(|| corrupt(name, "missing"))?;
    if found.data_type() == wanted { Ok(found) } else { Err(corrupt(name, format!("{} where {wanted} is expected", found.data_type()))) }
}

/// Texts of a column, null as `None`.
fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<Vec<Option<&'a str>>> {
    Ok(column(batch, name, &DataType::Utf8)?.as_string::<i32>().iter().collect())
}

fn required<T>(name: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| corrupt(name, "null where a value is required"))
}

fn parse<T: FromStr>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| corrupt(name, format!("unreadable '{text}'")))
}

/// Texts one after the other, as Arrow lays them out.
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

impl Texts {
    /// Room for so many texts of so many bytes, about.
    fn with_capacity(texts: usize, length: usize) -> Self {
        let mut ends = Vec::with_capacity(texts + 1);
        ends.push(0);
        Self { bytes: Vec::with_capacity(texts * length), ends }
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len() as i32);
    }

    fn finish(self) -> ArrayRef {
        Arc::new(StringArray::new(OffsetBuffer::new(self.ends.into()), self.bytes.into(), None))
    }
}

/// Values with a text form: how to write them.
macro_rules! text_column {
    ($($type:ty: $encode:expr;)*) => {$(
        impl Column for $type {
            fn fields(name: &str) -> Vec<Field> {
                vec![Field::new(name, DataType::Utf8, false)]
            }
            fn encode<'a>(values: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef> {
                vec![$encode(values)]
            }
            fn decode(batch: &RecordBatch, name: &str) -> Result<Vec<Self>> {
                texts(batch, name)?.into_iter().map(|text| parse(name, required(name, text)?)).collect()
            }
        }
    )*};
}
text_column! {
    Siren: |values| encode_characters(values, Siren::digits);
    Siret: |values| encode_characters(values, Siret::characters);
    String: encode_texts;
    Text: encode_texts;
}

/// Identifiers of ASCII characters. Rows of a company follow each other: what repeats the one before is not made anew.
fn encode_characters<'a, T: Copy + PartialEq + 'a, const N: usize>(
    values: impl Iterator<Item = &'a T>,
    characters: fn(T) -> [u8; N],
) -> ArrayRef {
    let mut texts = Texts::with_capacity(values.size_hint().0, N);
    let (mut last, mut text) = (None, [0; N]);
    for value in values {
        if last != Some(value) {
            text = characters(*value);
            last = Some(value);
        }
        texts.push(&text);
    }
    texts.finish()
}

fn encode_texts<'a, T: AsRef<str> + 'a>(values: impl Iterator<Item = &'a T>) -> ArrayRef {
    let mut texts = Texts::with_capacity(values.size_hint().0, 16);
    values.for_each(|value| texts.push(value.as_ref().as_bytes()));
    texts.finish()
}

/// Optional values with a text form: how to write and how to read one.
macro_rules! optional_text_column {
    ($($type:ty: $write:expr, $read:expr);* $(;)?) => {$(
        impl Column for Option<$type> {
            fn fields(name: &str) -> Vec<Field> {
                vec![Field::new(name, DataType::Utf8, true)]
            }
            fn encode<'a>(values: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef> {
                let write: fn($type) -> String = $write;
                vec![Arc::new(values.map(|value| value.map(write)).collect::<StringArray>())]
            }
            fn decode(batch: &RecordBatch, name: &str) -> Result<Vec<Self>> {
                let read: fn(&str) -> Option<$type> = $read;
                let one = |text: &str| read(text).ok_or_else(|| corrupt(name, format!("unreadable '{text}'")));
                texts(batch, name)?.into_iter().map(|text| text.map(one).transpose()).collect()
            }
        }
    )*};
}
optional_text_column! {
    Siren: |value| value.to_string(), |text| text.parse().ok();
    Siret: |value| value.to_string(), |text| text.parse().ok();
    Department: |value| value.code().to_owned(), |text| text.parse().ok();
    LegalCategory: |value| value.to_string(), |text| LegalCategory::parse(text.as_bytes());
    HeadcountBand: |value| value.code().to_owned(), HeadcountBand::parse;
    ProcolAction: |value| value.name().to_owned(), |text| ProcolAction::ALL.into_iter().find(|action| action.name() == text);
}

impl Column for ProcolStage {
    fn fields(name: &str) -> Vec<Field> {
        vec![Field::new(name, DataType::Utf8, false)]
    }
    fn encode<'a>(values: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef> {
        vec![Arc::new(StringArray::from_iter_values(values.map(|stage| stage.name())))]
    }
    fn decode(batch: &RecordBatch, name: &str) -> Result<Vec<Self>> {
        texts(batch, name)?.into_iter().map(|text| Ok(Self::from_name(required(name, text)?))).collect()
    }
}

/// Values stored as an Arrow primitive: name of the column, how to write and how to read one. The optional form follows.
macro_rules! primitive_column {
    ($($type:ty, $array:ty, $primitive:ty, $data:expr, $suffix:literal: $write:expr, $read:expr);* $(;)?) => {$(
        impl Column for $type {
            fn fields(name: &str) -> Vec<Field> {
                vec![Field::new(format!("{name}{}", $suffix), $data, false)]
            }
            fn encode<'a>(values: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef> {
                vec![Arc::new(<$array>::from_iter_values(values.copied().map($write)))]
            }
            fn decode(batch: &RecordBatch, name: &str) -> Result<Vec<Self>> {
                let read: fn(<$primitive as arrow::datatypes::ArrowPrimitiveType>::Native) -> Option<$type> = $read;
                let name = format!("{name}{}", $suffix);
                let array = column(batch, &name, &$data)?.as_primitive::<$primitive>();
                array.iter().map(|value| required(&name, value.and_then(read))).collect()
            }
        }
        impl Column for Option<$type> {
            fn fields(name: &str) -> Vec<Field> {
                vec![Field::new(format!("{name}{}", $suffix), $data, true)]
            }
            fn encode<'a>(values: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef> {
                vec![Arc::new(values.map(|value| value.map($write)).collect::<$array>())]
            }
            fn decode(batch: &RecordBatch, name: &str) -> Result<Vec<Self>> {
                let read: fn(<$primitive as arrow::datatypes::ArrowPrimitiveType>::Native) -> Option<$type> = $read;
                let name = format!("{name}{}", $suffix);
                let array = column(batch, &name, &$data)?.as_primitive::<$primitive>();
                array.iter().map(|value| value.map(|value| required(&name, read(value))).transpose()).collect()
            }
        }
    )*};
}
primitive_column! {
    NaiveDate, Date32Array, Date32Type, DataType::Date32, "": to_days, from_days;
    Cents, Int64Array, Int64Type, DataType::Int64, "_cents": |value: Cents| value.0, |value| Some(Cents(value));
    f64, Float64Array, Float64Type, DataType::Float64, "": |value: f64| value, Some;
    i32, Int32Array, Int32Type, DataType::Int32, "": |value: i32| value, Some;
    u8, Int32Array, Int32Type, DataType::Int32, "": i32::from, |value| u8::try_from(value).ok();
    u32, Int64Array, Int64Type, DataType::Int64, "": i64::from, |value| u32::try_from(value).ok();
    u64, Int64Array, Int64Type, DataType::Int64, "": |value: u64| value.cast_signed(), |value| u64::try_from(value).ok();
    Month, Date32Array, Date32Type, DataType::Date32, "": |value: Month| to_days(value.first_day()), |days| from_days(days).map(Month::of);
}

/// Days from the beginning of our era to 1970-01-01, from which Arrow counts.
const EPOCH: i32 = 719_163;

fn to_days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - EPOCH
}

fn from_days(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(EPOCH)?)
}

impl Column for bool {
    fn fields(name: &str) -> Vec<Field> {
        vec![Field::new(name, DataType::Boolean, false)]
    }
    fn encode<'a>(values: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef> {
        vec![Arc::new(values.map(|value| Some(*value)).collect::<BooleanArray>())]
    }
    fn decode(batch: &RecordBatch, name: &str) -> Result<Vec<Self>> {
        column(batch, name, &DataType::Boolean)?.as_boolean().iter().map(|value| required(name, value)).collect()
    }
}

/// Two columns: first day, and first day after.
impl Column for UrssafPeriod {
    fn fields(name: &str) -> Vec<Field> {
        ["start", "end"].map(|end| Field::new(format!("{name}_{end}"), DataType::Date32, false)).to_vec()
    }
    fn encode<'a>(values: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef> {
        let (starts, ends): (Vec<Month>, Vec<Month>) = values.map(|period| (period.start(), period.end())).unzip();
        [starts, ends].iter().flat_map(|months| Month::encode(months.iter())).collect()
    }
    fn decode(batch: &RecordBatch, name: &str) -> Result<Vec<Self>> {
        let (starts, ends) = (Month::decode(batch, &format!("{name}_start"))?, Month::decode(batch, &format!("{name}_end"))?);
        let period = |(start, end): (Month, Month)| u8::try_from(end.since(start)).ok().and_then(|months| Self::new(start, months));
        starts.into_iter().zip(ends).map(|pair| required(name, period(pair))).collect()
    }
}

/// Two columns: the code, and its nomenclature.
impl Column for Option<NafCode> {
    fn fields(name: &str) -> Vec<Field> {
        vec![Field::new(name, DataType::Utf8, true), Field::new(format!("{name}_nomenclature"), DataType::Utf8, true)]
    }
    fn encode<'a>(values: impl Iterator<Item = &'a Self>) -> Vec<ArrayRef> {
        let (codes, nomenclatures): (Vec<Option<String>>, Vec<Option<&str>>) =
            values.map(|value| (value.map(|naf| naf.to_string()), value.map(|naf| nomenclature(naf.nomenclature())))).unzip();
        vec![Arc::new(StringArray::from(codes)), Arc::new(StringArray::from(nomenclatures))]
    }
    fn decode(batch: &RecordBatch, name: &str) -> Result<Vec<Self>> {
        let codes = texts(batch, name)?.into_iter().zip(texts(batch, &format!("{name}_nomenclature"))?);
        let one = |(code, text): (Option<&str>, Option<&str>)| {
            let (Some(code), Some(text)) = (code, text) else { return Ok(None) };
            let found = NOMENCLATURES.into_iter().find(|candidate| nomenclature(*candidate) == text);
            required(name, found.and_then(|found| NafCode::parse(code, found))).map(Some)
        };
        codes.map(one).collect()
    }
}

const NOMENCLATURES: [NafNomenclature; 3] = [NafNomenclature::Rev2, NafNomenclature::Naf2025, NafNomenclature::Older];

const fn nomenclature(nomenclature: NafNomenclature) -> &'static str {
    match nomenclature {
        NafNomenclature::Rev2 => "NAFRev2",
        NafNomenclature::Naf2025 => "NAF2025",
        NafNomenclature::Older => "older",
    }
}
