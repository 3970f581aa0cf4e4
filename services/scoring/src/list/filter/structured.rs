//! The filter of a message. All given fields must hold; codes that do not exist are errors, not empty lists.

use api::common::AlertLevel as ApiLevel;
use api::google::r#type::Date;
use api::lists::{Range, RankedListFilter, TerritoryMatch};
use domain::{AlertLevel, Department, DepartmentSet, NafSection, NaiveDate, Region};
use service_kit::error::{ErrorCode, ServiceError};

use super::super::facts::folded;
use super::{Compare, Filter, Flag, Number, Test};

/// Values in the lists of a message, at most: more than there are departments, and few enough to try on each entry.
const MOST: usize = 200;

/// Reads a message.
pub fn parse(message: &RankedListFilter) -> Result<Filter, ServiceError> {
    let texts = [&message.departments, &message.regions, &message.naf_sections, &message.naf_prefixes, &message.legal_categories];
    if texts.iter().map(|texts| texts.len()).sum::<usize>() + message.alert_levels.len() > MOST || message.query.len() > MOST {
        return Err(ServiceError::new(
            ErrorCode::TooManyItems,
            format!("structured_filter: more than {MOST} values, or characters searched for"),
        ));
    }
    let mut all = Vec::new();
    let departments = departments(message)?;
    if !departments.is_empty() {
        all.push(Filter::Test(match territory(message)? {
            TerritoryMatch::AnyEstablishment => Test::Establishment(departments),
            TerritoryMatch::Unspecified | TerritoryMatch::HeadOffice => Test::HeadOffice(departments),
        }));
    }
    any(&mut all, &message.alert_levels, |level| match ApiLevel::try_from(*level) {
        Ok(ApiLevel::None) => Ok(Test::Level(Compare::Equal, AlertLevel::None)),
        Ok(ApiLevel::Moderate) => Ok(Test::Level(Compare::Equal, AlertLevel::Moderate)),
        Ok(ApiLevel::High) => Ok(Test::Level(Compare::Equal, AlertLevel::High)),
        _ => Err(invalid("alert_levels", "levels are NONE, MODERATE and HIGH")),
    })?;
    any(&mut all, &message.naf_sections, |text| {
        section(text).ok_or_else(|| invalid("naf_sections", &format!("'{text}' is none of A to U")))
    })?;
    any(&mut all, &message.naf_prefixes, |text| {
        naf(text).ok_or_else(|| invalid("naf_prefixes", &format!("'{text}' does not begin a NAF code")))
    })?;
    any(&mut all, &message.legal_categories, |text| {
        legal(text).ok_or_else(|| invalid("legal_categories", &format!("'{text}' does not begin a legal category")))
    })?;
    range(&mut all, "headcount", Number::Headcount, message.headcount)?;
    range(&mut all, "social_debt", Number::SocialDebt, message.social_debt)?;
    range(&mut all, "turnover", Number::Turnover, message.turnover)?;
    let flags = [
        (Flag::SocialDebtRising, message.social_debt_rising),
        (Flag::PaymentPlan, message.has_payment_plan),
        (Flag::ShortTimeWork, message.short_time_work),
        (Flag::FirstAlert, message.first_alerts_only.then_some(true)),
        (Flag::Followed, message.followed),
        (Flag::FirstHighAlert, message.first_high_alerts_only.then_some(true)),
    ];
    all.extend(flags.into_iter().filter_map(|(flag, wanted)| wanted.map(|wanted| Filter::Test(Test::Flag(flag, wanted)))));
    if let Some(date) = message.created_before {
        let day = day(date).ok_or_else(|| invalid("created_before", "it is not a day"))?;
        all.push(Filter::Test(Test::Created(Compare::Less, day)));
    }
    if !message.query.trim().is_empty() {
        all.push(query(&message.query));
    }
    Ok(Filter::All(all))
}

/// The departments and regions asked for.
fn departments(message: &RankedListFilter) -> Result<DepartmentSet, ServiceError> {
    let mut set = DepartmentSet::EMPTY;
    for code in &message.departments {
        set.insert(code.parse::<Department>().map_err(|error| invalid("departments", &error.to_string()))?);
    }
    for code in &message.regions {
        let region = code.parse::<Region>().map_err(|error| invalid("regions", &error.to_string()))?;
        region.departments().for_each(|department| set.insert(department));
    }
    Ok(set)
}

/// What of a company must be in a territory.
pub fn territory(message: &RankedListFilter) -> Result<TerritoryMatch, ServiceError> {
    TerritoryMatch::try_from(message.territory_match).map_err(|_| invalid("territory_match", "it is no known value"))
}

fn any<T>(all: &mut Vec<Filter>, values: &[T], test: impl Fn(&T) -> Result<Test, ServiceError>) -> Result<(), ServiceError> {
    if !values.is_empty() {
        let tests = values.iter().map(|value| test(value).map(Filter::Test));
        all.push(Filter::Any(tests.collect::<Result<_, _>>()?));
    }
    Ok(())
}

fn range(all: &mut Vec<Filter>, field: &str, number: Number, range: Option<Range>) -> Result<(), ServiceError> {
    let Some(range) = range else { return Ok(()) };
    if range.min.is_some_and(f64::is_nan) || range.max.is_some_and(f64::is_nan) {
        return Err(invalid(field, "the ends of a range are numbers"));
    }
    let ends = [(Compare::AtLeast, range.min), (Compare::AtMost, range.max)];
    all.extend(ends.into_iter().filter_map(|(compare, end)| end.map(|end| Filter::Test(Test::Number(number, compare, end)))));
    Ok(())
}

/// A section by its letter.
pub(super) fn section(text: &str) -> Option<Test> {
    let mut letters = text.chars();
    let (letter, rest) = (letters.next()?, letters.next());
    NafSection::from_letter(letter).filter(|_| rest.is_none()).map(Test::Section)
}

/// The beginning of a NAF code, with or without its dot.
pub(super) fn naf(text: &str) -> Option<Test> {
    let digits = text.replace('.', "");
    let shaped =
        digits.bytes().enumerate().all(|(at, byte)| if at < 4 { byte.is_ascii_digit() } else { at == 4 && byte.is_ascii_uppercase() });
    (shaped && !digits.is_empty()).then_some(Test::Naf(digits))
}

/// The beginning of a legal category.
pub(super) fn legal(text: &str) -> Option<Test> {
    let shaped = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    shaped.then(|| Test::LegalCategory(text.to_owned()))
}

/// What a person types: part of a name, or the beginning of an identifier.
pub(super) fn query(text: &str) -> Filter {
    let digits: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    let name = Filter::Test(Test::Name(folded(text.trim())));
    if digits.len() >= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Filter::Any(vec![Filter::Test(Test::Identifier(digits)), name]);
    }
    name
}

fn day(date: Date) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(date.year, date.month.try_into().ok()?, date.day.try_into().ok()?)
}

fn invalid(field: &str, why: &str) -> ServiceError {
    let field = format!("structured_filter.{field}");
    ServiceError::new(ErrorCode::InvalidArgument, format!("{field}: {why}")).with("field", field)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::entry;
    use super::super::tests::accepts;
    use super::*;

    fn passes(message: &RankedListFilter) -> bool {
        let mut company = entry(552_013_555, "21", 0.5);
        company.name = "Béton de l'Ouche".into();
        company.departments.insert("75".parse().unwrap());
        company.legal_category = domain::LegalCategory::parse(b"5710");
        company.created = NaiveDate::from_ymd_opt(2001, 2, 3);
        company.indicators.headcount = Some(49.0);
        company.indicators.short_time_hours = Some(0.0);
        accepts(&parse(message).unwrap(), &company)
    }

    #[test]
    fn filters_narrow() {
        let base = RankedListFilter::default;
        let codes = |codes: &[&str]| codes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let range = |min, max| Some(Range { min, max });
        let (yes, no) = (true, false);
        for (expected, message) in [
            (yes, base()),
            (yes, RankedListFilter { departments: codes(&["21"]), ..base() }),
            (no, RankedListFilter { departments: codes(&["75"]), ..base() }),
            (yes, RankedListFilter { departments: codes(&["75"]), territory_match: TerritoryMatch::AnyEstablishment.into(), ..base() }),
            (yes, RankedListFilter { regions: codes(&["27"]), departments: codes(&["75"]), ..base() }),
            (no, RankedListFilter { alert_levels: vec![ApiLevel::High.into()], ..base() }),
            (yes, RankedListFilter { alert_levels: vec![ApiLevel::High.into(), ApiLevel::None.into()], ..base() }),
            (yes, RankedListFilter { naf_sections: codes(&["A", "F"]), naf_prefixes: codes(&["43.2"]), ..base() }),
            (no, RankedListFilter { naf_prefixes: codes(&["4322"]), ..base() }),
            (yes, RankedListFilter { legal_categories: codes(&["57"]), ..base() }),
            (yes, RankedListFilter { headcount: range(Some(49.0), Some(49.0)), ..base() }),
            (no, RankedListFilter { headcount: range(Some(50.0), None), ..base() }),
            (no, RankedListFilter { turnover: range(None, Some(1e12)), ..base() }),
            (no, RankedListFilter { short_time_work: Some(true), ..base() }),
            (yes, RankedListFilter { short_time_work: Some(false), ..base() }),
            (no, RankedListFilter { first_alerts_only: true, ..base() }),
            (yes, RankedListFilter { created_before: Some(Date { year: 2001, month: 2, day: 4 }), ..base() }),
            (no, RankedListFilter { created_before: Some(Date { year: 2001, month: 2, day: 3 }), ..base() }),
            (yes, RankedListFilter { query: " beton ".into(), ..base() }),
            (yes, RankedListFilter { query: "552 013".into(), ..base() }),
            (no, RankedListFilter { query: "013".into(), ..base() }),
        ] {
            assert_eq!(passes(&message), expected, "{message:?}");
        }
    }

    #[test]
    fn what_does_not_exist_is_an_error_and_no_empty_list() {
        let base = RankedListFilter::default;
        for message in [
            RankedListFilter { departments: vec!["20".into()], ..base() },
            RankedListFilter { regions: vec!["12".into()], ..base() },
            RankedListFilter { alert_levels: vec![0], ..base() },
            RankedListFilter { alert_levels: vec![99], ..base() },
            RankedListFilter { naf_sections: vec!["AB".into()], ..base() },
            RankedListFilter { naf_prefixes: vec!["4Z".into()], ..base() },
            RankedListFilter { legal_categories: vec!["57100".into()], ..base() },
            RankedListFilter { headcount: Some(Range { min: Some(f64::NAN), max: None }), ..base() },
            RankedListFilter { created_before: Some(Date { year: 2001, month: 13, day: 1 }), ..base() },
        ] {
            assert_eq!(parse(&message).unwrap_err().code(), ErrorCode::InvalidArgument, "{message:?}");
        }
    }

    #[test]
    fn a_filter_that_would_keep_a_server_busy_is_refused() {
        let many = RankedListFilter { naf_prefixes: vec!["43".into(); 201], ..RankedListFilter::default() };
        let long = RankedListFilter { query: "a".repeat(201), ..RankedListFilter::default() };
        for message in [many, long] {
            assert_eq!(parse(&message).unwrap_err().code(), ErrorCode::TooManyItems);
        }
    }

    #[test]
    fn an_unknown_head_office_matches_no_department() {
        let mut nowhere = entry(1, "21", 0.5);
        nowhere.department = None;
        let filter = parse(&RankedListFilter { departments: vec!["21".into()], ..RankedListFilter::default() }).unwrap();
        assert!(!accepts(&filter, &nowhere));
    }
}
