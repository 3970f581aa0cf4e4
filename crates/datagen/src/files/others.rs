//! The files of DGEFP, Altares, DGE and INPI: short-time work, payment delays, published accounts.

use domain::Month;
use rand::Rng;

use super::{FileKind, Lines, siret};
use crate::company::Company;
use crate::random::{Macro, normal, stream};

pub(super) const REQUESTS: &str = "\"ID_DA\",\"ETAB_SIRET\",\"EFF_ENT\",\"EFF_ETAB\",\"DATE_STATUT\",\"DATE_DEB\",\"DATE_FIN\",\"HTA\",\"MTA\",\"EFF_AUTO\",\"MOTIF_RECOURS_SE\",\"PERIMETRE_AP\",\"S_HEURE_CONSOM_TOT\",\"S_EFF_CONSOM_TOT\",\"S_MONTANT_CONSOM_TOT\",\"RECOURS_ANTERIEUR\"\n";
pub(super) const ACCOUNTS: &str = "siren;date_cloture_exercice;chiffre_d_affaires;marge_brute;ebe;ebit;resultat_net;taux_d_endettement;ratio_de_liquidite;ratio_de_vetuste;autonomie_financiere;poids_bfr_exploitation_sur_ca;couverture_des_interets;caf_sur_ca;capacite_de_remboursement;marge_ebe;resultat_courant_avant_impots_sur_ca;poids_bfr_exploitation_sur_ca_jours;rotation_des_stocks_jours;credit_clients_jours;credit_fournisseurs_jours;type_bilan;confidentialite\n";

/// Monthly hours of a full-time employee.
const FULL_TIME: f64 = 151.67;
/// Allowance for an hour, euros.
const ALLOWANCE: f64 = 8.76;
/// Months from the closing of accounts to their publication.
const PUBLICATION: i32 = 9;

pub(super) fn short_time(company: &Company, seed: u64, weather: &Macro, lines: &mut Lines) {
    let siret = siret(company, 0);
    let mut until: Option<Month> = None;
    for state in &company.months {
        let Some(months) = state.short_time.filter(|_| until.is_none_or(|until| until < state.month)) else { continue };
        let mut random = stream(seed ^ 0x0005_0a7e, company.number.into(), Some(state.month));
        let (start, end) = (state.month, state.month.plus(months as i32 - 1));
        let staff = (state.headcount * random.random_range(0.2..0.9)).max(1.0);
        let hours = staff * FULL_TIME * f64::from(months) * random.random_range(0.3..1.0);
        let id = format!("S{:06}{:03}", company.number % 1_000_000, state.month.index() % 1_000);
        let decided = start.first_day() + chrono::Duration::days(random.random_range(-10..20));
        let used = random.random::<f64>() < 0.7;
        lines.push(
            FileKind::Apdemande,
            &format!(
                "\"{id}\",\"{siret}\",{:.1},{:.1},\"{decided}\",\"{}\",\"{}\",{hours:.2},{:.2},{staff:.1},\"{}\",\"1\",0.0,0.0,0.0,\"1\"\n",
                state.headcount,
                state.headcount * company.establishments[0],
                start.first_day(),
                end.last_day(),
                hours * ALLOWANCE,
                if start.year() == 2020 { 5 } else { 1 }
            ),
        );
        for month in start.to(end).filter(|month| used && *month < weather.last) {
            let consumed = (hours / f64::from(months) * random.random_range(0.4..1.0)).min(staff * FULL_TIME);
            lines.push(
                FileKind::Apconso,
                &format!("\"{id}\",\"{siret}\",{consumed:.2},{:.2},{staff:.1},\"{}\"\n", consumed * ALLOWANCE, month.first_day()),
            );
        }
        until = Some(end);
    }
}

pub(super) fn payment_delays(company: &Company, seed: u64, lines: &mut Lines) {
    if !company.followed_by_altares {
        return;
    }
    for state in company.months.iter().filter(|state| state.month.year() >= 2016) {
        let mut random = stream(seed ^ 0x00a1_7a3e, company.number.into(), Some(state.month));
        let days = (9.0 * (normal(&mut random, 0.0, 0.30) + state.seen.ln_1p()).exp() - 2.0).clamp(0.0, 180.0);
        lines.push(
            FileKind::Paydex,
            &format!("{};{days:.0};{days:.0} jours;15/{:02}/{}\r\n", company.siren, state.month.number(), state.month.year()),
        );
    }
}

pub(super) fn accounts(company: &Company, seed: u64, weather: &Macro, lines: &mut Lines) {
    if !company.publishes {
        return;
    }
    let closing = if company.number.is_multiple_of(5) { 6 } else { 12 };
    let closings = company.months.iter().enumerate().filter(|(index, state)| *index >= 11 && state.month.number() == closing);
    for (index, state) in closings.filter(|(_, state)| state.month.plus(PUBLICATION) <= weather.last) {
        let mut random = stream(seed ^ 0x000a_cc07, company.number.into(), Some(state.month));
        let year = &company.months[index - 11..=index];
        let margin = year.iter().map(|state| state.margin).sum::<f64>() / 12.0 + normal(&mut random, 0.0, 0.25);
        let cash = state.cash + normal(&mut random, 0.0, 1.5);
        let turnover = state.headcount * 130_000.0 * normal(&mut random, 1.0, 0.15).max(0.3);
        let noise = |random: &mut rand_chacha::ChaCha8Rng, mean: f64, deviation: f64| normal(random, mean, deviation);
        let ebitda = turnover * (0.02 + 0.25 * margin);
        let autonomy = 25.0 + 6.0 * cash + noise(&mut random, 0.0, 8.0);
        // The true file has artefacts of divisions by nearly nothing.
        let debt_ratio = if random.random::<f64>() < 0.001 { 1e9 } else { (90.0 - 15.0 * cash + noise(&mut random, 0.0, 25.0)).max(0.0) };
        let fields = [
            format!("{turnover:.0}"),
            format!("{:.0}", turnover * 0.55),
            format!("{ebitda:.0}"),
            format!("{:.0}", ebitda * 0.8),
            format!("{:.0}", ebitda * 0.6),
            format!("{debt_ratio:.3}"),
            format!("{:.3}", (140.0 + 20.0 * cash + noise(&mut random, 0.0, 20.0)).max(5.0)),
            format!("{:.3}", noise(&mut random, 55.0, 18.0).clamp(0.0, 100.0)),
            format!("{autonomy:.3}"),
            format!("{:.3}", noise(&mut random, 18.0, 9.0)),
            format!("{:.3}", noise(&mut random, 3.0, 2.0)),
            format!("{:.3}", 5.0 + 18.0 * margin + noise(&mut random, 0.0, 2.0)),
            format!("{:.3}", noise(&mut random, 2.0, 1.5)),
            format!("{:.3}", 100.0 * ebitda / turnover),
            format!("{:.3}", 80.0 * ebitda / turnover),
            format!("{:.3}", noise(&mut random, 60.0, 25.0)),
            format!("{:.3}", noise(&mut random, 45.0, 20.0).max(0.0)),
            format!("{:.3}", noise(&mut random, 55.0, 15.0).max(0.0)),
            format!("{:.3}", (50.0 - 6.0 * cash + noise(&mut random, 0.0, 12.0)).max(0.0)),
        ];
        lines.push(FileKind::Accounts, &format!("{};{};{};C;Public\n", company.siren, state.month.last_day(), fields.join(";")));
    }
}
