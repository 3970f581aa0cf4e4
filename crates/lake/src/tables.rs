//! The typed tables: one per source, the rejected lines, the perimeter.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use domain::records::{
    AccountLink, Accounts, BankRatios, CcsfDecision, CompanyAccounts, CompanyHeadcount, Contribution, Debit, Establishment,
    EstablishmentState, FilterEntry, GroupLink, Headcount, LegalUnit, Notice, PaymentDelay, PaymentPlan, ProcolEvent, Record,
    ShortTimeConsumption, ShortTimeRequest,
};
use domain::time_rules::TimeRules;
use domain::{Month, NaiveDate, Siren};

use crate::columns::{Column, Columnar, TableRow, fields_of};
use crate::error::{LakeError, Result};

pub use crate::delta::{DynamicTable, DynamicWriter, Partition, PartitionWriter, Run, Snapshot, Table, Upkeep};
pub use crate::state::State;

/// A row of a source with the day from which it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<R> {
    /// The row.
    pub row: R,
    /// First day on which it may be used.
    pub known_at: NaiveDate,
}

/// A rejected line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectRow {
    /// Source of the file.
    pub source: String,
    /// File.
    pub file: String,
    /// Physical line, the header being 1.
    pub line: u64,
    /// Data record, from 1.
    pub record: u64,
    /// Column at fault; empty when the whole line is.
    pub column: String,
    /// Reason code.
    pub reason: String,
    /// What stood there, cut.
    pub value: String,
}

/// A company in or out of the perimeter of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerimeterRow {
    /// Company.
    pub siren: Siren,
    /// In the perimeter.
    pub included: bool,
    /// Why it is out; empty when in.
    pub reason: String,
    /// What said how large companies are: the same for the whole batch, as the two fields below.
    pub basis: String,
    /// Employees that a company must have had.
    pub headcount: u32,
    /// Months looked at.
    pub months: u32,
}

/// Companies of a group (`panel::peers`) at the end of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRow {
    /// Code of the group.
    pub peer: String,
    /// The month.
    pub month: Month,
    /// Companies at risk.
    pub at_risk: u32,
    /// Companies that entered a proceeding in the month.
    pub entered: u32,
}

/// Implements [`Columnar`] for a struct. With `siren +`, the SIREN of the record has a column of its
/// own before the fields.
macro_rules! columnar {
    ($row:ident, $($extra:ident +)? [$($field:ident),* $(,)?]) => {
        impl Columnar for $row {
            fn fields() -> Vec<Field> {
                let mut fields: Vec<Field> = Vec::new();
                $(fields.extend(Siren::fields(stringify!($extra)));)?
                $(fields.extend(fields_of(|row: &$row| &row.$field, stringify!($field)));)*
                fields
            }

            fn columns<'a>(rows: impl Iterator<Item = &'a Self> + Clone) -> Vec<ArrayRef> {
                let mut columns: Vec<ArrayRef> = Vec::new();
                $(
                    let $extra: Vec<Siren> = rows.clone().map(Record::siren).collect();
                    columns.extend(Column::encode($extra.iter()));
                )?
                $(columns.extend(Column::encode(rows.clone().map(|row| &row.$field)));)*
                columns
            }

            fn from_columns(batch: &RecordBatch) -> Result<Vec<Self>> {
                let end = || LakeError::corrupt(stringify!($row), "columns of different lengths");
                $(let mut $field = Column::decode(batch, stringify!($field))?.into_iter();)*
                (0..batch.num_rows()).map(|_| Ok($row { $($field: $field.next().ok_or_else(end)?),* })).collect()
            }
        }
    };
}

/// Column of the day from which a row is known.
const KNOWN_AT: &str = "known_at";

impl<R: Record + Columnar> Stored<R> {
    /// Rows as columns, known from the days that the rules say.
    pub(crate) fn encode_rows(rows: &[&R], rules: &TimeRules) -> Result<RecordBatch> {
        let known: Vec<NaiveDate> = rows.iter().map(|row| row.known_at(rules)).collect();
        Self::batch(rows.iter().copied(), &known)
    }

    fn batch<'a>(rows: impl Iterator<Item = &'a R> + Clone, known: &[NaiveDate]) -> Result<RecordBatch> {
        let mut columns = R::columns(rows);
        columns.extend(Column::encode(known.iter()));
        RecordBatch::try_new(Self::schema(), columns).map_err(|error| LakeError::corrupt(Self::TABLE, error))
    }
}

impl<R: Record + Columnar> TableRow for Stored<R> {
    const TABLE: &'static str = R::SOURCE.name();
    const DELIVERED: bool = true;

    fn schema() -> SchemaRef {
        let mut fields = R::fields();
        fields.extend(NaiveDate::fields(KNOWN_AT));
        Arc::new(Schema::new(fields))
    }

    fn siren(&self) -> Siren {
        self.row.siren()
    }

    fn encode(rows: &[Self]) -> Result<RecordBatch> {
        let known: Vec<NaiveDate> = rows.iter().map(|stored| stored.known_at).collect();
        Self::batch(rows.iter().map(|stored| &stored.row), &known)
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>> {
        let known = NaiveDate::decode(batch, KNOWN_AT)?;
        Ok(R::from_columns(batch)?.into_iter().zip(known).map(|(row, known_at)| Self { row, known_at }).collect())
    }
}

/// Implements [`TableRow`] for a struct that is not of a delivery: `$siren` gives its sort key.
macro_rules! plain_table {
    ($row:ident, $table:literal, $siren:expr) => {
        impl TableRow for $row {
            const TABLE: &'static str = $table;

            fn schema() -> SchemaRef {
                Arc::new(Schema::new(Self::fields()))
            }

            fn siren(&self) -> Siren {
                let siren: fn(&Self) -> Siren = $siren;
                siren(self)
            }

            fn encode(rows: &[Self]) -> Result<RecordBatch> {
                RecordBatch::try_new(Self::schema(), Self::columns(rows.iter())).map_err(|error| LakeError::corrupt(Self::TABLE, error))
            }

            fn decode(batch: &RecordBatch) -> Result<Vec<Self>> {
                Self::from_columns(batch)
            }
        }
    };
}

columnar!(
    Establishment,
    siren
        + [
            siret,
            head_office,
            active,
            created,
            headcount_band,
            naf,
            naf_not_rev2,
            commune_code,
            department,
            address_complement,
            street_number,
            repetition,
            street_type,
            street,
            special_distribution,
            postal_code,
            commune,
            foreign_commune,
            cedex_code,
            cedex,
            foreign_country_code,
            foreign_country,
            longitude,
            latitude,
        ]
);
columnar!(LegalUnit, [siren, name, first_names, last_name, usual_name, legal_category, naf, naf2025, headcount_band, created, active,]);
columnar!(EstablishmentState, siren + [siret, start, end, active, changed]);
columnar!(Headcount, siren + [siret, account, month, headcount]);
columnar!(CompanyHeadcount, [siren, month, headcount]);
columnar!(Contribution, siren + [siret, account, period, paid, due]);
columnar!(
    Debit,
    siren
        + [
            siret,
            account,
            period,
            gap_number,
            history_number,
            treated_on,
            employee_part,
            employer_part,
            account_state,
            procol_code,
            operation_code,
            reason_code,
            appeal,
        ]
);
columnar!(
    PaymentPlan,
    siren + [siret, account, case_number, created, due, duration_days, debtor, six_months, year, amount, stage, action,]
);
columnar!(CcsfDecision, siren + [siret, account, treated_on, stage, action]);
columnar!(ProcolEvent, [siren, siret, effective, action, stage, label]);
columnar!(ShortTimeConsumption, siren + [request_id, siret, date, hours, amount, headcount]);
columnar!(
    ShortTimeRequest,
    siren
        + [
            request_id,
            siret,
            company_headcount,
            headcount,
            decided,
            start,
            end,
            hours,
            amount,
            authorised_headcount,
            reason,
            perimeter,
            consumed_hours,
            consumed_headcount,
            consumed_amount,
        ]
);
columnar!(PaymentDelay, [siren, days, value_date]);
columnar!(
    Accounts,
    [
        siren,
        closed_on,
        turnover,
        gross_margin,
        ebitda,
        ebit,
        net_income,
        debt_ratio,
        liquidity,
        asset_wear,
        financial_autonomy,
        working_capital_share,
        interest_coverage,
        cash_flow_share,
        repayment_capacity,
        ebitda_margin,
        pretax_income_share,
        working_capital_days,
        inventory_days,
        customer_credit_days,
        supplier_credit_days,
        kind,
        public,
    ]
);
columnar!(Notice, [id, siren, published, effective, action, stage, family, nature, replaces, cancels]);
columnar!(AccountLink, siren + [account, siret, closed_on]);
columnar!(FilterEntry, [siren]);
columnar!(
    CompanyAccounts,
    [
        siren,
        year,
        closed_on,
        months,
        in_proceeding,
        subsidiaries,
        group_size,
        headcount,
        tax_and_social_debt,
        bank_overdraft,
        turnover,
        added_value,
        staff_costs,
        ebitda,
        operating_income,
        financial_income,
        financial_costs,
        interest,
        pretax_income,
        exceptional_income,
        exceptional_costs,
        net_income,
        financial_autonomy,
        debt_ratio,
        liquidity,
        repayment_capacity,
        customer_credit_days,
        supplier_credit_days,
        working_capital_days
    ]
);
columnar!(
    BankRatios,
    [
        siren,
        year,
        closed_on,
        working_capital_share,
        margin,
        supplier_days,
        tax_and_social_debt_share,
        short_term_financing_share,
        financial_costs_share
    ]
);
columnar!(
    GroupLink,
    [
        siren,
        group_siren,
        group_code,
        group_person,
        group_reference,
        group_name,
        group_country,
        level,
        share,
        share_band,
        code,
        person,
        reference
    ]
);

columnar!(RejectRow, [source, file, line, record, column, reason, value]);
// Rows without a company all sort alike, and keep their order.
plain_table!(RejectRow, "rejects", |_| FIRST_SIREN);
columnar!(PerimeterRow, [siren, included, reason, basis, headcount, months]);
plain_table!(PerimeterRow, "perimeter", |row| row.siren);
columnar!(PeerRow, [peer, month, at_risk, entered]);
plain_table!(PeerRow, "peers", |_| FIRST_SIREN);

const FIRST_SIREN: Siren = match Siren::from_number(0) {
    Some(siren) => siren,
    None => unreachable!(),
};

#[cfg(test)]
mod tests;
