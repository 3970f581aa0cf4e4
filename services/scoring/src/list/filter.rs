//! Which entries a caller asks for. Filters narrow, never widen; all given ones must hold.

use std::collections::BTreeSet;

use api::common::AlertLevel as ApiLevel;
use api::lists::RankedListFilter;
use domain::{AlertLevel, Department, Region};
use service_kit::error::{ErrorCode, ServiceError};

use super::entry::Entry;

/// A checked filter. An empty set does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    departments: BTreeSet<Department>,
    levels: BTreeSet<AlertLevel>,
    first_alerts_only: bool,
}

impl Filter {
    /// Checks every code. Regions become their departments.
    pub fn parse(filter: Option<RankedListFilter>) -> Result<Self, ServiceError> {
        let filter = filter.unwrap_or_default();
        let levels = filter.alert_levels.iter().map(|&level| match ApiLevel::try_from(level) {
            Ok(ApiLevel::None) => Ok(AlertLevel::None),
            Ok(ApiLevel::Moderate) => Ok(AlertLevel::Moderate),
            Ok(ApiLevel::High) => Ok(AlertLevel::High),
            _ => Err(invalid("filter.alert_levels", "levels are NONE, MODERATE and HIGH")),
        });
        let levels = levels.collect::<Result<_, _>>()?;
        let mut departments = BTreeSet::new();
        for code in &filter.departments {
            departments.insert(code.parse::<Department>().map_err(|error| invalid("filter.departments", &error.to_string()))?);
        }
        for code in &filter.regions {
            let region = code.parse::<Region>().map_err(|error| invalid("filter.regions", &error.to_string()))?;
            departments.extend(region.departments());
        }
        Ok(Self { departments, levels, first_alerts_only: filter.first_alerts_only })
    }

    /// Whether the entry of `list` passes.
    pub fn accepts(&self, entry: &Entry, list: domain::BatchKey) -> bool {
        (self.departments.is_empty() || entry.department.is_some_and(|department| self.departments.contains(&department)))
            && (self.levels.is_empty() || self.levels.contains(&entry.level))
            && (!self.first_alerts_only || entry.first_alert.first == Some(list))
    }

    /// Text that two equal filters share and two different ones do not: a page token carries its hash.
    pub fn canonical(&self) -> String {
        format!("{:?}|{:?}|{}", self.departments, self.levels, self.first_alerts_only)
    }
}

fn invalid(field: &str, why: &str) -> ServiceError {
    ServiceError::new(ErrorCode::InvalidArgument, format!("{field}: {why}")).with("field", field)
}

#[cfg(test)]
mod tests {
    use super::super::tests::entry;
    use super::*;

    #[test]
    fn filters_narrow() {
        let list = "2511".parse().unwrap();
        let parse = |departments: &[&str], regions: &[&str], levels: Vec<i32>| {
            Filter::parse(Some(RankedListFilter {
                departments: departments.iter().map(ToString::to_string).collect(),
                regions: regions.iter().map(ToString::to_string).collect(),
                alert_levels: levels,
                first_alerts_only: false,
            }))
        };
        let dijon = entry(1, "21", 0.5);
        assert!(Filter::default().accepts(&dijon, list));
        assert!(parse(&["21"], &[], vec![]).unwrap().accepts(&dijon, list));
        assert!(!parse(&["25"], &[], vec![]).unwrap().accepts(&dijon, list));
        assert!(parse(&[], &["27"], vec![]).unwrap().accepts(&dijon, list));
        assert!(!parse(&[], &[], vec![ApiLevel::High.into()]).unwrap().accepts(&dijon, list));
        assert!(parse(&["20"], &[], vec![]).is_err(), "an unknown code is an error, not an empty list");
        assert!(parse(&[], &[], vec![0]).is_err());
        let mut nowhere = dijon;
        nowhere.department = None;
        assert!(!parse(&["21"], &[], vec![]).unwrap().accepts(&nowhere, list));
    }
}
