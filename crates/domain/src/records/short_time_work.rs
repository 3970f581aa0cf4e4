//! Rows of DGEFP's files on short-time work (`domain/ingestion.md` §1.12 and §1.13).

use chrono::NaiveDate;

use super::Text;
use crate::{Cents, Month, Siret};

/// `apconso`: short-time work consumed by an establishment in a month.
#[derive(Debug, Clone, PartialEq)]
pub struct ShortTimeConsumption {
    /// Request that the hours belong to.
    pub request_id: Text,
    /// Establishment.
    pub siret: Siret,
    /// Date as delivered, usually a first of month.
    pub date: NaiveDate,
    /// Hours not worked.
    pub hours: f64,
    /// Allowance paid.
    pub amount: Option<Cents>,
    /// Employees concerned.
    pub headcount: Option<i32>,
}
record!(
    ShortTimeConsumption,
    Apconso,
    |row| row.siret.siren(), (Text, Siret, NaiveDate): |row| (row.request_id.clone(), row.siret, row.date),
    |row, rules| rules.short_time_consumption(Month::of(row.date)),
    |row| Some(row.date),
    |row| row.amount
);

/// `apdemande`: a request of short-time work.
#[derive(Debug, Clone, PartialEq)]
pub struct ShortTimeRequest {
    /// Identifier of the request.
    pub request_id: Text,
    /// Establishment.
    pub siret: Siret,
    /// Employees of the company.
    pub company_headcount: Option<i32>,
    /// Employees of the establishment.
    pub headcount: Option<i32>,
    /// Day of the decision.
    pub decided: Option<NaiveDate>,
    /// First day requested.
    pub start: NaiveDate,
    /// Last day requested, included.
    pub end: NaiveDate,
    /// Hours authorised over the whole request.
    pub hours: Option<f64>,
    /// Amount authorised.
    pub amount: Option<Cents>,
    /// Employees authorised.
    pub authorised_headcount: Option<i32>,
    /// 1 economic situation, 2 supply, 3 disaster or weather, 4 transformation, 5 other, 6 and 7 unknown.
    pub reason: Option<u8>,
    /// Perimeter of the request, 1 to 4.
    pub perimeter: Option<i32>,
    /// Hours consumed so far, as of the delivery.
    pub consumed_hours: Option<f64>,
    /// Employees concerned so far, as of the delivery.
    pub consumed_headcount: Option<i32>,
    /// Allowance paid so far, as of the delivery.
    pub consumed_amount: Option<Cents>,
}
record!(ShortTimeRequest, Apdemande, |row| row.siret.siren(), (Text, Siret): |row| (row.request_id.clone(), row.siret), |row, _| row.decided.unwrap_or(row.start), |row| Some(row.start), |row| row
    .amount);
