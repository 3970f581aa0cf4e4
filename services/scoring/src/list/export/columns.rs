//! The columns of a file for agents: everything, or the 24 of the existing system (`domain/consumers.md` §4.3).

use std::collections::BTreeSet;

use chrono::Datelike;
use domain::{AlertLevel, BatchKey, Department, NafCode, NafNomenclature, NafSection, NaiveDate, Siren};
use panel::Catalogue;
use service_kit::auth::Right;

use super::super::curated::{self, CAP, LEAST_AGE};
use super::super::entry::{Entry, ListInfo};
use super::super::facts::folded;
use super::super::filter::{Flag, Number};
use super::super::query::Query;
use super::super::store::List;
use super::super::view::Reader;

/// Said in place of what the caller has no right to: empty means unknown.
const WITHHELD: &str = "non communiqué";

/// Which columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sheet {
    Full,
    Codefi,
}

/// A field of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    /// A number and its decimals; empty when unknown.
    Number(Option<f64>, usize),
    Day(Option<NaiveDate>),
}

/// What a row is made of.
pub(super) struct Row<'a> {
    pub info: &'a ListInfo,
    pub entry: &'a Entry,
}

/// A column.
pub(super) struct Column<'a> {
    /// Heading.
    pub name: String,
    /// Whether the caller lacks the right to it.
    withheld: bool,
    make: Box<dyn Fn(&Row<'_>) -> Cell + 'a>,
}

impl Column<'_> {
    /// The cell of a row.
    pub fn cell(&self, row: &Row<'_>) -> Cell {
        if self.withheld { Cell::Text(WITHHELD.to_owned()) } else { (self.make)(row) }
    }
}

struct Columns<'a> {
    reader: Reader,
    all: Vec<Column<'a>>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, name: &str, make: impl Fn(&Row<'_>) -> Cell + 'a) {
        self.all.push(Column { name: name.to_owned(), withheld: false, make: Box::new(make) });
    }

    fn gated(&mut self, name: &str, right: Option<Right>, make: impl Fn(&Row<'_>) -> Cell + 'a) {
        self.all.push(Column { name: name.to_owned(), withheld: !self.reader.opens(right), make: Box::new(make) });
    }
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn yes_no(value: Option<bool>) -> Cell {
    text(value.map(|value| if value { "oui" } else { "non" }).unwrap_or_default())
}

fn code(entry: &Entry) -> Cell {
    text(entry.department.map(Department::code).unwrap_or_default())
}

impl Sheet {
    /// The columns for the caller of a question. Groups are headed by what the catalogue calls them in French.
    pub fn columns<'a>(self, list: &'a List, query: &Query, catalogue: &Catalogue) -> Vec<Column<'a>> {
        let mut columns = Columns { reader: Reader::new(query.principal().rights), all: Vec::new() };
        match self {
            Self::Full => full(&mut columns, &list.info, catalogue),
            Self::Codefi => codefi(&mut columns, list),
        }
        columns.all
    }
}

fn full(columns: &mut Columns<'_>, info: &ListInfo, catalogue: &Catalogue) {
    let batch = |key: Option<BatchKey>| text(key.map(|key| key.to_string()).unwrap_or_default());
    columns.add("liste", |row| text(row.info.batch.to_string()));
    columns.add("siren", |row| text(row.entry.siren.to_string()));
    columns.add("siret_siege", |row| text(row.entry.siret.map(|siret| siret.to_string()).unwrap_or_default()));
    columns.add("raison_sociale", |row| text(&*row.entry.name));
    columns.add("departement", |row| code(row.entry));
    columns.add("commune", |row| text(&*row.entry.commune));
    columns.add("implantations", |row| text(row.entry.departments.iter().map(Department::code).collect::<Vec<_>>().join(" ")));
    columns.add("code_naf", |row| text(&*row.entry.naf));
    columns.add("forme_juridique", |row| text(row.entry.legal_category.map(|category| category.to_string()).unwrap_or_default()));
    columns.add("creation", |row| Cell::Day(row.entry.created));
    columns.add("rang", |row| Cell::Number(Some(row.entry.rank.into()), 0));
    columns.add("rang_departement", |row| Cell::Number(Some(row.entry.department_rank.into()), 0));
    columns.add("niveau", |row| text(row.entry.level.label_fr()));
    columns.add("niveau_precedent", |row| text(row.entry.previous_level.map(AlertLevel::label_fr).unwrap_or_default()));
    columns.add("premiere_alerte", move |row| batch(row.entry.first_alert.first));
    columns.add("premiere_alerte_elevee", move |row| batch(row.entry.first_alert.first_high));
    columns.add("probabilite_pourcent", |row| Cell::Number(Some(row.entry.probability * 100.0), 3));
    columns.add("effectif", |row| Cell::Number(row.entry.indicators.headcount, 0));
    columns.add("chiffre_affaires_euros", |row| Cell::Number(row.entry.indicators.turnover, 0));
    columns.gated("dette_sociale_euros", Number::SocialDebt.right(), |row| Cell::Number(row.entry.indicators.social_debt, 2));
    columns.gated("dette_sociale_en_hausse", Flag::SocialDebtRising.right(), |row| yes_no(row.entry.indicators.social_debt_rising));
    columns.gated("delai_de_paiement", Flag::PaymentPlan.right(), |row| yes_no(row.entry.indicators.payment_plan));
    columns
        .gated("heures_activite_partielle", Number::ShortTimeHours.right(), |row| Cell::Number(row.entry.indicators.short_time_hours, 1));
    for (position, group) in info.groups.iter().enumerate() {
        // A list of an earlier catalogue may have a group that this one does not: it keeps its name.
        let known = catalogue.groups().iter().find(|known| known.name == *group);
        let heading = known.map_or_else(|| group.clone(), |known| folded(&known.label_fr).replace(' ', "_"));
        columns.add(&format!("points_{heading}"), points(position));
    }
    columns.gated("raisons", Some(Right::Explain), |row| {
        text(row.entry.reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join(" | "))
    });
}

/// Percentage points of a group, by its position.
fn points(position: usize) -> impl Fn(&Row<'_>) -> Cell {
    move |row| Cell::Number(row.entry.groups.get(position).map(|share| share.points), 2)
}

fn codefi(columns: &mut Columns<'_>, list: &List) {
    let proposed: BTreeSet<Siren> =
        curated::propose(list, &Query::everything(), CAP, LEAST_AGE).rows.iter().map(|row| list.entries[*row].siren).collect();
    let recent = list.info.month.plus(-12 * LEAST_AGE as i32).last_day();
    let naf = |entry: &Entry| NafCode::parse(&entry.naf, NafNomenclature::Rev2);
    columns.add("Liste de détection", |row| text(row.info.label_fr()));
    columns.add("Siren", |row| text(row.entry.siren.to_string()));
    columns.add("Siret (siège)", |row| text(row.entry.siret.map(|siret| siret.to_string()).unwrap_or_default()));
    columns.add("Raison sociale", |row| text(&*row.entry.name));
    columns.add("Code département", |row| code(row.entry));
    columns.add("Année de création", |row| Cell::Number(row.entry.created.map(|day| day.year().into()), 0));
    columns.add("Forme juridique", |row| text(row.entry.legal_category.map(|category| category.to_string()).unwrap_or_default()));
    // A company in a procedure is not at risk, hence not on a list.
    columns.add("Statut de procédure collective", |_| text("In bonis"));
    columns.add("Dernier effectif entreprise", |row| Cell::Number(row.entry.indicators.headcount, 0));
    columns.gated("Montant de la dette sociale", Number::SocialDebt.right(), |row| Cell::Number(row.entry.indicators.social_debt, 2));
    columns.add("Code secteur", move |row| {
        text(naf(row.entry).and_then(NafCode::section).map(|it| it.letter().to_string()).unwrap_or_default())
    });
    columns
        .add("Libellé secteur", move |row| text(naf(row.entry).and_then(NafCode::section).map(NafSection::label_fr).unwrap_or_default()));
    columns.add("Code NAF/APE", |row| text(&*row.entry.naf));
    columns.add("Libellé NAF/APE", move |row| text(naf(row.entry).and_then(NafCode::label_fr).unwrap_or_default()));
    columns.add("Niveau d'alerte", |row| text(row.entry.level.label_fr()));
    columns.add("Fréquence d'alerte", |row| text(if row.entry.first_alert.first == Some(row.info.batch) { "1ère alerte" } else { "-" }));
    for (label, group) in [
        ("Détail du score : effectif", "headcount"),
        ("Détail du score : santé financière", "financial_health"),
        ("Détail du score : dettes sociales", "social_debts"),
        ("Détail du score : activité partielle", "short_time_work"),
    ] {
        let position = list.info.groups.iter().position(|known| known == group).unwrap_or(usize::MAX);
        columns.add(label, move |row| Cell::Number(row.entry.groups.get(position).map(|share| share.points), 0));
    }
    columns.gated("Liste retraitée", Flag::PaymentPlan.right(), move |row| {
        text(if proposed.contains(&row.entry.siren) { "Oui" } else { "Non" })
    });
    columns.gated("Délai de paiement Urssaf", Flag::PaymentPlan.right(), |row| yes_no(row.entry.indicators.payment_plan));
    columns.add("Entreprises récentes", move |row| yes_no(row.entry.created.map(|day| day > recent)));
    // Cases are kept by regional tools.
    columns.add("Accompagnement", |_| text("-"));
}
