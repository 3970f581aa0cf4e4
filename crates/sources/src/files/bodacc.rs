//! `bodacc`: judgments of collective proceedings, as the public API of DILA exports them in JSON or CSV
//! (data set `annonces-commerciales`, family `collective`).

use domain::bodacc::{Judgment, judgment};
use domain::dates::{parse_french_words, parse_iso};
use domain::records::{Notice, Text};
use domain::{NaiveDate, ProcolStage, Siren};
use serde::Deserialize;

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue, decode};
use crate::layout::{Dialect, Layout};
use crate::report::{Reason, SkipReason, Warning};

columns! {
    required { ID = "id": "text", PUBLISHED = "dateparution": "YYYY-MM-DD", REGISTER = "registre": "SIRENs, one row for each", JUDGMENT = "jugement": "JSON text: famille, nature, date in numbers or in words" }
    optional { FAMILY = "familleavis": "`collective`; other notices are skipped", KIND = "typeavis": "annonce, rectificatif or annulation", PREVIOUS = "parutionavisprecedent": "JSON text: the notice corrected or cancelled" }
}

/// The JSON text of `jugement`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Announced {
    famille: Option<String>,
    nature: Option<String>,
    date: Option<String>,
}

/// The JSON text of `parutionavisprecedent`: the notice that this one corrects or cancels.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Previous {
    nom_publication: String,
    numero_parution: serde_json::Value,
    numero_annonce: serde_json::Value,
}

impl Previous {
    /// Its identifier: edition, bulletin, number in it.
    fn id(&self) -> Option<String> {
        let edition = self.nom_publication.trim().chars().next_back()?.to_ascii_uppercase();
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(format!("{edition}{}{}", text(&self.numero_parution), text(&self.numero_annonce)))
    }
}

/// Parser of `bodacc`.
#[derive(Clone)]
pub struct NoticeParser;

impl RowParser for NoticeParser {
    type Row = Notice;
    const DIALECT: Dialect = Dialect::SEMICOLON;
    const COLUMNS: Columns = COLUMNS;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<Notice>) -> Result<(), Issue> {
        if !matches!(fields.bytes(FAMILY), b"" | b"collective") {
            return Err(Issue::Skip(SkipReason::OtherNotice));
        }
        let sirens = sirens(fields.bytes(REGISTER));
        if sirens.is_empty() {
            return Err(Issue::Skip(SkipReason::EmptyIdentifier));
        }
        let kind = fields.bytes(KIND).to_ascii_lowercase();
        let cancels = kind.starts_with(b"annul");
        let announced = announced(fields, cancels)?;
        let (family, nature) = (Text::from(announced.famille.unwrap_or_default()), Text::from(announced.nature.unwrap_or_default()));
        let (action, stage) = match judgment(&family, &nature) {
            Judgment::Step(action, stage) => (Some(action), stage),
            Judgment::NoStep if !cancels => return Err(Issue::Skip(SkipReason::NoStep)),
            Judgment::Unknown if !cancels => {
                fields.warn(Warning::UnknownLabel);
                (None, ProcolStage::Other)
            }
            Judgment::NoStep | Judgment::Unknown => (None, ProcolStage::Other),
        };
        let published = fields.date(PUBLISHED, parse_iso)?;
        let effective = judged(fields, announced.date.as_deref().unwrap_or_default(), published)?;
        let replaces = if cancels || kind.starts_with(b"rectif") { replaced(fields) } else { Text::default() };
        let id = fields.text(ID);
        rows.extend(sirens.into_iter().map(|siren| Notice {
            id: id.clone(),
            siren,
            published,
            effective,
            action,
            stage,
            family: family.clone(),
            nature: nature.clone(),
            replaces: replaces.clone(),
            cancels,
        }));
        Ok(())
    }
}

fn announced(fields: &Fields<'_>, cancels: bool) -> Result<Announced, Issue> {
    match fields.bytes(JUDGMENT) {
        b"" if cancels => Ok(Announced::default()),
        b"" => fields.reject(JUDGMENT, Reason::MissingValue),
        text => serde_json::from_slice(text).or_else(|_| fields.reject(JUDGMENT, Reason::InvalidValue)),
    }
}

/// Day of the judgment, in numbers or in words.
fn judged(fields: &mut Fields<'_>, text: &str, published: NaiveDate) -> Result<NaiveDate, Issue> {
    let text = text.trim().as_bytes();
    if text.is_empty() {
        fields.warn(Warning::PublicationDay);
        return Ok(published);
    }
    parse_iso(text).or_else(|| parse_french_words(text)).map_or_else(|| fields.reject(JUDGMENT, Reason::InvalidDate), Ok)
}

fn replaced(fields: &mut Fields<'_>) -> Text {
    let previous: Option<Previous> = serde_json::from_slice(fields.bytes(PREVIOUS)).ok();
    let id = previous.as_ref().and_then(Previous::id);
    if id.is_none() {
        fields.warn(Warning::UnreadableOptional);
    }
    id.unwrap_or_default().into()
}

/// The companies of `registre`: each is written twice, with and without spaces.
fn sirens(register: &[u8]) -> Vec<Siren> {
    let text: String = decode(register).chars().filter(|c| !c.is_whitespace()).collect();
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|number| number.len() == 9);
    let mut sirens: Vec<Siren> = numbers.filter_map(|number| number.parse().ok()).collect();
    sirens.sort_unstable();
    sirens.dedup();
    sirens
}
