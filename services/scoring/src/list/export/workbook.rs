//! A workbook: a sheet of companies with typed cells, and a sheet that says what it holds, for whom, and how to treat it.

use api::lists::RankedListFilter;
use domain::{AlertLevel, Department, DepartmentSet};
use rust_xlsxwriter::{Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};

use super::super::entry::Entry;
use super::super::query::Query;
use super::super::store::List;
use super::Asked;
use super::columns::{Cell, Column, Row};

/// Numbers of the paper sizes.
const A3: u8 = 8;
const A4: u8 = 9;
/// Columns are as wide as what stands in them, in characters, within these; what is longer goes on below.
const WIDTHS: (usize, usize) = (6, 100);
/// What of it stays free: the indent, the button of the filter, separators of thousands.
const FREE: usize = 3;
/// Points. A spreadsheet does not make rows higher by itself when it opens a file.
const LINE_HEIGHT: f64 = 15.0;
/// The first columns say which company it is: on screen and on paper they stand beside all others.
const COMPANY: (u16, u16) = (1, 3);

/// How cells look.
struct Formats {
    heading: Format,
    text: Format,
    day: Format,
    year: Format,
    whole: Format,
    decimal: Format,
}

impl Formats {
    fn new() -> Self {
        let top = Format::new().set_align(FormatAlign::Top);
        let number = |shown: &str| top.clone().set_num_format(shown);
        Self {
            heading: Format::new().set_bold().set_text_wrap().set_background_color(0xE8_ED_F5).set_border_bottom(FormatBorder::Thin),
            text: top.clone().set_align(FormatAlign::Left).set_indent(1).set_text_wrap(),
            day: number("dd/mm/yyyy"),
            year: number("0"),
            whole: number("#,##0"),
            decimal: number("#,##0.00"),
        }
    }

    /// Writes a cell; one whose value is unknown stays empty.
    fn write(&self, sheet: &mut Worksheet, (line, column): (u32, u16), cell: Cell, is_year: bool) -> Result<(), XlsxError> {
        match cell {
            Cell::Text(text) => sheet.write_string_with_format(line, column, text, &self.text)?,
            // A year is a number that wants no separator.
            Cell::Number(Some(number), 0) if is_year => sheet.write_number_with_format(line, column, number, &self.year)?,
            Cell::Number(Some(number), 0) => sheet.write_number_with_format(line, column, number.round(), &self.whole)?,
            Cell::Number(Some(number), _) => sheet.write_number_with_format(line, column, number, &self.decimal)?,
            Cell::Day(Some(day)) => sheet.write_datetime_with_format(line, column, day, &self.day)?,
            Cell::Number(None, _) | Cell::Day(None) => sheet,
        };
        Ok(())
    }
}

pub(super) fn write(
    list: &List,
    query: &Query,
    asked: &Asked,
    columns: &[Column<'_>],
    entries: impl Iterator<Item = Entry>,
) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let formats = Formats::new();
    let companies = write_companies(workbook.add_worksheet(), &formats, columns, list, entries)?;
    let sheet = workbook.add_worksheet().set_name("Filtres")?;
    sheet.set_column_width(0, 34)?;
    sheet.set_column_width(1, 110)?;
    for (line, (label, value)) in about(list, query, asked, companies).into_iter().enumerate() {
        sheet.write_string_with_format(line as u32, 0, label, &formats.heading)?;
        sheet.write_string_with_format(line as u32, 1, value, &formats.text)?;
    }
    printed(sheet, A4, 1);
    workbook.save_to_buffer()
}

/// The sheet of companies; returns how many there are.
fn write_companies(
    sheet: &mut Worksheet,
    formats: &Formats,
    columns: &[Column<'_>],
    list: &List,
    entries: impl Iterator<Item = Entry>,
) -> Result<u32, XlsxError> {
    sheet.set_name("Entreprises")?;
    // In a heading words go below each other.
    let names: Vec<String> = columns.iter().map(|column| column.name.replace('_', " ")).collect();
    let mut widths: Vec<usize> = names.iter().map(|name| name.split(' ').map(length).max().unwrap_or(0)).collect();
    let mut line = 0;
    for entry in entries {
        line += 1;
        let row = Row { info: &list.info, entry: &entry };
        let mut height = 1;
        for (position, column) in columns.iter().enumerate() {
            let cell = column.cell(&row);
            let shown = cell.csv();
            widths[position] = widths[position].max(length(&shown)).min(WIDTHS.1 - FREE);
            height = height.max(lines(&shown, WIDTHS.1 - FREE));
            formats.write(sheet, (line, position as u16), cell, column.name.starts_with("Année"))?;
        }
        if height > 1 {
            sheet.set_row_height(line, LINE_HEIGHT * height as f64)?;
        }
    }
    let mut height = 1;
    for (position, (name, width)) in names.iter().zip(widths).enumerate() {
        height = height.max(lines(name, width + FREE - 1));
        sheet.write_string_with_format(0, position as u16, name, &formats.heading)?;
        sheet.set_column_width(position as u16, (width + FREE).max(WIDTHS.0) as f64)?;
    }
    sheet.set_row_height(0, LINE_HEIGHT * height as f64)?;
    sheet.set_freeze_panes(1, COMPANY.1 + 1)?;
    sheet.autofilter(0, 0, line, columns.len() as u16 - 1)?;
    // On paper: two sheets of A3 beside each other, the headings and the company on each.
    sheet.set_repeat_rows(0, 0)?.set_repeat_columns(COMPANY.0, COMPANY.1)?;
    printed(sheet, A3, 2);
    Ok(line)
}

/// How a sheet is printed: of this paper, so many pages wide, with what must not be forgotten under each.
fn printed(sheet: &mut Worksheet, paper: u8, wide: u16) {
    sheet.set_paper_size(paper).set_landscape().set_margins(0.4, 0.4, 0.4, 0.6, 0.3, 0.3).set_print_fit_to_pages(wide, 0);
    sheet.set_footer("&LDocument confidentiel, couvert par le secret professionnel&RPage &P / &N");
}

/// How many lines a text takes in a column of this width; a word is not broken.
fn lines(text: &str, width: usize) -> usize {
    let (mut lines, mut used) = (1, 0);
    for word in text.split(' ').map(length) {
        if used > 0 && used + 1 + word > width {
            (lines, used) = (lines + 1, word);
        } else {
            used += word + usize::from(used > 0);
        }
    }
    lines
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
        ("Suivies par moi", yes_no(filter.followed)),
        ("Recherche", filter.query.clone()),
    ];
    given.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_on_below_where_the_column_ends() {
        for (text, width, wanted) in [
            ("", 5, 1),
            ("siren", 5, 1),
            ("premiere alerte elevee", 8, 3),
            ("premiere alerte elevee", 15, 2),
            ("éé éé", 5, 1),
            ("longer a", 3, 2),
        ] {
            assert_eq!(lines(text, width), wanted, "{text} in {width}");
        }
    }
}
