//! What each source is, for people: `docs/sources.md` is made from this module and from the columns that the parsers declare.

use std::fmt::Write;

use domain::Source;

use crate::files::{Columns, RowParser, SourceVisitor, dispatch};
use crate::layout::Dialect;
use crate::report::{Reason, SkipReason, Warning};

/// What a source is.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Who makes it, and what of.
    pub what: &'static str,
    /// Names of its files.
    pub files: &'static str,
    /// When it was or is delivered.
    pub delivered: &'static str,
    /// Rules beside those of its columns.
    pub rules: &'static [&'static str],
}

const ACCOUNTS: &str = "Before December 2025 without `Siret`: the establishment is that of the account on the day of the line (`admin_urssaf`); a line whose account is nobody's is skipped.";

/// What a source is.
pub const fn about(source: Source) -> About {
    match source {
        Source::AdminUrssaf => About {
            what: "Urssaf: accounts and the establishments that they belong to until a day",
            files: "`sigfaible_etablissement_utf8.csv`[`.gz`]",
            delivered: "2018 to November 2025, with the other files of Urssaf",
            rules: &[
                "An account is, on a day, of the first of its establishments that closes after that day: opening days are not looked at.",
            ],
        },
        Source::Sirene => About {
            what: "INSEE: establishments, open and closed, with their address and activity",
            files: "`StockEtablissement_utf8_geo.csv` (geocoded), `StockEtablissement_utf8.csv` or `.zip`",
            delivered: "monthly, whole; the columns added in March 2024 and those of the geocoding are optional",
            rules: &[
                "The SIRET is `siren` and `nic`; the column `siret` is not read.",
                "A unit whose activity is not in NAF rev. 2 is kept (decision 0006).",
            ],
        },
        Source::SireneUl => About {
            what: "INSEE: legal units, with their name, category and activity",
            files: "`sireneUL.csv`, `StockUniteLegale_utf8.csv` or `.zip`",
            delivered: "monthly, whole; NAF 2025 since May 2026",
            rules: &["A natural person is named from their names, with `EI`."],
        },
        Source::SireneHisto => About {
            what: "INSEE: past states of establishments",
            files: "`StockEtablissementHistorique_utf8.csv` or `.zip`",
            delivered: "monthly, whole, since November 2025",
            rules: &["A state without beginning nor end is skipped: closed long ago."],
        },
        Source::Effectif => About {
            what: "Urssaf: employees by establishment, account and month, a column a month (`effYYYYQM`)",
            files: "`sigfaible_effectif_siret.csv`[`.gz`], `effectif_siret.csv`, `effectif_dom.csv`, any `*effectif_*.csv` that is not by company",
            delivered: "every one to six months, whole, since 2010",
            rules: &[
                "An empty cell is no row; zero is one.",
                "Spaces group thousands. A sign or a decimal part is refused, never swallowed.",
            ],
        },
        Source::EffectifEnt => About {
            what: "Urssaf: employees by company and month, a column a month (`effYYYYQM`)",
            files: "`sigfaible_effectif_siren.csv`[`.gz`], `effectif_siren.csv`",
            delivered: "every one to six months, whole, since 2010",
            rules: &["As `effectif`. The perimeter is made from this source."],
        },
        Source::Cotisation => About {
            what: "Urssaf: contributions due for a month, a quarter or a year",
            files: "`sigfaible_cotisdues.csv`[`.gz`]",
            delivered: "monthly, around the 20th",
            rules: &["Stray quotes are text.", ACCOUNTS],
        },
        Source::Debit => About {
            what: "Urssaf: debts, each operation with the balance after it",
            files: "`sigfaible_debits.csv`[`.gz`], any `*_debits*.csv`",
            delivered: "monthly",
            rules: &[
                "`Etat_cpte` and `Cd_pro_col` are as of the delivery: stored, never a feature of a past month.",
                "An operation counts from the month of its day until the 20th, else from the next.",
                ACCOUNTS,
            ],
        },
        Source::Delai => About {
            what: "Urssaf: payment plans granted",
            files: "`sigfaible_delais.csv`[`.gz`]",
            delivered: "monthly",
            rules: &["A SIRET `@` or of eight digits is known junk: skipped.", ACCOUNTS],
        },
        Source::Ccsf => About {
            what: "Urssaf: decisions of the commissions of financial department heads",
            files: "`sigfaible_ccsf.csv`[`.gz`]",
            delivered: "monthly",
            rules: &[ACCOUNTS],
        },
        Source::Procol => About {
            what: "Urssaf: events of collective proceedings since 2006",
            files: "`sigfaible_pcoll.csv`[`.gz`]",
            delivered: "monthly",
            rules: &[
                "The first part of the label that names a proceeding is the proceeding, the other parts are its stage; an unknown label is kept and counted.",
            ],
        },
        Source::Apconso => About {
            what: "DGEFP: hours of short-time work consumed",
            files: "`consommation_ap.csv`, until 2022 `act_partielle_conso_depuis2014_FRANCE.csv`",
            delivered: "monthly, whole",
            rules: &["The first date of a file that can be read settles the notation of all."],
        },
        Source::Apdemande => About {
            what: "DGEFP: requests of short-time work",
            files: "`demande_ap.csv`, until 2022 `act_partielle_ddes_depuis2015_FRANCE.csv`",
            delivered: "monthly, whole",
            rules: &["Stray quotes are text.", "The first date of a file that can be read settles the notation of all."],
        },
        Source::Paydex => About {
            what: "Altares: mean delay of payment towards suppliers",
            files: "`E_YYYYMMDDHHMM_Retro-Paydex_YYYYMMDD.csv`",
            delivered: "December 2020 to June 2025",
            rules: &[],
        },
        Source::RatiosInpiBce => About {
            what: "DGE and INPI: ratios of published accounts (open data)",
            files: "`ratios_inpi_bce.csv`, `export-ratios_inpi_bce.csv`",
            delivered: "weekly, whole",
            rules: &["Artefacts of divisions by nearly nothing are kept as they are."],
        },
        Source::Bodacc => About {
            what: "DILA: judgments of collective proceedings announced in the official bulletin (open data)",
            files: "`annonces-commerciales*` or `bodacc*`, `.json` (an array), `.jsonl` (an object a line) or `.csv`, [`.gz`]",
            delivered: "daily since 2008; export the family `collective`",
            rules: &[
                "The nature of the judgment is read by rules on its words; natures that change no proceeding are skipped, those that no rule reads are kept without a stage and counted.",
                "A notice about several companies is a row for each; one without a SIREN is skipped.",
                "A cancelled or corrected notice no longer counts.",
                "Read into the histories when `procol` was never delivered.",
            ],
        },
        Source::Filter => About {
            what: "an explicit perimeter: a company a line",
            files: "`filter*.csv`",
            delivered: "with a batch, which it is about alone",
            rules: &["The header may be absent, or stand anywhere.", "Takes the place of the rule on headcounts; the exclusions stay."],
        },
        Source::Diane => About {
            what: "Bureau van Dijk: accounts filed with the courts and the ratios computed on them",
            files: "`Diane*.txt`[`.gz`], `Diane*.csv`[`.gz`], in UTF-16 or UTF-8",
            delivered: "2018 to 2023",
            rules: &[
                "A line is a company. The columns called optional below stand once a year, with the suffix ` YYYY`: each is needed for one year at least.",
                "A year with a closing date is a row; one that has values without it is left aside and counted. A cell that cannot be read is left empty and counted.",
                "A line of fewer than 83 fields is refused.",
            ],
        },
        Source::Bdf => About {
            what: "Banque de France: ratios of companies of Bourgogne-Franche-Comté",
            files: "`FICHIER_SF_YYYY_MM.csv`[`.gz`], before 2020 `.xlsx`",
            delivered: "2018 to 2023",
            rules: &["A workbook has one sheet."],
        },
        Source::Ellisphere => About {
            what: "Ellisphere: subsidiaries and the heads of their groups",
            files: "`Ellisphère-Tête de groupe-*.xlsx`",
            delivered: "2021 to 2025",
            rules: &["The workbook has one sheet. It bears no date: a link counts as known from the beginning."],
        },
    }
}

struct Described;

impl SourceVisitor for Described {
    type Output = (Columns, Dialect);
    fn visit<P: RowParser + 'static>(self) -> Self::Output {
        (P::COLUMNS, P::DIALECT)
    }
}

/// The page `docs/sources.md`.
pub fn markdown() -> String {
    let mut page = "# The sources\n\nMade from the code (`crates/sources/src/guide.rs`): a test compares the two. Columns are found by name, in any order and case; others are ignored.\nA byte-order mark, CRLF and Latin-1 bytes are accepted everywhere.\n".to_owned();
    for source in Source::ALL {
        let about = about(source);
        let (columns, dialect) = dispatch(source, Described);
        let _ = write!(
            page,
            "\n## `{source}`\n\n{}.\n\n- Files: {}\n- Delivered: {}\n- Between fields: `{}`{}\n",
            about.what,
            about.files,
            about.delivered,
            char::from(dialect.delimiter),
            if dialect.lazy_quotes { ", stray quotes accepted" } else { "" }
        );
        for rule in about.rules {
            let _ = writeln!(page, "- {rule}");
        }
        page.push_str("\n| column | holds |\n|---|---|\n");
        for column in columns.required {
            let _ = writeln!(page, "| `{}` | {} |", column.name, column.kind);
        }
        for column in columns.optional {
            let _ = writeln!(page, "| `{}` (optional) | {} |", column.name, column.kind);
        }
    }
    page.push_str("\n## Codes in reports\n\n| code | meaning |\n|---|---|\n");
    let lists = [Reason::LIST, SkipReason::LIST, Warning::LIST];
    for (title, list) in ["rejected", "skipped", "accepted with a warning"].iter().zip(lists) {
        for (code, meaning) in list {
            let _ = writeln!(page, "| `{code}` | {title}: {} |", meaning.trim().trim_end_matches('.'));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sources.md");
        if std::env::var_os("SF_UPDATE_DOCS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == markdown(), "docs/sources.md is not what the code says: run `SF_UPDATE_DOCS=1 cargo nextest run -p sources guide`");
    }
}
