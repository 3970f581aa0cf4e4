//! The history of a company, month by month, from what was known at the end of each month; and the features made of it.
//!
//! Pure functions from the rows of one company ([`CompanyRows`]), and the rates of its peers ([`peers`]). A value of month `m` uses only rows known by the last
//! day of `m`: base series ([`series`]) are built that way, and every feature is an operation on base series at `m` or
//! earlier, so that no feature can see the future. The leak tests check it on any company.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod build;
pub mod catalogue;
pub mod guide;
pub mod history;
pub mod legacy;
mod operation;
pub mod peers;
pub mod perimeter;
pub mod procol;
pub mod reach;
pub mod risk;
mod rows;
pub mod series;
mod window;

pub use build::{Panel, build};
pub use catalogue::{Catalogue, Feature, Group};
pub use rows::CompanyRows;
pub use window::Window;
