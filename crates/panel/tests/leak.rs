//! The leak test, never removed (`design.md` §3): a vector of month `m` is made of what was known at `m`, and of nothing
//! else. Checked on random companies, by recomputing from the rows known then and by altering later rows; and the check
//! itself is shown to catch a leak.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use domain::records::{
    Accounts, BankRatios, CcsfDecision, CompanyAccounts, CompanyHeadcount, Contribution, Debit, Establishment, EstablishmentState,
    Headcount, LegalUnit, PaymentDelay, PaymentPlan, ProcolEvent, Record, ShortTimeConsumption, ShortTimeRequest, Text,
};
use domain::time_rules::TimeRules;
use domain::{Cents, Department, Month, NafCode, NafNomenclature, NaiveDate, ProcolAction, ProcolStage, Siren, Siret, UrssafPeriod};
use panel::peers::{Member, PeerCounts, PeerRates};
use panel::perimeter::{Size, SizeBasis, SizeRule};
use panel::{Catalogue, CompanyRows, build, risk};
use proptest::prelude::*;

const SIREN: u32 = 732_829_320;

fn first() -> Month {
    Month::new(2020, 1).unwrap()
}

fn last() -> Month {
    Month::new(2022, 12).unwrap()
}

fn siret(establishment: u8) -> Siret {
    Siret::from_parts(Siren::from_number(SIREN).unwrap(), format!("0001{}", establishment % 3).as_bytes()).unwrap()
}

fn day(offset: u16) -> NaiveDate {
    Month::new(2018, 1).unwrap().first_day() + chrono::Duration::days(i64::from(offset % 1900))
}

fn month(offset: u16) -> Month {
    Month::of(day(offset))
}

prop_compose! {
    /// Rows of every source, around the months computed.
    fn company()(seeds in prop::collection::vec((any::<u8>(), any::<u16>(), any::<u16>(), 0i64..500_000, any::<u8>()), 0..120)) -> CompanyRows {
        let mut rows = CompanyRows::empty(Siren::from_number(SIREN).unwrap());
        // Half of them have a head office, without which a company is out of every perimeter.
        if seeds.len().is_multiple_of(2) {
            let mut head_office = establishment(siret(0), day(0), 0);
            (head_office.head_office, head_office.created) = (true, None);
            rows.establishments.push(head_office);
            rows.legal_unit = Some(legal_unit(rows.siren));
        }
        for (kind, at, length, amount, e) in seeds {
            add(&mut rows, kind, at, length, amount, e);
        }
        rows
    }
}

fn add(rows: &mut CompanyRows, kind: u8, at: u16, length: u16, amount: i64, e: u8) {
    let (siret, account, text) = (siret(e), Text::from(format!("{}", e % 2)), Text::default());
    let period = UrssafPeriod::new(month(at), [1, 1, 3, 12][usize::from(e) % 4]).unwrap();
    let siren = siret.siren();
    match kind % 12 {
        0..=2 => rows.debits.push(Debit {
            siret,
            account,
            period,
            gap_number: format!("{}", 101 + e % 2).into(),
            history_number: i32::from(length % 5),
            treated_on: day(at.wrapping_add(length % 400)),
            employee_part: Cents(amount / 4),
            employer_part: Cents(amount),
            account_state: Some(1),
            procol_code: text,
            operation_code: "1".into(),
            reason_code: format!("{}", e % 28).into(),
            appeal: false,
        }),
        3..=4 => rows.contributions.push(Contribution { siret, account, period, paid: None, due: Cents(amount) }),
        5 => {
            rows.company_headcounts.push(CompanyHeadcount { siren, month: month(at), headcount: u32::from(e % 40) });
            rows.headcounts.push(Headcount { siret, account, month: month(length), headcount: u32::from(e % 20) });
        }
        6 => rows.plans.push(PaymentPlan {
            siret,
            account,
            case_number: Text::default(),
            created: day(at),
            due: day(at) + chrono::Duration::days(i64::from(length % 700) + 1),
            duration_days: e.is_multiple_of(2).then_some(i32::from(length % 700)),
            debtor: text.clone(),
            six_months: text.clone(),
            year: None,
            amount: Cents(amount + 1),
            stage: "APPROB".into(),
            action: text,
        }),
        7 => rows.consumptions.push(ShortTimeConsumption {
            request_id: account,
            siret,
            date: day(at),
            hours: f64::from(e),
            amount: None,
            headcount: None,
        }),
        8 => rows.requests.push(ShortTimeRequest {
            request_id: account,
            siret,
            company_headcount: None,
            headcount: None,
            decided: if e.is_multiple_of(3) { None } else { Some(day(length)) },
            start: day(at),
            end: day(at) + chrono::Duration::days(i64::from(e)),
            hours: Some(f64::from(e)),
            amount: None,
            authorised_headcount: None,
            reason: Some(1 + e % 2),
            perimeter: None,
            consumed_hours: None,
            consumed_headcount: None,
            consumed_amount: None,
        }),
        9 => rows.payment_delays.push(PaymentDelay { siren, days: i32::from(e), value_date: day(at) }),
        10 => {
            rows.states.push(EstablishmentState {
                siret,
                start: Some(day(at)),
                end: Some(day(length)),
                active: e.is_multiple_of(2),
                changed: true,
            });
            rows.ccsf.push(CcsfDecision { siret, account, treated_on: day(length), stage: "DEBUT".into(), action: "CCSF".into() });
            let (action, stage) = (ProcolAction::ALL[usize::from(e) % 3], ProcolStage::NAMED[usize::from(e) % 7]);
            rows.proceedings.push(ProcolEvent {
                siren: siret.siren(),
                siret: Some(siret),
                effective: day(at),
                action: Some(action),
                stage,
                label: Text::default(),
            });
        }
        _ => {
            rows.accounts.push(accounts(siren, day(at), amount - 200_000, e));
            rows.company_accounts.push(company_accounts(siren, day(length), amount));
            rows.bank_ratios.push(bank_ratios(siren, day(at ^ length), f64::from(e)));
            rows.establishments.push(establishment(siret, day(at), e));
        }
    }
}

fn legal_unit(siren: Siren) -> LegalUnit {
    LegalUnit {
        siren,
        name: "EXEMPLE".into(),
        first_names: Text::default(),
        last_name: Text::default(),
        usual_name: Text::default(),
        legal_category: None,
        naf: NafCode::parse("47.11F", NafNomenclature::Rev2),
        naf2025: None,
        headcount_band: None,
        created: Some(day(0)),
        active: true,
    }
}

fn establishment(siret: Siret, created: NaiveDate, e: u8) -> Establishment {
    let commune = ["21231", "2A004", "97411", ""][usize::from(e) % 4];
    Establishment {
        siret,
        head_office: false,
        active: true,
        created: Some(created),
        headcount_band: None,
        naf: None,
        naf_not_rev2: false,
        commune_code: commune.into(),
        department: Department::of_commune(commune),
        address_complement: Text::default(),
        street_number: Text::default(),
        repetition: Text::default(),
        street_type: Text::default(),
        street: Text::default(),
        special_distribution: Text::default(),
        postal_code: Text::default(),
        commune: Text::default(),
        foreign_commune: Text::default(),
        cedex_code: Text::default(),
        cedex: Text::default(),
        foreign_country_code: Text::default(),
        foreign_country: Text::default(),
        longitude: None,
        latitude: None,
    }
}

fn company_accounts(siren: Siren, closed_on: NaiveDate, amount: i64) -> CompanyAccounts {
    let part = |by: i64| Some(Cents(amount / by));
    CompanyAccounts {
        siren,
        year: 2019,
        closed_on,
        months: Some(12),
        in_proceeding: false,
        subsidiaries: None,
        group_size: None,
        headcount: None,
        tax_and_social_debt: part(7),
        bank_overdraft: part(9),
        turnover: part(1),
        added_value: part(2),
        staff_costs: part(3),
        ebitda: part(4),
        operating_income: None,
        financial_income: part(50),
        financial_costs: part(40),
        interest: part(60),
        pretax_income: None,
        exceptional_income: part(70),
        exceptional_costs: part(80),
        net_income: None,
        financial_autonomy: None,
        debt_ratio: None,
        liquidity: None,
        repayment_capacity: None,
        customer_credit_days: None,
        supplier_credit_days: None,
        working_capital_days: Some(amount as f64 / 1e4),
    }
}

fn bank_ratios(siren: Siren, closed_on: NaiveDate, value: f64) -> BankRatios {
    BankRatios {
        siren,
        year: 2019,
        closed_on,
        working_capital_share: Some(value),
        margin: None,
        supplier_days: None,
        tax_and_social_debt_share: Some(value),
        short_term_financing_share: Some(value),
        financial_costs_share: None,
    }
}

fn accounts(siren: Siren, closed_on: NaiveDate, amount: i64, e: u8) -> Accounts {
    let value = Some(f64::from(e));
    Accounts {
        siren,
        closed_on,
        turnover: Some(Cents(amount)),
        gross_margin: None,
        ebitda: None,
        ebit: None,
        net_income: Some(Cents(amount / 10)),
        debt_ratio: value,
        liquidity: value,
        asset_wear: value,
        financial_autonomy: value,
        working_capital_share: value,
        interest_coverage: value,
        cash_flow_share: value,
        repayment_capacity: value,
        ebitda_margin: value,
        pretax_income_share: value,
        working_capital_days: value,
        inventory_days: value,
        customer_credit_days: value,
        supplier_credit_days: value,
        kind: ["C", "S", "K"][usize::from(e) % 3].into(),
        public: true,
    }
}

const SIZE: Size = Size { basis: SizeBasis::Headcount, rule: SizeRule { headcount: 10, months: 36 } };

/// The rates of a world where this company is the only one.
fn peers(rows: &CompanyRows, rules: &TimeRules) -> PeerRates {
    let mut counts = PeerCounts::new(last(), last());
    counts.add(&Member::of(rows, SIZE.rule), rules, SIZE);
    counts.rates()
}

/// Something that computes a vector of a month, from rows.
type Compute<'a> = &'a dyn Fn(&CompanyRows, Month) -> Vec<u32>;

fn vectors<'a>(catalogue: &'a Catalogue, rules: &'a TimeRules) -> impl Fn(&CompanyRows, Month) -> Vec<u32> + 'a {
    move |rows, month| {
        let panel = build(rows, &peers(rows, rules), first(), last(), rules, catalogue);
        let standing = risk::standings(rows, first(), last(), rules, SIZE)[month.since(first()) as usize];
        let status = standing.status(standing.in_perimeter) as u32;
        panel.vector(month).iter().map(|value| value.to_bits()).chain([status]).collect()
    }
}

/// A month at which `compute` sees rows that were not known, if there is one.
fn leak(rows: &CompanyRows, rules: &TimeRules, compute: Compute<'_>) -> Option<Month> {
    (0..36).step_by(5).map(|months| first().plus(months)).find(|month| {
        let known = rows.known_by(month.last_day(), rules);
        compute(rows, *month) != compute(&known, *month)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn vectors_are_made_of_what_was_known(rows in company()) {
        let (catalogue, rules) = (Catalogue::builtin().unwrap(), TimeRules::default());
        prop_assert_eq!(leak(&rows, &rules, &vectors(&catalogue, &rules)), None);
    }

    #[test]
    fn later_rows_change_nothing(rows in company(), others in company(), at in 0i32..36) {
        let (catalogue, rules) = (Catalogue::builtin().unwrap(), TimeRules::default());
        let compute = vectors(&catalogue, &rules);
        let month = first().plus(at);
        let today = month.last_day();
        let mut altered = rows.known_by(today, &rules);
        // The later rows of another company take the place of this one's.
        macro_rules! graft {
            ($($field:ident),*) => {$(
                altered.$field.extend(others.$field.iter().filter(|row| row.known_at(&rules) > today).cloned());
            )*};
        }
        graft!(states, headcounts, company_headcounts, contributions, debits, plans, ccsf, proceedings);
        graft!(consumptions, requests, payment_delays, accounts, company_accounts, bank_ratios, establishments);
        prop_assert_eq!(compute(&rows, month), compute(&altered, month));
    }

    /// What is computed for a month alone is what is computed for it among all others: a request for one vector, and the
    /// build of the whole history, agree to the bit.
    #[test]
    fn a_vector_does_not_depend_on_the_months_around_it(rows in company(), at in 0i32..36) {
        let (catalogue, rules, month) = (Catalogue::builtin().unwrap(), TimeRules::default(), first().plus(at));
        let bits = |from: Month, to: Month| -> Vec<u32> {
            build(&rows, &peers(&rows, &rules), from, to, &rules, &catalogue).vector(month).iter().map(|value| value.to_bits()).collect()
        };
        let (alone, among) = (bits(month, month), bits(first(), last()));
        for (position, feature) in catalogue.features().iter().enumerate() {
            prop_assert_eq!(alone[position], among[position], "{}", &feature.name);
        }
    }

    #[test]
    fn the_order_of_the_rows_changes_nothing(rows in company()) {
        let (catalogue, rules) = (Catalogue::builtin().unwrap(), TimeRules::default());
        let compute = vectors(&catalogue, &rules);
        let mut reversed = rows.clone();
        reversed.debits.reverse();
        reversed.headcounts.reverse();
        reversed.company_headcounts.reverse();
        reversed.payment_delays.reverse();
        reversed.states.reverse();
        reversed.requests.reverse();
        reversed.consumptions.reverse();
        reversed.accounts.reverse();
        reversed.company_accounts.reverse();
        reversed.bank_ratios.reverse();
        reversed.establishments.reverse();
        prop_assert_eq!(compute(&rows, last()), compute(&reversed, last()));
    }
}

/// Found by the properties above: whether a company was large enough was judged by its own file alone as soon as that had
/// any month, even one that was not known yet.
#[test]
fn establishments_stand_in_until_the_company_s_own_headcounts_are_known() {
    let (rules, month) = (TimeRules::default(), first().plus(12));
    let mut rows = CompanyRows::empty(Siren::from_number(SIREN).unwrap());
    let mut head_office = establishment(siret(0), day(0), 0);
    head_office.head_office = true;
    rows.establishments.push(head_office);
    rows.headcounts.push(Headcount { siret: siret(0), account: Text::default(), month: month.plus(-6), headcount: 15 });
    rows.company_headcounts.push(CompanyHeadcount { siren: rows.siren, month: month.plus(3), headcount: 5 });
    let inside = |at: Month| risk::standings(&rows, at, at, &rules, SIZE)[0].in_perimeter;
    assert!(inside(month), "nothing of its own file is known");
    assert!(!inside(month.plus(6)), "its own file is known, and decides");
}

/// Found by the properties above: months in debt were counted from the first month computed.
#[test]
fn months_in_debt_do_not_depend_on_the_first_month_computed() {
    let (catalogue, rules) = (Catalogue::builtin().unwrap(), TimeRules::default());
    let mut rows = CompanyRows::empty(Siren::from_number(SIREN).unwrap());
    add(&mut rows, 0, 0, 0, 100_000, 0);
    let spell = catalogue.index_of("months_in_debt").unwrap();
    let alone = build(&rows, &PeerRates::unknown(), last(), last(), &rules, &catalogue).vector(last())[spell];
    assert_eq!(alone, build(&rows, &PeerRates::unknown(), first(), last(), &rules, &catalogue).vector(last())[spell]);
    assert!(alone > 50.0, "{alone} months");
}

#[test]
fn the_check_catches_a_leak() {
    let rules = TimeRules::default();
    let mut rows = CompanyRows::empty(Siren::from_number(SIREN).unwrap());
    rows.accounts.push(accounts(rows.siren, Month::new(2020, 12).unwrap().last_day(), 1_000, 7));
    let catalogue = Catalogue::builtin().unwrap();
    assert_eq!(leak(&rows, &rules, &vectors(&catalogue, &rules)), None);
    // The published system attached accounts to the months of their own year (`domain/model.md` §1.6): this does the same.
    let leaking = |rows: &CompanyRows, month: Month| -> Vec<u32> {
        rows.accounts
            .iter()
            .filter(|row| row.closed_on >= month.first_day())
            .filter_map(|row| row.liquidity.map(|v| (v as f32).to_bits()))
            .collect()
    };
    assert_eq!(leak(&rows, &rules, &leaking), Some(first()));
}
