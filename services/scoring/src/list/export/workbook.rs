//! A workbook: a sheet of companies with typed cells, and a sheet that says what it holds, for whom, and how to treat it.

use api::lists::RankedListFilter;
use domain::{AlertLevel, Department, DepartmentSet};
use rust_xlsxwriter::{Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};

use super::super::entry::Entry;
use super::super::query::Query;
use super::super::store::List;
use super::Asked;
use super::columns::{Cell, Row};

/// Numbers of the paper sizes.
const A3: u8 = 8;
const A4: u8 = 9;
/// Columns are as wide as what stands in them, in characters, within these; what is longer goes on below.
const WIDTHS: (usize, usize) = (6, 60);
/// The first columns say which company it is: on screen and on paper they stand beside all others.
const COMPANY: (u16, u16) = (1, 3);

pub(super) fn write(list: &List, query: &Query, asked: &Asked, entries: impl Iterator<Item = Entry>) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let heading = Format::new().set_bold().set_text_wrap().set_background_color(0xE8_ED_F5).set_border_bottom(FormatBorder::Thin);
    let cell = |number: &str| Format::new().set_num_format(number).set_align(FormatAlign::Top);
    let text = cell("General").set_text_wrap();
    let (day, year, whole, decimal) = (cell("dd/mm/yyyy"), cell("0"), cell("#,##0"), cell("#,##0.00"));
    let columns = asked.sheet.columns(list, query);
    let sheet = workbook.add_worksheet().set_name("Entreprises")?;
    // In a heading words go below each other.
    let names: Vec<String> = columns.iter().map(|column| column.name.replace('_', " ")).collect();
    let mut widths: Vec<usize> = names.iter().map(|name| name.split(' ').map(length).max().unwrap_or(0)).collect();
    for (column, name) in names.iter().enumerate() {
        sheet.write_string_with_format(0, column as u16, name, &heading)?;
    }
    let mut line = 0;
    for entry in entries {
        line += 1;
        let row = Row { info: &list.info, entry: &entry };
        for (position, shown) in columns.iter().enumerate() {
            let column = position as u16;
            let written = shown.cell(&row);
            widths[position] = widths[position].max(length(&written.csv()));
            match written {
                Cell::Text(value) => sheet.write_string_with_format(line, column, value, &text)?,
                // A year is a number that wants no separator.
                Cell::Number(Some(number), 0) if shown.name.starts_with("Année") => {
                    sheet.write_number_with_format(line, column, number, &year)?
                }
                Cell::Number(Some(number), 0) => sheet.write_number_with_format(line, column, number.round(), &whole)?,
                Cell::Number(Some(number), _) => sheet.write_number_with_format(line, column, number, &decimal)?,
                Cell::Day(Some(value)) => sheet.write_datetime_with_format(line, column, value, &day)?,
                Cell::Number(None, _) | Cell::Day(None) => sheet,
            };
        }
    }
    for (column, width) in widths.into_iter().enumerate() {
        // Room for the button of the filter, or for separators of thousands.
        sheet.set_column_width(column as u16, (width + 3).clamp(WIDTHS.0, WIDTHS.1) as f64)?;
    }
    sheet.set_freeze_panes(1, COMPANY.1 + 1)?;
    sheet.autofilter(0, 0, line, columns.len() as u16 - 1)?;
    // On paper: two sheets of A3 beside each other, the headings and the company on each.
    sheet.set_repeat_rows(0, 0)?.set_repeat_columns(COMPANY.0, COMPANY.1)?;
    printed(sheet, A3, 2);

    let sheet = workbook.add_worksheet().set_name("Filtres")?;
    sheet.set_column_width(0, 34)?;
    sheet.set_column_width(1, 110)?;
    for (line, (label, value)) in about(list, query, asked, line).into_iter().enumerate() {
        sheet.write_string_with_format(line as u32, 0, label, &heading)?;
        sheet.write_string_with_format(line as u32, 1, value, &text)?;
    }
    printed(sheet, A4, 1);
    workbook.save_to_buffer()
}

/// How a sheet is printed: of this paper, so many pages wide, with what must not be forgotten under each.
fn printed(sheet: &mut Worksheet, paper: u8, wide: u16) {
    sheet.set_paper_size(paper).set_landscape().set_margins(0.4, 0.4, 0.4, 0.6, 0.3, 0.3).set_print_fit_to_pages(wide, 0);
    sheet.set_footer("&LDocument confidentiel, couvert par le secret professionnel&RPage &P / &N");
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// What the workbook says of itself.
fn about(list: &List, query: &Query, asked: &Asked, companies: u32) -> Vec<(&'static str, String)> {
    let principal = query.principal();
    let territory = if principal.territories == DepartmentSet::all() {
        "France entière".to_owned()
    } else {
        principal.territories.iter().map(Department::code).collect::<Vec<_>>().join(" ")
    };
    let made = chrono::Utc::now().format("%d/%m/%Y %H:%M").to_string();
    let mut about = vec![
        ("Liste", format!("{} ({}), génération {}", list.info.label_fr(), list.info.batch, list.info.generation)),
        ("Données à fin", list.info.month.to_string()),
        ("Modèle", list.info.model_id.clone()),
        ("Éditée le (UTC)", made),
        ("Par", principal.subject.clone()),
        ("Territoire", territory),
        ("Entreprises", companies.to_string()),
    ];
    about.extend(filters(asked.request.structured_filter.as_ref()));
    if !asked.request.filter.is_empty() {
        about.push(("Filtre", asked.request.filter.clone()));
    }
    if !asked.request.order_by.is_empty() {
        about.push(("Ordre", asked.request.order_by.clone()));
    }
    about.push((
        "À lire",
        "Un score n'est pas une décision : il dit où regarder. Sur des données inventées il ne prouve que la mécanique.".to_owned(),
    ));
    about.push((
        "Confidentialité",
        "Document confidentiel, couvert par le secret professionnel (code pénal, article 226-13). Ne pas diffuser hors des agents habilités."
            .to_owned(),
    ));
    about
}

/// The filters that were given, each in words.
fn filters(filter: Option<&RankedListFilter>) -> Vec<(&'static str, String)> {
    let Some(filter) = filter else { return Vec::new() };
    let joined = |values: &[String]| values.join(" ");
    let yes_no = |value: Option<bool>| value.map(|value| if value { "oui" } else { "non" }.to_owned()).unwrap_or_default();
    let range = |range: Option<api::lists::Range>| {
        let end = |end: Option<f64>| end.map_or_else(|| "…".to_owned(), |end| end.to_string());
        range.map(|range| format!("{} à {}", end(range.min), end(range.max))).unwrap_or_default()
    };
    let levels = filter.alert_levels.iter().filter_map(|level| match level {
        1 => Some(AlertLevel::None.label_fr()),
        2 => Some(AlertLevel::Moderate.label_fr()),
        3 => Some(AlertLevel::High.label_fr()),
        _ => None,
    });
    let any = filter.territory_match == i32::from(api::lists::TerritoryMatch::AnyEstablishment);
    let given = [
        ("Départements", joined(&filter.departments)),
        ("Régions", joined(&filter.regions)),
        ("Implantations", if any { "un établissement au moins".to_owned() } else { "siège".to_owned() }),
        ("Niveaux d'alerte", levels.collect::<Vec<_>>().join(", ")),
        ("Premières alertes", yes_no(filter.first_alerts_only.then_some(true))),
        ("Premières alertes élevées", yes_no(filter.first_high_alerts_only.then_some(true))),
        ("Secteurs", joined(&filter.naf_sections)),
        ("Codes NAF", joined(&filter.naf_prefixes)),
        ("Formes juridiques", joined(&filter.legal_categories)),
        ("Effectif", range(filter.headcount)),
        ("Dette sociale (€)", range(filter.social_debt)),
        ("Chiffre d'affaires (€)", range(filter.turnover)),
        ("Dette sociale en hausse", yes_no(filter.social_debt_rising)),
        ("Délai de paiement Urssaf", yes_no(filter.has_payment_plan)),
        ("Activité partielle", yes_no(filter.short_time_work)),
        ("Créées avant le", filter.created_before.map(|day| format!("{:02}/{:02}/{}", day.day, day.month, day.year)).unwrap_or_default()),
        ("Recherche", filter.query.clone()),
    ];
    given.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
