//! The typed tables: one per source, the rejected lines, the perimeter.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use domain::records::{
    AccountLink, Accounts, BankRatios, CcsfDecision, CompanyAccounts, CompanyHeadcount, Contribution, Debit, Establishment,
    EstablishmentState, FilterEntry, GroupLink, Headcount, LegalUnit, Notice, PaymentDelay, PaymentPlan, ProcolEvent, Record,
    ShortTimeConsumption, ShortTimeRequest,
};
use domain::{NaiveDate, Siren};

use crate::columns::{Column, TableRow, fields_of};
use crate::error::{LakeError, Result};

pub use crate::delta::{DynamicTable, DynamicWriter, Partition, PartitionWriter, Table};
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

/// Implements [`TableRow`] for a struct: `$key` gives its SIREN, `$path` leads to the struct that holds the fields.
/// With `siren +`, the SIREN gets a column of its own before the fields.
macro_rules! table {
    ($row:ty, $table:expr, $($extra:ident +)? [$($field:ident),* $(,)?], $wrap:expr, $get:expr, $record:ident, $key:expr $(, $known:ident)?) => {
        impl TableRow for $row {
            const TABLE: &'static str = $table;
            const DELIVERED: bool = <[&str]>::len(&[$(stringify!($known)),*]) > 0;

            fn schema() -> SchemaRef {
                let mut fields: Vec<Field> = Vec::new();
                $(fields.extend(Siren::fields(stringify!($extra)));)?
                $(fields.extend(fields_of(|record: &$record| &record.$field, stringify!($field)));)*
                $(fields.extend(NaiveDate::fields(stringify!($known)));)?
                Arc::new(Schema::new(fields))
            }

            fn siren(&self) -> Siren {
                let key: fn(&Self) -> Siren = $key;
                key(self)
            }

            fn encode(rows: &[Self]) -> Result<RecordBatch> {
                let get: fn(&Self) -> &$record = $get;
                let mut columns: Vec<ArrayRef> = Vec::new();
                $(
                    let sirens: Vec<Siren> = rows.iter().map(TableRow::siren).collect();
                    debug_assert_eq!(stringify!($extra), "siren");
                    columns.extend(Column::encode(&mut sirens.iter()));
                )?
                $(columns.extend(Column::encode(&mut rows.iter().map(|row| &get(row).$field)));)*
                $(columns.extend(Column::encode(&mut rows.iter().map(|row| &row.$known)));)?
                RecordBatch::try_new(Self::schema(), columns).map_err(|error| LakeError::corrupt(Self::TABLE, error))
            }

            fn decode(batch: &RecordBatch) -> Result<Vec<Self>> {
                let end = || LakeError::corrupt(Self::TABLE, "columns of different lengths");
                $(let mut $field = Column::decode(batch, stringify!($field))?.into_iter();)*
                $(let mut $known = NaiveDate::decode(batch, stringify!($known))?.into_iter();)?
                (0..batch.num_rows())
                    .map(|_| {
                        let record = $record { $($field: $field.next().ok_or_else(end)?),* };
                        Ok(($wrap)(record, ($($known.next().ok_or_else(end)?,)?)))
                    })
                    .collect()
            }
        }
    };
}

/// A table of a source, by its record.
macro_rules! source_table {
    ($record:ident, $($extra:ident +)? [$($field:ident),* $(,)?]) => {
        table!(
            Stored<$record>,
            <$record as Record>::SOURCE.name(),
            $($extra +)? [$($field),*],
            |row, (known_at,)| Stored { row, known_at },
            |stored| &stored.row,
            $record,
            |stored| stored.row.siren(),
            known_at
        );
    };
}

source_table!(
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
source_table!(LegalUnit, [siren, name, first_names, last_name, usual_name, legal_category, naf, naf2025, headcount_band, created, active,]);
source_table!(EstablishmentState, siren + [siret, start, end, active, changed]);
source_table!(Headcount, siren + [siret, account, month, headcount]);
source_table!(CompanyHeadcount, [siren, month, headcount]);
source_table!(Contribution, siren + [siret, account, period, paid, due]);
source_table!(
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
source_table!(
    PaymentPlan,
    siren + [siret, account, case_number, created, due, duration_days, debtor, six_months, year, amount, stage, action,]
);
source_table!(CcsfDecision, siren + [siret, account, treated_on, stage, action]);
source_table!(ProcolEvent, [siren, siret, effective, action, stage, label]);
source_table!(ShortTimeConsumption, siren + [request_id, siret, date, hours, amount, headcount]);
source_table!(
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
source_table!(PaymentDelay, [siren, days, value_date]);
source_table!(
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
source_table!(Notice, [id, siren, published, effective, action, stage, family, nature, replaces, cancels]);
source_table!(AccountLink, siren + [account, siret, closed_on]);
source_table!(FilterEntry, [siren]);
source_table!(
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
source_table!(
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
source_table!(
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

table!(
    RejectRow,
    "rejects",
    [source, file, line, record, column, reason, value],
    |row, ()| row,
    |row| row,
    RejectRow,
    // Lines have no company: all sort alike and keep their order.
    |_| FIRST_SIREN
);
table!(PerimeterRow, "perimeter", [siren, included, reason, basis, headcount, months], |row, ()| row, |row| row, PerimeterRow, |row| row
    .siren);

const FIRST_SIREN: Siren = match Siren::from_number(0) {
    Some(siren) => siren,
    None => unreachable!(),
};

#[cfg(test)]
mod tests;
