//! Every record survives its columns, full and as empty as it can be.

use std::collections::BTreeSet;
use std::fmt::Debug;

use domain::records::Text;
use domain::time_rules::ALWAYS_KNOWN;
use domain::{
    Cents, Department, HeadcountBand, LegalCategory, Month, NafCode, NafNomenclature, ProcolAction, ProcolStage, Siret, Source,
    UrssafPeriod,
};

use super::*;

fn siret() -> Siret {
    Siret::parse(b"73282932000074").unwrap()
}

fn day(text: &str) -> NaiveDate {
    domain::dates::parse_iso(text.as_bytes()).unwrap()
}

fn month() -> Month {
    "2024-02".parse().unwrap()
}

fn naf(nomenclature: NafNomenclature) -> Option<NafCode> {
    NafCode::parse("52.21Z", nomenclature)
}

fn survives<R: Record>(rows: Vec<R>, seen: &mut BTreeSet<&'static str>)
where
    Stored<R>: TableRow + PartialEq + Debug,
{
    let days = [ALWAYS_KNOWN, day("2024-02-29")].into_iter().cycle();
    let stored: Vec<_> = rows.into_iter().zip(days).map(|(row, known_at)| Stored { row, known_at }).collect();
    let batch = Stored::<R>::encode(&stored).unwrap();
    assert!(batch.column_by_name("siren").is_some() && batch.column_by_name("known_at").is_some(), "{}", R::SOURCE);
    assert_eq!(Stored::<R>::decode(&batch).unwrap(), stored);
    assert_eq!(Stored::<R>::TABLE, R::SOURCE.name());
    seen.insert(Stored::<R>::TABLE);
}

#[test]
fn every_source_survives_its_columns() {
    let seen = &mut BTreeSet::new();
    registers(seen);
    headcounts_and_debts(seen);
    proceedings_and_plans(seen);
    short_time_work_and_accounts(seen);
    bulletin_and_accounts(seen);
    sources_of_the_past(seen);
    assert_eq!(*seen, Source::ALL.map(Source::name).into_iter().collect());
}

fn registers(seen: &mut BTreeSet<&'static str>) {
    let empty = Establishment {
        siret: siret(),
        head_office: false,
        active: false,
        created: None,
        headcount_band: None,
        naf: None,
        naf_not_rev2: false,
        commune_code: Text::default(),
        department: None,
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
    };
    let full = Establishment {
        head_office: true,
        active: true,
        created: Some(day("1850-01-01")),
        headcount_band: HeadcountBand::parse("11"),
        naf: naf(NafNomenclature::Older),
        naf_not_rev2: true,
        commune_code: "2A004".into(),
        department: Some(Department::of_commune("2A004").unwrap()),
        street: "L'ÉGLISE \"SAINTE\", À CÔTÉ".into(),
        longitude: Some(-61.5),
        latitude: Some(16.25),
        ..empty.clone()
    };
    survives(vec![empty, full], seen);
    let unit = LegalUnit {
        siren: siret().siren(),
        name: Text::default(),
        first_names: Text::default(),
        last_name: Text::default(),
        usual_name: Text::default(),
        legal_category: None,
        naf: None,
        naf2025: None,
        headcount_band: None,
        created: None,
        active: false,
    };
    let full = LegalUnit {
        name: "ACMÉ".into(),
        legal_category: LegalCategory::parse(b"0710"),
        naf: naf(NafNomenclature::Rev2),
        naf2025: naf(NafNomenclature::Naf2025),
        ..unit.clone()
    };
    survives(vec![unit, full], seen);
    let state = EstablishmentState { siret: siret(), start: None, end: None, active: true, changed: false };
    survives(vec![state.clone(), EstablishmentState { start: Some(day("2020-01-01")), end: Some(day("2021-12-31")), ..state }], seen);
}

fn headcounts_and_debts(seen: &mut BTreeSet<&'static str>) {
    survives(vec![Headcount { siret: siret(), account: "1".into(), month: month(), headcount: u32::MAX }], seen);
    survives(vec![CompanyHeadcount { siren: siret().siren(), month: month(), headcount: 0 }], seen);
    let due = |months, paid| Contribution {
        siret: siret(),
        account: "2".into(),
        period: UrssafPeriod::new(month(), months).unwrap(),
        paid,
        due: Cents(i64::MIN),
    };
    survives(vec![due(1, None), due(3, Some(Cents(0))), due(12, Some(Cents(i64::MAX)))], seen);
    let debit = Debit {
        siret: siret(),
        account: "3".into(),
        period: UrssafPeriod::new(month(), 12).unwrap(),
        gap_number: "101".into(),
        history_number: -1,
        treated_on: day("2020-03-21"),
        employee_part: Cents(-5),
        employer_part: Cents(12_345),
        account_state: None,
        procol_code: Text::default(),
        operation_code: "2".into(),
        reason_code: "16".into(),
        appeal: true,
    };
    survives(vec![debit.clone(), Debit { account_state: Some(4), appeal: false, ..debit }], seen);
}

fn proceedings_and_plans(seen: &mut BTreeSet<&'static str>) {
    let plan = PaymentPlan {
        siret: siret(),
        account: "4".into(),
        case_number: "5".into(),
        created: day("2020-01-01"),
        due: day("2020-06-30"),
        duration_days: None,
        debtor: "X".into(),
        six_months: "INF".into(),
        year: None,
        amount: Cents(1),
        stage: "APPROB".into(),
        action: "SUR PO".into(),
    };
    survives(vec![plan.clone(), PaymentPlan { duration_days: Some(181), year: Some(2020), ..plan }], seen);
    let (account, stage, action) = (Text::default(), "REJ".into(), "CCSF".into());
    survives(vec![CcsfDecision { siret: siret(), account, treated_on: day("2020-01-01"), stage, action }], seen);
    let event = |action, stage| ProcolEvent {
        siren: siret().siren(),
        siret: Some(siret()),
        effective: day("2020-01-01"),
        action,
        stage,
        label: "l".into(),
    };
    let stages = ProcolStage::NAMED.into_iter().chain([ProcolStage::Other]);
    let actions = [None].into_iter().chain(ProcolAction::ALL.map(Some)).cycle();
    survives(stages.zip(actions).map(|(stage, action)| event(action, stage)).collect(), seen);
}

fn bulletin_and_accounts(seen: &mut BTreeSet<&'static str>) {
    let notice = Notice {
        id: "A2009024919".into(),
        siren: siret().siren(),
        published: day("2009-12-27"),
        effective: day("2009-12-10"),
        action: None,
        stage: ProcolStage::Other,
        family: "Jugement prononçant".into(),
        nature: "Autre jugement".into(),
        replaces: Text::default(),
        cancels: false,
    };
    let cancelling = Notice { replaces: "A1".into(), cancels: true, action: Some(ProcolAction::Liquidation), ..notice.clone() };
    survives(vec![notice, cancelling], seen);
    let link = AccountLink { account: "1".into(), siret: siret(), closed_on: None };
    survives(vec![link.clone(), AccountLink { closed_on: Some(day("2015-01-01")), ..link }], seen);
    survives(vec![FilterEntry { siren: siret().siren() }], seen);
}

fn short_time_work_and_accounts(seen: &mut BTreeSet<&'static str>) {
    let consumed =
        ShortTimeConsumption { request_id: "6".into(), siret: siret(), date: day("2020-04-01"), hours: 0.1, amount: None, headcount: None };
    survives(vec![consumed.clone(), ShortTimeConsumption { amount: Some(Cents(7)), headcount: Some(8), ..consumed }], seen);
    let request = ShortTimeRequest {
        request_id: "9".into(),
        siret: siret(),
        company_headcount: None,
        headcount: None,
        decided: None,
        start: day("2020-04-01"),
        end: day("2020-04-30"),
        hours: None,
        amount: None,
        authorised_headcount: None,
        reason: None,
        perimeter: None,
        consumed_hours: None,
        consumed_headcount: None,
        consumed_amount: None,
    };
    let full = ShortTimeRequest { decided: Some(day("2020-04-02")), hours: Some(1e9), reason: Some(7), ..request.clone() };
    survives(vec![request, full], seen);
    survives(vec![PaymentDelay { siren: siret().siren(), days: -3, value_date: day("2020-01-15") }], seen);
    let accounts = Accounts {
        siren: siret().siren(),
        closed_on: day("2023-12-31"),
        turnover: None,
        gross_margin: None,
        ebitda: None,
        ebit: None,
        net_income: None,
        debt_ratio: None,
        liquidity: None,
        asset_wear: None,
        financial_autonomy: None,
        working_capital_share: None,
        interest_coverage: None,
        cash_flow_share: None,
        repayment_capacity: None,
        ebitda_margin: None,
        pretax_income_share: None,
        working_capital_days: None,
        inventory_days: None,
        customer_credit_days: None,
        supplier_credit_days: None,
        kind: Text::default(),
        public: false,
    };
    let full =
        Accounts { turnover: Some(Cents(-1)), debt_ratio: Some(-12.5), supplier_credit_days: Some(0.0), public: true, ..accounts.clone() };
    survives(vec![accounts, full], seen);
}

fn sources_of_the_past(seen: &mut BTreeSet<&'static str>) {
    let accounts = CompanyAccounts {
        siren: siret().siren(),
        year: 2012,
        closed_on: day("2012-09-30"),
        months: None,
        in_proceeding: false,
        subsidiaries: None,
        group_size: None,
        headcount: None,
        tax_and_social_debt: None,
        bank_overdraft: None,
        turnover: None,
        added_value: None,
        staff_costs: None,
        ebitda: None,
        operating_income: None,
        financial_income: None,
        financial_costs: None,
        interest: None,
        pretax_income: None,
        exceptional_income: None,
        exceptional_costs: None,
        net_income: None,
        financial_autonomy: None,
        debt_ratio: None,
        liquidity: None,
        repayment_capacity: None,
        customer_credit_days: None,
        supplier_credit_days: None,
        working_capital_days: None,
    };
    let full =
        CompanyAccounts { months: Some(12), in_proceeding: true, turnover: Some(Cents(-1)), working_capital_days: Some(-37.5), ..accounts };
    survives(vec![accounts, full], seen);
    let ratios = BankRatios {
        siren: siret().siren(),
        year: 2012,
        closed_on: day("2012-12-31"),
        working_capital_share: None,
        margin: None,
        supplier_days: None,
        tax_and_social_debt_share: None,
        short_term_financing_share: None,
        financial_costs_share: None,
    };
    survives(vec![ratios.clone(), BankRatios { margin: Some(-63.1), ..ratios }], seen);
    let link = GroupLink {
        siren: siret().siren(),
        group_siren: None,
        group_code: Text::default(),
        group_person: Text::default(),
        group_reference: Text::default(),
        group_name: Text::default(),
        group_country: Text::default(),
        level: None,
        share: None,
        share_band: Text::default(),
        code: Text::default(),
        person: Text::default(),
        reference: Text::default(),
    };
    let full =
        GroupLink { group_siren: Some(siret().siren()), group_name: "TÊTE".into(), level: Some(2), share: Some(99.9), ..link.clone() };
    survives(vec![link, full], seen);
}

#[test]
fn columns_that_do_not_fit_are_told() {
    let rows = [PerimeterRow {
        siren: siret().siren(),
        included: true,
        reason: String::new(),
        basis: "headcount".into(),
        headcount: 10,
        months: 36,
    }];
    let batch = PerimeterRow::encode(&rows).unwrap();
    assert_eq!(PerimeterRow::decode(&batch).unwrap(), rows);
    let error = PerimeterRow::decode(&batch.project(&[0, 1]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("reason") && error.contains("missing"), "{error}");
    let rejects = [RejectRow {
        source: "debit".into(),
        file: "é.csv".into(),
        line: 2,
        record: 1,
        column: String::new(),
        reason: "invalid_date".into(),
        value: "\"".into(),
    }];
    assert_eq!(RejectRow::decode(&RejectRow::encode(&rejects).unwrap()).unwrap(), rejects);
    assert!(RejectRow::encode(&[]).unwrap().num_rows() == 0);
}
