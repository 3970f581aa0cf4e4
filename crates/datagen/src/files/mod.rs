//! The files of a delivery: names, headers, and the lines of each company.

mod insee;
mod others;
mod public;
mod urssaf;

use domain::{BatchKey, Month};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::Profile;
use crate::company::Company;
use crate::random::{Macro, stream};

/// A file of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileKind {
    Sirene,
    SireneUl,
    SireneHisto,
    Effectif,
    EffectifEnt,
    Cotisation,
    Debit,
    Delai,
    Ccsf,
    Procol,
    Apconso,
    Apdemande,
    Paydex,
    Accounts,
    PublicSirene,
    PublicSireneUl,
    PublicSireneHisto,
    Bodacc,
}

/// Number of kinds of files.
const KINDS: usize = FileKind::Bodacc as usize + 1;

/// The files of the administrations.
const FULL: &[FileKind] = &[
    FileKind::Sirene,
    FileKind::SireneUl,
    FileKind::SireneHisto,
    FileKind::Effectif,
    FileKind::EffectifEnt,
    FileKind::Cotisation,
    FileKind::Debit,
    FileKind::Delai,
    FileKind::Ccsf,
    FileKind::Procol,
    FileKind::Apconso,
    FileKind::Apdemande,
    FileKind::Paydex,
    FileKind::Accounts,
];

/// Public files only.
const OPEN_DATA: &[FileKind] =
    &[FileKind::PublicSirene, FileKind::PublicSireneUl, FileKind::PublicSireneHisto, FileKind::Bodacc, FileKind::Accounts];

/// The files of a profile.
pub(crate) const fn files(profile: Profile) -> &'static [FileKind] {
    match profile {
        Profile::Full => FULL,
        Profile::OpenData => OPEN_DATA,
    }
}

impl FileKind {
    /// Its name in the delivery of a batch.
    pub(crate) fn name(self, batch: BatchKey) -> String {
        match self {
            Self::Sirene => "StockEtablissement_utf8_geo.csv".into(),
            Self::SireneUl => "sireneUL.csv".into(),
            Self::SireneHisto => "StockEtablissementHistorique_utf8.csv".into(),
            Self::Effectif => "sigfaible_effectif_siret.csv.gz".into(),
            Self::EffectifEnt => "sigfaible_effectif_siren.csv.gz".into(),
            Self::Cotisation => "sigfaible_cotisdues.csv.gz".into(),
            Self::Debit => "sigfaible_debits.csv.gz".into(),
            Self::Delai => "sigfaible_delais.csv.gz".into(),
            Self::Ccsf => "sigfaible_ccsf.csv".into(),
            Self::Procol => "sigfaible_pcoll.csv".into(),
            Self::Apconso => "consommation_ap.csv".into(),
            Self::Apdemande => "demande_ap.csv".into(),
            Self::Paydex => {
                let day = batch.month().first_day().format("%Y%m15");
                format!("E_{day}1200_Retro-Paydex_{day}.csv")
            }
            Self::Accounts => "ratios_inpi_bce.csv".into(),
            Self::PublicSirene => "StockEtablissement_utf8.zip".into(),
            Self::PublicSireneUl => "StockUniteLegale_utf8.zip".into(),
            Self::PublicSireneHisto => "StockEtablissementHistorique_utf8.zip".into(),
            Self::Bodacc => "annonces-commerciales.jsonl".into(),
        }
    }

    /// Its header, with the line break.
    pub(crate) fn header(self, first: Month, last: Month) -> String {
        let months = || first.to(last).map(urssaf::headcount_column).collect::<Vec<_>>().join(";");
        match self {
            Self::Sirene => insee::ESTABLISHMENTS.to_owned(),
            Self::SireneUl => insee::UNITS.to_owned(),
            Self::SireneHisto => insee::STATES.to_owned(),
            Self::Effectif => format!("compte;siret;rais_soc;ape_ins;dep;{};base;UR_EMET\n", months()),
            Self::EffectifEnt => format!("siren;{};rais_soc\r\n", months()),
            Self::Cotisation => "Urssaf_gestion;Dep;Siret;Compte;periode;mer;enc_direct;cotis_due\n".into(),
            Self::Debit => urssaf::DEBITS.to_owned(),
            Self::Delai => urssaf::PLANS.to_owned(),
            Self::Ccsf => "Urssaf_gestion;Dep;Siret;Compte;Date_de_traitement;Code_externe_stade;Code_externe_action\n".into(),
            Self::Procol => "Siret;Siren;Dt_effet;Cat_v2;Lib_actx_stdx\n".into(),
            Self::Apconso => "\"ID_DA\",\"ETAB_SIRET\",\"HEURES\",\"MONTANTS\",\"EFFECTIFS\",\"MOIS\"\n".into(),
            Self::Apdemande => others::REQUESTS.to_owned(),
            Self::Paydex => "SIREN;NB_JOURS;NB_JOURS_LIB;DATE_VALEUR\r\n".into(),
            Self::Accounts => format!("\u{feff}{}", others::ACCOUNTS),
            Self::PublicSirene => public::ESTABLISHMENTS.to_owned(),
            Self::PublicSireneUl => public::UNITS.to_owned(),
            Self::PublicSireneHisto => public::STATES.to_owned(),
            Self::Bodacc => String::new(),
        }
    }
}

/// The lines of a company in each file, and what was spoiled.
#[derive(Default)]
pub(crate) struct Lines {
    /// In the order of [`FileKind`].
    pub(crate) text: [Vec<u8>; KINDS],
    /// File and kind of each spoiled line.
    pub(crate) dirt: Vec<(FileKind, &'static str)>,
}

impl Lines {
    fn push(&mut self, file: FileKind, line: &str) {
        self.text[file as usize].extend_from_slice(line.as_bytes());
    }
}

/// An identifier of an establishment.
fn siret(company: &Company, establishment: usize) -> String {
    let body = format!("{}{:04}", company.siren, establishment + 1);
    let siret =
        (0..10).map(|key| format!("{body}{key}")).find(|text| text.parse::<domain::Siret>().is_ok_and(domain::Siret::has_valid_key));
    siret.unwrap_or(body + "0")
}

/// A name that belongs to nobody: made of a trade, a word and a place.
fn name(company: &Company) -> String {
    const TRADES: [&str; 12] = [
        "ATELIERS",
        "SERVICES",
        "TRANSPORTS",
        "BATIMENT",
        "NEGOCE",
        "CONSTRUCTIONS",
        "MECANIQUE",
        "LOGISTIQUE",
        "MENUISERIE",
        "DISTRIBUTION",
        "CONSEIL",
        "TECHNIQUES",
    ];
    const WORDS: [&str; 16] = [
        "AURORE", "BOREAL", "CEDRE", "DELTA", "ECLAT", "FALAISE", "GRANIT", "HORIZON", "INDIGO", "JASPE", "LAGUNE", "MERIDIEN", "NACRE",
        "ORCHIS", "PRISME", "ZENITH",
    ];
    let number = company.number as usize;
    format!("{} {} {}", TRADES[number % TRADES.len()], WORDS[number / TRADES.len() % WORDS.len()], number)
}

/// The lines of a company in every file of a profile.
pub(crate) fn lines(company: &Company, seed: u64, weather: &Macro, profile: Profile) -> Lines {
    let mut random = stream(seed ^ 0x00f1_1e5e, company.number.into(), None);
    let mut lines = Lines::default();
    if profile == Profile::OpenData {
        public::write(company, weather, &mut lines, &mut random);
        others::accounts(company, seed, weather, &mut lines);
        return lines;
    }
    insee::write(company, weather.last, &mut lines, &mut random);
    urssaf::headcounts(company, weather, &mut lines, &mut random);
    urssaf::contributions(company, weather, &mut lines);
    urssaf::debts(company, seed, &mut lines);
    urssaf::plans(company, seed, &mut lines);
    urssaf::proceedings(company, &mut lines, &mut random);
    others::short_time(company, seed, weather, &mut lines);
    others::payment_delays(company, seed, &mut lines);
    others::accounts(company, seed, weather, &mut lines);
    spoil(company, &mut lines, &mut random);
    lines
}

/// Adds the dirt of real files: wrong lines, duplicates, internal identifiers. Each is counted.
fn spoil(company: &Company, lines: &mut Lines, random: &mut ChaCha8Rng) {
    let siret = siret(company, 0);
    let wrong: [(FileKind, &'static str, f64, String); 8] = [
        (FileKind::Cotisation, "short_line", 0.01, format!("000;00;{siret}\n")),
        (FileKind::Cotisation, "bad_period", 0.005, format!("000;00;{siret};1;201799;1;0;10,00\n")),
        (FileKind::Debit, "bad_date", 0.01, format!("000;00;1;{};{siret};20100101;1;0;201712;101;1;1180151;1;1;1;1;0\n", company.siren)),
        (FileKind::Debit, "acoss_internal_id", 0.005, "000;00;1;;1234567A89;20100101;1;0;201712;101;1;1180110;1;1;1;1;0\n".to_owned()),
        (FileKind::Delai, "iso_date", 0.002, format!("000;00;{siret};1;1;2018-01-01;01/03/2018;60;X;INF;2018;100,00;APPROB;SUR PO\n")),
        (FileKind::Procol, "bad_siret", 0.002, "123;456;26MAY2014;1;ouverture_liquidation\n".to_owned()),
        (FileKind::Apconso, "bad_hours", 0.002, format!("\"A\",\"{siret}\",beaucoup,1,1,\"2021-03-01\"\n")),
        (FileKind::Paydex, "us_date", 0.005, format!("{};1;1 jours;01/15/2019\r\n", company.siren)),
    ];
    for (file, kind, rate, line) in wrong {
        if random.random::<f64>() < rate {
            lines.push(file, &line);
            lines.dirt.push((file, kind));
        }
    }
    if random.random::<f64>() < 0.02 {
        let file = FileKind::Debit;
        let last = lines.text[file as usize].split_inclusive(|byte| *byte == b'\n').next_back().map(<[u8]>::to_vec);
        if let Some(last) = last.filter(|line| line.len() > 60) {
            lines.text[file as usize].extend(last);
            lines.dirt.push((file, "exact_duplicate"));
        }
    }
}
