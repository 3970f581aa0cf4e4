//! Which source a file is, by its name (`domain/ingestion.md` §2.1).

use domain::Source;

/// Exact names, lower case, without `.gz`. The names of both eras are known.
const NAMES: [(&str, Source); 25] = [
    ("stocketablissement_utf8_geo.csv", Source::Sirene),
    ("stocketablissement_utf8.csv", Source::Sirene),
    ("stocketablissement_utf8.zip", Source::Sirene),
    ("sireneul.csv", Source::SireneUl),
    ("stockunitelegale_utf8.csv", Source::SireneUl),
    ("stockunitelegale_utf8.zip", Source::SireneUl),
    ("stocketablissementhistorique_utf8.csv", Source::SireneHisto),
    ("stocketablissementhistorique_utf8.zip", Source::SireneHisto),
    ("sigfaible_etablissement_utf8.csv", Source::AdminUrssaf),
    ("sigfaible_effectif_siren.csv", Source::EffectifEnt),
    ("sigfaible_effectif_siret.csv", Source::Effectif),
    ("sigfaible_cotisdues.csv", Source::Cotisation),
    ("sigfaible_debits.csv", Source::Debit),
    ("sigfaible_delais.csv", Source::Delai),
    ("sigfaible_ccsf.csv", Source::Ccsf),
    ("sigfaible_pcoll.csv", Source::Procol),
    ("consommation_ap.csv", Source::Apconso),
    ("act_partielle_conso_depuis2014_france.csv", Source::Apconso),
    ("demande_ap.csv", Source::Apdemande),
    ("act_partielle_ddes_depuis2015_france.csv", Source::Apdemande),
    ("ratios_inpi_bce.csv", Source::RatiosInpiBce),
    ("export-ratios_inpi_bce.csv", Source::RatiosInpiBce),
    ("effectif_dom.csv", Source::Effectif),
    ("effectif_siren.csv", Source::EffectifEnt),
    ("effectif_siret.csv", Source::Effectif),
];

/// The source of a file of this name, compressed or not; `None` when the name is that of no source. Case does not matter,
/// since the producers changed it in 2022.
pub fn detect(file_name: &str) -> Option<Source> {
    let lower = file_name.to_lowercase();
    let name = lower.strip_suffix(".gz").unwrap_or(&lower);
    let exact = NAMES.iter().find(|(known, _)| *known == name).map(|(_, source)| *source);
    exact.or_else(|| is_paydex(name).then_some(Source::Paydex)).or_else(|| past(&lower, name)).or_else(|| {
        let csv = name.ends_with(".csv");
        let json = [".json", ".jsonl"].iter().any(|end| name.ends_with(end));
        // The name of the data set of DILA, with or without what an export adds to it.
        let bodacc = (csv || json) && (name.starts_with("annonces-commerciales") || name.starts_with("bodacc"));
        let by_part = [("effectif_", Source::Effectif), ("_debits", Source::Debit)];
        let part = by_part.into_iter().find(|(part, _)| csv && name.contains(part)).map(|(_, source)| source);
        let filter = (csv && name.starts_with("filter")).then_some(Source::Filter);
        part.or(filter).or_else(|| bodacc.then_some(Source::Bodacc))
    })
}

/// The sources that are no longer delivered, by the name with its `.gz` and without.
fn past(whole: &str, name: &str) -> Option<Source> {
    let diane = name.starts_with("diane") && [".txt", ".csv"].iter().any(|end| name.ends_with(end));
    // A workbook is compressed by itself.
    let workbook = whole.strip_suffix(".xlsx");
    let bdf = workbook.or_else(|| name.strip_suffix(".csv")).is_some_and(is_bdf);
    let ellisphere = workbook
        .is_some_and(|name| without_accents(name).strip_prefix("ellisphere-tete de groupe-").is_some_and(|rest| !rest.contains('.')));
    [(diane, Source::Diane), (bdf, Source::Bdf), (ellisphere, Source::Ellisphere)].into_iter().find(|(is, _)| *is).map(|(_, source)| source)
}

/// `FICHIER_SF_YYYY_MM`.
fn is_bdf(name: &str) -> bool {
    let month = name.strip_prefix("fichier_sf_").and_then(|rest| rest.split_once('_'));
    month.is_some_and(|(year, month)| digits(year, 4) && digits(month, 2))
}

/// The same without the accents of Ellisphère's names, in one character (NFC) or after their letter (NFD, as macOS writes).
fn without_accents(name: &str) -> String {
    let plain = |c| match c {
        'è' | 'ê' => Some('e'),
        '\u{300}' | '\u{302}' => None,
        c => Some(c),
    };
    name.chars().filter_map(plain).collect()
}

fn digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|c| c.is_ascii_digit())
}

/// `E_YYYYMMDDHHMM_Retro-Paydex_YYYYMMDD.csv`.
fn is_paydex(name: &str) -> bool {
    let parts = name.strip_prefix("e_").and_then(|rest| rest.strip_suffix(".csv")).and_then(|rest| rest.split_once("_retro-paydex_"));
    parts.is_some_and(|(moment, day)| digits(moment, 12) && digits(day, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_eras_are_known() {
        for (name, source) in [
            ("sigfaible_debits.csv.gz", Some(Source::Debit)),
            ("Sigfaible_debits.csv", Some(Source::Debit)),
            ("sigfaible_effectif_siren.csv.gz", Some(Source::EffectifEnt)),
            ("sigfaible_effectif_siret.csv", Some(Source::Effectif)),
            ("StockEtablissement_utf8_geo.csv", Some(Source::Sirene)),
            ("StockUniteLegale_utf8.zip", Some(Source::SireneUl)),
            ("E_202511151200_Retro-Paydex_20251115.csv", Some(Source::Paydex)),
            ("E_2025_Retro-Paydex_20251115.csv", None),
            ("Sigfaible_etablissement_utf8.csv.gz", Some(Source::AdminUrssaf)),
            ("filter_2002.csv", Some(Source::Filter)),
            ("filter.csv", Some(Source::Filter)),
            ("effectif_dom.csv", Some(Source::Effectif)),
            ("x_effectif_y.csv", Some(Source::Effectif)),
            ("2002_debits.csv", Some(Source::Debit)),
            ("sigfaible_ccsf.csv.gz", Some(Source::Ccsf)),
            ("act_partielle_conso_depuis2014_FRANCE.csv", Some(Source::Apconso)),
            ("act_partielle_ddes_depuis2015_FRANCE.csv", Some(Source::Apdemande)),
            ("annonces-commerciales.jsonl.gz", Some(Source::Bodacc)),
            ("annonces-commerciales_records.json", Some(Source::Bodacc)),
            ("sigfaible_debits.xlsx", None),
            ("Diane_Export_1.txt", Some(Source::Diane)),
            ("diane2_8.csv.gz", Some(Source::Diane)),
            ("diane_effectif_2019.csv", Some(Source::Diane)),
            ("nota_diane.md", None),
            ("Diane.docx", None),
            ("FICHIER_SF_2020_02.csv", Some(Source::Bdf)),
            ("FICHIER_SF_2020_02.csv.gz", Some(Source::Bdf)),
            ("FICHIER_SF_2018_11.xlsx", Some(Source::Bdf)),
            ("FICHIER_SF_2020_2.csv", None),
            ("FICHIER_SF_2020_02_bis.csv", None),
            ("FICHIER_SF_2018_11.xlsx.gz", None),
            ("Ellisph\u{e8}re-T\u{ea}te de groupe-FinalV2-2020.xlsx", Some(Source::Ellisphere)),
            ("Ellisphe\u{300}re-Te\u{302}te de groupe-FinalV2-2020.xlsx", Some(Source::Ellisphere)),
            ("ELLISPH\u{c8}RE-T\u{ca}TE DE GROUPE-.xlsx", Some(Source::Ellisphere)),
            ("Ellisph\u{e8}re-T\u{ea}te de groupe-v1.2.xlsx", None),
            ("Ellisph\u{e8}re-T\u{ea}te de groupe-v1.csv", None),
            ("notes.txt", None),
            ("", None),
        ] {
            assert_eq!(detect(name), source, "{name}");
        }
    }
}
