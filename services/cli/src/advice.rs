//! What to do about an error: the advice of its page in `docs/errors`, built into the program.

use service_kit::error::ErrorCode;

/// The pages of these codes, in one table.
macro_rules! pages {
    ($($code:literal)*) => {
        &[$(($code, include_str!(concat!("../../../docs/errors/", $code, ".md")))),*]
    };
}

const PAGES: &[(&str, &str)] = pages![
    "SF-ING-0001" "SF-ING-0002" "SF-ING-0003" "SF-ING-0004" "SF-ING-0005" "SF-ING-0006" "SF-ING-0007" "SF-ING-0008" "SF-ING-0009"
    "SF-ING-0010" "SF-ING-0011"
    "SF-FEA-0001" "SF-FEA-0002" "SF-FEA-0003"
    "SF-TRA-0001" "SF-TRA-0002" "SF-TRA-0003" "SF-TRA-0004" "SF-TRA-0005" "SF-TRA-0006" "SF-TRA-0007" "SF-TRA-0008"
    "SF-TRA-0009"
    "SF-LIS-0001" "SF-LIS-0002" "SF-LIS-0003" "SF-LIS-0004" "SF-LIS-0005" "SF-LIS-0006"
    "SF-API-0001" "SF-API-0002" "SF-API-0003" "SF-API-0004" "SF-API-0005" "SF-API-0006" "SF-API-0007" "SF-API-0008" "SF-API-0009"
    "SF-API-0010" "SF-API-0011"
    "SF-COM-0001" "SF-COM-0002" "SF-COM-0003" "SF-COM-0004"
    "SF-OPS-0001" "SF-OPS-0002" "SF-OPS-0003" "SF-OPS-0004"
    "SF-LAK-0001" "SF-LAK-0002" "SF-LAK-0003"
    "SF-ONL-0001" "SF-CFG-0001" "SF-INT-0001"
];

/// Title of the section of a page.
const SECTION: &str = "## What to do";

/// The advice of a code, an item a line.
pub fn of(code: ErrorCode) -> impl Iterator<Item = &'static str> {
    let page = PAGES.iter().find(|(known, _)| *known == code.as_str()).map_or("", |(_, page)| page);
    let section = page.split_once(SECTION).map_or("", |(_, rest)| rest);
    section.lines().take_while(|line| !line.starts_with('#')).filter_map(|line| line.strip_prefix("- "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_advice() {
        for code in ErrorCode::ALL {
            assert!(of(*code).next().is_some(), "{code}: its page has no item under '{SECTION}'");
        }
    }
}
