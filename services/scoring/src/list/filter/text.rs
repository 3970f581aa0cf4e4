//! The filter of a text, in the language of AIP-160: `department = "21" AND (alert_level = HIGH OR headcount >= 50)`.
//!
//! `OR` binds closer than `AND`, and conditions side by side must both hold, as AIP-160 says. A bare word is searched for in
//! names and identifiers. Fields and what may be compared with them are in [`FIELDS`].

use std::iter::Peekable;
use std::str::CharIndices;

use domain::{AlertLevel, Department, NaiveDate, Region};
use service_kit::error::{ErrorCode, ServiceError};

use super::super::facts::folded;
use super::structured::{legal, naf, query, section};
use super::{Compare, Filter, Flag, Number, Test};

/// Bytes of a text at most, conditions in it, and parentheses within each other.
const LONGEST: usize = 4_000;
const MOST: usize = 100;
const DEEPEST: usize = 20;

/// A condition made of a comparison and a value, or what the field expects.
type Make = fn(Compare, &str) -> Result<Test, &'static str>;

/// Fields by name.
const FIELDS: &[(&str, Make)] = &[
    ("department", |compare, text| {
        equal(compare, text.parse::<Department>().ok().map(|it| Test::HeadOffice([it].into_iter().collect())), "a department code")
    }),
    ("departments", |compare, text| {
        equal(compare, text.parse::<Department>().ok().map(|it| Test::Establishment([it].into_iter().collect())), "a department code")
    }),
    ("region", |compare, text| {
        equal(compare, text.parse::<Region>().ok().map(|it| Test::HeadOffice(it.departments().collect())), "a region code")
    }),
    ("naf_section", |compare, text| equal(compare, section(text), "a letter from A to U")),
    ("naf_code", |compare, text| equal(compare, naf(text.trim_end_matches('*')), "a NAF code or its beginning")),
    ("legal_category", |compare, text| equal(compare, legal(text.trim_end_matches('*')), "a legal category or its beginning")),
    ("name", |compare, text| equal(compare, Some(Test::Name(folded(text.trim_matches('*')))), "a part of a name")),
    ("siren", |compare, text| equal(compare, digits(text), "digits")),
    ("alert_level", |compare, text| level(text).map(|level| Test::Level(compare, level)).ok_or(LEVELS)),
    ("previous_level", |compare, text| level(text).map(|level| Test::PreviousLevel(compare, level)).ok_or(LEVELS)),
    ("rank", |compare, text| number(Number::Rank, compare, text)),
    ("headcount", |compare, text| number(Number::Headcount, compare, text)),
    ("turnover", |compare, text| number(Number::Turnover, compare, text)),
    ("social_debt", |compare, text| number(Number::SocialDebt, compare, text)),
    ("short_time_hours", |compare, text| number(Number::ShortTimeHours, compare, text)),
    ("followed", |compare, text| flag(Flag::Followed, compare, text)),
    ("first_alert", |compare, text| flag(Flag::FirstAlert, compare, text)),
    ("first_high_alert", |compare, text| flag(Flag::FirstHighAlert, compare, text)),
    ("payment_plan", |compare, text| flag(Flag::PaymentPlan, compare, text)),
    ("social_debt_rising", |compare, text| flag(Flag::SocialDebtRising, compare, text)),
    ("short_time_work", |compare, text| flag(Flag::ShortTimeWork, compare, text)),
    ("created", |compare, text| text.parse::<NaiveDate>().map(|day| Test::Created(compare, day)).map_err(|_| "a day, YYYY-MM-DD")),
];
const LEVELS: &str = "NONE, MODERATE or HIGH";

fn equal(compare: Compare, test: Option<Test>, expected: &'static str) -> Result<Test, &'static str> {
    if compare == Compare::Equal { test.ok_or(expected) } else { Err("`=`, `!=` or `:`: the field has no order") }
}

fn digits(text: &str) -> Option<Test> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| Test::Identifier(text.to_owned()))
}

fn level(text: &str) -> Option<AlertLevel> {
    text.to_ascii_lowercase().parse().ok()
}

fn number(number: Number, compare: Compare, text: &str) -> Result<Test, &'static str> {
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| Test::Number(number, compare, value)).ok_or("a number")
}

fn flag(flag: Flag, compare: Compare, text: &str) -> Result<Test, &'static str> {
    let wanted = text.parse::<bool>().map_err(|_| "true or false")?;
    if compare == Compare::Equal { Ok(Test::Flag(flag, wanted)) } else { Err("`=` or `!=`: the field has no order") }
}

/// Reads a text; an empty one is true of everything.
pub fn parse(text: &str) -> Result<Filter, ServiceError> {
    if text.len() > LONGEST {
        return Err(error(0, &format!("it is longer than {LONGEST} bytes")));
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Filter::everything());
    }
    let mut parser = Parser { tokens: &tokens, next: 0, end: text.len(), tests: 0, depth: 0 };
    let filter = parser.expression()?;
    match parser.peek() {
        None => Ok(filter),
        Some(token) => Err(error(token.at, "a condition was expected here")),
    }
}

fn error(at: usize, what: &str) -> ServiceError {
    ServiceError::new(ErrorCode::FilterSyntax, format!("filter, at character {}: {what}", at + 1))
        .with("field", "filter")
        .with("position", at.to_string())
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Open,
    Close,
    Minus,
    Compare(Compare),
    Word(String),
    Quoted(String),
}

#[derive(Debug, Clone, PartialEq)]
struct Token {
    kind: Kind,
    at: usize,
}

fn tokens(text: &str) -> Result<Vec<Token>, ServiceError> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        let kind = match character {
            _ if character.is_whitespace() => continue,
            '(' => Kind::Open,
            ')' => Kind::Close,
            '-' if rest.peek().is_some_and(|(_, next)| !next.is_ascii_digit()) => Kind::Minus,
            '=' | ':' => Kind::Compare(Compare::Equal),
            '!' if then_equal(&mut rest) => Kind::Compare(Compare::Different),
            '<' => Kind::Compare(if then_equal(&mut rest) { Compare::AtMost } else { Compare::Less }),
            '>' => Kind::Compare(if then_equal(&mut rest) { Compare::AtLeast } else { Compare::More }),
            '"' | '\'' => {
                let mut value = String::new();
                loop {
                    match rest.next() {
                        Some((_, end)) if end == character => break,
                        Some((_, '\\')) => value.extend(rest.next().map(|(_, escaped)| escaped)),
                        Some((_, inside)) => value.push(inside),
                        None => return Err(error(at, "the quotation does not end")),
                    }
                }
                Kind::Quoted(value)
            }
            _ if word(character) || character == '-' => {
                let mut value = String::from(character);
                while let Some((_, inside)) = rest.next_if(|(_, next)| word(*next) || *next == '-') {
                    value.push(inside);
                }
                Kind::Word(value)
            }
            other => return Err(error(at, &format!("'{other}' has no meaning here"))),
        };
        tokens.push(Token { kind, at });
    }
    Ok(tokens)
}

fn then_equal(rest: &mut Peekable<CharIndices<'_>>) -> bool {
    rest.next_if(|(_, next)| *next == '=').is_some()
}

fn word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '*' | '’' | '&' | '+' | '%')
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    end: usize,
    tests: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.next)
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|token| matches!(&token.kind, Kind::Word(word) if word == keyword));
        self.next += usize::from(found);
        found
    }

    fn accept(&mut self, kind: &Kind) -> bool {
        let found = self.peek().is_some_and(|token| token.kind == *kind);
        self.next += usize::from(found);
        found
    }

    fn here(&self) -> usize {
        self.peek().map_or(self.end, |token| token.at)
    }

    /// Factors joined by `AND`, or side by side.
    fn expression(&mut self) -> Result<Filter, ServiceError> {
        let mut all = vec![self.factor()?];
        loop {
            let joined = self.keyword("AND");
            if !joined && self.peek().is_none_or(|token| token.kind == Kind::Close) {
                return Ok(single(all, Filter::All));
            }
            all.push(self.factor()?);
        }
    }

    /// Terms joined by `OR`.
    fn factor(&mut self) -> Result<Filter, ServiceError> {
        let mut any = vec![self.term()?];
        while self.keyword("OR") {
            any.push(self.term()?);
        }
        Ok(single(any, Filter::Any))
    }

    fn term(&mut self) -> Result<Filter, ServiceError> {
        if self.keyword("NOT") || self.accept(&Kind::Minus) {
            return Ok(Filter::Not(Box::new(self.simple()?)));
        }
        self.simple()
    }

    fn simple(&mut self) -> Result<Filter, ServiceError> {
        let at = self.here();
        if self.accept(&Kind::Open) {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(error(at, &format!("more than {DEEPEST} parentheses within each other")));
            }
            let inside = self.expression()?;
            self.depth -= 1;
            return if self.accept(&Kind::Close) { Ok(inside) } else { Err(error(self.here(), "')' was expected")) };
        }
        self.tests += 1;
        if self.tests > MOST {
            return Err(error(at, &format!("more than {MOST} conditions")));
        }
        let left = self.text()?;
        let Some(Token { kind: Kind::Compare(compare), .. }) = self.peek() else { return Ok(query(&left)) };
        self.next += 1;
        let value_at = self.here();
        self.condition(at, &left, *compare, value_at)
    }

    fn condition(&mut self, at: usize, field: &str, compare: Compare, value_at: usize) -> Result<Filter, ServiceError> {
        let known = FIELDS.iter().find(|(name, _)| *name == field);
        let Some((_, make)) = known else {
            let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
            return Err(error(at, &format!("'{field}' is not a field; there are {}", names.join(", "))));
        };
        let value = self.text()?;
        let expected = |expected: &str| error(value_at, &format!("for {field}, {expected} was expected"));
        // Different is the contrary of equal, so that a field without order has it too.
        if compare == Compare::Different {
            return Ok(Filter::Not(Box::new(Filter::Test(make(Compare::Equal, &value).map_err(expected)?))));
        }
        Ok(Filter::Test(make(compare, &value).map_err(expected)?))
    }

    fn text(&mut self) -> Result<String, ServiceError> {
        match self.peek().map(|token| &token.kind) {
            Some(Kind::Word(word)) if !matches!(word.as_str(), "AND" | "OR" | "NOT") => {
                self.next += 1;
                Ok(word.clone())
            }
            Some(Kind::Quoted(text)) => {
                self.next += 1;
                Ok(text.clone())
            }
            _ => Err(error(self.here(), "a field or a value was expected")),
        }
    }
}

fn single(mut filters: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        Some(last) => {
            filters.push(last);
            join(filters)
        }
        None => Filter::everything(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::tests::entry;
    use super::super::tests::accepts;
    use super::*;

    #[test]
    fn texts_and_what_they_select() {
        let mut company = entry(552_013_555, "2A", 0.5);
        company.name = "Béton de l'Ouche".into();
        company.level = AlertLevel::Moderate;
        company.indicators.headcount = Some(49.5);
        company.indicators.payment_plan = Some(false);
        company.created = NaiveDate::from_ymd_opt(2001, 2, 3);
        for (text, expected) in [
            ("", true),
            ("department = \"2A\"", true),
            ("department=2A headcount>=49.5", true),
            ("department != 2A", false),
            ("NOT department = 21", true),
            ("-department = 21", true),
            ("region = 94 AND alert_level >= MODERATE", true),
            ("alert_level = HIGH OR headcount < 50", true),
            // OR binds closer: (false OR true) AND (false OR false).
            ("alert_level = HIGH OR headcount < 50 AND department = 21 OR department = 75", false),
            ("alert_level = HIGH OR (headcount < 50 AND department = 2A)", true),
            ("naf_code : 43* naf_section = F", true),
            ("naf_code = 43.22", false),
            ("name:beton", true),
            ("beton", true),
            ("\"de l'ouche\"", true),
            ("552013", true),
            ("siren = 5520", true),
            ("payment_plan = false", true),
            ("payment_plan != false", false),
            ("created < 2001-02-04 AND created >= \"2001-02-03\"", true),
            ("turnover > 0", false),
            ("NOT turnover > 0", false),
            ("turnover != 0", false),
            ("headcount > -1", true),
            ("previous_level = NONE", false),
        ] {
            let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(accepts(&filter, &company), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, position, says) in [
            ("headcout > 3", "0", "'headcout' is not a field"),
            ("headcount > many", "12", "a number was expected"),
            ("department < 21", "13", "no order"),
            ("department = 20", "13", "a department code"),
            ("(headcount > 3", "14", "')' was expected"),
            ("headcount > 3)", "13", "a condition was expected"),
            ("headcount >", "11", "a field or a value"),
            ("AND headcount > 3", "0", "a field or a value"),
            ("name = \"x", "7", "does not end"),
            ("headcount # 3", "10", "no meaning"),
            ("headcount > NaN", "12", "a number"),
            ("first_alert > true", "14", "no order"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.code(), error.fields()["position"].as_str()), (ErrorCode::FilterSyntax, position), "{text}: {error}");
            assert!(error.message().contains(says), "{text}: {error}");
        }
        assert!(parse(&"(".repeat(50)).is_err());
        assert!(parse(&"a ".repeat(101)).is_err());
        assert!(parse(&"a".repeat(5_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_stops_the_program(text in "[ -~éa-z=<>()\"!:]{0,60}") {
            let _read = parse(&text);
        }
    }
}
