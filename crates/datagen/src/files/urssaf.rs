//! The files of Urssaf: headcounts, contributions, debts, payment plans, proceedings.

use domain::{Month, NaiveDate, ProcolAction};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{FileKind, Lines, name, siret};
use crate::company::{Company, State};
use crate::random::{Macro, stream};

pub(super) const DEBITS: &str = "Urssaf_gestion;Dep;num_cpte;Siren;Siret;Dt_immat;Etat_cpte;Cd_pro_col;Periode;Num_Ecn;Num_Hist_Ecn;Dt_trt_ecn;Mt_PO;Mt_PP;Cd_op_ecn;Motif_ecn;Recours_en_cours\n";
pub(super) const PLANS: &str = "Urssaf_gestion;Dep;Siret;Numero_compte_externe;Numero_structure;Date_creation;Date_echeance;Duree_delai;Denomination_premiere_ligne;Indic_6M;Annee_creation;Montant_global_echeancier;Code_externe_stade;Code_externe_action\r\n";

/// Months after the last headcount delivered whole.
const BLANK: i32 = 2;
/// Part of the debt that is the employees'.
const EMPLOYEES: f64 = 0.27;

fn account(company: &Company, establishment: usize) -> String {
    format!("{:03}{:012}{establishment:03}", 100 + company.number % 800, u64::from(company.siren.number()) * 7 % 1_000_000_000_000)
}

/// `Urssaf_gestion;Dep`.
fn office(company: &Company) -> String {
    format!("{:03};{}", 100 + company.number % 800, company.place.department)
}

/// `effYYYYQM`.
pub(super) fn headcount_column(month: Month) -> String {
    format!("eff{}", period(month))
}

/// `YYYYQM`.
fn period(month: Month) -> String {
    format!("{}{}{}", month.year(), (month.number() - 1) / 3 + 1, (month.number() - 1) % 3 + 1)
}

/// An Urssaf date.
fn date(day: NaiveDate) -> String {
    let ymd: u32 = day.format("%Y%m%d").to_string().parse().unwrap_or_default();
    format!("{}", ymd - 19_000_000)
}

fn day_of(month: Month, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(month.year(), month.number(), day.clamp(1, 28)).unwrap_or_else(|| month.first_day())
}

/// The state of a month, if the company lives then.
fn at(company: &Company, month: Month) -> Option<&State> {
    let first = company.months.first()?.month;
    company.months.get(usize::try_from(month.since(first)).ok()?)
}

pub(super) fn headcounts(company: &Company, weather: &Macro, lines: &mut Lines, random: &mut ChaCha8Rng) {
    // The last columns are empty for everybody; a company may be up to four months late.
    let known = weather.last.plus(-BLANK - random.random_range(0..5).min(random.random_range(0..5)));
    let cell = |month: Month, share: f64| {
        at(company, month)
            .filter(|_| month <= known && company.created <= month)
            .map(|state| format!("{:.0}", state.headcount * share))
            .unwrap_or_default()
    };
    let row = |share: f64| weather.first.to(weather.last).map(|month| cell(month, share)).collect::<Vec<_>>().join(";");
    let naf = company.naf.replace('.', "");
    for (establishment, share) in company.establishments.iter().enumerate() {
        let head = format!("{};{};", account(company, establishment), siret(company, establishment));
        lines.push(FileKind::Effectif, &head);
        // Some names are in Latin-1, as in the real file.
        if company.number.is_multiple_of(97) {
            lines.text[FileKind::Effectif as usize].extend_from_slice(b"SOCI\xc9T\xc9 ");
        }
        lines.push(
            FileKind::Effectif,
            &format!("{};{naf};{};{};{};\n", name(company), company.place.department, row(*share), 100 + company.number % 900),
        );
    }
    lines.push(FileKind::EffectifEnt, &format!("{};{};{}\r\n", company.siren, row(1.0), name(company)));
}

pub(super) fn contributions(company: &Company, weather: &Macro, lines: &mut Lines) {
    // One company in 25 pays by quarter, one in 100 by year.
    let months = match company.number % 100 {
        0 => 12,
        1..=4 => 3,
        _ => 1,
    };
    let office = office(company);
    for start in weather.first.to(weather.last).filter(|month| (month.number() as i32 - 1) % months == 0) {
        let end = start.plus(months - 1);
        // A period is delivered once it is over.
        if end > weather.last {
            break;
        }
        let due: f64 = start.to(end).filter_map(|month| at(company, month)).map(|state| state.contributions).sum();
        if due <= 0.0 {
            continue;
        }
        let period = match months {
            12 => format!("{}62", start.year()),
            3 => format!("{}{}0", start.year(), (start.number() - 1) / 3 + 1),
            _ => period(start),
        };
        for (establishment, share) in company.establishments.iter().enumerate() {
            let amount = format!("{:.2}", due * share).replace('.', ",");
            let (siret, account) = (siret(company, establishment), account(company, establishment));
            lines.push(FileKind::Cotisation, &format!("{office};{siret};{account};{period};1;{amount};{amount}\n"));
        }
    }
}

/// A debt of a period: what is left of it, and how many operations it has had.
struct Gap {
    period: Month,
    left: f64,
    operations: u32,
}

/// `Etat_cpte;Cd_pro_col` on the day of the delivery, repeated on every row of the past as in the real files: whoever uses it as
/// a fact of the past lets the future in.
fn account_state(company: &Company) -> &'static str {
    let today = company.months.last().map(|state| state.month);
    let past = |month: Month| today.is_some_and(|today| month <= today);
    match company.failures.last() {
        None => "1;0",
        Some(failure) if failure.kind == ProcolAction::Liquidation || failure.liquidated.is_some_and(past) => "3;1",
        Some(failure) => match failure.ended.filter(|(month, _)| past(*month)) {
            None => "1;1",
            Some((_, "plan_continuation")) => "1;2",
            Some(_) => "1;0",
        },
    }
}

/// The debt as rows that each state a balance: new debts open a gap, payments reduce the oldest ones.
pub(super) fn debts(company: &Company, seed: u64, lines: &mut Lines) {
    let mut gaps: Vec<Gap> = Vec::new();
    let (office, siret, account, account_state) = (office(company), siret(company, 0), account(company, 0), account_state(company));
    let mut owed = 0.0;
    for state in &company.months {
        let mut random = stream(seed ^ 0x0deb_7000, company.number.into(), Some(state.month));
        let day = date(day_of(state.month, random.random_range(3..29)));
        let mut row = |gap: &mut Gap, operation: u32| {
            gap.operations += 1;
            let (employees, employer) = ((gap.left * EMPLOYEES * 100.0).round(), (gap.left * (1.0 - EMPLOYEES) * 100.0).round());
            lines.push(
                FileKind::Debit,
                &format!(
                    "{office};{account};{};{siret};{};{account_state};{};101;{};{day};{employees};{employer};{operation};2;0\n",
                    company.siren,
                    company.created.first_day().format("%Y%m%d"),
                    period(gap.period),
                    gap.operations
                ),
            );
        };
        let change = state.debt - owed;
        if change > 1.0 {
            let mut gap = Gap { period: state.month.plus(-1), left: change, operations: 0 };
            row(&mut gap, 1);
            gaps.push(gap);
        } else if change < -1.0 {
            let mut paid = -change;
            for gap in gaps.iter_mut().filter(|gap| gap.left > 0.0) {
                if paid <= 0.0 {
                    break;
                }
                let part = paid.min(gap.left);
                gap.left = if gap.left - part < 0.01 { 0.0 } else { gap.left - part };
                paid -= part;
                row(gap, 2);
            }
            gaps.retain(|gap| gap.left > 0.0);
        }
        owed = gaps.iter().map(|gap| gap.left).sum();
    }
}

pub(super) fn plans(company: &Company, seed: u64, lines: &mut Lines) {
    let (office, siret, account) = (office(company), siret(company, 0), account(company, 0));
    let mut until: Option<Month> = None;
    for state in &company.months {
        let Some(months) = state.plan.filter(|_| until.is_none_or(|until| until < state.month)) else { continue };
        let mut random = stream(seed ^ 0x009_1a45, company.number.into(), Some(state.month));
        let created = day_of(state.month, random.random_range(1..29));
        let due = day_of(state.month.plus(months as i32), random.random_range(1..29));
        let (days, long) = ((due - created).num_days(), if months > 6 { "SUP" } else { "INF" });
        let stage = if random.random::<f64>() < 0.75 { "APPROB" } else { "REFUS" };
        let amount = format!("{:.2}", state.debt).replace('.', ",");
        lines.push(
            FileKind::Delai,
            &format!(
                "{office};{siret};{account};{};{};{};{days};{};{long};{};{amount};{stage};SUR PO ET PP\r\n",
                8_000_000_000_000u64 + u64::from(company.number),
                created.format("%d/%m/%Y"),
                due.format("%d/%m/%Y"),
                name(company),
                created.format("%Y")
            ),
        );
        if state.headcount > 50.0 && random.random::<f64>() < 0.3 {
            let (opened, decided) = (date(created), date(day_of(state.month.plus(1), 10)));
            lines.push(
                FileKind::Ccsf,
                &format!("{office};{siret};{account};{opened};DEBUT;CCSF\n{office};{siret};{account};{decided};{stage};CCSF\n"),
            );
        }
        until = Some(state.month.plus(months as i32));
    }
}

pub(super) fn proceedings(company: &Company, lines: &mut Lines, random: &mut ChaCha8Rng) {
    let siret = siret(company, 0);
    let end = company.months.last().map(|state| state.month);
    let mut event = |month: Month, action: ProcolAction, stage: &str, random: &mut ChaCha8Rng| {
        let day = day_of(month, random.random_range(1..29));
        // Both orders of words and any case stand in the real file.
        let label = match random.random_range(0..3) {
            0 => format!("{stage}_{}", action.name()),
            1 => format!("{}_{stage}", action.name()),
            _ => format!("{}{}_{}", stage[..1].to_uppercase(), &stage[1..], action.name()),
        };
        if end.is_some_and(|end| month <= end.plus(1)) {
            let date = day.format("%d%b%Y").to_string().to_uppercase();
            lines.push(FileKind::Procol, &format!("{siret};{};{date};1;{label}\n", company.siren));
        }
    };
    for failure in &company.failures {
        event(failure.month, failure.kind, "ouverture", random);
        if let Some(liquidated) = failure.liquidated {
            event(liquidated, failure.kind, "inclusion_autre_procedure", random);
            event(liquidated, ProcolAction::Liquidation, "ouverture", random);
        }
        if let Some((month, stage)) = failure.ended {
            event(month, failure.kind, stage, random);
        }
    }
}
